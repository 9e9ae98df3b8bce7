"""The HTTP transport against scripted servers: bytes in, bytes out, on both event loops."""

import asyncio
import gc
import inspect
import itertools
import os
import socket
import ssl
import stat
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from wireloom.backends import http_transport
from wireloom.backends.http_transport import Transport

SCENARIO_SECONDS = 10.0
SEEN_SECONDS = 0.25
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Script = Callable[[Reader, Writer], Awaitable[None]]


def sockets() -> int:
    """How many sockets this process holds."""
    count = 0
    for number in os.listdir("/dev/fd"):
        with suppress(OSError):  # the listing's own descriptor is closed by now
            count += stat.S_ISSOCK(os.fstat(int(number)).st_mode)
    return count


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that no event tells of."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on each kind of loop, in bounded time, leaving no socket and no stray error."""

    def run(loop_factory: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any) -> None:
        strays: list[dict[str, Any]] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: strays.append(context))
            before = sockets()
            async with asyncio.timeout(SCENARIO_SECONDS):
                await test(**fixtures)
                await until(lambda: sockets() <= before)

        gc.freeze()  # what is older than the test need not be searched for strays
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(bounded())
        gc.collect()
        gc.unfreeze()
        assert strays == []

    for name in ("__name__", "__qualname__", "__doc__"):
        setattr(run, name, getattr(test, name))
    added = inspect.Parameter("loop_factory", inspect.Parameter.KEYWORD_ONLY)
    parameters = [*inspect.signature(test).parameters.values(), added]
    vars(run)["__signature__"] = inspect.Signature(parameters)
    each: Callable[..., None] = pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS.keys())(run)
    return each


class Server:
    """A scripted server: counts its connections and the requests each script reads."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None) -> None:
        self.connections = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._script = script
        self._place = "https://localhost" if tls else "http://127.0.0.1"

    @property
    def url(self) -> str:
        return f"{self._place}:{self.port}/v1?q=1"

    def connected(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self.tasks.add(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        try:
            await self._script(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve on a free loopback port; a script that fails, or does not end, fails the test."""
    server = Server(script, tls)
    listener = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=tls, backlog=256)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        late: set[asyncio.Task[None]] = set()
        if server.tasks:
            _, late = await asyncio.wait(server.tasks, timeout=1.0)
        for task in late:
            task.cancel()
        results = await asyncio.gather(*server.tasks, return_exceptions=True)
    assert results == [None] * server.connections


@asynccontextmanager
async def exchange(script: Script, **options: Any) -> AsyncIterator[tuple[Transport, Server]]:
    """A transport and the server it talks to."""
    async with serving(script) as server:
        transport = Transport(**options)
        try:
            yield transport, server
        finally:
            await transport.aclose()


async def received(reader: Reader) -> bytes:
    """One request with its body, or b"" when the client hung up instead."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            return head + await reader.readuntil(b"0\r\n\r\n")
        _, _, length = head.lower().partition(b"content-length: ")
        return head + (await reader.readexactly(int(length.split(b"\r\n")[0])) if length else b"")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def gone(reader: Reader) -> None:
    """Wait for the client to hang up."""
    with suppress(ConnectionError):
        while await reader.read(65536):
            pass


def replying(*replies: bytes, then_close: bool = False) -> Script:
    """Answer the requests of each connection in turn, then wait for the client to hang up."""

    async def script(reader: Reader, writer: Writer) -> None:
        for reply in replies:
            if await received(reader):
                writer.write(reply)
        if not then_close:
            await gone(reader)

    return script


def request(server: Server, method: str = "POST", **options: Any) -> httpx.Request:
    """A request as a client would build it; `timeout` gives the limits in seconds."""
    extensions = {"timeout": options.pop("timeout", {})}
    return httpx.Request(method, server.url, extensions=extensions, **options)


async def fetch(transport: Transport, sent: httpx.Request) -> tuple[httpx.Response, list[bytes]]:
    """Send a request and read its reply to the end."""
    response = await transport.handle_async_request(sent)
    return response, [item async for item in body(response)]


def body(response: httpx.Response) -> http_transport._Exchange:
    assert isinstance(response.stream, http_transport._Exchange)
    return response.stream


def reset(writer: Writer) -> None:
    """Close so that the peer sees a reset instead of an end."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def parts(*items: bytes) -> AsyncIterator[bytes]:
    for item in items:
        yield item


