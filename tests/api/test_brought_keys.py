"""A key for the upstream that a client brings: sent there, nowhere else, and a name of its own for what it stores."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.support.live import RawUpstream, answer, gateway, raw

BODY = {"model": "m", "input": "x", "store": True}
REPLY = b'{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"y"},"finish_reason":"stop"}]}'


async def replies(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(REPLY if body else b'{"data": [{"id": "m"}]}', kind="application/json"))


async def refuses(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"{}", status="401 No", kind="application/json"))


def keys(upstream: RawUpstream) -> list[str]:
    lines = [line for head in upstream.heads for line in head.decode().split("\r\n")]
    return [line.partition("Bearer ")[2] for line in lines if line.lower().startswith("authorization:")]


async def ask(base: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"{base}/v1/responses", json=BODY, headers=named)


async def test_without_tokens_the_clients_key_is_the_upstreams() -> None:
    async with raw(replies) as (url, upstream), gateway(url, pass_key=True) as base:
        mine = await ask(base, authorization="Bearer mine")
        await ask(base, x_api_key="yours")
        await ask(base)
        async with httpx.AsyncClient(timeout=20) as client:
            listed = await client.get(f"{base}/v1/models", headers={"authorization": "Bearer mine"})
            stored = f"{base}/v1/responses/{mine.json()['id']}"
            own = await client.get(stored, headers={"authorization": "Bearer mine"})
            others = await client.get(stored, headers={"authorization": "Bearer yours"})
    assert listed.status_code == 200
    assert keys(upstream) == ["mine", "yours", "mine"]
    assert (own.status_code, others.status_code) == (200, 404)


async def test_with_tokens_it_has_a_header_of_its_own() -> None:
    settings = {"token": {"me": "token"}, "api_key": "ours", "pass_key": True}
    async with raw(replies) as (url, upstream), gateway(url, **settings) as base:
        await ask(base, authorization="Bearer token")
        await ask(base, authorization="Bearer token", x_upstream_api_key="mine")
        broken = await ask(base, authorization="Bearer token", x_upstream_api_key="two words")
    assert keys(upstream) == ["ours", "mine"]
    assert (broken.status_code, broken.json()["error"]["param"]) == (400, "x-upstream-api-key")


async def test_a_backend_that_does_not_say_so_gets_none() -> None:
    async with raw(replies) as (url, upstream), gateway(url, api_key="ours") as base:
        await ask(base, authorization="Bearer mine", x_upstream_api_key="mine")
    assert keys(upstream) == ["ours"]


async def test_of_several_only_that_one_gets_it() -> None:
    async with raw(replies) as (url, first), raw(replies) as (other, second):
        backends = {"a": {"upstream": url, "pass_key": True}, "b": {"upstream": other}}
        async with gateway(None, backends=backends) as base, httpx.AsyncClient(timeout=20) as client:
            for model in ("a/m", "b/m"):
                body = {**BODY, "model": model}
                await client.post(f"{base}/v1/responses", json=body, headers={"authorization": "Bearer mine"})
    assert (keys(first), keys(second)) == (["mine"], [])


@pytest.mark.parametrize(("passing", "status"), [(True, 200), (False, 502)])
async def test_an_upstream_that_waits_for_a_clients_key_is_ready(passing: bool, status: int) -> None:
    async with raw(refuses) as (url, _), gateway(url, pass_key=passing) as base:
        async with httpx.AsyncClient(timeout=20) as client:
            response = await client.get(f"{base}/ready")
    assert (response.status_code == 200) is (status == 200)
