"""The HTTP transport against scripted servers: bytes in, bytes out."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest

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
    reset,
    until,
)
from wireloom.backends.http.transport import Transport

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
        ("POST", {"transfer-encoding": "gzip"}, True),
        ("POST", {"x-a": "b\r\nx-c: d"}, False),
        ("POST", {"x-a": "b\nc"}, False),
        ("POST", {"x-a": "b\0"}, False),
        ("POST", {"x a": "b"}, False),
        ("POST", {"": "b"}, False),
        ("GET /\r\n", {}, False),
        ("G\u00c9T", {}, False),
    ],
)
@on_both_loops
async def test_a_malformed_request_is_refused(method: str, headers: dict[str, str], streamed: bool) -> None:
    async with exchange(replying()) as (transport, server):
        content = parts(b"abc") if streamed else b"abc"
        sent = request(server, method, headers=headers, content=content)
        with pytest.raises(httpx.LocalProtocolError) as failure:
            await fetch(transport, sent)
        assert failure.value.request is sent
        assert server.connections <= streamed


@on_both_loops
async def test_no_more_of_a_streamed_body_leaves_than_announced() -> None:
    seen: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                seen.append(data)

    async with exchange(script) as (transport, server):
        content = parts(b"ab", b"GET / HTTP/1.1")
        with pytest.raises(httpx.LocalProtocolError, match="Content-Length is 2"):
            await fetch(transport, request(server, headers={"content-length": "2"}, content=content))
    assert not b"".join(seen).partition(b"\r\n\r\n")[2].removeprefix(b"ab")


@on_both_loops
async def test_a_synchronous_stream_is_refused() -> None:
    async with exchange(replying()) as (transport, server):
        with pytest.raises(RuntimeError, match="synchronous"):
            await transport.handle_async_request(request(server, content=iter([b"abc"])))


@on_both_loops
async def test_a_refusal_ends_a_streamed_body() -> None:
    answered = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nno")
        await answered.wait()
        writer.write(b"!!")
        await gone(reader)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)
            await asyncio.sleep(0)

    async with exchange(script) as (transport, server):
        response = await transport.handle_async_request(request(server, content=endless()))
        answered.set()
        assert response.status_code == 413
        assert await response.aread() == b"no!!"
        assert not transport._idle


@on_both_loops
async def test_a_streamed_body_is_held_back_by_the_server() -> None:
    produced: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)
            produced.append(65536)
            await asyncio.sleep(0)

    async def script(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(0.3)
        await gone(reader)

    async with exchange(script) as (transport, server):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fetch(transport, request(server, content=endless())), 0.2)
    assert 0 < sum(produced) < 32 * 2**20


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
        await until(lambda: not transport._open)
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
        assert 262_144 < stream.buffered <= 1_048_576
        first = await anext(stream)
        assert stream.buffered == 0
        assert len(first) + sum([len(item) async for item in stream]) == size
    assert held[0] > size // 2


# What goes wrong


BROKEN = {
    "garbage": (b"SSH-2.0-OpenSSH\r\n\r\n", "Expected HTTP/"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "Invalid status code"),
    "low status": (b"HTTP/1.1 099 Odd\r\n\r\n" + OK, "interim response 99"),
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
async def test_framing_between_content_may_add_up() -> None:
    reply = CHUNKED + b"1\r\nx\r\n" * 20 + b"0\r\n\r\n"

    async def script(reader: Reader, writer: Writer) -> None:
        await received(reader)
        for start in range(len(reply)):
            writer.write(reply[start : start + 1])
            await asyncio.sleep(0.001)

    async with exchange(script, max_header_bytes=64) as (transport, server):
        _, items = await fetch(transport, request(server))
    assert b"".join(items) == b"x" * 20


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


@on_both_loops
async def test_a_host_that_cannot_be_looked_up_is_a_connect_error() -> None:
    with pytest.raises(httpx.ConnectError):
        await Transport().handle_async_request(httpx.Request("GET", f"http://{'a' * 64}.invalid/"))


@pytest.mark.parametrize("url", ["ftp://localhost/", "//localhost/", "http:///v1"])
@on_both_loops
async def test_another_scheme_is_refused(url: str) -> None:
    sent = httpx.Request("GET", url)
    with pytest.raises(httpx.UnsupportedProtocol) as failure:
        await Transport().handle_async_request(sent)
    assert failure.value.request is sent
