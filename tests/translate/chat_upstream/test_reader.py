"""Answers of upstreams, in all the forms they are known for, are read into the same well-formed stream."""

import json
import re
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wireloom_protocol import hot

from tests.support import contract, cuts
from tests.support.chat_answers import GENERIC, STOP, Session, call, chunk, payloads, said
from tests.support.grammar import Told
from tests.support.streams import unseal
from tests.support.transcripts import TRANSCRIPTS, Transcript
from wireloom.errors import GatewayError, UpstreamError
from wireloom.translate.chat_upstream.chunk import FAILED, completion
from wireloom.translate.chat_upstream.fields import CHUNK_FIELDS
from wireloom.translate.hub.endings import INCOMPLETE, incomplete
from wireloom.translate.hub.relay import heartbeat

Json: TypeAlias = dict[str, Any]
A = '{"a":1}'


# -- transcripts ---------------------------------------------------------------------------------------------------


def summary(told: Told) -> Json:
    """What a stream said, in the form in which a transcript expects it."""
    response = told.response
    reason = (response["incomplete_details"] or {}).get("reason")
    counted = response["usage"]
    return {
        "text": told.text,
        "refusal": told.refusal,
        "reasoning": told.reasoning,
        "calls": [{"name": name, "arguments": arguments} for name, arguments in said(told.calls)],
        "ending": f"incomplete:{reason}" if reason else response["status"],
        "usage": counted
        and {
            "input": counted["input_tokens"],
            "output": counted["output_tokens"],
            "cached": counted["input_tokens_details"]["cached_tokens"],
            "reasoning": counted["output_tokens_details"]["reasoning_tokens"],
        },
        **beside(told),
    }


BESIDE = ("sources", "tokens", "state")


def beside(told: Told) -> Json:
    """What a stream said beside its text, as far as it said anything."""
    numbers = {one.item["call_id"]: str(number) for number, one in enumerate(told.calls)}
    state: Json = unseal(told.sealed[0]) if told.sealed else {}
    if "calls" in state:
        state["calls"] = {numbers[call_id]: extra for call_id, extra in state["calls"].items()}
    tokens = [token["token"] for token in told.logprobs]
    found = zip(BESIDE, (told.annotations, tokens, state), strict=True)
    return {name: value for name, value in found if value}


def error(failure: GatewayError | None) -> Json:
    """The failure in the form in which a transcript expects it."""
    return {} if failure is None else {"error": {"code": failure.code, "status": failure.status}}


def by_name(transcript: Transcript) -> str:
    return transcript.name


STREAMED = [transcript for transcript in TRANSCRIPTS if transcript.streamed]
ANSWERED = [transcript for transcript in TRANSCRIPTS if transcript.expected["ending"] != "failed"]


def test_there_are_transcripts_of_every_kind() -> None:
    assert len(STREAMED) > 60
    assert {transcript.expected["ending"] for transcript in STREAMED} == {
        "completed",
        "failed",
        "incomplete:max_output_tokens",
        "incomplete:content_filter",
    }


@pytest.mark.parametrize("transcript", STREAMED, ids=by_name)
def test_a_transcript_is_read_as_it_should(transcript: Transcript) -> None:
    for pieces in ([transcript.body], cuts.singly(transcript.body)):
        session = Session(transcript.profile)
        told = session.read(payloads(pieces))
        assert summary(told) | error(session.failure) == transcript.expected
    assert [(event, wrong) for event in session.events if (wrong := contract.complaints(event))] == []


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(STREAMED).flatmap(lambda one: st.tuples(st.just(one), cuts.anywhere(one.body))))
def test_no_cut_of_a_transcript_changes_what_is_read(case: tuple[Transcript, list[bytes]]) -> None:
    transcript, pieces = case
    session = Session(transcript.profile)
    told = session.read(payloads(pieces))
    assert summary(told) | error(session.failure) == transcript.expected


@pytest.mark.parametrize("transcript", ANSWERED, ids=by_name)
def test_the_same_answer_in_one_piece_is_read_the_same(transcript: Transcript) -> None:
    expected = {name: value for name, value in transcript.expected.items() if name not in BESIDE}
    session = Session(transcript.profile)
    told = session.read([completion(json.dumps(whole(expected)).encode())])
    assert (summary(told), session.failure) == (expected, None)


REASONS = {
    "completed": "stop",
    "incomplete:max_output_tokens": "length",
    "incomplete:content_filter": "content_filter",
}


