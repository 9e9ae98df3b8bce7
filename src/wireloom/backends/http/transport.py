"""An HTTP/1.1 transport for httpx on asyncio and httptools: one write per request, one wake-up per read."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Protocol, cast

import httptools
import httpx

from wireloom.backends.http import proxy
from wireloom.wire.http_reply import FRAMING, HttpReply

_HIGH_WATER = 262_144
# A connection the peer closed while it idled fails within a round trip of our write. A peer that hangs up
# later than this may have begun to act on the request, so sending it again could act twice.
_STALE_SECONDS = 1.0
_PORTS = {"http": 80, "https": 443}
_HEAD = re.compile(
    rb"""[!#$%&'*+\-.^_`|~0-9A-Za-z]+\ [!-~]+\ HTTP/1\.1\r\n
    (?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:\ [\t\ -~\x80-\xff]*+\r\n)*+\r\n""",
    re.VERBOSE,
)
_LAST_CHUNK = b"0\r\n\r\n"
# Texts of the errors for a peer that hangs up.
NO_ANSWER = "The server hung up without a response"
CUT_HEAD = "incomplete head"
CUT_BODY = "incomplete body"

_Origin = tuple[str, str, int]
_Parts = AsyncGenerator[bytes, None]


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Drop the call."""


class Clock(Protocol):
    """Measures silence and idleness. Every event loop is a clock."""

    def time(self) -> float:
        """Seconds since any fixed moment."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call back once `time()` has reached `when`."""
        ...


class Transport(httpx.AsyncBaseTransport):
    """Sends requests over kept-alive connections, as many at once as are asked for.

    ssl_context: for https; its ALPN list is set to http/1.1. None builds httpx's default at the first use.
    max_idle: unused connections kept open, over all origins.
    idle_seconds: how long an unused connection is kept.
    max_header_bytes: ceiling for the head of a reply with its trailers, and for framing without content.
    clock: counts silence and idleness; None takes the event loop of each connection.
    through: URL of an HTTP proxy through which every server is reached, or None.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_idle: int = 256,
        idle_seconds: float = 30.0,
        max_header_bytes: int = 65536,
        clock: Clock | None = None,
        through: str | None = None,
    ) -> None:
        self._proxy = through
        if ssl_context is not None:
            ssl_context.set_alpn_protocols(["http/1.1"])
        self._ssl_context = ssl_context
        self._max_idle = max_idle
        self._idle_seconds = idle_seconds
        self._max_header_bytes = max_header_bytes
        self._clock = clock
        self._idle: dict[_Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._sweeper: Timer | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return when the head of the reply is here; `response.stream` is the body.

        request: `extensions["timeout"]` may hold connect, read and write, each in seconds or None. Read and
        write limit silence, not duration. A bytes body is sent again, once, if a kept connection was gone.
        Raises the httpx.TransportError that says what failed.
        """
        url = request.url
        if url.scheme not in _PORTS or not url.host:
            raise httpx.UnsupportedProtocol(f"Not an http or https URL: {url}", request=request)
        head, parts = _serialise(request)
        origin = (url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
        kept = self._take(origin)
        if kept is not None:
            exchange = _Exchange(request, self._max_header_bytes)
            try:
                return await exchange.run(kept, head, parts)
            except httpx.TransportError:
                if not exchange.stale or parts is not None:
                    raise
        connection = await self._connect(origin, request)
        return await _Exchange(request, self._max_header_bytes).run(connection, head, parts)

    async def aclose(self) -> None:
        """Close every connection, also those in use, and return when their sockets are gone."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.close()
        if self._open:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    async def _connect(self, origin: _Origin, request: httpx.Request) -> _Connection:
        scheme, host, port = origin
        tls = self._tls() if scheme == "https" else None
        loop = asyncio.get_running_loop()
        clock = self._timing()

        def made() -> _Connection:
            return _Connection(self, origin, clock)

        try:
            async with asyncio.timeout(_limit(request, "connect")):
                if self._proxy is not None:
                    connection = await proxy.connect(self._proxy, host, port, tls, made)
                else:
                    _, connection = await loop.create_connection(made, host, port, ssl=tls)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"No connection to {host}:{port} in time", request=request) from error
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(str(error), request=request) from error
        if self._closed:
            connection.abort()
            raise httpx.ConnectError("The transport was closed", request=request)
        if not connection.lost:
            self._open.add(connection)
        return connection

    def _tls(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = httpx.create_ssl_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context

    def _timing(self) -> Clock:
        return self._clock or asyncio.get_running_loop()

    def _take(self, origin: _Origin) -> _Connection | None:
        kept = self._idle.get(origin, [])
        while kept:
            connection = kept.pop()
            if not connection.socket.is_closing():
                return connection
        return None

    def _sweep(self) -> None:
        """Close what idled too long; the oldest of each origin comes first."""
        self._sweeper = None
        clock = self._timing()
        for kept in self._idle.values():
            while kept and kept[0].last + self._idle_seconds <= clock.time():
                kept.pop(0).abort()
        self._idle = {origin: kept for origin, kept in self._idle.items() if kept}
        if self._idle:
            oldest = min(kept[0].last for kept in self._idle.values())
            self._sweeper = clock.call_at(oldest + self._idle_seconds, self._sweep)

    def keep(self, connection: _Connection) -> None:
        """Hold a connection whose exchange is over for the next request to its origin."""
        if sum(map(len, self._idle.values())) >= self._max_idle:
            connection.abort()
            return
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = self._timing().call_at(connection.last + self._idle_seconds, self._sweep)

    def forget(self, connection: _Connection) -> None:
        """Take note that a socket is gone."""
        self._open.discard(connection)
        kept = self._idle.get(connection.origin, [])
        if connection in kept:
            kept.remove(connection)
        if not self._open and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)


class _Connection(asyncio.Protocol):
    """A socket: carries one exchange at a time and measures the peer's silence."""

    socket: asyncio.Transport

    def __init__(self, pool: Transport, origin: _Origin, clock: Clock) -> None:
        self.origin = origin
        self.last = 0.0  # time of the last sign of life
        self.lost = False
        self.blocked = False
        self.time = clock.time
        self._pool = pool
        self._clock = clock
        self._exchange: _Exchange | None = None
        self._timer: Timer | None = None
        self._due = 0.0
        self._unsent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket = cast(asyncio.Transport, transport)

    def start(self, exchange: _Exchange, head: bytes) -> None:
        """Begin an exchange by writing its head, and its body if that is at hand."""
        self._exchange = exchange
        self.write(head)
        exchange.began = self.last
        if exchange.period is not None:
            self._watch(self.last + exchange.period)

    def write(self, data: bytes) -> None:
        """Queue bytes; `blocked` says that the peer does not take them."""
        self.last = self.time()
        if self.lost:
            self._end(None)
        else:
            self.socket.write(data)

    def abort(self) -> None:
        """Close the socket at once and let go of the exchange."""
        self._exchange = None
        self.socket.abort()

    def close(self) -> None:
        """Close the socket at once and fail the exchange."""
        if self._exchange is not None:
            self._exchange.fail(httpx.ReadError, "The transport was closed")
        self.socket.abort()

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:  # unasked for: nobody can tell which request it would answer
            self.socket.abort()
            return
        self.last = self.time()
        exchange.feed(data)
        if exchange.reply.complete:
            self._finish(exchange)
        elif exchange.buffered > _HIGH_WATER:
            self.socket.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
        self._pool.forget(self)
        self._end(exc)

    def pause_writing(self) -> None:
        self.blocked = True
        self._unsent = self.socket.get_write_buffer_size()

    def resume_writing(self) -> None:
        self.blocked = False
        self.last = self.time()
        if self._exchange is not None:
            self._exchange.wake()

    def _end(self, error: Exception | None) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.disconnected(self, error)

    def _finish(self, exchange: _Exchange) -> None:
        self._exchange = None
        exchange.detach()
        if exchange.reply.reusable and exchange.sent and not self.socket.get_write_buffer_size():
            self._pool.keep(self)
        else:
            self.socket.abort()

    def _watch(self, due: float) -> None:
        """Look for silence at `due` or earlier: a timer that fires too soon arms itself again."""
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._clock.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        exchange = self._exchange
        if exchange is None or exchange.period is None:
            return
        now = self.time()
        unsent, self._unsent = self._unsent, self.socket.get_write_buffer_size()
        if exchange.waiter is None or (self.blocked and self._unsent < unsent):
            self.last = now  # it is not the peer that keeps still
        limit = exchange.write_limit if self.blocked else exchange.read_limit
        if limit is not None and now - self.last >= limit:
            kind = httpx.WriteTimeout if self.blocked else httpx.ReadTimeout
            exchange.fail(kind, f"No progress for {limit} s")
        else:
            self._watch(
                now + exchange.period if limit is None else min(now + exchange.period, self.last + limit)
            )


class _Exchange(httpx.AsyncByteStream):
    """A request under way: sends it, awaits the head of the reply, then is the stream of its body."""

    def __init__(self, request: httpx.Request, max_header_bytes: int) -> None:
        self.read_limit = _limit(request, "read")
        self.write_limit = _limit(request, "write")
        limits = [limit for limit in (self.read_limit, self.write_limit) if limit is not None]
        self.period = min(limits) if limits else None
        self.reply = HttpReply(request.method == "HEAD", max_header_bytes)
        self.waiter: asyncio.Future[None] | None = None
        self.began = 0.0
        self.buffered = 0
        self.sent = False
        self.stale = False
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._connection: _Connection | None = None
        self._failure: httpx.TransportError | None = None

    async def run(self, connection: _Connection, head: bytes, parts: _Parts | None) -> httpx.Response:
        """Send the request and wait for the head; whatever ends this early closes the connection."""
        reply = self.reply
        self._connection = connection
        try:
            connection.start(self, head)
            if parts is None:
                self.sent = True
            else:
                await self._send(connection, parts)
            while not reply.status:
                await self._wait()
        except BaseException:
            self._leave()
            raise
        extensions = {"http_version": reply.version, "reason_phrase": reply.reason}
        return httpx.Response(reply.status, headers=reply.headers, stream=self, extensions=extensions)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        reply = self.reply
        while not reply.pieces:
            if reply.complete:
                raise StopAsyncIteration
            await self._wait()
        data = b"".join(reply.pieces)
        reply.pieces.clear()
        if self.buffered > _HIGH_WATER and self._connection is not None:
            self._connection.socket.resume_reading()
        self.buffered = 0
        return data

    async def aclose(self) -> None:
        """Close the connection unless the whole body has arrived; this never suspends."""
        self._leave()

    def feed(self, data: bytes) -> None:
        """Take what the socket received."""
        try:
            self.reply.feed(data)
        except httptools.HttpParserError as error:
            self.fail(httpx.RemoteProtocolError, str(error.__context__ or error))
        if self.reply.pieces:
            self.buffered += len(data)
        self.wake()

    def wake(self) -> None:
        """Let the waiting task look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def fail(self, kind: type[httpx.TransportError], message: str) -> None:
        """Close the connection and report why to whoever waits now or asks later."""
        connection = self._connection
        if connection is not None:
            self.detach()
            connection.abort()
            self._failure = kind(message, request=self._request)
            self.wake()

    def disconnected(self, connection: _Connection, error: Exception | None) -> None:
        """Take note that the peer hung up, or that the socket failed with an error."""
        self.detach()
        reply = self.reply
        self.stale = not reply.started and connection.time() - self.began < _STALE_SECONDS
        if error is not None:
            kind = httpx.WriteError if connection.blocked else httpx.ReadError
            self._failure = kind(str(error), request=self._request)
            self._failure.__cause__ = error
        elif reply.until_close:
            reply.complete = True
        else:
            cut = CUT_BODY if reply.status else CUT_HEAD
            message = cut if reply.started else NO_ANSWER
            self._failure = httpx.RemoteProtocolError(message, request=self._request)
        self.wake()

    def detach(self) -> None:
        """Part from the connection and from the parser, which refers back to the reply."""
        self._connection = None
        self.reply.release()

    def _leave(self) -> None:
        self.reply.pieces.clear()
        self.fail(httpx.ReadError, "The response was closed before its end")

    async def _send(self, connection: _Connection, parts: _Parts) -> None:
        """Write a streamed body as fast as the peer takes it; a reply that refuses it ends it early."""
        reply = self.reply
        async with aclosing(parts):
            async for part in parts:
                connection.write(part)
                while connection.blocked and not reply.refuses:
                    await self._wait()
                if reply.refuses or self._failure is not None:
                    return
        self.sent = True

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self.waiter = self._loop.create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None


def _limit(request: httpx.Request, phase: str) -> float | None:
    limit: float | None = request.extensions.get("timeout", {}).get(phase)
    return limit


def _serialise(request: httpx.Request) -> tuple[bytes, _Parts | None]:
    """The bytes to send at once, and the rest of a body which is itself a stream."""
    head, length = _head(request)
    stream = request.stream
    if not isinstance(stream, httpx.ByteStream):
        if not isinstance(stream, httpx.AsyncByteStream):
            raise RuntimeError("A synchronous request body cannot be sent by an asynchronous transport")
        return head, _framed(request, stream, length)
    body = b"".join(stream)
    if length is None:
        return head + (_chunk(body) if body else b"") + _LAST_CHUNK, None
    if len(body) != length:
        raise httpx.LocalProtocolError(f"Content-Length is {length}, the body {len(body)}", request=request)
    return head + body, None


def _head(request: httpx.Request) -> tuple[bytes, int | None]:
    """The request line and headers, and the length of the body they announce: None is chunked."""
    fields = request.headers.raw
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii", "replace"), request.url.raw_path)]
    lines += [b"%b: %b" % field for field in fields]
    head = b"\r\n".join([*lines, b"\r\n"])
    # The grammar keeps odd bytes out; the count keeps out a value that holds a well-formed line of its own.
    if not _HEAD.fullmatch(head) or head.count(b"\n") != len(lines) + 1:
        raise httpx.LocalProtocolError("The request line or a header holds forbidden bytes", request=request)
    match [(name.lower(), value) for name, value in fields if name.lower() in FRAMING]:
        case []:
            return head, 0
        case [(b"content-length", value)] if value.isdigit():
            return head, int(value)
        case [(b"transfer-encoding", value)] if value.lower() == b"chunked":
            return head, None
    raise httpx.LocalProtocolError("The body is framed in an unknown or an ambiguous way", request=request)


async def _framed(request: httpx.Request, stream: httpx.AsyncByteStream, length: int | None) -> _Parts:
    """A streamed body as it goes over the wire, held to its announced length."""
    total = 0
    async for part in stream:
        total += len(part)
        if length is not None and total > length:
            break
        if part:
            yield part if length is not None else _chunk(part)
    if length is None:
        yield _LAST_CHUNK
    elif total != length:
        raise httpx.LocalProtocolError(f"Content-Length is {length}, the body {total}", request=request)


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)
