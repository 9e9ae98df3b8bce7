"""Contracts to code: a build tool, never imported by `src`."""
