"""Responses requests to the local Codex CLI, and its answers."""
