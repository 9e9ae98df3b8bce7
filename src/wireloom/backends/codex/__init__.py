"""Backends that run the local Codex CLI: its app-server, or one `codex exec` process per request."""
