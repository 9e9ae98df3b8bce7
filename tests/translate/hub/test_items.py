"""An item of each kind in full: its events, what it holds, and when a call is told at all."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.support import contract
from tests.support.grammar import check, decode
from tests.support.streams import CREATED, ERROR, USAGE, new_compaction, new_stream, unseal
from wireloom.translate.hub import events as response_events
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.tools.table import CALL_ITEMS, TOOLS
from wireloom.wire.sse import encode

Json: TypeAlias = dict[str, Any]
ENDED = ["completed", "incomplete", "failed"]


def taken(stream: ResponseStream) -> list[Json]:
    events = decode(encode(stream.take()))
    assert [(event, wrong) for event in events if (wrong := contract.complaints(event))] == []
    return events


def brief(events: list[Json]) -> list[str]:
    """The events after the opening ones without their common stem, with what they say."""
    said = ("delta", "text", "refusal", "arguments", "input", "command", "code")
    return [
        " ".join(
            [event["type"].removeprefix("response."), *(repr(event[key]) for key in said if key in event)]
        )
        for event in events[2:]
    ]


def reasoning(stream: ResponseStream) -> None:
    stream.reasoning("I ")
    stream.reasoning("see")


def texts_and_refusal(stream: ResponseStream) -> None:
    stream.text("He")
    stream.text("llo")
    stream.refusal("no")


def function(stream: ResponseStream) -> None:
    stream.call("a", "call_1", "add", namespace="maths")
    stream.arguments("a", '{"a"')
    stream.arguments("a", ":1}")


def custom(stream: ResponseStream) -> None:
    stream.call("a", "call_1", "patch", make=CALL_ITEMS["custom"])
    stream.arguments("a", '{"input":')
    stream.arguments("a", '"***')
    stream.arguments("a", ' End"}')


def with_tokens(stream: ResponseStream) -> None:
    stream.text_with_logprobs("Hi", [token("H"), token("i")])
    stream.text_with_logprobs("", [token("")])
    stream.text("!")


def with_sources(stream: ResponseStream) -> None:
    stream.text("It rains.")
    assert stream.annotate(source("a"))
    stream.text(" A lot.")
    assert stream.annotate(source("b"))


def local_shell(stream: ResponseStream) -> None:
    stream.call("a", "call_1", "local_shell", make=CALL_ITEMS["local_shell"])
    stream.arguments("a", '{"command":["ls"]')
    stream.arguments("a", ',"timeout_ms":5,"working_directory":"/","env":{"A":"b"},"user":"me"}')


def shell(stream: ResponseStream) -> None:
    stream.call("a", "call_1", "shell", make=CALL_ITEMS["shell"])
    stream.arguments("a", '{"commands":["ls","pwd"],"max_output_length":9}')


def apply_patch(stream: ResponseStream) -> None:
    stream.call("a", "call_1", "apply_patch", make=CALL_ITEMS["apply_patch"])
    stream.arguments("a", '{"operation":{"type":"update_file","path":"a","diff":"@@"}}')


def tool_search(stream: ResponseStream) -> None:
    stream.call("a", "call_1", "tool_search", make=CALL_ITEMS["tool_search"])
    stream.arguments("a", '{"query":"x"}')


def state(stream: ResponseStream) -> None:
    stream.append_state({"message": {"x": 1}})


def token(text: str) -> Json:
    rival: Json = {"token": "?", "logprob": -2.0, "bytes": [63]}
    return {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": [rival]}


def source(name: str) -> Json:
    return {
        "type": "url_citation",
        "url": f"https://{name}/",
        "title": name,
        "start_index": 0,
        "end_index": 2,
    }


SCRIPTS: dict[str, tuple[Callable[[ResponseStream], None], bool, list[str], Json]] = {
    "message": (
        texts_and_refusal,
        False,
        [
            "content_part.added",
            "output_text.delta 'He'",
            "output_text.delta 'llo'",
            "output_text.done 'Hello'",
            "content_part.done",
            "content_part.added",
            "refusal.delta 'no'",
            "refusal.done 'no'",
            "content_part.done",
        ],
        {
            "id": "msg_0",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
            ],
        },
    ),
    "reasoning": (
        reasoning,
        False,
        [
            "content_part.added",
            "reasoning_text.delta 'I '",
            "reasoning_text.delta 'see'",
            "reasoning_text.done 'I see'",
            "content_part.done",
        ],
        {
            "id": "rs_0",
            "type": "reasoning",
            "status": "completed",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "I see"}],
        },
    ),
    "summary": (
        reasoning,
        True,
        [
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta 'I '",
            "reasoning_summary_text.delta 'see'",
            "reasoning_summary_text.done 'I see'",
            "reasoning_summary_part.done",
        ],
        {
            "id": "rs_0",
            "type": "reasoning",
            "status": "completed",
            "summary": [{"type": "summary_text", "text": "I see"}],
        },
    ),
    "function": (
        function,
        False,
        [
            """function_call_arguments.delta '{"a"'""",
            "function_call_arguments.delta ':1}'",
            """function_call_arguments.done '{"a":1}'""",
        ],
        {
            "id": "fc_0",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_1",
            "name": "add",
            "namespace": "maths",
            "arguments": '{"a":1}',
        },
    ),
    "custom": (
        custom,
        False,
        [
            "custom_tool_call_input.delta '***'",
            "custom_tool_call_input.delta ' End'",
            "custom_tool_call_input.done '*** End'",
        ],
        {
            "id": "ctc_0",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": "call_1",
            "name": "patch",
            "input": "*** End",
        },
    ),
    "text with the probabilities of its tokens": (
        with_tokens,
        False,
        [
            "content_part.added",
            "output_text.delta 'Hi'",
            "output_text.delta ''",
            "output_text.delta '!'",
            "output_text.done 'Hi!'",
            "content_part.done",
        ],
        {
            "id": "msg_0",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "Hi!",
                    "annotations": [],
                    "logprobs": [token("H"), token("i"), token("")],
                }
            ],
        },
    ),
    "text with sources": (
        with_sources,
        False,
        [
            "content_part.added",
            "output_text.delta 'It rains.'",
            "output_text.annotation.added",
            "output_text.delta ' A lot.'",
            "output_text.annotation.added",
            "output_text.done 'It rains. A lot.'",
            "content_part.done",
        ],
        {
            "id": "msg_0",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "It rains. A lot.",
                    "annotations": [source("a"), source("b")],
                    "logprobs": [],
                }
            ],
        },
    ),
    "local shell": (
        local_shell,
        False,
        [],
        {
            "id": "lsh_0",
            "type": "local_shell_call",
            "status": "completed",
            "call_id": "call_1",
            "action": {
                "type": "exec",
                "command": ["ls"],
                "env": {"A": "b"},
                "timeout_ms": 5,
                "working_directory": "/",
                "user": "me",
            },
        },
    ),
    "shell": (
        shell,
        False,
        [
            "shell_call_command.added ''",
            "shell_call_command.delta 'ls'",
            "shell_call_command.done 'ls'",
            "shell_call_command.added ''",
            "shell_call_command.delta 'pwd'",
            "shell_call_command.done 'pwd'",
        ],
        {
            "id": "sh_0",
            "type": "shell_call",
            "status": "completed",
            "call_id": "call_1",
            "action": {"commands": ["ls", "pwd"], "timeout_ms": None, "max_output_length": 9},
            "environment": {"type": "local"},
        },
    ),
    "apply_patch": (
        apply_patch,
        False,
        [],
        {
            "id": "apc_0",
            "type": "apply_patch_call",
            "status": "completed",
            "call_id": "call_1",
            "operation": {"type": "update_file", "path": "a", "diff": "@@"},
        },
    ),
    "tool search": (
        tool_search,
        False,
        [],
        {
            "id": "tsc_0",
            "type": "tool_search_call",
            "status": "completed",
            "call_id": "call_1",
            "execution": "client",
            "arguments": {"query": "x"},
        },
    ),
    "state": (
        state,
        False,
        [],
        {
            "id": "rs_0",
            "type": "reasoning",
            "status": "completed",
            "summary": [],
            "encrypted_content": 'sealed {"message": {"x": 1}}',
        },
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_item_of_each_kind(name: str) -> None:
    speak, summarise, expected, item = SCRIPTS[name]
    stream = new_stream(summarise=summarise)
    speak(stream)
    stream.finish(USAGE)
    events = taken(stream)
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert brief(events) == ["output_item.added", *expected, "output_item.done", "completed"]
    told = check(events)
    assert told.response["output"] == [item]
    assert (told.response["usage"], told.response["completed_at"]) == (USAGE, CREATED + 1)


def test_a_compaction() -> None:
    stream = new_compaction()
    stream.text("All ")
    stream.text("of it.")
    stream.finish(USAGE)
    events = taken(stream)
    assert brief(events) == ["output_item.added", "output_item.done", "completed"]
    (item,) = check(events).response["output"]
    assert item == {"id": "cmp_0", "type": "compaction", "encrypted_content": item["encrypted_content"]}
    assert unseal(item["encrypted_content"]) == {"summary": "All of it."}


def test_every_event_that_is_said_to_be_written_is() -> None:
    seen: set[str] = set()
    for speak, summarise, _, _ in SCRIPTS.values():
        for ending in ENDED:
            stream = new_stream(summarise=summarise)
            speak(stream)
            end(stream, ending)
            seen |= {event["type"] for event in taken(stream)}
    assert seen == response_events.EMITTED.keys()


def end(stream: ResponseStream, ending: str) -> None:
    if ending == "failed":
        stream.fail(ERROR, "upstream_error")
    else:
        stream.finish(USAGE, None if ending == "completed" else "max_output_tokens")


# -- calls ---------------------------------------------------------------------------------------------------------

# Kind of a call -> arguments that can be read.
READABLE = {
    "function": '{"a":1}',
    "custom": '{"input":"***"}',
    "tool_search": '{"query":"x"}',
    "local_shell": '{"command":["ls"]}',
    "shell": '{"commands":["ls"]}',
    "apply_patch": '{"operation":{"type":"delete_file","path":"a"}}',
}
PUBLISHED = sorted(CALL_ITEMS.keys() - {"function", "custom"})


def item_type(kind: str) -> str:
    return {"custom": "custom_tool_call"}.get(kind, f"{kind}_call")


def test_there_is_a_kind_of_call_for_every_tool_that_is_offered() -> None:
    assert CALL_ITEMS.keys() == READABLE.keys()
    assert CALL_ITEMS.keys() <= TOOLS.keys()


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_call_of_a_published_tool_is_told_when_it_is_whole(kind: str) -> None:
    stream = new_stream()
    stream.call(1, "call_1", kind, make=CALL_ITEMS[kind])
    first, second = READABLE[kind][:5], READABLE[kind][5:]
    stream.arguments(1, first)
    assert brief(taken(stream)) == []
    stream.arguments(1, second)
    stream.text("and")
    told = brief([{}, {}, *taken(stream)])
    assert (told[0], told[-1]) == ("output_item.added", "output_text.delta 'and'")
    assert told.count("output_item.done") == 1


UNREADABLE = {
    "local_shell": ["{}", '{"command":[]}', '{"command":["ls",1]}', '{"command":{"a":1}}', "null", "7"],
    "shell": ["{}", '{"commands":[]}', '{"commands":"" ,"x":', '{"commands":[1]}', '[["ls"]]'],
    "apply_patch": [
        "{}",
        '{"operation":7}',
        '{"operation":{"type":"move_file","path":"a","diff":""}}',
        '{"operation":{"type":"create_file","path":"a"}}',
        '{"operation":{"type":"delete_file","path":""}}',
        "*** Begin Patch",
    ],
    "tool_search": ["[]", '"x"', "{query: x}", "null"],
}


@pytest.mark.parametrize(
    ("kind", "arguments"), [(kind, text) for kind, texts in UNREADABLE.items() for text in texts]
)
def test_what_cannot_be_read_is_told_as_the_call_of_a_function(kind: str, arguments: str) -> None:
    stream = new_stream()
    stream.call(1, "call_1", kind, make=CALL_ITEMS[kind])
    stream.arguments(1, arguments)
    stream.text("and")
    stream.finish(USAGE)
    call, message = check(taken(stream)).response["output"]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", kind, arguments)
    assert (call["call_id"], call["status"], message["type"]) == ("call_1", "completed", "message")


@pytest.mark.parametrize("kind", READABLE)
@pytest.mark.parametrize("arguments", ["", " "])
def test_a_call_without_arguments(kind: str, arguments: str) -> None:
    stream = new_stream()
    stream.call(1, "call_1", "some_tool", make=CALL_ITEMS[kind])
    stream.arguments(1, arguments)
    stream.finish(USAGE)
    (item,) = check(taken(stream)).response["output"]
    if kind == "custom":
        assert item["input"].strip() == ""
    elif kind == "tool_search":
        assert (item["type"], item["arguments"]) == ("tool_search_call", {})
    else:
        assert (item["type"], json.loads(item["arguments"])) == ("function_call", {})


@pytest.mark.parametrize("first", READABLE)
@pytest.mark.parametrize("second", READABLE)
def test_two_calls_that_mix_are_told_one_after_the_other(first: str, second: str) -> None:
    stream = new_stream()
    stream.call(1, "call_1", "one", make=CALL_ITEMS[first])
    stream.call(2, "call_2", "two", make=CALL_ITEMS[second])
    for one, two in zip(READABLE[first].ljust(60), READABLE[second].ljust(60), strict=True):
        stream.arguments(2, two)
        stream.arguments(1, one)
    stream.finish(USAGE)
    items = check(taken(stream)).response["output"]
    assert [(item["type"], item["call_id"]) for item in items] == [
        (item_type(first), "call_1"),
        (item_type(second), "call_2"),
    ]


@pytest.mark.parametrize("kind", READABLE)
def test_a_call_cut_short(kind: str) -> None:
    stream = new_stream()
    stream.call(1, "call_1", "some_tool", make=CALL_ITEMS[kind])
    stream.arguments(1, READABLE[kind][:-3])
    stream.finish(USAGE, "max_output_tokens")
    (item,) = check(taken(stream)).response["output"]
    assert item["status"] == "incomplete"
    if kind == "custom":
        assert (item["type"], item["input"]) == ("custom_tool_call", "**")
    else:
        assert (item["type"], item["arguments"]) == ("function_call", READABLE[kind][:-3])


def test_a_function_call_cut_short_before_its_arguments_has_none() -> None:
    stream = new_stream()
    stream.call(1, "call_1", "f")
    stream.finish(USAGE, "max_output_tokens")
    (item,) = check(taken(stream)).response["output"]
    assert (item["arguments"], item["status"]) == ("", "incomplete")


def test_commands_are_told_by_their_indexes_alone() -> None:
    stream = new_stream()
    shell(stream)
    stream.finish(USAGE)
    told = [event for event in taken(stream) if "shell_call_command" in event["type"]]
    said = {"command", "delta"}
    assert {frozenset(event.keys() - said) for event in told} == {
        frozenset({"type", "sequence_number", "output_index", "command_index"})
    }


@pytest.mark.parametrize("kind", READABLE)
def test_a_failure_within_a_call_leaves_it_open_or_untold(kind: str) -> None:
    stream = new_stream()
    stream.call(1, "call_1", "some_tool", make=CALL_ITEMS[kind])
    stream.arguments(1, READABLE[kind])
    stream.fail(ERROR, "server_error")
    told = check(taken(stream))
    assert len(told.calls) == (kind not in PUBLISHED)
    assert told.response["output"] == []


@pytest.mark.parametrize("kind", READABLE)
@pytest.mark.parametrize("arguments", ["readable", "7"])
def test_arguments_after_the_end_of_a_call_of_any_kind_are_an_error(kind: str, arguments: str) -> None:
    stream = new_stream()
    stream.call(1, "call_1", "some_tool", make=CALL_ITEMS[kind])
    stream.arguments(1, READABLE[kind] if arguments == "readable" else arguments)
    stream.text("done")
    stream.arguments(1, " \n")
    with pytest.raises(ValueError, match="after the end"):
        stream.arguments(1, '{"a":1}')


# -- sources -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nothing", "reasoning", "refusal", "call"])
def test_a_source_without_text_has_no_place(kind: str) -> None:
    stream = new_stream()
    if kind == "call":
        stream.text("It rains.")
        stream.call(1, "call_1", "f")
    elif kind != "nothing":
        getattr(stream, kind)("Hm.")
    assert not stream.annotate(source("a"))
    stream.finish(USAGE)
    assert check(taken(stream)).annotations == []


# -- what is sealed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("summarise", [True, False])
def test_every_reasoning_item_carries_its_text_sealed_where_that_is_asked(summarise: bool) -> None:
    for asked in (True, False):
        stream = new_stream(summarise=summarise, seal_reasoning=asked)
        stream.reasoning("I ")
        stream.reasoning("see.")
        stream.text("Yes.")
        stream.reasoning("And?")
        stream.finish(USAGE)
        told = check(taken(stream))
        sealed = [{"text": "I see."}, {"text": "And?"}] if asked else []
        assert [unseal(token) for token in told.sealed] == sealed
        assert told.reasoning == "I see.And?"


def test_reasoning_cut_short_is_sealed_as_far_as_it_came() -> None:
    stream = new_stream(seal_reasoning=True)
    stream.reasoning("half a th")
    stream.finish(USAGE, "max_output_tokens")
    told = check(taken(stream))
    assert [unseal(token) for token in told.sealed] == [{"text": "half a th"}]
    assert told.response["output"][0]["status"] == "incomplete"


def test_state_is_sealed_once_and_whether_reasoning_is_or_not() -> None:
    for asked in (True, False):
        stream = new_stream(seal_reasoning=asked)
        stream.text("Yes.")
        stream.append_state({"message": {"x": 1}})
        stream.finish(USAGE)
        assert [unseal(token) for token in check(taken(stream)).sealed] == [{"message": {"x": 1}}]


def test_nothing_is_sealed_without_a_seal() -> None:
    stream = new_stream(sealing=False, seal_reasoning=True)
    stream.reasoning("Hm.")
    stream.append_state({"message": {"x": 1}})
    stream.finish(USAGE)
    told = check(taken(stream))
    assert (told.sealed, [kind for kind, _ in told.items]) == ([], ["reasoning"])
