"""A connection to a Codex app-server: answers find their requests, and news the thread that they are about."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Protocol, TypeVar

from wireloom_protocol import app_server_hot as hot
from wireloom_protocol import rpc

from wireloom.backends.codex.calls import THREAD_INJECT_ITEMS, THREAD_UNSUBSCRIBE, Call
from wireloom.errors import GatewayError, InvalidRequest, UpstreamError
from wireloom.translate.codex import app_server_news, server_requests
from wireloom.translate.codex.app_server_news import TOOL_CALL, News
from wireloom.wire import jsonrpc
from wireloom.wire.jsonrpc import Frame
from wireloom.wire.lenient import Lenient

R = TypeVar("R")

log = logging.getLogger("wireloom.codex")

LIMITS = rpc.ACCOUNT_RATE_LIMITS_UPDATED.method
NO_ONE = "The client of this call is gone."

_limits = Lenient(hot.AccountRateLimitsUpdatedNotification)
_refusal = Lenient(hot.JSONRPCErrorError)


class Channel(Protocol):
    """What carries messages to an app-server and back."""

    def send(self, message: bytes) -> None:
        """Send a message; it goes out as soon as it can."""
        ...

    def frames(self) -> AsyncGenerator[list[Frame], None]:
        """What each read brings, until the other side is gone."""
        ...

    async def aclose(self) -> None:
        """Let go of the other side, and end it where it was started here."""
        ...


class Inbox:
    """The news of one thread, in order."""

    def __init__(self) -> None:
        self._news: deque[News] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._error: GatewayError | None = None

    def put(self, news: News) -> None:
        """Add one."""
        self._news.append(news)
        self._rouse()

    def fail(self, error: GatewayError) -> None:
        """Nothing more comes."""
        self._error = error
        self._rouse()

    @property
    def failed(self) -> bool:
        """Whether nothing more comes."""
        return self._error is not None

    async def take(self, until: float | None) -> list[News]:
        """All there is; waits for something.

        Args:
            until: time of the loop at which waiting ends, or None.

        Raises:
            TimeoutError: there was nothing until then.
            GatewayError: the connection is gone.
        """
        if not self._news and self._error is None:
            self._wake = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout_at(until):
                    await self._wake
            finally:
                self._wake = None
        if not self._news and self._error is not None:
            raise self._error
        found = list(self._news)
        self._news.clear()
        return found

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class Connection:
    """Speaks with one app-server, for all of its threads at once.

    Args:
        channel: what carries the messages.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._ids = count(1)
        self._waiting: dict[str | int, tuple[Call[Any], asyncio.Future[Any]]] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._error: GatewayError | None = None
        self.limits: hot.RateLimitSnapshot | None = None
        """The account's windows, where the app-server told of them."""

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return self._error is None

    async def run(self) -> None:
        """Read until the other side is gone; what waits for it fails then."""
        try:
            async for frames in self._channel.frames():
                for frame in frames:
                    self._receive(frame)
        finally:
            self._fail()

    async def aclose(self) -> None:
        """Let go of the other side."""
        self._fail()
        await self._channel.aclose()

    # -- what is asked -------------------------------------------------------------------------------------------

    def ask(self, call: Call[R], params: Mapping[str, Any]) -> asyncio.Future[R]:
        """Send a request.

        Args:
            call: the method.
            params: JSON, checked against the contract.

        Returns:
            The result to come, None where it is not read; fails with a `GatewayError`.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if self._error is not None:
            future.set_exception(self._error)
            return future
        checked = call.checked(params)
        request_id = next(self._ids)
        self._waiting[request_id] = call, future
        self._channel.send(jsonrpc.request(request_id, call.method, checked))
        return future

    def tell(self, call: Call[Any], params: Mapping[str, Any]) -> None:
        """Send a request whose answer does not matter."""
        future = self.ask(call, params)
        future.add_done_callback(_quietly)

    def greet(self) -> None:
        """Say that the handshake is over."""
        self._channel.send(jsonrpc.notification(rpc.INITIALIZED.method))

    def answer(self, request_id: str | int, value: Mapping[str, Any]) -> None:
        """Answer a call of a client's tool."""
        row = rpc.ITEM_TOOL_CALL
        checked = row.dump_result(row.read_result(dict(value)))
        self._channel.send(jsonrpc.result(request_id, checked))

    def inbox(self, thread_id: str) -> Inbox:
        """Where the news of a thread goes from now on."""
        box = self._inboxes[thread_id] = Inbox()
        if self._error is not None:
            box.fail(self._error)
        return box

    def drop(self, thread_id: str) -> None:
        """Let a thread go: its news is not kept any more, and the app-server may forget it."""
        self._inboxes.pop(thread_id, None)
        if self.alive:
            self.tell(THREAD_UNSUBSCRIBE, {"threadId": thread_id})

    # -- what comes ----------------------------------------------------------------------------------------------

    def _receive(self, frame: Frame) -> None:
        method = frame.method
        if method is None:
            self._settle(frame)
            return
        if method == LIMITS:
            self._limit(frame)
            return
        news = app_server_news.read(frame)
        box = None if news.params is None else self._inboxes.get(news.params.threadId or "")
        if news.id is not None and (method != TOOL_CALL.method or box is None):
            self._refuse(news.id, method)
        elif box is not None:
            box.put(news)

    def _limit(self, frame: Frame) -> None:
        """The windows of the account have changed."""
        misfits: list[str] = []
        updated = _limits.read(frame.params, misfits)
        _report(LIMITS, misfits)
        self.limits = None if updated is None else updated.rateLimits

    def _settle(self, frame: Frame) -> None:
        asked = None if frame.id is None else self._waiting.pop(frame.id, None)
        if asked is None or asked[1].done():
            return
        call, future = asked
        if frame.error is not None:
            future.set_exception(_refused(call.method, frame.error))
            return
        if call.reader is None:
            future.set_result(None)
            return
        misfits: list[str] = []
        result = call.reader.read(frame.result, misfits)
        _report(call.method, misfits)
        if result is None:
            future.set_exception(no_answer(call))
        else:
            future.set_result(result)

    def _refuse(self, request_id: str | int, method: str) -> None:
        said = server_requests.answer(method, time.time())
        log.info("codex asked %s: %s", method, "refused" if said is None else "answered")
        if said is None:
            self._channel.send(jsonrpc.refusal(request_id, NO_ONE))
        else:
            self._channel.send(jsonrpc.result(request_id, said))

    def _fail(self) -> None:
        if self._error is not None:
            return
        self._error = UpstreamError("Codex has gone in the middle of its work.", code="upstream_incomplete")
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(self._error)
                future.add_done_callback(_quietly)
        self._waiting.clear()
        for box in self._inboxes.values():
            box.fail(self._error)


def _quietly(future: asyncio.Future[Any]) -> None:
    """Look at what became of a request, so that nobody is told that nobody did."""
    with suppress(asyncio.CancelledError):
        future.exception()


def _report(method: str, misfits: list[str]) -> None:
    """Log the values of other types than the contract's, which were dropped."""
    for misfit in misfits:
        log.warning("codex sent %s with a value of another type: %s", method, misfit)


def no_answer(call: Call[Any]) -> UpstreamError:
    """The error for a result that is no object, or has no id."""
    message = f"Codex answered {call.method} with something that is no answer to it."
    return UpstreamError(message, code="upstream_invalid")


def _refused(method: str, error: object) -> GatewayError:
    """A refusal; all of them have one code, so the words are all there is."""
    refusal = _refusal.convert(error, [])
    message = f"Codex refused {method}: {str(refusal and refusal.message)[:500]}"
    if method == THREAD_INJECT_ITEMS.method:
        return InvalidRequest(message, param="input", code="unsupported_content")
    return UpstreamError(message)