# What goes out


@on_both_loops
async def test_a_request_leaves_in_one_piece() -> None:
    seen: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        seen.append(await reader.read(65536))
        writer.write(OK)
        await received(reader)

    async with exchange(script) as (transport, server):
        headers = [("X-Twice", "1"), ("x-twice", "2"), ("Host", "example.test")]
        response, items = await fetch(transport, request(server, headers=headers, content=b"hello"))
        (connection,) = transport._open
        raw = connection.socket.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert seen == [
        b"POST /v1?q=1 HTTP/1.1\r\nX-Twice: 1\r\nx-twice: 2\r\nHost: example.test\r\n"
        b"Content-Length: 5\r\n\r\nhello"
    ]
    assert (response.status_code, items) == (200, [b"ok"])


@pytest.mark.parametrize(
    ("headers", "streamed", "framed"),
    [
        ({}, True, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        ({"content-length": "5"}, True, b"abcde"),
        ({"transfer-encoding": "chunked"}, False, b"5\r\nabcde\r\n0\r\n\r\n"),
    ],
)
@on_both_loops
async def test_a_body_is_framed_as_announced(headers: dict[str, str], streamed: bool, framed: bytes) -> None:
    seen: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        for _ in range(2):
            seen.append(await received(reader))
            writer.write(OK)
        await received(reader)

    async with exchange(script) as (transport, server):
        content = (
            {"content": parts(b"abc", b"", b"de")} if streamed else {"stream": httpx.ByteStream(b"abcde")}
        )
        await fetch(transport, request(server, headers=headers, **content))
        await fetch(transport, request(server, "GET"))
    assert server.connections == 1
    assert seen[0].endswith(b"\r\n\r\n" + framed)
    assert seen[1].startswith(b"GET ")


@pytest.mark.parametrize(
    ("method", "headers", "streamed"),
    [
        ("POST", {"content-length": "2"}, True),
        ("POST", {"content-length": "4"}, True),
        ("POST", {"content-length": "4"}, False),
        ("POST", {"content-length": "x"}, False),
        ("POST", {"content-length": "3", "transfer-encoding": "chunked"}, False),
        ("POST", {"transfer-encoding": "gzip"}, False),
        ("POST", {"x-a": "b\r\nx-c: d"}, False),
        ("POST", {"x-a": "b\nc"}, False),
        ("POST", {"x-a": "b\0"}, False),
        ("POST", {"x a": "b"}, False),
        ("POST", {"": "b"}, False),
        ("GET /\r\n", {}, False),
        ("G\u00c9T", {}, False),
    ],
)
async def test_a_malformed_request_is_refused(method: str, headers: dict[str, str], streamed: bool) -> None:
    async with exchange(replying()) as (transport, server):
        content = parts(b"abc") if streamed else b"abc"
        sent = request(server, method, headers=headers, content=content)
        with pytest.raises(httpx.LocalProtocolError) as failure:
            await fetch(transport, sent)
        assert failure.value.request is sent
        assert server.connections == streamed


async def test_a_synchronous_stream_is_refused() -> None:
    async with exchange(replying()) as (transport, server):
        with pytest.raises(RuntimeError, match="synchronous"):
            await transport.handle_async_request(request(server, content=iter([b"abc"])))


@on_both_loops
async def test_a_refusal_ends_a_streamed_body() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await gone(reader)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)
            await asyncio.sleep(0)

    async with exchange(script) as (transport, server):
        response, items = await fetch(transport, request(server, content=endless()))
        assert not transport._idle
    assert (response.status_code, items) == (413, [b"no"])


# What comes in


