"""The text of a Chat answer that is passed on: copies, snapshots and fences taken out, all else as it comes."""

from __future__ import annotations

from wireloom.translate.answer.fence import Fence
from wireloom.translate.answer.repeats import SHORTEST, Fragments


class RelayText:
    """The text of one choice.

    Args:
        json: whether the answer was asked for as JSON, so that a fence around it comes off.

    Attributes:
        clean: a fragment of fewer than `SHORTEST` characters goes on as it is.
    """

    def __init__(self, *, json: bool = False) -> None:
        self._said: list[str] = []
        self._new: list[str] = []
        self._fence = Fence(self._new.append) if json else None
        say = self._new.append if self._fence is None else self._fence.feed
        self._fragments = Fragments(say, self.said)
        self.clean = False

    def feed(self, content: str) -> str:
        """Take a fragment; what goes on of it and of those before it."""
        if self.clean and len(content) < SHORTEST:
            self._said.append(content)
            return content
        self._fragments.feed(content)
        self.clean = self._fragments.plain and (self._fence is None or self._fence.plain)
        return self._take()

    def whole(self, content: str) -> tuple[str, bool]:
        """Take all of the text, as a closing message has it: what is new in it, and whether it agrees with the rest."""
        agrees = self._fragments.whole(content)
        return self._take(), agrees

    def close(self, *, ended: bool) -> str:
        """The choice has ended, or something else follows: what was held back.

        Args:
            ended: whether it has ended.
        """
        self._fragments.release(ended=ended)
        if self._fence is not None:
            self._fence.close()
        self.clean = False
        return self._take()

    def said(self) -> str:
        """All that went on."""
        return "".join(self._said)

    def repairs(self) -> list[str]:
        """What was taken out, in words for the log."""
        repairs = []
        if self._fragments.repeated:
            repairs.append("text that came twice was passed on once")
        if self._fence is not None and self._fence.removed:
            repairs.append("a Markdown fence around the JSON was taken off")
        return repairs

    def _take(self) -> str:
        new = "".join(self._new)
        self._new.clear()
        if new:
            self._said.append(new)
        return new
