"""Which output belongs to which call of a conversation, also where ids recur, outputs are missing or given twice."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


class Pairs(Generic[P]):
    """The outputs of the calls of a conversation, once all of its steps were noted in their order.

    Some upstreams number calls anew each turn, so that one id stands for several calls: an output belongs to the latest
    turn with an open call of its id, and there to the first one. A second output belongs to the call that was answered
    last, an output before its call to the first call that follows.
    """

    def __init__(self) -> None:
        self.outputs: dict[P, list[P]] = {}
        """Position of a call -> positions of its outputs, in the order of the conversation."""
        self.strays: set[P] = set()
        """Positions of outputs that have no call."""
        self._turn = 0
        self._open: dict[str, list[tuple[int, P]]] = {}
        self._answered: dict[str, P] = {}
        self._early: dict[str, list[P]] = {}

    def call(self, position: P, call_id: str) -> None:
        """Note a call."""
        early = self._early.get(call_id)
        if early:
            self.outputs[position] = [early.pop(0)]
            self._answered[call_id] = position
        else:
            self.outputs[position] = []
            self._open.setdefault(call_id, []).append((self._turn, position))

    def output(self, position: P, call_id: str) -> None:
        """Note an output; calls that follow are another turn."""
        self._turn += 1
        waiting = self._open.get(call_id)
        if waiting:
            latest = waiting[-1][0]
            first = next(index for index, (turn, _) in enumerate(waiting) if turn == latest)
            self._answered[call_id] = waiting.pop(first)[1]
        elif call_id not in self._answered:
            self._early.setdefault(call_id, []).append(position)
            return
        self.outputs[self._answered[call_id]].append(position)

    def turn(self) -> None:
        """Note that calls that follow are another turn."""
        self._turn += 1

    def close(self) -> None:
        """Settle what is left of the outputs that stood before their calls."""
        for call_id, left in self._early.items():
            if call_id in self._answered:
                self.outputs[self._answered[call_id]] += left
            else:
                self.strays.update(left)
