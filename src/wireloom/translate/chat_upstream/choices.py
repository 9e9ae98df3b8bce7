"""Several choices where one answer was asked for: the first one streams, the others are held and folded into it."""

from __future__ import annotations

from typing import Any

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
        self.held: dict[int, _Held] = {}
        """What the other choices said, by index."""
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

    def meet(self, index: Any) -> Any:
        """Note the index of a choice; the index of the one that streams, which is the first that came."""
        if self.first is _NOTHING:
            self.first = index
        return self.first

    def live(
        self, index: Any, delta: hot.ChatCompletionStreamResponseDelta
    ) -> hot.ChatCompletionStreamResponseDelta:
        """What is said now of a delta; of other choices than the first it is nothing yet.

        Args:
            index: of the choice; none and null are 0.
            delta: of the choice.
        """
        if _number(index) == _number(self.first):
            return delta
        held = self.held.setdefault(_number(index), _Held())
        held.add(delta)
        return _NOTHING

    def take(self) -> list[hot.ChatCompletionStreamResponseDelta]:
        """What the other choices said, one choice after the other."""
        held, self.held = self.held, {}
        return [held[number].delta() for number in sorted(held)]


class _Held:
    """What a choice said, as one delta."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._others: dict[str, Any] = {}

    def add(self, delta: hot.ChatCompletionStreamResponseDelta) -> None:
        for name in delta.__struct_fields__:
            value = getattr(delta, name)
            if isinstance(value, str):
                self._texts.setdefault(name, []).append(value)
            elif isinstance(value, list) and isinstance(self._others.get(name), list):
                self._others[name] = [*self._others[name], *value]
            elif value:
                self._others[name] = value

    def delta(self) -> hot.ChatCompletionStreamResponseDelta:
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        return hot.ChatCompletionStreamResponseDelta(**{**self._others, **texts})


def _number(index: Any) -> int:
    return index if type(index) is int else 0
