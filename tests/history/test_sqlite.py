"""The store on a file: what outlives the process, who may read it, and what happens when the disk fails."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.history.conftest import conversation, item, names, record
from wireloom.history import database
from wireloom.history.base import Full, Unusable
from wireloom.history.sqlite import Sqlite

_plain_connect = sqlite3.connect
ROUNDS = 20
TURNS = 400
# Keeps one response after the other in a chain and a conversation, and prints the id of each that was kept.
KEEPER = """
import asyncio, sys
from wireloom.history.base import Conversation, Record
from wireloom.history.sqlite import Sqlite

async def main(path, round_):
    store = Sqlite(path)
    await store.begin("ada", Conversation(f"c{round_}", 1, {}), [])
    previous = None
    for turn in range(100_000):
        name = f"r{round_}.{turn}"
        inputs = [b'{"id": "%s.in", "text": "%s"}' % (name.encode(), b"x" * 500 * (turn % 20))]
        chained = turn % 3 != 0
        record = Record(name, 1, b"{}", inputs, [b'{"id": "%s.out"}' % name.encode()],
                        previous if chained else None, None if chained else f"c{round_}")
        await store.keep("ada", record)
        print(name, previous if chained else "-", flush=True)
        previous = name

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "wireloom" / "history.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Sqlite]:
    opened = Sqlite(path)
    yield opened
    await opened.aclose()


def on_disk(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path)


def execute(path: Path, statement: str) -> list[Any]:
    connection = on_disk(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


async def pragma(store: Sqlite, statement: str) -> None:
    """Set something on the connection of the store, in its own thread."""
    await asyncio.wrap_future(store._thread.submit(store._tables._rows.execute, f"PRAGMA {statement}"))


async def test_what_is_stored_outlives_the_process(path: Path) -> None:
    first = Sqlite(path)
    await first.keep("ada", record("r1"))
    await first.begin("ada", conversation("c", a="b"), [item("i")])
    await first.aclose()
    second = Sqlite(path)
    await second.keep("ada", record("r2", "r1"))
    assert names(await second.inputs("ada", "r2")) == ["r1.in", "r1.out", "r2.in"]
    assert await second.conversation("ada", "c") == conversation("c", a="b")
    await second.aclose()


async def test_a_person_can_read_it(path: Path, store: Sqlite) -> None:
    await store.keep("ada", record("r1"))
    assert execute(path, "SELECT principal, id, side, item FROM items") == [
        ("ada", "r1.in", "input", item("r1.in").decode()),
        ("ada", "r1.out", "output", item("r1.out").decode()),
    ]
    assert execute(path, "SELECT principal, id FROM sessions") == [("ada", "r1")]


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
async def test_only_the_owner_may_read_it(path: Path) -> None:
    store = Sqlite(path)
    await store.keep("ada", record("r1"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("history.sqlite3", "history.sqlite3-wal", "history.sqlite3-shm"), 0o600)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path.parent.parent)] == [0o700, 0o700]
    await store.aclose()


async def test_a_file_that_others_could_read_is_made_private_and_a_folder_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    await Sqlite(path).aclose()
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    await Sqlite(path).aclose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


async def test_a_newer_form_is_refused(path: Path) -> None:
    await Sqlite(path).aclose()
    execute(path, f"PRAGMA user_version = {database.VERSION + 1}")
    with pytest.raises(Unusable, match="newer wireloom") as refused:
        Sqlite(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "cannot be opened"),
        (lambda path: path.write_bytes(b"no database" * 100), "not a database"),
        (lambda path: execute(path, "CREATE TABLE theirs (x)"), "another program"),
    ],
)
def test_what_is_no_history_is_left_alone(tmp_path: Path, make: Callable[[Path], object], words: str) -> None:
    path = tmp_path / "h.db"
    make(path)
    before = path.stat().st_mode, path.is_file() and path.read_bytes()
    with pytest.raises(Unusable, match=words):
        Sqlite(path)
    assert (path.stat().st_mode, path.is_file() and path.read_bytes()) == before


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unusable, match="Not a directory"):
        Sqlite(tmp_path / "file" / "h.db")


