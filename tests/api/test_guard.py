"""What web pages may do: names, origins, CORS; and requests that do not arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.live import answer, gateway, raw
from wireloom.api import bodies
from wireloom.errors import TooSlow

BODY = {"model": "m", "input": "x"}
REPLY = b'{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"y"},"finish_reason":"stop"}]}'
LISTED = b'{"data": [{"id": "m"}]}'


async def replies(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(REPLY if body else LISTED, kind="application/json"))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (None, 200),
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("127.0.0.1", 200),
        ("127.1.2.3:5", 200),
        ("[::1]:4444", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:4444", 421),
        ("10.0.0.1", 421),
        ("[", 421),
        ("", 200),
    ],
)
async def test_names_on_loopback(host: str | None, status: int) -> None:
    headers = {} if host is None else {"host": host}
    async with raw(replies) as (url, upstream), gateway(url) as base:
        async with httpx.AsyncClient(timeout=20) as client:
            response = await client.post(f"{base}/v1/responses", json=BODY, headers=headers)
            again = await client.get(f"{base}/v1/models", headers=headers)
            health = await client.get(f"{base}/health", headers=headers)
    assert response.status_code == again.status_code == status
    assert health.status_code == 200
    if status == 421:
        assert response.json()["error"]["code"] == "host_not_allowed"
        assert response.json()["error"]["param"] == "host"
        assert upstream.bodies == []


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({"allowed_host": ["gateway.lan"]}, "Gateway.LAN:1", 200),
        ({"allowed_host": ["gateway.lan"]}, "localhost", 200),
        ({"allowed_host": ["gateway.lan"]}, "other.lan", 421),
        ({"allowed_host": ["*"]}, "other.lan", 200),
        ({"host": "0.0.0.0", "token": {"a": "b"}}, "other.lan", 200),
        ({"host": "0.0.0.0", "token": {"a": "b"}, "allowed_host": ["gateway.lan"]}, "other.lan", 421),
        ({"host": "0.0.0.0", "token": {"a": "b"}, "allowed_host": ["gateway.lan"]}, "gateway.lan", 200),
    ],
)
async def test_names_that_are_set(settings: dict[str, object], host: str, status: int) -> None:
    async with raw(replies) as (url, _), gateway(url, **settings) as base:
        async with httpx.AsyncClient(timeout=20) as client:
            response = await client.get(f"{base}/v1/models", headers={"host": host, "x-api-key": "b"})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("origin", "allowed", "status"),
    [
        ("https://evil.example", [], 403),
        ("null", [], 403),
        ("http://localhost:3000", [], 403),
        ("https://app.example", ["https://app.example"], 200),
        ("https://other.example", ["https://app.example"], 403),
        ("https://other.example", ["*"], 200),
    ],
)
async def test_origins(origin: str, allowed: list[str], status: int) -> None:
    async with raw(replies) as (url, _), gateway(url, allowed_origin=allowed) as base:
        async with httpx.AsyncClient(timeout=20) as client:
            response = await client.post(f"{base}/v1/responses", json=BODY, headers={"origin": origin})
            asked = {
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization",
            }
            preflight = await client.options(f"{base}/v1/responses", headers={"origin": origin, **asked})
            own = await client.get(f"{base}/v1/models", headers={"origin": base})
    assert response.status_code == status
    assert own.status_code == 200
    shared = response.headers.get("access-control-allow-origin")
    if status == 200:
        assert shared in (origin, "*")
        assert preflight.status_code == 200
        assert "authorization" in preflight.headers["access-control-allow-headers"]
    else:
        assert shared is None
        assert response.json()["error"]["code"] == "origin_not_allowed"
        assert preflight.status_code == 403


async def test_without_an_origin_nothing_is_shared() -> None:
    async with raw(replies) as (url, _), gateway(url) as base, httpx.AsyncClient(timeout=20) as client:
        response = await client.get(f"{base}/v1/models", headers={"origin": base})
        preflight = await client.options(f"{base}/v1/models", headers={"origin": base})
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert preflight.status_code == 405


async def test_a_body_that_trickles_in() -> None:
    async with raw(replies) as (url, upstream), gateway(url, receive_timeout_seconds=0.3) as base:
        port = urlsplit(base).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: 1000\r\n\r\n".encode())
        for _ in range(6):
            writer.write(b" ")
            await asyncio.sleep(0.1)
        told = await asyncio.wait_for(reader.readuntil(b"}}"), 10)
        writer.close()
    assert told.startswith(b"HTTP/1.1 408")
    assert b"request_timeout" in told
    assert upstream.bodies == []


async def test_what_is_long_may_take_longer() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 50_000
            await asyncio.sleep(0.05)

    assert len(await bodies.read(parts(), "", 10**6, 0.1)) == 250_000

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x"
            await asyncio.sleep(0.05)

    with pytest.raises(TooSlow):
        await bodies.read(slow(), "", 10**6, 0.1)
