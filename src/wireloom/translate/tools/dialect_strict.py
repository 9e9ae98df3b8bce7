"""Whether a JSON Schema can be strict: enforced by an upstream token by token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wireloom.providers.schemas import SchemaDialect
from wireloom.wire.json import Json

_NESTED = ("items", "additionalProperties", "not")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions")
MOST_NODES = 20_000


def why_not(schema: Json, dialect: SchemaDialect) -> str | None:
    """The reason why a schema cannot be strict, or None where it can.

    Args:
        schema: in the upstream's words.
        dialect: what the upstream asks of strict schemas.
    """
    if not dialect.strict_refuses and not dialect.strict_closed and dialect.strict_depth is None:
        return None
    for count, (node, depth) in enumerate(_nodes(schema)):
        reason = _of_node(node, depth, dialect)
        if reason is not None or count > MOST_NODES:
            return reason
    return None


def _of_node(node: Json, depth: int, dialect: SchemaDialect) -> str | None:
    refused = [word for word in dialect.strict_refuses if word in node]
    if refused:
        return f"it has {refused[0]}"
    if dialect.strict_depth is not None and depth > dialect.strict_depth:
        return f"it is nested deeper than {dialect.strict_depth}"
    if dialect.strict_closed and (node.get("type") == "object" or "properties" in node):
        properties = node.get("properties")
        required = node.get("required")
        names = set(properties) if isinstance(properties, dict) else set()
        if node.get("additionalProperties") is not False:
            return "an object takes other properties"
        if not isinstance(required, list) or any(name not in required for name in names):
            return "an object does not require all of its properties" if names else None
    return None


def _nodes(schema: Json) -> Iterator[tuple[Json, int]]:
    """Every schema in a schema, with how many objects and arrays it stands in."""
    waiting: list[tuple[Any, int]] = [(schema, 1)]
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield node, depth
        inner = depth + 1 if node.get("type") in ("object", "array") else depth
        waiting += [(node[word], inner) for word in _NESTED if word in node]
        for word in _LISTS:
            if isinstance(node.get(word), list):
                waiting += [(each, inner) for each in node[word]]
        for word in _MAPS:
            if isinstance(node.get(word), dict):
                waiting += [(each, inner if word == "properties" else 1) for each in node[word].values()]
