"""The contract in the forms that generators read without guessing."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from codegen import walk

Json = Any

REF = "#/components/schemas/"
UNIONS = ("oneOf", "anyOf")
OF_FIELDS = ("deprecated", "default", "title", "description")
# Members for readers and for generators of clients. In our own models a description becomes the docstring of a class;
# any of these on another type would make a type of its own of it.
UNREAD = ("title", "examples")


def contract(document: Json) -> Json:
    """Spell out what the published document leaves to its reader: nulls, unions of one, and discriminator mappings.

    Args:
        document: an OpenAPI document; not changed.
    """
    document = copy.deepcopy(document)
    for node in _schemas(document):
        _spell_null(node)
        _spell_only_branch(node)
        if "$ref" in node and node.get("type") == "object":
            del node["type"]  # says nothing that the reference does not
    schemas = document["components"]["schemas"]
    for node in _schemas(document):
        _spell_mapping(node, schemas)
    return document


def _schemas(node: Json) -> Iterator[dict[str, Json]]:
    """Yield each object, innermost last, so that a caller may change what it was given."""
    if isinstance(node, dict):
        yield node
        for value in list(node.values()):
            yield from _schemas(value)
    elif isinstance(node, list):
        for item in node:
            yield from _schemas(item)


def _spell_null(node: dict[str, Json]) -> None:
    if node.get("nullable") is not True:
        return
    spelled = or_null({key: value for key, value in node.items() if key != "nullable"})
    node.clear()
    node.update(spelled)


def or_null(schema: Json) -> Json:
    """A schema that admits null as well; what describes the field belongs to the field, not to one branch."""
    plain = {key: value for key, value in schema.items() if key not in OF_FIELDS}
    kept: dict[str, Json] = {key: schema[key] for key in OF_FIELDS if key in schema}
    return {**kept, "anyOf": [plain, {"type": "null"}]}


def _spell_only_branch(node: dict[str, Json]) -> None:
    """Put the only branch of a union in the union's place."""
    for key in UNIONS:
        branches = node.get(key)
        if (
            isinstance(branches, list)
            and len(branches) == 1
            and not branches[0].keys() & node.keys() - {*OF_FIELDS}
        ):
            rest = {name: value for name, value in node.items() if name not in (key, "discriminator")}
            node.clear()
            node.update(branches[0] | rest)


def _spell_mapping(node: dict[str, Json], schemas: Json) -> None:
    """Give a union of tagged objects its discriminator with every tag, or take away one that cannot hold."""
    branches: list[Json] = next((node[key] for key in UNIONS if isinstance(node.get(key), list)), [])
    mapping = _mapping(branches, schemas)
    if mapping:
        tag, tags = mapping
        node["discriminator"] = node.get("discriminator", {}) | {"propertyName": tag, "mapping": tags}
        if "oneOf" in node and not all(_demands(branch, tag, schemas) for branch in branches):
            node["anyOf"] = node.pop("oneOf")  # an object without the tag may fit several branches
    elif "propertyName" in node.get("discriminator", {}):
        del node["discriminator"]


def _mapping(branches: list[Json], schemas: Json) -> tuple[str, dict[str, str]] | None:
    if len(branches) < 2 or not all(set(branch) == {"$ref"} for branch in branches):
        return None
    for name in ("type", "role", "object"):
        tags: dict[str, str] = {}
        for branch in branches:
            for tag in _tags(branch, name, schemas):
                if tag in tags:
                    break
                tags[tag] = branch["$ref"]
            else:
                continue
            break
        else:
            if {*tags.values()} == {branch["$ref"] for branch in branches}:
                return name, tags
    return None


def _tags(schema: Json, name: str, schemas: Json) -> list[str]:
    if "$ref" in schema:
        return _tags(schemas[schema["$ref"].removeprefix(REF)], name, schemas)
    field = schema.get("properties", {}).get(name, {})
    for part in schema.get("allOf", []):
        field = field or {"enum": _tags(part, name, schemas)}
    found: list[str] = field.get("enum", [field["const"]] if "const" in field else [])
    return found


def _demands(schema: Json, name: str, schemas: Json) -> bool:
    """Whether each object of a schema has a member."""
    if "$ref" in schema:
        return _demands(schemas[schema["$ref"].removeprefix(REF)], name, schemas)
    composed = any(_demands(part, name, schemas) for part in schema.get("allOf", []))
    return composed or name in schema.get("required", [])


def tags(schema: Json) -> dict[str, str]:
    """Tag to branch name of a discriminated union.

    Args:
        schema: a union that `contract` has given a mapping.
    """
    mapping = schema.get("discriminator", {}).get("mapping", {})
    return {tag: ref.removeprefix(REF) for tag, ref in mapping.items()}


