"""Reasoning goes back where an upstream wants it, and what a provider keeps on its messages goes back to its place."""

import json
import re
from typing import Any

import pytest

from tests.support.items import (
    GENERIC,
    PICTURE,
    Json,
    answered,
    asked,
    call,
    like,
    output,
    picture,
    said,
    shown,
    thought,
    translated,
    user,
)
from wireloom.providers import Profile, load
from wireloom.translate.conversation.notes import CONTINUE
from wireloom.translate.rules.loss import Severity

IMMATERIAL = Severity.IMMATERIAL
ALWAYS = like(GENERIC, reasoning_replay="always", reasoning_replay_field="r")
MISTRAL = load("mistral")

TURN = [thought(["think ", "hard"]), call("1"), output("1"), thought(["more"]), said("assistant", "done")]
TEXT = "think \n\nhard"


@pytest.mark.parametrize(
    ("replay", "first", "second"),
    [("never", {}, {}), ("tool_calls", {"r": TEXT}, {}), ("always", {"r": TEXT}, {"r": "more"})],
)
def test_reasoning_goes_back_where_the_upstream_wants_it(replay: str, first: Json, second: Json) -> None:
    profile = like(GENERIC, reasoning_replay=replay, reasoning_replay_field="r")
    made, losses = translated(*TURN, profile=profile)
    assert made == [
        asked(("1", "add", "{}"), **first),
        answered("1"),
        {"role": "assistant", "content": "done", **second},
    ]
    dropped = [(f"input[{index}]", "dropped", Severity.IMMATERIAL) for index in (0, 3)]
    assert losses == (dropped if replay == "never" else [])


@pytest.mark.parametrize(
    ("items", "placeholder", "expected"),
    [
        ([call("1")], None, [{}]),
        ([call("1")], "", [{"r": ""}]),
        ([call("1"), output("1"), said("assistant", "a")], "-", [{"r": "-"}, {}]),
        ([thought(summary=("short", "er")), call("1")], "-", [{"r": "short\n\ner"}]),
        ([thought(["long"], summary=("short",)), call("1")], None, [{"r": "long"}]),
        ([thought(encrypted_content="xyz"), call("1")], "-", [{"r": "-"}]),
        ([said("assistant", "a"), thought(["b"]), call("1")], None, [{"r": "b"}]),
        ([thought(["a"]), said("user", "stop"), thought(["b"]), call("1")], None, [{"r": "b"}]),
        ([thought(["a"]), said("developer", "stop"), call("1")], "-", [{"r": "-"}]),
        ([call("1"), thought(["b"]), output("1"), call("2")], None, [{"r": "b"}, {}]),
        ([call("1"), output("1"), thought(["b"]), call("2")], None, [{}, {"r": "b"}]),
        ([thought(["a"])], None, []),
    ],
)
def test_reasoning_belongs_to_the_message_behind_it(
    items: list[Json], placeholder: str | None, expected: list[Json]
) -> None:
    profile = like(
        GENERIC, reasoning_replay="always", reasoning_replay_field="r", reasoning_placeholder=placeholder
    )
    made, _ = translated(said("user", "go"), *items, profile=profile)
    found = [
        {"r": message["r"]} if "r" in message else {} for message in made if message["role"] == "assistant"
    ]
    assert found == expected


def test_reasoning_of_another_server_is_left_out() -> None:
    made, losses = translated(thought(encrypted_content="xyz"), said("assistant", "a"))
    assert made == [{"role": "assistant", "content": "a"}]
    assert losses == [("input[0]", "dropped", Severity.IMMATERIAL)]


# -- sealed by the gateway -----------------------------------------------------------------------------------------


def unseal(purpose: str, token: str) -> Any:
    """Open `reasoning:<json>`, for that purpose alone."""
    kind, _, value = token.partition(":")
    return json.loads(value) if kind == purpose else None


def sealed(value: Any, **more: Any) -> Json:
    return thought(encrypted_content=f"reasoning:{json.dumps(value)}", **more)


def test_sealed_reasoning_is_opened() -> None:
    made, losses = translated(sealed({"text": "hmm"}), said("assistant", "a"), profile=ALWAYS, unseal=unseal)
    assert (made, losses) == ([{"role": "assistant", "content": "a", "r": "hmm"}], [])


