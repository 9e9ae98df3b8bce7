"""Rules that servers have for the schemas of tools, as `field.RULES` has them: whether a request breaks one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.support import field
from tests.support.field import Json

GEMINI = frozenset(
    re.findall(
        r"\w+",
        "type format title description nullable enum items properties required minItems maxItems minimum maximum minLength "
        "maxLength pattern anyOf propertyOrdering default example minProperties maxProperties",
    )
)


def parameters(asked: Json) -> Iterator[Any]:
    """The parameters of each function of a request, on either wire."""
    for tool in asked.get("tools") or ():
        yield tool.get("function", tool).get("parameters")


def schemas(schema: Any) -> Iterator[Json]:
    """Every schema in a schema, by the words that Gemini knows."""
    if not isinstance(schema, dict):
        return
    yield schema
    yield from schemas(schema.get("items"))
    for each in [*(schema.get("properties") or {}).values(), *(schema.get("anyOf") or ())]:
        yield from schemas(each)


def foreign_to_gemini(asked: Json) -> bool:
    """Whether a schema has a word that Gemini does not know, or several types."""
    return any(
        set(schema) - GEMINI or not isinstance(schema.get("type", ""), str)
        for given in parameters(asked)
        for schema in schemas(given)
    )


def without_properties(asked: Json) -> bool:
    """Whether parameters are no object with properties."""
    return any(
        not isinstance(given, dict)
        or given.get("type") != "object"
        or not isinstance(given.get("properties"), dict)
        for given in parameters(asked)
    )


def union_at_top(asked: Json) -> bool:
    """Whether parameters are no object, or have a union at the top."""
    unions = {"oneOf", "anyOf", "allOf", "enum", "not"}
    return any(given.get("type") != "object" or unions & set(given) for given in parameters(asked))


field.RULES |= {
    "a tool's parameters hold, at every depth, only these words: type, format, title, description, nullable, enum, "
    "items, properties, required, minItems, maxItems, minimum, maximum, minLength, maxLength, pattern, anyOf, "
    "propertyOrdering, default, example, minProperties, maxProperties; and type is one string": foreign_to_gemini,
    "each tool has parameters of type object with an object in properties": without_properties,
    "the parameters of each tool have the type object at the top, and none of oneOf, anyOf, allOf, enum, not beside it": (
        union_at_top
    ),
}
