"""Histories that were cut, repeated or made elsewhere, played through the gateway: no thread ends with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import field
from tests.support.field import Json, Outcome

SIGNATURE = "skip_thought_signature_validator"


def cases(*names: str) -> pytest.MarkDecorator:
    found = [pytest.param(case, id=name) for each in names for name, case in field.load(each)]
    return pytest.mark.parametrize("case", found)


def messages(asked: Json) -> list[Json]:
    found: list[Json] = asked["messages"]
    return found


def calls(asked: Json) -> list[Json]:
    return [call for message in messages(asked) for call in message.get("tool_calls") or ()]


def is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


field.RULES |= {
    "the arguments of every call parse to an object": lambda asked: (
        not all(is_object(call["function"]["arguments"]) for call in calls(asked))
    ),
    "an assistant message has text or calls": lambda asked: any(
        message["role"] == "assistant" and not (message.get("content") or message.get("tool_calls"))
        for message in messages(asked)
    ),
    "content that is only text is a string": lambda asked: any(
        isinstance(message.get("content"), list)
        and all(part["type"] == "text" for part in message["content"])
        for message in messages(asked)
    ),
    "no user message follows a user message": lambda asked: any(
        first["role"] == second["role"] == "user"
        for first, second in zip(messages(asked), messages(asked)[1:], strict=False)
    ),
    "the first call of each assistant message has extra_content.google.thought_signature": lambda asked: (
        not all(
            message["tool_calls"][0].get("extra_content", {}).get("google", {}).get("thought_signature")
            for message in messages(asked)
            if message.get("tool_calls")
        )
    ),
    "with response_format json_object the messages hold the word json, in any case of letters": lambda asked: (
        "json" not in json.dumps(messages(asked)).lower()
    ),
}


def play(case: Json, **options: Any) -> Outcome:
    (outcome,) = field.run(case, **options)
    assert outcome.status == 200, outcome.answer
    return outcome


def own(tmp_path: Path, **flags: Any) -> Path:
    """A profile of the user's own."""
    path = tmp_path / "mine.toml"
    given = {"name": "mine", "title": "Mine", "docs": "https://a.example/", **flags}
    path.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in given.items()), encoding="utf-8")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value)


@cases("history-broken-arguments")
def test_arguments_that_are_no_object_are_sent_as_one(case: Json) -> None:
    outcome = play(case)
    ((_, call, output),) = [messages(outcome.sent[0])]
    sent = json.loads(call["tool_calls"][0]["function"]["arguments"])
    given = case["request"]["input"][1]["arguments"]
    assert sent == ({} if given in ("", "null") else {"input": given})
    assert output["content"] == "failed to parse function arguments"
    assert ("arguments" in outcome.headers.get("x-wireloom-loss", "")) == bool(sent)


@cases("history-empty-assistant")
def test_a_message_with_nothing_in_it_is_not_sent(case: Json) -> None:
    assert messages(play(case).sent[0]) == [
        {"role": "user", "content": "x"},
        {"role": "user", "content": "y"},
    ]


@cases("history-foreign-compaction")
def test_a_summary_made_elsewhere_is_a_gap(case: Json) -> None:
    outcome = play(case)
    first, gap, then = messages(outcome.sent[0])
    assert (first["content"], then["content"]) == ("first", "go on")
    assert "summary that cannot be read" in gap["content"]
    assert "input[1]" in outcome.headers["x-wireloom-loss"]
    (refused,) = field.run(case, strict=True)
    assert refused.status == 400


@cases("history-second-output")
def test_the_last_output_of_a_call_counts(case: Json) -> None:
    outcome = play(case)
    _, _, answer, then = messages(outcome.sent[0])
    assert (answer["tool_call_id"], answer["content"], then["content"]) == ("c1", "f", "y")
    assert "input[2];dropped" in outcome.headers["x-wireloom-loss"]


@cases("history-text-after-call")
def test_a_sentence_after_a_call_is_part_of_its_turn(case: Json) -> None:
    _, turn, output = messages(play(case).sent[0])
    assert (turn["content"], turn["tool_calls"][0]["id"]) == ("Running it.", "c1")
    assert output["role"] == "tool"


@cases("history-text-parts-as-string")
def test_texts_are_one_string(case: Json) -> None:
    assert messages(play(case).sent[0]) == [{"role": "user", "content": "a\nb"}]


@cases("history-thoughts-split-turn")
def test_thoughts_do_not_cut_a_turn_in_two(case: Json) -> None:
    _, turn, output = messages(play(case).sent[0])
    assert (turn["content"], turn["tool_calls"][0]["id"], output["role"]) == ("I look.", "c1", "tool")
    assert turn.get("reasoning_content") == ("t1\n\nt2" if case["profile"] == "deepseek" else None)


@cases("history-users-in-a-row")
def test_users_in_a_row_are_joined_where_the_profile_says_so(case: Json, tmp_path: Path) -> None:
    profile = own(tmp_path, users_in_a_row=False, user_first=True)
    outcome = play({**case, "profile": None}, profile=profile)
    assert messages(outcome.sent[0]) == [
        {"role": "user", "content": "AGENTS\n\n<environment_context/>\n\ndo it"}
    ]
    (as_today,) = field.run(case)
    assert as_today.status == 400
    assert len(messages(as_today.sent[0])) == 3


@cases("history-call-without-signature")
def test_a_call_gets_what_its_profile_wants_on_it(case: Json, tmp_path: Path) -> None:
    profile = own(tmp_path, call_extra={"google": {"thought_signature": SIGNATURE}})
    case = json.loads(json.dumps(case).replace('"<output of turn 1, without reasoning items>"', CALL))
    *_, outcome = field.run({**case, "profile": None}, profile=profile)
    assert outcome.status == 200
    assert calls(outcome.sent[0])[0]["extra_content"]["google"]["thought_signature"] == SIGNATURE
    (refused,) = field.run({**case, "more_turns": [], **(case.get("more_turns") or [{}])[0]})
    assert (refused.status, "extra_content" in calls(refused.sent[0])[0]) == (400, False)


CALL = json.dumps({"type": "function_call", "call_id": "c1", "name": "exec_command", "arguments": "{}"})


@cases("client-json-object-without-word")
def test_the_word_json_is_added_where_it_is_wanted(case: Json) -> None:
    lead, given = messages(play(case).sent[0])
    assert (lead["role"], "JSON" in lead["content"]) == ("system", True)
    assert given == {"role": "user", "content": "List three colours."}
    spoken = {**case["request"], "input": "List three colours as Json."}
    assert messages(play({**case, "request": spoken}).sent[0]) == [
        {"role": "user", "content": spoken["input"]}
    ]


@cases("client-tool-output-parts")
def test_texts_of_an_output_may_be_named_as_elsewhere(case: Json) -> None:
    _, _, output = messages(play(case).sent[0])
    assert (output["tool_call_id"], output["content"]) == ("c1", "f")
