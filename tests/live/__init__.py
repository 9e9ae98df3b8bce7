"""Real providers; `nox -s live` asks those whose key or URL is in the environment."""
