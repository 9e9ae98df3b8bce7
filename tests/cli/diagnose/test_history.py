"""`wireloom history`: real files, written by the store, looked into beside it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.cli.process import on_a_terminal
from tests.history.conftest import conversation, item, record
from wireloom.cli.diagnose.history import _first_words, told
from wireloom.history.inspection import inspecting
from wireloom.history.sqlite import Sqlite

Removed = Callable[..., list[str]]
HOUR = 3600


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "wireloom" / "history.sqlite3"


@pytest.fixture(params=["beside a gateway", "without one"])
def stored(request: pytest.FixtureRequest, path: Path) -> Iterator[Path]:
    """A chain of two turns with a branch and a conversation, of two principals; a store has it open, or none."""
    times = [time.time() - 3 * HOUR]
    store = Sqlite(path, now=lambda: times[0])

    async def fill() -> None:
        await store.keep("ada", record("r1", inputs=[item("i", "Who are you?\x1b[2J")]))
        await store.keep("ada", record("r2", "r1"))
        await store.keep("ada", record("r3", "r1"))
        times[0] = time.time()
        await store.begin("bob", conversation("c1"), [item("j", "größe\nmodel")])

    asyncio.run(fill())
    if request.param == "without one":
        asyncio.run(store.aclose())
    yield path
    asyncio.run(store.aclose())


@pytest.fixture
def left(invoke: Invoke) -> Removed:
    """What is listed after a command that succeeds."""

    def run(*arguments: str) -> list[str]:
        result = invoke("history", "rm", *arguments)
        assert result.exit_code == 0, result.output
        return [entry["id"] for entry in json.loads(invoke("history", "ls", "--json").stdout)]

    return run


@pytest.mark.usefixtures("stored")
def test_sessions_are_listed_the_last_used_first(invoke: Invoke) -> None:
    result = invoke("history", "ls")
    assert result.exit_code == 0, result.output
    head, *rows = result.stdout.splitlines()
    assert head.split() == ["ID", "PRINCIPAL", "MODEL", "TURNS", "BYTES", "CREATED", "LAST", "USED"]
    assert [row.split()[:4] for row in rows] == [["c1", "bob", "-", "0"], ["r3", "ada", "-", "3"]]
    assert "Who are you?" not in result.output


@pytest.mark.usefixtures("stored")
def test_on_a_terminal_they_have_their_first_words(path: Path) -> None:
    head, *rows = on_a_terminal("history", "ls", until="Who are").splitlines()
    assert head.split()[-2:] == ["FIRST", "WORDS"]
    assert [row.partition(":")[2].partition(":")[2][2:].strip() for row in rows] == [
        "größe model",
        "Who are you?�[2J",
    ]


def test_models_and_first_words(path: Path) -> None:
    tags = item("e", "<environment_context>\n</environment_context>")
    told = json.dumps({"id": "r1", "object": "response", "model": "deepseek-chat"}).encode()
    developer = json.dumps({"type": "message", "id": "d", "role": "developer", "content": "Rules"}).encode()
    asked = item("i", "word " * 20)

    async def fill() -> None:
        store = Sqlite(path)
        await store.keep("ada", replace(record("r1", inputs=[developer, tags, asked]), response=told))
        await store.keep("ada", replace(record("r2", "r1"), response=told.replace(b"chat", b"flash")))
        await store.keep("bob", record("r3", inputs=[tags]))
        await store.keep("bob", record("r4", inputs=[developer]))
        await store.aclose()

    asyncio.run(fill())
    with inspecting(path) as inspection:
        sessions = {session.id: session for session in inspection.sessions()}
        words = {name: _first_words(inspection, session.key) for name, session in sessions.items()}
    assert sessions["r2"].model == "deepseek-flash"
    assert words["r2"] == f"{('word ' * 20)[:59]}…"
    assert words["r3"] == "<environment_context> </environment_context>"
    assert words["r4"] == ""


@pytest.mark.usefixtures("stored")
def test_sessions_are_listed_as_json(invoke: Invoke) -> None:
    (found,) = json.loads(invoke("history", "ls", "--json", "--principal", "ada").stdout)
    size = sum(len(record(name).response) for name in ("r1", "r2", "r3"))
    size += len(item("i", "Who are you?\x1b[2J")) + sum(
        len(item(name)) for name in ("r1.out", "r2.in", "r2.out", "r3.in", "r3.out")
    )
    assert time.time() - 4 * HOUR < found.pop("used_at") < time.time() - 2 * HOUR
    assert found == {
        "id": "r3",
        "principal": "ada",
        "model": None,
        "turns": 3,
        "bytes": size,
        "created_at": 1_000_000,
    }


@pytest.mark.usefixtures("stored")
def test_a_response_is_shown_with_its_context_and_obeys_no_control_character(invoke: Invoke) -> None:
    result = invoke("history", "show", "r2")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "user:\n  Who are you?\ufffd[2J\nuser:\n  text of r1.out\nuser:\n  text of r2.in\nuser:\n  text of r2.out\n"
    )
    shown = json.loads(invoke("history", "show", "r1", "--json").stdout)
    assert shown["principal"] == "ada"
    assert [each["id"] for each in shown["items"]] == ["i", "r1.out"]


@pytest.mark.usefixtures("stored")
def test_a_conversation_is_shown(invoke: Invoke) -> None:
    assert invoke("history", "show", "c1").stdout == "user:\n  größe\n  model\n"


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("command", ["show", "rm"])
def test_what_is_not_there(invoke: Invoke, command: str) -> None:
    for arguments in (["r9"], ["r2", "--principal", "bob"]):
        result = invoke("history", command, *arguments)
        assert result.exit_code == 1
        assert "There is no response and no conversation r" in result.stderr
    assert len(json.loads(invoke("history", "ls", "--json").stdout)) == 2


@pytest.mark.usefixtures("stored")
def test_sessions_are_removed_whole(left: Removed) -> None:
    assert left("r2", "--yes") == ["c1"]
    assert left("c1", "--yes") == []


@pytest.mark.usefixtures("stored")
def test_sessions_are_removed_by_age(left: Removed) -> None:
    assert left("--older-than", "4", "--yes") == ["c1", "r3"]
    assert left("--older-than", "2", "--yes") == ["c1"]


@pytest.mark.usefixtures("stored")
def test_all_of_a_principal_or_of_everyone_is_removed(left: Removed) -> None:
    assert left("--all", "--principal", "bob", "--yes") == ["r3"]
    assert left("--all", "--yes") == []


def test_what_is_removed_is_in_no_file(stored: Path, left: Removed) -> None:
    left("--all", "--yes")
    assert [file for file in stored.parent.iterdir() if b"Who are you?" in file.read_bytes()] == []


@pytest.mark.usefixtures("stored")
def test_removing_asks_first(invoke: Invoke) -> None:
    result = invoke("history", "rm", "r1", "c1")  # standard input is empty
    assert result.exit_code == 1
    assert "Remove 2 sessions with all that is in them?" in result.output
    assert len(json.loads(invoke("history", "ls", "--json").stdout)) == 2


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("arguments", [[], ["r1", "--all"], ["--all", "--older-than", "1"]])
def test_removing_needs_one_choice(invoke: Invoke, arguments: list[str]) -> None:
    assert invoke("history", "rm", "--yes", *arguments).exit_code == 2


def test_principals_that_share_an_id(invoke: Invoke, path: Path) -> None:
    async def fill() -> None:
        store = Sqlite(path)
        await store.keep("ada", record("r1"))
        await store.keep("bob", record("r1", inputs=[item("b")]))
        await store.aclose()

    asyncio.run(fill())
    result = invoke("history", "show", "r1")
    assert result.exit_code == 2
    assert "ada, bob" in result.stderr
    assert "text of b\n" in invoke("history", "show", "r1", "--principal", "bob").stdout


def test_nothing_is_stored_yet(invoke: Invoke, path: Path) -> None:
    result = invoke("history", "ls", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert str(path) in result.stderr
    assert invoke("history", "rm", "--all", "--yes").exit_code == 0
    assert invoke("history", "show", "r1").exit_code == 1
    assert not path.exists()


def test_a_history_in_memory(invoke: Invoke) -> None:
    for command in (["ls"], ["show", "r1"], ["rm", "--all"]):
        result = invoke("history", *command, "--history", "memory")
        assert result.exit_code == 2
        assert "nothing on disk" in result.stderr


def test_another_file_and_one_that_is_no_history(invoke: Invoke, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    asyncio.run(Sqlite(other).aclose())
    assert invoke("history", "ls", "--history", f"sqlite:{other}", "--json").stdout == "[]\n"
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    result = invoke("history", "rm", "--all", "--yes", "--history", f"sqlite:{foreign}")
    assert result.exit_code == 1
    assert "another program" in result.stderr


@pytest.mark.parametrize(
    ("given", "who", "what"),
    [
        ({"role": "user", "content": "plain"}, "user", "plain"),
        (
            {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            "assistant",
            "No.",
        ),
        (
            {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image"}]},
            "user",
            'a\n{"type": "input_image"}',
        ),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "call", "f {}"),
        ({"type": "custom_tool_call", "name": "p", "input": "*** Begin"}, "call", "p *** Begin"),
        ({"type": "function_call_output", "output": "3"}, "result", "3"),
        ({"type": "reasoning", "summary": [{"text": "hm"}], "content": None}, "reasoning", "hm"),
        ({"type": "reasoning", "summary": []}, "reasoning", '{"type": "reasoning", "summary": []}'),
        ({"type": "new_kind", "x": 1}, "new_kind", '{"type": "new_kind", "x": 1}'),
    ],
)
def test_every_item_is_told(given: dict[str, object], who: str, what: str) -> None:
    assert told(given) == (who, what)
