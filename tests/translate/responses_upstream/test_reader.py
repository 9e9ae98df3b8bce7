"""Streams of Responses upstreams, damaged in every way they are known for, are read into the same well-formed one."""

import copy
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.grammar import Told, check, decode
from tests.support.responses_turns import (
    USAGE,
    call,
    custom_call,
    message,
    reasoning,
    refusal,
    response,
    search,
    whole,
)
from tests.support.streams import new_stream
from wireloom.errors import GatewayError, UpstreamError, UpstreamLimited, UpstreamRefused
from wireloom.translate.compaction import CompactionStream
from wireloom.translate.responses_upstream.events import counted
from wireloom.translate.responses_upstream.item_writer import OUTPUT
from wireloom.translate.responses_upstream.reader import EVENTS, ResponsesReader
from wireloom.translate.responses_upstream.relay import ResponseRelay
from wireloom.translate.rules.loss import How
from wireloom.translate.tools.base import Target, Tools
from wireloom.translate.tools.custom import CustomCall
from wireloom.translate.tools.table import FORMS
from wireloom.wire.sse import encode

Json: TypeAlias = dict[str, Any]
Events: TypeAlias = list[Json]


class Session:
    """One answer on its way from the events of an upstream to those of a client."""

    def __init__(self, tools: Tools | None = None, *, summarise: bool = False, codex: bool = False) -> None:
        self.stream = new_stream(summarise=summarise)
        self.sealed: list[Json] = []
        self.reader = ResponsesReader(self.stream, tools or Tools(), self.seal, codex=codex)
        self.failure: GatewayError | None = None
        self.events: Events = []

    def seal(self, state: Json) -> str:
        self.sealed.append(state)
        return f"sealed {len(self.sealed)}"

    def read(self, payloads: Iterable[Json | bytes]) -> Told:
        """Feed events, to the end or to the first failure; return what the client was told."""
        sent = b""
        try:
            for payload in payloads:
                self.reader.feed(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
                sent += encode(self.stream.take())
            self.reader.close()
        except GatewayError as error:
            self.failure = error
            self.stream.fail(error.body(), "upstream_error")
        self.events = decode(sent + encode(self.stream.take()))
        told = check(self.events)
        assert [wrong for event in self.events if (wrong := contract.complaints(event))] == []
        return told


ITEMS = (
    reasoning("let me think"),
    message("the answer is four", item_id="msg_1"),
    call("add", '{"a": 1, "b": 2}', call_id="call_1", item_id="fc_1"),
    call("now", "{}", call_id="call_2", item_id="fc_2"),
    refusal("but no more than that", item_id="msg_2"),
)


def summary(told: Told) -> Json:
    return {
        "text": told.text,
        "refusal": told.refusal,
        "reasoning": told.reasoning,
        "calls": [(one.item["call_id"], one.item["name"], one.said) for one in told.calls],
        "status": told.response["status"],
        "kinds": [kind for kind, _ in told.items],
    }


EXPECTED: Json = {
    "text": "the answer is four",
    "refusal": "but no more than that",
    "reasoning": "let me think",
    "calls": [("call_1", "add", '{"a": 1, "b": 2}'), ("call_2", "now", "{}")],
    "status": "completed",
    "kinds": ["reasoning", "message", "function_call", "function_call", "message"],
}


# -- one fault at a time -------------------------------------------------------------------------------------------


def without(*ends: str) -> Callable[[Events], Events]:
    return lambda events: [event for event in events if not event["type"].endswith(ends)]


def members_gone(*names: str) -> Callable[[Events], Events]:
    return lambda events: [
        {name: value for name, value in event.items() if name not in names} for event in events
    ]


def changed(ends: str, **members: Any) -> Callable[[Events], Events]:
    return lambda events: [
        {**event, **{key: value for key, value in members.items() if key in event}}
        if event["type"].endswith(ends)
        else event
        for event in events
    ]


def inside(ends: str, **members: Any) -> Callable[[Events], Events]:
    """Change members of the item or response in an event."""

    def fault(events: Events) -> Events:
        for event in events:
            holder = event.get("item", event.get("response"))
            if event["type"].endswith(ends) and holder is not None:
                holder |= {key: value for key, value in members.items() if key in holder}
        return events

    return fault


def renumbered(events: Events) -> Events:
    """Give each event another item id, as servers do that make one up each time."""
    for number, event in enumerate(events):
        if "item_id" in event:
            event["item_id"] = f"x_{number}"
        if "item" in event:
            event["item"] = {**event["item"], "id": f"x_{number}"}
    return events


def only_the_end(events: Events) -> Events:
    return events[-1:]


def renamed(events: Events) -> Events:
    return [{**event, "type": event["type"].replace("reasoning_text", "reasoning")} for event in events]


FAULTS: dict[str, Callable[[Events], Events]] = {
    "none": lambda events: events,
    "no sequence numbers": members_gone("sequence_number"),
    "sequence numbers all 0": changed("", sequence_number=0),
    "no response.created": without("response.created"),
    "no beginning": without("response.created", "response.in_progress"),
    "no output_item.added": without("output_item.added"),
    "no content parts": without("content_part.added", "content_part.done"),
    "no content_index": members_gone("content_index"),
    "no output_index": members_gone("output_index"),
    "no item_id": members_gone("item_id"),
    "no ids or indexes": members_gone("item_id", "output_index", "content_index"),
    "wrong item_id in deltas": changed("delta", item_id="item_wrong"),
    "wrong output_index in deltas": changed("delta", output_index=77),
    "wrong content_index in deltas": changed("delta", content_index=5),
    "output_index always 0": changed("", output_index=0),
    "another id for each event": renumbered,
    "another item id when done": inside("output_item.done", id="item_other"),
    "no text done": without("_text.done", "refusal.done"),
    "no arguments done": without("arguments.done"),
    "no deltas": without(".delta"),
    "no deltas and no part events": without(".delta", "_text.done", "refusal.done", "part.done"),
    "no arguments at all but in the item": without("arguments.delta", "arguments.done"),
    "no output_item.done": without("output_item.done"),
    "no done of any kind": without(".done"),
    "items only when they are done": without("added", ".delta", "part.done", "_text.done", "arguments.done"),
    "text only in the final response": only_the_end,
    "final output empty": inside("response.completed", output=[]),
    "final output missing": inside("response.completed", output=None),
    "another response id at the end": inside("response.completed", id="resp_other"),
    "no usage": inside("response.completed", usage=None),
    "statuses missing": lambda events: [
        {**event, "item": {k: v for k, v in event["item"].items() if k != "status"}}
        if "item" in event
        else event
        for event in events
    ],
    "Open Responses names": renamed,
    "unknown events": lambda events: [
        each for event in events for each in (event, {"type": "vendor:progress", "sequence_number": 0})
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_stream_is_read_as_a_whole_one(fault: str) -> None:
    session = Session()
    told = session.read([*FAULTS[fault](whole(*ITEMS)), b"[DONE]"])
    assert session.failure is None
    assert summary(told) == EXPECTED
    assert (
        told.response["usage"] is None
        if fault == "no usage"
        else told.response["usage"]["input_tokens"] == 11
    )


FAULT_FUNCTIONS = [fault for name, fault in FAULTS.items() if name != "text only in the final response"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(FAULT_FUNCTIONS), max_size=2), st.integers(1, 40))
def test_faults_together_never_break_the_stream(
    faults: Sequence[Callable[[Events], Events]], size: int
) -> None:
    events = whole(*copy.deepcopy(ITEMS), size=size)
    for fault in faults:
        events = fault(events)
    told = Session().read(events)
    assert told.response["status"] == "completed"
    assert EXPECTED["text"] in told.text


FRAMES = [n for n, event in enumerate(whole(*ITEMS)[:-1]) if not event["type"].endswith(".delta")]


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(FRAMES)), st.sampled_from(["output_item.added", "output_item.done"]))
def test_items_are_told_apart_by_their_beginnings_or_by_their_ends(gone: set[int], kept: str) -> None:
    events = [
        event
        for number, event in enumerate(whole(*copy.deepcopy(ITEMS)))
        if number not in gone or event["type"].endswith(kept)
    ]
    found, expected = summary(Session().read(events)), dict(EXPECTED)
    # A call of which only the end tells the name comes later than it was made.
    for each in (found, expected):
        each |= {"calls": sorted(each["calls"]), "kinds": sorted(each["kinds"])}
    assert found == expected


