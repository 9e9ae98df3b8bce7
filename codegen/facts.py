"""What a contract states, fact by fact: operations, fields with their types, members of unions, words of enums."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codegen import overlay, select

Json = Any

UNIONS = ("oneOf", "anyOf")
BOUNDS = (
    *("default", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
)
OR = " | "
NEEDED = ", required"
WHOLE = ("schema", "operation")
"""Kinds of facts that have others within them."""


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """The subject of a fact.

    Args:
        kind: `operation`, `parameter`, `content`, `schema`, `field`, `member` or `word`.
        place: an operation, or a schema and the way to an inline schema in it, such as `Response.error` or `Tools[]`.
        name: what is stated to be there; empty where the fact is about the place itself.
    """

    kind: str
    place: str
    name: str = ""

    @property
    def schema(self) -> str:
        """The named schema, or the operation, that the fact is about."""
        return self.place.partition(".")[0].partition("[")[0]


Facts = Mapping[Fact, str]
"""Subject -> its type, or where an operation stands. Members and words have nothing to add to their name."""


def facts(document: Json) -> Facts:
    """Read every fact of an OpenAPI document.

    Args:
        document: the published document, or one that overlays have changed.
    """
    found: dict[Fact, str] = {}
    for fact, value in (*_operations(document), *_schemas(document)):
        known = found.get(fact, value)  # two inline branches of one union may have a field of one name
        found[fact] = known if value == known else OR.join(sorted({*known.split(OR), *value.split(OR)}))
    return found


def _operations(document: Json) -> Iterator[tuple[Fact, str]]:
    for path, method, operation in select.operations(document):
        name = operation["operationId"]
        yield Fact("operation", name), f"{method.upper()} {path}"
        for parameter in operation.get("parameters", []):
            kind = f"{parameter['in']}, {signature(parameter['schema'])}"
            yield Fact("parameter", name, parameter["name"]), _needed(kind, parameter.get("required"))
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            yield Fact("content", name, f"request {media}"), signature(content.get("schema", {}))
        for status, response in operation["responses"].items():
            for media, content in response.get("content", {"": {"schema": response}}).items():
                yield Fact("content", name, f"{status} {media}".strip()), signature(content.get("schema", {}))


def _schemas(document: Json) -> Iterator[tuple[Fact, str]]:
    for name, schema in document["components"]["schemas"].items():
        listed = [key for key in (*UNIONS, "enum") if key in schema]
        yield Fact("schema", name), listed[0] if listed else signature(schema)
        for key in UNIONS:
            yield from ((Fact("member", name, overlay.name_of(each)), "") for each in schema.get(key, []))
        yield from ((Fact("word", name, overlay.name_of(each)), "") for each in schema.get("enum", []))
        yield from _fields(name, schema)


def _fields(place: str, schema: Json) -> Iterator[tuple[Fact, str]]:
    """The fields of an object, and of the inline objects within it."""
    if not isinstance(schema, dict):
        return
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    for name, field in properties.items():
        yield Fact("field", place, name), _needed(signature(field), name in required)
        yield from _fields(f"{place}.{name}", field)
    for name in required:
        if name not in properties and "properties" in schema:
            yield Fact("field", place, name), "required, but not defined"
    for key in (*UNIONS, "allOf"):
        for branch in schema.get(key, []):
            yield from _fields(place, branch)
    yield from _fields(f"{place}[]", schema.get("items"))


def _needed(kind: str, required: object) -> str:
    return kind + NEEDED if required else kind


def signature(schema: Json) -> str:
    """A schema in a few words: its type, or its branches, with their bounds.

    Args:
        schema: of a field, a parameter, or the like; what an inline object holds is not in its signature.
    """
    kinds = sorted(dict.fromkeys(_kinds(schema)))
    bounds = [f"{key} {json.dumps(schema[key])}" for key in BOUNDS if key in schema]
    return OR.join(kinds) + (f" ({', '.join(bounds)})" if bounds else "")


def _kinds(schema: Json) -> Iterator[str]:
    """Each type that a value of a schema may have."""
    if not isinstance(schema, dict):
        yield "anything"
    elif "$ref" in schema:
        yield schema["$ref"].rsplit("/", 1)[-1]
    elif "allOf" in schema:
        yield " & ".join(map(signature, schema["allOf"]))
    elif branches := [branch for key in UNIONS for branch in schema.get(key, [])]:
        for branch in branches:
            yield from signature(branch).split(OR)
    elif "enum" in schema or "const" in schema:
        yield from map(json.dumps, schema.get("enum", [schema.get("const")]))
    elif schema.get("type") == "array" or "items" in schema:
        yield from (f"array of {kind}" for kind in signature(schema.get("items", {})).split(OR))
    elif isinstance(schema.get("type"), list):
        yield from schema["type"]
    else:
        yield schema.get("type") or ("object" if "properties" in schema else "anything")
    if isinstance(schema, dict) and schema.get("nullable"):
        yield "null"


# -- two documents compared --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two documents state otherwise.

    Args:
        fact: what it is about.
        sentence: both statements in words, without a full stop.
        names: what the sentence names as new or gone.
    """

    fact: Fact
    sentence: str
    names: frozenset[str]


