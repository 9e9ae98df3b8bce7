"""Wireloom side by side with its peers: the same upstreams, one run, ratios."""