# -- ends ----------------------------------------------------------------------------------------------------------


def test_a_cut_stream_fails() -> None:
    session = Session()
    told = session.read(whole(*ITEMS)[:-1])
    assert told.response["status"] == "failed"
    assert session.failure is not None
    assert session.failure.code == "upstream_incomplete"


def test_a_final_marker_in_place_of_the_last_event_is_an_end() -> None:
    session = Session()
    told = session.read([*whole(message("hello"))[:-1], b"[DONE]"])
    assert (told.response["status"], told.text, told.response["usage"]) == ("completed", "hello", None)


def test_a_final_marker_alone_is_no_answer() -> None:
    assert Session().read([b"[DONE]"]).response["status"] == "failed"


@pytest.mark.parametrize(
    ("reason", "told_as"),
    [
        ("max_output_tokens", "max_output_tokens"),
        ("content_filter", "content_filter"),
        ("length", "max_output_tokens"),
        (None, "max_output_tokens"),
    ],
)
def test_an_incomplete_response(reason: str | None, told_as: str) -> None:
    item = message("cut sho")
    end = response([item], "incomplete", incomplete_details={"reason": reason})
    told = Session().read(whole(item, terminal=end))
    assert told.response["incomplete_details"] == {"reason": told_as}
    assert told.response["output"][-1]["status"] == "incomplete"


