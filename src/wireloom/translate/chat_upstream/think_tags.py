"""Reasoning that a model wraps in `<think>` tags at the beginning of its answer, parted from the answer."""

from __future__ import annotations

from collections.abc import Callable

OPEN = "<think>"
CLOSE = "</think>"


class ThinkTags:
    """Text in, thoughts and text out; a tag, and the line ends after it, may be split between deltas.

    Only an answer that begins with the tag has thoughts in it: further on, the tag is text about tags.
    Line ends right after a tag belong to the tag.
    """

    def __init__(self) -> None:
        self._buffer = ""
        self._read: Callable[[ThinkTags], tuple[str, str]] = ThinkTags._before
        self._begun = False
        self.opened = False
        """Whether the answer begins with the tag."""
        self.decided = False
        """Whether all that follows is text, so that nothing more needs to pass through here."""

    def feed(self, delta: str) -> tuple[str, str]:
        """Take a delta; return the thought and the text that are certain now."""
        self._buffer += delta
        return self._read(self)

    def close(self) -> tuple[str, str]:
        """The answer is over, or something else follows: give what was held back."""
        rest, self._buffer = self._buffer, ""
        return (rest, "") if self._read is ThinkTags._inside else ("", rest)

    def _before(self) -> tuple[str, str]:
        start = self._buffer.lstrip()
        if len(start) < len(OPEN) and OPEN.startswith(start):
            return "", ""
        if not start.startswith(OPEN):
            return self._text()
        self.opened = True
        self._buffer = start[len(OPEN) :]
        self._read = ThinkTags._inside
        return self._inside()

    def _inside(self) -> tuple[str, str]:
        if not self._begun:
            self._buffer = self._buffer.lstrip("\n")
            self._begun = self._buffer != ""
        thought, tag, rest = self._buffer.partition(CLOSE)
        if tag:
            self._buffer = rest
            self._read = ThinkTags._after
            return thought, self._after()[1]
        cut = len(thought) - _overlap(thought)
        self._buffer = thought[cut:]
        return thought[:cut], ""

    def _after(self) -> tuple[str, str]:
        self._buffer = self._buffer.lstrip("\n")
        return self._text() if self._buffer else ("", "")

    def _text(self) -> tuple[str, str]:
        self._read = ThinkTags._text
        self.decided = True
        rest, self._buffer = self._buffer, ""
        return "", rest


def _overlap(text: str) -> int:
    """How many characters at the end may be the beginning of the closing tag."""
    for size in range(min(len(text), len(CLOSE) - 1), 0, -1):
        if CLOSE.startswith(text[-size:]):
            return size
    return 0
