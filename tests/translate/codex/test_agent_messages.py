"""The text of a message that the provider hides or blocks is not passed on, as far as it has not left."""

from typing import Any

import pytest

from tests.support.fake_app_server import Json, Script, counted, ended, message, news, said
from tests.support.grammar import Told
from tests.support.rpc_frames import notification
from tests.translate.codex.test_app_server_reader import Reading
from wireloom.translate.codex.answer_display import BLOCKED, DISPLAYS, HIDDEN, REASONS, REPLACEMENTS

HIDE: Json = {"mode": "hide", "version": 1, "replacement": {"kind": "wellbeingPromptHelpline"}}
BLOCK: Json = {"mode": "block", "version": 1, "reason": {"kind": "cyber", "trustedAccess": False}}
SHOW: Json = {
    "mode": "show",
    "version": 1,
    "trustedContacts": "skip",
    "annotation": {"kind": "wellbeingHelpline"},
}
HELPLINE = REPLACEMENTS["wellbeingPromptHelpline"]
CYBER = f"{BLOCKED}: {REASONS['cyber']}."


def read(script: Script, **settings: Any) -> tuple[Reading, Told]:
    """One response out of a turn."""
    reading = Reading(**settings)
    reading.reader.turn_id = "u"
    frames = [
        notification(each["method"], {"threadId": "t", "turnId": "u", **each["params"]}) for each in script
    ]
    return reading, reading.read(frames)


def outcome(told: Told) -> tuple[str, str, str, str | None]:
    """Text, refusal, status and the reason of an incomplete response."""
    details = told.response["incomplete_details"]
    return told.text, told.refusal, told.response["status"], details and details["reason"]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("display", "expected"),
    [
        (SHOW, ("secret", "", "completed", None)),
        (HIDE, (HELPLINE, "", "completed", None)),
        (BLOCK, ("", CYBER, "incomplete", "content_filter")),
    ],
)
def test_an_instruction_at_the_start_of_a_message_is_followed(
    display: Json, expected: tuple[str, ...], streamed: bool
) -> None:
    reading, told = read([*message("secret", at_start=display), ended()], streamed=streamed)
    assert outcome(told) == expected
    assert told.response["usage"]["total_tokens"] == 3
    lost = [] if display is SHOW else ["a message that the provider withholds"]
    assert reading.reader.lost == lost


@pytest.mark.parametrize(
    ("display", "streamed", "whole"),
    [
        (SHOW, ("secret", "", "completed", None), ("secret", "", "completed", None)),
        (HIDE, ("secret", "", "incomplete", "content_filter"), (HELPLINE, "", "completed", None)),
        (
            BLOCK,
            ("secret", CYBER, "incomplete", "content_filter"),
            ("", CYBER, "incomplete", "content_filter"),
        ),
    ],
)
def test_an_instruction_at_the_end_of_a_message_comes_too_late_for_a_stream_alone(
    display: Json, streamed: tuple[str, ...], whole: tuple[str, ...]
) -> None:
    script = [*message("secret", at_end=display), ended()]
    late, told = read(script, streamed=True)
    assert outcome(told) == streamed
    assert late.reader.lost == (
        [] if display is SHOW else ["a message that the provider withholds, after its text had left"]
    )
    _, told = read(script, streamed=False)
    assert outcome(told) == whole


@pytest.mark.parametrize("streamed", [True, False])
def test_a_text_without_deltas_is_withheld(streamed: bool) -> None:
    script = [each for each in message("secret", at_end=HIDE) if each["method"] != "item/agentMessage/delta"]
    _, told = read([*script, ended()], streamed=streamed)
    assert outcome(told) == (HELPLINE, "", "completed", None)


