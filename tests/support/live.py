"""A gateway on a real socket inside the test's own event loop, in front of a scripted upstream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from wireloom.app import create_app
from wireloom.config import Settings

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def gateway(upstream: str | None, **settings: Any) -> AsyncIterator[str]:
    """Serve a gateway for `upstream`; yields its base URL, without the version."""
    given = {"no_auth": not {"token", "keys"} & settings.keys(), **settings}
    app = create_app(Settings(upstream=upstream, **given))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="on", ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.wait({serving}, timeout=0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


class RawUpstream:
    """An upstream of bytes: each request is read whole, then a handler writes what it likes.

    Args:
        handler: gets the request's body and the writer.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.asked = asyncio.Event()
        """Set when a request has arrived."""
        self.closed = asyncio.Event()
        """Set when a client's connection has gone."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection with one request."""
        watcher: asyncio.Task[bytes] | None = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await reader.readexactly(int(length[0].partition(b":")[2])) if length else b""
            self.heads.append(head)
            self.bodies.append(body)
            self.asked.set()
            watcher = asyncio.create_task(reader.read())
            handling = asyncio.create_task(self._handle(body, writer))
            await asyncio.wait({watcher, handling}, return_when=asyncio.FIRST_COMPLETED)
            if watcher.done():
                self.closed.set()
            handling.cancel()
            await asyncio.wait({handling})
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
        finally:
            if watcher is not None:
                watcher.cancel()
            writer.close()

    async def _handle(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        await self._handler(body, writer)
        await writer.drain()


@asynccontextmanager
async def raw(handler: Handler) -> AsyncIterator[tuple[str, RawUpstream]]:
    """Serve a raw upstream; yields its base URL and its record."""
    upstream = RawUpstream(handler)
    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1", upstream


def answer(
    *parts: bytes, status: str = "200 OK", kind: str = "text/event-stream", headers: str = ""
) -> bytes:
    """An HTTP answer that ends with its connection."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n{headers}\r\n"
    return head.encode() + b"".join(parts)
