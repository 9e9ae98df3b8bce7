"""The HTTP transport against scripted servers: bytes in, bytes out, on both event loops."""

import asyncio
import functools
import gc
import inspect
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


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on each kind of loop, in bounded time, leaving no socket and no stray error."""

    @pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS.keys())
    def run(loop_factory: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any) -> None:
        strays: list[dict[str, Any]] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: strays.append(context))
            before = sockets()
            async with asyncio.timeout(SCENARIO_SECONDS):
                await test(**fixtures)
                while sockets() > before:
                    await asyncio.sleep(0.01)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(bounded())
        gc.collect()
        assert strays == []

    functools.update_wrapper(run, test)
    del run.__wrapped__  # type: ignore[attr-defined]
    added = inspect.Parameter("loop_factory", inspect.Parameter.KEYWORD_ONLY)
    parameters = [*inspect.signature(test).parameters.values(), added]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


class Server:
    """A scripted server: counts its connections and the requests each script reads."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None) -> None:
        self.connections = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._script = script
        self._scheme = "https" if tls else "http"

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self.port}/v1?q=1"

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
    listener = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        late = set()
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


def replying(*replies: bytes, then_close: bool = False) -> Script:
    """Answer the requests of each connection in turn, then wait for the client to hang up."""

    async def script(reader: Reader, writer: Writer) -> None:
        for reply in replies:
            if await received(reader):
                writer.write(reply)
        if not then_close:
            await received(reader)

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


async def reset(writer: Writer) -> None:
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
        content = parts(b"abc", b"", b"de") if streamed else b"abcde"
        await fetch(transport, request(server, headers=headers, content=content))
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
        await received(reader)

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
    "garbage": b"SSH-2.0-OpenSSH\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "low status": b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
    "unknown version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "early body": b"HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\nok" + OK,
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    "chunks and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n",
    "no reply": b"",
    "cut head": b"HTTP/1.1 200 OK\r\nContent-",
    "only early": b"HTTP/1.1 100 Continue\r\n\r\n",
    "large header": b"HTTP/1.1 200 OK\r\nX-Big: %b\r\nContent-Length: 0\r\n\r\n" % bytes(70000).replace(b"\0", b"x"),
    "endless header": b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 70000,
    "many early": b"HTTP/1.1 103 Early\r\n\r\n" * 4000,
}
BROKEN_BODIES = {
    "cut length": LONG + b"ok",
    "cut chunk": CHUNKED + b"5\r\nok",
    "cut between chunks": CHUNKED + b"2\r\nok\r\n",
    "chunk longer than said": CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
    "chunk shorter than said": CHUNKED + b"3\r\nok\r\n0\r\n\r\n",
    "chunk of no size": CHUNKED + b"2\r\nok\r\n-1\r\n",
    "huge chunk": CHUNKED + b"2\r\nok\r\nffffffffffffffffff\r\n",
    "large trailer": CHUNKED + b"2\r\nok\r\n0\r\nX-Big: %b\r\n\r\n" % (b"x" * 70000),
    "endless trailer": CHUNKED + b"2\r\nok\r\n0\r\nX-Big: " + b"x" * 70000,
    "endless extension": CHUNKED + b"2\r\nok\r\n5;" + b"x" * 140000,
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN.keys())
@on_both_loops
async def test_a_broken_head_is_a_protocol_error(reply: bytes) -> None:
    async with exchange(replying(reply, then_close=True)) as (transport, server):
        sent = request(server)
        with pytest.raises(httpx.RemoteProtocolError) as failure:
            await transport.handle_async_request(sent)
    assert failure.value.request is sent
    assert server.connections == 1


@pytest.mark.parametrize("reply", BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
@on_both_loops
async def test_a_broken_body_is_a_protocol_error_after_its_sound_part(reply: bytes) -> None:
    async with exchange(replying(reply, then_close=True)) as (transport, server):
        sent = request(server)
        response = await transport.handle_async_request(sent)
        items = []
        with pytest.raises(httpx.RemoteProtocolError) as failure:
            async for item in body(response):
                items.append(item)  # noqa: PERF401
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(body(response))
    assert b"".join(items)[:2] == b"ok"
    assert failure.value.request is sent
    assert ("incomplete" in str(failure.value)) is ("0\r\n" not in repr(reply) and reply[-2:] in (b"ok", b"\r\n"))
