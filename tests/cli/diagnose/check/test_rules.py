"""The rules on their own: streams of every kind of item keep them, and what no deployment of the tests does breaks them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import responses_turns as r
from wireloom.cli.diagnose.check.answer import Answer, Frame, events, frames
from wireloom.cli.diagnose.check.bounds import FIRST_ESTIMATE, Bounds, Budget, OutOfBounds, tokens
from wireloom.cli.diagnose.check.contract import Contract, Operation
from wireloom.cli.diagnose.check.rules import chat, errors, headers, lists, response, stream, usage

Json = dict[str, Any]
DONE = "data: [DONE]\n\n"


def written(told: list[Json]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in told) + DONE


def answer(body: Any, *, operation: str = "createResponse", status: int = 200, kind: str = "json") -> Answer:
    types = {"json": "application/json", "stream": "text/event-stream; charset=utf-8", "text": "text/plain"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(operation, "POST /v1/responses", {}, status, {"content-type": types[kind]}, content)


# -- streams -----------------------------------------------------------------------------------------------------------

ITEMS = {
    "text": [r.message("Hello there, you.")],
    "refusal": [r.refusal("I will not do it.")],
    "reasoning": [
        r.reasoning("Let me think.", summary=["One.", "Two."], encrypted="sealed"),
        r.message("ok"),
    ],
    "a call": [r.call("look", '{"a": 1}')],
    "a custom call": [r.custom_call("run", "echo hello")],
    "a search": [r.search("weather"), r.message("It is sunny.", item_id="msg_2")],
    "two calls": [r.call("look", "{}"), r.call("look", "{}", item_id="fc_2", call_id="call_2")],
    "nothing": [],
}


@pytest.mark.parametrize("name", ITEMS)
def test_streams_of_every_kind_keep_the_rules(name: str) -> None:
    told = r.whole(*ITEMS[name])
    found, made = stream.read(written(told))
    assert found == []
    assert made == told[-1]["response"]


def test_items_may_be_written_side_by_side() -> None:
    told = r.whole(*ITEMS["two calls"])
    head, end = told[:2], told[-1:]
    ours = [event for event in told[2:-1] if event["output_index"] == 0]
    theirs = [event for event in told[2:-1] if event["output_index"] == 1]
    mixed = [event for pair in zip(ours, theirs, strict=True) for event in pair]
    numbered = [{**event, "sequence_number": number} for number, event in enumerate([*head, *mixed, *end])]
    assert stream.read(written(numbered))[0] == []


def test_heartbeats_are_no_fault() -> None:
    told = r.whole(r.message("Hello there."))
    told.insert(5, {"type": "response.in_progress", "response": told[1]["response"]})
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(told)]
    assert stream.read(written(numbered))[0] == []


def test_a_failure_may_come_within_an_item() -> None:
    told = r.whole(r.message("Hello there."))[:6]
    failed = r.response([], "failed", error={"code": "server_error", "message": "It failed."})
    error = {"type": "error", "code": "server_error", "message": "It failed.", "param": None}
    told += [error, {"type": "response.failed", "response": failed}]
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(told)]
    assert stream.read(written(numbered))[0] == []


def test_each_rule_is_reported_once() -> None:
    told = r.whole(r.message("A text of many deltas, each with the same fault."))
    for event in told:
        event["sequence_number"] += 7
        if event["type"].endswith("delta"):
            event["item_id"] = "msg_other"
    found, _ = stream.read(written(told))
    assert len(found) == 2
    assert "sequence_number is 7, not 0" in found[0]
    assert "(event 4)" in found[1]


def test_events_without_the_members_that_rules_read() -> None:
    told = r.whole(r.message("Hello."))
    for event in told:
        event.pop("item", None)
        event.pop("part", None)
    found, _ = stream.read(written(told))
    assert any("a member is missing" in sentence for sentence in found)


@pytest.mark.parametrize("text", ["", "data: 7\n\n", "data: {}\n\n", "data: no\n\n", ": alive\n\n", DONE])
def test_what_is_no_stream(text: str) -> None:
    assert stream.read(text)[0]


def test_frames() -> None:
    text = "\ufeffevent: a\r\ndata: 1\r\ndata:2\r\n\r\n: note\n\nid: 3\ndata: x\u2028y\n\ndata: cut"
    assert list(frames(text)) == [
        Frame("a", "1\n2"),
        Frame(None, "x\u2028y"),
        Frame(None, "cut", whole=False),
    ]
    assert events('data: {"a": 1}\n\ndata: 2\n\ndata: no\n\n' + DONE) == [{"a": 1}]


# -- counts, lists, headers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "fault"),
    [
        ({"total_tokens": 5}, ""),
        ({"total_tokens": 6, "output_tokens_details": {"reasoning_tokens": 1}}, ""),
        ({"total_tokens": 6}, "total_tokens is 6"),
        ({"total_tokens": 5, "output_tokens": True}, "not a count"),
        ({"total_tokens": 5, "input_tokens_details": {"cached_tokens": -1}}, "not a count"),
        ({"total_tokens": 5, "input_tokens_details": {"cost": -0.5, "cached_tokens": None}}, ""),
        ({"total_tokens": 5, "input_tokens_details": {"cache_write_tokens": 3}}, "more than input_tokens"),
    ],
)
def test_usage(counts: Json, fault: str) -> None:
    used = {"input_tokens": 2, "output_tokens": 3, **counts}
    found = " ".join(usage.findings(used, usage.RESPONSES, wrote=True))
    assert (fault in found) if fault else found == ""


@pytest.mark.parametrize("value", [None, 3, []])
def test_no_usage(value: Any) -> None:
    assert list(usage.findings(value, usage.CHAT, wrote=False))
    assert usage.spent(value, usage.CHAT) is None


@pytest.mark.parametrize("wait", ["0", "7", " 12 ", "86400"])
def test_waits(wait: str) -> None:
    assert headers.seconds(wait) == int(wait)


@pytest.mark.parametrize("wait", [None, "", "soon", "-1", "1.5", "86401", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_what_is_no_wait(wait: str | None) -> None:
    assert headers.seconds(wait) is None


@pytest.mark.parametrize("lost", ["a;dropped;", "a.b;emulated;estimate, c;ignored;not taken", "more=3"])
def test_losses(lost: str) -> None:
    found = headers.findings({"x-request-id": "r", "x-wireloom-loss": lost}, set())
    assert list(found) == []


def test_pages() -> None:
    entries = [{"id": f"i{number}"} for number in range(3)]
    first = {"data": entries[:2], "has_more": True, "first_id": "i0", "last_id": "i1"}
    last = {"data": entries[2:], "has_more": False, "first_id": "i2", "last_id": "i2"}
    assert list(lists.pages([first, last], ["i0", "i1", "i2"])) == []
    assert list(lists.pages([first], ["i0", "i1", "i2"]))
    assert list(lists.pages([first, last], ["i0", "i2", "i1"]))


def test_refusals() -> None:
    assert list(errors.form(answer({}, status=200))) == []
    assert list(errors.form(answer([], status=400))) == ["the refusal with status 400 has no error object"]
    found = list(errors.form(answer({"error": {"message": "x"}}, status=400)))
    assert found[:3] == [
        "the error object has no type",
        "the error object has no param",
        "the error object has no code",
    ]


def test_a_response_that_was_cut() -> None:
    assert list(response.cut(256, 200, is_cut=True, shown="s")) == []
    assert list(response.cut(150_000, 4096, is_cut=True, shown="s")) == [], "the ceiling of the server"
    assert list(response.cut(256, 20, is_cut=True, shown="s"))
    assert list(response.cut(256, 256, is_cut=False, shown="s")) == []
    assert list(response.cut(16, 16, is_cut=False, shown="s"))
    assert list(response.cut(16, 40, is_cut=False, shown="s")) == []
    assert list(response.cut(16, 4, is_cut=True, shown="s")) == []
    assert list(response.cut(None, 10, is_cut=True, shown="s"))
    assert list(response.cut(None, None, is_cut=True, shown="s")) == []


def test_what_is_no_completion() -> None:
    assert list(chat.findings({}, {}))
    assert list(chat.findings({"choices": [{"message": 3}, 4]}, {}))


# -- the contract ------------------------------------------------------------------------------------------------------


def contract(schema: Json, **more: Any) -> Contract:
    content = {"application/json": {"schema": schema}}
    operation = {"operationId": "createResponse", "responses": {"200": {"content": content}}}
    return Contract({"paths": {"/v1/responses": {"post": operation}}, **more})


def test_a_schema_that_cannot_be_applied() -> None:
    for schema in ({"$ref": "#/components/schemas/Nowhere"}, {"type": "text"}):
        (found,) = contract(schema).findings(answer({}))
        assert "cannot be applied" in found


def test_answers_that_are_not_declared() -> None:
    found = contract({"type": "object"})
    assert list(found.findings(answer({}, status=201))) == ["the status 201 is not declared"]
    assert list(found.findings(answer(b"no"))) == ["the body is no JSON"]
    (kind,) = found.findings(answer({}, kind="text"))
    assert kind.startswith("the content-type is 'text/plain'")


def test_violations_are_short_and_few() -> None:
    schema = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(9)}}
    value = {f"p{number}": ["x" * 500] for number in range(9)}
    found = list(contract(schema).findings(answer(value)))
    assert len(found) == 3
    assert max(map(len, found)) < 300


def test_a_union_names_the_place_at_fault() -> None:
    members = {
        name: {"type": "object", "properties": {"type": {"const": name}, "size": {"type": "integer"}}}
        for name in ("a", "b")
    }
    mapping = {name: f"#/components/schemas/{name}" for name in members}
    union = {
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    found = contract(union, components={"schemas": members})
    assert list(found.findings(answer({"type": "a", "size": 1}))) == []
    assert list(found.findings(answer({"type": "b", "size": "x"}))) == [
        "$.size: 'x' is not of type 'integer'"
    ]
    assert "'c' is not one of" in next(found.findings(answer({"type": "c"})))


def test_paths_of_another_contract() -> None:
    operation = Operation("GET", "/v1/things/{thing}/parts/{part}", {})
    values = {"conversation_id": "a/b", "item_id": "c"}
    assert operation.url(values) == "/v1/things/a%2Fb/parts/c"


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_the_next_request_is_expected_to_be_as_large_as_the_largest() -> None:
    budget = Budget(Bounds(tokens=2000), lambda: 0.0)
    budget.take(asks=True)
    budget.spend(answer({"usage": {"total_tokens": 900}}))
    budget.take(asks=True)
    budget.spend(answer({"usage": {"total_tokens": 300}}))
    with pytest.raises(OutOfBounds, match="1200 tokens are used, and the next request may take 900"):
        budget.take(asks=True)
    budget.take(asks=False)
    assert (budget.tokens, budget.requests) == (1200, 3)


def test_the_first_request_is_estimated() -> None:
    with pytest.raises(OutOfBounds, match="--max-tokens"):
        Budget(Bounds(tokens=FIRST_ESTIMATE - 1), lambda: 0.0).take(asks=True)


def test_tokens_without_usage_are_estimated() -> None:
    told = written([{"type": "response.output_text.delta", "delta": "x" * 300}])
    assert 100 <= tokens(answer(told.encode(), kind="stream")) <= 110
    assert tokens(answer({"usage": None, "text": "x" * 300})) >= 100
