"""Chat Completions requests from clients, and the answers in Chat form."""
