"""Calls of a Chat upstream as they are meant: names, arguments, each said once; streamed and in one piece."""

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest

from tests.support.chat_answers import STOP, Session, call, chunk
from tests.support.grammar import Told
from tests.support.meant_calls import ARGUMENTS, BODY, CLEAN, CMD, NAMES, TOOLS, UNREPAIRED, Written
from tests.support.tools import offered
from wireloom.translate.chat_upstream.chunk import completion

Json: TypeAlias = dict[str, Any]
EXEC = (None, "exec_command", CMD)


def session() -> Session:
    return Session(tools=offered(*TOOLS)[0])


def calls(told: Told) -> list[tuple[str | None, str, str]]:
    return [(one.item.get("namespace"), one.item["name"], one.said) for one in told.calls]


def same(found: Sequence[tuple[str | None, str, str]], *meant: tuple[str | None, str, str]) -> None:
    """Names are the same, and so are arguments, but for white space."""
    assert [each[:2] for each in found] == [each[:2] for each in meant]
    for (*_, said), (*_, wanted) in zip(found, meant, strict=True):
        assert said == wanted or json.loads(said) == json.loads(wanted)


ALL = [*NAMES, *ARGUMENTS, *UNREPAIRED, *CLEAN]


@pytest.mark.parametrize("written", ALL, ids=lambda each: each.case)
def test_a_streamed_call_is_read_as_it_is_meant(written: Written) -> None:
    first, *rest = written.arguments
    reading = session()
    told = reading.read(
        [
            chunk(call(0, "c1", written.name, first)),
            *(chunk(call(0, None, None, each)) for each in rest),
            chunk(finish="tool_calls"),
        ]
    )
    same(calls(told), written.meant)
    assert bool(reading.reader.lost) is written.told
    tool = written.meant
    assert reading.reader.called == [tool[1] if tool[0] is None else f"{tool[0]}-{tool[1]}"]


@pytest.mark.parametrize("written", ALL, ids=lambda each: each.case)
def test_a_call_in_one_piece_is_read_as_it_is_meant(written: Written) -> None:
    if "snapshots" in written.case:
        return  # only fragments show them
    first = written.arguments[0]
    arguments = first if isinstance(first, dict) else "".join(written.arguments)
    message = {"role": "assistant", "content": None, **call(None, "c1", written.name, arguments)}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    reading = session()
    told = reading.read([completion(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())])
    same(calls(told), written.meant)
    assert bool(reading.reader.lost) is written.told


def test_what_was_read_is_reported() -> None:
    reading = session()
    reading.read([chunk(call(0, "c1", "functions.exec_command", CMD + CMD)), STOP])
    assert reading.reader.lost == [
        "the call of 'functions.exec_command' was read as exec_command",
        "the arguments of a call of exec_command came said twice",
    ]


def test_what_may_be_called_is_asked_of_the_tool_that_is_meant() -> None:
    tools, _ = offered(*TOOLS)
    tools.allowed = frozenset({"apply_patch"})
    reading = Session(tools=tools)
    reading.read([chunk(call(0, "c1", "functions.exec_command", CMD)), STOP])
    assert reading.failure is not None
    assert reading.failure.code == "invalid_tool_call"
    tools.allowed = frozenset({"exec_command"})
    told = Session(tools=tools).read([chunk(call(0, "c1", "functions.exec_command", CMD)), STOP])
    same(calls(told), EXEC)


def test_an_id_of_kimi_names_a_call_without_a_name() -> None:
    reading = session()
    told = reading.read([chunk(call(0, "functions.exec_command:0", None, CMD)), STOP])
    same(calls(told), EXEC)
    assert len(reading.reader.lost) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [json.dumps({"input": BODY})],
        [BODY[:20], BODY[20:]],
        [json.dumps({"command": ["bash", "-lc", f"apply_patch <<'EOF'\n{BODY}\nEOF"]})],
        ["```\n", BODY, "\n```"],
        [json.dumps({"input": BODY}), json.dumps({"input": BODY})],
    ],
    ids=["asked for", "bare", "a shell", "a fence", "said twice"],
)
def test_a_patch_in_any_form(arguments: list[str]) -> None:
    reading = session()
    first, *rest = arguments
    told = reading.read(
        [
            chunk(call(0, "c1", "applypatch", first)),
            *(chunk(call(0, None, None, each)) for each in rest),
            STOP,
        ]
    )
    assert [(one.item["type"], one.item["name"], one.said) for one in told.calls] == [
        ("custom_tool_call", "apply_patch", BODY)
    ]
    assert len(reading.reader.lost) == 1 + (arguments != [json.dumps({"input": BODY})])