@pytest.mark.parametrize("end", [{}, {"status": "in_progress"}, {"status": "incomplete"}])
def test_the_type_of_the_last_event_marks_an_incomplete_answer(end: Json) -> None:
    told = Session().read([*whole(message("a"))[:-1], {"type": "response.incomplete", "response": end}])
    assert told.response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_call_that_was_cut_short_is_incomplete() -> None:
    item = call("add", '{"a": 1, "b')
    end = response([{**item, "status": "incomplete"}], "incomplete")
    told = Session().read(whole(item, terminal=end))
    assert told.response["status"] == "incomplete"
    assert told.calls[0].said == '{"a": 1, "b'


def test_codex_is_told_of_a_filter_as_a_refusal_of_the_request() -> None:
    end = response([], "incomplete", incomplete_details={"reason": "content_filter"})
    session = Session(codex=True)
    session.read(whole(terminal=end))
    assert isinstance(session.failure, UpstreamRefused)


FAILURES: dict[str, tuple[Events, str, str]] = {
    "flat": (
        [{"type": "error", "code": "server_error", "message": "It broke."}],
        "server_error",
        "It broke.",
    ),
    "nested": (
        [{"type": "error", "error": {"type": "too_many_requests", "code": None, "message": "Slow down."}}],
        "too_many_requests",
        "Slow down.",
    ),
    "failed alone": (
        [
            {
                "type": "response.failed",
                "response": response([], "failed", error={"code": "x_y", "message": "No."}),
            }
        ],
        "x_y",
        "No.",
    ),
    "failed without words": (
        [{"type": "response.failed", "response": {}}],
        "upstream_error",
        "The upstream reports an error without saying why.",
    ),
    "a code beside the error": (
        [
            {
                "type": "response.failed",
                "error_type": "provider_overloaded",
                "response": response([], "failed", error={"code": None, "message": "Busy."}),
            }
        ],
        "provider_overloaded",
        "Busy.",
    ),
    "completed with an error": (
        [
            {
                "type": "response.completed",
                "response": response([], error={"code": "oops", "message": "Not really."}),
            }
        ],
        "oops",
        "Not really.",
    ),
    "an error that is no event": (
        [{"error": {"message": "Bad gateway.", "code": "bad"}}],
        "bad",
        "Bad gateway.",
    ),
}


