"""The files that settings and secrets are read from and written to."""
