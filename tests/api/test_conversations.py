"""Conversations over real sockets: items in and out, turns that add to them, and other keys that see nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.test_stored import MINE, THEIRS, TOKENS, check, refusal, replies
from tests.support.live import RawUpstream, gateway, raw

Json = dict[str, Any]

HELLO: Json = {"role": "user", "content": "hello"}
CALL: Json = {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "c", "output": "5"}


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[str, RawUpstream]]:
    async with raw(replies) as running:
        yield running


@pytest.fixture
async def client(upstream: tuple[str, RawUpstream]) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        gateway(upstream[0], token=TOKENS) as base,
        httpx.AsyncClient(base_url=f"{base}/v1", headers=MINE, timeout=20) as client,
    ):
        yield client


async def begun(client: httpx.AsyncClient, **body: Any) -> str:
    response = await client.post("/conversations", json=body)
    assert response.status_code == 200, response.text
    check("ConversationResource", response.json())
    path = f"/conversations/{response.json()['id']}"
    assert (await client.get(path)).json() == response.json()
    return path


async def texts(client: httpx.AsyncClient, path: str) -> list[str]:
    listed = (await client.get(f"{path}/items", params={"order": "asc", "limit": 100})).json()
    check("ConversationItemList", listed)
    return [item["content"][0]["text"] for item in listed["data"]]


# -- conversations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{}", b'{"metadata": null, "items": null}', b'{"items": []}'])
async def test_a_conversation_may_begin_with_nothing(body: bytes, client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"} if body else {}
    response = await client.post("/conversations", content=body, headers=headers)
    check("ConversationResource", response.json())
    assert response.json()["metadata"] == {}
    listed = (await client.get(f"/conversations/{response.json()['id']}/items")).json()
    assert listed == {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}


async def test_metadata_is_written_and_replaced(client: httpx.AsyncClient) -> None:
    path = await begun(client, metadata={"topic": "sums"})
    assert (await client.get(path)).json()["metadata"] == {"topic": "sums"}
    for metadata, kept in (({"a": "b"}, {"a": "b"}), (None, {})):
        changed = await client.post(path, json={"metadata": metadata})
        check("ConversationResource", changed.json())
        assert changed.json()["metadata"] == kept == (await client.get(path)).json()["metadata"]
    assert refusal(await client.post(path, json={})) == (400, "missing_required_parameter", "metadata")
    assert refusal(await client.post(path)) == (415, "invalid_value", "content-type")


async def test_a_deleted_conversation_is_gone(client: httpx.AsyncClient) -> None:
    path = await begun(client, items=[HELLO])
    deleted = await client.delete(path)
    check("DeletedConversationResource", deleted.json())
    for again in (client.delete(path), client.get(path), client.get(f"{path}/items")):
        assert refusal(await again) == (404, "not_found", "conversation_id")


# -- items -----------------------------------------------------------------------------------------------------------


async def test_items_are_added_listed_looked_up_and_deleted(client: httpx.AsyncClient) -> None:
    path = await begun(client, items=[HELLO])
    added = (await client.post(f"{path}/items", json={"items": [CALL, OUTPUT]})).json()
    check("ConversationItemList", added)
    assert [item["type"] for item in added["data"]] == ["function_call", "function_call_output"]
    listed = (await client.get(f"{path}/items")).json()
    assert listed["data"][:2] == added["data"][::-1]
    one = added["data"][0]
    found = await client.get(f"{path}/items/{one['id']}")
    check("ItemResource", found.json())
    assert found.json() == one
    deleted = await client.delete(f"{path}/items/{one['id']}")
    assert deleted.json() == (await client.get(path)).json()
    for again in (client.get(f"{path}/items/{one['id']}"), client.delete(f"{path}/items/{one['id']}")):
        assert refusal(await again) == (404, "not_found", "item_id")
    assert len((await client.get(f"{path}/items")).json()["data"]) == 2


@pytest.mark.parametrize("name", ["mine", "a/b/c", "ä ö", "100%", "?a=b#c"])
async def test_items_are_found_by_ids_of_the_clients_own(name: str, client: httpx.AsyncClient) -> None:
    path = await begun(client, items=[{**HELLO, "id": name}])
    escaped = httpx.QueryParams({"": name})
    item = f"{path}/items/{str(escaped)[1:].replace('+', '%20')}"
    assert (await client.get(item)).json()["id"] == name
    assert (await client.get(f"{path}/items", params={"after": name})).json()["data"] == []
    assert (await client.delete(item)).status_code == 200


@pytest.mark.parametrize(
    ("items", "param", "code"),
    [
        ([HELLO] * 21, "items", "invalid_value"),
        ([{"type": "odd"}], "items[0].type", "invalid_value"),
        ([HELLO, 5], "items[1]", "invalid_type"),
        ([HELLO, {"type": "function_call"}], "items[1].call_id", "missing_required_parameter"),
        ([{"id": "msg_nowhere"}], "items[0].id", "item_not_found"),
        ([{"type": "compaction_trigger"}], "items[0].type", "unsupported_item"),
        ([{**HELLO, "id": "a"}] * 2, "items[1].id", "invalid_value"),
    ],
)
@pytest.mark.parametrize("where", ["", "/items"])
async def test_items_that_are_refused(
    where: str, items: list[Any], param: str, code: str, client: httpx.AsyncClient
) -> None:
    path = f"{await begun(client)}/items" if where else "/conversations"
    assert refusal(await client.post(path, json={"items": items})) == (400, code, param)


async def test_an_item_too_deep_to_be_kept_is_refused(client: httpx.AsyncClient) -> None:
    deep: Json = {}
    for _ in range(250):
        deep = {"a": deep}
    items = [{"type": "tool_search_call", "arguments": deep}]
    assert refusal(await client.post("/conversations", json={"items": items}))[:2] == (400, "invalid_json")


# -- turns -----------------------------------------------------------------------------------------------------------


async def test_a_turn_goes_on_from_a_conversation_and_adds_to_it(
    client: httpx.AsyncClient, upstream: tuple[str, RawUpstream]
) -> None:
    path = await begun(client, items=[HELLO])
    name = path.rpartition("/")[2]
    for ask, conversation in (("two and two?", name), ("sure?", {"id": name})):
        body = {"model": "m", "input": ask, "conversation": conversation}
        response = (await client.post("/responses", json=body)).json()
        check("Response", response)
        assert response["conversation"] == {"id": name}
    assert await texts(client, path) == ["hello", "two and two?", "four", "sure?", "four"]
    (sent,) = [json.loads(body)["messages"] for body in upstream[1].bodies[1:]]
    assert [message["content"] for message in sent] == ["hello", "two and two?", "four", "sure?"]


async def test_a_turn_that_is_not_stored_adds_to_its_conversation_all_the_same(
    client: httpx.AsyncClient,
) -> None:
    path = await begun(client)
    body = {"model": "m", "input": "hello", "conversation": path.rpartition("/")[2], "store": False}
    response = (await client.post("/responses", json=body)).json()
    assert (await client.get(f"/responses/{response['id']}")).status_code == 404
    assert await texts(client, path) == ["hello", "four"]


async def test_turns_at_once_lose_nothing(client: httpx.AsyncClient) -> None:
    path = await begun(client)
    body = {"model": "m", "conversation": path.rpartition("/")[2]}
    await asyncio.gather(
        *(client.post("/responses", json={**body, "input": f"ask {number}"}) for number in range(8))
    )
    said = await texts(client, path)
    assert sorted(said) == sorted([f"ask {number}" for number in range(8)] + ["four"] * 8)


# -- other principals ------------------------------------------------------------------------------------------------

ADDED: Json = {"items": [HELLO]}


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("POST", "", {"metadata": {"stolen": "yes"}}),
        ("DELETE", "", None),
        ("POST", "/items", ADDED),
        ("POST", "/items", {"items": [{**HELLO, "id": "mine"}]}),
        ("GET", "/items", None),
        ("GET", "/items?after=mine", None),
        ("GET", "/items/mine", None),
        ("DELETE", "/items/mine", None),
    ],
)
async def test_anothers_conversation_is_as_unknown_as_one_that_never_was(
    method: str, rest: str, body: Any, client: httpx.AsyncClient
) -> None:
    path = await begun(client, items=[{**HELLO, "id": "mine"}])
    mine, answers = path.rpartition("/")[2], []
    for name in (mine, "conv_nowhere"):
        response = await client.request(method, f"/conversations/{name}{rest}", json=body, headers=THEIRS)
        left_out = ("date", "x-request-id", "content-length")
        headers = {key: value for key, value in response.headers.items() if key not in left_out}
        answers.append((response.status_code, headers, response.text.replace(name, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert (await client.get(path)).json()["metadata"] == {}
    assert await texts(client, path) == ["hello"]


async def test_anothers_item_cannot_be_referred_to(client: httpx.AsyncClient) -> None:
    await begun(client, items=[{**HELLO, "id": "msg_mine"}])
    answers = []
    for name in ("msg_mine", "msg_nowhere"):
        response = await client.post("/conversations", json={"items": [{"id": name}]}, headers=THEIRS)
        answers.append((response.status_code, response.text.replace(name, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 400
    assert (await client.post("/conversations", json={"items": [{"id": "msg_mine"}]})).status_code == 200
