"""The reader of event streams takes good streams and stops at each broken rule."""

import copy
import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.support.grammar import BrokenStream, Told, check, decode
from tests.support.streams import ERROR, USAGE, new_compaction, new_stream, unseal
from wireloom.translate.hub.relay import heartbeat
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.tools.table import CALL_ITEMS
from wireloom.wire.sse import encode

Json: TypeAlias = dict[str, Any]


def spoken(stream: ResponseStream) -> ResponseStream:
    stream.reasoning("Hm.")
    stream.text("Hel")
    stream.text("lo")
    stream.refusal("No.")
    stream.call(1, "call_1", "add")
    stream.arguments(1, '{"a":1}')
    stream.call(2, "call_2", "patch", make=CALL_ITEMS["custom"])
    stream.arguments(2, '{"input":"***"}')
    heartbeat(stream)
    return stream


def completed() -> list[Json]:
    stream = spoken(new_stream())
    stream.finish(USAGE)
    return decode(encode(stream.take()))


def incomplete() -> list[Json]:
    stream = spoken(new_stream(summarise=True))
    stream.finish(USAGE, "max_output_tokens")
    return decode(encode(stream.take()))


def failed() -> list[Json]:
    stream = spoken(new_stream())
    stream.fail(ERROR, "server_error")
    return decode(encode(stream.take()))


TOKEN: Json = {
    "token": "Hi",
    "logprob": -0.5,
    "bytes": [72, 105],
    "top_logprobs": [{"token": "Ho", "logprob": -1.5, "bytes": [72, 111]}],
}
SOURCE: Json = {
    "type": "url_citation",
    "url": "https://example.com/",
    "title": "Example",
    "start_index": 0,
    "end_index": 2,
}


def annotated() -> list[Json]:
    """A stream with notes on its text, calls of published tools, and what is sealed."""
    stream = new_stream(seal_reasoning=True)
    stream.reasoning("Hm.")
    stream.text_with_logprobs("Hi", [TOKEN])
    stream.annotate(SOURCE)
    stream.annotate(SOURCE | {"title": "Another"})
    stream.call(1, "call_1", "shell", make=CALL_ITEMS["shell"])
    stream.arguments(1, '{"commands":["ls","pwd"]}')
    stream.call(2, "call_2", "local_shell", make=CALL_ITEMS["local_shell"])
    stream.arguments(2, '{"command":["ls"]}')
    stream.call(3, "call_3", "apply_patch", make=CALL_ITEMS["apply_patch"])
    stream.arguments(3, '{"operation":{"type":"delete_file","path":"a"}}')
    stream.call(4, "call_4", "tool_search", make=CALL_ITEMS["tool_search"])
    stream.arguments(4, '{"query":"x"}')
    stream.append_state({"calls": {"call_1": {"x": 1}}})
    stream.finish(USAGE)
    return decode(encode(stream.take()))


def compacted() -> list[Json]:
    stream = new_compaction()
    stream.text("All of it.")
    stream.finish(USAGE)
    return decode(encode(stream.take()))


def find(events: list[Json], kind: str, number: int = 0) -> int:
    return [index for index, event in enumerate(events) if event["type"] == f"response.{kind}"][number]


def renumbered(events: list[Json]) -> list[Json]:
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


# -- what is right -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events", [completed(), incomplete(), failed()], ids=["completed", "incomplete", "failed"]
)
def test_a_good_stream_is_added_up(events: list[Json]) -> None:
    told = check(events)
    assert (told.reasoning, told.text, told.refusal) == ("Hm.", "Hello", "No.")
    assert (told.calls[0].item["name"], told.calls[0].said) == ("add", '{"a":1}')
    assert told.items[:2] == [("reasoning", "Hm."), ("message", "HelloNo.")]
    assert told.response == events[-1]["response"]


def test_notes_whole_items_and_what_is_sealed_are_told() -> None:
    told = check(annotated())
    assert (told.text, told.logprobs) == ("Hi", [TOKEN])
    assert [source["title"] for source in told.annotations] == ["Example", "Another"]
    assert [(call.item["type"], json.loads(call.said)) for call in told.calls] == [
        ("shell_call", {"commands": ["ls", "pwd"], "timeout_ms": None, "max_output_length": None}),
        ("local_shell_call", {"type": "exec", "command": ["ls"], "env": {}}),
        ("apply_patch_call", {"type": "delete_file", "path": "a"}),
        ("tool_search_call", {"query": "x"}),
    ]
    assert [unseal(token) for token in told.sealed] == [{"text": "Hm."}, {"calls": {"call_1": {"x": 1}}}]
    told = check(compacted())
    assert (told.calls, told.text) == ([], "")
    assert [unseal(token) for token in told.sealed] == [{"summary": "All of it."}]


