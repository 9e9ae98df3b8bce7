"""A connection to a server through an HTTP proxy: CONNECT, then TLS within it where the server wants it."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import TypeVar, cast
from urllib.parse import urlsplit

MOST_HEAD_BYTES = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([ -~]{0,80}))?")
_PORT = 80

P = TypeVar("P", bound=asyncio.Protocol)


class ProxyRefused(OSError):
    """A proxy that does not connect to the server; the text says what it answered."""


class _Asking(asyncio.Protocol):
    """Asks a proxy for a connection, and takes its answer."""

    def __init__(self, question: bytes) -> None:
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._question = question
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._question)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" in self._head or len(self._head) > MOST_HEAD_BYTES:
            self._end()

    def connection_lost(self, _: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if not self.answered.done():
            self.answered.set_result(self._head)


async def connect(proxy: str, host: str, port: int, tls: ssl.SSLContext | None, make: Callable[[], P]) -> P:
    """Connect to a server through a proxy.

    Args:
        proxy: its URL, `http://HOST:PORT`.
        host: of the server.
        port: of the server.
        tls: for a server that speaks TLS, else None.
        make: makes the protocol that gets the connection once it stands.

    Raises:
        OSError: no connection, or the proxy refuses.
    """
    loop = asyncio.get_running_loop()
    at = urlsplit(proxy)
    name = f"[{host}]" if ":" in host else host
    where = f"{name}:{port}".encode()
    question = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: wireloom\r\n\r\n" % (where, where)
    transport, asking = await loop.create_connection(
        lambda: _Asking(question), at.hostname or "", at.port or _PORT
    )
    try:
        _check(await asking.answered)
        protocol = make()
        transport.set_protocol(protocol)
        if tls is not None:
            upgraded = await loop.start_tls(transport, protocol, tls, server_hostname=host)
            if upgraded is None:
                raise ProxyRefused("the connection through the proxy was lost")
            transport = upgraded
    except BaseException:
        transport.abort()
        raise
    protocol.connection_made(transport)
    return protocol


def _check(head: bytes) -> None:
    """Make sure that a proxy has connected.

    Raises:
        ProxyRefused: it has not.
    """
    found = _STATUS.match(head)
    if found is None or not head.endswith(b"\r\n\r\n"):
        raise ProxyRefused("the proxy answered with something that is no HTTP")
    if not found[1].startswith(b"2"):
        words = f" {found[2].decode()}" if found[2] else ""
        raise ProxyRefused(f"the proxy answered {found[1].decode()}{words}")
