"""Schemas of tools that Codex rewrites: what it leaves out is put in words, and what a model sends is checked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec
from jsonschema import exceptions, validators

from wireloom.wire.json import Json

# What reaches the model of a schema (measured with CLI 0.169.0); `const` arrives as an enumeration of one.
SCHEMA_VALUES = frozenset({"items", "additionalProperties"})
SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "allOf"})
SCHEMA_MAPS = frozenset({"properties", "$defs"})
KEPT = (
    frozenset({"type", "description", "required", "enum", "const", "$ref", "minItems"})
    | SCHEMA_VALUES
    | SCHEMA_LISTS
    | SCHEMA_MAPS
)
# What says nothing of the values.
SILENT = frozenset({"$schema", "$id", "$comment", "title", "examples", "deprecated", "readOnly", "writeOnly"})


class Schema:
    """The schema that a client gave for the arguments of a tool.

    Args:
        value: JSON of the schema.
    """

    def __init__(self, value: Json) -> None:
        self.value = value

    def misfit(self, arguments: str) -> str | None:
        """Which part of the schema arguments do not fit; None where they fit all. Holds nothing of theirs.

        Args:
            arguments: JSON as the model wrote it.
        """
        try:
            value = msgspec.json.decode(arguments or "{}")
        except (msgspec.MsgspecError, RecursionError):
            return "no JSON"
        if self._validator is None:
            return None
        try:
            error = exceptions.best_match(self._validator.iter_errors(value))
        except Exception:  # noqa: BLE001  a schema may refer to what is not there; that is the client's affair
            return None
        return None if error is None else "/".join(map(str, error.absolute_schema_path))[:200]

    @cached_property
    def _validator(self) -> Any:
        kind = validators.validator_for(self.value, default=validators.Draft202012Validator)
        try:
            kind.check_schema(self.value)
        except exceptions.SchemaError:
            return None
        return kind(self.value)


def unsaid(schema: Json) -> str:
    """Words for the model on what Codex leaves out of a schema; empty where it leaves nothing out."""
    if not any(_lost(schema)):
        return ""
    return f"The arguments have to fit this JSON schema: {msgspec.json.encode(schema).decode()}"


def _lost(schema: Any) -> Iterator[str]:
    """Keywords that do not reach the model."""
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        if name not in KEPT | SILENT:
            yield name
        elif name in SCHEMA_VALUES:
            yield from _lost(value)
        elif name in SCHEMA_LISTS:
            for each in value if isinstance(value, list) else ():
                yield from _lost(each)
        elif name in SCHEMA_MAPS:
            for each in value.values() if isinstance(value, dict) else ():
                yield from _lost(each)
