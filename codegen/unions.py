"""JSON Schema unions of inline objects as named, tagged components that may be open or closed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = Any

UNKNOWN = "UnknownMember"
DEFINITION = "#/definitions/"


class NameClash(ValueError):
    """Two different branches of unions that would get one name."""


def words(text: str) -> list[str]:
    """Split a wire name: `rawResponse/completed` -> raw, Response, completed."""
    return re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", text)


def plain(node: Json) -> Json:
    """A copy in the spellings that the model generator reads in full."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: plain(value) for key, value in node.items()}
    if isinstance(copy.get("allOf"), list):
        copy["anyOf"] = copy.pop("allOf")  # always one reference, beside its default
    if copy.get("type") == ["object", "null"]:
        del copy["type"]
        parts = ("properties", "required", "additionalProperties")
        held = {key: copy.pop(key) for key in parts if key in copy}
        copy["anyOf"] = [{"type": "object", **held}, {"type": "null"}]
    return copy


def name_branches(schemas: dict[str, Json]) -> None:
    """Give the inline objects of each union a name, in place.

    A branch is called by its tag, or by its required property, and then by its union: `text` of `UserInput`
    becomes `TextUserInput`. Words become one enum; the tag becomes a discriminator.

    Args:
        schemas: draft-07 definitions by name; gains the new components.

    Raises:
        NameClash: a name that is taken by something else.
    """
    for name, union in list(schemas.items()):
        for key in ("oneOf", "anyOf"):
            if key in union:
                schemas[name], added = _union(name, union, key)
                if taken := schemas.keys() & added.keys():
                    raise NameClash(
                        f"branches of {name} and something else would be called {', '.join(taken)}"
                    )
                schemas.update(added)


def _union(name: str, union: Json, key: str) -> tuple[Json, dict[str, Json]]:
    """The union over named branches, and these."""
    enum = [word for branch in union[key] for word in branch.get("enum", ())]
    objects = [whole(union, branch) for branch in union[key] if "properties" in branch]
    others = [branch for branch in union[key] if "enum" not in branch and "properties" not in branch]
    tag = None if enum or others else tag_name(objects)
    added: dict[str, Json] = {}
    mapping: dict[str, str] = {}
    for branch in objects:
        label: str = branch["required"][-1] if tag is None else branch["properties"][tag]["enum"][0]
        mapping[label] = _add(label, name, branch, tag, added)
    branches = [{"type": "string", "enum": enum}] if enum else []
    branches += [{"$ref": ref} for ref in dict.fromkeys(mapping.values())] + others
    prose = {"description": union["description"]} if "description" in union else {}
    if len(branches) == 1:
        return {**branches[0], **prose}, added
    discriminator = {"discriminator": {"propertyName": tag, "mapping": mapping}} if tag else {}
    return {key: branches, **discriminator, **prose}, added


def whole(union: Json, branch: Json) -> Json:
    """A branch with the properties beside its union, and those of its own alternatives, none required.

    Args:
        union: the schema that holds the branch.
        branch: an object.
    """
    properties = {**union.get("properties", {}), **branch["properties"]}
    for alternative in branch.get("anyOf", ()):
        properties |= alternative["properties"]
    required = [*union.get("required", []), *branch["required"]]
    rest = {key: value for key, value in branch.items() if key != "anyOf"}
    return {**rest, "properties": properties, "required": required}


def tag_name(branches: list[Json]) -> str | None:
    """The property that holds another single word in each branch, or None.

    Args:
        branches: objects of a union.
    """
    for name in branches[0]["properties"] if branches else ():
        values = [_word(branch, name) for branch in branches]
        if None not in values and len({*values}) == len(values):
            return str(name)
    return None


def _word(branch: Json, name: str) -> str | None:
    field = branch["properties"].get(name)
    enum: list[str] = field.get("enum", []) if isinstance(field, dict) else []
    return enum[0] if len(enum) == 1 and name in branch["required"] else None


def _add(label: str, parent: str, branch: Json, tag: str | None, added: dict[str, Json]) -> str:
    """Name a branch; branches of a union that differ only in how the tag is spelt become one component."""
    name = "".join(word[0].upper() + word[1:] for word in words(label)) + parent
    if name not in added:
        added[name] = branch
    elif tag is not None and _untagged(added[name], tag) == _untagged(branch, tag):
        added[name]["properties"][tag]["enum"].append(label)
    else:
        raise NameClash(f"two branches of {parent} would be called {name}")
    return DEFINITION + name


def _untagged(branch: Json, tag: str) -> Json:
    return {**branch, "properties": {key: field for key, field in branch["properties"].items() if key != tag}}


def doors(schemas: Mapping[str, Json]) -> dict[str, list[Json]]:
    """What each closed set of words or objects has to admit besides for it to be open.

    Args:
        schemas: definitions by name, before `name_branches`.
    """
    found = {name: _doors(schema) for name, schema in schemas.items()}
    return {name: beside for name, beside in found.items() if beside}


def _doors(schema: Json) -> list[Json]:
    beside: list[Json] = []
    for branch in schema.get("oneOf") or schema.get("anyOf") or [schema] * ("enum" in schema):
        if "enum" not in branch and "properties" not in branch:
            return []
        door = {"type": "string"} if "enum" in branch else {"$ref": DEFINITION + UNKNOWN}
        if door not in beside:
            beside.append(door)
    return beside


def opened(node: Json, doors: Mapping[str, list[Json]]) -> Json:
    """A schema that survives unknown fields, words and members.

    Args:
        node: a schema after `name_branches`; not changed.
        doors: what `doors` returned. A field called "type" stays closed, because it tells branches apart.
    """
    if isinstance(node, list):
        return [opened(item, doors) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(ref := node.get("$ref"), str):
        beside = doors.get(ref.removeprefix(DEFINITION), [])
        return {"anyOf": [node, *beside]} if beside else node
    wide = {key: value if key == "type" else opened(value, doors) for key, value in node.items()}
    if wide.get("additionalProperties") is False:
        del wide["additionalProperties"]
    return wide
