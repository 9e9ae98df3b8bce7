"""The pass over Chat messages: clean ones pass as they are, others keep the upstream's rules and lose no text."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.captures import CAPTURES, Capture
from tests.support.items import GENERIC, Json, answered, asked, like, shown, translated, user
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load, names
from wireloom.translate.chat_upstream.request import request
from wireloom.translate.conversation.chat_clean import is_clean
from wireloom.translate.conversation.chat_rules import broken, keep_rules
from wireloom.translate.conversation.notes import (
    BEGINNING,
    CONTINUE,
    GO_ON,
    LATER_INSTRUCTIONS,
    NO_OUTPUT,
    NO_PICTURE,
    STRAY_OUTPUT,
)
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses, Severity

EVERY = [load(name) for name in names()]
STRICT = like(
    GENERIC,
    users_in_a_row=False,
    user_first=True,
    user_after_tool=False,
    assistant_last=False,
    images=False,
    call_id_pattern="^[a-zA-Z0-9]{9}$",
    reasoning_replay="tool_calls",
    reasoning_placeholder="",
    call_extra={"google": {"thought_signature": "x"}},
)


def place(index: int) -> str:
    return f"messages[{index}]"


def kept(
    messages: list[Json], profile: Profile = GENERIC, *, strict: bool = False
) -> tuple[list[Json], list[Any]]:
    losses = Losses(strict=strict)
    before = copy.deepcopy(messages)
    made = keep_rules(messages, profile, losses, place)
    assert messages == before
    return made, [(loss.path, loss.action, loss.severity) for loss in losses.items]


def system(content: Any, role: str = "system") -> Json:
    return {"role": role, "content": content}


def said(content: Any, **more: Any) -> Json:
    return {"role": "assistant", "content": content, **more}


def text(value: str, **more: Any) -> Json:
    return {"type": "text", "text": value, **more}


A, B, C = user("a"), said("b"), user("c")
CALL = asked(("1", "add", "{}"))
BOTH = asked(("1", "add", "{}"), ("2", "sub", "{}"))
ALTERNATING = like(GENERIC, users_in_a_row=False, user_first=True)
LISTS = like(GENERIC, text_parts=True)
PICTURE_GAP = like(GENERIC, images=False)

CLEAN: list[list[Json]] = [
    [A],
    [system("s"), A, B, C],
    [A, CALL, answered("1"), C],
    [A, BOTH, answered("1"), answered("2", ""), B],
    [A, shown()],
    [user([text("a", cache_control={"type": "ephemeral"}), text("b")])],
    [A, said(None, refusal="no"), C],
    [
        A,
        said(None, function_call={"name": "f", "arguments": "{}"}),
        {"role": "function", "name": "f", "content": "x"},
    ],
    [user("")],
    [system("s"), user(" ")],
    [A, {"role": "critic", "content": ""}],
]


@pytest.mark.parametrize("messages", CLEAN)
def test_clean_messages_pass_as_they_are(messages: list[Json]) -> None:
    losses = Losses(strict=True)
    assert keep_rules(messages, GENERIC, losses, place) is messages
    assert losses.items == []


CORRECTED: dict[str, tuple[Profile, list[Json], list[Json]]] = {
    "an empty text": (GENERIC, [A, said(""), C], [A, C]),
    "no content": (GENERIC, [A, said(None), C], [A, C]),
    "white space": (GENERIC, [A, user(" \n"), B], [A, B]),
    "parts that say nothing": (GENERIC, [A, said([text(""), text(" ")]), C], [A, C]),
    "empty instructions": (GENERIC, [system(""), A], [A]),
    "two of the assistant": (GENERIC, [A, B, said("d")], [A, said("b\n\nd")]),
    "text before a call": (
        GENERIC,
        [A, B, CALL, answered("1")],
        [A, {**CALL, "content": "b"}, answered("1")],
    ),
    "text after a call": (GENERIC, [A, CALL, B, answered("1")], [A, {**CALL, "content": "b"}, answered("1")]),
    "calls apart": (
        GENERIC,
        [A, CALL, asked(("2", "sub", "{}")), answered("2", "y"), answered("1", "x")],
        [A, BOTH, answered("1", "x"), answered("2", "y")],
    ),
    "thoughts apart": (
        GENERIC,
        [A, said("b", reasoning_content="t1"), {**CALL, "reasoning_content": "t2"}, answered("1")],
        [A, {**CALL, "content": "b", "reasoning_content": "t1\n\nt2"}, answered("1")],
    ),
    "blank between two": (GENERIC, [A, B, user(""), said("d")], [A, said("b\n\nd")]),
    "outputs in another order": (
        GENERIC,
        [A, BOTH, answered("2", "y"), answered("1", "x")],
        [A, BOTH, answered("1", "x"), answered("2", "y")],
    ),
    "a user between": (GENERIC, [A, CALL, C, answered("1")], [A, CALL, answered("1"), C]),
    "an output before its call": (GENERIC, [A, answered("1"), CALL], [A, CALL, answered("1")]),
    "no output": (GENERIC, [A, CALL, C], [A, CALL, answered("1", NO_OUTPUT), C]),
    "one output of two": (
        GENERIC,
        [A, BOTH, answered("2", "y")],
        [A, BOTH, answered("1", NO_OUTPUT), answered("2", "y")],
    ),
    "two outputs": (
        GENERIC,
        [A, CALL, answered("1", "x"), answered("1", "y")],
        [A, CALL, answered("1", "y")],
    ),
    "an id of an earlier turn": (
        GENERIC,
        [A, CALL, C, CALL, answered("1", "y")],
        [A, CALL, answered("1", NO_OUTPUT), C, CALL, answered("1", "y")],
    ),
    "no call": (GENERIC, [A, answered("9", "x"), C], [A, user(f"{STRAY_OUTPUT}x"), C]),
    "one id for two calls": (
        GENERIC,
        [A, asked(("1", "f", "{}"), ("1", "g", "{}")), answered("1", "x"), answered("1", "y")],
        [A, asked(("1", "f", "{}"), ("1_2", "g", "{}")), answered("1", "x"), answered("1_2", "y")],
    ),
    "cut arguments": (
        GENERIC,
        [A, asked(("1", "f", '{"a": "b')), answered("1")],
        [A, asked(("1", "f", r'{"input":"{\"a\": \"b"}')), answered("1")],
    ),
    "arguments that are a list": (
        GENERIC,
        [A, asked(("1", "f", "[1]")), answered("1")],
        [A, asked(("1", "f", '{"input":"[1]"}')), answered("1")],
    ),
    "blank arguments": (
        GENERIC,
        [A, asked(("1", "f", " \n")), answered("1")],
        [A, asked(("1", "f", "{}")), answered("1")],
    ),
    "a developer": (GENERIC, [system("s", "developer"), A], [system("s"), A]),
    "instructions in a row": (GENERIC, [system("s"), system("t", "developer"), A], [system("s\n\nt"), A]),
    "late instructions": (GENERIC, [A, system("s"), B], [A, user(f"{LATER_INSTRUCTIONS}s"), B]),
    "a name": (GENERIC, [{**A, "name": "Ada"}, B], [A, B]),
    "texts": (GENERIC, [user([text("a"), text("b")])], [user("a\nb")]),
    "texts of an output": (GENERIC, [A, CALL, answered("1", [text("x")])], [A, CALL, answered("1", "x")]),
    "an empty text beside a picture": (GENERIC, [user([text(""), *shown()["content"]])], [shown()]),
    "lists where they are taken": (LISTS, [user([text("a"), text("")])], [user([text("a")])]),
    "a picture nobody sees": (
        PICTURE_GAP,
        [user([text("a"), *shown()["content"]])],
        [user(f"a\n{NO_PICTURE}")],
    ),
    "an empty picture": (GENERIC, [shown("data:image/png;base64,")], [user(NO_PICTURE)]),
    "users in a row": (ALTERNATING, [A, C, B], [user("a\n\nc"), B]),
    "users with pictures": (ALTERNATING, [A, shown()], [user([text("a"), *shown()["content"]])]),
    "late instructions in a row": (ALTERNATING, [A, system("s")], [user(f"a\n\n{LATER_INSTRUCTIONS}s")]),
    "the assistant first": (ALTERNATING, [system("s"), B], [system("s"), user(BEGINNING), B]),
    "the assistant last": (like(GENERIC, assistant_last=False), [A, B], [A, B, user(GO_ON)]),
    "a user behind an output": (
        like(GENERIC, user_after_tool=False),
        [A, CALL, answered("1"), C],
        [A, CALL, answered("1"), said(CONTINUE), C],
    ),
    "reasoning in another field": (
        load("vllm"),
        [A, {**CALL, "reasoning_content": "t"}, answered("1")],
        [A, {**CALL, "reasoning": "t"}, answered("1")],
    ),
    "reasoning that is not known": (
        load("deepseek"),
        [A, CALL, answered("1")],
        [A, {**CALL, "reasoning_content": ""}, answered("1")],
    ),
}
"""Name -> profile, messages, and the messages that keep its rules."""


@pytest.mark.parametrize("name", CORRECTED)
def test_messages_that_break_a_rule_are_corrected(name: str) -> None:
    profile, messages, expected = CORRECTED[name]
    made, losses = kept(messages, profile)
    assert made == expected
    assert losses
    assert kept(made, profile) == (expected, [])


@pytest.mark.parametrize(
    "messages",
    [
        [{**A, "name": "Ada"}, {**C, "name": "Bob"}],
        [A, {**B, "name": "x"}, {**said("d"), "name": "y"}],
        [A, said(None, audio={"id": "x"}), B],
        [A, B, {**said("d"), "prefix": True}][:2],
    ],
)
def test_who_speaks_keeps_messages_apart(messages: list[Json]) -> None:
    profile = like(GENERIC, message_name=True, users_in_a_row=False)
    assert kept(messages, profile) == (messages, [])


@pytest.mark.parametrize("member", ["prefix", "partial"])
def test_a_message_that_is_a_prefix_may_be_the_last(member: str) -> None:
    messages = [A, {**B, member: True}]
    assert kept(messages, load("mistral")) == (messages, [])


@pytest.mark.parametrize("name", ["two outputs", "no call", "cut arguments", "a picture nobody sees"])
def test_a_loss_of_weight_is_refused_under_strict(name: str) -> None:
    profile, messages, _ = CORRECTED[name]
    assert Severity.DEGRADING in [severity for _, _, severity in kept(messages, profile)[1]]
    with pytest.raises(InvalidRequest, match=r"messages\[\d\]"):
        kept(messages, profile, strict=True)


def test_a_pattern_that_no_id_fits_ends() -> None:
    made, _ = kept([A, CALL, answered("1"), user(" ")], like(GENERIC, call_id_pattern="^never$"))
    assert [message["role"] for message in made] == ["user", "assistant", "tool"]


# -- any conversation ----------------------------------------------------------------------------------------------

counter = st.integers(0, 10**6).map(lambda number: f"<{number}>")
texts = counter | st.sampled_from(["", " "])
contents = texts | st.none() | st.lists(texts.map(text) | st.just(shown()["content"][0]), max_size=3)
ids = st.sampled_from(["1", "2", "call_3", ""])
calls = st.lists(
    st.tuples(ids, st.just("f"), st.sampled_from(["{}", '{"a":1}', "{oops", "", "null", "[]"])), max_size=3
)
messages_of_any_kind = st.lists(
    st.builds(system, contents, st.sampled_from(["system", "developer"]))
    | st.builds(user, contents)
    | st.builds(said, contents)
    | st.builds(
        lambda made, content: asked(*made, content=content) if made else said(content), calls, contents
    )
    | st.builds(answered, ids, texts),
    min_size=1,
    max_size=9,
)
profiles = st.sampled_from([*EVERY, STRICT, ALTERNATING, LISTS])


def numbers(value: Any) -> list[str]:
    return re.findall(r"<\d+>", json.dumps(value))


@settings(max_examples=400, deadline=None)
@given(messages_of_any_kind, profiles)
def test_any_conversation_keeps_the_rules_and_a_second_pass_changes_nothing(
    messages: list[Json], profile: Profile
) -> None:
    assert not is_clean(messages, profile) or not broken(messages, profile)
    made, losses = kept(messages, profile)
    assert broken(made, profile) == set()
    assert kept(made, profile) == (made, [])
    dropped = {path for path, action, _ in losses if action == "dropped"}
    left = set(numbers(made))
    for index, message in enumerate(messages):
        if place(index) not in dropped:
            assert set(numbers(message)) <= left


# -- what the CLI sends --------------------------------------------------------------------------------------------

OPENAI = load("openai")


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
@pytest.mark.parametrize("profile", [*EVERY, STRICT], ids=lambda profile: profile.name)
def test_requests_of_the_cli_keep_the_rules(capture: Capture, profile: Profile) -> None:
    made = request(capture.request, profile, Options(model="m", lenient=True), Losses()).body["messages"]
    assert keep_rules(made, profile, Losses(strict=True), place) is made


def _turns(count: int) -> list[list[Json]]:
    """The items that each further request of a conversation has at its end."""
    turns: list[list[Json]] = []
    for number in range(count):
        call_id = f"call_{number % 3}"
        turns.append(
            [
                {
                    "type": "reasoning",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": f"t{number}"}],
                },
                {"type": "message", "role": "assistant", "content": f"say {number}"},
                {
                    "type": "function_call",
                    "call_id": call_id,
                    "name": "f",
                    "arguments": '{"a":1}' if number % 2 else "{oo",
                },
                {"type": "message", "role": "assistant", "content": "more"}
                if number % 2
                else {"type": "message", "role": "assistant", "content": ""},
                {"type": "function_call_output", "call_id": call_id, "output": f"out {number}"},
            ]
        )
        turns.append(
            [
                {"type": "message", "role": "assistant", "content": f"done {number}"},
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
                },
            ]
        )
        turns.append(
            [
                {"type": "message", "role": "assistant", "content": "x"},
                {"type": "message", "role": "developer", "content": "y"},
            ]
        )
    return turns


@pytest.mark.parametrize("profile", [*EVERY, STRICT], ids=lambda profile: profile.name)
def test_old_turns_go_upstream_as_before(profile: Profile) -> None:
    items: list[Json] = [
        {"type": "message", "role": "developer", "content": "d"},
        {"type": "message", "role": "user", "content": "go"},
    ]
    before, _ = translated(*items, profile=profile, instructions="i")
    for turn in _turns(4):
        items += turn
        made, _ = translated(*items, profile=profile, instructions="i")
        assert made[: len(before)] == before
        before = made