@pytest.mark.parametrize(
    "item",
    [
        sealed({"text": "hmm"}, summary=("short",)),
        {**sealed({"text": "hmm"}), "content": [{"type": "reasoning_text", "text": "changed"}]},
    ],
)
def test_what_was_sealed_weighs_more_than_what_stands_beside_it(item: Json) -> None:
    made, _ = translated(item, call("1"), profile=ALWAYS, unseal=unseal)
    assert made[0]["r"] == "hmm"


@pytest.mark.parametrize("value", [None, "text", 7, ["text"], {}, {"text": ""}])
def test_reasoning_that_cannot_be_opened_is_what_is_said_of_it(value: Any) -> None:
    made, losses = translated(
        sealed(value, summary=("short",)), call("1"), output("1"), profile=ALWAYS, unseal=unseal
    )
    assert (made[0]["r"], losses) == ("short", [])
    made, losses = translated(sealed(value), call("1"), output("1"), profile=ALWAYS, unseal=unseal)
    assert "r" not in made[0]
    assert losses == [("input[0]", "dropped", IMMATERIAL)]


def test_a_seal_for_another_purpose_opens_nothing() -> None:
    item = thought(encrypted_content='compaction:{"text": "x"}')
    made, losses = translated(item, call("1"), output("1"), profile=ALWAYS, unseal=unseal)
    assert "r" not in made[0]
    assert losses == [("input[0]", "dropped", IMMATERIAL)]


def test_sealed_reasoning_stays_here_where_the_upstream_takes_none() -> None:
    made, losses = translated(sealed({"text": "hmm"}), said("assistant", "a"), unseal=unseal)
    assert made == [{"role": "assistant", "content": "a"}]
    assert losses == [("input[0]", "dropped", IMMATERIAL)]


# -- state of the provider -----------------------------------------------------------------------------------------

SIGNED = {"google": {"thought_signature": "abc"}}
DETAILS = [{"type": "reasoning.text", "text": "hmm", "signature": "s", "index": 0}]


def extras(made: list[Json]) -> list[Any]:
    """What stands on each message of the assistant, and on each of its calls."""
    return [
        (message.get("extra_content"), [one.get("extra_content") for one in message.get("tool_calls", [])])
        for message in made
        if message["role"] == "assistant"
    ]


@pytest.mark.parametrize("profile", [GENERIC, ALWAYS, MISTRAL], ids=["generic", "always", "mistral"])
@pytest.mark.parametrize(
    "items",
    [
        # as it was answered: the state, then what the client has to say
        [call("call_1"), call("call_2"), "state", output("call_1"), output("call_2")],
        # outputs in between
        [call("call_1"), call("call_2"), output("call_1"), output("call_2"), "state"],
        [call("call_1"), call("call_2"), output("call_2"), "state", output("call_1")],
        [output("call_1"), call("call_1"), call("call_2"), "state"],
        # with pictures, which follow as a message of the user
        [call("call_1"), call("call_2"), output("call_1", [picture()]), "state"],
    ],
)
def test_state_of_calls_goes_back_to_them(items: list[Any], profile: Profile) -> None:
    state = sealed({"calls": {"call_2": SIGNED}})
    whole = [
        said("user", "go"),
        *(state if item == "state" else item for item in items),
        said("assistant", "a"),
    ]
    made, losses = translated(*whole, profile=profile, unseal=unseal)
    assert extras([message for message in made if message.get("content") != CONTINUE]) == [
        (None, [None, SIGNED]),
        (None, []),
    ]
    assert "dropped" not in [action for _, action, _ in losses]
    ids = [one["id"] for one in made[1]["tool_calls"]]
    assert ids == [message["tool_call_id"] for message in made if message["role"] == "tool"]
    if profile is MISTRAL:
        assert all(re.fullmatch(MISTRAL.call_id_pattern or "", one) for one in ids)


def test_state_of_calls_that_a_client_took_apart_finds_each_of_them() -> None:
    state = sealed({"calls": {"1": {"a": 1}, "2": {"b": 2}}})
    items = [call("1"), output("1"), call("2"), output("2"), state]
    for profile in (GENERIC, MISTRAL):
        made, losses = translated(*items, profile=profile, unseal=unseal)
        assert extras(made) == [(None, [{"a": 1}]), (None, [{"b": 2}])]
        assert "dropped" not in [action for _, action, _ in losses]


