"""Places in a contract: a schema, or the way from it to a field; the names that a place has, and the schemas it reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from codegen import normalise, select

Json = Any

UNIONS = ("oneOf", "anyOf")
TAGS = ("type", "role", "object")


def schema(place: str) -> str:
    """The named schema that a place is in: `Response` of `Response.output[]`."""
    return re.split(r"[.\[]", place, maxsplit=1)[0]


def tags(document: Json, place: str) -> Mapping[str, str]:
    """The words that distinguish the members of a union, or the words of an enum.

    Args:
        document: an OpenAPI document.
        place: such as `InputItem`, `Response.status`, `FunctionShellToolParam.environment`, `Choice.tools[]`.

    Returns:
        Tag or word -> the schema of the member; empty for words and inline members.

    Raises:
        KeyError: there is no such place.
    """
    schemas = document["components"]["schemas"]
    found: dict[str, str] = {}
    for name, branch in _branches(schemas, _node(schemas, place)):
        found |= dict.fromkeys(_tags(schemas, branch), name)
    return found


def fields(document: Json, place: str) -> frozenset[str]:
    """The fields of an object, with those of its parts.

    Args:
        document: an OpenAPI document.
        place: see `tags`.

    Raises:
        KeyError: there is no such place.
    """
    schemas = document["components"]["schemas"]
    branches = _branches(schemas, _node(schemas, place))
    return frozenset(
        name
        for _, branch in branches
        for part in _parts(schemas, branch)
        for name in part.get("properties", {})
    )


def is_union(document: Json, place: str) -> bool:
    """Whether a place holds one of several schemas."""
    schemas = document["components"]["schemas"]
    return len(list(_branches(schemas, _node(schemas, place)))) > 1


def reached(document: Json, roots: Iterable[str]) -> Mapping[str, int]:
    """Every schema that some schemas refer to, with the number of references in between."""
    schemas = document["components"]["schemas"]
    found = dict.fromkeys(roots, 0)
    pending = list(found)
    for name in pending:  # grows
        for section, target in select.references(schemas.get(name, {})):
            if section == "schemas" and target not in found:
                found[target] = found[name] + 1
                pending.append(target)
    return found


def _node(schemas: Json, place: str) -> Json:
    first, *steps = re.findall(r"[^.\[\]]+|\[\]", place)
    node = schemas[first]
    for step in steps:
        parts = [part for _, branch in _branches(schemas, node) for part in _parts(schemas, branch)]
        key = "items" if step == "[]" else step
        holders = parts if step == "[]" else [part.get("properties", {}) for part in parts]
        node = next((holder[key] for holder in holders if key in holder), None)
        if node is None:
            raise KeyError(f"{place}: there is no {step}")
    return node


def _branches(schemas: Json, node: Json, name: str = "") -> Iterator[tuple[str, Json]]:
    """The branches of a union, of unions within it too, without null; a schema that is none is its own branch."""
    if "$ref" in node:
        target = node["$ref"].removeprefix(normalise.REF)
        yield from _branches(schemas, schemas.get(target, {}), target)
        return
    nested = [branch for key in UNIONS for branch in node.get(key, [])]
    for branch in nested:
        if branch.get("type") != "null":
            yield from _branches(schemas, branch)
    if not nested:
        yield name, node


def _parts(schemas: Json, node: Json) -> Iterator[Json]:
    """A schema and all that its `allOf` adds to it."""
    if "$ref" in node:
        yield from _parts(schemas, schemas[node["$ref"].removeprefix(normalise.REF)])
    else:
        yield node
        for part in node.get("allOf", []):
            yield from _parts(schemas, part)


def _tags(schemas: Json, branch: Json) -> Iterator[str]:
    """The words that distinguish a branch: its own, where it is an enum, else those of its tag."""
    if "enum" in branch:
        yield from (word for word in branch["enum"] if isinstance(word, str))
        return
    for tag in TAGS:
        found = [
            part["properties"][tag] for part in _parts(schemas, branch) if tag in part.get("properties", {})
        ]
        words = [word for each in found for word in each.get("enum", ())]
        if words:
            yield from words
            return
