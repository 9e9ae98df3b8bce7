"""`python -m benchmarks codex`: what a gateway costs between an OpenAI client and the local Codex CLI."""