@pytest.mark.parametrize("form", FAILURES)
@pytest.mark.parametrize("said", [0, 4], ids=["at once", "after some text"])
def test_a_failure_is_told_with_its_words(form: str, said: int) -> None:
    events, code, words = FAILURES[form]
    session = Session()
    told = session.read([*whole(message("some text"))[: 2 + said], *events])
    assert told.response["status"] == "failed"
    assert told.response["error"]["message"] == words
    assert session.failure is not None
    assert session.failure.code == code


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("rate_limit_exceeded", UpstreamLimited, 429),
        ("too_many_requests", UpstreamLimited, 429),
        ("insufficient_quota", UpstreamLimited, 429),
        ("server_is_overloaded", UpstreamError, 503),
        ("invalid_prompt", UpstreamRefused, 400),
        ("cyber_policy", UpstreamRefused, 400),
        ("context_length_exceeded", UpstreamRefused, 400),
        ("model_not_found", UpstreamRefused, 404),
        ("server_error", UpstreamError, 502),
    ],
)
def test_a_code_says_whose_fault_it_is(code: str, kind: type[UpstreamError], status: int) -> None:
    session = Session()
    session.read([{"type": "error", "error": {"code": code, "message": "No."}}])
    assert type(session.failure) is kind
    assert session.failure.status == status


@pytest.mark.parametrize("data", [b"<html>", b"[]", b'{"choices": []}', b"\xff", b"{"])
def test_what_is_no_answer_is_an_error(data: bytes) -> None:
    session = Session()
    assert session.read([data]).response["status"] == "failed"
    assert session.failure is not None
    assert session.failure.code == "upstream_invalid"


def test_what_follows_the_end_is_passed_over() -> None:
    assert summary(Session().read([*whole(*ITEMS), b"<html>"])) == EXPECTED


def test_an_answer_that_was_not_streamed() -> None:
    assert summary(Session().read([response(ITEMS)])) == EXPECTED


# -- what is said --------------------------------------------------------------------------------------------------


def test_messages_and_their_parts_stay_apart() -> None:
    first = message("one")
    first["content"].append({"type": "output_text", "text": "two", "annotations": [], "logprobs": []})
    told = Session().read(whole(first, message("three", item_id="msg_2")))
    texts = [[part["text"] for part in item["content"]] for item in told.response["output"]]
    assert texts == [["one", "two"], ["three"]]


@pytest.mark.parametrize("content", ["hello", [{"type": "output_text", "text": "hello"}]])
def test_the_content_of_a_message_may_be_a_text(content: Any) -> None:
    assert Session().read([response([message("") | {"content": content}])]).text == "hello"


def test_summaries_are_summaries_and_their_parts_stay_apart() -> None:
    told = Session().read(whole(reasoning(summary=["first", "second"]), message("done")))
    assert [part["text"] for part in told.response["output"][0]["summary"]] == ["first", "second"]
    assert "content" not in told.response["output"][0]


def test_thoughts_are_a_summary_where_that_was_asked_for() -> None:
    told = Session(summarise=True).read(whole(reasoning("hm"), message("done")))
    assert told.response["output"][0]["summary"] == [{"type": "summary_text", "text": "hm"}]


def test_what_stands_in_summary_and_content_is_told_once() -> None:
    told = Session(summarise=True).read(whole(reasoning("hm", summary=["hm"])))
    assert told.reasoning in ("hm", "hmhm")
    item = reasoning("hm", summary=["hm"])
    assert Session().read([response([item])]).reasoning == "hm"


def test_a_refusal_is_text_for_codex() -> None:
    assert Session(codex=True).read(whole(refusal("no"))).text == "no"


def test_sources_are_told_once_wherever_they_stand() -> None:
    source = {
        "type": "url_citation",
        "url": "https://a.example",
        "title": "A",
        "start_index": 0,
        "end_index": 3,
    }
    events = whole(message("see", annotations=[source]))
    for each in (events, without("annotation.added")(events)):
        told = Session().read(each)
        assert told.response["output"][0]["content"][0]["annotations"] == [source]


