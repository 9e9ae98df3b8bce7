"""Two versions of a contract compared: everything that has a name or a definition, as new, gone or redefined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from codegen import app_server, select

Json = Any

# The kinds of facts, in the order of the report.
KINDS = ("operations", "methods", "schemas", "fields", "enum values", "union members", "required")
PLACES = frozenset({"operations", "schemas", "fields"})
REDEFINED = {"fields": "types", "schemas": "types"}
UNIONS = ("oneOf", "anyOf", "allOf")
# Keywords whose content has facts of its own; every other keyword is a part of the definition.
NAMED = frozenset({*UNIONS, "$ref", "type", "properties", "required", "enum", "items"})
LEFT_OUT = "not compiled"


class Fact(NamedTuple):
    """One thing that a contract states, and the place (a schema, an operation or a field) that it is within."""

    kind: str
    name: str
    owner: str = ""


Facts = Mapping[Fact, str]


def lines(old: Facts, new: Facts) -> list[str]:
    """The report on two sets of facts, grouped by what happened and by kind; empty if nothing differs.

    What is within a place that is itself new or gone is summed up in the line of the place.
    """
    report: list[str] = []
    for title, before, after in (("new", old, new), ("gone", new, old)):
        found = after.keys() - before.keys()
        places = {fact.name for fact in found if fact.kind in PLACES}
        outer = [fact for fact in found if fact.owner not in places]
        report += _group(title, ((fact.kind, _told(fact, after)) for fact in outer))
    both = [fact for fact in old.keys() & new.keys() if old[fact] != new[fact]]
    changes = ((REDEFINED.get(fact.kind, fact.kind), _change(fact, old, new)) for fact in both)
    return report + _group("redefined", changes)


def _group(title: str, found: Iterable[tuple[str, str]]) -> list[str]:
    by_kind: dict[str, set[str]] = {}
    for kind, line in found:
        by_kind.setdefault(kind, set()).add(line)
    if not by_kind:
        return []
    report = [title]
    for kind in sorted(by_kind, key=(*KINDS, "types").index):
        report += [f"  {kind}", *(f"    {line}" for line in sorted(by_kind[kind]))]
    return report


def _told(fact: Fact, facts: Facts) -> str:
    """A fact's line: its name, its definition, and for a schema or a field the names of what is within."""
    line = f"{fact.name}: {facts[fact]}" if facts[fact] else fact.name
    if fact.kind not in ("schemas", "fields"):
        return line
    inner = [each for each in facts if each.owner == fact.name and each.kind != "required"]
    names = (each.name.partition(" = ")[2] or each.name.rpartition(".")[2] for each in inner)
    return f"{line} {{{', '.join(dict.fromkeys(names))}}}" if inner else line


def _change(fact: Fact, old: Facts, new: Facts) -> str:
    return f"{fact.name}: {old[fact] or 'anything'} -> {new[fact] or 'anything'}"


# -- facts -----------------------------------------------------------------------------------------------------------


def facts(document: Json) -> dict[Fact, str]:
    """Everything that a base file states, with the definition of each.

    Args:
        document: an OpenAPI document, or an app-server base file; an empty object states nothing.
    """
    found: dict[Fact, str] = {}
    for table, names in document.get("others", {}).items():
        found |= {Fact("methods", f"{table} {name}"): LEFT_OUT for name in names}
    listed = [*_operations(document), *_methods(document)]
    schemas = document.get("components", {}).get("schemas", document.get("definitions", {}))
    for name, schema in schemas.items():
        listed.append((Fact("schemas", name), definition(schema)))
        listed += _within(name, name, schema)
    for fact, value in listed:
        # Branches of a union that have no name may define one field twice.
        known = found.get(fact)
        found[fact] = value if known in (None, LEFT_OUT, value) else f"{known} or {value}"
    return found


def _operations(document: Json) -> Iterator[tuple[Fact, str]]:
    for path, method, operation in select.operations(document) if "paths" in document else ():
        name = operation["operationId"]
        yield Fact("operations", name), f"{method.upper()} {path}"
        for parameter in operation.get("parameters", []):
            place = f"{name}({parameter.get('name') or _target(parameter)})"
            schema = parameter.get("schema", {})
            yield Fact("fields", place, name), f"{parameter.get('in', '')} {definition(schema)}".strip()
            yield from _within(place, place, schema)
            if parameter.get("required"):
                yield Fact("required", place, name), ""
        yield from _content(f"{name} request", name, operation.get("requestBody", {}))
        for status, response in operation.get("responses", {}).items():
            yield from _content(f"{name} {status}", name, response)


def _content(place: str, owner: str, body: Json) -> Iterator[tuple[Fact, str]]:
    if "$ref" in body:
        yield Fact("fields", place, owner), definition(body)
    for media, content in body.get("content", {}).items():
        schema = content.get("schema", {})
        yield Fact("fields", f"{place} {media}", owner), definition(schema)
        yield from _within(f"{place} {media}", f"{place} {media}", schema)


def _methods(document: Json) -> Iterator[tuple[Fact, str]]:
    for row in app_server.methods(document) if "methods" in document else ():
        types = ", ".join(name for name in (row.params, row.result) if name)
        yield Fact("methods", f"{row.table} {row.name}"), types


def _within(path: str, owner: str, schema: Json) -> Iterator[tuple[Fact, str]]:
    """The facts inside a schema at a path such as `Schema.field[].field`; `owner` is the last place on the way."""
    if not isinstance(schema, dict):
        return
    for name, field in schema.get("properties", {}).items():
        yield Fact("fields", f"{path}.{name}", owner), definition(field)
        yield from _within(f"{path}.{name}", f"{path}.{name}", field)
    for name in schema.get("required", []):
        yield Fact("required", f"{path}.{name}", owner), ""
    for value in schema.get("enum", []):
        yield Fact("enum values", f"{path} = {value}", owner), ""
    for key in UNIONS:
        for branch in schema.get(key, []):
            if "$ref" in branch:
                yield Fact("union members", f"{path} = {_target(branch)}", owner), ""
            else:
                yield from _within(path, owner, branch)
    for key, place in (("items", f"{path}[]"), ("additionalProperties", f"{path}.*")):
        if key in schema:
            yield from _within(place, owner, schema[key])


def _target(reference: Json) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def definition(schema: Json) -> str:
    """A schema in one line, without what `_within` reports: its type, formats, bounds, defaults and the like."""
    if not isinstance(schema, dict):
        return json.dumps(schema)
    parts = [_target(schema)] if "$ref" in schema else []
    kinds = schema.get("type", [])
    parts += [" or ".join([kinds] if isinstance(kinds, str) else kinds)] if kinds else []
    parts += ["enum"] if "enum" in schema else []
    parts += [f"of {definition(schema['items'])}"] if "items" in schema else []
    for key in UNIONS:
        if key in schema:
            branches = [definition(branch) for branch in schema[key] if "$ref" not in branch]
            parts.append(f"{key}({', '.join(dict.fromkeys(branches))})")
    return " ".join([*parts, *(_keyword(key, schema[key]) for key in sorted(schema.keys() - NAMED))])


def _keyword(key: str, value: Json) -> str:
    if key == "additionalProperties" and isinstance(value, dict):
        return f"{key}=({definition(value)})"
    if key == "discriminator" and isinstance(value, dict):
        value = value.get("propertyName")  # the mapping repeats the members
    return f"{key}={json.dumps(value, ensure_ascii=False, sort_keys=True)}"
