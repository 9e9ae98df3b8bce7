"""A model that nobody has: who was asked for it, and what it is probably called."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.support.live import Handler, RawUpstream, answer, gateway, raw

FACES: dict[str, dict[str, Any]] = {
    "responses": {"input": "x"},
    "chat/completions": {"messages": [{"role": "user", "content": "x"}]},
}
CODEX = {"originator": "codex_exec"}
NAMES = ("deepseek-chat", "deepseek-reasoner")


def has(*names: str, words: str = "Model Not Exist", status: int = 400, lists: bool = True) -> Handler:
    """A server with models of these names, which tells them where it lists any."""
    known = json.dumps({"data": [{"id": name} for name in names]}).encode()
    refusal = json.dumps({"error": {"message": words, "code": "invalid_request_error"}}).encode()
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

    async def handler(body: bytes, writer: asyncio.StreamWriter) -> None:
        if body and json.loads(body)["model"] in names:
            writer.write(answer(chunk))
        elif body or not lists:
            writer.write(answer(refusal, status=f"{status} No", kind="application/json"))
        else:
            writer.write(answer(known, kind="application/json"))

    return handler


async def ask(
    base: str, model: str, face: str = "responses", *, stream: bool = False, headers: Any = None
) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        body = {**FACES[face], "model": model, "stream": stream}
        return await client.post(f"{base}/v1/{face}", json=body, headers=headers)


def requests(upstream: RawUpstream) -> list[str]:
    return [head.decode().partition(" ")[0] for head in upstream.heads]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("wire", ["chat", "responses"])
async def test_the_nearest_name_is_told(wire: str, face: str, stream: bool) -> None:
    async with raw(has(*NAMES)) as (url, _), gateway(url, provider="deepseek", backend=wire) as base:
        response = await ask(base, "deepseek-caht", face, stream=stream)
    assert response.status_code == 404
    assert response.json()["error"] == {
        "message": "DeepSeek has no model deepseek-caht; did you mean deepseek-chat?",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }


@pytest.mark.parametrize(
    ("names", "asked", "words"),
    [
        (NAMES, "gpt-9", "DeepSeek has no model gpt-9; there are deepseek-chat, deepseek-reasoner."),
        ((), "gpt-9", "DeepSeek has no model gpt-9."),
        (
            [f"model-{number}" for number in range(9)],
            "gpt-9",
            "DeepSeek has no model gpt-9; GET /v1/models lists the 9 that there are.",
        ),
        (NAMES, "x" * 300, f"DeepSeek has no model {'x' * 100}; there are deepseek-chat, deepseek-reasoner."),
    ],
)
async def test_what_there_is_instead(names: list[str], asked: str, words: str) -> None:
    async with raw(has(*names)) as (url, _), gateway(url, provider="deepseek") as base:
        response = await ask(base, asked)
    assert response.json()["error"]["message"] == words


async def test_a_model_that_is_listed_and_refused() -> None:
    async def refuses(body: bytes, writer: asyncio.StreamWriter) -> None:
        refusal = b'{"error": {"message": "no", "code": "model_not_found"}}'
        known = b'{"data": [{"id": "big"}]}'
        status = "403 No" if body else "200 OK"
        writer.write(answer(refusal if body else known, status=status, kind="application/json"))

    async with raw(refuses) as (url, _), gateway(url, provider="deepseek") as base:
        told = (await ask(base, "big")).json()["error"]["message"]
    assert told == "DeepSeek lists the model big, and refuses it: no"


async def test_the_list_is_asked_for_once_and_only_after_a_failure() -> None:
    async with raw(has(*NAMES)) as (url, upstream), gateway(url) as base:
        await ask(base, "deepseek-chat")
        assert requests(upstream) == ["POST"]
        await ask(base, "one")
        await ask(base, "two", "chat/completions")
    assert requests(upstream) == ["POST", "POST", "GET", "POST"]


async def test_a_list_that_cannot_be_had_is_not_asked_for_again() -> None:
    async with raw(has(lists=False)) as (url, upstream), gateway(url, provider="deepseek") as base:
        told = [(await ask(base, "one")).json()["error"]["message"] for _ in range(2)]
    assert told == ["DeepSeek has no model one."] * 2
    assert requests(upstream) == ["POST", "GET", "POST"]


async def test_a_list_that_a_client_s_key_opens_is_not_kept() -> None:
    async with raw(has(*NAMES)) as (url, upstream), gateway(url, pass_key=True) as base:
        for key in ("a", "b"):
            await ask(base, "one", headers={"authorization": f"Bearer {key}"})
    assert requests(upstream) == ["POST", "GET"] * 2


@pytest.mark.parametrize("stream", [True, False])
async def test_the_codex_cli_does_not_repeat_it(stream: bool) -> None:
    async with raw(has(*NAMES)) as (url, _), gateway(url, provider="deepseek") as base:
        response = await ask(base, "deepseek-caht", stream=stream, headers=CODEX)
    assert "DeepSeek has no model deepseek-caht; did you mean deepseek-chat?" in response.text
    assert response.status_code == (200 if stream else 404)
    assert ('"code":"invalid_prompt"' in response.text) is stream


async def test_one_model_by_its_name() -> None:
    async with raw(has(*NAMES)) as (url, _), gateway(url) as base, httpx.AsyncClient() as client:
        near = await client.get(f"{base}/v1/models/deepseek-caht")
        far = await client.get(f"{base}/v1/models/x")
    assert near.json()["error"]["message"] == (
        "There is no model 'deepseek-caht' here. Did you mean deepseek-chat?"
    )
    assert far.json()["error"]["message"] == (
        "There is no model 'x' here. GET /v1/models lists those there are."
    )


# -- several backends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("nope/x", "No backend nope; there are deepseek, local."),
        ("lcoal/llama3", "No backend lcoal; did you mean local?"),
        ("gpt-9", "DeepSeek has no model gpt-9; there are deepseek-chat, deepseek-reasoner."),
        ("local/lama3", "Backend local has no model lama3; did you mean llama3?"),
    ],
)
async def test_which_backend_was_asked(model: str, words: str, face: str) -> None:
    async with raw(has(*NAMES)) as (url, first), raw(has("llama3", "a/b")) as (other, _):
        backends = {"deepseek": {"provider": "deepseek", "upstream": url}, "local": {"upstream": other}}
        async with gateway(None, backends=backends) as base:
            response = await ask(base, model, face)
        posted = requests(first).count("POST")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert response.json()["error"]["message"] == words
    # A request for a backend that there is not goes to no other.
    assert posted == (1 if model == "gpt-9" else 0)


@pytest.mark.parametrize("names", [("meta/llama3", "x/y"), None])
async def test_a_name_with_a_slash_may_be_the_default_s(names: tuple[str, ...] | None) -> None:
    default = has(lists=False) if names is None else has(*names)
    async with raw(default) as (url, first), raw(has("llama3")) as (other, _):
        backends = {"first": {"upstream": url}, "local": {"upstream": other}}
        async with gateway(None, backends=backends) as base:
            unknown = (await ask(base, "nope/z")).json()["error"]["message"]
            near = (await ask(base, "meta/lama3")).json()["error"]["message"]
        posted = requests(first).count("POST")
    aside = "there is no backend {}; there are first, local."
    assert unknown == f"Backend first has no model nope/z, and {aside.format('nope')}"
    told = f", and {aside.format('meta')}" if names is None else "; did you mean meta/llama3?"
    assert near == f"Backend first has no model meta/lama3{told}"
    assert posted == 2
