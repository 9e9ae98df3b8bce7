"""Words of an upstream without the keys in them."""

from __future__ import annotations

import re

# A bearer token or a key that an upstream repeats in its message, also one of which it shows only a part.
_SECRET = re.compile(
    r"\b(?:sk|pk|gsk|xai|key)[-_][A-Za-z0-9_\-*.]{6,}|Bearer\s+\S+|[A-Za-z0-9_\-]*\*{3,}[A-Za-z0-9_\-*]*"
)
# What is shorter is a placeholder, which may be a part of any word.
_SHORTEST_KEY = 4
# Some show the end of a key: this many letters of one so long are taken for a part of it.
_SHORTEST_END = 4
_LONG_KEY = 16
_WORD = re.compile(r"[A-Za-z0-9_\-]+")


def redacted(words: str, secret: str | None = None) -> str:
    """Words of an upstream without the keys in them.

    Args:
        words: what it said.
        secret: the key that it was sent, of which it may show the whole, or the end.
    """
    if secret is not None and len(secret) >= _SHORTEST_KEY:
        words = words.replace(secret, "***")
    words = _SECRET.sub("***", words)
    if secret is None or len(secret) < _LONG_KEY:
        return words

    def hidden(word: re.Match[str]) -> str:
        part = len(word[0]) >= _SHORTEST_END and secret.endswith(word[0])
        return "***" if part else word[0]

    return _WORD.sub(hidden, words)
