"""Responses requests to other Responses upstreams, and their answers."""
