"""Halves of surrogate pairs: joined over fragments, replaced alone, and nothing else is touched."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wireloom.wire.surrogates import LOST, Halves

HIGH, LOW, FACE, GONE = "\ud83d", "\ude00", "\U0001f600", "\ufffd"


def content(text: str, **more: Any) -> Any:
    return {"choices": [{"index": 0, "delta": {"content": text}, **more}]}


def thought(text: str) -> Any:
    return {"choices": [{"index": 0, "delta": {"reasoning_content": text}}]}


def arguments(text: str, index: int = 0) -> Any:
    return {
        "choices": [
            {"index": 0, "delta": {"tool_calls": [{"index": index, "function": {"arguments": text}}]}}
        ]
    }


def event(kind: str, text: str, member: str = "delta", item: str = "i") -> Any:
    return {"type": f"response.{kind}", "item_id": item, "output_index": 0, member: text}


def through(*events: Any) -> tuple[list[Any], list[str]]:
    halves, sent = Halves(), []
    for each in events:
        data = each if isinstance(each, bytes) else json.dumps(each).encode()
        sent += halves.mended(data)
    sent += halves.rest()
    assert not halves.held
    return [data if data == b"[DONE]" else json.loads(data) for data in sent], halves.lost


def texts(events: list[Any], *names: str) -> str:
    found = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for name, member in value.items():
                if name in names and isinstance(member, str):
                    found.append(member)
                walk(member)
        elif isinstance(value, list):
            for member in value:
                walk(member)

    walk(events)
    return "".join(found)


@pytest.mark.parametrize("make", [content, thought, arguments, lambda text: event("output_text.delta", text)])
@pytest.mark.parametrize(
    ("fragments", "text", "lost"),
    [
        (["a " + HIGH, LOW + " b"], f"a {FACE} b", False),
        (["a " + HIGH, "", LOW], f"a {FACE}", False),
        ([HIGH + LOW + HIGH, LOW], FACE * 2, False),
        (["a " + HIGH, " b"], f"a {GONE} b", True),
        (["a " + HIGH + " b"], f"a {GONE} b", True),
        (["a " + LOW + " b"], f"a {GONE} b", True),
        (["a" + HIGH], f"a{GONE}", True),
        ([HIGH, HIGH, LOW], f"{GONE}{FACE}", True),
        ([LOW, HIGH], GONE * 2, True),
    ],
)
def test_fragments(make: Any, fragments: list[str], text: str, lost: bool) -> None:
    sent, told = through(*map(make, fragments))
    assert texts(sent, "content", "reasoning_content", "arguments", "delta") == text
    assert told == ([LOST] if lost else [])


@pytest.mark.parametrize(
    ("fragments", "value", "lost"),
    [
        (['{"a":"\\ud83d', '\\ude00"}'], FACE, False),
        (['{"a":"\\uD83D\\uDE00"}'], FACE, False),
        (['{"a":"\\ud83d', ' b"}'], f"{GONE} b", True),
        (['{"a":"\\ud83d"}'], GONE, True),
        (['{"a":"\\ude00"}'], GONE, True),
        (['{"a":"\\', "ud83d\\", 'ude00"}'], FACE, False),
        (['{"a":"\\ud8', "3d\\ude", '00"}'], FACE, False),
        (['{"a":"\\ud8', '3d"}'], GONE, True),
        (['{"a":"\\u00', 'e4"}'], "ä", False),
        (['{"a":"\\\\', 'ud83d"}'], "\\ud83d", False),
        (['{"a":"\\\\ud83d"}'], "\\ud83d", False),
        (['{"a":"\\', '\\ud83d"}'], "\\ud83d", False),
        (['{"a":"\\n', '\\t"}'], "\n\t", False),
        (['{"a":"', HIGH, LOW, '"}'], FACE, False),
    ],
)
@pytest.mark.parametrize(
    "make", [arguments, lambda text: event("function_call_arguments.delta", text)], ids=["chat", "responses"]
)
def test_arguments_can_be_parsed(make: Any, fragments: list[str], value: str, lost: bool) -> None:
    sent, told = through(*map(make, fragments))
    whole = texts(sent, "arguments", "delta")
    assert json.loads(whole) == {"a": value}
    whole.encode()
    assert told == ([LOST] if lost else [])


def test_an_escape_in_a_text_that_is_no_json_is_text() -> None:
    sent, told = through(content("plain \\ud83d text"), content(" and more \n"))
    assert texts(sent, "content") == "plain \\ud83d text and more \n"
    assert not told


def test_calls_in_turns_are_told_apart() -> None:
    sent, told = through(
        arguments('"' + HIGH, 0), arguments('"' + HIGH, 1), arguments(LOW + '"', 1), arguments(LOW + '"', 0)
    )
    by_call: dict[int, str] = {}
    for each in sent:
        (call,) = each["choices"][0]["delta"]["tool_calls"]
        by_call[call["index"]] = by_call.get(call["index"], "") + call["function"]["arguments"]
    assert by_call == {0: f'"{FACE}"', 1: f'"{FACE}"'}
    assert not told


def test_a_text_between_the_halves_of_a_thought() -> None:
    sent, _ = through(thought(HIGH), content("x"), thought(LOW))
    assert (texts(sent, "reasoning_content"), texts(sent, "content")) == (FACE, "x")


@pytest.mark.parametrize(
    "last", [content("", finish_reason="stop"), b"[DONE]", arguments("{}")], ids=["finish", "done", "call"]
)
def test_a_half_is_given_up_before_what_ends_its_text(last: Any) -> None:
    sent, told = through(content("a" + HIGH), last)
    assert texts(sent[:-1], "content") == f"a{GONE}"
    assert told == [LOST]


def test_a_half_is_given_up_before_the_end_of_an_item() -> None:
    sent, told = through(
        event("output_text.delta", "a" + HIGH), event("output_text.done", "a" + HIGH, "text")
    )
    assert texts(sent, "delta") == texts(sent, "text") == f"a{GONE}"
    assert sent[1] == event("output_text.delta", GONE)
    assert told == [LOST]


def test_a_loss_is_told_once() -> None:
    assert through(content(HIGH + "a"), content(HIGH + "b"))[1] == [LOST]


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices":[{"delta":{"content":"\\n\\"\\ud83d\\ude00\\u00e4"}}]}',
        b'{"choices": [{"delta": {"content": "C:\\\\"}}]}',
        b'{"a": "\\ud83d',
        b"\\ud83d",
        b'["\\ud83d"]',
        b"[DONE]",
        b"",
        b"[" * 10_000 + b'"\\ud83d"',
    ],
)
def test_what_needs_nothing_stays_as_it_is(data: bytes) -> None:
    halves = Halves()
    assert halves.mended(data) == [data]
    assert not halves.lost


def test_an_answer_that_is_not_streamed() -> None:
    halves = Halves()
    told = {
        "message": {"content": f"a{HIGH}b", "tool_calls": [{"function": {"arguments": '{"x":"\\ud83d"}'}}]}
    }
    made = json.loads(halves.whole(json.dumps(told).encode()))
    assert made["message"]["content"] == f"a{GONE}b"
    assert json.loads(made["message"]["tool_calls"][0]["function"]["arguments"]) == {"x": GONE}
    assert halves.lost == [LOST]
    clean = b'{"a": "\\ud83d\\ude00 \\\\ x"}'
    assert Halves().whole(clean) is clean
    assert Halves().whole(b'{"a": "\\ud83d') == b'{"a": "\\ud83d'


@given(st.text(st.sampled_from('a\\"u\n😀ä{d83'), max_size=12), st.data())
def test_no_cut_of_escaped_arguments_changes_them(text: str, data: Any) -> None:
    whole = json.dumps({"a": text})
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    sent, told = through(*map(arguments, pieces), content("", finish_reason="stop"))
    assert json.loads(texts(sent, "arguments")) == {"a": text}
    assert not told
