"""A Markdown fence around a whole answer that was asked for as JSON, taken off while the answer streams."""

from __future__ import annotations

import re
from collections.abc import Callable

_OPENER = re.compile(r"\s*```[A-Za-z0-9]*[ \t]*\r?\n")
_MAY_OPEN = re.compile(r"\s*(?:`{0,3}|```[A-Za-z0-9]*[ \t]*\r?)")
_CLOSER = re.compile(r"\s*```\s*")
# What stands at the end and may still be the closing fence with white space around it.
_MAY_CLOSE = re.compile(r"\s*`{0,3}\s*\Z")
LONGEST = 64
"""Characters of an opening fence at most, white space included."""


class Fence:
    """Reads the text of one answer.

    Args:
        say: receives the text without the fence.

    Attributes:
        plain: nothing is held, and no fence is to be found any more.
        removed: a fence was taken off.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._buffer = ""
        self._inside = False
        self.plain = False
        self.removed = False

    def feed(self, text: str) -> None:
        """Take more of the text."""
        if self.plain:
            self._say(text)
            return
        self._buffer += text
        if not self._inside:
            self._open()
        if self._inside:
            self._hold_end()

    def close(self) -> None:
        """The answer is over, or something else follows."""
        rest, self._buffer = self._buffer, ""
        if self._inside and _CLOSER.fullmatch(rest):
            return
        if rest:
            self._say(rest)

    def _open(self) -> None:
        match = _OPENER.match(self._buffer)
        if match is not None:
            self._inside = self.removed = True
            self._buffer = self._buffer[match.end() :]
        elif len(self._buffer) > LONGEST or not _MAY_OPEN.fullmatch(self._buffer):
            self.plain = True
            rest, self._buffer = self._buffer, ""
            self._say(rest)

    def _hold_end(self) -> None:
        match = _MAY_CLOSE.search(self._buffer)
        cut = len(self._buffer) if match is None else match.start()
        text, self._buffer = self._buffer[:cut], self._buffer[cut:]
        if text:
            self._say(text)
