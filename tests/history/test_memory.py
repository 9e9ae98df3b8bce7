"""The store in memory: nothing is left of what was deleted, has expired or was evicted."""

from __future__ import annotations

from tests.history.conftest import Clock, conversation, item, record
from wireloom.history.memory import Memory


def held(store: Memory) -> dict[str, int]:
    """How many entries each table of a store holds, and the bytes that it counts."""
    tables = {name: len(value) for name, value in vars(store).items() if isinstance(value, dict)}
    return {name: number for name, number in {**tables, "bytes": store._size}.items() if number}


async def filled(store: Memory) -> None:
    """Two chains of which one branches, and a conversation with a response; two items share an id."""
    await store.keep("ada", record("r1", inputs=[item("shared", "old")]))
    await store.keep("ada", record("r2", "r1"))
    await store.keep("ada", record("r3", "r1"))
    await store.keep("bob", record("r1"))
    await store.begin("ada", conversation("c", topic="looms"), [item("i1")])
    await store.keep("ada", record("r4", conversation="c", inputs=[item("shared", "new")]))
    await store.add("ada", "c", [item("i2")])


async def test_nothing_is_held_of_what_was_deleted() -> None:
    store = Memory()
    assert held(store) == {}
    await filled(store)
    assert await store.forget("ada", "r1")
    assert await store.items("ada", ["shared"]) == {"shared": item("shared", "new")}
    for name in ("r2", "r3"):
        assert await store.forget("ada", name)
    assert await store.drop("ada", "c", "shared")
    assert await store.rename("ada", "c", {"topic": "a longer one"}) == conversation(
        "c", topic="a longer one"
    )
    assert await store.forget("ada", "r4")
    assert await store.end("ada", "c")
    assert await store.forget("bob", "r1")
    assert held(store) == {}


async def test_nothing_is_held_of_what_has_expired(clock: Clock) -> None:
    store = Memory(ttl_seconds=60, now=clock)
    await filled(store)
    clock.time += 60.5
    await store.begin("eve", conversation("new"), [])
    assert await store.end("eve", "new")
    assert held(store) == {}


async def test_nothing_is_held_of_what_was_evicted(clock: Clock) -> None:
    store = Memory(max_sessions=3, now=clock)
    await filled(store)
    for number in range(3):
        await store.begin("eve", conversation(f"c{number}"), [])
    for number in range(3):
        assert await store.end("eve", f"c{number}")
    assert held(store) == {}


async def test_a_session_in_use_is_held_after_its_time_and_let_go_after_its_use(clock: Clock) -> None:
    store = Memory(ttl_seconds=60, now=clock)
    await store.keep("ada", record("r1"))
    context = await store.context("ada", "r1")
    clock.time += 61
    await store.begin("eve", conversation("c"), [])
    assert await store.inputs("ada", "r1") == [item("r1.in")]
    del context
    clock.time += 61
    assert not await store.add("eve", "c", [])
    assert held(store) == {}