def test_what_failed_is_told_too() -> None:
    told: Told = check(failed())
    assert told.error is not None
    assert told.error["message"] == ERROR["message"]
    assert [call.said for call in told.calls] == ['{"a":1}', "***"]


def test_a_response_may_wait_before_it_begins() -> None:
    events = completed()
    created = copy.deepcopy(events[0])
    created["response"]["status"] = "queued"
    queued = copy.deepcopy(created) | {"type": "response.queued"}
    assert check(renumbered([created, queued, *events[1:]])).text == "Hello"


# -- what is wrong -------------------------------------------------------------------------------------------------


def drop(kind: str, number: int = 0) -> Callable[[list[Json]], None]:
    def change(events: list[Json]) -> None:
        del events[find(events, kind, number)]

    return change


def twice(kind: str, number: int = 0) -> Callable[[list[Json]], None]:
    def change(events: list[Json]) -> None:
        index = find(events, kind, number)
        events.insert(index, copy.deepcopy(events[index]))

    return change


def put(kind: str, path: str, value: Any, number: int = 0) -> Callable[[list[Json]], None]:
    """Set a member of an event, or of an object within it."""

    def change(events: list[Json]) -> None:
        *way, name = path.split(".")
        place: Any = events[find(events, kind, number)]
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[name] = value

    return change


def swap(kind: str, other: str) -> Callable[[list[Json]], None]:
    def change(events: list[Json]) -> None:
        first, second = find(events, kind), find(events, other)
        events[first], events[second] = events[second], events[first]

    return change


def after_the_end(events: list[Json]) -> None:
    events.append(copy.deepcopy(events[find(events, "in_progress")]))


def cut_short(events: list[Json]) -> None:
    """Make the first item incomplete, wherever it is told."""
    events[find(events, "output_item.done")]["item"]["status"] = "incomplete"
    for event in events:
        if "response" in event and event["response"]["output"]:
            event["response"]["output"][0]["status"] = "incomplete"