@pytest.mark.parametrize("streamed", [True, False])
def test_the_items_of_a_turn_repeat_an_instruction(streamed: bool) -> None:
    item = {"type": "agentMessage", "id": "msg_1", "moderation": {"moderated": True, "display": BLOCK}}
    end = news("turn/completed", turn={"id": "u", "status": "completed", "items": [item]})
    _, told = read([*message("secret"), end], streamed=streamed)
    assert outcome(told) == ("secret", CYBER, "incomplete", "content_filter")
    _, told = read([*message("secret", at_start=HIDE), end], streamed=streamed)
    assert outcome(told) == (HELPLINE, "", "completed", None)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_blocked_message_ends_the_response_before_calls_and_other_words(streamed: bool) -> None:
    script = [*message("secret", at_start=BLOCK), *message("more"), ended()]
    reading, told = read(script, streamed=streamed)
    assert outcome(told) == ("", CYBER, "incomplete", "content_filter")
    assert reading.reader.done
    assert not reading.reader.over
    assert not reading.reader.suspended


def test_the_codex_cli_gets_a_failure() -> None:
    reading, told = read([*message("secret", at_start=BLOCK), ended()], codex=True)
    assert reading.failure is not None
    assert (reading.failure.status, reading.failure.code, reading.failure.message) == (
        400,
        "content_filter",
        CYBER,
    )
    assert "secret" not in told.text


def test_the_codex_cli_gets_words_for_a_message_that_never_came() -> None:
    begun = news("item/started", item={"type": "agentMessage", "id": "msg_1", "text": ""})
    _, told = read([begun, counted(), ended()], codex=True)
    assert (told.text, told.refusal) == ("The model refused. Codex does not pass on its words.", "")


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ({"mode": "hide"}, (HIDDEN, "")),
        ({"mode": "hide", "replacement": {"kind": "poem"}}, (HIDDEN, "")),
        ({"mode": "block"}, ("", f"{BLOCKED}.")),
        ({"mode": "block", "reason": {"kind": "spoilers"}}, ("", f"{BLOCKED}: spoilers.")),
        (
            {"mode": "block", "reason": {"kind": "protection", "protectionType": "p" * 99}},
            ("", f"{BLOCKED}: protection of people ({'p' * 60})."),
        ),
        ({"mode": "block", "reason": 3}, ("", f"{BLOCKED}.")),
    ],
)
def test_instructions_of_other_forms(display: Json, expected: tuple[str, str]) -> None:
    _, told = read([*message("secret", at_start=display), ended()], streamed=False)
    assert (told.text, told.refusal) == expected


@pytest.mark.parametrize("display", [{"mode": "blur"}, {"action": "unheard"}, {"mode": 7}])
def test_an_instruction_without_a_rule_is_reported_and_the_text_shown(display: Json) -> None:
    reading, told = read([*message("text", at_start=display), ended()])
    assert outcome(told) == ("text", "", "completed", None)
    mode = "blur" if display.get("mode") == "blur" else "None"
    lost = f"an instruction for the display of a message, of mode {mode}"
    assert reading.reader.lost.count(lost) == 1


# -- a whole answer waits, and loses nothing ------------------------------------------------------------------------


def test_a_whole_answer_has_what_a_stream_has() -> None:
    script = [*message("one"), *message("two"), ended()]
    assert outcome(read(script, streamed=False)[1]) == outcome(read(script, streamed=True)[1])


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (
            ended("failed", {"message": "Incomplete response returned, reason: max_output_tokens"}),
            "incomplete",
        ),
        (ended(), "completed"),
    ],
)
def test_a_message_that_does_not_end_is_passed_on_at_the_end(end: Json, status: str) -> None:
    begun = message("half")[:2]
    _, told = read([*begun, end], streamed=False)
    assert (told.text, told.response["status"]) == ("half", status)


def test_a_raw_item_without_the_end_of_its_message_is_passed_on_when_the_call_is_over() -> None:
    _, told = read([*said("text"), ended()], streamed=False)
    assert told.text == "text"
    assert [kind for kind, _ in told.items] == ["message"]


def test_a_call_that_begins_anew_says_its_text_once() -> None:
    error = {"message": "Reconnecting... 1/5", "additionalDetails": "gone", "codexErrorInfo": "other"}
    retry = news("error", error=error, willRetry=True)
    reading, told = read([*message("half")[:2], retry, *message("half and half"), ended()], streamed=False)
    assert outcome(told) == ("half and half", "", "completed", None)
    assert reading.reader.lost == []


def test_the_tables_say_what_they_do() -> None:
    assert all(rule.note for rule in DISPLAYS.values())
