"""The app-server contract: JSON Schema bundle -> pruned base file -> OpenAPI document and method table."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from codegen import unions
from codegen.select import facts

Json = Any

# The other bundle that the CLI writes, codex_app_server_protocol.v2.schemas.json, is a subset of this one.
BUNDLES = ("codex_app_server_protocol.schemas.json",)

# Table of methods -> the bundle's union of the messages that travel this way.
MESSAGES = {
    "client_requests": "ClientRequest",
    "client_notifications": "ClientNotification",
    "server_requests": "ServerRequest",
    "server_notifications": "ServerNotification",
}
NOTIFICATIONS = "server_notifications"
METHODS_FILE = "openapi/app_server_methods.toml"
# Table of methods -> where what becomes of each is said.
RULES = {
    "server_requests": "REQUESTS in src/wireloom/translate/codex/server_requests.py",
    "server_notifications": "NOTIFICATIONS in src/wireloom/translate/codex/app_server_reader.py",
}

# Wire names stay, so that a field reads as it does in a transcript. Equal models are not merged, so that each
# params type keeps its name. Unknown fields are allowed except where the document forbids them.
DCG_OPTIONS = (
    "--input-file-type=openapi",
    "--output-model-type=pydantic_v2.BaseModel",
    "--target-python-version=3.11",
    "--enum-field-as-literal=all",
    "--use-type-alias",
    "--base-class=wireloom_runtime.models.Message",
    "--use-annotated",
    "--use-union-operator",
    "--use-standard-collections",
    "--field-constraints",
    "--use-schema-description",
    "--disable-timestamp",
    "--formatters",
    "ruff-format",
    "ruff-check",
)


@dataclass(frozen=True)
class Methods:
    """The part of the bundle that is kept.

    Args:
        tables: table -> the methods of it that are compiled.
        undeclared: notification that the bundle does not declare -> the name of its params type.
        schemas: schemas that are kept although no method names them.
        left_out: table -> name or pattern (`fs/*`) of methods that stay out -> the reason.
    """

    tables: Mapping[str, tuple[str, ...]]
    undeclared: Mapping[str, str]
    schemas: tuple[str, ...]
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Method(NamedTuple):
    """One row of the method table; a type that the method does not have is None."""

    table: str
    name: str
    params: str | None
    result: str | None

    @property
    def constant(self) -> str:
        """The name as a Python constant: `turn/start` -> `TURN_START`."""
        return "_".join(unions.words(self.name)).upper()


def read_methods(path: Path) -> Methods:
    """Read `openapi/app_server_methods.toml`, whose groups are for the reader only."""
    raw = tomllib.loads(path.read_text())
    flat = {table: tuple(name for group in raw[table].values() for name in group) for table in MESSAGES}
    schemas = tuple(name for group in raw["schemas"].values() for name in group)
    return Methods(flat, raw["undeclared"], schemas, raw["left_out"])


class Base(NamedTuple):
    """What is kept of a bundle, and what has to be changed by hand."""

    content: dict[str, Any]
    to_change: list[str]


def base(bundles: Mapping[str, Any], methods: Methods) -> Base:
    """Reduce what the CLI writes to the methods kept, without prose, in one flat namespace.

    Args:
        bundles: file name -> parsed JSON Schema bundle, at least the files in `BUNDLES`.
        methods: what to keep. What the bundle lacks is left out, with a sentence in `to_change`.

    Returns:
        content: `methods`: table -> method -> names of the schemas of its params and result; `others`: table -> names
            of the bundle's other methods, sorted; `definitions`: draft-07 schemas by name, sorted.
        to_change: a sentence for each entry of the methods file that the bundle does not fit: the file and table, the
            entry, and the change.
    """
    definitions, to_change = _flat(bundles)
    declared = {table: _declared(definitions, table) for table in MESSAGES}
    tables: dict[str, dict[str, dict[str, str]]] = {table: {} for table in MESSAGES}
    for table, name in _pairs(methods.tables):
        row = _row(table, name, declared[table])
        if isinstance(row, str):
            to_change.append(row)
        else:
            tables[table][name] = row
    to_change += _declared_now(methods, declared)
    named = _roots(tables, methods)
    to_change += [
        f"{origin} names the schema {name!r}, which the bundle does not have; name another or remove the entry"
        for name, origin in named.items()
        if name not in definitions
    ]
    content = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "methods": tables,
        "others": {table: sorted(declared[table].keys() - tables[table].keys()) for table in MESSAGES},
        "definitions": _closure(definitions, [name for name in named if name in definitions]),
    }
    return Base(content, to_change)


def _pairs(tables: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    """Each name with its table."""
    yield from ((table, name) for table, names in tables.items() for name in names)


def _flat(bundles: Mapping[str, Any]) -> tuple[dict[str, Json], list[str]]:
    """Every definition under its bare name; the bundle nests the second protocol version inside the first.

    Returns:
        The definitions, and a sentence for each name that has two; the first of the two is kept.
    """
    flat: dict[str, Json] = {}
    clashes: list[str] = []
    for file, bundle in bundles.items():
        first = {name: schema for name, schema in bundle["definitions"].items() if name != "v2"}
        for name, schema in (*first.items(), *bundle["definitions"].get("v2", {}).items()):
            bare = rebased(facts(schema), unions.DEFINITION)
            bare.pop("$schema", None)
            if flat.setdefault(name, bare) != bare:
                clashes.append(
                    f"{file} defines {name!r} twice, differently; the first one is kept: let codegen/app_server.py"
                    " give the second one a name of its own"
                )
    return flat, clashes


def rebased(node: Json, prefix: str) -> Json:
    """A copy whose references name bare names under `prefix`, those of discriminator mappings included.

    Args:
        node: a schema, or any part of one.
        prefix: such as `#/components/schemas/`.
    """
    if isinstance(node, list):
        return [rebased(item, prefix) for item in node]
    if isinstance(node, dict):
        return {key: rebased(value, prefix) for key, value in node.items()}
    return prefix + node.rpartition("/")[2] if str(node).startswith(unions.DEFINITION) else node


def _declared(definitions: Mapping[str, Json], table: str) -> dict[str, Json]:
    """Method -> the fields of its message."""
    messages = [branch["properties"] for branch in definitions.get(MESSAGES[table], {}).get("oneOf", [])]
    return {message["method"]["enum"][0]: message for message in messages}


def _row(table: str, name: str, declared: Mapping[str, Json]) -> dict[str, str] | str:
    """A method's types, or why it has none. The bundle names only params; a result has the same name, ending in Response."""
    if name not in declared:
        rule = f"its rule from {RULES[table]}" if table in RULES else "its uses from src/wireloom"
        return f"{METHODS_FILE} [{table}]: {name!r} is gone from {MESSAGES[table]}; remove it, and {rule}"
    params = next(_references(declared[name].get("params")), None)
    if not table.endswith("requests"):
        return {} if params is None else {"params": params}
    if params is None:
        reason = "has no params, from whose name that of its result would follow"
        return f"{METHODS_FILE} [{table}]: {name!r} {reason}; remove it"
    return {"params": params, "result": params.removesuffix("Params") + "Response"}


