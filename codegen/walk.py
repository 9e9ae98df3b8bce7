"""Every schema of an OpenAPI document with its place: the one table of where schemas can stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = Any
Path = tuple[str | int, ...]

# Keywords of JSON Schema 2020-12 whose value is a schema, a list of schemas, or schemas by name.
ONE = (
    *("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"),
    *("contentSchema", "unevaluatedItems", "unevaluatedProperties"),
)
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
# Members of OpenAPI objects (media types, parameters, headers) whose value is a schema.
HOLDERS = ("schema", "itemSchema")
# Values that are data: a member of theirs called `schema` is no schema.
DATA = ("example", "examples", "default", "const", "enum", "required", "mapping")


def schemas(document: Json) -> Iterator[tuple[Path, Json]]:
    """Yield the place and the object of every schema, each before the schemas inside it.

    Args:
        document: an OpenAPI document. A caller may change a schema when it receives it.
    """
    for path, schema in roots(document):
        yield from within(path, schema)


def roots(document: Json) -> Iterator[tuple[Path, Json]]:
    """Yield the schemas that no other schema holds: components, bodies, events, parameters, headers."""
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield ("components", "schemas", name), schema
    components = {key: value for key, value in document.get("components", {}).items() if key != "schemas"}
    yield from _held(("components",), components)
    yield from _held(("paths",), document.get("paths", {}))


def _held(path: Path, node: Json) -> Iterator[tuple[Path, Json]]:
    if isinstance(node, list):
        for index, member in enumerate(node):
            yield from _held((*path, index), member)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in HOLDERS and isinstance(value, dict):
            yield (*path, key), value
        elif key not in DATA:
            yield from _held((*path, key), value)


def within(path: Path, schema: Json) -> Iterator[tuple[Path, Json]]:
    """Yield a schema and every schema inside it, references not followed."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, child in parts(schema):
        yield from within((*path, *key), child)


def parts(schema: Json) -> Iterator[tuple[Path, Json]]:
    """Yield the schemas directly inside a schema, each with its place relative to it."""
    for key, value in schema.items():
        if key in ONE and isinstance(value, dict):
            yield (key,), value
        elif key in LISTS and isinstance(value, list):
            yield from (((key, index), branch) for index, branch in enumerate(value))
        elif key in MAPS and isinstance(value, dict):
            yield from (((key, name), member) for name, member in value.items())


def shown(path: Path) -> str:
    """A place as a JSONPath without its `$`: `components.schemas.Item.oneOf[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("$", "").replace("_", "").replace("-", "").isalnum():
            text += f".{step}"
        else:
            text += f"['{step}']"
    return text.removeprefix(".")