def test_log_probabilities_stay_with_their_text() -> None:
    events = whole(message("four"), size=10)
    token = {"token": "four", "logprob": -0.5, "top_logprobs": []}
    events = changed("output_text.delta", logprobs=[token])(events)
    part = Session().read(events).response["output"][0]["content"][0]
    assert [each["token"] for each in part["logprobs"]] == ["four"]


def test_calls_come_back_under_the_names_and_in_the_kinds_that_were_given() -> None:
    tools = Tools(
        by_flat_name={"maths-add": Target("add", "maths"), "patch": Target("patch", call=CustomCall)}
    )
    items = (
        call("maths-add", '{"a":1}', call_id="call_1", item_id="fc_1"),
        call("patch", '{"input":"*** Begin"}', call_id="call_2", item_id="fc_2"),
        call("never_offered", "{}", call_id="call_3", item_id="fc_3"),
    )
    told = Session(tools).read(whole(*items))
    assert [(one.item["type"], one.item["name"], one.said) for one in told.calls] == [
        ("function_call", "add", '{"a":1}'),
        ("custom_tool_call", "patch", "*** Begin"),
        ("function_call", "never_offered", "{}"),
    ]
    assert told.calls[0].item["namespace"] == "maths"


@pytest.mark.parametrize(
    "fault", ["none", "no deltas", "no output_item.done", "text only in the final response"]
)
def test_a_tool_that_the_upstream_has_itself_is_called_with_its_input(fault: str) -> None:
    text = 'say "hi"\n\\ and \U0001f600'
    told = Session().read(FAULTS[fault](whole(custom_call("exec", text))))
    assert [(one.item["name"], one.said) for one in told.calls] == [("exec", text)]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert Session().read(whole(call("now", ""))).calls[0].said == "{}"


def test_arguments_may_be_an_object() -> None:
    item = call("add", "") | {"arguments": {"a": 1}}
    assert Session().read([response([item])]).calls[0].said == '{"a":1}'


def test_calls_that_are_interleaved_are_told_one_after_the_other() -> None:
    events = whole(*ITEMS[2:4])
    head, tail = events[:2], events[-1:]
    first = [event for event in events[2:-1] if event["output_index"] == 0]
    second = [event for event in events[2:-1] if event["output_index"] == 1]
    mixed = [each for pair in zip(first, second, strict=False) for each in pair]
    rest = first[len(second) :] + second[len(first) :]
    assert summary(Session().read([*head, *mixed, *rest, *tail]))["calls"] == EXPECTED["calls"]


def test_a_call_that_is_not_allowed_fails() -> None:
    session = Session(Tools(allowed=frozenset({"other"})))
    assert session.read(whole(call("add", "{}"))).response["status"] == "failed"


def test_a_call_without_a_name_fails() -> None:
    assert Session().read(whole(call("", "{}"))).response["status"] == "failed"


def test_items_of_hosted_tools_are_passed_on_as_they_are() -> None:
    session = Session()
    stream, reader = session.stream, session.reader
    item = search("weather")
    for event in whole(item, message("sunny")):
        reader.feed(json.dumps(event).encode())
    reader.close()
    assert stream.response["output"][0] == item
    assert [each["type"] for each in stream.response["output"]] == ["web_search_call", "message"]
    assert all(not contract.complaints(event) for event in decode(encode(stream.take())))


def test_an_item_without_an_id_gets_one() -> None:
    item = search("weather")
    del item["id"]
    session = Session()
    session.reader.feed(json.dumps(response([item, search("more")])).encode())
    session.reader.close()
    ids = [each["id"] for each in session.stream.response["output"]]
    assert ids == ["item_0", "ws_1"]


