"""Figures of how the code reads: a mirror, not a gate: `nox -s style`."""
