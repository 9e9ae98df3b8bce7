"""Lenient structs of the app-server's messages: the members that are read, each of which may be missing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegen import app_server, normalise, unions

Json = Any
Members = Mapping[str, Mapping[str, str]]

DCG_OPTIONS = (
    "--input-file-type=openapi",
    "--output-model-type=msgspec.Struct",
    "--base-class=wireloom_runtime.structs.Untracked",
    "--target-python-version=3.11",
    "--use-annotated",
    "--use-union-operator",
    "--use-standard-collections",
    "--disable-timestamp",
    "--formatters",
    "ruff-format",
    "ruff-check",
)
SCALARS = frozenset({"string", "integer", "number", "boolean"})


@dataclass(frozen=True)
class Reading:
    """`openapi/app_server_read.toml`.

    Args:
        read: schema -> member -> the type that its reader relies on; a branch of a union is `Union.tag`.
        sent: the same for the messages that are sent.
        json: members, as `Schema.member`, that stay the JSON that came.
        present: schemas of which only the presence is looked at.
    """

    read: Members
    sent: Members
    json: tuple[str, ...]
    present: tuple[str, ...] = ()


def load(path: Path) -> Reading:
    """Read `openapi/app_server_read.toml`."""
    raw = tomllib.loads(path.read_text())
    return Reading(raw["read"], raw["sent"], tuple(raw["json"]), tuple(raw["present"]))


def document(base: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """The OpenAPI document of the lenient structs.

    A member that the contract no longer has is left out: the type checker names its readers.

    Args:
        base: the base file with its overlay applied; not changed.
        reading: the members that are read.
    """
    definitions = app_server.rebased(unions.plain(base["definitions"]), normalise.REF)
    schemas = {name: _pruned(name, schema, reading) for name, schema in definitions.items()}
    kept: dict[str, Json] = {}
    for name in sorted({key.partition(".")[0] for key in reading.read} & schemas.keys()):
        normalise.relax(name, schemas, kept)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Codex app-server, the members that are read", "version": "1"},
        "paths": {},
        "components": {"schemas": {name: kept[name] for name in sorted(kept)}},
    }


def optional(source: str) -> str:
    """The generated module with None as every default: its readers handle one value for a missing or null member.

    Args:
        source: of the module, as the model generator writes it.
    """
    source = re.sub(r"^from msgspec import UNSET, UnsetType\n", "", source, flags=re.MULTILINE)
    return source.replace(" | UnsetType = UNSET", " = None")


def branches(union: Json) -> Iterator[tuple[str, Json]]:
    """Tag and schema of each object in a union; the members beside the union are in each of them.

    Args:
        union: a draft-07 schema.
    """
    objects = [branch for branch in members_of(union) if "properties" in branch]
    whole = [unions.whole(union, branch) for branch in objects]
    tag = unions.tag_name(whole)
    for branch in whole:
        yield (branch["properties"][tag]["enum"][0] if tag else branch["required"][-1]), branch


def tag_of(union: Json) -> str | None:
    """The member whose words select the branch of a union, or None."""
    return unions.tag_name([branch for _, branch in branches(union)])


def members_of(union: Json) -> list[Json]:
    """The alternatives of a schema, none where it has none.

    Args:
        union: a draft-07 schema.
    """
    found: list[Json] = union.get("oneOf") or union.get("anyOf") or []
    return found


def _pruned(name: str, schema: Json, reading: Reading) -> Json:
    """A schema with the members that are read alone; one of which nothing is read may be anything."""
    if members_of(schema):
        read = {tag: branch for tag, branch in branches(schema) if f"{name}.{tag}" in reading.read}
        if not read:
            return _scalar(schema)
        return {"type": "object", "properties": _merged(name, schema, read, reading)}
    if name not in reading.read:
        return _scalar(schema)
    fields = schema.get("properties", {})
    return {"type": "object", "properties": _fields(name, name, fields, reading)}


def _merged(name: str, union: Json, read: Mapping[str, Json], reading: Reading) -> dict[str, Json]:
    """The members of all branches in one struct; the tag, which may be any word, names the branch of a message."""
    tag = tag_of(union)
    properties: dict[str, Json] = {tag: {"type": "string"}} if tag else {}
    for label, branch in read.items():
        found = _fields(f"{name}.{label}", name, branch["properties"], reading)
        for member, field in found.items():
            properties[member] = field if properties.get(member, field) == field else {}
    return properties


def _fields(key: str, name: str, fields: Mapping[str, Json], reading: Reading) -> dict[str, Json]:
    return {
        member: {} if f"{name}.{member}" in reading.json else _plain(fields[member])
        for member in reading.read[key]
        if member in fields
    }


def _plain(field: Json) -> Json:
    """A field in one spelling, without its null: each member of a lenient struct may be null."""
    if not isinstance(field, dict):
        return {}
    kinds = field.get("type")
    if isinstance(kinds, list):
        known = [kind for kind in kinds if kind != "null"]
        return _plain({**field, "type": known[0]}) if len(known) == 1 else {}
    if kinds == "array":
        return {"type": "array", "items": _plain(field.get("items", {}))}
    others = [branch for branch in members_of(field) if branch != {"type": "null"}]
    return _plain(others[0]) if len(others) == 1 else field


def _scalar(schema: Json) -> Json:
    """A word or a number stays one, any other value may be anything."""
    parts = members_of(schema) or [schema]
    kinds = {str(part.get("type")) for part in parts}
    return {"type": kinds.pop()} if len(kinds) == 1 and kinds <= SCALARS else {}
