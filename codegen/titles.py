"""Titles for inline schemas, so that generators of clients name their types by place instead of by number."""

from __future__ import annotations

import re
from typing import Any

from codegen import compose, walk

Json = Any

# The name of a branch that has neither a tag nor a reference.
KINDS = {
    "string": "Text",
    "integer": "Integer",
    "number": "Number",
    "boolean": "Flag",
    "array": "List",
    "object": "Object",
}


def titled(document: Json) -> Json:
    """Give each inline schema of a document a title made of its place; titles that are there stay.

    Args:
        document: an OpenAPI document; changed in place.

    Raises:
        ValueError: two different schemas that would get one title.
    """
    schemas = document["components"]["schemas"]
    taken = {name.lower(): schema for name, schema in schemas.items()}
    for name, schema in schemas.items():
        _inside(name, schema, taken)
    return document


def _inside(name: str, schema: Json, taken: dict[str, Json]) -> None:
    for place, child in walk.parts(schema):
        if place[0] == "allOf" and compose.conditional(child):
            continue  # no generator makes a type of a condition
        # A component that is nullable has the name already that its only branch would get.
        title = name + (_step(place, child, schema) or "Object" * (name.lower() in taken))
        _title(title, child, taken)
        _inside(child.get("title", title), child, taken)


def _title(title: str, schema: Json, taken: dict[str, Json]) -> None:
    if not _named(schema):
        return
    title = schema.setdefault("title", title)
    if taken.setdefault(title.lower(), schema) is not schema:
        raise ValueError(f"two schemas would have the title {title}")


def _named(schema: Json) -> bool:
    """Whether some generator makes a type of a schema: an object, an enumeration or a union."""
    if any(len(_others(schema[key])) > 1 for key in ("oneOf", "anyOf") if key in schema):
        return True
    return schema.get("type") == "object" or any(key in schema for key in ("properties", "enum", "allOf"))


def _others(branches: list[Json]) -> list[Json]:
    """The branches of a union besides null."""
    return [branch for branch in branches if branch != {"type": "null"}]


def _step(place: walk.Path, child: Json, parent: Json) -> str:
    """The part of a title that one step into a schema adds."""
    match place:
        case ("properties", str(name)):
            return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))
        case ("items",):
            return "Item"
        case ("additionalProperties",):
            return "Value"
        case (("oneOf" | "anyOf" | "allOf") as key, int(index)):
            return "" if len(_others(parent[key])) == 1 else _variant(child, index)
    return "".join(str(step).capitalize() for step in place)


def _variant(child: Json, index: int) -> str:
    tag = child.get("properties", {}).get("type", {})
    word = tag.get("const", (tag.get("enum") or [None])[0])
    if word:
        return "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", word))
    return KINDS.get(child.get("type", ""), f"Variant{index + 1}") if "enum" not in child else "Word"
