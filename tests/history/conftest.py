"""Stores of each kind, with a clock that a test turns by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from wireloom.history.base import Conversation, History, Record
from wireloom.history.memory import Memory
from wireloom.history.sqlite import Sqlite


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


class Open(Protocol):
    """Opens the store of a test; what is opened is closed at its end."""

    def __call__(
        self, *, ttl_seconds: float = 0, max_sessions: int | None = None, max_bytes: int | None = None
    ) -> History: ...


def item(name: str, text: str = "") -> bytes:
    """An item of this id."""
    content = [{"type": "input_text", "text": text or f"text of {name}"}]
    written = {"type": "message", "id": name, "role": "user", "content": content}
    return json.dumps(written, ensure_ascii=False).encode()


def record(
    name: str,
    previous: str | None = None,
    *,
    conversation: str | None = None,
    inputs: Sequence[bytes] | None = None,
    outputs: Sequence[bytes] | None = None,
) -> Record:
    """A response with one item each way, unless others are given: `<name>.in` and `<name>.out`."""
    return Record(
        name,
        1_000_000,
        json.dumps({"id": name, "object": "response"}).encode(),
        [item(f"{name}.in")] if inputs is None else inputs,
        [item(f"{name}.out")] if outputs is None else outputs,
        previous,
        conversation,
    )


def conversation(name: str, **metadata: str) -> Conversation:
    """A conversation of this id."""
    return Conversation(name, 1_000_000, metadata)


def names(items: Sequence[bytes] | None) -> list[str] | None:
    """The ids of items."""
    return None if items is None else [json.loads(each)["id"] for each in items]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def opened(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        def open_store(
            *, ttl_seconds: float = 0, max_sessions: int | None = None, max_bytes: int | None = None
        ) -> History:
            store: History
            if request.param == "memory":
                store = Memory(
                    ttl_seconds=ttl_seconds, max_sessions=max_sessions, max_bytes=max_bytes, now=clock
                )
            else:
                store = Sqlite(
                    tmp_path / "history.sqlite3",
                    ttl_seconds=ttl_seconds,
                    max_sessions=max_sessions,
                    max_bytes=max_bytes,
                    now=clock,
                )
            stack.push_async_callback(store.aclose)
            return store

        yield open_store


@pytest.fixture
def store(opened: Open) -> History:
    """A store without limits."""
    return opened()
