"""The HTTP transport against scripted servers: bytes in, bytes out, on both event loops."""

import asyncio
import functools
import gc
import inspect
import os
import socket
import ssl
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


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on each kind of loop, in bounded time, leaving no socket and no stray error."""

    @pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=LOOPS.keys())
    def run(loop_factory: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any) -> None:
        strays: list[dict[str, Any]] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: strays.append(context))
            before = len(os.listdir("/dev/fd"))
            async with asyncio.timeout(SCENARIO_SECONDS):
                await test(**fixtures)
                while len(os.listdir("/dev/fd")) > before:
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
    assert seen == [
        b"POST /v1?q=1 HTTP/1.1\r\nX-Twice: 1\r\nx-twice: 2\r\nHost: example.test\r\n"
        b"Content-Length: 5\r\n\r\nhello"
    ]
    assert (response.status_code, items) == (200, [b"ok"])


async def parts(*items: bytes) -> AsyncIterator[bytes]:
    for item in items:
        yield item


@pytest.mark.parametrize(
    ("headers", "framed"),
    [
        ({}, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        ({"content-length": "5"}, b"abcde"),
    ],
)
@on_both_loops
async def test_a_streamed_body_is_framed_as_announced(headers: dict[str, str], framed: bytes) -> None:
    seen: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        seen.append(await received(reader))
        writer.write(OK)
        await received(reader)

    async with exchange(script) as (transport, server):
        sent = request(server, headers=headers, content=parts(b"abc", b"", b"de"))
        await fetch(transport, sent)
        await fetch(transport, request(server, "GET"))  # nothing was left over on the connection
    assert seen[0].endswith(b"\r\n\r\n" + framed)


@pytest.mark.parametrize(
    "options",
    [
        {"content": parts(b"abc"), "headers": {"content-length": "2"}},
        {"content": parts(b"abc"), "headers": {"content-length": "4"}},
        {"content": b"abc", "headers": {"content-length": "4"}},
        {"content": b"abc", "headers": {"content-length": "x"}},
        {"content": b"abc", "headers": {"content-length": "3", "transfer-encoding": "chunked"}},
        {"content": b"abc", "headers": {"transfer-encoding": "gzip"}},
        {"headers": {"x-a": "b\r\nx-c: d"}},
        {"headers": {"x-a": "b\nc"}},
        {"headers": {"x a": "b"}},
        {"headers": {"": "b"}},
        {"method": "GET /\r\n"},
        {"method": "G\N{LATIN SMALL LETTER E WITH ACUTE}T"},
    ],
)
async def test_a_malformed_request_is_refused(options: dict[str, Any]) -> None:
    if isinstance(options.get("content"), AsyncIterator):
        options = {**options, "content": parts(b"abc")}
    async with exchange(replying()) as (transport, server):
        sent = request(server, **{"method": "POST", **options})
        with pytest.raises(httpx.LocalProtocolError) as failure:
            await fetch(transport, sent)
        assert failure.value.request is sent


async def test_bytes_announced_as_chunked_go_out_as_one_chunk() -> None:
    seen: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        seen.extend([await received(reader), await received(reader)])
        writer.write(OK)
        await received(reader)

    async with exchange(script) as (transport, server):
        chunked = {"transfer-encoding": "chunked"}
        first = asyncio.create_task(fetch(transport, request(server, headers=chunked, content=b"abc")))
        await asyncio.sleep(0.05)
        assert not first.done()
        ...
