"""A key that an upstream refuses: whose it is, who is told where it is set, and what clients make of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Scope

from tests.support.live import Handler, answer, gateway, raw
from wireloom.api.edge import exchange_of
from wireloom.backends.http.server import Server
from wireloom.translate.failures import upstream_error

CODEX = {"originator": "codex_exec"}
KEY = "sk-canary-0123456789-bad"
WORDS = "Authentication Fails, Your api key: ****-bad is invalid"
SHOWN = "Authentication Fails, Your api key: *** is invalid"
FACES: dict[str, dict[str, Any]] = {
    "responses": {"input": "x"},
    "chat/completions": {"messages": [{"role": "user", "content": "x"}]},
}
Headers = dict[str, str] | None
Line = dict[str, Any]


def refuses(status: int, words: str = WORDS) -> Handler:
    body = json.dumps({"error": {"message": words, "type": "authentication_error"}}).encode()

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(body, status=f"{status} No", kind="application/json"))

    return handler


async def ask(
    base: str, face: str = "responses", *, stream: bool = False, headers: Headers = None
) -> httpx.Response:
    body = {**FACES[face], "model": "m", "stream": stream}
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"{base}/v1/{face}", json=body, headers=headers)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Line]]:
    caplog.set_level(logging.DEBUG, logger="wireloom.request")
    return lambda: [vars(record) for record in caplog.records if hasattr(record, "outcome")]


@pytest.fixture(autouse=True)
def key_in_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_the_gateway_s_own_key_is_no_affair_of_the_client_s(
    face: str, stream: bool, lines: Callable[[], list[Line]]
) -> None:
    async with raw(refuses(401)) as (url, _), gateway(url, provider="deepseek") as base:
        response = await ask(base, face, stream=stream)
    where = f"(401 to POST {url}/chat/completions)"
    assert response.status_code == 502
    assert response.headers["x-should-retry"] == "false"
    assert "www-authenticate" not in response.headers
    assert response.json()["error"] == {
        "message": f"DeepSeek refuses the key in DEEPSEEK_API_KEY: {SHOWN}. {where}",
        "type": "upstream_error",
        "param": None,
        "code": "upstream_authentication",
    }
    (line,) = lines()
    assert line["cause"] == f"DeepSeek refuses the key in DEEPSEEK_API_KEY. {where}"
    assert (line["levelno"], line["outcome"], line["backend"]) == (logging.WARNING, "failed", "default")


@pytest.mark.parametrize("header", ["forwarded", "via", "x-forwarded-for", "x-real-ip"])
async def test_whoever_comes_through_a_proxy_gets_no_name_of_a_setting(
    header: str, lines: Callable[[], list[Line]]
) -> None:
    async with raw(refuses(401)) as (url, _), gateway(url, provider="deepseek") as base:
        response = await ask(base, headers={header: "203.0.113.9"})
    told = response.json()["error"]["message"]
    assert told == f"DeepSeek refuses the gateway's key: {SHOWN}. (401 to POST {url}/chat/completions)"
    assert "DEEPSEEK_API_KEY" in lines()[0]["cause"]


@pytest.mark.parametrize(
    ("client", "inside"),
    [
        (("127.0.0.1", 1), True),
        (("::1", 1), True),
        (("192.0.2.1", 1), False),
        (("localhost", 1), False),
        (None, False),
    ],
)
def test_who_is_on_this_machine(client: tuple[str, int] | None, inside: bool) -> None:
    scope: Scope = {"type": "http", "client": client, "headers": []}
    assert exchange_of(scope).inside is inside


async def test_the_list_and_the_readiness_say_the_same(lines: Callable[[], list[Line]]) -> None:
    async with raw(refuses(401)) as (url, _), gateway(url, provider="deepseek") as base:
        async with httpx.AsyncClient(timeout=20) as client:
            answers = [await client.get(f"{base}{path}") for path in ("/v1/models", "/ready")]
            veiled = await client.get(f"{base}/ready", headers={"x-forwarded-for": "203.0.113.9"})
    for response in answers:
        assert response.json()["error"]["message"] == (
            f"DeepSeek refuses the key in DEEPSEEK_API_KEY: {SHOWN}. (401 to GET {url}/models)"
        )
        assert (response.status_code, response.headers["x-should-retry"]) == (502, "false")
    assert veiled.json()["error"]["message"] == (
        "Not ready: upstream_authentication. The gateway's log says why."
    )
    assert all("DEEPSEEK_API_KEY" in line["cause"] for line in lines())


async def test_a_problem_of_one_backend_among_others() -> None:
    async with raw(refuses(401)) as (url, _), raw(lists) as (other, _):
        backends = {"deepseek": {"provider": "deepseek", "upstream": url}, "local": {"upstream": other}}
        async with gateway(None, backends=backends) as base, httpx.AsyncClient(timeout=20) as client:
            inside = (await client.get(f"{base}/ready")).json()
            outside = (await client.get(f"{base}/ready", headers={"via": "a proxy"})).json()
    states = {"deepseek": "upstream_authentication", "local": "ready"}
    words = f"DeepSeek refuses the key in DEEPSEEK_API_KEY: {SHOWN}. (401 to GET {url}/models)"
    assert inside == {"status": "ready", "backends": states, "problems": {"deepseek": words}}
    assert outside == {"status": "ready", "backends": states}


async def lists(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b'{"data": []}', kind="application/json"))


@pytest.mark.parametrize(
    ("status", "settings", "words"),
    [
        (403, {}, "DeepSeek forbids this to the key in DEEPSEEK_API_KEY: no."),
        (401, {"api_key": "another"}, "DeepSeek refuses the key of --api-key (WIRELOOM_API_KEY): no."),
        (401, {"api_key_env": "OTHER_KEY"}, "DeepSeek refuses the key in OTHER_KEY: no."),
    ],
)
async def test_where_the_key_is_set(
    status: int, settings: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", KEY)
    async with raw(refuses(status, "no")) as (url, _):
        async with gateway(url, provider="deepseek", **settings) as base:
            response = await ask(base)
    where = f"({status} to POST {url}/chat/completions)"
    assert response.json()["error"]["message"] == f"{words} {where}"
    assert response.status_code == 502


async def test_a_key_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    async with raw(refuses(401, "no")) as (url, _), gateway(url, api_key_file=file) as base:
        told = (await ask(base)).json()["error"]["message"]
    assert told.startswith(f"The upstream refuses the key in {file}: no.")


@pytest.mark.parametrize(
    ("status", "provider", "words"),
    [
        (401, "deepseek", "DeepSeek asks for a key, and none is set in DEEPSEEK_API_KEY: no."),
        (401, "generic", "The upstream asks for a key, and none is set (--api-key-env): no."),
        (403, "deepseek", "DeepSeek forbids this, and no key for it is set in DEEPSEEK_API_KEY: no."),
    ],
)
async def test_no_key_at_all(status: int, provider: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    async with raw(refuses(status, "no")) as (url, _), gateway(url, provider=provider) as base:
        inside = await ask(base)
        outside = await ask(base, headers={"via": "a proxy"})
    assert inside.json()["error"]["message"].startswith(words)
    assert "and the gateway has none" in outside.json()["error"]["message"]


@pytest.mark.parametrize("brought", [True, False])
async def test_a_key_that_the_client_brings_is_the_client_s(
    brought: bool, lines: Callable[[], list[Line]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    headers = {"authorization": f"Bearer {KEY}"} if brought else {}
    async with raw(refuses(401)) as (url, _), gateway(url, provider="deepseek", pass_key=True) as base:
        response = await ask(base, headers=headers)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert "x-should-retry" not in response.headers
    assert response.json()["error"]["code"] == "upstream_unauthorized"
    assert response.json()["error"]["message"] == (
        f"DeepSeek answered 401 to POST {url}/chat/completions: {SHOWN}"
    )
    assert (lines()[0]["levelno"], lines()[0]["outcome"]) == (logging.INFO, "refused")


async def test_the_gateway_s_key_where_clients_may_bring_one() -> None:
    async with raw(refuses(401)) as (url, _), gateway(url, provider="deepseek", pass_key=True) as base:
        own = await ask(base)
        brought = await ask(base, headers={"x-upstream-api-key": "mine"})
    assert (own.status_code, own.json()["error"]["code"]) == (502, "upstream_authentication")
    assert (brought.status_code, brought.json()["error"]["code"]) == (401, "upstream_unauthorized")


@pytest.mark.parametrize("stream", [True, False])
async def test_the_codex_cli_does_not_repeat_it(stream: bool, lines: Callable[[], list[Line]]) -> None:
    async with raw(refuses(401)) as (url, upstream), gateway(url, provider="deepseek") as base:
        response = await ask(base, stream=stream, headers=CODEX)
        assert len(upstream.bodies) == 1
    assert "DeepSeek refuses the key in DEEPSEEK_API_KEY" in response.text
    assert response.status_code == (200 if stream else 400)
    assert ('"code":"invalid_prompt"' in response.text) is stream
    (line,) = lines()
    assert (line["levelno"], line["outcome"]) == (logging.WARNING, "failed")


@pytest.mark.parametrize(
    "words", [f"bad: {KEY}", f"Bearer {KEY}", "sk-can**********-bad", "ends in 0123456789-bad"]
)
async def test_no_part_of_a_key_is_shown(words: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with raw(refuses(401, words)) as (url, _), gateway(url, provider="deepseek") as base:
        response = await ask(base)
    for part in (KEY, "sk-can", "-bad", "0123456789"):
        assert part not in response.text
        assert part not in caplog.text.replace("-bad-", "")


def test_a_key_in_an_error_inside_a_stream_is_not_shown() -> None:
    key = "plain0123456789secret"
    found = upstream_error(200, json.dumps({"error": {"message": f"no {key}", "code": 500}}).encode())
    told = Server("It", "http://h/v1", key).named(found, "POST http://h/v1/x")
    assert told.message == "It reports an error on POST http://h/v1/x: no ***"


async def test_another_backend_answers_where_one_s_key_is_refused() -> None:
    reply = {"id": "c", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop"}]}
    reply["choices"][0]["message"] = {"role": "assistant", "content": "y"}  # type: ignore[index]

    async def replies(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(json.dumps(reply).encode(), kind="application/json"))

    async with raw(refuses(401)) as (url, _), raw(replies) as (other, _):
        backends = {"a": {"upstream": url}, "b": {"upstream": other}}
        async with gateway(None, backends=backends, routes={"m": ["a/x", "b/y"]}) as base:
            assert (await ask(base)).status_code == 200
