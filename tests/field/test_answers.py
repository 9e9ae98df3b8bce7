"""What servers answer in the field, played through the gateway: nothing is lost, nothing is said twice."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.support import field
from tests.support.field import Json, Outcome

BOTH = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def cases(*names: str) -> pytest.MarkDecorator:
    found = [pytest.param(case, id=name) for each in names for name, case in field.load(each)]
    return pytest.mark.parametrize("case", found)


def play(case: Json, **options: Any) -> Outcome:
    """The outcome of the only turn of a case."""
    (outcome,) = field.run(case, **options)
    if outcome.events and case["face"] == "responses":
        from tests.support.grammar import check  # noqa: PLC0415

        check(outcome.events)
    return outcome


@BOTH
@cases("stream-call-in-second-choice")
def test_a_call_in_a_second_choice_is_part_of_the_answer(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    assert outcome.answer["status"] == "completed"
    assert [item["type"] for item in outcome.items] == ["message", "function_call"]
    assert (outcome.text, outcome.calls) == ("Let me look. ", [("exec_command", {"cmd": "ls"})])
    assert outcome.items[1]["call_id"] == "call_x"


@BOTH
@cases("stream-citations-beside-choices")
def test_sources_beside_the_choices_are_annotations(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    (annotation,) = outcome.items[0]["content"][0]["annotations"]
    assert (annotation["type"], annotation["url"]) == ("url_citation", "https://a.example/")
    assert outcome.text[annotation["start_index"] : annotation["end_index"]] == "[1]"


@BOTH
@cases("stream-dsml-call-as-text", "stream-more-call-markup-as-text", "stream-tool-call-tag-as-text")
def test_a_call_in_the_text_is_a_call(case: Json, stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        outcome = play(case, stream=stream)
    ((name, arguments),) = outcome.calls
    assert name == "exec_command"
    assert arguments in ({"cmd": "ls"}, {"cmd": "ls -l"})
    assert (outcome.text, outcome.answer["status"]) == ("", "completed")
    assert "stood in the text as markup" in caplog.text


@BOTH
@cases("stream-finish-tool-calls-without-call")
def test_an_end_that_names_a_call_without_one_fails(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    assert "named a call" in outcome.error["message"]
    if outcome.events:
        assert (outcome.answer["status"], outcome.error["code"]) == ("failed", "server_error")
    else:
        assert (outcome.status, outcome.error["code"]) == (502, "upstream_empty")


@BOTH
@cases("stream-message-or-text-for-delta")
def test_an_answer_in_another_member_is_read(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    assert (outcome.text, outcome.answer["status"]) == ("Hello", "completed")
    assert outcome.answer["usage"]["total_tokens"] == 15


@BOTH
@cases("stream-picture-in-delta")
def test_a_picture_is_an_item(case: Json, stream: bool) -> None:
    outcome = play(case, stream=stream)
    assert outcome.text == "Here."
    (picture,) = [item for item in outcome.items if item["type"] == "image_generation_call"]
    assert (picture["result"], picture["status"]) == ("iVBORw0KGgo=", "completed")


@cases("stream-thought-without-opening-tag")
def test_an_answer_inside_a_thought_is_learnt(case: Json, caplog: pytest.LogCaptureFixture) -> None:
    turns = {**case, "more_turns": [{"request": case["request"], "upstream": case["upstream"]}]}
    with caplog.at_level(logging.WARNING):
        first, second = field.run(turns)
    assert (first.text, first.thoughts) == ("The user greets. I answer.\nHi there", "")
    assert "began inside a thought" in caplog.text
    assert (second.text, second.thoughts.strip()) == ("Hi there", "The user greets. I answer.")


@cases("stream-thought-without-opening-tag")
def test_an_answer_inside_a_thought_is_read_by_a_profile(case: Json, tmp_path: Any) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'name = "mine"\ntitle = "Mine"\ndocs = "https://a.example/"\nanswers_in_thought = true\n'
    )
    outcome = play({**case, "profile": None}, profile=profile)
    assert (outcome.text, outcome.thoughts.strip()) == ("Hi there", "The user greets. I answer.")
