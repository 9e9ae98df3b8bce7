"""HTTP servers on loopback that follow a script of bytes, and the runner of tests against them."""

import asyncio
import gc
import inspect
import os
import socket
import ssl
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import uvloop

from tests.support.manual_clock import ManualClock
from wireloom.backends.http import transport as http_transport
from wireloom.backends.http.transport import Transport

SCENARIO_SECONDS = 30.0
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
    while not condition():
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
    """A transport and the server it talks to; its clock stands still unless one is given."""
    async with serving(script) as server:
        transport = Transport(**{"clock": ManualClock(), **options})
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


async def silent(reader: Reader, writer: Writer) -> None:
    """Take whatever comes and say nothing."""
    await gone(reader)