def whole(expected: Json) -> Json:
    """A completion, as it is answered without streaming, that says what a transcript says."""
    message: Json = {"role": "assistant", "content": expected["text"] or None}
    if expected["refusal"]:
        message["refusal"] = expected["refusal"]
    if expected["reasoning"]:
        message["reasoning_content"] = expected["reasoning"]
    if expected["calls"]:
        message["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": one}
            for number, one in enumerate(expected["calls"])
        ]
    counted = expected["usage"]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": REASONS[expected["ending"]]}],
        "usage": counted
        and {
            "prompt_tokens": counted["input"],
            "completion_tokens": counted["output"],
            "total_tokens": counted["input"] + counted["output"],
            "prompt_tokens_details": {"cached_tokens": counted["cached"]},
            "completion_tokens_details": {"reasoning_tokens": counted["reasoning"]},
        },
    }


@pytest.mark.parametrize("transcript", [one for one in TRANSCRIPTS if not one.streamed], ids=by_name)
def test_what_is_no_answer_fails(transcript: Transcript) -> None:
    assert transcript.expected["ending"] == "failed"
    with pytest.raises(UpstreamError) as caught:
        completion(transcript.body)
    session = Session(transcript.profile)
    assert summary(session.read(payloads([transcript.body]))) | error(caught.value) == transcript.expected


# -- texts ---------------------------------------------------------------------------------------------------------


def test_a_refusal_is_text_for_a_client_that_shows_nothing_else() -> None:
    deltas = [{"refusal": "I can"}, {"refusal": "not."}]
    told = Session().read([*map(chunk, deltas), STOP])
    assert (told.text, told.refusal) == ("", "I cannot.")
    told = Session(codex=True).read([*map(chunk, deltas), STOP])
    assert (told.text, told.refusal) == ("I cannot.", "")


@pytest.mark.parametrize(
    ("delta", "thought"),
    [
        ({"reasoning_content": "a"}, "a"),
        ({"reasoning": "a"}, "a"),
        (
            {"reasoning_details": [{"type": "reasoning.text", "text": "a"}, {"summary": "b"}, {"data": "x"}]},
            "ab",
        ),
        ({"reasoning_content": "a", "reasoning": "a", "reasoning_details": [{"text": "a"}]}, "a"),
        ({"reasoning_content": "", "reasoning": None, "reasoning_details": [{"text": "a"}]}, "a"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}, "?"]}]}, "a"),
        ({"content": [{"thinking": [{"text": "a"}, {"other": 1}, {"text": "b"}]}]}, "ab"),
        ({"content": [{"type": "thinking", "thinking": "a"}]}, "a"),
        ({"content": "<think>a</think>"}, "a"),
        ({"content": [{"type": "reference", "reference_ids": [1]}]}, ""),
    ],
)
def test_thoughts(delta: Json, thought: str) -> None:
    told = Session().read([chunk(delta), STOP])
    assert (told.reasoning, told.text) == (thought, "")


def test_a_profile_says_which_fields_hold_thoughts_and_whether_tags_do() -> None:
    profile = GENERIC.model_copy(
        update={"reasoning_fields": ("reasoning", "unheard_of"), "think_tags": False}
    )
    deltas = [{"reasoning_content": "no"}, {"reasoning": "yes"}, {"content": "<think>no</think>"}]
    told = Session(profile).read([*map(chunk, deltas), STOP])
    assert (told.reasoning, told.text) == ("yes", "<think>no</think>")


def test_thoughts_in_tags_end_where_the_text_begins() -> None:
    deltas = ["<think>", "\n", "Hm.", "\n</think>", "\n\n", "An answer.", "\n"]
    told = Session().read([*(chunk({"content": delta}) for delta in deltas), STOP])
    assert told.items == [("reasoning", "Hm.\n"), ("message", "An answer.\n")]


def test_text_that_might_have_been_a_tag_comes_before_the_call_that_follows_it() -> None:
    deltas = [{"content": "\n\n"}, call(0, "x", "f", A)]
    told = Session().read([*map(chunk, deltas), STOP])
    assert told.items == [("message", "\n\n"), ("function_call", A)]


def test_the_order_within_one_delta() -> None:
    delta = {"reasoning_content": "a", "content": "b", "refusal": "c", **call(0, "x", "f", A)}
    told = Session().read([chunk(delta), STOP])
    assert told.items == [("reasoning", "a"), ("message", "bc"), ("function_call", A)]


