"""How many requests a backend works on at once, how many may wait, and for how long."""

from __future__ import annotations

import asyncio
from types import TracebackType

from wireloom.errors import Limited
from wireloom.exchange import ADMITTED, QUEUED, Exchange


class Slots:
    """Bounded concurrency with a bounded queue.

    Args:
        running: requests at the same time.
        waiting: requests in the queue; the next one is refused at once.
        seconds: longest wait in the queue.
    """

    def __init__(self, running: int, waiting: int, seconds: float) -> None:
        self._free = asyncio.Semaphore(running)
        self._places = waiting
        self._seconds = seconds

    async def take(self, exchange: Exchange) -> Slot:
        """Wait for a slot.

        Args:
            exchange: where it is noted how long that took.

        Raises:
            Limited: the queue is full, or the wait took too long.
        """
        exchange.mark(QUEUED)
        if self._free.locked():
            if self._places <= 0:
                raise Limited("Too many requests wait already.", code="queue_full", retry_after=1)
            self._places -= 1
            try:
                async with asyncio.timeout(self._seconds):
                    await self._free.acquire()
            except TimeoutError as error:
                raise Limited(
                    f"No slot became free within {self._seconds:g} s.", code="queue_timeout", retry_after=1
                ) from error
            finally:
                self._places += 1
        else:
            await self._free.acquire()
        # A request may wait more than once: for a slot of its key, then of its backend.
        exchange.mark(ADMITTED, last=True)
        return Slot(self._free)


class Slot:
    """A slot that is held; a context that gives it back."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free

    async def __aenter__(self) -> Slot:
        """Hold the slot."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the slot back."""
        self._free.release()