# -- said once -----------------------------------------------------------------------------------------------------

OLDER = {"function_call": {"name": "exec_command", "arguments": CMD}}
RM = '{"cmd":"rm"}'
ONCE: dict[str, list[Json]] = {
    "under another index with the same id": [
        call(0, "c1", "exec_command", CMD),
        call(1, "c1", "exec_command", CMD),
    ],
    "under another index in fragments": [
        call(0, "c1", "exec_command", CMD[:5]),
        call(0, "c1", None, CMD[5:]),
        call(1, "c1", "exec_command", CMD[:5]),
        call(1, "c1", None, CMD[5:]),
    ],
    "id and name in each fragment": [
        call(0, "c1", "exec_command", each) for each in (CMD[:4], CMD[4:8], CMD[8:])
    ],
    "a leaky name in each fragment": [
        call(0, "c1", "functions.exec_command", each) for each in (CMD[:4], CMD[4:8], CMD[8:])
    ],
    "once more at the end": [call(0, "c1", "exec_command", CMD), call(0, "c1", "exec_command", CMD)],
    "once more without a name": [call(0, "c1", "exec_command", CMD), call(0, None, None, CMD)],
    "once more without an id": [
        call(0, "c1", "exec_command", CMD[:5]),
        call(0, None, None, CMD[5:]),
        call(0, "c1", None, CMD),
    ],
    "in the older form too": [call(0, "c1", "exec_command", CMD), OLDER],
    "in both forms in one delta": [{**call(0, "c1", "exec_command", CMD), **OLDER}],
    "in both forms in fragments": [
        {
            **call(0, "c1", "exec_command", CMD[:5]),
            "function_call": {"name": "exec_command", "arguments": CMD[:5]},
        },
        {**call(0, None, None, CMD[5:]), "function_call": {"arguments": CMD[5:]}},
    ],
    "the older form alone": [OLDER],
}
TWICE: dict[str, list[Json]] = {
    "two ids": [call(0, "c1", "exec_command", CMD), call(1, "c2", "exec_command", CMD)],
    "two ids on one index": [call(0, "c1", "exec_command", CMD), call(0, "c2", "exec_command", CMD)],
    "two indexes": [call(0, None, "exec_command", CMD), call(1, None, "exec_command", CMD)],
    "names alone": [call(None, None, "exec_command", CMD), call(None, None, "exec_command", CMD)],
}


@pytest.mark.parametrize("case", ONCE)
def test_a_call_is_said_once(case: str) -> None:
    told = session().read([*map(chunk, ONCE[case]), STOP])
    same(calls(told), EXEC)


@pytest.mark.parametrize("case", TWICE)
def test_two_calls_stay_two(case: str) -> None:
    told = session().read([*map(chunk, TWICE[case]), STOP])
    same(calls(told), EXEC, EXEC)
    assert len({one.item["call_id"] for one in told.calls}) == 2


def test_another_call_in_the_older_form_is_told() -> None:
    other = {"function_call": {"name": "exec_command", "arguments": RM}}
    told = session().read([chunk({**call(0, "c1", "exec_command", CMD), **other}), STOP])
    same(calls(told), EXEC, (None, "exec_command", RM))


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_a_call_that_was_cut_short_gets_nothing_added(finish: str) -> None:
    reading = session()
    told = reading.read([chunk(call(0, "c1", "exec_command", '"{\\"cmd')), chunk(finish=finish)])
    same(calls(told), (None, "exec_command", '"{\\"cmd'))
    assert reading.reader.lost == []


def test_a_call_that_is_held_back_does_not_change_the_order() -> None:
    told = session().read(
        [
            chunk(call(0, "c1", "exec_command", '"{\\"cmd\\":')),
            chunk({"content": "text"}),
            chunk(call(1, "c2", "exec_command", RM)),
            chunk(call(0, None, None, '\\"ls\\"}"')),
            STOP,
        ]
    )
    assert [kind for kind, _ in told.items] == ["function_call", "message", "function_call"]
    same(calls(told), EXEC, (None, "exec_command", RM))
