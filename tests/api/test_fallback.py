"""Several backends, routes and keys: by real requests over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.live import Handler, RawUpstream, answer, gateway, raw
from wireloom.routing import routing

FACES: dict[str, dict[str, Any]] = {
    "responses": {"input": "x"},
    "chat/completions": {"messages": [{"role": "user", "content": "x"}]},
}
DONE = b"data: [DONE]\n\n"


def chunk(text: str, finish: str | None = None) -> bytes:
    told = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    return b"data: %b\n\n" % json.dumps({"id": "c", "object": "chat.completion.chunk", **told}).encode()


@pytest.fixture(autouse=True)
def long_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that failed rests longer than any test takes."""
    monkeypatch.setattr(routing, "FIRST_REST_SECONDS", 60.0)


def writes(*parts: bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)

    return handler


WELL = writes(answer(chunk("from "), chunk("here", "stop"), DONE))
FAILS: dict[str, Handler] = {
    "429": writes(answer(b"{}", status="429 No", kind="application/json", headers="retry-after: 9\r\n")),
    "500": writes(answer(b"{}", status="500 No", kind="application/json")),
    "503": writes(answer(b"{}", status="503 No", kind="application/json")),
    "closed": writes(b""),
    "error inside": writes(answer(b'data: {"error": {"message": "no", "code": 503}}\n\n')),
}
REFUSES = writes(answer(b'{"error": {"message": "no"}}', status="400 No", kind="application/json"))
BREAKS = writes(answer(chunk("half")))


@asynccontextmanager
async def two(
    first: Handler, second: Handler, **settings: Any
) -> AsyncIterator[tuple[str, RawUpstream, RawUpstream]]:
    async with AsyncExitStack() as stack:
        one, seen = await stack.enter_async_context(raw(first))
        other, also = await stack.enter_async_context(raw(second))
        backends = {"a": {"upstream": one}, "b": {"upstream": other}}
        given = {"backends": backends, "routes": {"m": ["a/x", "b/y"]}, **settings}
        yield await stack.enter_async_context(gateway(None, **given)), seen, also


async def ask(
    base: str, face: str, model: str = "m", *, stream: bool, key: str | None = None
) -> httpx.Response:
    body = {**FACES[face], "model": model, "stream": stream}
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"{base}/v1/{face}", json=body, headers=headers)


def models(upstream: RawUpstream) -> list[str]:
    return [json.loads(body)["model"] for body in upstream.bodies if body]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("how", FAILS)
async def test_another_answers_where_one_fails(how: str, face: str, stream: bool) -> None:
    async with two(FAILS[how], WELL) as (base, first, second):
        response = await ask(base, face, stream=stream)
        again = await ask(base, face, stream=stream)
    assert response.status_code == again.status_code == 200
    for text in (response.text, again.text):
        assert '"from here"' in text or ('"from "' in text and '"here"' in text)
    # The one that failed rests, so that the next request goes to the other at once.
    assert (models(first), models(second)) == (["x"], ["y", "y"])


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_a_fault_of_the_request_is_no_reason(face: str, stream: bool) -> None:
    async with two(REFUSES, WELL) as (base, first, second):
        response = await ask(base, face, stream=stream)
        await ask(base, face, stream=stream)
    assert response.status_code == 400
    assert (models(first), models(second)) == (["x", "x"], [])


@pytest.mark.parametrize("face", FACES)
async def test_what_was_told_cannot_be_taken_back(face: str) -> None:
    async with two(BREAKS, WELL) as (base, _, second):
        response = await ask(base, face, stream=True)
    assert "half" in response.text
    assert "upstream_incomplete" in response.text
    assert models(second) == []


@pytest.mark.parametrize("begun", [True, False])
async def test_what_was_passed_on_cannot_be_taken_back(begun: bool) -> None:
    """A Responses server whose stream is passed on event by event, and breaks off."""
    response = {"id": "resp_1", "object": "response", "status": "in_progress", "output": [], "model": "x"}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
    events = [
        {"type": "response.created", "sequence_number": 0, "response": response},
        *([{"type": "response.output_item.added", "output_index": 0, "item": item}] if begun else ()),
    ]
    data = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    async with raw(writes(answer(data))) as (one, _), raw(WELL) as (other, second):
        backends = {
            "a": {"backend": "responses", "provider": "openai", "upstream": one},
            "b": {"upstream": other},
        }
        async with gateway(None, backends=backends, routes={"m": ["a/x", "b/y"]}) as base:
            response_text = (await ask(base, "responses", stream=True)).text
    assert models(second) == ([] if begun else ["y"])
    assert ("response.failed" if begun else "response.completed") in response_text


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_where_all_fail_the_last_word_stands(face: str, stream: bool) -> None:
    async with two(FAILS["500"], FAILS["429"]) as (base, first, second):
        response = await ask(base, face, stream=stream)
    assert (response.status_code, response.headers["retry-after"]) == (429, "9")
    assert (len(models(first)), len(models(second))) == (1, 1)


async def test_further_tries_are_few() -> None:
    async with two(FAILS["500"], FAILS["500"]) as (base, first, second):
        for _ in range(30):
            await ask(base, "responses", stream=False)
    assert len(models(first)) + len(models(second)) < 30 + 15


