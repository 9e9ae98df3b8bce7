"""Responses requests to Chat Completions upstreams, and their answers."""
