"""The stream of a complete upstream leaves as it came, but for what is the gateway's own."""

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

import pytest

from tests.support.grammar import decode
from tests.support.responses_turns import (
    UPSTREAM_ID,
    UPSTREAM_MODEL,
    call,
    custom_call,
    message,
    reasoning,
    response,
    search,
    whole,
)
from tests.support.streams import new_stream
from wireloom.errors import GatewayError
from wireloom.translate.hub.relay import heartbeat
from wireloom.translate.responses_upstream.relay import OWN, ResponseRelay
from wireloom.wire.sse import encode

Json: TypeAlias = dict[str, Any]
ITEMS = (
    reasoning(summary=["first", "second"]),
    search("weather"),
    message("It is sunny.", phase="final_answer"),
    custom_call("exec", "ls"),
    call("add", "{}", namespace="maths"),
)


class Session:
    """One answer on its way from the events of an upstream to those of a client."""

    def __init__(self) -> None:
        self.stream = new_stream()
        self.sealed: list[Json] = []
        self.relay = ResponseRelay(self.stream, self.seal)

    def seal(self, state: Json) -> str:
        self.sealed.append(state)
        return f"sealed {len(self.sealed)}"

    def read(self, payloads: Iterable[Json | bytes]) -> list[Json]:
        for payload in payloads:
            self.relay.feed(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
        self.relay.close()
        return decode(encode(self.stream.take()))


def claimed(event: Json) -> Json:
    """An event as it should leave: the response's own members in the gateway's words."""
    if "response" not in event:
        return event
    own = {"id": "resp_1", "model": "some-model", "store": False, "previous_response_id": None}
    return {**event, "response": {**event["response"], **own}}


def test_events_leave_as_they_came_with_all_that_is_unknown() -> None:
    events = whole(*ITEMS)
    events[4:4] = [{"type": "response.vendor.progress", "sequence_number": 0, "percent": 3}]
    for number, event in enumerate(events):
        event |= {"sequence_number": number, "vendor": {"deep": [number]}}
    events[-1]["response"]["vendor_member"] = True
    session = Session()
    assert session.read(events) == [claimed(event) for event in events]
    assert session.relay.called == ["exec", "add"]


def test_the_final_response_is_the_streams() -> None:
    session = Session()
    *_, last = session.read(whole(*ITEMS))
    assert session.stream.ended
    assert session.stream.response == last["response"]
    used = session.stream.response["usage"]
    assert used is not None
    assert used["total_tokens"] == 18
    assert session.stream.response["output"] == list(ITEMS)


def test_what_names_the_upstreams_state_is_replaced_everywhere() -> None:
    sent = encode([*Session().read(whole(*ITEMS))])
    assert UPSTREAM_ID.encode() not in sent
    assert UPSTREAM_MODEL.encode() not in sent
    assert set(OWN) >= {"id", "model", "store"}


@pytest.mark.parametrize("conversation", [None, {"id": "conv_1"}])
def test_a_response_names_the_conversation_of_the_gateway_alone(conversation: Json | None) -> None:
    session = Session()
    own: Json = {"previous_response_id": "resp_0"}
    if conversation is not None:
        own["conversation"] = conversation
    opened: Any = session.stream.response
    opened |= own
    relay = ResponseRelay(session.stream, str)
    foreign = {"conversation": {"id": "conv_upstream"}, "previous_response_id": "resp_upstream"}
    for event in whole(*ITEMS):
        if "response" in event:
            event["response"] |= foreign
        relay.feed(json.dumps(event).encode())
    last: Any = session.stream.response
    assert {name: last[name] for name in foreign if name in last} == own


def test_signs_of_life_do_not_break_the_numbers() -> None:
    session = Session()
    session.stream.start()
    events = whole(message("hello"))
    for event in events[:5]:
        session.relay.feed(json.dumps(event).encode())
    heartbeat(session.stream)
    told = session.read(events[5:])
    assert [event["sequence_number"] for event in told] == list(range(len(events) + 2))
    assert [event["type"] for event in told].count("response.created") == 1
    assert {event["response"]["id"] for event in told if "response" in event} == {"resp_1"}
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == "hello"


def test_what_only_the_upstream_can_read_is_sealed_the_same_each_time() -> None:
    session = Session()
    told = session.read(whole(reasoning(encrypted="secret"), message("hello")))
    assert session.sealed == [{"encrypted": "secret"}]
    items = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert items[0]["encrypted_content"] == "sealed 1"
    assert told[-1]["response"]["output"][0]["encrypted_content"] == "sealed 1"
    assert "secret" not in encode(told).decode()


def test_a_failed_response_leaves_as_it_came_with_the_error_before_it() -> None:
    error = {"type": "error", "sequence_number": 2, "code": "server_error", "message": "No.", "param": None}
    failed = response([], "failed", error={"code": "server_error", "message": "No."}, vendor=1)
    events = [*whole(terminal=failed)[:2], error, {**whole(terminal=failed)[2], "sequence_number": 3}]
    session = Session()
    assert session.read(events) == [claimed(event) for event in events]
    assert session.stream.response["status"] == "failed"


@pytest.mark.parametrize(
    "item", [{"type": "vendor:thing", "id": "x"}, {"type": "computer_call", "id": "cu_1"}]
)
def test_a_response_that_could_not_be_gone_on_from_is_told_and_not_kept(item: Json) -> None:
    session = Session()
    *_, last = session.read(whole(item, message("hello")))
    assert last["response"]["output"][0] == item
    assert (session.stream.lasting, last["response"]["store"]) == (False, False)
    assert item["type"] in session.relay.lost[0]


def test_an_error_without_a_failed_response_is_raised() -> None:
    session = Session()
    with pytest.raises(GatewayError, match=r"Slow down\.") as caught:
        session.read(
            [*whole()[:2], {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down."}]
        )
    assert caught.value.status == 429
    session.stream.fail(caught.value.body(), "rate_limit_exceeded")
    assert [event["type"] for event in decode(encode(session.stream.take()))][-2:] == [
        "error",
        "response.failed",
    ]


@pytest.mark.parametrize("end", [3, 9])
def test_a_cut_stream_fails_with_what_was_said_so_far(end: int) -> None:
    events = whole(message("one"), message("two", item_id="msg_2"), size=9)
    session = Session()
    with pytest.raises(GatewayError) as caught:
        session.read(events[:end])
    assert caught.value.code == "upstream_incomplete"
    session.stream.fail(caught.value.body(), "server_error")
    *_, last = decode(encode(session.stream.take()))
    assert last["response"]["status"] == "failed"
    assert [item["id"] for item in last["response"]["output"]] == (["msg_1"] if end == 9 else [])


@pytest.mark.parametrize("data", [b"<html>", b"[1]", b'{"choices": []}', b'{"error": {"message": "no"}}'])
def test_what_is_no_event_is_an_error(data: bytes) -> None:
    with pytest.raises(GatewayError):
        Session().read([data])


def test_nothing_follows_the_end() -> None:
    events = whole(message("hello"))
    assert len(Session().read([*events, b"[DONE]", b"<html>"])) == len(events)