def models(document: Json, open_unions: Iterable[str] = ()) -> Json:
    """The contract as the model generator needs it: tags required, some unions open.

    A tag that may be missing cannot select a branch, so the reader of a body sets it before validation.
    An open union gets one more branch, which carries what the contract does not know.

    Args:
        document: what `contract` returned; not changed.
        open_unions: names of tagged unions of requests that tolerate unknown members.
    """
    document = {**copy.deepcopy(document), "openapi": "3.1.0"}
    schemas = document["components"]["schemas"]
    for node in _schemas(document):
        if node.get("deprecated") is True:  # a reader of every field would be warned of each
            del node["deprecated"]
        discriminator: Json = node.get("discriminator")
        if isinstance(discriminator, dict):
            discriminator.pop("defaultMapping", None)  # a keyword that the model generator does not know
        for branch in discriminator["mapping"].values() if isinstance(discriminator, dict) else ():
            schema = schemas[branch.removeprefix(REF)]
            if discriminator["propertyName"] not in schema.get("required", []):
                schema.setdefault("required", []).append(discriminator["propertyName"])
    for _, schema in walk.schemas(document):
        for key in UNREAD if "properties" in schema or "allOf" in schema else {*UNREAD, "description"}:
            schema.pop(key, None)
    for schema in schemas.values():
        schema.pop(
            "default", None
        )  # of a field and not of a type; the generator would make the field nullable
    for name in open_unions:
        if name in schemas:
            _open(schemas, name)
    return document


def _open(schemas: Json, name: str) -> None:
    union, unknown = schemas[name], f"Unknown{name}"
    schemas[unknown] = {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": ["unknown"]}, "member": {"type": "object"}},
        "required": ["type", "member"],
    }
    union[next(key for key in UNIONS if key in union)].append({"$ref": REF + unknown})
    union["discriminator"]["mapping"]["unknown"] = REF + unknown


def hot(document: Json, write: Iterable[str], read: Iterable[str], anything: Iterable[str]) -> Json:
    """The messages met once a token, alone: those written as they are, those read with nothing required.

    Args:
        document: what `contract` returned; not changed.
        write: schemas of messages that this project writes.
        read: schemas of messages that others write.
        anything: dotted paths of fields of the latter that may hold anything, since nothing depends on them.
    """
    schemas = copy.deepcopy(document["components"]["schemas"])
    for path in anything:
        _loosen(schemas, path)
    kept: dict[str, Json] = {}
    for name in write:
        kept[name] = _flattened(schemas[name])
    # A union is what makes the generator turn the type of each event into a tag of its struct.
    tagged = {schema["properties"]["type"]["enum"][0]: REF + name for name, schema in kept.items()}
    kept["HotEvent"] = {
        "oneOf": [{"$ref": ref} for ref in tagged.values()],
        "discriminator": {"propertyName": "type", "mapping": tagged},
    }
    for name in read:
        relax(name, schemas, kept)
    return {
        "openapi": "3.1.0",
        "info": document["info"],
        "paths": {},
        "components": {"schemas": kept},
    }


def _flattened(schema: Json) -> Json:
    """A delta event carries one string; the members of its lists are never looked at."""
    properties = {
        name: {"type": "array", "items": {}} if field.get("type") == "array" else field
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _loosen(schemas: Json, path: str) -> None:
    """Take away what is said of one field.

    Raises:
        KeyError: there is no such field.
    """
    name, *fields = path.split(".")
    node = schemas[name]
    for field in fields[:-1]:
        node = node["properties"][field]
        node = node.get("items", node)
    if fields[-1] not in node["properties"]:
        raise KeyError(path)
    node["properties"][fields[-1]] = {}


def relax(name: str, schemas: Json, kept: dict[str, Json]) -> None:
    """Put a schema that others write into `kept`, with its references, nothing required and every word allowed.

    Args:
        name: of the schema.
        schemas: all of them; not changed.
        kept: the relaxed ones so far.
    """
    kept.setdefault(name, {})
    kept[name] = _relaxed(schemas[name], schemas, kept)


def _relaxed(node: Json, schemas: Json, kept: dict[str, Json]) -> Json:
    """What an upstream may send in place of what the contract says: nothing, null, or an unlisted word."""
    if "$ref" in node:
        name = node["$ref"].removeprefix(REF)
        target = schemas[name]
        if "properties" not in target:
            return _relaxed(target, schemas, kept)
        if name not in kept:
            relax(name, schemas, kept)
        return {"$ref": node["$ref"]}
    for key in UNIONS:
        if key in node:
            branches = [branch for branch in node[key] if branch != {"type": "null"}]
            if any("$ref" in branch and len(branches) > 1 for branch in branches):
                return {}
            relaxed = [_relaxed(branch, schemas, kept) for branch in branches]
            return relaxed[0] if len(relaxed) == 1 else {"anyOf": relaxed}
    match node.get("type"):
        case "object" if "properties" in node:
            return {
                "type": "object",
                "properties": {
                    name: {"anyOf": [_relaxed(field, schemas, kept), {"type": "null"}], "default": None}
                    for name, field in node["properties"].items()
                },
            }
        case "object":
            return {"type": "object", "additionalProperties": True}
        case "array":
            return {"type": "array", "items": _relaxed(node.get("items", {}), schemas, kept)}
        case "integer":
            return {"anyOf": [{"type": "integer"}, {"type": "number"}]}
        case "string" | "number" | "boolean" as kind:
            return {"type": kind}
    return {}
