"""Headers of answers that tell who gave them, and how many requests a key has left."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.support import responses_turns as r
from tests.support.live import Handler, answer, gateway, raw

FACES: dict[str, dict[str, Any]] = {
    "responses": {"input": "x"},
    "chat/completions": {"messages": [{"role": "user", "content": "x"}]},
}
NAMES = ("x-wireloom-backend", "x-wireloom-model", "x-wireloom-attempts")
LIMITS = ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests")
BEGUN = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def sends(*parts: bytes, after: float = 0, **options: str) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after)
        writer.write(answer(*parts, **options))

    return handler


WELL = sends(BEGUN, END)
FAILS = sends(b"{}", status="503 No", kind="application/json")
RESPONDS = sends(*r.told(r.message("hi")).frames())


async def ask(
    base: str, face: str, model: str = "m", *, stream: bool = False, headers: Any = None
) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        body = {**FACES[face], "model": model, "stream": stream}
        return await client.post(f"{base}/v1/{face}", json=body, headers=headers)


def named(response: httpx.Response) -> tuple[str | None, ...]:
    return tuple(response.headers.get(name) for name in NAMES)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(("wire", "handler"), [("chat", WELL), ("responses", RESPONDS)])
async def test_the_only_backend(wire: str, handler: Handler, face: str, stream: bool) -> None:
    async with raw(handler) as (url, _):
        async with gateway(url, backend=wire, model_map={"m": "sent"}) as base:
            response = await ask(base, face, stream=stream)
    assert response.status_code == 200
    assert named(response) == ("default", "sent", "1")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_the_one_that_answered_after_another_failed(face: str, stream: bool) -> None:
    async with raw(FAILS) as (url, _), raw(WELL) as (other, _):
        backends = {"dead": {"upstream": url}, "local": {"upstream": other}}
        async with gateway(None, backends=backends, routes={"m": ["dead/x", "local/llama3"]}) as base:
            response = await ask(base, face, stream=stream)
    assert named(response) == ("local", "llama3", "2")


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        (["slow/x"], ("slow", "x", "1")),
        # Another may still answer when the stream has to begin.
        (["slow/x", "local/llama3"], (None, None, "1")),
    ],
)
async def test_a_stream_that_begins_before_anybody_has_answered(
    routes: list[str], told: tuple[str | None, ...]
) -> None:
    async with raw(sends(BEGUN, END, after=2.2)) as (url, _), raw(WELL) as (other, _):
        backends = {"slow": {"upstream": url}, "local": {"upstream": other}}
        async with gateway(None, backends=backends, routes={"m": routes}) as base:
            response = await ask(base, "responses", stream=True)
    assert named(response) == told


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (sends(b"{}", status="400 No", kind="application/json"), ("default", "m", "1")),
        (sends(b""), ("default", "m", "1")),
        (None, (None, None, "1")),
    ],
)
async def test_a_failure(
    handler: Handler | None, told: tuple[str | None, ...], face: str, stream: bool
) -> None:
    async with raw(handler or WELL) as (url, _):
        pass
    if handler is None:
        async with gateway(url) as base:
            response = await ask(base, face, stream=stream)
    else:
        async with raw(handler) as (url, _), gateway(url) as base:
            response = await ask(base, face, stream=stream)
    assert response.status_code >= 400
    assert named(response) == told


async def test_an_answer_of_the_gateway_itself() -> None:
    async with gateway("http://127.0.0.1:9/v1") as base, httpx.AsyncClient() as client:
        answers = [await client.get(f"{base}{path}") for path in ("/health", "/elsewhere")]
        answers.append(await client.post(f"{base}/v1/responses", json={}))
    assert [named(response) for response in answers] == [(None, None, None)] * 3


async def test_a_name_of_another_alphabet() -> None:
    async with raw(WELL) as (url, _), gateway(url) as base:
        response = await ask(base, "responses", "模型\n" + "x" * 200)
    assert response.headers["x-wireloom-model"] == r"\u6a21\u578b\n" + "x" * 97


async def test_a_count_names_the_backend_that_counted() -> None:
    async def counts(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(json.dumps({"count": 7}).encode(), kind="application/json"))

    for provider, told in (("vllm", ("default", "m", "1")), ("generic", (None, None, "1"))):
        async with raw(counts) as (url, _), gateway(url, provider=provider) as base:
            async with httpx.AsyncClient() as client:
                body = {"model": "m", "input": "x"}
                response = await client.post(f"{base}/v1/responses/input_tokens", json=body)
        assert named(response) == told


# -- the limits of a key ---------------------------------------------------------------------------------------------

KEYS = {"slow": {"key": "k-slow", "requests_per_minute": 2}, "free": {"key": "k-free"}}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_how_many_requests_a_key_has_left(face: str, stream: bool) -> None:
    async with raw(WELL) as (url, _), gateway(url, keys=KEYS) as base:
        answers = [await ask(base, face, stream=stream, headers={"x-api-key": "k-slow"}) for _ in range(3)]
        free = await ask(base, face, stream=stream, headers={"x-api-key": "k-free"})
    assert [response.status_code for response in answers] == [200, 200, 429]
    assert [[response.headers[name] for name in LIMITS[:2]] for response in answers] == [
        ["2", "1"],
        ["2", "0"],
        ["2", "0"],
    ]
    waits = [int(response.headers[LIMITS[2]].removesuffix("s")) for response in answers]
    assert 25 < waits[0] <= 30
    assert all(55 < wait <= 60 for wait in waits[1:])
    assert not any(name in free.headers for name in LIMITS)


async def test_scripts_of_allowed_pages_may_read_them() -> None:
    origin = "https://app.example.com"
    async with raw(WELL) as (url, _), gateway(url, allowed_origin=[origin], keys=KEYS) as base:
        response = await ask(base, "responses", headers={"origin": origin, "x-api-key": "k-slow"})
    exposed = {name.strip() for name in response.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {*NAMES, *LIMITS, "x-should-retry", "x-wireloom-loss", "x-request-id", "retry-after"}


# -- a model that a key does not open --------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("entry", "model", "words"),
    [
        ({"models": ["fast"]}, "deepseek/deepseek-chat", "it may use: fast."),
        ({"models": ["local/*", "fast"]}, "nope/x", "it may use: fast, local/*."),
        ({"backends": ["local"]}, "deepseek/x", "it may use: local/*."),
        ({"backends": ["local"], "models": ["fast"]}, "deepseek/x", "it may use: fast (at local)."),
    ],
)
async def test_a_key_learns_what_it_may_use(entry: dict[str, Any], model: str, words: str, face: str) -> None:
    listing = sends(b'{"data": [{"id": "x"}]}', kind="application/json")
    async with raw(listing) as (url, _), raw(listing) as (other, _):
        settings = {
            "backends": {"deepseek": {"upstream": url}, "local": {"upstream": other}},
            "routes": {"fast": ["local/x"]},
            "keys": {"ci": {"key": "k-ci", **entry}},
        }
        async with gateway(None, **settings) as base:
            response = await ask(base, face, model, headers={"x-api-key": "k-ci"})
    assert response.status_code == 403
    assert response.json()["error"] == {
        "message": f"Key ci may not use {model}; {words}",
        "type": "permission_error",
        "param": "model",
        "code": "model_not_allowed",
    }
