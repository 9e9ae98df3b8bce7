"""The object a stream starts with echoes its request, says the defaults of the rest, and is one of the contract."""

import json
from typing import Any, TypeAlias

import msgspec
import pytest
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.captures import CAPTURES, Capture, validated
from wireloom.translate.hub.opening import ABSENT, opening

Json: TypeAlias = dict[str, Any]
BARE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "completed_at": None,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "model": "some-model",
    "output": [],
    "usage": None,
    "store": False,
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_logprobs": 0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "service_tier": "default",
    "truncation": "disabled",
    "background": False,
    "tool_choice": "auto",
    "metadata": {},
    "previous_response_id": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "safety_identifier": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}},
    "tools": [],
}
ADD: Json = {"type": "function", "name": "add"}
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
FORMAT: Json = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}
NULLS: Json = {"description": None, "parameters": None, "strict": None}
PATCH: Json = {"type": "custom", "name": "patch", "format": {"type": "text"}}


def opened(**fields: Any) -> Json:
    body = validated({"model": "some-model", "input": "hello", **fields})
    response: Json = json.loads(msgspec.json.encode(opening(body, "resp_1", 1_700_000_000)))
    return response


def complaints(response: Json) -> list[str]:
    return contract.complaints({"type": "response.created", "sequence_number": 0, "response": response})


def test_a_bare_request_is_echoed_with_the_defaults() -> None:
    assert opened() == BARE
    assert complaints(BARE) == []


@pytest.mark.parametrize(
    ("name", "value", "echoed"),
    [
        ("model", "other", "other"),
        ("parallel_tool_calls", False, False),
        ("temperature", 0, 0.0),
        ("top_p", 0.5, 0.5),
        ("presence_penalty", 1, 1.0),
        ("frequency_penalty", -1, -1.0),
        ("service_tier", "flex", "flex"),
        ("truncation", "auto", "auto"),
        ("metadata", {"a": "b"}, {"a": "b"}),
        ("instructions", "Be brief.", "Be brief."),
        ("max_output_tokens", 1, 1),
        ("max_tool_calls", 2, 2),
        ("safety_identifier", "x", "x"),
        ("prompt_cache_key", "x", "x"),
        ("user", "me", "me"),
        ("tool_choice", "required", "required"),
        ("tool_choice", {"type": "function", "name": "add"}, {"type": "function", "name": "add"}),
        ("reasoning", {"effort": "low"}, {"effort": "low", "summary": None}),
        ("reasoning", {"summary": "auto"}, {"effort": None, "summary": "auto"}),
        ("text", {"format": FORMAT}, {"format": FORMAT}),
        ("text", {"verbosity": "low"}, {"format": {"type": "text"}, "verbosity": "low"}),
        ("tools", [ADD], [NULLS | ADD]),
        ("tools", [ADD | {"strict": True}], [NULLS | ADD | {"strict": True}]),
        ("tools", [PATCH], [PATCH]),
        ("store", True, False),
        ("stream", True, None),
        ("include", ["reasoning.encrypted_content"], None),
    ],
)
def test_a_setting_is_echoed(name: str, value: Any, echoed: Any) -> None:
    response = opened(**{name: value})
    assert response.get(name) == echoed
    assert {key for key in response if response[key] != BARE.get(key)} <= {name}
    assert complaints(response) == []


@pytest.mark.parametrize("name", sorted(BARE.keys() & m.CreateResponse.model_fields.keys() - {"model"}))
def test_a_setting_that_is_null_has_its_default(name: str) -> None:
    assert opened(**{name: None}) == BARE


def test_a_tool_is_echoed_by_the_names_that_it_has_in_json() -> None:
    tool = {"type": "custom", "name": "c", "async": True}
    assert opened(tools=[tool])["tools"] == [tool]


def test_a_tool_nobody_knows_is_not_among_those_in_use() -> None:
    tool = {"type": "telepathy", "name": "t", "range": 7}
    assert opened(tools=[tool, {"type": "custom", "name": "c"}])["tools"] == [{"type": "custom", "name": "c"}]


ANSWERABLE = [capture for capture in CAPTURES if "previous_response_id" not in capture.body]


@pytest.mark.parametrize("capture", ANSWERABLE, ids=lambda capture: capture.name)
def test_the_echo_of_a_codex_request_is_one_of_the_contract(capture: Capture) -> None:
    response = json.loads(msgspec.json.encode(opening(capture.request, "resp_1", 1_700_000_000)))
    assert complaints(response) == []
    assert [tool["type"] for tool in response["tools"]] == [
        tool["type"] for tool in capture.body.get("tools", [])
    ]
    assert response["prompt_cache_key"] == capture.body["prompt_cache_key"]


def test_everything_a_response_has_to_have_is_there() -> None:
    required = {name for name, field in m.Response.model_fields.items() if field.is_required()}
    assert sorted(required - opened().keys()) == []


def test_every_setting_a_request_and_a_response_share_is_echoed_or_refused() -> None:
    shared = m.CreateResponse.model_fields.keys() & m.Response.model_fields.keys()
    assert sorted(shared - BARE.keys() - {"user"} - ABSENT.keys()) == []