@pytest.mark.parametrize(
    ("kind", "part", "told"),
    [
        ("content_part", {"type": "output_text", "text": "hello"}, ("hello", "", "")),
        ("content_part", {"type": "refusal", "refusal": "no"}, ("", "no", "")),
        ("content_part", {"type": "reasoning_text", "text": "hm"}, ("", "", "hm")),
        ("reasoning_summary_part", {"type": "summary_text", "text": "hm"}, ("", "", "hm")),
        ("content_part", {"type": "invented", "text": "?"}, ("", "", "")),
        ("content_part", {"type": ["output_text"], "text": "?"}, ("", "", "")),
        ("content_part", "output_text", ("", "", "")),
    ],
)
def test_the_end_of_a_part_alone_may_hold_the_text(kind: str, part: Any, told: tuple[str, str, str]) -> None:
    event = {"type": f"response.{kind}.done", "item_id": "x", "output_index": 0, "part": part}
    found = Session().read([event, {"type": "response.completed", "response": response([])}])
    assert (found.text, found.refusal, found.reasoning) == told


def test_the_secret_of_an_item_that_is_passed_on_is_sealed() -> None:
    session = Session()
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "theirs"}
    session.reader.feed(json.dumps(response([item])).encode())
    session.reader.close()
    assert session.sealed == [{"encrypted": "theirs"}]
    assert session.stream.response["output"] == [item | {"encrypted_content": "sealed 1"}]


@pytest.mark.parametrize("kind", ["added", "done"])
@pytest.mark.parametrize("item", [None, "message", {}, {"id": "x"}, {"type": 5}])
def test_an_item_without_a_type_is_passed_over(kind: str, item: Any) -> None:
    event = {"type": f"response.output_item.{kind}", "output_index": 0, "item": item}
    assert Session().read([event, *whole(message("a"))]).text == "a"


def test_items_without_ids_end_by_their_indexes() -> None:
    def item(text: str) -> Json:
        return {"type": "message", "content": [{"type": "output_text", "text": text}]}

    def event(kind: str, index: int, **members: Any) -> Json:
        return {"type": f"response.{kind}", "output_index": index, **members}

    events = [
        event("output_item.added", 0, item=item("")),
        event("output_item.added", 1, item=item("")),
        event("output_text.delta", 0, delta="a"),
        event("output_item.done", 0, item=item("a!")),
        event("output_text.delta", 1, delta="b"),
        event("output_item.done", 1, item=item("b!")),
        {"type": "response.completed", "response": response([])},
    ]
    assert [text for _, text in Session().read(events).items] == ["a!", "b!"]


def test_odd_parts_of_a_message_are_passed_over() -> None:
    source = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    parts = ["odd", {"type": "output_text", "text": "a", "annotations": [source]}, {"annotations": "odd"}]
    found = Session().read([response([message("") | {"content": parts}])])
    assert (found.text, found.annotations) == ("a", [source])


def test_a_call_is_announced_as_soon_as_the_upstream_announces_it() -> None:
    session = Session()
    session.reader.feed(json.dumps(whole(call("add", "{}"))[2]).encode())
    kinds = [event["type"] for event in decode(encode(session.stream.take()))]
    assert kinds == ["response.created", "response.in_progress", "response.output_item.added"]


def test_an_item_that_could_not_come_back_is_left_out_and_said_so() -> None:
    session = Session()
    told = session.read(whole({"type": "vendor:thing", "id": "x_1"}, message("hello")))
    assert [item["type"] for item in told.response["output"]] == ["message"]
    assert session.reader.lost == ["an item of type vendor:thing"]


def test_an_item_that_differs_from_its_deltas_keeps_what_was_told() -> None:
    events = changed("output_text.delta", delta="other")(whole(message("four"), size=10))
    session = Session()
    assert session.read(events).text == "other"
    assert "an item that differs from its deltas" in session.reader.lost


def test_a_summary_of_the_conversation_takes_the_text_alone() -> None:
    base = new_stream()
    sealed: list[Json] = []

    def close(value: Json) -> str:
        sealed.append(value)
        return "sealed"

    stream = CompactionStream(base.response, base.new_id, lambda: 0.0, close)
    reader = ResponsesReader(stream, Tools(), close)
    for event in whole(
        reasoning("hm", summary=["h"], encrypted="e"), message("all of it"), call("add", "{}")
    ):
        reader.feed(json.dumps(event).encode())
    reader.close()
    assert sealed == [{"summary": "all of it"}]
    assert [item["type"] for item in stream.response["output"]] == ["compaction"]