BODIES = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
    "chunks": CHUNKED + b"4\r\n0123\r\n6;a=b\r\n456789\r\n0\r\n\r\n",
    "trailer": CHUNKED + b"A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
    "close": b"HTTP/1.1 200 OK\r\n\r\n0123456789",
    "old": b"HTTP/1.0 200 OK\r\n\r\n0123456789",
    "early": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
}


@pytest.mark.parametrize("reply", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("at_once", [True, False], ids=["whole", "bytewise"])
@on_both_loops
async def test_bodies_arrive_however_they_are_framed_and_cut(reply: bytes, at_once: bool) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        for start in range(0, len(reply), len(reply) if at_once else 1):
            writer.write(reply[start:] if at_once else reply[start : start + 1])
            await asyncio.sleep(0)

    async with exchange(script) as (transport, server):
        response, items = await fetch(transport, request(server))
    assert response.status_code == 200
    assert b"".join(items) == b"0123456789"
    assert (len(items) == 1) is at_once
    assert not {"x-sum", "link"} & set(response.headers)
    version = b"HTTP/1.0" if reply.startswith(b"HTTP/1.0") else b"HTTP/1.1"
    assert response.extensions == {"http_version": version, "reason_phrase": b"OK"}


@on_both_loops
async def test_headers_are_kept_as_sent() -> None:
    head = b"HTTP/1.1 299\r\nSet-Cookie: a=1 \r\nset-cookie:b=2\r\nX-Empty:\r\nX-Raw: \xe9\r\n"
    async with exchange(replying(head + b"Content-Length: 0\r\n\r\n")) as (transport, server):
        response, items = await fetch(transport, request(server))
    assert (response.status_code, items) == (299, [])
    assert response.headers.raw == [
        (b"Set-Cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"X-Empty", b""),
        (b"X-Raw", b"\xe9"),
        (b"Content-Length", b"0"),
    ]


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"),
    ],
)
@on_both_loops
async def test_a_reply_without_a_body_leaves_the_connection_usable(method: str, reply: bytes) -> None:
    async with exchange(replying(reply, OK)) as (transport, server):
        assert (await fetch(transport, request(server, method)))[1] == []
        assert (await fetch(transport, request(server)))[1] == [b"ok"]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("method", "reply", "items"),
    [
        ("HEAD", OK, []),
        ("GET", OK + OK, [b"ok"]),
        ("GET", OK + b"?", [b"ok"]),
        ("GET", OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), [b"ok"]),
        ("GET", OK.replace(b"1.1", b"1.0"), [b"ok"]),
        ("GET", b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", []),
    ],
)
@on_both_loops
async def test_a_doubtful_connection_is_not_used_again(method: str, reply: bytes, items: list[bytes]) -> None:
    async with exchange(replying(reply)) as (transport, server):
        assert (await fetch(transport, request(server, method)))[1] == items
        assert not transport._idle
        assert (await fetch(transport, request(server, method)))[1] == items
    assert server.connections == 2


@on_both_loops
async def test_each_read_is_one_item_and_waiting_reads_are_joined() -> None:
    turn = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(CHUNKED)
        for items in (b"ab", b"cd"):
            await turn.wait()
            turn.clear()
            writer.write(b"".join(b"1\r\n%c\r\n" % item for item in items))
        for item in b"efg":
            await asyncio.sleep(0.02)
            writer.write(b"1\r\n%c\r\n" % item)
        await asyncio.sleep(0.02)
        turn.set()
        await received(reader)

    async with exchange(script) as (transport, server):
        stream = body(await transport.handle_async_request(request(server)))
        for expected in (b"ab", b"cd"):
            turn.set()
            assert await anext(stream) == expected
        turn.clear()
        await turn.wait()
        assert await anext(stream) == b"efg"
        await stream.aclose()