async def test_a_closed_store_refuses(path: Path) -> None:
    store = Sqlite(path)
    await store.aclose()
    await store.aclose()
    with pytest.raises(Full, match="closed"):
        await store.response("ada", "r1")


async def test_what_is_deleted_is_in_no_file(path: Path) -> None:
    store = Sqlite(path)
    await store.keep("ada", record("r1", inputs=[item("i", "canary-7f3a")]))
    await store.begin("ada", conversation("c"), [item("j", "canary-7f3a" * 1000)])
    await store.forget("ada", "r1")
    await store.end("ada", "c")
    await store.aclose()
    assert b"canary" not in path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_a_cancelled_write_is_whole_or_not_there(store: Sqlite) -> None:
    tasks = [asyncio.create_task(store.keep("ada", record(f"r{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.wait(tasks)
    for n, task in enumerate(tasks):
        kept = await store.response("ada", f"r{n}")
        assert kept is None or len(kept.outputs) == 1
        assert task.cancelled() or kept is not None


async def test_two_processes_share_a_file(path: Path, store: Sqlite) -> None:
    other = Sqlite(path)
    await asyncio.gather(
        *(store.keep("ada", record(f"a{n}")) for n in range(30)),
        *(other.keep("ada", record(f"b{n}")) for n in range(30)),
    )
    for n in range(30):
        assert names(await other.inputs("ada", f"a{n}")) == [f"a{n}.in"]
        assert names(await store.inputs("ada", f"b{n}")) == [f"b{n}.in"]
    await other.aclose()


# -- a disk that fails -----------------------------------------------------------------------------------------------------


async def test_a_full_disk_refuses_and_the_store_goes_on(path: Path, store: Sqlite) -> None:
    await store.keep("ada", record("r1"))
    await pragma(store, "max_page_count = 40")
    for n in range(200):
        big = record(f"x{n}", "r1", outputs=[item("o", "secret " * 500)])
        if refusal := await refused(store.keep("ada", big)):
            break
    assert refusal == "The history cannot be used now: database or disk is full."
    assert await store.response("ada", f"x{n}") is None
    assert await store.response("ada", f"x{n - 1}") is not None
    assert names(await store.inputs("ada", "r1")) == ["r1.in"]
    for other in (
        store.begin("ada", conversation("c"), [item("o", "secret " * 5000)]),
        store.keep("ada", record("y", outputs=[item("o", "secret " * 5000)])),
    ):
        with pytest.raises(Full, match="full"):
            await other
    await pragma(store, "max_page_count = 4000")
    await store.keep("ada", record("z", "r1"))
    assert names(await store.inputs("ada", "z")) == ["r1.in", "r1.out", "z.in"]


async def test_a_disk_that_may_not_be_written(store: Sqlite) -> None:
    await store.keep("ada", record("r1"))
    await pragma(store, "query_only = ON")
    for work in (store.keep("ada", record("r2")), store.forget("ada", "r1"), store.add("ada", "c", [])):
        with pytest.raises(Full, match="readonly"):
            await work
    assert await store.response("ada", "r1") is not None
    await pragma(store, "query_only = OFF")
    await store.keep("ada", record("r2", "r1"))


async def test_a_file_that_another_process_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    store = Sqlite(path)
    await store.keep("ada", record("r1"))
    holder = on_disk(path)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Full, match="locked"):
        await store.keep("ada", record("r2"))
    assert await store.response("ada", "r1") is not None  # reading goes on
    holder.rollback()
    holder.close()
    await store.keep("ada", record("r2"))
    await store.aclose()


class Failing(sqlite3.Connection):
    """A connection whose n-th statement fails; 0 is none."""

    left = 0

    def _count(self) -> None:
        if Failing.left:
            Failing.left -= 1
            if not Failing.left:
                raise sqlite3.OperationalError("disk I/O error")

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self._count()
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        self._count()
        return super().executemany(*arguments)


async def refused(work: Coroutine[Any, Any, Any]) -> str | None:
    """Why something was refused, or None."""
    try:
        await work
    except Full as error:
        return str(error)
    return None


WRITES: dict[str, Callable[[Sqlite, str], Any]] = {
    "keep": lambda store, name: store.keep("ada", record(name, "r2")),
    "keep in a conversation": lambda store, name: store.keep("ada", record(name, conversation="c")),
    "begin": lambda store, name: store.begin("ada", conversation(name), [item("i")]),
    "add": lambda store, name: store.add("ada", "c", [item(name)]),
    "drop": lambda store, name: store.drop("ada", "c", "i"),
    "rename": lambda store, name: store.rename("ada", "c", {"name": name}),
    "forget": lambda store, name: store.forget("ada", "r2"),
    "end": lambda store, name: store.end("ada", "c"),
}


@pytest.mark.parametrize("write", WRITES)
async def test_whichever_statement_fails_nothing_is_half_written(
    path: Path, write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", partial(_plain_connect, factory=Failing))
    store = Sqlite(path, ttl_seconds=1000, max_sessions=5, max_bytes=10_000)
    await store.begin("ada", conversation("c"), [item("i")])
    await store.keep("ada", record("r1"))
    await store.keep("ada", record("r2", "r1"))
    for attempt in range(1, 100):
        before = dump(path)
        Failing.left = attempt
        refusal = await refused(WRITES[write](store, f"n{attempt}"))
        if Failing.left:  # there were not so many statements
            break
        assert refusal == "The history cannot be used now: disk I/O error."
        assert dump(path) == before
    Failing.left = 0
    assert attempt > 4
    assert refusal is None
    assert dump(path) != before
    await store.aclose()


def dump(path: Path) -> list[Any]:
    """Every row, but for when sessions were used."""
    tables = ("sessions", "responses", "items", "totals")
    connection = _plain_connect(path)
    try:
        return [
            [
                [
                    value
                    for name, value in zip(columns(connection, table), row, strict=True)
                    if name != "used_at"
                ]
                for row in connection.execute(f"SELECT * FROM {table}")
            ]
            for table in tables
        ]
    finally:
        connection.close()


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


# -- a process that ends -----------------------------------------------------------------------------------------------


async def test_nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(path: Path) -> None:
    chance = random.Random(13)
    for round_ in range(ROUNDS):
        acknowledged = killed_after(path, round_, chance.randrange(1, 60))
        assert execute(path, "PRAGMA integrity_check") == [("ok",)]
        assert execute(path, "PRAGMA foreign_key_check") == []
        store = Sqlite(path)
        for name, previous in acknowledged:
            kept = await store.response("ada", name)
            assert kept is not None
            assert names(kept.outputs) == [f"{name}.out"]
            before = await store.context("ada", name)
            assert before is not None
            assert names(before.items[-2:]) == [f"{name}.in", f"{name}.out"]
            if previous != "-":
                assert names(before.items[-4:-2]) == [f"{previous}.in", f"{previous}.out"]
        await store.aclose()


def killed_after(path: Path, round_: int, lines: int) -> list[list[str]]:
    """What a process had told when it was killed: names, and what each follows."""
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(path), str(round_)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return [line.split() for line in told if line.endswith("\n")]


# -- what a turn costs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("within", [None, "c"])
async def test_a_turn_writes_its_new_items_alone(path: Path, store: Sqlite, within: str | None) -> None:
    await pragma(store, "wal_autocheckpoint = 0")  # so that the log shows every page that was written
    await store.begin("ada", conversation("c"), [])
    log = path.with_name(path.name + "-wal")
    sizes, previous = [log.stat().st_size], None
    for turn in range(TURNS):
        new = record(
            f"r{turn}",
            None if within else previous,
            conversation=within,
            inputs=[item(f"i{turn}", "x" * 1000)],
        )
        await store.keep("ada", new)
        previous = new.id
        sizes.append(log.stat().st_size)
    costs = [after - before for before, after in zip(sizes, sizes[1:], strict=False)]
    first, last = sum(costs[50:150]), sum(costs[-100:])
    assert last < 1.25 * first
    assert max(costs) < 100_000
    stored = execute(path, "SELECT bytes FROM totals")[0][0]
    assert execute(path, "PRAGMA page_count")[0][0] * 4096 < 2.5 * stored
    context = await (store.dialogue("ada", "c") if within else store.context("ada", f"r{TURNS - 1}"))
    assert context is not None
    assert len(context.items) == 2 * TURNS