def _declared_now(methods: Methods, declared: Mapping[str, Mapping[str, Json]]) -> list[str]:
    """A sentence for each method that used to be undeclared."""
    return [
        f"{METHODS_FILE} [undeclared]: {method!r} is declared in {MESSAGES[NOTIFICATIONS]} now; move it to"
        f" [{NOTIFICATIONS}], and remove its row from openapi/overlays/app-server.overlay.yaml"
        for method in methods.undeclared
        if method in declared[NOTIFICATIONS]
    ]


def _roots(tables: Mapping[str, Mapping[str, Mapping[str, str]]], methods: Methods) -> dict[str, str]:
    """Each schema that is kept for its own sake -> the entry that names it."""
    named: dict[str, str] = {}
    for table, rows in tables.items():
        for method, row in rows.items():
            named |= dict.fromkeys(row.values(), f"{METHODS_FILE} [{table}] {method!r}")
    named |= {name: f"{METHODS_FILE} [undeclared] {method!r}" for method, name in methods.undeclared.items()}
    return named | dict.fromkeys(methods.schemas, f"{METHODS_FILE} [schemas]")


def _closure(definitions: Mapping[str, Json], roots: Iterable[str]) -> dict[str, Json]:
    reached: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += _references(definitions[name])
    return {name: definitions[name] for name in sorted(reached)}


def _references(node: Json) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(ref := node.get("$ref"), str):
            yield ref.removeprefix(unions.DEFINITION)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def document(base: Mapping[str, Any]) -> dict[str, Any]:
    """The OpenAPI document from which the model generator builds tagged unions with readable names.

    What the server may send is open: an unknown field, word or member of a union does not fail a message.
    What only we send is closed: the server ignores a misspelt field in silence, so it has to be found here.

    Args:
        base: the base file with its overlay applied; not changed.

    Raises:
        unions.NameClash: two different branches of unions that would get one name.
    """
    schemas: dict[str, Json] = unions.plain(base["definitions"])
    doors = unions.doors(schemas)
    unions.name_branches(schemas)
    ours = _ours(base["methods"], schemas)
    for name, schema in schemas.items():
        if name not in ours:
            schemas[name] = unions.opened(schema, doors)
        elif "properties" in schema:
            schema["additionalProperties"] = False
    newer = "What is newer than this contract."
    schemas[unions.UNKNOWN] = {"type": "object", "properties": {}, "description": newer}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Codex app-server", "version": "1"},
        "paths": {},
        "components": {"schemas": rebased(dict(sorted(schemas.items())), "#/components/schemas/")},
    }


def _ours(tables: Mapping[str, Json], schemas: Mapping[str, Json]) -> set[str]:
    """Schemas of what we send that nothing we receive holds."""
    sent: list[str] = []
    received: list[str] = []
    for table, rows in tables.items():
        for row in rows.values():
            for part, name in row.items():
                (sent if table.startswith("client") == (part == "params") else received).append(name)
    return {*_closure(schemas, sent)} - {*_closure(schemas, received)}


def methods(base: Mapping[str, Any]) -> list[Method]:
    """The rows of the method table, in the order of the methods file.

    Args:
        base: the base file with its overlay applied.
    """
    return [
        Method(table, name, row.get("params"), row.get("result"))
        for table, rows in base["methods"].items()
        for name, row in rows.items()
    ]