@on_both_loops
async def test_a_read_that_is_given_up_can_be_taken_up_again() -> None:
    go = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(CHUNKED)
        await go.wait()
        writer.write(b"2\r\nok\r\n0\r\n\r\n")
        await received(reader)

    async with exchange(script) as (transport, server):
        stream = body(await transport.handle_async_request(request(server)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.02)
        go.set()
        assert [item async for item in stream] == [b"ok"]


@on_both_loops
async def test_a_slow_consumer_holds_the_server_back() -> None:
    size = 64 * 2**20
    held: list[int] = []

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        writer.write(bytes(size))
        await asyncio.sleep(0.2)
        held.append(writer.transport.get_write_buffer_size())
        await received(reader)

    async with exchange(script) as (transport, server):
        stream = body(await transport.handle_async_request(request(server)))
        await asyncio.sleep(0.3)
        assert 0 < stream.buffered <= 1_048_576
        assert sum([len(item) async for item in stream]) == size
    assert held[0] > size // 2


# What goes wrong


BROKEN = {
    "garbage": (b"SSH-2.0-OpenSSH\r\n\r\n", "Expected HTTP/"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "Invalid status code"),
    "low status": (b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", "interim response 99"),
    "version": (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP version 2.0"),
    "upgrade": (b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "interim response 101"),
    "early body": (b"HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\nok" + OK, "interim response 103"),
    "length, chunks": (CHUNKED[:-2] + b"Content-Length: 2\r\n\r\n2\r\nok\r\n", "present with"),
    "chunks, length": (OK[:-6] + b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "present with"),
    "two lengths": (OK[:-6] + b"\r\nContent-Length: 3\r\n\r\nok", "Duplicate Content-Length"),
    "coding": (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"2\r\nok\r\n", "unknown or an ambiguous way"),
    "no reply": (b"", "without a response"),
    "cut head": (b"HTTP/1.1 200 OK\r\nContent-", "incomplete head"),
    "only early": (b"HTTP/1.1 100 Continue\r\n\r\n", "incomplete head"),
    "large header": (OK[:-6] + b"\r\nX-Big: " + b"x" * 70000 + b"\r\n\r\nok", "headers are too large"),
    "many headers": (OK[:-6] + b"\r\nX-Many: x" * 7000 + b"\r\n\r\nok", "headers are too large"),
}
BROKEN_BODIES = {
    "cut length": (LONG + b"ok", "incomplete"),
    "cut chunk": (CHUNKED + b"5\r\nok", "incomplete"),
    "cut between chunks": (CHUNKED + b"2\r\nok\r\n", "incomplete"),
    "more than said": (CHUNKED + b"2\r\nokay\r\n0\r\n\r\n", "after chunk data"),
    "less than said": (CHUNKED + b"4\r\nok\r\n0\r\n\r\n", "after chunk data"),
    "no size": (CHUNKED + b"2\r\nok\r\n-1\r\n", "chunk size"),
    "huge size": (CHUNKED + b"2\r\nok\r\nffffffffffffffffff\r\n", "[Cc]hunk size"),
    "large trailer": (CHUNKED + b"2\r\nok\r\n0\r\nX-Big: " + b"x" * 70000 + b"\r\n\r\n", "too large"),
}
FLOODS = {
    "header": (b"HTTP/1.1 200 OK\r\nX-Big: ", b"x"),
    "early": (b"", b"HTTP/1.1 103 Early\r\n\r\n"),
    "trailer": (CHUNKED + b"2\r\nok\r\n0\r\nX-Big: ", b"x"),
    "extension": (CHUNKED + b"2\r\nok\r\n5;", b"x"),
}


@pytest.mark.parametrize(("reply", "message"), BROKEN.values(), ids=BROKEN.keys())
@on_both_loops
async def test_a_broken_head_is_a_protocol_error(reply: bytes, message: str) -> None:
    async with exchange(replying(reply, then_close=True)) as (transport, server):
        sent = request(server)
        with pytest.raises(httpx.RemoteProtocolError, match=message) as failure:
            await transport.handle_async_request(sent)
    assert failure.value.request is sent
    assert server.connections == 1


@pytest.mark.parametrize(("reply", "message"), BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
@on_both_loops
async def test_a_broken_body_is_a_protocol_error_after_its_sound_part(reply: bytes, message: str) -> None:
    async with exchange(replying(reply, then_close=True)) as (transport, server):
        sent = request(server)
        stream = body(await transport.handle_async_request(sent))
        assert (await anext(stream)).startswith(b"ok")
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError, match=message) as failure:
                await anext(stream)
            assert failure.value.request is sent


@pytest.mark.parametrize(("reply", "more"), FLOODS.values(), ids=FLOODS.keys())
@on_both_loops
async def test_framing_without_content_is_bounded(reply: bytes, more: bytes) -> None:
    sent: list[int] = []

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(reply)
        with suppress(ConnectionError):
            for _ in range(1000):
                writer.write(more * (16384 // len(more)))
                await writer.drain()
                sent.append(1)
                await asyncio.sleep(0)

    async with exchange(script) as (transport, server):
        with pytest.raises(httpx.RemoteProtocolError, match=r"too many bytes|too large"):
            await fetch(transport, request(server))
    assert len(sent) < 900


@on_both_loops
async def test_a_reset_is_a_read_error_after_what_had_arrived() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(LONG + b"ok")
        await asyncio.sleep(0.05)
        reset(writer)

    async with exchange(script) as (transport, server):
        stream = body(await transport.handle_async_request(request(server)))
        await asyncio.sleep(0.1)
        assert await anext(stream) == b"ok"
        with pytest.raises(httpx.ReadError) as failure:
            await anext(stream)
    assert isinstance(failure.value.__cause__, ConnectionResetError)


@on_both_loops
async def test_a_closed_port_is_a_connect_error() -> None:
    async with exchange(replying()) as (_, server):
        pass
    sent = request(server)
    with pytest.raises(httpx.ConnectError) as failure:
        await Transport().handle_async_request(sent)
    assert failure.value.request is sent


@pytest.mark.parametrize("url", ["ftp://localhost/", "//localhost/", "http:///v1"])
async def test_another_scheme_is_refused(url: str) -> None:
    sent = httpx.Request("GET", url)
    with pytest.raises(httpx.UnsupportedProtocol) as failure:
        await Transport().handle_async_request(sent)
    assert failure.value.request is sent


# Time limits


async def silent(reader: Reader, writer: Writer) -> None:
    """Take whatever comes and say nothing."""
    await gone(reader)


@on_both_loops
async def test_a_handshake_that_is_not_answered_is_a_connect_timeout() -> None:
    async with exchange(silent) as (transport, server):
        sent = request(server, timeout={"connect": 0.1})
        sent.url = sent.url.copy_with(scheme="https")
        with pytest.raises(httpx.ConnectTimeout) as failure:
            await transport.handle_async_request(sent)
    assert failure.value.request is sent


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", CHUNKED, LONG + b"ok"])
@on_both_loops
async def test_silence_is_a_read_timeout(reply: bytes) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(reply)
        await gone(reader)

    async with exchange(script) as (transport, server):
        sent = request(server, timeout={"read": 0.15, "write": 0.05})
        begun = time.monotonic()
        with pytest.raises(httpx.ReadTimeout) as failure:
            await fetch(transport, sent)
        assert 0.14 <= time.monotonic() - begun < 0.15 + SEEN_SECONDS
    assert failure.value.request is sent


@on_both_loops
async def test_a_trickle_is_no_silence_and_costs_no_timer_per_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n012345678"

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        for start in range(0, len(reply), 2):
            writer.write(reply[start : start + 2])
            await asyncio.sleep(0.02)
        await gone(reader)

    async with exchange(script) as (transport, server):
        armed: list[float] = []
        watch = http_transport._Connection._watch

        def counted(connection: http_transport._Connection, due: float) -> None:
            armed.append(due)
            watch(connection, due)

        monkeypatch.setattr(http_transport._Connection, "_watch", counted)
        begun = time.monotonic()
        _, items = await fetch(transport, request(server, timeout={"read": 0.15}))
        assert time.monotonic() - begun > 0.3
    assert b"".join(items) == b"012345678"
    assert len(armed) <= 5


@on_both_loops
async def test_the_limits_of_a_request_hold_on_a_reused_connection() -> None:
    async with exchange(replying(OK)) as (transport, server):
        await fetch(transport, request(server, timeout={"read": 60.0, "write": 60.0}))
        begun = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            await fetch(transport, request(server, timeout={"read": 0.1}))
        assert time.monotonic() - begun < 0.1 + SEEN_SECONDS
    assert server.connections == 1


@on_both_loops
async def test_a_consumer_that_takes_its_time_is_not_the_servers_silence() -> None:
    size = 4 * 2**20

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        writer.write(bytes(size))
        await gone(reader)

    async with exchange(script) as (transport, server):
        stream = body(await transport.handle_async_request(request(server, timeout={"read": 0.1})))
        await asyncio.sleep(0.35)
        assert sum([len(item) async for item in stream]) == size


@pytest.mark.parametrize("streamed", [True, False])
@on_both_loops
async def test_a_server_that_stops_taking_the_body_is_a_write_timeout(streamed: bool) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(0.5)
        await gone(reader)

    async with exchange(script) as (transport, server):
        block = bytes(16 * 2**20)
        content = parts(block, block) if streamed else block
        sent = request(server, content=content, timeout={"read": 5.0, "write": 0.15})
        begun = time.monotonic()
        with pytest.raises(httpx.WriteTimeout) as failure:
            await transport.handle_async_request(sent)
        assert time.monotonic() - begun < 0.3 + SEEN_SECONDS
    assert failure.value.request is sent


@on_both_loops
async def test_a_body_that_is_taken_slowly_is_no_write_timeout() -> None:
    size = 12 * 2**20

    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            left -= len(await reader.readexactly(min(left, 2**20)))
            await asyncio.sleep(0.05)
        writer.write(OK)
        await gone(reader)

    async with exchange(script) as (transport, server):
        sent = request(server, content=bytes(size), timeout={"write": 0.2})
        begun = time.monotonic()
        assert (await fetch(transport, sent))[1] == [b"ok"]
        assert time.monotonic() - begun > 0.4


# Connections


@on_both_loops
async def test_the_connection_used_last_is_used_next() -> None:
    served: list[int] = []
    numbers = itertools.count(1)
    both = asyncio.Barrier(2)

    async def script(reader: Reader, writer: Writer) -> None:
        number = next(numbers)
        while await received(reader):
            if len(served) < 2:
                await both.wait()
                await asyncio.sleep(0.05 * number)
            served.append(number)
            writer.write(OK)

    async with exchange(script) as (transport, server):
        await asyncio.gather(*[fetch(transport, request(server)) for _ in range(2)])
        for _ in range(3):
            await fetch(transport, request(server))
    assert served == [1, 2, 2, 2, 2]


@on_both_loops
async def test_as_many_requests_run_at_once_as_are_asked_for() -> None:
    everyone = asyncio.Barrier(200)

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        await everyone.wait()
        writer.write(OK)
        await gone(reader)

    async with exchange(script, max_idle=3) as (transport, server):
        await asyncio.gather(*[fetch(transport, request(server)) for _ in range(200)])
        await asyncio.sleep(0)
        assert sum(map(len, transport._idle.values())) == 3


@on_both_loops
async def test_unused_connections_are_closed_in_time() -> None:
    closed: list[float] = []

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(OK)
        await gone(reader)
        closed.append(time.monotonic())

    async with exchange(script, idle_seconds=0.2) as (transport, server):
        first, second = request(server), request(server)
        second.url = second.url.copy_with(host="localhost")
        begun = time.monotonic()
        await fetch(transport, first)
        await asyncio.sleep(0.1)
        await fetch(transport, second)
        await until(lambda: len(closed) == 2)
        assert not transport._open
        assert not transport._idle
    assert 0.19 <= closed[0] - begun < 0.2 + SEEN_SECONDS
    assert 0.19 <= closed[1] - begun - 0.1 < 0.2 + SEEN_SECONDS


@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
@on_both_loops
async def test_a_connection_the_server_closes_or_talks_on_is_dropped(last_words: bytes) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(OK)
        await asyncio.sleep(0.02)
        if last_words:
            writer.write(last_words)
            await gone(reader)

    async with exchange(script) as (transport, server):
        for expected in (1, 2):
            await fetch(transport, request(server, content=parts(b"not repeatable")))
            await asyncio.sleep(0.1)
            assert server.connections == expected
            assert not transport._open


def hanging_up(seen: list[bytes], ending: Callable[[Writer], None], answers: int) -> Script:
    """Answer one request on each of the first `answers` connections; hang up on every other request."""
    numbers = itertools.count(1)

    async def script(reader: Reader, writer: Writer) -> None:
        number = next(numbers)
        seen.append(await received(reader))
        if number <= answers:
            writer.write(OK)
            seen.append(await received(reader))
        ending(writer)

    return script


@pytest.mark.parametrize("ending", [Writer.close, reset])
@on_both_loops
async def test_a_request_that_met_a_dead_connection_is_sent_again(ending: Callable[[Writer], None]) -> None:
    seen: list[bytes] = []
    async with exchange(hanging_up(seen, ending, answers=2)) as (transport, server):
        await fetch(transport, request(server, content=b"1"))
        _, items = await fetch(transport, request(server, content=b"2"))
    assert items == [b"ok"]
    assert server.connections == 2
    assert seen[1] == seen[2]
    assert seen[1].endswith(b"2")


@on_both_loops
async def test_a_request_is_sent_again_only_once() -> None:
    seen: list[bytes] = []
    async with exchange(hanging_up(seen, Writer.close, answers=1)) as (transport, server):
        await fetch(transport, request(server))
        with pytest.raises(httpx.RemoteProtocolError, match=r"without a response|incomplete head"):
            await fetch(transport, request(server))
    assert server.connections == 2


@pytest.mark.parametrize("reason", ["stream", "answered", "late"])
@on_both_loops
async def test_a_request_that_may_have_been_acted_on_is_not_sent_again(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(OK)
        await received(reader)
        if reason == "answered":
            writer.write(b"H")
        if reason == "late":
            await asyncio.sleep(0.1)

    monkeypatch.setattr(http_transport, "_STALE_SECONDS", 0.05)
    async with exchange(script) as (transport, server):
        await fetch(transport, request(server))
        content = parts(b"a") if reason == "stream" else b"a"
        with pytest.raises(httpx.RemoteProtocolError, match=r"without a response|incomplete head"):
            await fetch(transport, request(server, content=content))
    assert server.connections == 1


# Leaving early


class Leaving:
    """Notes when the server sees each connection close."""

    def __init__(self, reply: bytes = b"", read: bool = True) -> None:
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()
        self._reply = reply
        self._read = read

    async def script(self, reader: Reader, writer: Writer) -> None:
        if self._read:
            await received(reader)
        self.arrived.set()
        writer.write(self._reply)
        await gone(reader)
        self.left.set()

    async def seen(self) -> None:
        async with asyncio.timeout(SEEN_SECONDS):
            await self.left.wait()


@pytest.mark.parametrize("phase", ["handshake", "headers", "write", "stream", "body"])
@on_both_loops
async def test_the_server_sees_a_cancelled_request(phase: str) -> None:
    peer = Leaving(LONG + b"ok" if phase == "body" else b"", read=phase not in ("handshake", "write"))

    async def endless() -> AsyncIterator[bytes]:
        yield b"a"
        peer.arrived.set()
        await asyncio.sleep(60)

    async def reading(sent: httpx.Request) -> None:
        response = await transport.handle_async_request(sent)
        try:
            async for _ in body(response):
                pass
        finally:
            await response.aclose()

    contents: dict[str, Any] = {"write": bytes(64 * 2**20), "stream": endless()}
    async with exchange(peer.script) as (transport, server):
        sent = request(server, content=contents.get(phase, b""))
        if phase == "handshake":
            sent.url = sent.url.copy_with(scheme="https")
        task = asyncio.create_task(reading(sent))
        await peer.arrived.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await peer.seen()


@on_both_loops
async def test_closing_an_unread_response_needs_no_turn_of_the_loop() -> None:
    peer = Leaving(LONG + b"ok")
    async with exchange(peer.script) as (transport, server):
        stream = body(await transport.handle_async_request(request(server)))
        waiting = asyncio.create_task(anext(stream))
        assert await waiting == b"ok"
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(StopIteration):
            stream.aclose().send(None)
        await peer.seen()
        with pytest.raises(httpx.ReadError, match="closed before its end"):
            await waiting


@on_both_loops
async def test_a_response_that_is_all_here_keeps_its_connection() -> None:
    async with exchange(replying(OK, OK)) as (transport, server):
        for _ in range(2):
            await (await transport.handle_async_request(request(server))).aclose()
    assert server.connections == 1


@on_both_loops
async def test_closing_the_transport_closes_what_it_holds() -> None:
    connecting = Leaving(read=False)
    async with (
        serving(connecting.script) as mute,
        exchange(replying(LONG + b"ok", OK)) as (transport, server),
    ):
        stream = body(await transport.handle_async_request(request(server)))
        await fetch(transport, request(server, "HEAD"))
        sent = request(mute)
        waiting = asyncio.create_task(transport.handle_async_request(sent))
        await connecting.arrived.wait()
        await transport.aclose()
        assert not transport._open
        await connecting.seen()
        assert await anext(stream) == b"ok"
        for failing in (anext(stream), waiting):
            with pytest.raises(httpx.ReadError, match="transport was closed"):
                await failing
        with pytest.raises(httpx.ConnectError, match="transport was closed"):
            await transport.handle_async_request(sent)


# TLS, and inside a client


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-nodes",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
        timeout=10,
    )
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


class Tls:
    """A server's side of TLS, which notes the name each client asks for."""

    def __init__(self, certificate: Path) -> None:
        self.names: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.context.sni_callback = lambda _, name, __: self.names.append(name)


@on_both_loops
async def test_https_reuses_and_closes_connections(certificate: Path) -> None:
    tls = Tls(certificate)
    protocols: list[str | None] = []
    peer = Leaving(LONG + b"ok")

    async def script(reader: Reader, writer: Writer) -> None:
        protocols.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await received(reader)
        writer.write(OK)
        await peer.script(reader, writer)

    async with serving(script, tls.context) as server:
        transport = Transport(ssl_context=ssl.create_default_context(cafile=certificate))
        assert (await fetch(transport, request(server, content=b"x" * 100_000)))[1] == [b"ok"]
        stream = body(await transport.handle_async_request(request(server)))
        assert await anext(stream) == b"ok"
        await stream.aclose()
        await peer.seen()
        await transport.aclose()
    assert (server.connections, protocols, tls.names) == (1, ["http/1.1"], ["localhost"])


@pytest.mark.parametrize("fault", ["name", "issuer"])
@on_both_loops
async def test_https_checks_the_certificate(fault: str, certificate: Path) -> None:
    tls = Tls(certificate)
    async with serving(silent, tls.context) as server:
        trusted = ssl.create_default_context(cafile=certificate) if fault == "name" else None
        transport = Transport(ssl_context=trusted)
        sent = request(server)
        if fault == "name":
            sent.url = sent.url.copy_with(host="127.0.0.1")
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await transport.handle_async_request(sent)
        await transport.aclose()


@on_both_loops
async def test_https_is_retried_on_a_dead_connection(certificate: Path) -> None:
    seen: list[bytes] = []
    async with serving(hanging_up(seen, Writer.close, answers=2), Tls(certificate).context) as server:
        transport = Transport(ssl_context=ssl.create_default_context(cafile=certificate))
        for _ in range(2):
            assert (await fetch(transport, request(server)))[1] == [b"ok"]
        await transport.aclose()
    assert server.connections == 2


@on_both_loops
async def test_a_client_streams_and_does_not_follow_redirects() -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
    async with (
        serving(replying(away, OK, OK)) as server,
        httpx.AsyncClient(transport=Transport(), timeout=5.0) as client,
    ):
        assert (await client.post(server.url, json={"a": 1})).status_code == 302
        assert (await client.get(server.url)).text == "ok"
        async with client.stream("GET", server.url) as response:
            assert [item async for item in response.aiter_raw()] == [b"ok"]
    assert server.connections == 1
