"""Backends that send requests over HTTP: Chat Completions and Responses upstreams."""
