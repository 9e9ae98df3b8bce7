"""Schemas of tools as clients and MCP servers write them, sent to servers that read less: no request is refused for one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.support import field, schema_rules
from tests.support.field import Json, Outcome

GEMINI = next(rule for rule, breaks in field.RULES.items() if breaks is schema_rules.foreign_to_gemini)
UNION = next(rule for rule, breaks in field.RULES.items() if breaks is schema_rules.union_at_top)
TEXT: Json = {"type": "string"}
A: Json = {"type": "object", "properties": {"a": TEXT}}


def cases(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=each) for each, case in field.load(name)])


def like(name: str, parameters: Any, rule: str | None = None) -> Json:
    """A case with other parameters."""
    case = copy.deepcopy(next(case for _, case in field.load(name)))
    case["request"]["tools"][0]["parameters"] = parameters
    if rule is not None:
        case["upstream"]["refuses"]["rule"] = rule
    return case


@pytest.fixture
def gemini(tmp_path: Path) -> dict[str, Any]:
    """The settings of a gateway before a server that reads Gemini's dialect."""
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\ntitle = "Mine"\ndocs = "https://a.example/"\nschemas = "gemini"\n')
    return {"provider": None, "profile": file}


def sent(outcome: Outcome) -> Json:
    """The parameters that the upstream received."""
    assert (outcome.status, outcome.answer["status"]) == (200, "completed")
    (received,) = schema_rules.parameters(outcome.sent[-1])
    made: Json = received
    return made


RIGHT = {
    "additionalProperties": A,
    "$schema": A,
    "$ref": A,
    "list of types": {"type": "object", "properties": {"a": {**TEXT, "nullable": True}}},
}


@cases("schema-gemini-words")
def test_gemini_gets_its_own_words(case: Json, gemini: dict[str, Any]) -> None:
    (outcome,) = field.run(case, **gemini)
    assert sent(outcome) == RIGHT[case["name"]]
    told = outcome.headers.get("x-wireloom-loss", "")
    assert ("additionalProperties" in told) == (case["name"] == "additionalProperties")


@pytest.mark.parametrize(
    "parameters",
    [
        {**A, "properties": {"a": {"const": "x", "x-order": 1}}},
        {**A, "properties": {"a": {"oneOf": [TEXT, {"type": "null"}]}}},
        {
            "allOf": [A, {"type": "object", "properties": {"b": {"$ref": "#/definitions/B"}}}],
            "definitions": {"B": TEXT},
        },
        {**A, "properties": {"a": {"type": "array", "items": [TEXT, {"type": "integer"}]}}},
        {
            **A,
            "properties": {"a": {"type": "object", "patternProperties": {"^x": TEXT}, "if": {}, "then": {}}},
        },
        {
            **A,
            "properties": {"a": {"type": ["integer", "string", "null"], "examples": [1], "readOnly": True}},
        },
        {"$defs": {"N": {**A, "properties": {"n": {"$ref": "#/$defs/N"}}}}, "$ref": "#/$defs/N"},
    ],
)
def test_other_schemas_in_words_of_gemini(parameters: Json, gemini: dict[str, Any]) -> None:
    (outcome,) = field.run(like("schema-gemini-words", parameters), **gemini)
    assert sent(outcome)["type"] == "object"


def test_without_the_dialect_the_words_go_up_and_are_refused() -> None:
    (outcome,) = field.run(like("schema-gemini-words", {**A, "additionalProperties": False}))
    assert outcome.status == 400


@cases("schema-no-properties")
def test_parameters_have_properties(case: Json) -> None:
    (outcome,) = field.run(case)
    received = sent(outcome)
    assert (received["type"], received["properties"]) == ("object", {})
    assert "x-wireloom-loss" not in outcome.headers


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"properties": {}},
        {"type": ["object", "null"]},
        {"type": "object", "properties": []},
        {"required": []},
    ],
)
def test_other_ways_to_take_nothing(parameters: Any) -> None:
    (outcome,) = field.run(like("schema-no-properties", parameters))
    assert sent(outcome)["properties"] == {}


@cases("schema-union-at-top")
def test_a_union_at_the_top_is_one_object(case: Json) -> None:
    (outcome,) = field.run(case)
    received = sent(outcome)
    names = {"anyOf without type": {"a", "b"}, "oneOf beside properties": {"a"}}[case["name"]]
    assert (received["type"], set(received["properties"])) == ("object", names)
    assert set(received.get("required", ())) <= ({"a"} if names == {"a"} else set())


B: Json = {"type": "object", "properties": {"b": TEXT}, "required": ["b"]}


@pytest.mark.parametrize(
    ("parameters", "required"),
    [
        ({"oneOf": [B, {**B, "properties": {"b": TEXT, "c": TEXT}, "required": ["b", "c"]}]}, ["b"]),
        ({**A, "anyOf": [{"required": ["a"]}, {"properties": {"b": TEXT}}]}, []),
        ({"allOf": [A, B]}, ["b"]),
        ({"type": ["object", "null"], "anyOf": [B, {"type": "null"}]}, ["b"]),
        ({"anyOf": [{"$ref": "#/$defs/B"}], "$defs": {"B": B}}, ["b"]),
        ({**A, "not": {"required": ["b"]}, "enum": [{"a": "x"}]}, []),
    ],
)
@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_other_unions_at_the_top(parameters: Json, required: list[str], wire: str) -> None:
    case = like("schema-union-at-top", parameters)
    case["upstream"]["events"] = [
        {"type": "response.completed", "sequence_number": 0, "response": RESPONSE},
    ]
    (outcome,) = field.run(case, wire=wire)
    assert sent(outcome).get("required", []) == required


RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m1",
    "status": "completed",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "ok", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}


def test_under_strict_a_union_at_the_top_is_refused_here() -> None:
    (outcome,) = field.run(like("schema-union-at-top", {"anyOf": [A, B]}), strict=True)
    assert (outcome.status, outcome.error["param"]) == (400, "tools[0].parameters")


def test_a_vendors_word_stays_here() -> None:
    case = like("schema-no-properties", {**A, "properties": {"a": {**TEXT, "encrypted": True}}})
    (outcome,) = field.run(case)
    assert sent(outcome) == A
