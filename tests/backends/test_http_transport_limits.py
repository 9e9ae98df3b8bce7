"""The HTTP transport's time limits: silence counts, duration does not."""

import asyncio
import time

import httpx
import pytest

from tests.support.scripted_http import (
    CHUNKED,
    LONG,
    OK,
    SEEN_SECONDS,
    Reader,
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
    silent,
    until,
)
from wireloom.backends import http_transport


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
async def test_silence_is_counted_from_the_end_of_the_request() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        await asyncio.sleep(0.3)
        writer.write(OK)
        await gone(reader)

    async with exchange(script) as (transport, server):
        task = asyncio.create_task(fetch(transport, request(server, timeout={"read": 0.2})))
        await until(lambda: bool(server.connections))
        (connection,) = transport._open
        connection.pause_writing()
        asyncio.get_running_loop().call_later(0.15, connection.resume_writing)
        assert (await task)[1] == [b"ok"]


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
        await asyncio.sleep(0.3)
        await gone(reader)

    async with exchange(script) as (transport, server):
        block = bytes(16 * 2**20)
        content = parts(block, block) if streamed else block
        sent = request(server, content=content, timeout={"read": 5.0, "write": 0.1})
        begun = time.monotonic()
        with pytest.raises(httpx.WriteTimeout) as failure:
            await transport.handle_async_request(sent)
        assert time.monotonic() - begun < 0.2 + SEEN_SECONDS
    assert failure.value.request is sent


@pytest.mark.parametrize("streamed", [True, False])
@on_both_loops
async def test_a_body_that_is_taken_slowly_is_no_write_timeout(streamed: bool) -> None:
    size = 8 * 2**20

    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            left -= len(await reader.readexactly(min(left, 2**20)))
            await asyncio.sleep(0.1)
        writer.write(OK)
        await gone(reader)

    async with exchange(script) as (transport, server):
        halves = parts(bytes(size // 2), bytes(size // 2))
        headers = {"content-length": str(size)}
        content = halves if streamed else bytes(size)
        sent = request(server, content=content, headers=headers, timeout={"write": 0.5})
        begun = time.monotonic()
        assert (await fetch(transport, sent))[1] == [b"ok"]
        assert time.monotonic() - begun > 0.6
