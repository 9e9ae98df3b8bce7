"""The other endpoints and the application's own answers, over real sockets."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from typing import Any

import httpx
import pytest

from tests.support.live import answer, gateway, raw
from wireloom.api.operations import CONTRACTS

LISTED = {
    "data": [
        {"id": "big/model", "created": 5, "owned_by": "them", "context_length": 4096},
        {"id": "eyes", "architecture": {"input_modalities": ["text"]}},
        {"name": "named"},
        {"nothing": 1},
        "nonsense",
    ]
}


def upstream_listing(listed: Any) -> Any:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(json.dumps(listed).encode(), kind="application/json"))

    return handler


async def get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.get(url, headers=headers)


async def test_models_for_sdks_and_for_the_codex_cli() -> None:
    async with (
        raw(upstream_listing(LISTED)) as (url, _),
        gateway(url, model_map={"alias": "big/model"}) as base,
    ):
        listed = (await get(f"{base}/v1/models?client_version=0.169.0")).json()
        one = await get(f"{base}/v1/models/big/model")
        none = await get(f"{base}/v1/models/nonesuch")
    assert [model["id"] for model in listed["data"]] == ["big/model", "eyes", "named", "alias"]
    catalogue = {model["slug"]: model for model in listed["models"]}
    assert catalogue["alias"]["context_window"] == catalogue["big/model"]["context_window"] == 4096
    assert catalogue["eyes"]["input_modalities"] == ["text"]
    assert all(model["apply_patch_tool_type"] == "freeform" for model in listed["models"])
    assert one.json() == {"id": "big/model", "object": "model", "created": 5, "owned_by": "them"}
    assert (none.status_code, none.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("listed", [{"data": "nonsense"}, {}, 3])
async def test_a_list_that_is_none(listed: Any) -> None:
    async with raw(upstream_listing(listed)) as (url, _), gateway(url) as base:
        response = await get(f"{base}/v1/models")
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_invalid")


async def test_health_and_readiness() -> None:
    async with raw(upstream_listing(LISTED)) as (url, _), gateway(url) as base:
        assert (await get(f"{base}/health")).json()["status"] == "ok"
        assert (await get(f"{base}/ready")).json() == {"status": "ready", "backends": {"default": "ready"}}


async def test_the_contract_and_its_pages_need_no_key_and_no_other_host() -> None:
    async with gateway("http://127.0.0.1:9/v1", token={"me": "key"}) as base:
        served = {path: await get(base + path) for path in CONTRACTS}
        pages = [await get(f"{base}/{page}") for page in ("docs", "redoc")]
        scripts = [
            await get(f"{base}/docs/assets/{name}")
            for name in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js")
        ]
        missing = await get(f"{base}/docs/assets/../../secret")
        other = await get(f"{base}/docs/assets/other.js")
    package = files("wireloom_protocol")
    for path, name in CONTRACTS.items():
        assert served[path].content == package.joinpath(name).read_bytes()
        assert served[path].headers["content-type"] == "application/json"
    assert all(
        page.status_code == 200 and "://" not in page.text.replace("http://www.w3.org", "") for page in pages
    )
    assert all(script.status_code == 200 and len(script.content) > 10_000 for script in scripts)
    assert (missing.status_code, other.status_code) == (404, 404)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nowhere", 404, None),
        ("GET", "/v1/responses", 405, "POST"),
        ("DELETE", "/v1/models", 405, "GET"),
        ("POST", "/v1/models/a/b", 405, "GET"),
        ("PUT", "/health", 405, "GET"),
    ],
)
async def test_paths_and_methods_that_are_not_there(
    method: str, path: str, status: int, allow: str | None
) -> None:
    async with gateway("http://127.0.0.1:9/v1") as base, httpx.AsyncClient() as client:
        response = await client.request(method, base + path)
    assert (response.status_code, response.headers.get("allow")) == (status, allow)
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"].startswith("req_")


async def test_a_websocket_is_answered_with_426() -> None:
    async with gateway("http://127.0.0.1:9/v1") as base:
        response = await get(
            f"{base}/v1/responses", connection="Upgrade", upgrade="websocket", sec_websocket_version="13"
        )
    assert (response.status_code, response.json()["error"]["code"]) == (426, "upgrade_required")


async def test_any_client_version_gets_the_catalogue() -> None:
    async with raw(upstream_listing(LISTED)) as (url, _), gateway(url) as base:
        response = await get(f"{base}/v1/models?client_version={'9' * 5000}")
    assert (response.status_code, len(response.json()["models"])) == (200, 3)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"authorization": "Bearer wrong"}, "invalid_api_key"),
        ({"authorization": "Basic a2V5"}, "missing_api_key"),
        ({"x-api-key": "wrong"}, "invalid_api_key"),
        ({"authorization": "Bearer k\xe9y"}, "invalid_api_key"),
        ({"authorization": "Bearer key"}, None),
        ({"authorization": "bearer key"}, None),
        ({"x-api-key": "key"}, None),
        ({"authorization": "Bearer key", "x-api-key": "key"}, None),
        ({"x-api-key": "second"}, None),
    ],
)
async def test_keys(headers: dict[str, str], code: str | None) -> None:
    async with (
        raw(upstream_listing(LISTED)) as (url, _),
        gateway(url, token={"a": "key", "b": "second"}) as base,
    ):
        async with httpx.AsyncClient() as client:
            encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
            response = await client.get(f"{base}/v1/models", headers=encoded)
    if code is None:
        assert response.status_code == 200
    else:
        assert (response.status_code, response.json()["error"]["code"]) == (401, code)
        assert response.json()["error"]["type"] == "authentication_error"


async def test_the_upstream_key_goes_to_the_upstream_and_nowhere_else() -> None:
    async def echo(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(
            answer(b'{"error": {"message": "bad key secret-4711"}}', status="401 No", kind="application/json")
        )

    async with (
        raw(echo) as (url, upstream),
        gateway(url, api_key="secret-4711") as base,
        httpx.AsyncClient() as client,
    ):
        response = await client.post(f"{base}/v1/responses", json={"model": "m", "input": "x"})
    assert b"authorization: bearer secret-4711" in upstream.heads[0].lower()
    assert "4711" not in response.text


async def test_more_requests_than_slots() -> None:
    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.7)
        writer.write(
            answer(
                b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}',
                kind="application/json",
            )
        )

    settings = {"max_concurrency": 1, "max_queue_size": 1, "queue_timeout_seconds": 0.3}
    async with (
        raw(slow) as (url, _),
        gateway(url, **settings) as base,
        httpx.AsyncClient(timeout=20) as client,
    ):
        asked = [
            asyncio.create_task(
                client.post(f"{base}/v1/responses", json={"model": "m", "input": "x", "stream": stream})
            )
            for stream in (True, True, True)
        ]
        answers = [await task for task in asked]
    assert sorted(response.status_code for response in answers) == [200, 429, 429]
    refused = {r.json()["error"]["code"] for r in answers if r.status_code == 429}
    assert refused == {"queue_full", "queue_timeout"}
    assert all(r.headers["retry-after"] == "1" for r in answers if r.status_code == 429)


async def test_a_default_model() -> None:
    async with raw(upstream_listing({"choices": []})) as (url, upstream), gateway(url, model="mine") as base:
        async with httpx.AsyncClient() as client:
            await client.post(f"{base}/v1/responses", json={"input": "x"})
    assert json.loads(upstream.bodies[0])["model"] == "mine"


async def test_losses_are_told_in_a_header() -> None:
    body = {"model": "m", "input": "x", "tools": [{"type": "web_search"}], "unheard_of": 1}
    async with raw(upstream_listing({"choices": []})) as (url, _), gateway(url) as base:
        async with httpx.AsyncClient() as client:
            lenient = await client.post(
                f"{base}/v1/responses", json={**body, "stream": True}, headers={"originator": "codex_exec"}
            )
    async with gateway("http://127.0.0.1:9/v1", strict=True) as base, httpx.AsyncClient() as client:
        strict = await client.post(f"{base}/v1/responses", json=body)
    assert lenient.headers["x-wireloom-loss"].startswith("tools[0];dropped;")
    assert "unheard_of;dropped;" in lenient.headers["x-wireloom-loss"]
    assert (strict.status_code, strict.json()["error"]["param"]) == (400, "tools[0]")


async def test_the_demo_backend() -> None:
    async with gateway(None, backend="demo") as base, httpx.AsyncClient() as client:
        response = await client.post(f"{base}/v1/responses", json={"model": "demo", "input": "hi"})
    assert response.json()["output"][0]["content"][0]["text"] == "You said: hi"


async def test_a_list_of_models_that_never_ends_is_given_up_with_its_connection() -> None:
    async def trickle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b'{"data": [', kind="application/json"))
        await writer.drain()
        await asyncio.sleep(60)

    async with raw(trickle) as (url, upstream), gateway(url) as base:
        response = await get(f"{base}/ready")
        await asyncio.wait_for(upstream.closed.wait(), 2)
    assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout")


@pytest.mark.parametrize(("value", "told"), [("7", "7"), ("1.2", "2"), ("\xb2", None), ("soon", None)])
async def test_how_long_to_wait_is_told_where_it_is_a_number(value: str, told: str | None) -> None:
    async def busy(_: bytes, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 429 No\r\nretry-after: {value}\r\ncontent-length: 2\r\n\r\n"
        writer.write(head.encode("latin-1") + b"{}")

    async with raw(busy) as (url, _), gateway(url) as base, httpx.AsyncClient() as client:
        response = await client.post(f"{base}/v1/responses", json={"model": "m", "input": "x"})
    assert (response.status_code, response.headers.get("retry-after")) == (429, told)