def test_an_id_used_again_each_turn_has_the_state_of_its_turn() -> None:
    first, second = sealed({"calls": {"f:0": {"n": 1}}}), sealed({"calls": {"f:0": {"n": 2}}})
    made, _ = translated(call("f:0"), first, output("f:0"), call("f:0"), second, output("f:0"), unseal=unseal)
    assert extras(made) == [(None, [{"n": 1}]), (None, [{"n": 2}])]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([said("assistant", "a"), "state"], [(SIGNED, [])]),
        ([said("assistant", "a"), call("1"), "state", output("1")], [(SIGNED, [None])]),
        ([call("1"), output("1"), "state"], [(SIGNED, [None])]),
        (
            [said("assistant", "a"), said("user", "b"), said("assistant", "c"), "state"],
            [(None, []), (SIGNED, [])],
        ),
    ],
)
def test_state_of_a_message_goes_back_to_it(items: list[Any], expected: list[Any]) -> None:
    state = sealed({"message": SIGNED})
    made, losses = translated(*(state if item == "state" else item for item in items), unseal=unseal)
    assert (extras(made), losses) == (expected, [])


def test_state_never_lands_on_a_message_the_model_did_not_make() -> None:
    """Between a tool and the user some upstreams need words of the assistant."""
    state = sealed({"message": SIGNED, "calls": {"1": {"a": 1}}})
    items = [call("1"), output("1", [picture()]), state]
    made, _ = translated(*items, profile=like(GENERIC, user_after_tool=False), unseal=unseal)
    first = asked(("1", "add", "{}"), extra_content=SIGNED)
    first["tool_calls"][0]["extra_content"] = {"a": 1}
    assert made == [
        first,
        answered("1", "[see the next user message]"),
        {"role": "assistant", "content": CONTINUE},
        shown(PICTURE),
    ]


@pytest.mark.parametrize(
    "state",
    [{"message": SIGNED}, {"details": DETAILS}, {"calls": {"gone": {"a": 1}}}],
    ids=["message", "details", "calls"],
)
def test_state_of_what_is_not_there_is_let_go(state: Json) -> None:
    items = [said("assistant", "a"), said("user", "b"), thought(["c"]), sealed(state), said("user", "d")]
    made, losses = translated(*items, profile=ALWAYS, unseal=unseal)
    assert made == [{"role": "assistant", "content": "a"}, user("b"), user("d")]
    assert losses == [("input[3]", "dropped", IMMATERIAL)]


@pytest.mark.parametrize(
    "items",
    [
        [thought(["hmm"]), call("1"), "state", output("1")],
        [thought(["hmm"]), call("1"), output("1"), "state"],
        [call("1"), "state", output("1")],
    ],
)
@pytest.mark.parametrize("replay", ["tool_calls", "always"])
def test_details_of_reasoning_go_back_in_place_of_its_text(items: list[Any], replay: str) -> None:
    profile = like(GENERIC, reasoning_replay=replay, reasoning_replay_field="r", reasoning_placeholder="-")
    state = sealed({"details": DETAILS})
    made, losses = translated(
        *(state if item == "state" else item for item in items), profile=profile, unseal=unseal
    )
    assert made == [asked(("1", "add", "{}"), reasoning_details=DETAILS), answered("1")]
    assert losses == []


def test_details_of_reasoning_stay_here_where_the_upstream_takes_none() -> None:
    made, losses = translated(call("1"), sealed({"details": DETAILS}), output("1"), unseal=unseal)
    assert made == [asked(("1", "add", "{}")), answered("1")]
    assert losses == [("input[1]", "dropped", IMMATERIAL)]


def test_all_that_was_kept_goes_back_at_once() -> None:
    state = {"calls": {"1": {"a": 1}}, "message": SIGNED, "details": DETAILS}
    made, losses = translated(
        said("assistant", "a"), call("1"), sealed(state), output("1"), profile=ALWAYS, unseal=unseal
    )
    first = asked(("1", "add", "{}"), content="a", extra_content=SIGNED, reasoning_details=DETAILS)
    first["tool_calls"][0]["extra_content"] = {"a": 1}
    assert (made, losses) == ([first, answered("1")], [])
