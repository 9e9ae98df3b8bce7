"""Responses, whole and streamed, in the words of a chat completion."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from wireloom_protocol import chat, replies
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.chat_grammar import ToldCompletion, check, events
from tests.support.grammar import decode
from tests.support.responses_turns import (
    USAGE,
    call,
    custom_call,
    message,
    reasoning,
    refusal,
    search,
    whole,
)
from tests.support.streams import ERROR, new_stream
from wireloom.errors import GatewayError
from wireloom.translate.chat_face.chunks import EVENTS, HOT, ChatChunks
from wireloom.translate.chat_face.completion import completion
from wireloom.translate.hub.fold import fold
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.rules.loss import How
from wireloom.translate.tools.table import CALL_ITEMS
from wireloom.wire.sse import DONE_EVENT, encode

Json: TypeAlias = dict[str, Any]
MODEL = "100%\\"
TOKENS = {
    "prompt_tokens": 3,
    "completion_tokens": 5,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
COUNTED: replies.ResponseUsage = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 8,
}


def chunks(told: list[Any], **options: Any) -> ToldCompletion:
    """What a client reads of events."""
    writer = ChatChunks("chatcmpl-1", 1_700_000_000, MODEL, **options)
    text = b"".join(writer.feed(told)) + DONE_EVENT
    read = check(events(text.decode()), include_usage=options.get("include_usage", False))
    assert read.model == MODEL
    return read


def spoken(
    speak: Callable[[ResponseStream], None], **options: Any
) -> tuple[ToldCompletion, replies.CreateChatCompletionResponse]:
    """What is said by the verbs of a stream: in chunks, and as one object."""
    stream = new_stream()
    speak(stream)
    told = stream.take()
    made = fold(told)
    assert made is not None
    one = completion(made, "chatcmpl-1", MODEL, legacy=options.get("legacy", False))
    chat.CreateChatCompletionResponse.model_validate(one)
    return chunks(told, **options), one


def same(told: ToldCompletion, one: replies.CreateChatCompletionResponse) -> None:
    """A stream and one object say the same."""
    (choice,) = one["choices"]
    said = choice["message"]
    assert (said["content"] or "") == told.text
    assert (said["refusal"] or "") == told.refusal
    assert said.get("reasoning_content", "") == told.reasoning
    assert said.get("tool_calls", []) == told.calls
    assert said.get("function_call") == told.function_call
    assert said.get("annotations", []) == told.annotations
    logprobs = choice["logprobs"]
    assert ((logprobs and logprobs["content"]) or []) == told.logprobs
    assert choice["finish_reason"] == told.finish_reason


def test_every_event_of_the_contract_has_a_rule() -> None:
    assert EVENTS.keys() == contract.tags(m.ResponseStreamEvent)
    assert {kind.__struct_config__.tag for kind in HOT} <= EVENTS.keys()  # type: ignore[attr-defined]
    assert all(rule.note for rule in EVENTS.values() if rule.how is not How.NATIVE)


def test_text_with_usage() -> None:
    def speak(stream: ResponseStream) -> None:
        stream.text("Hel")
        stream.text("lo")
        stream.finish(COUNTED)

    told, one = spoken(speak, include_usage=True)
    same(told, one)
    assert [delta.get("content") for delta in told.deltas] == ["", "Hel", "lo", None]
    assert told.usage == TOKENS
    assert one["usage"] == TOKENS
    without, _ = spoken(speak)
    assert without.usage is None


def test_reasoning_comes_before_the_text() -> None:
    def speak(stream: ResponseStream) -> None:
        stream.reasoning("hm")
        stream.reasoning("m")
        stream.summary("sum")
        stream.text("so")
        stream.finish(None)

    told, one = spoken(speak)
    assert told.reasoning == "hmm\n\nsum"
    assert told.text == "so"
    assert one["choices"][0]["message"]["reasoning_content"] == "sum\n\nhmm"


def test_two_messages_are_one_with_a_gap() -> None:
    def speak(stream: ResponseStream) -> None:
        stream.text("a")
        stream.next_part()
        stream.text("b")
        stream.next_item()
        stream.text("c")
        stream.finish(None)

    told, one = spoken(speak)
    same(told, one)
    assert told.text == "ab\n\nc"


def test_calls_of_both_kinds() -> None:
    def speak(stream: ResponseStream) -> None:
        stream.text("Let me")
        stream.call(1, "c1", "add")
        stream.arguments(1, '{"a":')
        stream.arguments(1, " 1}")
        stream.call(2, "c2", "free", make=CALL_ITEMS["custom"])
        stream.arguments(2, '{"input": "so')
        stream.arguments(2, 'me"}')
        stream.finish(COUNTED)

    told, one = spoken(speak)
    same(told, one)
    assert told.calls == [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"id": "c2", "type": "custom", "custom": {"name": "free", "input": "some"}},
    ]
    assert told.finish_reason == "tool_calls"


def test_nothing_but_a_call_has_no_content() -> None:
    def speak(stream: ResponseStream) -> None:
        stream.call(1, "c1", "add")
        stream.arguments(1, "{}")
        stream.finish(None)

    _, one = spoken(speak)
    assert one["choices"][0]["message"]["content"] is None
    _, empty = spoken(lambda stream: stream.finish(None))
    assert empty["choices"][0]["message"]["content"] == ""


def test_the_older_form_has_one_call() -> None:
    def speak(stream: ResponseStream) -> None:
        for n in (1, 2):
            stream.call(n, f"c{n}", "add")
            stream.arguments(n, f'{{"a": {n}}}')
        stream.finish(None)

    told, one = spoken(speak, legacy=True)
    same(told, one)
    assert told.function_call == {"name": "add", "arguments": '{"a": 1}'}
    assert told.finish_reason == "function_call"


def test_a_refusal() -> None:
    def speak(stream: ResponseStream) -> None:
        stream.refusal("No")
        stream.refusal(".")
        stream.finish(None)

    told, one = spoken(speak)
    same(told, one)
    assert told.refusal == "No."
    assert one["choices"][0]["message"]["content"] is None


@pytest.mark.parametrize(
    ("why", "finish"),
    [
        ("max_output_tokens", "length"),
        ("max_messages", "length"),
        ("content_filter", "content_filter"),
        ("steered", "stop"),
        ("new", "length"),
    ],
)
def test_an_answer_that_was_cut_short(why: Any, finish: str) -> None:
    def speak(stream: ResponseStream) -> None:
        stream.text("hal")
        stream.finish(COUNTED, why)

    told, one = spoken(speak)
    same(told, one)
    assert told.finish_reason == finish


def test_log_probabilities_and_sources() -> None:
    known = {
        "token": "hé",
        "logprob": -0.5,
        "bytes": [104, 195, 169],
        "top_logprobs": [{"token": "a", "logprob": -1.0, "bytes": [97]}],
    }
    source = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 2}

    def speak(stream: ResponseStream) -> None:
        stream.text_with_logprobs("hé", [known])
        stream.annotate(source)
        stream.next_item()
        stream.text_with_logprobs("so", [known])
        stream.finish(None)

    told, one = spoken(speak)
    same(told, one)
    assert told.text == "hé\n\nso"
    assert told.logprobs == [known, known]
    assert told.annotations == [
        {"type": "url_citation", "url_citation": {k: v for k, v in source.items() if k != "type"}}
    ]


def test_a_failure_is_an_error() -> None:
    stream = new_stream()
    stream.text("hal")
    stream.fail(ERROR, "upstream_error")
    told = stream.take()
    with pytest.raises(GatewayError, match="It broke"):
        chunks(told)
    made = fold(told)
    assert made is not None
    with pytest.raises(GatewayError, match="It broke"):
        completion(made, "c", "m")


def test_events_as_another_server_sends_them() -> None:
    output = [
        reasoning("hm", summary=["sum"]),
        search("what"),
        message("the answer"),
        refusal("but", item_id="msg_2"),
        call("add", '{"a": 1}'),
        custom_call("free", "some", call_id="c2"),
    ]
    told = chunks([*whole(*output, size=3)], include_usage=True)
    assert (told.text, told.refusal) == ("the answer", "but")
    assert set(told.reasoning.split("\n\n")) == {"hm", "sum"}
    assert [one["id"] for one in told.calls] == ["call_1", "c2"]
    assert told.usage is not None
    assert told.usage["prompt_tokens"] == USAGE["input_tokens"]


def test_what_chat_has_no_words_for_is_for_the_log() -> None:
    writer = ChatChunks("c", 1, "m")
    note = {"type": "file_citation", "file_id": "f", "index": 0, "filename": "f"}
    writer.feed(whole(search("what"), message("a", annotations=[note])))
    writer.feed([{"type": "response.unheard_of"}])
    assert writer.lost == [
        "an item of type web_search_call",
        "a source of a kind that Chat does not know",
        "an event of type response.unheard_of",
    ]


def test_probabilities_in_events_of_another_server() -> None:
    known = {"token": "a", "logprob": -0.5, "top_logprobs": []}
    event = {
        "type": "response.output_text.delta",
        "output_index": 0,
        "content_index": 0,
        "delta": "a",
        "logprobs": [known],
    }
    end = {"type": "response.completed", "response": {"status": "completed", "usage": None}}
    assert chunks([event, end]).logprobs == [{**known, "bytes": [97]}]


def test_frames_are_data_alone() -> None:
    writer = ChatChunks("c", 1, "m")
    (role, text) = writer.feed([{"type": "response.refusal.delta", "output_index": 0, "delta": 'a"\n'}])
    assert json.loads(role.removeprefix(b"data: "))["choices"][0]["delta"] == {
        "role": "assistant",
        "content": "",
    }
    assert text.endswith(b"\n\n")
    assert text.count(b"\n") == 2


# -- transcripts ---------------------------------------------------------------------------------------------------


def everything(stream: ResponseStream) -> None:
    """Say something of each kind."""
    stream.reasoning("hm")
    stream.summary("s")
    stream.text("a")
    stream.text("b")
    stream.next_item()
    stream.text("c")
    stream.refusal("no")
    stream.call(1, "c1", "add")
    stream.arguments(1, '{"a":')
    stream.arguments(1, "1}")
    stream.call(2, "c2", "free", make=CALL_ITEMS["custom"])
    stream.arguments(2, '{"input":"x"}')
    stream.finish(COUNTED)


ROLE: Json = {"role": "assistant", "content": ""}
SAID: list[Json] = [
    ROLE,
    {"reasoning_content": "hm"},
    {"reasoning_content": "\n\ns"},
    {"content": "a"},
    {"content": "b"},
    {"content": "\n\nc"},
    {"refusal": "no"},
]
CALLED: list[Json] = [
    {
        "tool_calls": [
            {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": ""}}
        ]
    },
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
    {"tool_calls": [{"index": 1, "id": "c2", "type": "custom", "custom": {"name": "free", "input": ""}}]},
    {"tool_calls": [{"index": 1, "custom": {"input": "x"}}]},
]
OLDER: list[Json] = [
    {"function_call": {"name": "add", "arguments": ""}},
    {"function_call": {"arguments": '{"a":'}},
    {"function_call": {"arguments": "1}"}},
]
SECOND = "a second call, of which the older form has none"


def framed(choices: list[Json], **more: Any) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": MODEL}
    text = json.dumps({**head, "choices": choices, **more}, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def choice(delta: Json, finish: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


@pytest.mark.parametrize("as_json", [False, True], ids=["written here", "of another server"])
@pytest.mark.parametrize(
    ("legacy", "calls", "finish", "lost"),
    [(False, CALLED, "tool_calls", []), (True, OLDER, "function_call", [SECOND])],
)
@pytest.mark.parametrize("include_usage", [False, True])
def test_the_chunks_of_an_answer(
    as_json: bool, legacy: bool, calls: list[Json], finish: str, lost: list[str], include_usage: bool
) -> None:
    stream = new_stream()
    everything(stream)
    told: list[Any] = stream.take()
    if as_json:
        told = decode(encode(told))
    writer = ChatChunks("chatcmpl-1", 7, MODEL, include_usage=include_usage, legacy=legacy)
    found = writer.feed(told)
    usage: Json = {"usage": None} if include_usage else {}
    expected = [framed([choice(delta)], **usage) for delta in [*SAID, *calls]]
    expected.append(framed([choice({}, finish)], **usage))
    expected += [framed([], usage=TOKENS)] if include_usage else []
    assert found == expected
    assert writer.lost == lost
    assert writer.take() == []


def test_a_response_without_usage_ends_without_a_chunk_of_it() -> None:
    stream = new_stream()
    stream.text("a")
    stream.finish(None)
    writer = ChatChunks("chatcmpl-1", 7, MODEL, include_usage=True)
    assert writer.feed(stream.take())[-1] == framed([choice({}, "stop")], usage=None)


def test_frames_before_a_failure_are_kept() -> None:
    stream = new_stream()
    stream.text("a")
    stream.fail(ERROR, "upstream_error")
    writer = ChatChunks("chatcmpl-1", 7, MODEL)
    with pytest.raises(GatewayError):
        writer.feed(stream.take())
    assert writer.take() == [framed([choice(ROLE)]), framed([choice({"content": "a"})])]


def test_probabilities_stand_beside_the_text_of_their_message() -> None:
    known = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    stream = new_stream()
    stream.text("a")
    stream.next_item()
    stream.text_with_logprobs("a", [known])
    stream.text_with_logprobs("a", [known])
    stream.finish(None)
    writer = ChatChunks("chatcmpl-1", 7, MODEL)
    probable = {"content": [known], "refusal": None}
    assert writer.feed(stream.take())[2:4] == [
        framed([choice({"content": delta}) | {"logprobs": probable}]) for delta in ("\n\na", "a")
    ]


def test_arguments_of_no_call_and_events_that_only_repeat_write_nothing() -> None:
    writer = ChatChunks("chatcmpl-1", 7, MODEL)
    argued = {"type": "response.function_call_arguments.delta", "output_index": 3, "delta": "{"}
    ignored = [{"type": kind} for kind, rule in EVENTS.items() if rule.how is How.IGNORED]
    ignored = [event for event in ignored if event["type"] != "response.output_item.done"]
    assert writer.feed([argued, *ignored]) == []
    assert writer.lost == []
