"""Answers of upstreams, in all the forms they are known for, are read into the same well-formed stream."""

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wireloom_protocol import hot

from tests.support import contract, cuts
from tests.support.grammar import Call, Told, check, decode
from tests.support.streams import new_stream
from tests.support.transcripts import TRANSCRIPTS, Transcript
from wireloom.errors import GatewayError, UpstreamError
from wireloom.providers import Profile, load
from wireloom.translate.chat_to_responses import (
    CHUNK_FIELDS,
    FAILED,
    INCOMPLETE,
    ChatReader,
    completion,
    usage,
)
from wireloom.translate.tools import Target, Tools, wrap
from wireloom.wire.sse import EventReader, encode

Json: TypeAlias = dict[str, Any]
GENERIC = load("generic")


class Session:
    """One answer on its way from the bytes of an upstream to the events of a client."""

    def __init__(self, profile: Profile = GENERIC, tools: Tools | None = None, **options: Any) -> None:
        self.stream = new_stream()
        self.reader = ChatReader(self.stream, tools or Tools(), profile, **options)
        self.failure: GatewayError | None = None
        self._sent = b""

    def read(self, payloads: Iterable[bytes]) -> Told:
        """Feed the data of events, to the end or to the first failure; return what the client was told."""
        try:
            for payload in payloads:
                self.reader.feed(payload)
                self._sent += encode(self.stream.take())
            self.reader.close()
        except UpstreamError as error:
            self.failure = error
            self.stream.fail(error.body(), "upstream_error")
        self._sent += encode(self.stream.take())
        return check(self.events)

    @property
    def events(self) -> list[Json]:
        return decode(self._sent)


def payloads(pieces: Iterable[bytes]) -> Iterable[bytes]:
    wire = EventReader()
    for piece in pieces:
        yield from wire.feed(piece)
    yield from wire.close()


def chunk(delta: Json | None = None, finish: str | None = None, **more: Any) -> bytes:
    return json.dumps(
        {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more}
    ).encode()


