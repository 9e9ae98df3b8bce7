"""Stored responses, counting and compacting over real sockets: what a client gets, and what another client does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.support import contract
from tests.support.live import answer, gateway, raw

Json = dict[str, Any]

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"four"},"finish_reason":null}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
ASK: Json = {"model": "m", "input": "two and two?"}
MINE, THEIRS = {"x-api-key": "key-of-one"}, {"x-api-key": "key-of-two"}
TOKENS = {"one": "key-of-one", "two": "key-of-two"}
COMPONENTS = json.loads(contract.CONTRACT.read_bytes())["components"]


def check(schema: str, value: Any) -> None:
    """Make sure that an answer keeps to the served contract."""
    reference = {"$ref": f"#/components/schemas/{schema}", "components": COMPONENTS}
    Draft202012Validator(reference).validate(value)


async def replies(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(CHUNK, END))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        raw(replies) as (url, _),
        gateway(url, token=TOKENS) as base,
        httpx.AsyncClient(base_url=f"{base}/v1", headers=MINE, timeout=20) as client,
    ):
        yield client


async def made(client: httpx.AsyncClient, **fields: Any) -> Json:
    response = await client.post("/responses", json={**ASK, **fields})
    assert response.status_code == 200, response.text
    body: Json = response.json()
    return body


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


# -- responses -------------------------------------------------------------------------------------------------------


async def test_a_response_comes_back_as_it_was_answered(client: httpx.AsyncClient) -> None:
    first = await made(client)
    found = await client.get(f"/responses/{first['id']}")
    assert found.json() == first
    check("Response", found.json())


async def test_a_streamed_response_comes_back_as_its_stream_ended(client: httpx.AsyncClient) -> None:
    streamed = await client.post("/responses", json={**ASK, "stream": True})
    *_, last, _ = streamed.text.strip().split("\n\n")
    ended = json.loads(last.partition("data: ")[2])["response"]
    assert (await client.get(f"/responses/{ended['id']}")).json() == ended


async def test_a_response_that_is_not_stored_is_not_there(client: httpx.AsyncClient) -> None:
    unstored = await made(client, store=False)
    assert refusal(await client.get(f"/responses/{unstored['id']}")) == (404, "not_found", "response_id")


async def test_a_deleted_response_is_gone(client: httpx.AsyncClient) -> None:
    path = f"/responses/{(await made(client))['id']}"
    deleted = await client.delete(path)
    check("DeletedResponse", deleted.json())
    for again in (client.delete(path), client.get(path), client.get(f"{path}/input_items")):
        assert refusal(await again) == (404, "not_found", "response_id")


async def test_input_items(client: httpx.AsyncClient) -> None:
    first = await made(client, input=[{"role": "developer", "content": "Be brief."}, *_user("two and two?")])
    second = await made(client, input="are you sure?", previous_response_id=first["id"])
    listed = (await client.get(f"/responses/{second['id']}/input_items", params={"order": "asc"})).json()
    check("ResponseItemList", listed)
    said = [(item["role"], item["content"][0]["text"]) for item in listed["data"]]
    assert said == [
        ("developer", "Be brief."),
        ("user", "two and two?"),
        ("assistant", "four"),
        ("user", "are you sure?"),
    ]
    assert (await client.get(f"/responses/{second['id']}/input_items")).json()["data"] == listed["data"][::-1]


def _user(text: str) -> list[Json]:
    return [{"role": "user", "content": text}]


async def test_pages_of_input_items(client: httpx.AsyncClient) -> None:
    path = (
        f"/responses/{(await made(client, input=[*_user('a'), *_user('b'), *_user('c')]))['id']}/input_items"
    )
    texts: list[str] = []
    query: dict[str, Any] = {"limit": 1}
    for more in (True, True, False):
        page = (await client.get(path, params=query)).json()
        check("ResponseItemList", page)
        assert page["has_more"] is more
        texts += [item["content"][0]["text"] for item in page["data"]]
        query["after"] = page["last_id"]
    assert texts == ["c", "b", "a"]


# -- queries ---------------------------------------------------------------------------------------------------------

INVALID, UNSUPPORTED = "invalid_value", "unsupported_parameter"


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("limit=0", "limit", INVALID),
        ("limit=101", "limit", INVALID),
        ("limit=ten", "limit", INVALID),
        ("limit=", "limit", INVALID),
        ("limit=1.5", "limit", INVALID),
        ("limit=99999999999999999999999", "limit", INVALID),
        ("limit=1&limit=2", "limit", INVALID),
        ("order=up", "order", INVALID),
        ("after=nowhere", "after", "item_not_found"),
        ("after=", "after", "item_not_found"),
        ("include=secrets", "include", INVALID),
        ("include[]=secrets", "include", INVALID),
        ("include=reasoning.encrypted_content&include=secrets", "include", INVALID),
    ],
)
async def test_queries_that_are_refused(query: str, param: str, code: str, client: httpx.AsyncClient) -> None:
    response = await client.get(f"/responses/{(await made(client))['id']}/input_items?{query}")
    assert refusal(response) == (400, code, param)
    assert "secrets" not in response.text


@pytest.mark.parametrize(
    "query",
    [
        "limit=1",
        "limit=100&order=asc",
        "include=reasoning.encrypted_content&include=message.output_text.logprobs",
        "include[]=reasoning.encrypted_content&include[]=message.output_text.logprobs",
        "api-version=1",
    ],
)
async def test_queries_that_are_taken(query: str, client: httpx.AsyncClient) -> None:
    response = await client.get(f"/responses/{(await made(client))['id']}/input_items?{query}")
    assert (response.status_code, len(response.json()["data"])) == (200, 1)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("stream=true", "stream"),
        ("stream=True", "stream"),
        ("stream=1", "stream"),
        ("starting_after=3", "starting_after"),
        ("stream=true&starting_after=3", "starting_after"),
    ],
)
async def test_a_stored_response_is_not_streamed(query: str, param: str, client: httpx.AsyncClient) -> None:
    path = f"/responses/{(await made(client))['id']}"
    assert refusal(await client.get(f"{path}?{query}")) == (400, UNSUPPORTED, param)
    assert (await client.get(f"{path}?stream=false&include_obfuscation=false")).status_code == 200


# -- other principals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("DELETE", ""), ("GET", "/input_items")])
async def test_anothers_response_is_as_unknown_as_one_that_never_was(
    method: str, rest: str, client: httpx.AsyncClient
) -> None:
    mine = (await made(client))["id"]
    answers = []
    for name in (mine, "resp_nowhere"):
        response = await client.request(method, f"/responses/{name}{rest}", headers=THEIRS)
        headers = {key: value for key, value in response.headers.items() if key != "date"}
        headers.pop("x-request-id")
        headers.pop("content-length")
        answers.append((response.status_code, headers, response.text.replace(name, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert (await client.get(f"/responses/{mine}")).status_code == 200


# -- counting and compacting -----------------------------------------------------------------------------------------


async def test_input_tokens_are_counted(client: httpx.AsyncClient) -> None:
    counts = []
    for text in ("two", "two and two make four, as everybody knows who has ever counted"):
        response = await client.post("/responses/input_tokens", json={"model": "m", "input": text})
        check("TokenCountsResource", response.json())
        assert "emulated" in response.headers["x-wireloom-loss"]
        counts.append(response.json()["input_tokens"])
    assert 0 < counts[0] < counts[1]


async def test_what_a_count_does_not_take_is_not_read(client: httpx.AsyncClient) -> None:
    response = await client.post("/responses/input_tokens", json={**ASK, "store": "later", "stream": "soon"})
    assert response.status_code == 200, response.text


async def test_what_came_before_is_counted_too(client: httpx.AsyncClient) -> None:
    first = await made(client, input="two and two? " * 100)
    body = {"model": "m", "input": "sure?"}
    alone = await client.post("/responses/input_tokens", json=body)
    whole = await client.post("/responses/input_tokens", json={**body, "previous_response_id": first["id"]})
    assert whole.json()["input_tokens"] > alone.json()["input_tokens"] + 100


async def test_a_conversation_is_compacted(client: httpx.AsyncClient) -> None:
    response = await client.post("/responses/compact", json=ASK)
    check("CompactResource", response.json())
    (left,) = response.json()["output"]
    assert left["type"] == "compaction"
    followed = await client.post("/responses", json={"model": "m", "input": [left, *_user("go on")]})
    assert followed.status_code == 200


@pytest.mark.parametrize("path", ["/responses/input_tokens", "/responses/compact"])
@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": "a"}, "model", "missing_required_parameter"),
        ({"model": None, "input": "a"}, "model", "invalid_type"),
        ({"model": "m", "input": 5}, "input", "invalid_type"),
        ({"model": "m", "input": [{"type": "odd"}]}, "input[0].type", "invalid_value"),
        (
            {"model": "m", "input": "a", "previous_response_id": "resp_nowhere"},
            "previous_response_id",
            "previous_response_not_found",
        ),
    ],
)
async def test_requests_that_cannot_be_counted_or_compacted(
    path: str, body: Json, param: str, code: str, client: httpx.AsyncClient
) -> None:
    assert refusal(await client.post(path, json=body)) == (400, code, param)