# White space alone may be held back, since markup may follow it.
texts = st.text(min_size=1, max_size=8).filter(lambda text: text.strip() != "")
answers = st.lists(
    st.one_of(
        texts.map(lambda text: {"content": text}),
        texts.map(lambda text: {"reasoning_content": text}),
        st.builds(
            lambda name, arguments: call(None, None, name, json.dumps(arguments)),
            texts,
            st.dictionaries(texts, texts, max_size=2),
        ),
    ),
    max_size=10,
)


@settings(max_examples=100, deadline=None)
@given(answers)
def test_everything_said_is_told_in_its_order(deltas: list[Json]) -> None:
    profile = GENERIC.model_copy(update={"think_tags": False})
    expected: list[tuple[str, str]] = []
    for delta in deltas:
        ((kind, value),) = delta.items()
        item = {"content": "message", "reasoning_content": "reasoning", "tool_calls": "function_call"}[kind]
        text = value if isinstance(value, str) else value[0]["function"]["arguments"]
        if expected and expected[-1][0] == item != "function_call":
            expected[-1] = (item, expected[-1][1] + text)
        else:
            expected.append((item, text))
    told = Session(profile).read([*map(chunk, deltas), STOP])
    assert told.items == expected


# -- ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [*INCOMPLETE, "an_end_of_its_own"])
def test_why_the_model_stopped(reason: str) -> None:
    assert incomplete(reason.upper()) == incomplete(reason) == INCOMPLETE.get(reason)

    told = Session().read([chunk({"content": "a"}), chunk(finish=reason)])
    expected = INCOMPLETE.get(reason)
    assert (told.response["incomplete_details"] or {}).get("reason") == expected
    assert told.response["status"] == ("completed" if expected is None else "incomplete")


@pytest.mark.parametrize(
    ("reason", "code", "status"),
    [
        ("error", "upstream_error", 502),
        ("network_error", "upstream_error", 502),
        ("insufficient_system_resource", "server_is_overloaded", 503),
    ],
)
def test_failures_in_the_clothes_of_an_end(reason: str, code: str, status: int) -> None:
    session = Session()
    session.read([chunk({"content": "a"}), chunk(finish=reason), b"[DONE]"])
    assert session.failure is not None
    assert (session.failure.code, session.failure.status) == (code, status)
    assert reason in FAILED
    assert reason in session.failure.message


@pytest.mark.parametrize("reason", [reason for reason, why in INCOMPLETE.items() if why == "content_filter"])
def test_an_answer_that_a_filter_stopped_fails_for_a_client_that_would_ask_again(reason: str) -> None:
    session = Session(codex=True)
    session.read([chunk({"content": "a"}), chunk(finish=reason), b"[DONE]"])
    assert session.failure is not None
    assert (session.failure.code, session.failure.status) == ("content_filter", 400)
    told = Session(codex=True).read([chunk({"content": "a"}), chunk(finish="length"), b"[DONE]"])
    assert told.response["incomplete_details"] == {"reason": "max_output_tokens"}


CUT = ("upstream_incomplete", 502)
GARBAGE = ("upstream_invalid", 502)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], CUT),
        ([b"[DONE]"], CUT),
        ([chunk({"role": "assistant", "content": ""}), b"[DONE]"], CUT),
        ([chunk({"content": "a"})], CUT),
        ([b"{"], GARBAGE),
        ([b"[]"], GARBAGE),
        ([b"\xff"], GARBAGE),
        ([b'{"choices": 1}'], GARBAGE),
        ([b'{"choices": "\xff"}'], GARBAGE),
        ([b"[" * 100_000], GARBAGE),
        ([b"<html>"], GARBAGE),
        ([b'{"error": {"message": "no", "code": 429}}'], ("rate_limit_exceeded", 429)),
        ([b'{"error": {"message": "no", "type": "rate_limit"}}'], ("rate_limit", 429)),
        ([b'{"error": "no"}'], ("upstream_error", 502)),
        ([b'{"object": "error", "message": "no", "code": 400}'], ("upstream_error", 400)),
        (
            [chunk({"content": "a"}), b'{"error": {"message": "no"}, "choices": []}', b"[DONE]"],
            ("upstream_error", 502),
        ),
    ],
)
def test_what_fails(events: list[bytes], expected: tuple[str, int]) -> None:
    session = Session()
    session.read(events)
    assert session.failure is not None
    assert (session.failure.code, session.failure.status) == expected


@pytest.mark.parametrize("payloads", [[b"[DONE]"], []])
def test_an_end_without_an_answer_fails_also_when_the_stream_is_open_already(payloads: list[bytes]) -> None:
    session = Session()
    heartbeat(session.stream)
    session.read(payloads)
    assert session.failure is not None
    assert session.failure.code == "upstream_incomplete"