WRONG: dict[str, tuple[Callable[[list[Json]], None], str]] = {
    "no beginning": (drop("created"), "may not follow: nothing sent"),
    "two beginnings": (twice("created"), "may not follow: created"),
    "no progress": (drop("in_progress"), "may not follow: created"),
    "a late beginning": (
        lambda events: events.insert(5, copy.deepcopy(events[0])),
        "belongs at the beginning",
    ),
    "no end": (drop("completed"), "without a terminal event"),
    "two ends": (twice("completed"), "may not follow: ended"),
    "something after the end": (after_the_end, "may not follow: ended"),
    "an unknown event": (put("output_text.delta", "type", "response.telepathy"), "of a type without a rule"),
    "another status": (put("in_progress", "response.status", "completed"), "the status"),
    "another id of the response": (put("completed", "response.id", "resp_2"), "the settings"),
    "another model": (put("in_progress", "response.model", "other", 1), "the settings"),
    "usage too early": (put("in_progress", "response.usage", USAGE), "usage"),
    "output too early": (put("created", "response.output", [{}]), "as output"),
    "output of a heartbeat": (put("in_progress", "response.output", [], 1), "as output"),
    "output of the end": (put("completed", "response.output.1.content.0.text", "Bye"), "as output"),
    "a reason for completing": (
        put("completed", "response.incomplete_details", {"reason": "content_filter"}),
        "the reason",
    ),
    "an error without a failure": (
        put("completed", "response.error", {"code": "x", "message": "y"}),
        "without failing",
    ),
    "no time of completion": (put("completed", "response.completed_at", None), "time of completion"),
    "an item left out": (drop("output_item.done"), "while another is open"),
    "an item left open": (drop("output_item.done", 3), "leaves an item open"),
    "an item never opened": (drop("output_item.added"), "no open item"),
    "an item opened twice": (twice("output_item.added"), "while another is open"),
    "an item closed twice": (twice("output_item.done"), "no open item"),
    "an item with the id of another": (put("output_item.added", "item.id", "rs_0", 1), "no fresh id"),
    "an item with another index": (put("output_item.added", "output_index", 2, 1), "the index"),
    "an item that begins full": (put("output_item.added", "item.content", [{}], 1), "begins with content"),
    "an item that begins done": (put("output_item.added", "item.status", "completed"), "the status"),
    "an item that ends in progress": (put("output_item.done", "item.status", "in_progress"), "the status"),
    "an item of another kind": (put("output_item.added", "item.type", "telepathy"), "an item without a rule"),
    "an item of the user": (put("output_item.added", "item.role", "user", 1), "the role"),
    "an item that changes its id": (put("output_item.done", "item.id", "rs_9"), "the item"),
    "an item that changes its name": (put("output_item.done", "item.name", "sub", 2), "the item"),
    "a cut in the middle": (cut_short, "follows an item cut short"),
    "a call without an id": (put("output_item.added", "item.call_id", "", 2), "without an id or a name"),
    "a part never opened": (drop("content_part.added"), "no open part"),
    "a part opened twice": (twice("content_part.added"), "while another is open"),
    "a part never closed": (drop("content_part.done", 1), "while another is open"),
    "a part left open": (drop("content_part.done"), "around an open part"),
    "a part of another item": (put("content_part.added", "part.type", "refusal"), "a part of"),
    "a part among the summaries": (
        put("content_part.added", "type", "response.reasoning_summary_part.added"),
        "a part of",
    ),
    "a part with another index": (put("content_part.added", "content_index", 1), "the index of the part"),
    "a part that begins full": (put("content_part.added", "part.text", "x"), "the first text"),
    "a part with another text": (put("content_part.done", "part.text", "x", 1), "the text"),
    "a part before its text": (drop("output_text.done"), "before its text is done"),
    "a text done twice": (twice("output_text.done"), "comes twice"),
    "a text with another end": (put("output_text.done", "text", "Hell"), "the text"),
    "a text that goes on": (swap("output_text.delta", "output_text.done"), "the text"),
    "a delta lost": (drop("output_text.delta"), "the text"),
    "a delta doubled": (twice("output_text.delta"), "the text"),
    "a delta of another item": (put("output_text.delta", "item_id", "rs_0"), "the item"),
    "a delta at another index": (put("output_text.delta", "output_index", 0), "the index"),
    "a delta of another part": (put("output_text.delta", "content_index", 1), "the index of the part"),
    "a delta of another kind": (put("output_text.delta", "type", "response.refusal.delta"), "the kind"),
    "arguments lost": (drop("function_call_arguments.delta"), "arguments"),
    "arguments never done": (drop("function_call_arguments.done"), "before the whole of the call"),
    "arguments done twice": (twice("function_call_arguments.done"), "after the whole of the call"),
    "arguments of another name": (put("function_call_arguments.done", "name", "sub"), "the name"),
    "arguments of another call": (put("output_item.done", "item.arguments", "{}", 2), "the call"),
    "arguments of a custom tool": (
        put("custom_tool_call_input.delta", "type", "response.function_call_arguments.delta"),
        "an item of type",
    ),
    "input with another end": (put("custom_tool_call_input.done", "input", "*"), "input"),
}


def without_a_command(events: list[Json]) -> None:
    """Leave out all that is told of the first command."""
    del events[find(events, "shell_call_command.added") : find(events, "shell_call_command.done") + 1]


def fewer_commands(events: list[Json]) -> None:
    """Take the last command out of the item, wherever it is told."""
    for event in events:
        if event.get("item", {}).get("type") == "shell_call":
            event["item"]["action"]["commands"].pop()


WRONG_NOTES: dict[str, tuple[Callable[[list[Json]], None], str]] = {
    "a token lost": (put("output_text.delta", "logprobs", []), "the logprobs"),
    "a token that is only done": (put("output_text.done", "logprobs", []), "the logprobs"),
    "a part without its tokens": (put("content_part.done", "part.logprobs", [], 1), "the logprobs"),
    "another token in the part": (put("content_part.done", "part.logprobs.0.token", "Ho", 1), "the logprobs"),
    "another rival in the part": (
        put("content_part.done", "part.logprobs.0.top_logprobs.0.logprob", -3.0, 1),
        "the logprobs",
    ),
    "a part that begins with sources": (
        put("content_part.added", "part.annotations", [SOURCE], 1),
        "the first notes",
    ),
    "a source lost": (drop("output_text.annotation.added", 1), "the annotations"),
    "a source doubled": (twice("output_text.annotation.added"), "the index of the annotation"),
    "a source of another part": (
        put("output_text.annotation.added", "content_index", 1),
        "the index of the part",
    ),
    "a source of another item": (put("output_text.annotation.added", "item_id", "rs_0"), "the item"),
    "a part without its source": (put("content_part.done", "part.annotations", [], 1), "the annotations"),
    "an item without its source": (
        put("output_item.done", "item.content.0.annotations", [], 1),
        "content",
    ),
    "a source after its text": (swap("output_text.annotation.added", "output_text.done"), "comes after"),
    "a command lost": (without_a_command, "the index of the command"),
    "a command never opened": (drop("shell_call_command.added"), "no open command"),
    "a command opened twice": (twice("shell_call_command.added"), "while another is open"),
    "a command never closed": (drop("shell_call_command.done"), "the index of the command"),
    "a command left open": (drop("shell_call_command.done", 1), "around an open part"),
    "a command with another end": (put("shell_call_command.done", "command", "rm"), "the command"),
    "a command at another index": (put("shell_call_command.delta", "output_index", 0), "the index"),
    "a command that begins full": (put("shell_call_command.added", "command", "ls"), "the first text"),
    "other commands in the item": (fewer_commands, "the commands"),
    "a whole item that changes": (
        put("output_item.done", "item.operation", {"type": "delete_file", "path": "b"}, 4),
        "the item",
    ),
    "a whole item without its fields": (put("output_item.added", "item.action", {}, 3), "without action"),
    "a whole call without an id": (put("output_item.added", "item.call_id", "", 5), "without an id"),
    "a whole call that begins done": (
        put("output_item.added", "item.status", "completed", 5),
        "the status",
    ),
    "state that changes": (put("output_item.done", "item.encrypted_content", "x", 6), "the item"),
}


