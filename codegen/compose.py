"""Schemas that an `allOf` is composed of, as one object."""

from __future__ import annotations

from typing import Any

Json = Any

REF = "#/components/schemas/"
ADDING = frozenset({"$ref", "allOf", "properties", "required"})


def conditional(part: Json) -> bool:
    """Whether a part of an `allOf` sets a condition on the object instead of adding members to it."""
    return ADDING.isdisjoint(part)


def merged(schema: Json, schemas: Json) -> Json:
    """A schema whose `allOf` is merged into one object; of a member declared twice the last declaration counts.

    Args:
        schema: a schema; not changed.
        schemas: every schema by name, for what `allOf` refers to.
    """
    if "allOf" not in schema:
        return schema
    whole = {key: value for key, value in schema.items() if key != "allOf"}
    properties: Json = {}
    required: list[str] = []
    for part in (*schema["allOf"], whole):
        name = part.get("$ref", "").removeprefix(REF)
        spelled = merged(schemas[name] if name else part, schemas)
        properties |= spelled.get("properties", {})
        required += spelled.get("required", [])
    return {**whole, "type": "object", "properties": properties, "required": sorted({*required})}
