"""What is kept of a foreign OpenAPI document: named operations, the schemas they reach, no prose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Json = Any

PROSE = frozenset({"description", "summary", "title", "example", "examples", "externalDocs", "$comment"})
# Keys whose children are named by the document's author, so that a property called "title" is no prose.
NAME_MAPS = frozenset(
    {"properties", "patternProperties", "definitions", "$defs", "schemas", "responses", "headers", "content"}
    | {"paths", "mapping", "securitySchemes", "requestBodies"}
)
LITERALS = frozenset({"enum", "const", "default", "required"})
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def facts(node: Json, *, names: bool = False) -> Json:
    """Drop prose and vendor extensions from a document, keeping every structural fact.

    Args:
        node: any part of an OpenAPI or JSON Schema document.
        names: whether the keys of `node` are names (of properties, schemas ...) rather than keywords.
    """
    if isinstance(node, list):
        return [facts(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if not names and (key in PROSE or key.startswith("x-")):
            continue
        literal = key in LITERALS and not names
        kept[key] = value if literal else facts(value, names=not names and key in NAME_MAPS)
    return kept


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield `(path, method, operation)` in the document's order."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def wanted(document: Json, listed: Json) -> list[str]:
    """The operations to keep of a published document: the surface, and what no list has yet.

    Args:
        document: an OpenAPI document.
        listed: `operations.toml`.
    """
    new = [
        operation["operationId"]
        for path, _, operation in operations(document)
        if path.startswith(tuple(listed["families"]))
        and "?" not in path
        and operation["operationId"] not in {*listed["surface"], *listed["left_out"]}
    ]
    return [*listed["surface"], *new]


def surface(document: Json, wanted: Iterable[str]) -> Json:
    """Reduce a document to some operations and everything they reach.

    Args:
        document: an OpenAPI document.
        wanted: operation ids; their order does not matter.

    Raises:
        KeyError: an operation id that the document does not have.
    """
    ids = set(wanted)
    paths: dict[str, dict[str, Json]] = {}
    for path, method, operation in operations(document):
        # A key such as "/responses?beta=true" is not a path template; the plain path says the same.
        if "?" not in path and operation.get("operationId") in ids:
            shared = {k: v for k, v in document["paths"][path].items() if k not in METHODS}
            paths.setdefault(path, shared)[method] = operation
    missing = ids - {operation["operationId"] for item in paths.values() for operation in _of(item)}
    if missing:
        raise KeyError(f"operations not in the document: {', '.join(sorted(missing))}")
    return closed({**document, "paths": paths})


def _of(item: Json) -> list[Json]:
    return [item[method] for method in METHODS if method in item]


def closed(document: Json, roots: Iterable[str] = ()) -> Json:
    """Keep only the components that the paths or `roots` reach, in the document's order.

    Args:
        document: an OpenAPI document.
        roots: names of schemas to keep besides those the paths reach.
    """
    components = document.get("components", {})
    reached: set[tuple[str, str]] = set()
    pending = list(references(document["paths"])) + [("schemas", name) for name in roots]
    while pending:
        section, name = pending.pop()
        if (section, name) not in reached:
            reached.add((section, name))
            pending += references(components[section][name])
    kept = {
        section: members if section == "securitySchemes" else _reached(section, members, reached)
        for section, members in components.items()
    }
    return {**document, "components": {section: members for section, members in kept.items() if members}}


def _reached(section: str, members: Json, reached: set[tuple[str, str]]) -> Json:
    return {name: value for name, value in members.items() if (section, name) in reached}


def references(node: Json) -> Iterator[tuple[str, str]]:
    """Yield `(section, name)` of each component that `node` refers to, discriminator mappings included."""
    if isinstance(node, str):
        if node.startswith("#/components/"):
            _, _, section, name = node.split("/", 3)
            yield section, name
    elif isinstance(node, dict):
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)
