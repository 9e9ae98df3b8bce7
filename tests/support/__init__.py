"""Processes and servers that tests put around wireloom."""
