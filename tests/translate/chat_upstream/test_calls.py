"""Calls in a Chat answer, however they are told apart, become calls of the right tools; their state comes back."""

import json
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cuts
from tests.support.chat_answers import GENERIC, STOP, Session, call, chunk, said
from tests.support.grammar import check
from tests.support.streams import new_stream, unseal
from wireloom.providers import Profile, load
from wireloom.translate.tools.base import Target, Tools
from wireloom.translate.tools.custom import CustomCall
from wireloom.translate.tools.free_input import wrap
from wireloom.translate.tools.table import CALL_ITEMS

Json: TypeAlias = dict[str, Any]
KIMI = load("kimi")
SEARCH = "$web_search"

# -- whose a fragment is -------------------------------------------------------------------------------------------

A, B = '{"a":1}', '{"b":2}'
ROUTES: dict[str, list[Json]] = {
    "by index": [
        call(0, "x", "f", ""),
        call(1, "y", "g", ""),
        call(1, None, None, B),
        call(0, None, None, A),
    ],
    "by id": [
        call(None, "x", "f", ""),
        call(None, "y", "g", ""),
        call(None, "y", None, B),
        call(None, "x", None, A),
    ],
    "by id on one index": [call(0, "x", "f", ""), call(0, None, None, A), call(0, "y", "g", B)],
    "by name": [call(None, None, "f", '{"a"'), call(None, None, None, ":1}"), call(None, None, "g", B)],
    "whole calls with names alone": [call(None, None, "f", A), call(None, None, "g", B)],
    "whole calls with indexes": [call(0, None, "f", A), call(1, None, "g", B)],
    "ids come after the names": [call(0, None, "f", ""), call(0, "x", None, A), call(1, "y", "g", B)],
    "ids come before the names": [call(0, "x", None), call(0, None, "f", A), call(1, "y", "g", B)],
    "arguments come before the name": [
        call(0, "x", None, '{"a"'),
        call(0, None, "f", ":1}"),
        call(1, "y", "g", B),
    ],
    "empty ids and names": [
        call(0, "x", "f", ""),
        call(0, "", "", A),
        call(1, "y", "g", ""),
        call(1, "", "", B),
    ],
    "ids and names repeated": [call(0, "x", "f", '{"a"'), call(0, "x", "f", ":1}"), call(1, "y", "g", B)],
    "both in one delta": [
        {"tool_calls": [*call(0, "x", "f", A)["tool_calls"], *call(1, "y", "g", B)["tool_calls"]]}
    ],
    "an index that had no id": [call(0, None, "f", A), call(0, "y", "g", B)],
    "an index that skips": [call(1, "x", "f", A), call(5, "y", "g", B)],
}


@pytest.mark.parametrize("name", ROUTES)
def test_fragments_find_their_calls(name: str) -> None:
    session = Session()
    told = session.read([*map(chunk, ROUTES[name]), chunk(finish="tool_calls")])
    assert (said(told.calls), session.failure) == ([("f", A), ("g", B)], None)
    ids = [one.item["call_id"] for one in told.calls]
    assert all(ids)
    assert len(set(ids)) == 2


def test_a_call_keeps_the_id_the_upstream_gave_it() -> None:
    told = Session().read([chunk(call(0, "functions.f:0", "f", A)), STOP])
    assert told.calls[0].item["call_id"] == "functions.f:0"


def test_the_older_form_of_a_call_is_one() -> None:
    fragments = [
        {"function_call": {"name": "f", "arguments": '{"a"'}},
        {"function_call": {"arguments": ":1}"}},
    ]
    told = Session().read([*map(chunk, fragments), chunk(finish="function_call")])
    assert said(told.calls) == [("f", A)]


