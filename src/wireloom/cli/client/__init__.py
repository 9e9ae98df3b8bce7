"""Commands that set up and start clients of a gateway."""
