"""Whether Codex is logged in: looked at once at the start, and before each request as long as it is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from wireloom.errors import GatewayError, Unavailable

log = logging.getLogger("wireloom.codex")

WORDS = "Codex is not logged in. Run `codex login`."
CODE = "not_logged_in"


class Login:
    """Keeps requests from a Codex that would wait for its provider in vain.

    Args:
        look: asks Codex; returns whether it is logged in.
    """

    def __init__(self, look: Callable[[], Awaitable[bool]]) -> None:
        self._look = look
        self._is_there = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look for the first time, in the background, and log a warning if there is no login."""
        self._task = asyncio.create_task(self._warn())

    async def check(self) -> None:
        """Make sure that there is a login; one that was there once is not looked at again.

        Raises:
            Unavailable: there is none.
            GatewayError: Codex does not tell.
        """
        if not self._is_there:
            await self.look_again()

    async def look_again(self) -> None:
        """Make sure that there is a login now; see `check`."""
        self._is_there = await self._look()
        if not self._is_there:
            raise Unavailable(WORDS, code=CODE)

    async def aclose(self) -> None:
        """End the look at the start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _warn(self) -> None:
        try:
            await self.check()
        except GatewayError as error:
            if error.code == CODE:  # the others are logged by who starts Codex
                log.warning("%s", error.message)
