"""Commands that run a gateway, in the foreground or in the background."""