def test_calls_come_back_as_the_tools_they_stand_for() -> None:
    tools = Tools([], {"maths-add": Target("add", "maths"), "patch": Target("patch", None, CustomCall)})
    deltas = [
        call(0, "x", "maths-add", A),
        call(1, "y", "patch", wrap("*** Begin")),
        call(2, "z", "never_offered", B),
    ]
    told = Session(tools=tools).read([*map(chunk, deltas), STOP])
    assert [
        (one.item["type"], one.item["name"], one.item.get("namespace"), one.said) for one in told.calls
    ] == [
        ("function_call", "add", "maths", A),
        ("custom_tool_call", "patch", None, "*** Begin"),
        ("function_call", "never_offered", None, B),
    ]


@pytest.mark.parametrize(
    "deltas",
    [
        [call(0, "x", None, A)],
        [call(0, "x", None), call(0, "y", "g", B)],
        [call(0, "x", "f", A), call(None, "y", None, B)],
    ],
)
def test_a_call_that_is_never_named_fails(deltas: list[Json]) -> None:
    session = Session()
    session.read([*map(chunk, deltas), STOP])
    assert session.failure is not None
    assert (session.failure.code, session.failure.status) == ("invalid_tool_call", 502)


def test_more_of_a_call_that_was_over_fails() -> None:
    session = Session()
    session.read(
        [chunk(call(0, "x", "f", A)), chunk({"content": "done"}), chunk(call(0, None, None, B)), STOP]
    )
    assert session.failure is not None
    assert session.failure.code == "invalid_tool_call"


def test_arguments_may_be_an_object() -> None:
    told = Session().read([chunk(call(0, "x", "f", {"a": [1, "b"]})), STOP])
    assert said(told.calls) == [("f", '{"a":[1,"b"]}')]


def test_a_second_whole_call_on_an_index_that_is_never_counted_up() -> None:
    told = Session().read([chunk(call(0, None, "f", '{"a":1}')), chunk(call(0, None, "f", '{"b":2}')), STOP])
    assert said(told.calls) == [("f", '{"a":1}'), ("f", '{"b":2}')]


def test_a_name_that_is_repeated_with_each_fragment_is_one_call() -> None:
    told = Session().read([chunk(call(0, None, "f", '{"a"')), chunk(call(0, None, "f", ":1}")), STOP])
    assert said(told.calls) == [("f", '{"a":1}')]


@pytest.mark.parametrize("profile", [GENERIC, KIMI])
@pytest.mark.parametrize("name", ["f", SEARCH])
def test_a_whole_call_once_more_under_its_id_is_the_same_call(profile: Profile, name: str) -> None:
    session = Session(profile)
    deltas = [call(0, "x", name, A[:3]), call(0, None, None, A[3:]), call(0, "x", name, A)]
    again = session.feed([*map(chunk, deltas), chunk(finish="tool_calls")])
    if profile is KIMI and name == SEARCH:
        assert [message.get("content") for message in again] == ["", A]
    else:
        assert said(check(session.events).calls) == [(name, A)]


def test_two_calls_with_the_same_arguments_are_two() -> None:
    told = Session().read([chunk(call(0, "x", "f", A)), chunk(call(1, "y", "f", A)), STOP])
    assert said(told.calls) == [("f", A), ("f", A)]


# -- what a call is told as ------------------------------------------------------------------------------------------

# Kind of a call -> arguments upstream, type of its item, and what that holds.
KINDS: dict[str, tuple[str, str, Json]] = {
    "function": (A, "function_call", {"name": "a_function", "arguments": A}),
    "custom": (wrap("*** Begin"), "custom_tool_call", {"name": "a_custom", "input": "*** Begin"}),
    "tool_search": ('{"query":"x"}', "tool_search_call", {"arguments": {"query": "x"}}),
    "local_shell": (
        '{"command":["ls"]}',
        "local_shell_call",
        {"action": {"type": "exec", "command": ["ls"], "env": {}}},
    ),
    "shell": (
        '{"commands":["ls"]}',
        "shell_call",
        {"action": {"commands": ["ls"], "timeout_ms": None, "max_output_length": None}},
    ),
    "apply_patch": (
        '{"operation":{"type":"create_file","path":"a","diff":"+b"}}',
        "apply_patch_call",
        {"operation": {"type": "create_file", "path": "a", "diff": "+b"}},
    ),
}
OFFERED = Tools([], {kind: Target(f"a_{kind}", None, CALL_ITEMS[kind]) for kind in CALL_ITEMS})


