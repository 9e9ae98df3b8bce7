"""What one JSON schema changes of another, by the direction in which its values travel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Json = Any

REF = "#/components/schemas/"
REQUEST, RESPONSE = "request", "response"
TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
# Bound -> whether a larger value admits more.
BOUNDS = {
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), True),
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), False),
}
# Members whose value tells the branches of a union apart.
TAGS = ("type", "role", "object")
# Keywords that are compared as they are; a request that has to keep to another one may fail.
OTHERS = ("pattern", "format", "multipleOf", "propertyNames", "contentMediaType")


class Change(NamedTuple):
    """One difference between two contracts."""

    kind: str
    """`added`, `removed` or `changed`."""
    place: str
    """An operation or a schema with the path inside it, and the direction in which its values travel."""
    what: str
    breaking: bool = False
    """Whether a client that was right before can fail now."""


def needed(required: bool) -> str:
    """The word for whether something may be left out."""
    return "required" if required else "optional"


class Comparison:
    """Compares the schemas of two documents; each pair of named schemas once for each direction.

    old, new: the components of the documents by name, without any allOf.
    """

    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str, str]] = set()

    def schemas(self, place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
        """Compare two schemas that stand at one place."""
        names = [schema.get("$ref", "").removeprefix(REF) for schema in (old, new)]
        if all(names):
            pair = (names[0], names[1], direction)
            if pair in self._seen:
                return
            self._seen.add(pair)
            place = names[1]
        was, now = _resolved(old, self._old), _resolved(new, self._new)
        yield from self._null(f"{place} ({direction})", was, now, direction)
        for before, after, step in self._pairs(was, now):
            if before is None:
                yield Change("added", f"{place} ({direction})", f"a new kind `{step}`")
            elif after is None:
                lost = direction == REQUEST
                yield Change("removed", f"{place} ({direction})", f"the kind `{step}` is gone", breaking=lost)
            elif before is was and after is now:
                for rule in RULES:
                    yield from rule(f"{place} ({direction})", was, now, direction)
                yield from self._parts(place, was, now, direction)
            else:
                yield from self.schemas(place, before, after, direction)

    def _null(self, place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
        """Whether null is possible; a response that gains it, or a request that loses it, breaks."""
        was, now = _nullable(old, self._old), _nullable(new, self._new)
        if was != now:
            what = "null is possible now" if now else "null is no longer possible"
            yield Change("changed", place, what, breaking=now == (direction == RESPONSE))

    def _pairs(self, old: Json, new: Json) -> Iterator[tuple[Json, Json, str]]:
        """The branches of two unions that belong together; one is None where the other has no match.

        A branch belongs to that of its name, else to that of its tag, because a contract may rename a schema.
        """
        before, after = _named(_branches(old, self._old)), _named(_branches(new, self._new))
        if len(before) == len(after) == 1:
            yield *before.values(), *after.values(), ""
            return
        renamed = self._renamed(before, after)
        for name, branch in before.items():
            yield branch, after.get(renamed.get(name, name)), name
        known = {*before, *renamed.values()}
        for name in (name for name in after if name not in known):
            yield None, after[name], name

    def _renamed(self, before: dict[str, Json], after: dict[str, Json]) -> dict[str, str]:
        """Name of a branch that is gone -> name of the new branch with its tag."""
        new = {_tag(after[name], self._new): name for name in after if name not in before}
        gone = {name: _tag(before[name], self._old) for name in before if name not in after}
        return {name: new[tag] for name, tag in gone.items() if tag is not None and tag in new}

    def _parts(self, place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
        """Compare the schemas inside two schemas that are no unions."""
        was, now = (schema.get("properties", {}) for schema in (old, new))
        for name in sorted(was.keys() & now.keys()):
            yield from self.schemas(f"{place}.{name}", was[name], now[name], direction)
        for key, step in (("items", "[]"), ("additionalProperties", ".*")):
            before, after = (schema.get(key) for schema in (old, new))
            if isinstance(before, dict) and isinstance(after, dict):
                yield from self.schemas(place + step, before, after, direction)


def _resolved(schema: Json, schemas: Json) -> Json:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].removeprefix(REF)]
    return schema


def _branches(schema: Json, schemas: Json) -> list[Json]:
    """The branches of a union besides null, those of unions within it included; of any other schema, the schema."""
    whole = _resolved(schema, schemas)
    union = whole.get("oneOf") or whole.get("anyOf")
    if union is None:
        return [schema]
    found = [branch for member in union for branch in _branches(member, schemas)]
    return [branch for branch in found if branch != {"type": "null"}]


def _named(branches: list[Json]) -> dict[str, Json]:
    """Branches by the schema that they refer to, else by the type that they have."""
    return {_name(branch, index): branch for index, branch in enumerate(branches)}


def _name(branch: Json, index: int) -> str:
    if "$ref" in branch:
        return str(branch["$ref"].removeprefix(REF))
    words = "word" if "enum" in branch or "const" in branch else ""
    return f"{branch.get('type', index)} {words}".strip()


def _tag(branch: Json, schemas: Json) -> str | None:
    """The first word of the member that tells a branch apart, if there is one."""
    properties = _resolved(branch, schemas).get("properties", {})
    for name in TAGS:
        if words := _enum(properties.get(name, {})):
            return str(min(words, key=str))
    return None


def _nullable(schema: Json, schemas: Json) -> bool:
    """Whether a schema admits null."""
    schema = _resolved(schema, schemas)
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return any(_nullable(branch, schemas) for branch in schema[key])
    return "null" in _types(schema)


def _types(schema: Json) -> frozenset[str]:
    """The JSON types that a schema without branches admits; a number may be an integer."""
    if not any(key in schema for key in ("type", "properties", "enum", "const")):
        return TYPES
    named = schema.get("type", "object" if "properties" in schema else "string")
    types = frozenset([named] if isinstance(named, str) else named)
    return types | {"integer"} if "number" in types else types


def _listed(words: Iterable[Any]) -> str:
    return " or ".join(f"`{word}`" for word in sorted(map(str, words)))


# -- rules for one schema --------------------------------------------------------------------------------------------


def _kinds(place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
    """JSON types; a request may gain some, a response may lose some."""
    was, now = _types(old) - {"null"}, _types(new) - {"null"}
    if was != now:
        admitted = was <= now if direction == REQUEST else now <= was
        what = f"the type is {_listed(now)}, it was {_listed(was)}"
        yield Change("changed", place, what, breaking=not admitted)


def _members(place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
    """Members that come and go, and those that have to be there."""
    was, now = (schema.get("properties", {}) for schema in (old, new))
    had, has = (frozenset(schema.get("required", [])) for schema in (old, new))
    for name in sorted(was.keys() - now.keys()):
        yield Change("removed", place, f"the member `{name}` is gone", breaking=True)
    for name in sorted(now.keys() - was.keys()):
        breaking = direction == REQUEST and name in has
        yield Change("added", place, f"a new {needed(name in has)} member `{name}`", breaking=breaking)
    for name in sorted((had ^ has) & was.keys() & now.keys()):
        breaking = (name in has) == (direction == REQUEST)
        yield Change("changed", place, f"the member `{name}` is {needed(name in has)} now", breaking=breaking)


def _words(place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
    """Words of an enumeration; a schema without one admits any."""
    was, now = (_enum(schema) for schema in (old, new))
    if was is None and now is not None:
        what = f"the value is one of {_listed(now)} now"
        yield Change("changed", place, what, breaking=direction == REQUEST)
    elif was is not None and now is None:
        yield Change("added", place, "any value is possible now")
    elif was is not None and now is not None:
        for word in sorted(was - now, key=str):
            yield Change("removed", place, f"the value `{word}` is gone", breaking=direction == REQUEST)
        for word in sorted(now - was, key=str):
            yield Change("added", place, f"a new value `{word}`")


def _enum(schema: Json) -> frozenset[Any] | None:
    if "const" in schema:
        return frozenset([schema["const"]])
    return frozenset(schema["enum"]) if "enum" in schema else None


def _bounds(place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
    """Bounds; one that is tighter refuses requests that were right."""
    for key, larger_is_wider in BOUNDS.items():
        was, now = old.get(key), new.get(key)
        if was != now:
            tighter = now is not None and (was is None or (now < was) == larger_is_wider)
            what = f"{key} is {_bound(now)}, it was {_bound(was)}"
            yield Change("changed", place, what, breaking=tighter and direction == REQUEST)


def _bound(value: Any) -> str:
    return "absent" if value is None else f"`{value}`"


def _keywords(place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
    """Keywords that cannot be ordered."""
    for key in OTHERS:
        was, now = old.get(key), new.get(key)
        if was != now:
            what = f"{key} is {_bound(now)}, it was {_bound(was)}"
            yield Change("changed", place, what, breaking=now is not None and direction == REQUEST)


def _closed(place: str, old: Json, new: Json, direction: str) -> Iterator[Change]:
    """Whether an object may hold members that the contract does not name."""
    was, now = (schema.get("additionalProperties", True) is False for schema in (old, new))
    if was != now:
        what = "other members are refused now" if now else "other members are possible now"
        yield Change("changed", place, what, breaking=now and direction == REQUEST)


def _deprecated(place: str, old: Json, new: Json, _: str) -> Iterator[Change]:
    """The announcement that a later contract lacks a member."""
    if new.get("deprecated", False) and not old.get("deprecated", False):
        yield Change("changed", place, "deprecated now")


def _default(place: str, old: Json, new: Json, _: str) -> Iterator[Change]:
    """A default that is another one changes what a request means that leaves the member out."""
    if old.get("default") != new.get("default"):
        what = f"the default is {_bound(new.get('default'))}, it was {_bound(old.get('default'))}"
        yield Change("changed", place, what)


RULES: tuple[Callable[[str, Json, Json, str], Iterator[Change]], ...] = (
    _kinds,
    _members,
    _words,
    _bounds,
    _keywords,
    _closed,
    _deprecated,
    _default,
)