async def test_what_the_other_place_cannot_do_is_no_answer() -> None:
    """The first failure stands where the second backend would have to refuse: it takes pictures as data alone."""
    part = {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}
    body = {"model": "m", "input": [{"role": "user", "content": [part]}]}
    async with raw(FAILS["500"]) as (one, first), raw(WELL) as (other, second):
        backends = {"a": {"upstream": one}, "b": {"upstream": other, "provider": "kimi"}}
        given = {"backends": backends, "routes": {"m": ["a/x", "b/y"]}}
        async with gateway(None, **given) as base, httpx.AsyncClient(timeout=20) as client:
            failed = await client.post(f"{base}/v1/responses", json=body)
            refused = await client.post(f"{base}/v1/responses", json={**body, "model": "b/y"})
    assert refused.status_code == 400
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "upstream_error")
    assert (models(first), models(second)) == (["x"], [])


async def test_who_answered_is_counted() -> None:
    async with two(FAILS["503"], WELL) as (base, _, _), httpx.AsyncClient(timeout=20) as client:
        await ask(base, "responses", stream=False)
        await ask(base, "chat/completions", "b/y", stream=False)
        text = (await client.get(f"{base}/metrics")).text
    assert 'wireloom_backend_passed_over_total{backend="a"} 1.0' in text
    assert 'wireloom_backend_requests_total{backend="b",outcome="ok"} 2.0' in text


async def test_names_of_backends() -> None:
    async with two(WELL, WELL) as (base, first, second):
        await ask(base, "responses", "b/deep/name", stream=False)
        await ask(base, "chat/completions", "a/z", stream=False)
    assert (models(first), models(second)) == (["z"], ["deep/name"])


KEYS = {
    "all": {"key": "k-all"},
    "narrow": {"key": "k-narrow", "backends": ["b"]},
    "patterns": {"key": "k-patterns", "models": ["a/*"]},
    "slow": {"key": "k-slow", "requests_per_minute": 1},
}


@pytest.mark.parametrize("face", FACES)
async def test_keys_open_what_they_say(face: str) -> None:
    async with two(WELL, WELL, keys=KEYS) as (base, first, second):
        await ask(base, face, stream=False, key="k-narrow")
        refused = await ask(base, face, "a/x", stream=False, key="k-narrow")
        also = await ask(base, face, "b/y", stream=False, key="k-patterns")
        allowed = await ask(base, face, "a/y", stream=False, key="k-patterns")
        unknown = await ask(base, face, stream=False, key="k")
    assert (models(first), models(second)) == (["y"], ["y"])
    assert [r.status_code for r in (refused, also, allowed, unknown)] == [403, 403, 200, 401]
    assert refused.json()["error"] == {
        "message": "Key narrow may not use a/x; it may use: b/*.",
        "type": "permission_error",
        "param": "model",
        "code": "model_not_allowed",
    }


async def test_a_key_sees_the_models_that_it_opens() -> None:
    listing = writes(answer(b'{"data": [{"id": "x"}]}', kind="application/json"))
    async with two(listing, listing, keys=KEYS) as (base, _, _), httpx.AsyncClient(timeout=20) as client:
        seen = {}
        for name in ("all", "narrow", "patterns"):
            response = await client.get(f"{base}/v1/models", headers={"x-api-key": f"k-{name}"})
            seen[name] = [model["id"] for model in response.json()["data"]]
        missing = await client.get(f"{base}/v1/models/a/x", headers={"x-api-key": "k-narrow"})
    assert seen == {"all": ["a/x", "b/x", "m"], "narrow": ["b/x", "m"], "patterns": ["a/x", "m"]}
    assert missing.status_code == 404


async def test_a_request_counts_once_on_every_road() -> None:
    """A chat completion that is translated passes the same gate as a response, and once."""
    keys = {"two": {"key": "k-two", "requests_per_minute": 2}}
    async with raw(WELL) as (url, _):
        async with gateway(url, upstream_wire="responses", backend="responses", keys=keys) as base:
            codes = [
                (await ask(base, "chat/completions", stream=False, key="k-two")).status_code for _ in range(3)
            ]
    assert codes[2] == 429
    assert 429 not in codes[:2]


@pytest.mark.parametrize("face", FACES)
async def test_a_minute_holds_so_many(face: str) -> None:
    async with two(WELL, WELL, keys=KEYS) as (base, _, _):
        codes = [(await ask(base, face, stream=False, key="k-slow")).status_code for _ in range(2)]
        last = await ask(base, face, stream=True, key="k-slow")
        other = await ask(base, face, stream=False, key="k-all")
    assert codes == [200, 429]
    assert (last.status_code, last.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 50 < float(last.headers["retry-after"]) <= 60
    assert other.status_code == 200


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_a_key_has_so_many_at_once(face: str, stream: bool) -> None:
    release = asyncio.Event()

    async def waits(_: bytes, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(answer(chunk("x", "stop"), DONE))

    keys = {"one": {"key": "k-one", "max_concurrency": 1}, "other": {"key": "k-other"}}
    settings = {"keys": keys, "max_queue_size": 1, "queue_timeout_seconds": 20}
    async with two(waits, waits, **settings) as (base, first, _):
        running = asyncio.create_task(ask(base, face, stream=stream, key="k-one"))
        await first.asked.wait()
        waiting = asyncio.create_task(ask(base, face, stream=stream, key="k-one"))
        await asyncio.sleep(0.1)
        refused = await ask(base, face, stream=stream, key="k-one")
        other = asyncio.create_task(ask(base, face, stream=stream, key="k-other"))
        while len(first.bodies) < 2:
            await asyncio.sleep(0.01)
        assert not waiting.done()
        release.set()
        answers = await asyncio.gather(running, waiting, other)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
    assert "retry-after" in refused.headers
    assert [each.status_code for each in answers] == [200, 200, 200]
