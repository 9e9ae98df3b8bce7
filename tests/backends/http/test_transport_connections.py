"""The HTTP transport's connections: reuse, repetition, leaving early, TLS."""

import asyncio
import gc
import itertools
import ssl
import subprocess
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.manual_clock import ManualClock
from tests.support.scripted_http import (
    LONG,
    OK,
    Reader,
    Script,
    Writer,
    body,
    exchange,
    fetch,
    gone,
    on_both_loops,
    parts,
    received,
    replying,
    request,
    reset,
    serving,
    silent,
    until,
)
from wireloom.backends.http.transport import Transport


@on_both_loops
async def test_a_connection_that_is_closing_is_not_used() -> None:
    async with exchange(replying(OK)) as (transport, server):
        await fetch(transport, request(server, timeout={"read": 60.0}))
        (connection,) = transport._open
        gone_with = weakref.ref(connection)
        connection.socket.abort()
        del connection
        await fetch(transport, request(server, content=parts(b"not repeatable")))
        gc.collect()
        assert gone_with() is None
    assert server.connections == 2


@on_both_loops
async def test_a_connection_lost_before_its_use_is_a_protocol_error(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def connect_and_lose(*place: Any, **options: Any) -> Any:
        transport, protocol = await connect(*place, **options)
        await until(lambda: protocol.lost)
        return transport, protocol

    monkeypatch.setattr(loop, "create_connection", connect_and_lose)
    async with exchange(replying(then_close=True)) as (transport, server):
        with pytest.raises(httpx.RemoteProtocolError, match="without a response"):
            await fetch(transport, request(server))


@on_both_loops
async def test_a_reply_before_the_end_of_the_request_ends_the_connection() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.05)
        await gone(reader)

    async with exchange(script) as (transport, server):
        assert (await fetch(transport, request(server, content=bytes(64 * 2**20))))[1] == [b"ok"]
        await until(lambda: not transport._open)


@on_both_loops
async def test_a_finished_exchange_leaves_nothing_to_the_garbage_collector() -> None:
    async with exchange(replying(OK)) as (transport, server):
        gc.disable()
        try:
            response, _ = await fetch(transport, request(server))
            reply = weakref.ref(body(response).reply)
            del response
            assert reply() is None
        finally:
            gc.enable()


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
    clock = ManualClock()
    async with exchange(replying(OK), idle_seconds=8.0, clock=clock) as (transport, server):
        first, second = request(server), request(server)
        second.url = second.url.copy_with(host="localhost")
        await fetch(transport, first)
        clock.advance(5.0)
        await fetch(transport, second)
        clock.advance(2.5)
        await asyncio.sleep(0.05)
        assert len(transport._open) == 2
        clock.advance(0.5)
        await until(lambda: len(transport._open) == 1)
        clock.advance(4.5)
        await asyncio.sleep(0.05)
        assert len(transport._open) == 1
        clock.advance(0.5)
        await until(lambda: not transport._open)
        assert not any(transport._idle.values())
    assert clock.timers == []


@on_both_loops
async def test_an_unused_connection_that_was_used_meanwhile_is_kept_as_long_again() -> None:
    clock = ManualClock()
    async with exchange(replying(OK, OK, OK), idle_seconds=8.0, clock=clock) as (transport, server):
        for _ in range(3):
            await fetch(transport, request(server))
            clock.advance(7.5)
            await asyncio.sleep(0.05)
            assert len(transport._open) == 1
        clock.advance(0.5)
        await until(lambda: not transport._open)
    assert server.connections == 1


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
            assert not any(transport._idle.values())


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


@pytest.mark.parametrize(("reason", "after"), [("stream", 0.0), ("answered", 0.0), ("late", 1.0)])
@on_both_loops
async def test_a_request_that_may_have_been_acted_on_is_not_sent_again(reason: str, after: float) -> None:
    clock = ManualClock()

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(OK)
        await received(reader)
        if reason == "answered":
            writer.write(b"H")
        clock.advance(after)

    async with exchange(script, clock=clock) as (transport, server):
        await fetch(transport, request(server))
        content = parts(b"a") if reason == "stream" else b"a"
        with pytest.raises(httpx.RemoteProtocolError, match=r"without a response|incomplete head"):
            await fetch(transport, request(server, content=content))
    assert server.connections == 1


@on_both_loops
async def test_a_request_on_a_connection_that_is_gone_within_a_second_is_sent_again() -> None:
    clock = ManualClock()
    numbers = itertools.count(1)

    async def script(reader: Reader, writer: Writer) -> None:
        number = next(numbers)
        await received(reader)
        writer.write(OK)
        if number == 1:
            await received(reader)
            clock.advance(0.75)
        else:
            await gone(reader)

    async with exchange(script, clock=clock) as (transport, server):
        for _ in range(2):
            assert (await fetch(transport, request(server)))[1] == [b"ok"]
    assert server.connections == 2


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
    clock = ManualClock()
    async with (
        serving(connecting.script) as mute,
        exchange(replying(OK, LONG + b"ok"), clock=clock) as (transport, server),
    ):
        await asyncio.gather(*[fetch(transport, request(server)) for _ in range(2)])
        stream = body(await transport.handle_async_request(request(server)))
        sent = request(mute)
        waiting = asyncio.create_task(transport.handle_async_request(sent))
        await connecting.arrived.wait()
        assert len(clock.timers) == 1
        await transport.aclose()
        assert clock.timers == []
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
