"""Recorded runs of `codex exec` are read into well-formed streams."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.support import contract
from tests.support.grammar import Told, check, decode
from tests.support.streams import new_stream
from wireloom.errors import GatewayError
from wireloom.translate.codex.exec_reader import EVENTS, ITEMS, ExecReader
from wireloom.translate.rules.loss import How
from wireloom.wire.sse import encode

Json: TypeAlias = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "fixtures" / "exec_0_169_0"
RUNS = sorted(FOLDER.glob("*.jsonl"))


def written(path: Path) -> tuple[list[bytes], int]:
    """What a recorded run wrote, and its exit code."""
    head, *rest = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["stdout"].encode() for line in rest if "stdout" in line], head["exit_code"]


def recorded(name: str) -> tuple[list[bytes], int]:
    (path,) = FOLDER.glob(f"{name}*.jsonl")
    return written(path)


class Reading:
    """One answer on its way from the lines of a run."""

    def __init__(self, **options: Any) -> None:
        self.stream = new_stream()
        self.reader = ExecReader(self.stream, **options)
        self.failure: GatewayError | None = None

    def read(self, lines: list[bytes], exit_code: int = 0) -> Told:
        sent = b""
        try:
            for line in lines:
                self.reader.feed(line)
                sent += encode(self.stream.take())
            self.reader.close(exit_code)
        except GatewayError as error:
            self.failure = error
            self.stream.fail(error.body(), "upstream_error")
        events = decode(sent + encode(self.stream.take()))
        assert [wrong for event in events if (wrong := contract.complaints(event))] == []
        return check(events)


def line(kind: str, **members: Any) -> bytes:
    return json.dumps({"type": kind, **members}).encode()


def item(kind: str, **members: Any) -> bytes:
    return line("item.completed", item={"id": "item_1", "type": kind, **members})


def failed(message: str) -> bytes:
    return line("turn.failed", error={"message": message})


def test_the_tables_say_why() -> None:
    assert all(rule.note for rule in (*EVENTS.values(), *ITEMS.values()) if rule.how is not How.NATIVE)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_recorded_run_is_read_to_a_well_formed_end(path: Path) -> None:
    lines, exit_code = written(path)
    reading = Reading()
    told = reading.read(lines, exit_code)
    assert reading.reader.lost == []
    assert (told.response["status"] == "completed") is (exit_code == 0 and "11-plain" not in path.name)
    assert (reading.failure is None) is (told.response["status"] != "failed")


def test_reasoning_text_and_usage() -> None:
    told = Reading().read(*recorded("03-reasoning"))
    assert told.reasoning == "**Thinking**\n\nabout it"
    assert told.text == "The answer is 42."
    assert told.response["usage"] == {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 120,
    }


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("06-error-failed", 502, "upstream_error"),
        ("06-error-http400-context", 400, "context_length_exceeded"),
        ("06-error-http401", 502, "upstream_authentication"),
        ("06-error-http429", 429, "insufficient_quota"),
        ("10-no-skip-git", 502, "upstream_incomplete"),
        ("12-missing-key", 502, "upstream_error"),
    ],
)
def test_recorded_failures(name: str, status: int, code: str) -> None:
    reading = Reading()
    reading.read(*recorded(name))
    assert reading.failure is not None
    assert (reading.failure.status, reading.failure.code) == (status, code)
    assert "http:" not in reading.failure.message


def test_an_answer_that_was_cut_short() -> None:
    told = Reading().read(*recorded("06-error-incomplete"))
    assert told.text == "partial "
    assert told.response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_filtered_answer_is_not_told_twice() -> None:
    filtered = "Reconnecting... 1/5 (Incomplete response returned, reason: content_filter)"
    lines = [
        item("agent_message", text="a"),
        line("error", message=filtered),
        item("agent_message", text="a"),
    ]
    told = Reading().read(lines)
    assert told.text == "a"
    assert told.response["incomplete_details"] == {"reason": "content_filter"}
    reading = Reading(codex=True)
    reading.read(lines)
    assert reading.failure is not None
    assert reading.failure.code == "content_filter"


def test_another_try_after_something_was_said_is_a_failure() -> None:
    news = line("error", message="Reconnecting... 1/5 (cut)")
    end = line("turn.completed", usage={})
    assert Reading().read([news, item("agent_message", text="a"), end]).text == "a"
    reading = Reading()
    reading.read([item("agent_message", text="a"), news, item("agent_message", text="a"), end])
    assert reading.failure is not None


def test_several_messages_stay_several() -> None:
    told = Reading().read(
        [item("agent_message", text="a"), item("agent_message", text="b"), line("turn.completed")]
    )
    assert [kind for kind, _ in told.items] == ["message", "message"]
    assert told.response["usage"] is None


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"Reading prompt from stdin...",
        b"[]",
        b"\xff",
        b'{"type": 3}',
        line("item.completed"),
        item("agent_message", text=None),
    ],
)
def test_lines_without_sense_are_survived(odd: bytes) -> None:
    assert (
        Reading()
        .read([odd, item("agent_message", text="a"), line("turn.completed", usage={"input_tokens": "x"})])
        .text
        == "a"
    )


def test_what_is_unknown_is_for_the_log() -> None:
    reading = Reading()
    reading.read([line("new.event"), item("hologram"), line("turn.completed"), line("late.event")])
    assert reading.reader.lost == ["an event of type new.event", "an item of type hologram"]


def test_a_failure_without_words() -> None:
    reading = Reading()
    reading.read([line("turn.failed")], 1)
    assert reading.failure is not None
    assert reading.failure.status == 502
