"""A conversation summed up: the request for it, and the stream whose whole answer is one sealed item."""

from typing import Any, TypeAlias

import pytest
from wireloom_protocol import responses as m

from tests.support.chat_answers import STOP, Session, call, chunk
from tests.support.grammar import Told
from tests.support.streams import ERROR, new_compaction, unseal
from wireloom.providers import load
from wireloom.translate import compaction
from wireloom.translate.hub.relay import heartbeat

Json: TypeAlias = dict[str, Any]
TRIGGER: Json = {"type": "compaction_trigger"}
HELLO: Json = {"type": "message", "role": "user", "content": "hello"}
KEPT = {
    "instructions": "Be brief.",
    "temperature": 0.5,
    "max_output_tokens": 64,
    "reasoning": {"effort": "low"},
}


def body(given: Any, **more: Any) -> m.CreateResponse:
    return m.CreateResponse.model_validate({"model": "some-model", "input": given, **more})


# -- the request ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [([HELLO, TRIGGER], True), ([TRIGGER], True), ([TRIGGER, HELLO], False), ([], False), ("hello", False)],
)
def test_the_last_item_asks_for_it(given: Any, expected: bool) -> None:
    assert compaction.asked(body(given)) is expected


def test_the_request_is_the_conversation_without_tools_and_with_a_question() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    given = body(
        [HELLO, TRIGGER],
        tools=[tool],
        tool_choice="required",
        parallel_tool_calls=True,
        text={"format": {"type": "json_object"}},
        **KEPT,
    )
    before = given.model_dump(mode="json", exclude_unset=True)
    made = compaction.request(given).model_dump(mode="json", exclude_unset=True)
    *conversation, question = made["input"]
    assert conversation == [HELLO]
    assert (question["role"], question["content"]) == ("user", compaction.PROMPT)
    assert not made.keys() & {"tools", "tool_choice", "text"}
    assert made["parallel_tool_calls"] is None
    assert {name: made[name] for name in KEPT} == KEPT
    assert given.model_dump(mode="json", exclude_unset=True) == before


# -- the answer ----------------------------------------------------------------------------------------------------


def read(*payloads: bytes, **options: Any) -> tuple[Session, Told]:
    session = Session(stream=new_compaction(), **options)
    return session, session.read(payloads)


def summary(told: Told) -> Any:
    """What is sealed in the one item that there has to be."""
    assert [kind for kind, _ in told.items] == ["compaction"]
    assert told.response["status"] == "completed"
    (token,) = told.sealed
    return unseal(token)


COUNTED = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def test_text_is_the_summary_and_nothing_else_is_told() -> None:
    session, told = read(
        chunk({"reasoning_content": "Hm."}),
        chunk({"content": " All "}),
        chunk({"content": "of it.\n"}),
        chunk({"annotations": [{"url_citation": {"url": "x"}}], "extra_content": {"x": 1}}),
        chunk(call(0, "x", "f", '{"a":1}')),
        chunk(call(0, None, None, '{"a":1}')),
        chunk(finish="tool_calls", usage=COUNTED),
        b"[DONE]",
    )
    assert summary(told) == {"summary": "All of it."}
    assert (told.text, told.reasoning, told.calls, session.failure) == ("", "", [], None)
    assert told.response["usage"]["total_tokens"] == 11


def test_tokens_with_probabilities_are_text() -> None:
    choice = {"index": 0, "delta": {"content": "All."}, "logprobs": {"content": [{"token": "All."}]}}
    _, told = read(chunk(choices=[choice]), STOP)
    assert summary(told) == {"summary": "All."}


def test_thoughts_in_tags_are_no_part_of_the_summary() -> None:
    _, told = read(chunk({"content": "<think>Hm.</think>\n"}), chunk({"content": "All."}), STOP)
    assert summary(told) == {"summary": "All."}


def test_done_without_a_finish_is_an_end() -> None:
    _, told = read(chunk({"content": "All."}), b"[DONE]")
    assert summary(told) == {"summary": "All."}


def test_it_is_told_when_it_is_whole() -> None:
    session = Session(stream=new_compaction())
    session.reader.feed(chunk({"content": "All."}))
    heartbeat(session.stream)
    assert [event["type"] for event in session.stream.take() if isinstance(event, dict)] == [
        "response.created",
        "response.in_progress",
    ]


@pytest.mark.parametrize(
    "payloads",
    [
        [STOP],
        [chunk({"content": ""}), STOP],
        [chunk({"content": " \n"}), STOP],
        [chunk({"reasoning_content": "Hm."}), STOP],
        [chunk(call(0, "x", "f", "{}")), chunk(finish="tool_calls")],
        [chunk({"content": "Half a"}), chunk(finish="length")],
        [chunk({"content": "Half a"}), chunk(finish="content_filter")],
        [chunk({"content": "Half a"})],
        [b"[DONE]"],
    ],
)
@pytest.mark.parametrize("codex", [True, False])
def test_what_is_no_whole_summary_fails(payloads: list[bytes], codex: bool) -> None:
    session, told = read(*payloads, codex=codex)
    filtered = codex and b"content_filter" in payloads[-1]
    assert session.failure is not None
    codes = {"content_filter"} if filtered else {"upstream_incomplete", "upstream_empty"}
    assert session.failure.code in codes
    assert (told.items, told.sealed, told.response["output"]) == ([], [], [])


def test_an_upstream_that_searches_first_is_asked_again() -> None:
    session = Session(load("kimi"), stream=new_compaction())
    again = session.feed([chunk(call(0, "s1", "$web_search", "{}")), chunk(finish="tool_calls")])
    assert [message["role"] for message in again] == ["assistant", "tool"]
    assert summary(session.read([chunk({"content": "All."}), STOP])) == {"summary": "All."}


def test_a_failure_is_told_as_any_other() -> None:
    stream = new_compaction()
    stream.text("Half a")
    stream.fail(ERROR, "server_error")
    assert stream.response["status"] == "failed"
    assert (stream.response["output"], stream.ended) == ([], True)
