"""Schemas that Codex rewrites, and arguments held against them."""

from typing import Any

import msgspec
import pytest

from wireloom.translate.codex.schemas import Schema, unsaid

PLAIN: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Args",
    "type": "object",
    "description": "d",
    "properties": {
        "a": {"type": ["string", "null"], "enum": ["x", None]},
        "b": {"anyOf": [{"$ref": "#/$defs/B"}, {"const": 1}]},
        "c": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
    },
    "required": ["a"],
    "additionalProperties": False,
    "$defs": {"B": {"type": "object", "additionalProperties": {"type": "integer"}}},
}


def test_what_reaches_the_model_needs_no_words() -> None:
    assert unsaid(PLAIN) == ""


@pytest.mark.parametrize(
    "lost",
    [
        {"type": "string", "pattern": "^a"},
        {"anyOf": [{"type": "string"}, {"type": "string", "pattern": "^a"}]},
        {"allOf": [{"type": "string", "pattern": "^a"}]},
        {"type": "array", "items": {"type": "string", "pattern": "^a"}},
        {"properties": {"b": {"type": "string", "pattern": "^a"}}},
        {"$defs": {"b": {"type": "string", "pattern": "^a"}}},
        {"type": "string", "format": "date"},
        {"type": "integer", "minimum": 1},
        {"type": "array", "items": {"type": "string", "maxLength": 3}},
        {"oneOf": [{"type": "string", "default": "x"}]},
        {"type": "object", "additionalProperties": {"multipleOf": 2}},
        {"not": {"type": "string"}},
    ],
)
def test_what_does_not_is_described(lost: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": lost}}
    words = unsaid(schema)
    assert words == f"The arguments have to fit this JSON schema: {msgspec.json.encode(schema).decode()}"


@pytest.mark.parametrize(
    ("arguments", "misfit"),
    [
        ('{"a": "x"}', None),
        ('{ "a" :null , "c":[1]}', None),
        ("", "required"),
        ("{", "no JSON"),
        ('{"a": "secret"}', "properties/a/enum"),
        ('{"a": "x", "c": []}', "properties/c/minItems"),
        ('{"a": "x", "more": 1}', "additionalProperties"),
        ('{"a": "x", "b": {"n": "secret"}}', "properties/b/anyOf/0/additionalProperties/type"),
    ],
)
def test_arguments_are_held_against_the_schema_and_never_repeated(arguments: str, misfit: str | None) -> None:
    assert Schema(PLAIN).misfit(arguments) == misfit


@pytest.mark.parametrize("schema", [{"type": 7}, {"$ref": "https://example.com/s"}, {"$ref": "#/$defs/none"}])
def test_a_schema_that_is_none_fits_everything(schema: dict[str, Any]) -> None:
    assert Schema(schema).misfit('{"a": 1}') is None


@pytest.mark.parametrize("arguments", ["[" * 100_000, r'"\ud800"', "{'a': 1}"])
def test_arguments_that_cannot_be_read_are_no_json(arguments: str) -> None:
    assert Schema(PLAIN).misfit(arguments) == "no JSON"


@pytest.mark.parametrize("schema", [{"type": 5}, {"$ref": "#/$defs/missing"}, {"minimum": "one"}])
def test_a_schema_that_is_none_fits_all(schema: dict[str, Any]) -> None:
    assert Schema(schema).misfit('{"a": 1}') is None
    assert Schema(schema).misfit("{") == "no JSON"