def test_calls_of_every_kind_are_tried() -> None:
    assert KINDS.keys() == CALL_ITEMS.keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("whole", [True, False])
def test_a_call_of_each_kind(kind: str, whole: bool) -> None:
    arguments, item_type, fields = KINDS[kind]
    pieces = [arguments] if whole else cuts.singly(arguments)
    deltas = [call(0, "x", kind, ""), *(call(0, None, None, piece) for piece in pieces)]
    (item,) = Session(tools=OFFERED).read([*map(chunk, deltas), STOP]).response["output"]
    assert (item["type"], item["call_id"], item["status"]) == (item_type, "x", "completed")
    assert {name: item[name] for name in fields} == fields


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_calls_of_all_kinds_may_mix(kinds: list[str], random: Any) -> None:
    left = [list(cuts.at(KINDS[kind][0], [2, 9, 20])) for kind in kinds]
    deltas = [call(index, f"call_{index}", kind, "") for index, kind in enumerate(kinds)]
    while any(left):
        index = random.choice([index for index, pieces in enumerate(left) if pieces])
        deltas.append(call(index, None, None, left[index].pop(0)))
    told = Session(tools=OFFERED).read([*map(chunk, deltas), STOP])
    items = told.response["output"]
    assert [item["call_id"] for item in items] == [f"call_{index}" for index in range(len(kinds))]
    for kind, item in zip(kinds, items, strict=True):
        _, item_type, fields = KINDS[kind]
        assert item["type"] == item_type
        assert {name: item[name] for name in fields} == fields


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arguments", ["not JSON", "7", '{"half'])
def test_arguments_that_cannot_be_read_reach_the_client_as_they_are(kind: str, arguments: str) -> None:
    told = Session(tools=OFFERED).read([chunk(call(0, "x", kind, arguments)), STOP])
    (item,) = told.response["output"]
    if kind == "custom":
        assert (item["type"], item["input"]) == ("custom_tool_call", arguments)
    else:
        assert (item["type"], item["name"]) == ("function_call", f"a_{kind}")
        assert item["arguments"] == arguments


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_cut_short_by_the_limit(kind: str) -> None:
    arguments = KINDS[kind][0][:-2]
    told = Session(tools=OFFERED).read(
        [chunk({"content": "a"}), chunk(call(0, "x", kind, arguments)), chunk(finish="length")]
    )
    text, item = told.response["output"]
    assert (text["status"], item["status"]) == ("completed", "incomplete")
    assert told.response["incomplete_details"] == {"reason": "max_output_tokens"}
    if kind != "custom":
        assert (item["type"], item["arguments"]) == ("function_call", arguments)


@pytest.mark.parametrize("name", ["a_tool", "another"])
@pytest.mark.parametrize("allowed", [frozenset[str](), frozenset({"a_tool"})])
def test_a_call_that_the_request_does_not_allow_fails(name: str, allowed: frozenset[str]) -> None:
    tools = Tools([], {"a_tool": Target("a_tool"), "another": Target("another")}, allowed=allowed)
    session = Session(tools=tools)
    told = session.read([chunk({"content": "a"}), chunk(call(0, "x", name, A)), STOP])
    if name in allowed:
        assert (said(told.calls), session.failure) == ([(name, A)], None)
    else:
        assert told.calls == []
        assert session.failure is not None
        assert (session.failure.code, session.failure.status) == ("invalid_tool_call", 502)
        assert repr(name) in session.failure.message


def test_the_names_of_what_was_called_are_known_as_upstream_knows_them() -> None:
    session = Session(tools=OFFERED)
    session.read([chunk(call(0, "x", "shell", "{}")), chunk(call(1, "y", "nonesuch", "{}")), STOP])
    assert session.reader.called == ["shell", "nonesuch"]


