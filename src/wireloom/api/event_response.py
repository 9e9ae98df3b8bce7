"""Server-sent events as an ASGI response: one write for each batch, heartbeats in silences, an end whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import Response
from starlette.types import Receive, Scope, Send

from wireloom.api.drain import stopping
from wireloom.api.failures import internal
from wireloom.api.presence import Presence
from wireloom.backends.base import Caller
from wireloom.errors import GatewayError
from wireloom.exchange import FIRST_EVENT
from wireloom.wire import sse
from wireloom_runtime.operations import EventStream

log = logging.getLogger("wireloom.request")

# How long the status waits for the upstream's first byte, so that a refusal keeps its own status.
HOLD_SECONDS = 1.5
# How often a request that is not begun is looked at.
LOOK_SECONDS = 0.25


class EventResponse(Response):
    """Writes one stream.

    Args:
        stream: what an operation answered.
        caller: who asked.
        presence: the watch over the client; closed at the end.
        heartbeat: seconds of silence after which the stream shows that it lives.
    """

    def __init__(
        self, stream: EventStream[Any], caller: Caller, presence: Presence, heartbeat: float
    ) -> None:
        super().__init__(
            media_type="text/event-stream",
            headers={
                "x-request-id": caller.request_id,
                "cache-control": "no-cache",
                "x-accel-buffering": "no",
                **stream.headers,
            },
        )
        del self.headers["content-length"]
        self._stream = stream
        self._caller = caller
        self._presence = presence
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()  # of the last write; before the first, of the last sight in the queue
        self._started = False
        self._ended = False
        self._living: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the stream; see the ASGI specification.

        Raises:
            GatewayError: a failure that comes early enough to be an HTTP error.
        """
        self._send = send
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        try:
            await self._run()
            await self._begin()
            await send({"type": "http.response.body", "body": sse.DONE_EVENT, "more_body": False})
        except asyncio.CancelledError:
            if not self._presence.left():
                raise
            self._caller.exchange.left = True
        finally:
            self._ended = True
            self._timer.cancel()
            self._presence.close()
            await self._stream.batches.aclose()

    async def _run(self) -> None:
        try:
            async for batch in self._stream.batches:
                await self._write(batch)
        except asyncio.CancelledError:
            if not self._presence.stopped():
                raise
            await self._fail(stopping())
        except Exception as error:  # noqa: BLE001 - once the status is out, the stream has to end in words
            await self._fail(error)

    async def _fail(self, error: Exception) -> None:
        known = isinstance(error, GatewayError)
        # The Codex CLI shows the body of an HTTP error unread and repeats most of them; a failure inside the
        # stream it understands.
        if not self._started and not (self._caller.codex and known):
            raise error
        if not known:
            log.error("%s failed inside a stream", self._caller.request_id, exc_info=error)
        self._caller.exchange.failed(error if isinstance(error, GatewayError) else internal())
        await self._write(self._stream.fail(error))

    async def _write(self, events: Sequence[Any]) -> None:
        if events:
            if not self._started:
                await self._begin()
            self._last = self._loop.time()
            self._caller.exchange.spoken()
            await self._send({"type": "http.response.body", "body": sse.encode(events), "more_body": True})

    async def _begin(self) -> None:
        if not self._started:
            self._started = True
            self._caller.exchange.mark(FIRST_EVENT)
            # Not before: who answers is known when the first of several backends does.
            self.headers.update(self._caller.exchange.headers(begun=True))
            await self._send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    def _look(self) -> None:
        """One timer for the whole stream, set anew only when it fires."""
        now = self._loop.time()
        if not self._started and self._stream.queued():
            self._last = now
        due = self._heartbeat if self._started else HOLD_SECONDS
        left = self._last + due - now
        if left <= 0 and (self._living is None or self._living.done()):
            self._living = self._loop.create_task(self._show_life())
            left = self._heartbeat
        if not self._started:
            left = min(left, LOOK_SECONDS)
        self._timer = self._loop.call_later(max(left, 0.001), self._look)

    async def _show_life(self) -> None:
        if not self._ended:
            with contextlib.suppress(OSError):  # the client has left, which the main loop learns by itself
                await self._write(self._stream.heartbeat() if self._started else self._stream.start())
