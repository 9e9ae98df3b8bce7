"""Several choices where one answer was asked for: the first one streams, the others are held and folded into it."""

from __future__ import annotations

from typing import Any

import msgspec
from wireloom_protocol import hot

from wireloom.translate.hub.endings import incomplete

# An answer without anything in it.
_NOTHING = hot.ChatCompletionStreamResponseDelta()


class Choices:
    """The choices of one answer.

    Attributes:
        first: index of the choice that streams, as it came; a value that no index has until one came.
    """

    def __init__(self) -> None:
        self.first: Any = _NOTHING
        self._held: list[tuple[int, hot.ChatCompletionStreamResponseDelta]] = []
        self._reason: str | None = None

    def reason(self, index: Any, reason: Any) -> str | None:
        """Note why a choice ended; why the answer ended, as far as it is known.

        Args:
            index: of the choice.
            reason: its finish reason, or nothing.
        """
        if reason and (self._reason is None or _number(index) == _number(self.first) or incomplete(reason)):
            self._reason = str(reason)
        return self._reason

    def live(self, index: Any, delta: hot.ChatCompletionStreamResponseDelta) -> hot.ChatCompletionStreamResponseDelta:
        """What is said now of a delta; of other choices than the first it is nothing yet.

        Args:
            index: of the choice; none and null are 0.
            delta: of the choice.
        """
        if self.first is _NOTHING:
            self.first = index
        if _number(index) == _number(self.first):
            return delta
        self._held.append((_number(index), delta))
        return _NOTHING

    def take(self) -> list[hot.ChatCompletionStreamResponseDelta]:
        """What the other choices said, one choice after the other."""
        held, self._held = sorted(self._held, key=lambda pair: pair[0]), []
        return [delta for _, delta in held]


def _number(index: Any) -> int:
    return index if type(index) is int and index is not msgspec.UNSET else 0