def test_messages_stay_apart_while_they_wait_for_a_call() -> None:
    at = {"item_id": "fc_1", "output_index": 0}
    begun = {"type": "response.output_item.added", "output_index": 0, "item": call("add", "")}
    more = {"type": "response.function_call_arguments.delta", **at}
    texts = [
        event
        for index, item in enumerate((message("one"), message("two", item_id="msg_2")))
        for event in whole(item)[2:-1]
        for event in [{**event, "output_index": index + 1}]
    ]
    ends = [{**more, "delta": "1}"}, *whole(call("add", '{"a":1}'))[-2:]]
    told = Session().read([begun, {**more, "delta": '{"a":'}, *texts, *ends])
    assert [said for _, said in told.items] == ['{"a":1}', "one", "two"]


# -- nothing an upstream sends is a fault of ours ------------------------------------------------------------------

MEMBERS = (
    *("item", "response", "part", "delta", "text", "error", "output", "content", "summary", "annotations"),
    *(
        "item_id",
        "output_index",
        "content_index",
        "summary_index",
        "arguments",
        "input",
        "logprobs",
        "annotation",
    ),
    *("id", "type", "name", "call_id", "status", "usage", "incomplete_details", "encrypted_content", "code"),
    *("input_tokens", "input_tokens_details", "message", "reason"),
)
KINDS = ("message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "compaction", "x:y")

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.text(max_size=4)
    | st.sampled_from(["message", "fc_1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=8,
)
ITEM = st.builds(
    lambda kind, members: {**members, "type": kind},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, max_size=5),
)
EVENT = st.builds(
    lambda kind, members: {**members, "type": kind},
    st.sampled_from(sorted(EVENTS)),
    st.dictionaries(st.sampled_from(MEMBERS), ANYTHING | ITEM, max_size=5),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENT, max_size=8), st.booleans())
def test_whatever_comes_is_an_answer_or_an_error_of_the_upstream(events: Events, relayed: bool) -> None:
    stream = new_stream()
    reader = ResponseRelay(stream, str) if relayed else ResponsesReader(stream, Tools(), str)
    try:
        for event in [*events, *whole(message("the end", item_id="msg_9"))]:
            reader.feed(json.dumps(event).encode())
        reader.close()
    except GatewayError as error:
        stream.fail(error.body(), "upstream_error")
    sent = decode(encode(stream.take()))
    assert stream.ended
    assert [event["sequence_number"] for event in sent] == list(range(len(sent)))


# -- usage and the table -------------------------------------------------------------------------------------------


def test_usage_has_every_member_and_keeps_what_else_is_counted() -> None:
    assert counted({**USAGE, "cost": 0.5}) == {
        **USAGE,
        "cost": 0.5,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
    }
    assert counted({"input_tokens": 3, "output_tokens": 4}) == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }
    assert counted(None) is counted({}) is counted([]) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"ttl_12h_tokens": 5, "ttl_30m_tokens": 6}, {"ttl_12h_tokens": 5, "ttl_30m_tokens": 6}),
        ({"ttl_30m_tokens": "many"}, {"ttl_12h_tokens": 0, "ttl_30m_tokens": 0}),
        (None, None),
        ("none", None),
    ],
)
def test_what_was_written_to_the_cache_is_counted_by_its_time(given: Any, kept: Any) -> None:
    usage = counted({**USAGE, "input_tokens_details": {"cache_write_tokens_details": given}})
    assert usage is not None
    details = {"cached_tokens": 0, "cache_write_tokens": 0}
    assert usage["input_tokens_details"] == details | ({"cache_write_tokens_details": kept} if kept else {})


def test_every_event_of_the_contract_has_a_rule() -> None:
    assert set(EVENTS) == contract.tags(m.ResponseStreamEvent)
    assert set(OUTPUT) == contract.tags(m.OutputItem)
    kept = {kind for kind, rule in OUTPUT.items() if rule.how is How.NATIVE}
    assert sorted(kept) == sorted(kind for kind in OUTPUT if FORMS[kind] is not None)
    assert all(rule.note for rule in EVENTS.values() if rule.how is not How.NATIVE)