@pytest.mark.parametrize("name", WRONG_NOTES)
def test_a_broken_rule_of_notes_and_whole_items_is_named(name: str) -> None:
    change, rule = WRONG_NOTES[name]
    events = annotated()
    change(events)
    with pytest.raises(BrokenStream, match=rule):
        check(renumbered(events))


@pytest.mark.parametrize(
    ("kind", "name", "value", "rule"),
    [
        ("output_item.added", "item.status", "in_progress", "the status"),
        ("output_item.done", "item.encrypted_content", "x", "the item"),
        ("output_item.added", "item.encrypted_content", "", "without encrypted_content"),
    ],
)
def test_a_broken_rule_of_a_compaction_is_named(kind: str, name: str, value: str, rule: str) -> None:
    events = compacted()
    put(kind, name, value)(events)
    with pytest.raises(BrokenStream, match=rule):
        check(events)


@pytest.mark.parametrize("name", WRONG)
def test_a_broken_rule_is_named(name: str) -> None:
    change, rule = WRONG[name]
    events = completed()
    change(events)
    with pytest.raises(BrokenStream, match=rule):
        check(renumbered(events))


@pytest.mark.parametrize(
    ("name", "rule"),
    [("error", "in its error object the message"), ("failed", "does not say why")],
)
def test_a_failure_that_does_not_say_why(name: str, rule: str) -> None:
    events = failed()
    if name == "error":
        events[-2]["message"] = "Something else."
    else:
        events[-1]["response"]["error"]["message"] = ""
    with pytest.raises(BrokenStream, match=rule):
        check(events)


def test_an_error_is_the_last_thing_before_the_failure() -> None:
    events = failed()
    events[-2:-2] = [events[-2]]
    with pytest.raises(BrokenStream, match="may not follow: error"):
        check(renumbered(events))
    events = completed()
    events[-1:-1] = [failed()[-2]]
    with pytest.raises(BrokenStream, match="may not follow: error"):
        check(renumbered(events))


def test_a_response_cut_short_gives_the_reason() -> None:
    events = incomplete()
    events[-1]["response"]["incomplete_details"] = None
    with pytest.raises(BrokenStream, match="gives the reason None"):
        check(events)
    events = completed()
    find_last = find(events, "output_item.done", 3)
    events[find_last]["item"]["status"] = "incomplete"
    events[-1]["response"]["output"][-1]["status"] = "incomplete"
    with pytest.raises(BrokenStream, match="holds an item cut short"):
        check(events)


@pytest.mark.parametrize("number", [0, 2, 4])
def test_numbers_have_no_gaps(number: int) -> None:
    events = completed()
    events[3]["sequence_number"] = number
    with pytest.raises(BrokenStream, match="should be number 3"):
        check(events)


@pytest.mark.parametrize(
    "stream",
    [
        b'event: x\ndata: {"type": "error"}\n\n',
        b'data: {"type": "error"}\n\n',
        b'event: error\n: c\ndata: {"type": "error"}\n\n',
        b'event: error\ndata: {"type": "error"}\nid: 1\n\n',
        b'event: error\ndata: {"type": "error"}\n',
    ],
)
def test_other_framing_is_refused(stream: bytes) -> None:
    with pytest.raises(BrokenStream):
        decode(stream)