def test_a_line_of_ten_megabytes_is_read() -> None:
    text = "0123456789" * 2**20
    body = b"data: " + chunk({"content": text}) + b"\n\ndata: " + STOP + b"\n\n"
    pieces = [body[at : at + 2**16] for at in range(0, len(body), 2**16)]
    told = Session().read(payloads(pieces))
    assert (len(told.text), told.text == text) == (len(text), True)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b" <!doctype html>", "an HTML page"),
        (b'{"choices"', "something that is no JSON"),
        (b'{"choices": {"secret": 1}}', r"no chunk of an answer: .*`\$\.choices`"),
    ],
)
def test_what_is_no_chunk_is_told_without_its_content(payload: bytes, words: str) -> None:
    with pytest.raises(UpstreamError, match=words) as caught:
        Session().reader.feed(payload)
    assert "secret" not in caught.value.message


def test_nothing_after_the_end_is_read() -> None:
    session = Session()
    done = []
    for payload in (chunk({"content": "a"}), STOP, b"[DONE]", chunk({"content": "b"}), b"{"):
        session.reader.feed(payload)
        done.append(session.reader.done)
    assert done == [False, False, True, True, True]
    assert (session.read([]).text, session.failure) == ("a", None)


# -- whole answers -------------------------------------------------------------------------------------------------


def test_a_choice_without_a_delta_hides_no_other() -> None:
    first: Json = {"index": 0, "delta": None, "finish_reason": None}
    choices = [first, {"index": 1, "delta": {"content": "x"}}, {"index": None, "delta": {"content": "a"}}]
    told = Session().read([json.dumps({"choices": choices}).encode(), STOP])
    assert told.text == "ax"


def test_a_completion_is_one_chunk() -> None:
    value = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "a"}}], "extra": 1}
    assert json.loads(completion(json.dumps(value).encode())) == {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": "a"}}],
        "extra": 1,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", GARBAGE),
        (b" <html>", GARBAGE),
        (b"\xff", GARBAGE),
        (b'{"a": "\xff"}', GARBAGE),
        (b"[" * 100_000, GARBAGE),
        (b"[]", ("upstream_error", 502)),
        (b"{}", ("upstream_error", 502)),
        (b'{"choices": {}}', ("upstream_error", 502)),
        (
            b'{"error": {"message": "no", "code": "insufficient_quota"}, "choices": []}',
            ("insufficient_quota", 429),
        ),
        (b'{"error": {"message": "no", "code": 503}}', ("upstream_error", 503)),
    ],
)
def test_what_is_no_completion(body: bytes, expected: tuple[str, int]) -> None:
    with pytest.raises(UpstreamError) as caught:
        completion(body)
    assert (caught.value.code, caught.value.status) == expected


@pytest.mark.parametrize(
    "body", [b'{"choices": []}', b'{"choices": [{}]}', b'{"choices": [{"message": null}]}']
)
def test_a_completion_without_an_answer_fails(body: bytes) -> None:
    session = Session()
    session.read([completion(body)])
    assert session.failure is not None
    assert session.failure.code == "upstream_incomplete"


def test_a_completion_with_choices_that_are_none_fails() -> None:
    session = Session()
    session.read([completion(b'{"choices": [7]}')])
    assert session.failure is not None
    assert session.failure.code == "upstream_invalid"


# -- the contract --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHUNK_FIELDS)
def test_every_field_of_a_chunk_has_a_treatment(name: str) -> None:
    fields = set(getattr(hot, name).__struct_fields__)
    assert sorted(fields - CHUNK_FIELDS[name].keys()) == []
    assert sorted(CHUNK_FIELDS[name].keys() - fields) == []
    how = re.compile(r"mapped|(mapped|emulated|ignored): .+")
    assert [said for said in CHUNK_FIELDS[name].values() if not how.fullmatch(said)] == []


def test_fields_that_nothing_depends_on_may_hold_anything() -> None:
    odd: Json = {
        "id": 7,
        "created": "yesterday",
        "model": None,
        "system_fingerprint": 3,
        "service_tier": ["x"],
    }
    told = Session().read([chunk({"content": "hi", "role": 5}, **odd), STOP])
    assert told.text == "hi"


def test_reasoning_details_of_an_odd_form_do_not_break_an_answer() -> None:
    details = [{"text": 5}, {"summary": ["x"]}, {"text": "Hm."}]
    told = Session().read([chunk({"reasoning_details": details}), chunk({"content": "hi"}), STOP])
    assert (told.reasoning, told.text) == ("Hm.", "hi")