def call(
    index: int | None, call_id: str | None, name: str | None, arguments: Any = None, **more: Any
) -> Json:
    """A delta with one fragment of a call; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    fragment = {"index": index, "id": call_id, "function": function, **more}
    return {"tool_calls": [{key: value for key, value in fragment.items() if value is not None}]}


def said(calls: list[Call]) -> list[tuple[str, str]]:
    return [(one.item["name"], one.said) for one in calls]


STOP = chunk(finish="stop")


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
    }


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
        assert summary(told) == transcript.expected
        assert (session.failure is not None) == (transcript.expected["ending"] == "failed")
    assert [(event, wrong) for event in session.events if (wrong := contract.complaints(event))] == []


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(STREAMED).flatmap(lambda one: st.tuples(st.just(one), cuts.anywhere(one.body))))
def test_no_cut_of_a_transcript_changes_what_is_read(case: tuple[Transcript, list[bytes]]) -> None:
    transcript, pieces = case
    told = Session(transcript.profile).read(payloads(pieces))
    assert summary(told) == transcript.expected


@pytest.mark.parametrize("transcript", ANSWERED, ids=by_name)
def test_the_same_answer_in_one_piece_is_read_the_same(transcript: Transcript) -> None:
    expected = transcript.expected
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
    with pytest.raises(UpstreamError):
        completion(transcript.body)
    session = Session(transcript.profile)
    assert summary(session.read(payloads([transcript.body]))) == transcript.expected


# -- calls, however they are told apart ----------------------------------------------------------------------------

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
    tools = Tools([], {"maths-add": Target("add", "maths"), "patch": Target("patch", None, custom=True)})
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
    assert (session.failure.code, session.failure.status) == ("upstream_invalid", 502)


def test_more_of_a_call_that_was_over_fails() -> None:
    session = Session()
    session.read(
        [chunk(call(0, "x", "f", A)), chunk({"content": "done"}), chunk(call(0, None, None, B)), STOP]
    )
    assert session.failure is not None
    assert session.failure.code == "upstream_invalid"


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


texts = st.text(min_size=1, max_size=8)
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
    told = Session().read([chunk({"content": "a"}), chunk(finish=reason)])
    expected = {
        "length": "max_output_tokens",
        "max_tokens": "max_output_tokens",
        "model_length": "max_output_tokens",
        "content_filter": "content_filter",
        "sensitive": "content_filter",
    }.get(reason)
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
        ([b"[" * 100_000], GARBAGE),
        ([b"<html>"], GARBAGE),
        ([b'{"error": {"message": "no", "code": 429}}'], ("429", 429)),
        ([b'{"error": {"message": "no", "type": "rate_limit"}}'], ("rate_limit", 429)),
        ([b'{"error": "no"}'], ("upstream_error", 502)),
        ([b'{"object": "error", "message": "no", "code": 400}'], ("400", 400)),
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


def test_a_completion_is_one_chunk() -> None:
    value = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "a"}}], "extra": 1}
    assert json.loads(completion(json.dumps(value).encode())) == {
        "object": "chat.completion",
        "choices": [{"index": 0, "delta": {"content": "a"}}],
        "extra": 1,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", GARBAGE),
        (b" <html>", GARBAGE),
        (b"\xff", GARBAGE),
        (b"[" * 100_000, GARBAGE),
        (b"[]", ("upstream_error", 502)),
        (b"{}", ("upstream_error", 502)),
        (b'{"choices": {}}', ("upstream_error", 502)),
        (
            b'{"error": {"message": "no", "code": "insufficient_quota"}, "choices": []}',
            ("insufficient_quota", 429),
        ),
        (b'{"error": {"message": "no", "code": 503}}', ("503", 503)),
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


# -- usage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 8}, (3, 0, 0, 4, 0, 8)),
        ({"prompt_tokens": 3}, (3, 0, 0, 0, 0, 3)),
        ({"prompt_tokens": None, "completion_tokens": 4}, (0, 0, 0, 4, 0, 4)),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1}},
            (3, 2, 1, 0, 0, 3),
        ),
        ({"prompt_tokens": 3, "cached_tokens": 2}, (3, 2, 0, 0, 0, 3)),
        ({"prompt_tokens": 3, "prompt_cache_hit_tokens": 2}, (3, 2, 0, 0, 0, 3)),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            (3, 0, 0, 4, 2, 7),
        ),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": {}},
            (3, 0, 0, 0, 0, 3),
        ),
    ],
)
def test_usage(counted: Json, expected: tuple[int, ...]) -> None:
    read, cached, written, out, thought, total = expected
    assert usage(msgspec.convert(counted, hot.CompletionUsage)) == {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": total,
    }


@pytest.mark.parametrize("counted", [None, hot.CompletionUsage(), hot.CompletionUsage(completion_tokens=3)])
def test_usage_that_was_not_counted(counted: hot.CompletionUsage | None) -> None:
    assert usage(counted) is None


# -- the contract --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHUNK_FIELDS)
def test_every_field_of_a_chunk_has_a_treatment(name: str) -> None:
    fields = set(getattr(hot, name).__struct_fields__)
    assert sorted(fields - CHUNK_FIELDS[name].keys()) == []
    assert sorted(CHUNK_FIELDS[name].keys() - fields) == []
    assert all(said == "mapped" or said.startswith("ignored: ") for said in CHUNK_FIELDS[name].values())


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


def test_counts_may_be_floats() -> None:
    counted = {"prompt_tokens": 3.0, "completion_tokens": 2.0, "total_tokens": 5.0}
    session = Session()
    session.read([chunk({"content": "hi"}), chunk(finish="stop", usage=counted)])
    usage = session.events[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (3, 2, 5)


def test_arguments_may_be_an_object() -> None:
    told = Session().read([chunk(call(0, "x", "f", {"a": [1, "b"]})), STOP])
    assert said(told.calls) == [("f", '{"a":[1,"b"]}')]


def test_a_second_whole_call_on_an_index_that_is_never_counted_up() -> None:
    told = Session().read([chunk(call(0, None, "f", '{"a":1}')), chunk(call(0, None, "f", '{"b":2}')), STOP])
    assert said(told.calls) == [("f", '{"a":1}'), ("f", '{"b":2}')]


def test_a_name_that_is_repeated_with_each_fragment_is_one_call() -> None:
    told = Session().read([chunk(call(0, None, "f", '{"a"')), chunk(call(0, None, "f", ":1}")), STOP])
    assert said(told.calls) == [("f", '{"a":1}')]


def test_reasoning_details_of_an_odd_form_do_not_break_an_answer() -> None:
    details = [{"text": 5}, {"summary": ["x"]}, {"text": "Hm."}]
    told = Session().read([chunk({"reasoning_details": details}), chunk({"content": "hi"}), STOP])
    assert (told.reasoning, told.text) == ("Hm.", "hi")
