"""A gateway between OpenAI Responses, Chat Completions and the Codex app-server."""
