"""The end of a gateway: nothing new, what runs may end by itself for a while, then it is told that it has to."""

from __future__ import annotations

import asyncio
from typing import Protocol

from wireloom.errors import Unavailable

# How long what was told to end may take to say so.
LAST_WORDS_SECONDS = 1.0


class Running(Protocol):
    """A request that is being answered."""

    def stop(self) -> None:
        """End it now."""
        ...


class Drain:
    """Knows the requests that run, and whether there may be new ones."""

    def __init__(self) -> None:
        self.closing = False
        self._running: set[Running] = set()
        self._idle = asyncio.Event()

    def add(self, running: Running) -> None:
        """A request has begun."""
        self._running.add(running)

    def remove(self, running: Running) -> None:
        """A request has ended."""
        self._running.discard(running)
        if not self._running:
            self._idle.set()

    def refuse(self) -> None:
        """Make sure that there may be new requests.

        Raises:
            Unavailable: the gateway is stopping.
        """
        if self.closing:
            raise stopping()

    async def close(self, seconds: float) -> None:
        """Take nothing new, and return when nothing runs.

        Args:
            seconds: after which whatever runs is ended.
        """
        self.closing = True
        if self._running and not await self._quiet(seconds):
            for running in list(self._running):
                running.stop()
            await self._quiet(LAST_WORDS_SECONDS)

    async def _quiet(self, seconds: float) -> bool:
        self._idle.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def stopping() -> Unavailable:
    """The error for what is cut off, and for what comes too late."""
    return Unavailable("The gateway is stopping.", code="shutting_down", retry_after=1)
