"""Nulls that clients send for what they leave out: an overlay names the objects, this module writes them out.

The mark `x-null-is-absent: true` on an object schema means: in a request, an optional member may be null, and null
means the same as its absence; a list in place of `true` names the members. Answers promise no less for it: a schema
that answers hold too stays as it is, and requests get a copy of it, `<Name>Input`. The types that requests are read into
have the mark at each member that it makes nullable, and never write the null: what is echoed, stored or sent upstream has
no null that the contract forbids.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from codegen import normalise, select

Json = Any

MARK = "x-null-is-absent"
SUFFIX = "Input"
# Tags tell the branches of a union apart; a null tells nothing.
TAGS = frozenset({"type", "role", "object"})
# Schemas of requests that answers repeat as they came, such as the instructions of a response.
REPEATED = frozenset({"InputItem"})


class NameClash(ValueError):
    """A copy would have the name of another schema."""


def everywhere(document: Json) -> Json:
    """The contract with every marked object widened in its place, for the types that requests are read into.

    Each member that is widened has the mark.

    Args:
        document: what `normalise.contract` returned; not changed.
    """
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    _widen(document, schemas)
    return document


def of_requests(document: Json) -> Json:
    """The contract with marked objects widened where requests hold them, and nowhere else.

    Args:
        document: a served contract; not changed.

    Raises:
        NameClash: a copy would have the name of another schema.
    """
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    operations = [operation for _, _, operation in select.operations(document)]
    requests = _reached([operation.get("requestBody", {}) for operation in operations], document)
    answers = _reached([operation["responses"] for operation in operations], document, REPEATED) - REPEATED
    shared = _copied(requests & answers, schemas)
    if taken := schemas.keys() & {name + SUFFIX for name in shared}:
        raise NameClash(f"copies for requests and something else would be called {', '.join(sorted(taken))}")
    schemas |= {name + SUFFIX: copy.deepcopy(schemas[name]) for name in schemas if name in shared}
    for name in [*(requests - answers), *(name + SUFFIX for name in shared)]:
        _widen(schemas[name], schemas)
        _redirect(schemas[name], shared)
    for operation in operations:
        _redirect(operation.get("requestBody", {}), shared)
    _unmark(document)
    return document


def _reached(roots: Iterable[Json], document: Json, ends: frozenset[str] = frozenset()) -> set[str]:
    """Names of the schemas that some nodes lead to; those of `ends` lead no further."""
    components, reached = document["components"], set[tuple[str, str]]()
    pending = [place for root in roots for place in select.references(root)]
    while pending:
        section, name = place = pending.pop()
        if place not in reached:
            reached.add(place)
            pending += [] if name in ends else select.references(components[section][name])
    return {name for section, name in reached if section == "schemas"}


def _copied(shared: set[str], schemas: Json) -> set[str]:
    """Of the schemas that requests and answers share: those with a marked object in them, however deep."""
    copied = {name for name in shared if any(MARK in node for node in _nodes(schemas[name]))}
    grown = True
    while grown:
        above = {
            name
            for name in shared - copied
            if copied & {target for _, target in select.references(schemas[name])}
        }
        copied |= above
        grown = bool(above)
    return copied


def _widen(node: Json, schemas: Json) -> None:
    # From the inside out: what is widened is copied, and a copy must not have a mark any more.
    for marked in reversed(list(_nodes(node))):
        if MARK not in marked:
            continue
        mark = marked.pop(MARK)
        optional = marked["properties"].keys() - {*marked.get("required", ())} - TAGS
        for name in sorted(optional if mark is True else mark):
            if not _nullable(marked["properties"][name], schemas):
                marked["properties"][name] = normalise.or_null(marked["properties"][name]) | {MARK: True}


def _nullable(schema: Json, schemas: Json) -> bool:
    if "$ref" in schema:
        return _nullable(schemas[schema["$ref"].removeprefix(normalise.REF)], schemas)
    branches = [branch for key in normalise.UNIONS for branch in schema.get(key, ())]
    if branches:
        return any(_nullable(branch, schemas) for branch in branches)
    return schema.get("type", "null") == "null" and "enum" not in schema


def _redirect(node: Json, names: set[str]) -> None:
    """Let references to some schemas lead to the copies that requests have."""
    targets = {normalise.REF + name: normalise.REF + name + SUFFIX for name in names}
    for inner in _nodes(node):
        for key, value in inner.items():
            if isinstance(value, str) and value in targets:
                inner[key] = targets[value]


def _unmark(document: Json) -> None:
    for node in _nodes(document):
        node.pop(MARK, None)


def _nodes(node: Json) -> Iterator[dict[str, Json]]:
    if isinstance(node, dict):
        yield node
        for value in list(node.values()):
            yield from _nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from _nodes(item)
