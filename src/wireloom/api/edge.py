"""Between HTTP and the operations: who calls, what the body says, and the answer while the client is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response
from pydantic import TypeAdapter
from starlette.types import Message, Receive, Scope, Send
from wireloom_protocol.routes import EventStream, Reply

from wireloom.api import bodies
from wireloom.api.auth import ANONYMOUS, Keys
from wireloom.backends.base import Caller
from wireloom.errors import GatewayError, InvalidRequest
from wireloom.wire import sse

T = TypeVar("T")

log = logging.getLogger("wireloom.request")

# How long the status waits for the upstream's first byte, so that a refusal keeps its own status.
HOLD_SECONDS = 1.5
QUEUE_SECONDS = 0.25  # how often a request that is not begun is looked at again
CLIENT_GONE = 499
NEVER = 10.0**9


class HttpEdge:
    """The edge of every operation.

    Args:
        keys: who may call.
        max_body_bytes: the largest body read, also after unpacking.
        heartbeat_seconds: silence after which a stream shows that it lives, 0 for never.
        default_model: what a request without a model asks for.
    """

    def __init__(
        self, keys: Keys, *, max_body_bytes: int, heartbeat_seconds: float, default_model: str | None = None
    ) -> None:
        self._keys = keys
        self._max_body = max_body_bytes
        self._heartbeat = heartbeat_seconds or NEVER
        self._default_model = default_model

    def admit(self, request: Request, *, operation: str, secured: bool) -> Caller:
        """Tell who calls.

        Raises:
            Unauthorized: the operation needs a key and there is none that is known.
        """
        principal = self._keys.principal(request.headers) if secured else ANONYMOUS
        caller = Caller(principal, request_id(request), codex=is_codex(request))
        log.debug("%s %s by %s", caller.request_id, operation, principal)
        return caller

    async def read(self, request: Request, adapter: TypeAdapter[T]) -> T:
        """Read and validate the body once.

        Raises:
            InvalidRequest: what is wrong with it, by its path.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise InvalidRequest(
                "Send the body as content-type application/json.", param="content-type", status=415
            )
        encoding = request.headers.get("content-encoding", "")
        body = await bodies.read(request.stream(), encoding, self._max_body)
        value = bodies.parse(body)
        if self._default_model is not None and isinstance(value, dict):
            value.setdefault("model", self._default_model)
        return bodies.validate(adapter, value)

    async def write(
        self, request: Request, caller: Caller, answer: Awaitable[Reply[Any] | EventStream[Any]]
    ) -> Response:
        """Run an operation while its client is there, and write its answer.

        A client that leaves ends the operation, streamed or not: what it awaits is cancelled.

        Raises:
            GatewayError: what the operation raised, as long as its status can still be sent.
        """
        gone = asyncio.create_task(_gone(request.receive))
        try:
            result = await _unless(gone, asyncio.ensure_future(answer))
            if isinstance(result, EventStream):
                return await self._open(result, caller, gone)
            gone.cancel()
            if result is None:
                return Response(status_code=CLIENT_GONE)
            headers = {"x-request-id": caller.request_id, **result.headers}
            return Response(_json(result.body), media_type="application/json", headers=headers)
        except BaseException:
            gone.cancel()
            raise

    async def _open(self, stream: EventStream[Any], caller: Caller, gone: asyncio.Task[None]) -> Response:
        """Wait a little for the first batch: before it, a failure is still an HTTP error."""
        first = asyncio.ensure_future(anext(stream.batches))
        try:
            both: set[asyncio.Future[Any]] = {first, gone}
            while stream.queued() and not any(future.done() for future in both):
                await asyncio.wait(both, timeout=QUEUE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(both, timeout=HOLD_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _stop(first)
            raise
        if gone.done():
            await _stop(first)
            return Response(status_code=CLIENT_GONE)
        error = first.exception() if first.done() else None
        # The Codex CLI shows the body of an HTTP error as it is, and repeats most of them; a failure inside the
        # stream it reads.
        if error is not None and not (caller.codex and isinstance(error, GatewayError)):
            raise error
        return _Streaming(stream, caller, first, gone, self._heartbeat)


class _Streaming(Response):
    """Server-sent events: one write for each batch, heartbeats in silences, an end whatever happens."""

    def __init__(
        self,
        stream: EventStream[Any],
        caller: Caller,
        first: asyncio.Future[list[Any]],
        gone: asyncio.Task[None],
        heartbeat: float,
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
        self._first = first
        self._gone = gone
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._beating: asyncio.Task[None] | None = None
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the stream; see the ASGI specification."""
        task = asyncio.current_task()
        assert task is not None
        left = False

        def leave(_: asyncio.Task[None]) -> None:
            nonlocal left
            left = True
            task.cancel()

        self._send = send
        self._timer = self._loop.call_later(self._heartbeat, self._beat)
        self._gone.add_done_callback(leave)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if not self._first.done():
                await self._write(self._stream.start())
            await self._run()
            await send({"type": "http.response.body", "body": sse.DONE, "more_body": False})
        except asyncio.CancelledError:
            if not left:
                raise
            task.uncancel()  # the client left; nobody asked this task itself to stop
        finally:
            self._ended = True
            self._timer.cancel()
            self._gone.remove_done_callback(leave)
            self._gone.cancel()
            await _stop(self._first)
            await self._stream.batches.aclose()

    async def _run(self) -> None:
        try:
            await self._write(await self._first)
            async for batch in self._stream.batches:
                await self._write(batch)
        except StopAsyncIteration:
            pass
        except Exception as error:
            if not isinstance(error, GatewayError):
                log.exception("%s failed inside a stream", self._caller.request_id)
            await self._write(self._stream.fail(error))

    async def _write(self, events: list[Any]) -> None:
        if events:
            self._last = self._loop.time()
            await self._send(_body(sse.encode(events)))

    def _beat(self) -> None:
        """One timer for the whole stream, set anew only when it fires."""
        silence = self._loop.time() - self._last
        if silence >= self._heartbeat and (self._beating is None or self._beating.done()):
            self._beating = self._loop.create_task(self._show_life())
            silence = 0.0
        self._timer = self._loop.call_later(max(self._heartbeat - silence, 0.001), self._beat)

    async def _show_life(self) -> None:
        if not self._ended:
            with contextlib.suppress(OSError):  # the client has left, which the main loop learns by itself
                await self._write(self._stream.heartbeat())


def _body(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}


def _json(body: Any) -> bytes:
    if hasattr(body, "model_dump_json"):
        return body.model_dump_json(by_alias=True, exclude_unset=True).encode()  # type: ignore[no-any-return]
    return msgspec.json.encode(body)


async def _gone(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _unless(gone: asyncio.Task[None], answer: asyncio.Future[T]) -> T | None:
    """The answer, or None when the client leaves first."""
    try:
        both: set[asyncio.Future[Any]] = {answer, gone}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        await _stop(answer)


async def _stop(task: asyncio.Future[Any]) -> None:
    """Cancel what is still running and wait until it has cleaned up."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    elif not task.cancelled():
        task.exception()  # seen, so that nobody warns of it


def request_id(request: Request) -> str:
    """The gateway's own id of a request; a client's id is never used as one."""
    state = request.scope.setdefault("state", {})
    if "request_id" not in state:
        state["request_id"] = f"req_{secrets.token_hex(12)}"
    found: str = state["request_id"]
    return found


def is_codex(request: Request) -> bool:
    """Whether the Codex CLI calls."""
    originator = request.headers.get("originator", "")
    return originator.startswith("codex") or request.headers.get("user-agent", "").startswith("codex_")
