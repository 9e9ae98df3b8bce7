"""The HTTP transport's time limits: silence counts, duration does not. Each test turns the clock itself."""

import asyncio

import httpx
import pytest

from tests.support.manual_clock import ManualClock
from tests.support.scripted_http import (
    CHUNKED,
    LONG,
    OK,
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
from wireloom.backends.http.transport import Transport, _Connection


async def connected(transport: Transport) -> _Connection:
    """The one connection of a transport, once it is there."""
    await until(lambda: bool(transport._open))
    (connection,) = transport._open
    return connection


async def settled(connection: _Connection) -> None:
    """Wait until the system takes no more of what is to be written."""
    left = -1
    while left != connection.socket.get_write_buffer_size():
        left = connection.socket.get_write_buffer_size()
        await asyncio.sleep(0.05)


async def turns() -> None:
    """Let every task do what it can do now."""
    for _ in range(10):
        await asyncio.sleep(0)


@on_both_loops
async def test_a_handshake_that_is_not_answered_is_a_connect_timeout() -> None:
    async with exchange(silent) as (transport, server):
        sent = request(server, timeout={"connect": 0.1})
        sent.url = sent.url.copy_with(scheme="https")
        with pytest.raises(httpx.ConnectTimeout, match=r"No connection to 127\.0\.0\.1") as failure:
            await transport.handle_async_request(sent)
    assert failure.value.request is sent


@pytest.mark.parametrize("limits", [{"read": 8.0, "write": 3.0}, {"read": 8.0, "write": 30.0}, {"read": 8.0}])
@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", CHUNKED, LONG + b"ok"])
@on_both_loops
async def test_silence_is_a_read_timeout(reply: bytes, limits: dict[str, float]) -> None:
    clock = ManualClock()
    asked = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        asked.set()
        writer.write(reply)
        await gone(reader)

    async with exchange(script, clock=clock) as (transport, server):
        sent = request(server, timeout=limits)
        task = asyncio.create_task(fetch(transport, sent))
        connection = await connected(transport)
        await asked.wait()
        exchanged = connection._exchange
        assert exchanged is not None
        await until(lambda: exchanged.reply.started or not reply)
        clock.advance(7.5)
        await turns()
        assert not task.done()
        clock.advance(0.5)
        with pytest.raises(httpx.ReadTimeout, match=r"No progress for 8\.0 s") as failure:
            await task
    assert failure.value.request is sent
    assert clock.timers == []


@on_both_loops
async def test_a_trickle_is_no_silence_and_costs_no_timer_per_read() -> None:
    clock = ManualClock()
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n012345678"
    go = asyncio.Semaphore(0)

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        for start in range(0, len(reply), 2):
            await go.acquire()
            writer.write(reply[start : start + 2])
        await gone(reader)

    async with exchange(script, clock=clock) as (transport, server):
        task = asyncio.create_task(fetch(transport, request(server, timeout={"read": 8.0})))
        connection = await connected(transport)
        for _ in range(0, len(reply), 2):
            clock.advance(1.0)
            go.release()
            await until(lambda: connection.last == clock.now)
        _, items = await task
    assert b"".join(items) == b"012345678"
    # One for 24 seconds of a trickle is looked at every 8 seconds; one is for the idle connection.
    assert clock.armed <= 24 / 8 + 2


@on_both_loops
async def test_a_trickle_that_stops_is_noticed_at_its_limit() -> None:
    clock = ManualClock()
    go = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        await go.wait()
        writer.write(LONG)
        await gone(reader)

    async with exchange(script, clock=clock) as (transport, server):
        task = asyncio.create_task(fetch(transport, request(server, timeout={"read": 8.0})))
        connection = await connected(transport)
        clock.advance(5.0)
        go.set()
        await until(lambda: connection.last == clock.now)
        clock.advance(7.5)
        await turns()
        assert not task.done()
        clock.advance(0.5)
        with pytest.raises(httpx.ReadTimeout):
            await task


@on_both_loops
async def test_silence_is_counted_from_the_end_of_the_request() -> None:
    clock = ManualClock()
    go = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        await go.wait()
        writer.write(OK)
        await gone(reader)

    async with exchange(script, clock=clock) as (transport, server):
        task = asyncio.create_task(fetch(transport, request(server, timeout={"read": 8.0})))
        connection = await connected(transport)
        connection.pause_writing()
        clock.advance(6.0)
        connection.resume_writing()
        clock.advance(7.5)
        await turns()
        assert not task.done()
        go.set()
        assert (await task)[1] == [b"ok"]


@on_both_loops
async def test_the_limits_of_a_request_hold_on_a_reused_connection() -> None:
    clock = ManualClock()
    async with exchange(replying(OK), clock=clock) as (transport, server):
        await fetch(transport, request(server, timeout={"read": 60.0, "write": 60.0}))
        clock.advance(20.0)
        task = asyncio.create_task(fetch(transport, request(server, timeout={"read": 8.0})))
        await turns()
        clock.advance(7.5)
        await turns()
        assert not task.done()
        clock.advance(0.5)
        with pytest.raises(httpx.ReadTimeout):
            await task
    assert server.connections == 1


@pytest.mark.parametrize("timeout", [{}, {"read": None, "write": None}, {"write": 5.0}])
@on_both_loops
async def test_without_a_limit_silence_lasts(timeout: dict[str, float | None]) -> None:
    clock = ManualClock()
    async with exchange(replying(b""), clock=clock) as (transport, server):
        task = asyncio.create_task(fetch(transport, request(server, timeout=timeout)))
        await connected(transport)
        clock.advance(3600.0)
        await turns()
        assert not task.done()
        task.cancel()


@on_both_loops
async def test_a_consumer_that_takes_its_time_is_not_the_servers_silence() -> None:
    size = 4 * 2**20
    clock = ManualClock()

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        writer.write(bytes(size))
        await gone(reader)

    async with exchange(script, clock=clock) as (transport, server):
        stream = body(await transport.handle_async_request(request(server, timeout={"read": 8.0})))
        for _ in range(5):
            clock.advance(7.0)
        assert sum([len(item) async for item in stream]) == size


@pytest.mark.parametrize("streamed", [True, False])
@on_both_loops
async def test_a_server_that_stops_taking_the_body_is_a_write_timeout(streamed: bool) -> None:
    clock = ManualClock()
    some, rest = asyncio.Event(), asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await some.wait()
        await reader.readexactly(4 * 2**20)
        await rest.wait()
        await gone(reader)

    async with exchange(script, clock=clock) as (transport, server):
        block = bytes(32 * 2**20)
        content = parts(block, block) if streamed else block
        sent = request(server, content=content, timeout={"read": 20.0, "write": 8.0})
        task = asyncio.create_task(transport.handle_async_request(sent))
        connection = await connected(transport)
        await until(lambda: connection.blocked)
        await settled(connection)
        before = connection.socket.get_write_buffer_size()
        some.set()
        await until(lambda: connection.socket.get_write_buffer_size() < before)
        await settled(connection)
        clock.advance(8.0)  # the server took something meanwhile
        clock.advance(7.5)
        await turns()
        assert not task.done()
        clock.advance(0.5)
        with pytest.raises(httpx.WriteTimeout, match=r"No progress for 8\.0 s") as failure:
            await task
        rest.set()
    assert failure.value.request is sent


@pytest.mark.parametrize("streamed", [True, False])
@on_both_loops
async def test_a_body_that_is_taken_slowly_is_no_write_timeout(streamed: bool) -> None:
    size = 16 * 2**20
    clock = ManualClock()
    go = asyncio.Semaphore(0)

    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            await go.acquire()
            left -= len(await reader.readexactly(min(left, 4 * 2**20)))
        writer.write(OK)
        await gone(reader)

    async with exchange(script, clock=clock) as (transport, server):
        halves = parts(bytes(size // 2), bytes(size // 2))
        headers = {"content-length": str(size)}
        content = halves if streamed else bytes(size)
        sent = request(server, content=content, headers=headers, timeout={"write": 8.0})
        task = asyncio.create_task(fetch(transport, sent))
        connection = await connected(transport)
        for _ in range(4):
            await settled(connection)
            clock.advance(7.5)
            go.release()
        assert (await task)[1] == [b"ok"]
