"""What an inbound key opens: which models, how many requests in a minute, and how many at the same time."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from wireloom.backends.base import Relayed, Turn
from wireloom.backends.slots import Slots
from wireloom.errors import Limited
from wireloom.exchange import Exchange
from wireloom.routing.routing import Place
from wireloom.translate.hub.sequence import Event

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatCompletion, ChatFrame

MINUTE = 60.0
# As OpenAI calls them: how many in a minute, how many are left, and after how long all are there again.
LIMIT_HEADERS = ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests")


class Quota:
    """The limits of one key.

    Args:
        backends: names of the backends it may use; none for all.
        models: patterns of the models it may use, as the client names them or as `backend/model`; none for all.
        per_minute: requests in a minute, or None for any number.
        slots: its places among those at the same time, or None for any number.
        now: tells the time in seconds.
    """

    def __init__(
        self,
        backends: frozenset[str] = frozenset(),
        models: frozenset[str] = frozenset(),
        *,
        per_minute: int | None = None,
        slots: Slots | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backends = backends
        self._models = models
        self._per_minute = per_minute
        self.slots = slots
        self._now = now
        self._left = float(per_minute or 0)
        self._seen = now()

    def permits(self, model: str, place: Place) -> bool:
        """Whether it may use a place.

        Args:
            model: as the client names it.
            place: where that is.
        """
        if self._backends and place.at.name not in self._backends:
            return False
        return not self._models or self.lists(model) or self.lists(f"{place.at.name}/{place.model}")

    def lists(self, model: str) -> bool:
        """Whether a model's name is one of those it may use."""
        return not self._models or any(fnmatchcase(model, pattern) for pattern in self._models)

    @property
    def narrow(self) -> bool:
        """Whether there is anything that it may not use."""
        return bool(self._backends or self._models)

    def opens(self) -> str:
        """The models that it may use, in words."""
        backends = sorted(self._backends)
        if not self._models:
            return ", ".join(f"{name}/*" for name in backends)
        models = ", ".join(sorted(self._models))
        return f"{models} (at {', '.join(backends)})" if backends else models

    def _refill(self, per_minute: int) -> float:
        """Give back what the time since the last look is worth; requests in a second."""
        now, rate = self._now(), per_minute / MINUTE
        self._left = min(self._left + (now - self._seen) * rate, float(per_minute))
        self._seen = now
        return rate

    def limits(self) -> dict[str, str]:
        """Headers that tell how many requests are left, under the names by which OpenAI sends them."""
        if self._per_minute is None:
            return {}
        rate = self._refill(self._per_minute)
        full = math.ceil((self._per_minute - self._left) / rate)
        values = (str(self._per_minute), str(int(self._left)), f"{full}s")
        return dict(zip(LIMIT_HEADERS, values, strict=True))

    def spend(self) -> None:
        """Count a request; the minute's are refilled one by one.

        Raises:
            Limited: there were too many.
        """
        if self._per_minute is None:
            return
        rate = self._refill(self._per_minute)
        if self._left < 1:
            raise Limited(
                f"This key may make {self._per_minute} requests in a minute.",
                code="rate_limit_exceeded",
                retry_after=max(1.0, (1 - self._left) / rate),
            )
        self._left -= 1


class SharedTurn:
    """A turn that waits until its key has a slot.

    Args:
        turn: the work.
        slots: those of the key.
        exchange: where it is noted how long that took.
    """

    def __init__(self, turn: Turn, slots: Slots, exchange: Exchange) -> None:
        self._turn = turn
        self._slots = slots
        self._exchange = exchange
        self._waits = True

    @property
    def queued(self) -> bool:
        """See `Turn.queued`."""
        return self._waits or self._turn.queued

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """See `Turn.events`."""
        async with await self._slots.take(self._exchange):
            self._waits = False
            async with aclosing(self._turn.events()) as batches:
                async for batch in batches:
                    yield batch


class SharedRelay:
    """A relay that waits until its key has a slot.

    Args:
        relayed: the work.
        slots: see `SharedTurn`.
        exchange: see `SharedTurn`.
    """

    def __init__(self, relayed: Relayed, slots: Slots, exchange: Exchange) -> None:
        self._relayed = relayed
        self._slots = slots
        self._exchange = exchange
        self._waits = True

    @property
    def queued(self) -> bool:
        """See `Relayed.queued`."""
        return self._waits or self._relayed.queued

    def left(self) -> list[ChatFrame]:
        """See `Relayed.left`."""
        return self._relayed.left()

    async def events(self) -> AsyncGenerator[list[ChatFrame], None]:
        """See `Relayed.events`."""
        async with await self._slots.take(self._exchange):
            self._waits = False
            async with aclosing(self._relayed.events()) as batches:
                async for batch in batches:
                    yield batch

    async def whole(self) -> ChatCompletion:
        """See `Relayed.whole`."""
        async with await self._slots.take(self._exchange):
            self._waits = False
            return await self._relayed.whole()
