"""Several keys of one upstream in turn: one that is refused rests, and the next one is tried."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from wireloom.errors import UpstreamError

T = TypeVar("T")
# Seconds for which a key rests, where the upstream does not say for how long.
REFUSED_SECONDS = 300.0
LIMITED_SECONDS = 30.0
LONGEST_SECONDS = 3600.0
REFUSED, LIMITED = 401, 429


class Turns(Generic[T]):
    """What is asked in turn, save what rests.

    Args:
        each: the same server with each of its keys.
        now: seconds since any fixed moment.
    """

    def __init__(self, each: Sequence[T], now: Callable[[], float] = time.monotonic) -> None:
        self._each = list(each)
        self._now = now
        self._next = 0
        self._until = [0.0] * len(self._each)

    def __len__(self) -> int:
        return len(self._each)

    def order(self) -> Iterator[tuple[int, T]]:
        """Each with its number, the next one first; those that rest come last, the one that rests shortest before."""
        count = len(self._each)
        turn = [(self._next + step) % count for step in range(count)]
        self._next = (self._next + 1) % count
        now = self._now()
        turn.sort(key=lambda number: max(self._until[number], now))
        for number in turn:
            yield number, self._each[number]

    def refused(self, number: int, error: UpstreamError) -> bool:
        """Let one rest after a failure that is its own; tell whether the failure is.

        Args:
            number: from `order`.
            error: the failure.
        """
        if error.answered not in (REFUSED, LIMITED):
            return False
        usual = REFUSED_SECONDS if error.answered == REFUSED else LIMITED_SECONDS
        seconds = min(error.retry_after or usual, LONGEST_SECONDS)
        self._until[number] = self._now() + seconds
        return True
