"""What is stored comes back in pages and in its stored form, to its owner alone."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from wireloom_protocol import replies
from wireloom_protocol import responses as m

from tests.support import contract
from wireloom.archive import REFERENCE, Archive, Page, with_ids
from wireloom.errors import GatewayError, InvalidRequest, NotFound, Unavailable
from wireloom.history.base import Full, History, ItemJson, Record
from wireloom.history.memory import Memory
from wireloom.history.sqlite import Sqlite
from wireloom.translate.tools.table import PREFIXES

Json = dict[str, Any]

NOW = 1_700_000_000
OWNER, OTHER = "owner", "other"
RESPONSE: Json = {"id": "resp_1", "object": "response", "status": "completed"}
ANSWER: Json = {
    "type": "message",
    "id": "msg_answer",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "four", "annotations": [], "logprobs": []}],
}


def said(text: str, **fields: Any) -> Json:
    return {"type": "message", "role": "user", "content": text, **fields}


def numbered() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}_{next(numbers)}"


def encoded(*items: Json) -> list[ItemJson]:
    return [msgspec.json.encode(item) for item in items]


def ids(listed: replies.ResponseItemList) -> list[str]:
    items: list[Any] = [*listed["data"]]
    return [item["id"] for item in items]


@pytest.fixture(params=["memory", "sqlite"])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[History]:
    store: History = Memory() if request.param == "memory" else Sqlite(tmp_path / "history.sqlite")
    async with aclosing(store):
        yield store


@pytest.fixture
def archive(history: History) -> Archive:
    return Archive(history, numbered(), lambda: NOW + 0.5)


async def keep(history: History, *inputs: Json, id: str = "resp_1", previous: str | None = None) -> None:
    response = msgspec.json.encode({**RESPONSE, "id": id})
    record = Record(id, NOW, response, encoded(*inputs), encoded(ANSWER), previous)
    await history.keep(OWNER, record)


# -- ids -------------------------------------------------------------------------------------------------------------


def test_every_kind_of_item_has_a_prefix_of_its_own() -> None:
    assert PREFIXES.keys() == contract.tags(m.InputItem) - {REFERENCE}
    assert len({*PREFIXES.values()}) == len(PREFIXES)
    assert all(re.fullmatch("[a-z]{2,5}", prefix) for prefix in PREFIXES.values())


def test_items_get_ids_where_they_have_none_of_their_own() -> None:
    items = [
        said("a"),
        said("b", id=None),
        said("c", id=""),
        said("d", id="mine"),
        said("e", id="mine"),
        {"type": "function_call_output", "call_id": "c", "output": "5"},
        {"type": REFERENCE, "id": "mine"},
        {"type": "compaction_trigger", "id": {}},
        {"type": "compaction_trigger", "id": 5},
    ]
    named = with_ids(items, numbered())
    assert [item["id"] for item in named] == [
        *("msg_1", "msg_2", "msg_3", "mine", "msg_4", "fco_5", "mine"),
        *("cmpt_6", "cmpt_7"),
    ]
    assert [{**item, "id": None} for item in named] == [{**item, "id": None} for item in items]
    assert "id" not in items[0]


# -- responses -------------------------------------------------------------------------------------------------------


async def test_a_response_comes_back_with_its_output(archive: Archive, history: History) -> None:
    await keep(history, said("two and two?", id="msg_1"))
    assert await archive.response(OWNER, "resp_1") == {**RESPONSE, "output": [ANSWER]}


async def test_a_deleted_response_is_gone(archive: Archive, history: History) -> None:
    await keep(history)
    assert await archive.forget(OWNER, "resp_1") == {"id": "resp_1", "object": "response", "deleted": True}
    for ask in (archive.response, archive.forget):
        with pytest.raises(NotFound):
            await ask(OWNER, "resp_1")
    with pytest.raises(NotFound):
        await archive.inputs(OWNER, "resp_1", Page())


async def test_inputs_are_those_of_the_context_too(archive: Archive, history: History) -> None:
    await keep(history, said("two and two?", id="msg_1"))
    await keep(history, said("are you sure?", id="msg_2"), id="resp_2", previous="resp_1")
    listed = await archive.inputs(OWNER, "resp_2", Page(order="asc"))
    assert ids(listed) == ["msg_1", "msg_answer", "msg_2"]
    assert listed["data"][1] == ANSWER
    last: Any = listed["data"][2]
    assert last["content"] == [{"type": "input_text", "text": "are you sure?"}]


async def test_what_has_no_stored_form_is_not_listed(archive: Archive, history: History) -> None:
    trigger = {"type": "compaction_trigger", "id": "cmpt_1"}
    await keep(history, said("a", id="a"), trigger, said("b", id="b"))
    listed = await archive.inputs(OWNER, "resp_1", Page(limit=2))
    assert (ids(listed), listed["has_more"]) == (["b", "a"], False)


# -- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
async def test_pages_hold_every_item_once(order: Any, limit: int, archive: Archive, history: History) -> None:
    whole = [f"item_{number}" for number in range(7)]
    await keep(history, *(said("x", id=id) for id in whole))
    pages, after = [], None
    while True:
        page = await archive.inputs(OWNER, "resp_1", Page(limit, order, after))
        pages.append(ids(page))
        assert (page["object"], page["first_id"], page["last_id"]) == ("list", pages[-1][0], pages[-1][-1])
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert all(len(page) == limit for page in pages[:-1])
    assert list(itertools.chain(*pages)) == (whole if order == "asc" else whole[::-1])
    beyond = await archive.inputs(OWNER, "resp_1", Page(limit, order, after))
    assert beyond == {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_end_where_an_id_is_there_twice(order: Any, archive: Archive, history: History) -> None:
    await keep(history, *(said("x", id=id) for id in ("a", "twice", "b", "twice", "c")))
    after, seen = None, 0
    while seen < 10:
        page = await archive.inputs(OWNER, "resp_1", Page(1, order, after))
        seen, after = seen + 1, page["last_id"]
        if not page["has_more"]:
            break
    assert seen <= 5


async def test_a_page_after_an_item_that_is_not_there(archive: Archive, history: History) -> None:
    await keep(history, said("a", id="a"))
    with pytest.raises(InvalidRequest) as caught:
        await archive.inputs(OWNER, "resp_1", Page(after="b"))
    assert (caught.value.param, caught.value.code) == ("after", "item_not_found")


# -- conversations ---------------------------------------------------------------------------------------------------


async def test_a_conversation_from_beginning_to_end(archive: Archive) -> None:
    begun = await archive.begin(OWNER, {"topic": "sums"}, [said("a")])
    assert begun == {
        "id": "conv_1",
        "object": "conversation",
        "created_at": NOW,
        "metadata": {"topic": "sums"},
    }
    assert await archive.conversation(OWNER, "conv_1") == begun
    renamed = await archive.rename(OWNER, "conv_1", {})
    assert renamed == {**begun, "metadata": {}} == await archive.conversation(OWNER, "conv_1")
    added = await archive.add(OWNER, "conv_1", [said("b"), {"type": "reasoning", "summary": []}])
    assert (ids(added), added["has_more"]) == (["msg_3", "rs_4"], False)
    assert ids(await archive.items(OWNER, "conv_1", Page())) == ["rs_4", "msg_3", "msg_2"]
    one = await archive.item(OWNER, "conv_1", "msg_3")
    assert one == added["data"][0]
    assert await archive.drop(OWNER, "conv_1", "msg_3") == renamed
    assert ids(await archive.items(OWNER, "conv_1", Page(order="asc"))) == ["msg_2", "rs_4"]
    assert await archive.end(OWNER, "conv_1") == {
        "id": "conv_1",
        "object": "conversation.deleted",
        "deleted": True,
    }
    with pytest.raises(NotFound):
        await archive.conversation(OWNER, "conv_1")


async def test_a_reference_puts_what_it_stands_for_into_a_conversation(
    archive: Archive, history: History
) -> None:
    await keep(history)
    await archive.begin(OWNER, {}, [{"type": REFERENCE, "id": "msg_answer"}])
    assert (await archive.items(OWNER, "conv_1", Page()))["data"] == [ANSWER]


@pytest.mark.parametrize(
    ("items", "param", "code"),
    [
        ([said("a"), {"type": REFERENCE, "id": "nowhere"}], "items[1].id", "item_not_found"),
        ([{"type": "compaction_trigger"}], "items[0].type", "unsupported_item"),
        ([said("a"), {"type": "program", "id": "p"}], "items[1].type", "unsupported_item"),
        ([said("a", id="a"), said("b", id="a")], "items[1].id", "invalid_value"),
        ([said("a", id="there")], "items[0].id", "invalid_value"),
    ],
)
async def test_items_that_a_conversation_does_not_take(
    items: Sequence[Json], param: str, code: str, archive: Archive
) -> None:
    await archive.begin(OWNER, {}, [said("first", id="there")])
    with pytest.raises(InvalidRequest) as caught:
        await archive.add(OWNER, "conv_1", items)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert ids(await archive.items(OWNER, "conv_1", Page())) == ["there"]


# -- other principals, and failures ----------------------------------------------------------------------------------

Ask = Callable[[Archive, str, str], Any]

ASKS: dict[str, Ask] = {
    "response": lambda archive, who, id: archive.response(who, id),
    "forget": lambda archive, who, id: archive.forget(who, id),
    "inputs": lambda archive, who, id: archive.inputs(who, id, Page()),
    "conversation": lambda archive, who, id: archive.conversation(who, id),
    "rename": lambda archive, who, id: archive.rename(who, id, {"a": "b"}),
    "end": lambda archive, who, id: archive.end(who, id),
    "add": lambda archive, who, id: archive.add(who, id, [said("mine", id="first")]),
    "items": lambda archive, who, id: archive.items(who, id, Page(after="nowhere")),
    "item": lambda archive, who, id: archive.item(who, id, "first"),
    "drop": lambda archive, who, id: archive.drop(who, id, "first"),
}


async def refusal(ask: Ask, archive: Archive, who: str, id: str) -> tuple[Any, ...]:
    with pytest.raises(GatewayError) as caught:
        await ask(archive, who, id)
    body = caught.value.body()
    return (caught.value.status, {**body, "message": body["message"].replace(id, "ID")})


@pytest.mark.parametrize("name", ASKS)
async def test_what_is_anothers_is_as_unknown_as_what_never_was(
    name: str, archive: Archive, history: History
) -> None:
    await keep(history)
    await archive.begin(OWNER, {}, [said("a", id="first")])
    mine = "resp_1" if name in ("response", "forget", "inputs") else "conv_1"
    foreign = await refusal(ASKS[name], archive, OTHER, mine)
    assert foreign == await refusal(ASKS[name], archive, OTHER, "nowhere")
    assert (foreign[0], foreign[1]["code"]) == (404, "not_found")
    assert await archive.response(OWNER, "resp_1")
    assert ids(await archive.items(OWNER, "conv_1", Page())) == ["first"]
    assert (await archive.conversation(OWNER, "conv_1"))["metadata"] == {}


async def test_an_item_of_anothers_cannot_be_referred_to(archive: Archive, history: History) -> None:
    await keep(history)
    with pytest.raises(InvalidRequest) as foreign:
        await archive.begin(OTHER, {}, [{"type": REFERENCE, "id": "msg_answer"}])
    with pytest.raises(InvalidRequest) as unknown:
        await archive.begin(OTHER, {}, [{"type": REFERENCE, "id": "msg_nowhere"}])
    assert foreign.value.body() == {
        **unknown.value.body(),
        "message": unknown.value.message.replace("msg_nowhere", "msg_answer"),
    }


async def test_a_store_without_room_is_unavailable() -> None:
    archive = Archive(Memory(max_bytes=200), numbered(), lambda: NOW)
    with pytest.raises(Unavailable) as caught:
        await archive.begin(OWNER, {}, [said("x" * 1000)])
    assert (caught.value.status, caught.value.code) == (503, "store_full")
    assert "x" * 10 not in caught.value.message


async def test_a_store_that_fails_is_unavailable_whatever_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    history = Memory()

    async def fails(*_: object) -> Any:
        raise Full("The disk fails.")

    archive = Archive(history, numbered(), lambda: NOW)
    for name in ("response", "forget", "inputs", "conversation", "rename", "end", "dialogue"):
        monkeypatch.setattr(history, name, fails)
    for ask in ASKS.values():
        with pytest.raises(Unavailable, match="The disk fails"):
            await ask(archive, OWNER, "resp_1")


async def test_a_conversation_that_ends_while_items_are_added_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = Memory()
    archive = Archive(history, numbered(), lambda: NOW)
    await archive.begin(OWNER, {}, [])
    add = history.add

    async def after_the_end(principal: str, conversation_id: str, items: Sequence[ItemJson]) -> bool:
        await history.end(principal, conversation_id)
        return await add(principal, conversation_id, items)

    monkeypatch.setattr(history, "add", after_the_end)
    with pytest.raises(NotFound):
        await archive.add(OWNER, "conv_1", [said("late")])
