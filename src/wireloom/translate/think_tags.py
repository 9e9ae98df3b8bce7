"""Reasoning that a model wraps in `<think>` tags at the beginning of its answer, parted from the answer."""

from __future__ import annotations

OPEN = "<think>"
CLOSE = "</think>"


class ThinkTags:
    """Text in, thoughts and text out; a tag may be split between two deltas.

    Only an answer that begins with the tag has thoughts in it: further on, the tag is text about tags.
    """

    def __init__(self) -> None:
        self._buffer = ""
        self._inside = False
        self.decided = False
        """Whether all that follows is text, so that nothing more needs to pass through here."""

    def feed(self, delta: str) -> tuple[str, str]:
        """Take a delta; return the thought and the text that are certain now."""
        self._buffer += delta
        if not self._inside:
            start = self._buffer.lstrip()
            if OPEN.startswith(start[: len(OPEN)]) and len(start) < len(OPEN):
                return "", ""
            if not start.startswith(OPEN):
                return "", self._rest()
            self._inside = True
            self._buffer = start[len(OPEN) :].lstrip("\n")
        thought, tag, text = self._buffer.partition(CLOSE)
        if tag:
            self._buffer = text.lstrip("\n")
            return thought, self._rest()
        held = _overlap(self._buffer)
        cut = len(self._buffer) - held
        thought, self._buffer = self._buffer[:cut], self._buffer[cut:]
        return thought, ""

    def close(self) -> tuple[str, str]:
        """The answer is over: give what was held back."""
        rest = self._rest()
        return (rest, "") if self._inside and rest else ("", rest)

    def _rest(self) -> str:
        rest, self._buffer = self._buffer, ""
        self.decided = True
        return rest


def _overlap(text: str) -> int:
    """How many characters at the end may be the beginning of the closing tag."""
    for size in range(min(len(text), len(CLOSE) - 1), 0, -1):
        if CLOSE.startswith(text[-size:]):
            return size
    return 0
