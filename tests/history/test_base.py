"""What every store does: chains, branches, conversations, principals, budgets, expiry."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.history.conftest import Clock, Open, conversation, item, names, record
from wireloom.history.base import Full, Gone, History, item_id

OTHERS = ("mallory", "")


async def test_a_chain_is_told_oldest_first(store: History) -> None:
    await store.keep("ada", record("r1"))
    await store.keep("ada", record("r2", "r1"))
    await store.keep("ada", record("r3", "r2", inputs=[item("a"), item("b")], outputs=[]))
    context = await store.context("ada", "r3")
    assert context is not None
    assert names(context.items) == ["r1.in", "r1.out", "r2.in", "r2.out", "a", "b"]
    assert context.session == "r1"
    assert names(await store.inputs("ada", "r2")) == ["r1.in", "r1.out", "r2.in"]
    kept = await store.response("ada", "r2")
    assert kept is not None
    assert json.loads(kept.response) == {"id": "r2", "object": "response"}
    assert list(kept.outputs) == [item("r2.out")]


async def test_items_come_back_byte_for_byte(store: History) -> None:
    strange = [
        item("a", "größe 模型 🧵 \u2028 \\ud800"),
        b'{ "id" : "b",  "n":1e400, "s":"\\ud83e\\uddf5\\u0000"}',
    ]
    await store.keep("ada", record("r1", inputs=strange, outputs=[]))
    context = await store.context("ada", "r1")
    assert context is not None
    assert list(context.items) == strange
    assert await store.items("ada", ["a", "b", "zz"]) == {"a": strange[0], "b": strange[1]}


async def test_branches_share_what_came_before_and_nothing_else(store: History) -> None:
    await store.keep("ada", record("root"))
    await store.keep("ada", record("left", "root"))
    await store.keep("ada", record("right", "root"))
    left, right = await store.context("ada", "left"), await store.context("ada", "right")
    assert left is not None
    assert right is not None
    assert names(left.items) == ["root.in", "root.out", "left.in", "left.out"]
    assert names(right.items) == ["root.in", "root.out", "right.in", "right.out"]
    assert left.session == right.session == "root"


async def test_a_response_that_others_follow_is_deleted(store: History) -> None:
    for name, previous in (("r1", None), ("r2", "r1"), ("r3", "r2"), ("r4", "r2")):
        await store.keep("ada", record(name, previous))
    assert await store.forget("ada", "r2")
    assert not await store.forget("ada", "r2")
    assert await store.response("ada", "r2") is None
    assert await store.inputs("ada", "r2") is None
    assert await store.context("ada", "r2") is None
    with pytest.raises(Gone):
        await store.keep("ada", record("r5", "r2"))
    assert names(await store.inputs("ada", "r3")) == ["r1.in", "r1.out", "r2.in", "r2.out", "r3.in"]
    assert await store.items("ada", ["r2.out"]) == {"r2.out": item("r2.out")}
    assert await store.forget("ada", "r3")
    assert names(await store.inputs("ada", "r4")) == ["r1.in", "r1.out", "r2.in", "r2.out", "r4.in"]
    assert await store.forget("ada", "r4")
    assert await store.items("ada", ["r2.out", "r3.out", "r4.out"]) == {}
    assert names(await store.inputs("ada", "r1")) == ["r1.in"]
    await store.keep("ada", record("r2", "r1"))  # nothing of it is left, so the id is free


async def test_the_newest_item_of_an_id_counts(store: History) -> None:
    await store.keep("ada", record("r1", inputs=[item("x", "old")]))
    await store.keep("ada", record("r2", inputs=[item("x", "new")]))
    assert await store.items("ada", ["x"]) == {"x": item("x", "new")}
    await store.forget("ada", "r2")
    assert await store.items("ada", ["x"]) == {"x": item("x", "old")}


async def test_a_conversation_from_its_beginning_to_its_end(store: History) -> None:
    await store.begin("ada", conversation("c", topic="looms"), [item("i1")])
    found = await store.conversation("ada", "c")
    assert found == conversation("c", topic="looms")
    assert await store.add("ada", "c", [item("i2"), item("i3")])
    await store.keep("ada", record("r1", conversation="c"))
    await store.keep("ada", record("r2", conversation="c"))
    dialogue = await store.dialogue("ada", "c")
    assert dialogue is not None
    assert dialogue.session == "c"
    assert names(dialogue.items) == ["i1", "i2", "i3", "r1.in", "r1.out", "r2.in", "r2.out"]
    assert names(await store.inputs("ada", "r1")) == ["i1", "i2", "i3", "r1.in"]
    assert await store.drop("ada", "c", "i2")
    assert not await store.drop("ada", "c", "i2")
    assert names(await store.inputs("ada", "r1")) == ["i1", "i3", "r1.in"]
    assert await store.items("ada", ["i2", "i3"]) == {"i3": item("i3")}
    assert await store.rename("ada", "c", {"a": "b"}) == conversation("c", a="b")
    assert await store.conversation("ada", "c") == conversation("c", a="b")
    assert await store.end("ada", "c")
    assert not await store.end("ada", "c")
    assert await store.conversation("ada", "c") is None
    assert await store.dialogue("ada", "c") is None
    assert await store.response("ada", "r1") is None
    assert not await store.add("ada", "c", [item("i4")])
    assert await store.rename("ada", "c", {}) is None
    with pytest.raises(Gone):
        await store.keep("ada", record("r3", conversation="c"))
    assert await store.items("ada", ["i1", "r1.out"]) == {}


async def test_a_dropped_item_is_gone_for_what_was_written_before_and_after(store: History) -> None:
    await store.begin("ada", conversation("c"), [])
    await store.keep("ada", record("r1", conversation="c"))
    assert await store.drop("ada", "c", "r1.out")
    await store.add("ada", "c", [item("later")])
    assert names(await store.inputs("ada", "r1")) == ["r1.in"]
    kept = await store.response("ada", "r1")
    assert kept is not None
    assert list(kept.outputs) == []
    context = await store.context("ada", "r1")
    assert context is not None
    assert names(context.items) == ["r1.in"]


async def test_a_forgotten_response_leaves_its_items_to_the_conversation(store: History) -> None:
    await store.begin("ada", conversation("c"), [])
    await store.keep("ada", record("r1", conversation="c"))
    assert await store.forget("ada", "r1")
    assert await store.response("ada", "r1") is None
    dialogue = await store.dialogue("ada", "c")
    assert dialogue is not None
    assert names(dialogue.items) == ["r1.in", "r1.out"]


async def test_a_chain_may_leave_a_conversation(store: History) -> None:
    await store.begin("ada", conversation("c"), [item("i1")])
    await store.keep("ada", record("r1", conversation="c"))
    await store.keep("ada", record("side", "r1"))
    await store.add("ada", "c", [item("i2")])
    side = await store.context("ada", "side")
    assert side is not None
    assert side.session == "c"
    assert names(side.items) == ["i1", "r1.in", "r1.out", "side.in", "side.out"]
    dialogue = await store.dialogue("ada", "c")
    assert dialogue is not None
    assert names(dialogue.items) == ["i1", "r1.in", "r1.out", "i2"]


@pytest.mark.parametrize("other", OTHERS)
async def test_another_principal_meets_the_unknown(store: History, other: str) -> None:
    await store.keep("ada", record("r1"))
    await store.begin("ada", conversation("c"), [item("i1")])
    for names_ in (("r1", "c", "i1"), ("r9", "c9", "i9")):
        response, talk, piece = names_
        assert await store.context(other, response) is None
        assert await store.response(other, response) is None
        assert await store.inputs(other, response) is None
        assert await store.forget(other, response) is False
        assert await store.items(other, [piece, f"{response}.in"]) == {}
        assert await store.conversation(other, talk) is None
        assert await store.rename(other, talk, {"a": "b"}) is None
        assert await store.dialogue(other, talk) is None
        assert await store.add(other, talk, [item("x")]) is False
        assert await store.drop(other, talk, piece) is False
        assert await store.end(other, talk) is False
        with pytest.raises(Gone) as unknown:
            await store.keep(other, record("r2", response))
        with pytest.raises(Gone) as talked:
            await store.keep(other, record("r2", conversation=talk))
        assert (
            str(unknown.value) == str(talked.value) == "What the response was to follow is not here any more."
        )
    await store.keep(other, record("r1", inputs=[item("mine")]))
    await store.begin(other, conversation("c"), [])
    assert names(await store.inputs("ada", "r1")) == ["r1.in"]
    assert names(await store.inputs(other, "r1")) == ["mine"]
    assert await store.conversation("ada", "c") == conversation("c")


async def test_an_id_that_is_taken_changes_nothing(store: History) -> None:
    await store.keep("ada", record("r1"))
    await store.begin("ada", conversation("c"), [item("i1")])
    with pytest.raises(ValueError, match="taken"):
        await store.keep("ada", record("r1", inputs=[item("other")]))
    with pytest.raises(ValueError, match="taken"):
        await store.begin("ada", conversation("c", a="b"), [item("other")])
    with pytest.raises(ValueError, match="both"):
        await store.keep("ada", record("r2", "r1", conversation="c"))
    assert names(await store.inputs("ada", "r1")) == ["r1.in"]
    assert await store.conversation("ada", "c") == conversation("c")
    assert await store.items("ada", ["other", "r2.in"]) == {}


async def test_a_bad_item_leaves_nothing_half_written(store: History) -> None:
    with pytest.raises(Exception, match="id"):
        await store.keep("ada", record("r1", outputs=[item("good"), b'{"no": 1}']))
    assert await store.response("ada", "r1") is None
    assert await store.items("ada", ["r1.in", "good"]) == {}
    await store.keep("ada", record("r1"))
    assert names(await store.inputs("ada", "r1")) == ["r1.in"]


async def test_what_is_not_used_expires(opened: Open, clock: Clock) -> None:
    store = opened(ttl_seconds=100)
    await store.keep("ada", record("r1"))
    await store.begin("ada", conversation("c"), [item("i1")])
    clock.time += 60
    assert await store.response("ada", "r1") is not None  # used, so it begins anew
    clock.time += 60
    assert names(await store.inputs("ada", "r1")) == ["r1.in"]
    assert await store.conversation("ada", "c") is None
    assert await store.dialogue("ada", "c") is None
    assert await store.items("ada", ["i1", "r1.in"]) == {"r1.in": item("r1.in")}
    clock.time += 101
    assert await store.response("ada", "r1") is None
    assert await store.items("ada", ["r1.in"]) == {}
    assert not await store.forget("ada", "r1")
    with pytest.raises(Gone):
        await store.keep("ada", record("r2", "r1"))
    with pytest.raises(Gone):
        await store.keep("ada", record("r2", conversation="c"))
    await store.begin("ada", conversation("c"), [])
    await store.keep("ada", record("r1"))  # the ids are free again


async def test_no_time_to_live_is_no_limit(store: History, clock: Clock) -> None:
    await store.keep("ada", record("r1"))
    clock.time += 1e9
    assert await store.response("ada", "r1") is not None


async def test_what_is_held_does_not_expire(opened: Open, clock: Clock) -> None:
    store = opened(ttl_seconds=100)
    await store.keep("ada", record("r1"))
    context = await store.context("ada", "r1")
    clock.time += 1000
    await store.keep("bob", record("other"))
    await store.keep("ada", record("r2", "r1"))
    assert await store.response("ada", "r1") is not None
    del context
    clock.time += 101
    assert await store.response("ada", "r1") is None


async def test_the_least_recently_used_session_makes_room(opened: Open, clock: Clock) -> None:
    store = opened(max_sessions=2)
    for name in ("a", "b"):
        await store.keep("ada", record(name))
        clock.time += 1
    await store.response("ada", "a")
    clock.time += 1
    await store.begin("bob", conversation("c"), [])
    assert await store.response("ada", "b") is None
    clock.time += 1
    await store.keep("ada", record("a2", "a"))  # no new session, so no one has to go
    clock.time += 1
    await store.keep("ada", record("d"))
    assert await store.conversation("bob", "c") is None
    assert names(await store.inputs("ada", "a2")) == ["a.in", "a.out", "a2.in"]


async def test_what_is_held_is_not_evicted(opened: Open, clock: Clock) -> None:
    store = opened(max_sessions=2)
    await store.keep("ada", record("a"))
    await store.begin("ada", conversation("c"), [])
    held = [await store.context("ada", "a"), await store.dialogue("ada", "c")]
    with pytest.raises(Full, match="in use"):
        await store.keep("bob", record("b"))
    assert await store.response("ada", "a") is not None
    clock.time += 1
    await store.keep("ada", record("a2", "a"))
    del held[1]
    await store.keep("bob", record("b"))
    assert await store.conversation("ada", "c") is None
    assert await store.response("ada", "a2") is not None


async def test_bytes_are_counted_and_make_room(opened: Open, clock: Clock) -> None:
    size = len(record("a").response) + len(item("a.in")) + len(item("a.out"))
    store = opened(max_bytes=3 * size)
    for name in ("a", "b", "c"):
        await store.keep("ada", record(name))
        clock.time += 1
    await store.keep("ada", record("d"))
    assert await store.response("ada", "a") is None
    clock.time += 1
    await store.forget("ada", "b")
    await store.keep("ada", record("e"))
    assert await store.response("ada", "c") is not None


async def test_a_session_above_the_budget_is_refused_and_costs_no_one(opened: Open, clock: Clock) -> None:
    size = len(record("a").response) + len(item("a.in")) + len(item("a.out"))
    store = opened(max_bytes=2 * size)
    await store.keep("ada", record("a"))
    await store.begin("ada", conversation("c"), [])
    with pytest.raises(Full, match="bytes"):
        await store.keep("ada", record("big", inputs=[item("x", "y" * 3 * size)]))
    with pytest.raises(Full, match="bytes"):
        await store.add("ada", "c", [item("x", "y" * 3 * size)])
    with pytest.raises(Full, match="bytes"):
        await store.begin("ada", conversation("d"), [item("x", "y" * 3 * size)])
    with pytest.raises(Full, match="bytes"):
        await store.rename("ada", "c", {"x": "y" * 3 * size})
    with pytest.raises(Full, match="bytes"):
        await store.keep("ada", record("a2", "a", inputs=[item("x", "y" * size)]))
    assert names(await store.inputs("ada", "a")) == ["a.in"]
    assert await store.conversation("ada", "c") == conversation("c")
    assert await store.conversation("ada", "d") is None
    assert await store.items("ada", ["x"]) == {}


async def test_deleting_gives_bytes_back(opened: Open, clock: Clock) -> None:
    store = opened(max_bytes=2000)
    for turn in range(30):
        await store.keep("ada", record(f"r{turn}", outputs=[item("o", "x" * 1000)]))
        assert await store.forget("ada", f"r{turn}")
    await store.begin("ada", conversation("c"), [])
    for _ in range(30):
        assert await store.add("ada", "c", [item("o", "x" * 1000)])
        assert await store.drop("ada", "c", "o")
    assert await store.conversation("ada", "c") is not None
    await store.keep("ada", record("last", outputs=[item("o", "x" * 1000)]))
    assert await store.conversation("ada", "c") is not None  # there was room for both


async def test_many_at_once(store: History) -> None:
    await store.keep("ada", record("root"))
    await store.begin("ada", conversation("c"), [])
    await asyncio.gather(
        *(store.keep("ada", record(f"r{n}", "root")) for n in range(50)),
        *(store.keep("ada", record(f"c{n}", conversation="c")) for n in range(50)),
    )
    for n in range(50):
        assert names(await store.inputs("ada", f"r{n}")) == ["root.in", "root.out", f"r{n}.in"]
    dialogue = await store.dialogue("ada", "c")
    assert dialogue is not None
    found = names(dialogue.items)
    assert found is not None
    assert sorted(found) == sorted(f"c{n}.{side}" for n in range(50) for side in ("in", "out"))


def test_the_id_of_an_item() -> None:
    assert item_id(b'{"type": "x", "id": "a", "more": [{"id": "b"}]}') == "a"
    with pytest.raises(Exception, match="id"):
        item_id(b"{}")


async def test_an_id_that_is_taken_evicts_no_one(opened: Open, clock: Clock) -> None:
    store = opened(max_sessions=2)
    for name in ("a", "b"):
        await store.keep("ada", record(name))
        clock.time += 1
    with pytest.raises(ValueError, match="taken"):
        await store.keep("ada", record("a", inputs=[item("other")]))
    assert names(await store.inputs("ada", "a")) == ["a.in"]
    assert await store.response("ada", "b") is not None
