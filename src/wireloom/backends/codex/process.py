"""The app-server that is kept running: started at once, begun anew with growing pauses when it dies."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version

from wireloom_protocol import app_server_hot as hot

from wireloom.backends.codex.calls import INITIALIZE
from wireloom.backends.codex.connection import Channel, Connection
from wireloom.errors import GatewayError, Unavailable

log = logging.getLogger("wireloom.codex")

START_SECONDS = 30.0
SHORTEST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
# An app-server that lived for so long did not die of how it was started.
STEADY_SECONDS = 10.0
CLIENT = {"name": "wireloom", "title": "wireloom", "version": version("wireloom")}
# What is told of every thread and read by nobody.
UNREAD = [
    "thread/started",
    "thread/status/changed",
    "thread/settings/updated",
    "thread/tokenUsage/updated",
    "item/reasoning/summaryPartAdded",
    "serverRequest/resolved",
    "remoteControl/status/changed",
    "configWarning",
    "warning",
]


class AppServer:
    """Keeps one app-server.

    Args:
        open_channel: starts or finds one.
        now: seconds since any fixed moment.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        open_channel: Callable[[], Awaitable[Channel]],
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open = open_channel
        self._now = now
        self._sleep = sleep
        self._live: Connection | None = None
        self._failure: GatewayError | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep it."""
        self._task = asyncio.create_task(self._keep())

    async def connection(self, seconds: float = START_SECONDS) -> Connection:
        """The connection to it, as soon as there is one.

        Args:
            seconds: longest wait for a start.

        Raises:
            GatewayError: it does not start.
        """
        try:
            async with asyncio.timeout(seconds):
                while self._live is None or not self._live.alive:
                    if self._failure is not None:
                        raise self._failure
                    await self._changed.wait()
        except TimeoutError as error:
            raise Unavailable("Codex does not start.", retry_after=1) from error
        return self._live

    @property
    def limits(self) -> hot.RateLimitSnapshot | None:
        """The windows of the account, or None as long as the app-server has sent none."""
        return None if self._live is None else self._live.limits

    async def aclose(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._tell(None, Unavailable("The gateway is not serving now.", retry_after=1))

    async def _keep(self) -> None:
        pause = SHORTEST_PAUSE
        while True:
            begun = self._now()
            try:
                await self._live_once()
            except GatewayError as error:
                log.error("codex app-server: %s", error.message)
                self._tell(None, Unavailable(error.message, code=error.code, retry_after=max(1.0, pause)))
            if self._now() - begun > STEADY_SECONDS:
                pause = SHORTEST_PAUSE
            await self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            if self._failure is not None:
                self._tell(None, None)  # there is another try, which may be waited for

    async def _live_once(self) -> None:
        """Start it and stay with it until it ends."""
        connection = Connection(await self._open())
        running = asyncio.create_task(connection.run())
        try:
            async with asyncio.timeout(START_SECONDS):
                await _shake_hands(connection)
            log.info("codex app-server is there")
            self._tell(connection, None)
            await asyncio.wait([running])
            log.warning("codex app-server has gone")
            self._tell(None, None)
        except TimeoutError as error:
            raise Unavailable("Codex does not answer its first request.") from error
        finally:
            running.cancel()
            await connection.aclose()

    def _tell(self, live: Connection | None, failure: GatewayError | None) -> None:
        self._live, self._failure = live, failure
        self._changed.set()
        self._changed = asyncio.Event()


async def _shake_hands(connection: Connection) -> None:
    capabilities = {"experimentalApi": True, "optOutNotificationMethods": UNREAD}
    await connection.ask(INITIALIZE, {"clientInfo": CLIENT, "capabilities": capabilities})
    connection.greet()
