"""Calls in a Chat answer that is passed on, as they are meant; a clean stream leaves byte for byte."""

import json
from typing import Any, TypeAlias

import pytest

from tests.support.chat_answers import call, chunk
from tests.support.chat_grammar import ToldCompletion, check, events
from tests.support.meant_calls import ARGUMENTS, CLEAN, CMD, EXEC, NAMES, UNREPAIRED, Written
from wireloom.translate.answer.asked import NOTHING
from wireloom.translate.chat_face.relay import ChatRelay, folded
from wireloom.translate.chat_face.relay_calls import OfferedTools
from wireloom.translate.chat_face.relay_whole import WholeAnswer
from wireloom.wire.sse import DONE_EVENT

Json: TypeAlias = dict[str, Any]
FLAT = [
    {"name": "exec_command", "parameters": EXEC["parameters"]},
    {"name": "mcp__tiny-add", "parameters": {"type": "object", "properties": {}}},
]
TOOLS = OfferedTools(
    {
        "tools": [
            *({"type": "function", "function": each} for each in FLAT),
            {"type": "custom", "custom": {"name": "free"}},
        ]
    }
)
HEAD = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "theirs"}
# A Chat client knows tools by their flat names alone.
ALL = [each for each in (*NAMES, *ARGUMENTS, *UNREPAIRED, *CLEAN) if each.name not in ("add", "tiny.add")]
# Only fragments show a snapshot.
IN_ONE_PIECE = [each for each in ALL if "snapshots" not in each.case]
# This one is held back for a moment, so that its fragments leave as one.
UNTOUCHED = [each for each in CLEAN if each.case != "the same object within itself"]


def part(delta: Json, finish: str | None = None) -> bytes:
    value = json.loads(chunk(delta, finish))
    value["choices"][0]["logprobs"] = None
    return json.dumps({**HEAD, **value}).encode()


BEGIN = part({"role": "assistant", "content": None})


def relayed(*data: bytes) -> tuple[bytes, ChatRelay]:
    relay = ChatRelay(None, lambda prefix: f"{prefix}_new", TOOLS)
    for each in data:
        relay.feed(each)
    relay.close()
    return b"".join(relay.take()), relay


def read(*data: bytes) -> tuple[ToldCompletion, list[str]]:
    sent, relay = relayed(BEGIN, *data)
    return check(events((sent + DONE_EVENT).decode()), relayed=True), relay.lost


def meant(written: Written) -> tuple[str, str]:
    namespace, name, arguments = written.meant
    return name if namespace is None else f"{namespace}-{name}", arguments


def same(function: Json, written: Written) -> None:
    name, arguments = meant(written)
    assert function["name"] == name
    assert function["arguments"] == arguments or json.loads(function["arguments"]) == json.loads(arguments)


def stream(written: Written, *, apart: bool = True) -> list[bytes]:
    """A stream with a call; its end comes with the last fragment unless it is apart."""
    first, *rest = written.arguments
    deltas = [
        call(0, "c1", written.name, first, type="function"),
        *(call(0, None, None, each) for each in rest),
    ]
    *before, end = [*deltas, {}] if apart else deltas
    return [*map(part, before), part(end, "tool_calls"), b"[DONE]"]


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("written", ALL, ids=lambda each: each.case)
def test_a_streamed_call_is_passed_on_as_it_is_meant(written: Written, apart: bool) -> None:
    told, lost = read(*stream(written, apart=apart))
    (made,) = told.calls
    same(made["function"], written)
    assert bool(lost) is written.told


@pytest.mark.parametrize("written", ALL, ids=lambda each: each.case)
def test_an_object_that_is_folded_has_the_same(written: Written) -> None:
    relay = ChatRelay(None, str, TOOLS)
    for data in stream(written):
        relay.feed(data)
    relay.close()
    made = json.loads(folded(relay.take()))
    same(made["choices"][0]["message"]["tool_calls"][0]["function"], written)


@pytest.mark.parametrize("written", IN_ONE_PIECE, ids=lambda each: each.case)
def test_a_call_in_one_piece_is_passed_on_as_it_is_meant(written: Written) -> None:
    first = written.arguments[0]
    arguments = first if isinstance(first, dict) else "".join(written.arguments)
    lost: list[str] = []
    made = json.loads(
        WholeAnswer(None, str, TOOLS, NOTHING, lost).passed_on(one(call(None, "c1", written.name, arguments)))
    )
    same(made["choices"][0]["message"]["tool_calls"][0]["function"], written)
    assert bool(lost) is written.told


def one(message: Json) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, "refusal": None, **message}}
    value = {
        **HEAD,
        "object": "chat.completion",
        "choices": [{**choice, "finish_reason": "tool_calls", "logprobs": None}],
    }
    return json.dumps(value, indent=1).encode()


@pytest.mark.parametrize("written", UNTOUCHED, ids=lambda each: each.case)
def test_a_clean_answer_leaves_as_it_came(written: Written) -> None:
    data = stream(written)
    sent, _ = relayed(*data)
    assert sent == b"".join(b"data: " + each + b"\n\n" for each in data[:-1])
    answer = one(call(None, "c1", written.name, "".join(written.arguments), type="function"))
    assert WholeAnswer(None, str, TOOLS, NOTHING, []).passed_on(answer) == answer


def test_a_call_that_comes_twice_under_its_id_is_one() -> None:
    again = [call(index, "c1", "exec_command", CMD, type="function") for index in (0, 1)]
    told, lost = read(*map(part, again), part({}, "tool_calls"), b"[DONE]")
    assert [each["function"]["arguments"] for each in told.calls] == [CMD]
    both = {"tool_calls": [each["tool_calls"][0] for each in again]}
    for each in both["tool_calls"]:
        each.pop("index")
    made = json.loads(WholeAnswer(None, str, TOOLS, NOTHING, lost).passed_on(one(both)))
    assert len(made["choices"][0]["message"]["tool_calls"]) == 1
    both["tool_calls"][1] = {**both["tool_calls"][1], "id": "c2"}
    made = json.loads(WholeAnswer(None, str, TOOLS, NOTHING, lost).passed_on(one(both)))
    assert len(made["choices"][0]["message"]["tool_calls"]) == 2


def test_an_end_for_calls_without_a_call_is_a_stop() -> None:
    told, _ = read(part({"content": "Hi"}), part({}, "tool_calls"), b"[DONE]")
    assert (told.calls, told.finish_reason) == ([], "stop")


def test_what_is_held_back_comes_before_a_missing_end() -> None:
    told, _ = read(part(call(0, "c1", "exec_command", json.dumps(CMD))), b"[DONE]")
    assert told.calls[0]["function"]["arguments"] == CMD


@pytest.mark.parametrize("arguments", ["", None])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    told, _ = read(
        part(call(0, "c1", "mcp__tiny-add", arguments, type="function")), part({}, "tool_calls"), b"[DONE]"
    )
    assert told.calls[0]["function"]["arguments"] == "{}"


def test_tools_of_an_odd_form_offer_nothing() -> None:
    odd: Json = {
        "tools": [None, {"type": 5}, {"type": "function", "function": "x"}],
        "functions": {"name": "f"},
    }
    assert OfferedTools(odd).tools.by_flat_name == {}
    assert list(OfferedTools({"functions": [{"name": "f"}]}).tools.by_flat_name) == ["f"]