# -- what a provider puts on its answer for itself -----------------------------------------------------------------


def signed(value: str) -> Json:
    return {"google": {"thought_signature": value}}


def sealed(*deltas: Json, finish: str = "stop") -> list[Any]:
    """What is sealed after an answer of these deltas, which has to be the last of its items."""
    session = Session()
    told = session.read([*map(chunk, deltas), chunk(finish=finish)])
    assert session.failure is None
    states = [unseal(token) for token in told.sealed]
    if states:
        assert told.items[-1] == ("reasoning", "")
        assert "encrypted_content" in told.response["output"][-1]
    return states


def test_what_is_on_calls_is_sealed_behind_them() -> None:
    assert sealed(
        {"content": "a"},
        call(0, "x", "f", A, extra_content=signed("one")),
        call(1, "y", "g", B),
    ) == [{"calls": {"x": signed("one")}}]


@pytest.mark.parametrize("index", [0, None])
def test_what_comes_later_for_a_call_is_its_own(index: int | None) -> None:
    late = {
        "tool_calls": [
            {"extra_content": signed("one")} | ({} if index is None else {"index": index, "id": "x"})
        ]
    }
    assert sealed(call(index, "x", "f", A), late) == [{"calls": {"x": signed("one")}}]


def test_what_is_on_a_call_without_an_id_is_under_the_id_that_the_client_gets() -> None:
    session = Session()
    told = session.read([chunk(call(None, None, "f", A, extra_content=signed("one"))), STOP])
    assert unseal(told.sealed[0]) == {"calls": {told.calls[0].item["call_id"]: signed("one")}}


def test_what_is_on_the_message_is_sealed() -> None:
    assert sealed({"content": "a"}, {"extra_content": signed("one")}, {"extra_content": {"x": 1}}) == [
        {"message": {**signed("one"), "x": 1}}
    ]


@pytest.mark.parametrize("odd", [7, "x", [], None])
def test_extras_of_an_odd_form_are_none(odd: Any) -> None:
    assert sealed({"content": "a", "extra_content": odd}, call(0, "x", "f", A, extra_content=odd)) == []


def test_signatures_of_reasoning_are_sealed_with_their_text() -> None:
    def part(**more: Any) -> Json:
        return {"reasoning_details": [{"type": "reasoning.text", "index": 0, **more}]}

    assert sealed(
        part(text="I ", format="f", id="r1"),
        part(text="see.", signature=None),
        part(signature="sig"),
        {"content": "a"},
    ) == [
        {
            "details": [
                {
                    "type": "reasoning.text",
                    "index": 0,
                    "text": "I see.",
                    "format": "f",
                    "id": "r1",
                    "signature": "sig",
                }
            ]
        }
    ]


@pytest.mark.parametrize("indexes", [(0, 1), (0, 0), (None, None)])
def test_encrypted_reasoning_is_sealed_piece_by_piece(indexes: tuple[int | None, ...]) -> None:
    parts = [
        {"type": "reasoning.encrypted", "index": index, "data": f"data {number}"}
        for number, index in enumerate(indexes)
    ]
    deltas = [{"reasoning_details": [part]} for part in parts]
    assert sealed(*deltas, call(0, "x", "f", A)) == [{"details": parts}]