def differences(old: Facts, new: Facts) -> Iterator[Difference]:
    """What one document states and another does not."""
    whole = {fact.place for fact in old.keys() ^ new.keys() if fact.kind in WHOLE}
    for fact in sorted({*old, *new}):
        within = fact.schema in whole and fact.kind not in WHOLE
        if old.get(fact) == new.get(fact) or within:
            continue
        names = frozenset({fact.name or fact.place})
        if fact not in old:
            yield Difference(fact, f"{_subject(fact)} is new{_typed(new[fact])}", names)
        elif fact not in new:
            yield Difference(fact, f"{_subject(fact)} is gone{_typed(old[fact])}", names)
        else:
            yield _redefined(fact, old[fact], new[fact])


def _redefined(fact: Fact, old: str, new: str) -> Difference:
    """A long union that has become another is described by the branches that differ."""
    before, after = (value.removesuffix(NEEDED).split(OR) for value in (old, new))
    gained, lost = (
        [kind for kind in one if kind not in other] for one, other in ((after, before), (before, after))
    )
    names = frozenset(kind.removeprefix("array of ").strip('"') for kind in (*gained, *lost))
    kept = len(before) - len(lost)
    if kept < len(before) - 1 or kept < 2 or old.endswith(NEEDED) != new.endswith(NEEDED):
        return Difference(fact, f"{_subject(fact)} was {old} and is now {new}", names)
    changes = [f"{verb} {', '.join(kinds)}" for verb, kinds in (("gained", gained), ("lost", lost)) if kinds]
    return Difference(fact, f"{_subject(fact)} has {' and '.join(changes)}", names)


def _subject(fact: Fact) -> str:
    if not fact.name:
        return f"The {fact.kind} `{fact.place}`"
    return f"The {fact.kind} `{fact.name}` of `{fact.place}`"


def _typed(value: str) -> str:
    return f" ({value})" if value else ""


# -- facts as a file, one a line -----------------------------------------------------------------------------------

_LINE = re.compile(r"(\w+) (\S+?)(?: (.+?))?(?:: (.*))?")


def written(found: Facts) -> str:
    """Facts as lines, such as `field FunctionToolCall arguments: string, required`."""
    return "".join(f"{_line(fact, value)}\n" for fact, value in sorted(found.items()))


def _line(fact: Fact, value: str) -> str:
    subject = " ".join(filter(None, (fact.kind, fact.place, fact.name)))
    return f"{subject}: {value}" if value else subject


def read(text: str) -> Facts:
    """The opposite of `written`.

    Raises:
        ValueError: a line is no fact.
    """
    found: dict[Fact, str] = {}
    for line in text.splitlines():
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise ValueError(f"this line is no fact: {line!r}")
        kind, place, name, value = parts.groups(default="")
        found[Fact(kind, place, name)] = value
    return found
