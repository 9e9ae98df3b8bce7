"""What a contract cannot mean: document -> complaints, each a sentence with place, observed value and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from jsonschema import Draft202012Validator

from codegen import walk

Json = Any

UNIONS = ("oneOf", "anyOf")
COMPOSED = ("allOf", "oneOf", "anyOf")
PROSE = ("description", "summary", "title")
# The vocabularies of JSON Schema 2020-12 and the one that OpenAPI adds to them.
KEYWORDS = frozenset(
    {*walk.ONE, *walk.LISTS, *walk.MAPS}
    | {"$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment"}
    | {"type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"}
    | {"maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains"}
    | {"minContains", "maxProperties", "minProperties", "required", "dependentRequired", "format"}
    | {"title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples"}
    | {"contentEncoding", "contentMediaType", "discriminator", "xml", "externalDocs", "example"}
)
# An action's values at these keys are data, and may be null or called anything.
DATA = ("default", "const", "enum", "examples", "example", "value", "target")
# The keys of these maps are names that the document's author chose.
NAMES = ("properties", "patternProperties", "$defs", "definitions", "schemas", "headers", "examples")


class Complaint(NamedTuple):
    """One place of a contract that cannot be meant as it stands."""

    place: str
    observed: str
    remedy: str

    def __str__(self) -> str:
        """The three parts as one line."""
        return f"{self.place}: {self.observed}. {self.remedy}."


Rule: TypeAlias = Callable[[Json], Iterator[Complaint]]


def document(contract: Json, rules: Iterable[Rule] | None = None) -> list[Complaint]:
    """Look at every schema of an OpenAPI document.

    Args:
        contract: a document in which nulls and mappings are spelled out (`normalise.contract`); not changed.
        rules: what to look for; all of `RULES` by default.
    """
    return [complaint for rule in rules or RULES for complaint in rule(contract)]


def keywords(contract: Json) -> Iterator[Complaint]:
    """A schema holds keywords of JSON Schema and OpenAPI, and extensions (`x-`)."""
    for path, schema in walk.schemas(contract):
        for key in schema:
            if key not in KEYWORDS and not key.startswith("x-"):
                yield Complaint(
                    walk.shown(path),
                    f"the unknown keyword {key!r} with the value {schema[key]!r}",
                    "Quote the text that it is a part of, or remove it by an overlay",
                )


def references(contract: Json) -> Iterator[Complaint]:
    """A reference leads to a schema."""
    known = contract.get("components", {}).get("schemas", {})
    for path, schema in walk.schemas(contract):
        mapping: Json = schema.get("discriminator", {}).get("mapping", {})
        for target in (schema.get("$ref"), *mapping.values()):
            if target is not None and target.removeprefix("#/components/schemas/") not in known:
                yield Complaint(
                    walk.shown(path), f"the reference {target!r} leads nowhere", "Define or rename the schema"
                )


def unions(contract: Json) -> Iterator[Complaint]:
    """A union has two branches at least."""
    for path, schema in walk.schemas(contract):
        for key in UNIONS:
            if key in schema and len(schema[key]) < 2:
                yield Complaint(
                    walk.shown(path),
                    f"{key} with {len(schema[key])} branch",
                    "Put the branch in the union's place by an overlay",
                )


def words(contract: Json) -> Iterator[Complaint]:
    """A named schema is more than a description, which an overlay can give to a schema that is gone."""
    for name, schema in contract.get("components", {}).get("schemas", {}).items():
        if schema and set(schema) <= set(PROSE):
            yield Complaint(
                walk.shown(("components", "schemas", name)),
                "a description without a schema",
                "Remove the name from the overlay that describes it, or define the schema",
            )


def required(contract: Json) -> Iterator[Complaint]:
    """A required member is defined: by the schema itself, or by a schema that it is composed with."""
    for path, schema in walk.roots(contract):
        yield from _required(contract, path, schema, frozenset())


def _required(contract: Json, path: walk.Path, schema: Json, around: frozenset[str]) -> Iterator[Complaint]:
    """Look at a schema; `around` has the members that the schemas around it define for the same object."""
    if not isinstance(schema, dict):
        return
    defined = around | _defined(contract, schema, frozenset())
    for name in schema.get("required", []):
        if name not in defined and not schema.get("patternProperties"):
            yield Complaint(
                walk.shown(path),
                f"the required member {name!r} is not among the properties",
                "Define the member or remove it from `required` by an overlay",
            )
    for key, child in walk.parts(schema):
        beside = defined if key[0] in COMPOSED else frozenset[str]()
        yield from _required(contract, (*path, *key), child, beside)


def _defined(contract: Json, schema: Json, seen: frozenset[str]) -> frozenset[str]:
    """The members that a schema defines, with those of its references and compositions."""
    members = frozenset(schema.get("properties", {}))
    reference = schema.get("$ref")
    if reference is not None and reference not in seen:
        target = contract["components"]["schemas"].get(reference.rsplit("/", 1)[-1], {})
        members |= _defined(contract, target, seen | {reference})
    for key in COMPOSED:
        for branch in schema.get(key, []):
            members |= _defined(contract, branch, seen)
    return members


def defaults(contract: Json) -> Iterator[Complaint]:
    """A default is a value that its own schema accepts."""
    # A validator keeps the document that its references lead into when it takes over another schema.
    whole = Draft202012Validator({"components": contract.get("components", {})})
    for path, schema in walk.schemas(contract):
        if "default" in schema and not whole.evolve(schema=schema).is_valid(schema["default"]):
            yield Complaint(
                walk.shown(path),
                f"the default {schema['default']!r}, which the schema itself rejects",
                "Remove the default by an overlay, or allow its type",
            )


RULES: tuple[Rule, ...] = (keywords, references, unions, words, required, defaults)
# A draft-07 schema cannot have members beside a reference, so the bundle wraps the reference in a union of one.
APP_SERVER_RULES: tuple[Rule, ...] = tuple(rule for rule in RULES if rule is not unions)


# -- YAML -----------------------------------------------------------------------------------------------------------


def overlay(name: str, parsed: Json) -> list[Complaint]:
    """Look through the actions of an overlay for prose that YAML reads as something else.

    Args:
        name: the file, for the complaints.
        parsed: an overlay as YAML reads it.
    """
    return [
        complaint
        for number, action in enumerate(parsed["actions"], 1)
        for complaint in prose(f"{name}, action {number} ({action['target']})", action)
    ]


def prose(source: str, node: Json, path: walk.Path = (), *, names: bool = False) -> Iterator[Complaint]:
    """Complain of sentences as keys, of members without a value, and of prose that is no text.

    In `{description: An item, by its id.}` YAML finds two members: `description` and `by its id.`, which is null.

    Args:
        source: where the node comes from, for the complaints.
        node: a part of a YAML file.
        path: the place of the node within the source.
        names: whether the keys of the node are names (of properties, schemas ...) instead of keywords.
    """
    if isinstance(node, list):
        for index, member in enumerate(node):
            yield from prose(source, member, (*path, index))
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if fault := None if names else _unquoted(key, value):
            place = f"{source}, {walk.shown(path)}" if path else source
            yield Complaint(place, fault, "Quote the text that it is a part of")
        if names or key not in DATA:
            yield from prose(source, value, (*path, str(key)), names=not names and key in NAMES)


def _unquoted(key: Json, value: Json) -> str | None:
    """The fault of one member, or None."""
    if not isinstance(key, str) or re.search(r"\s|\.$", key):
        return f"the text {key!r} as a key"
    if value is None and key not in DATA:
        return f"the key {key!r} without a value"
    if key in PROSE and not isinstance(value, str):
        return f"{key} is {value!r} instead of a text"
    return None