def test_reasoning_that_says_no_more_than_its_text_is_not_sealed() -> None:
    assert sealed({"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]}, {"content": "a"}) == []


def test_an_answer_that_is_incomplete_has_no_state() -> None:
    assert sealed(call(0, "x", "f", A, extra_content=signed("one")), finish="length") == []


# -- an upstream that searches by calling --------------------------------------------------------------------------


def counted(prompt: int, completion: int) -> Json:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def searching() -> Session:
    """A session in which the upstream has called its own search, and reasoned before."""
    session = Session(KIMI)
    first = [
        chunk({"reasoning_content": "Let me "}),
        chunk({"reasoning_content": "look."}),
        chunk({"content": "One moment."}),
        chunk(call(0, "s1", SEARCH, '{"q":')),
        chunk(call(0, None, None, '"x"}')),
        chunk(finish="tool_calls", usage=counted(10, 5)),
        b"[DONE]",
    ]
    assert session.feed(first)
    return session


def test_a_search_is_answered_with_its_own_arguments() -> None:
    assert searching().again == [
        {
            "role": "assistant",
            "content": "One moment.",
            "reasoning_content": "Let me look.",
            "tool_calls": [
                {
                    "id": "s1",
                    "type": "builtin_function",
                    "function": {"name": SEARCH, "arguments": '{"q":"x"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "s1", "name": SEARCH, "content": '{"q":"x"}'},
    ]


def test_what_follows_a_search_is_the_same_response() -> None:
    session = searching()
    second = [
        chunk({"reasoning_content": "Now I know."}),
        chunk({"content": "It rains."}),
        chunk(finish="stop", usage=counted(20, 7)),
        b"[DONE]",
    ]
    told = session.read(second)
    assert (session.again, session.failure) == ([], None)
    assert told.items == [
        ("reasoning", "Let me look."),
        ("message", "One moment."),
        ("reasoning", "Now I know."),
        ("message", "It rains."),
    ]
    used = told.response["usage"]
    assert (used["input_tokens"], used["output_tokens"], used["total_tokens"]) == (30, 12, 42)
    assert session.reader.called == [SEARCH]


def test_a_second_search_gets_back_what_is_its_own() -> None:
    session = searching()
    again = session.feed(
        [
            chunk({"reasoning_content": "More."}),
            chunk(call(0, "s2", SEARCH, '{"q":"y"}')),
            chunk(finish="tool_calls"),
        ]
    )
    assert [message.get("tool_call_id") for message in again] == [None, "s2"]
    assert (again[0]["content"], again[0]["reasoning_content"]) == ("", "More.")


def test_two_searches_at_once_are_answered_both() -> None:
    session = Session(KIMI)
    again = session.feed(
        [chunk(call(0, "s1", SEARCH, A)), chunk(call(1, "s2", SEARCH, "")), chunk(finish="tool_calls")]
    )
    assert [(message["tool_call_id"], message["content"]) for message in again[1:]] == [
        ("s1", A),
        ("s2", "{}"),
    ]


def test_a_search_beside_a_call_waits_until_the_client_has_answered() -> None:
    session = Session(KIMI)
    told = session.read(
        [chunk(call(0, "s1", SEARCH, A)), chunk(call(1, "x", "f", B)), chunk(finish="tool_calls")]
    )
    assert session.again == []
    assert said(told.calls) == [("f", B)]


def test_a_search_cut_short_is_not_answered() -> None:
    session = Session(KIMI)
    told = session.read(
        [chunk({"content": "a"}), chunk(call(0, "s1", SEARCH, '{"q')), chunk(finish="length")]
    )
    assert (session.again, told.calls, told.response["status"]) == ([], [], "incomplete")


def test_an_answer_that_breaks_off_after_a_search_fails() -> None:
    session = searching()
    session.read([chunk({"content": "It"})])
    assert session.failure is not None
    assert session.failure.code == "upstream_incomplete"


def test_others_call_a_function_of_that_name_at_the_client() -> None:
    session = Session(GENERIC)
    told = session.read([chunk(call(0, "s1", SEARCH, A)), STOP])
    assert (session.again, said(told.calls)) == ([], [(SEARCH, A)])


def test_nothing_is_summed_up_while_the_upstream_is_asked_again() -> None:
    stream = new_stream()
    session = Session(KIMI, stream=stream)
    session.feed([chunk(call(0, "s1", SEARCH, A)), chunk(finish="tool_calls", usage=counted(1, 1))])
    assert (stream.ended, session.events) == (False, [])
    session.read([chunk({"content": "a"}), chunk(finish="stop")])
    assert check(session.events).response["usage"] is None
    assert json.dumps(stream.response["output"]).count(SEARCH) == 0
