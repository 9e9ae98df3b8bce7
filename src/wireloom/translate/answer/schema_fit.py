"""Whether arguments fit the JSON Schema of a tool, by the words of it that decide which arguments are meant.

Words that are not known here decide nothing. No pattern of a client is run, and nothing is fetched: a schema comes
from one party and the arguments from another, and both are bounded by depth alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wireloom.wire.json import Json

# Beyond either, the rest is taken as fitting.
DEEPEST = 32
MOST_STEPS = 10_000

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: _number(value) and value % 1 == 0,
    "number": lambda value: _number(value),
}
"""Every type of JSON Schema -> whether a value is of it."""


def fits(schema: Any, value: Any) -> bool:
    """Whether a value fits a schema: types, enumerations, required and known members, all of them at any depth.

    Args:
        schema: a JSON Schema, or anything else, which everything fits.
        value: decoded JSON.
    """
    return _Fitting(schema).fits(schema, value, 0)


def fits_at_top(schema: Any, value: Json) -> bool:
    """Whether an object has the required members, no unknown ones where those are forbidden, each of a fitting type.

    Args:
        schema: see `fits`.
        value: see `fits`.
    """
    top = _resolved(schema, schema)
    if not isinstance(top, dict) or not _members_fit(top, value):
        return not isinstance(top, dict)
    known = properties(top)
    named = [(_resolved(known[name], schema), member) for name, member in value.items() if name in known]
    return all(_type_fits(each, member) for each, member in named)


def properties(schema: Any) -> Json:
    """The members that a schema knows."""
    known = schema.get("properties") if isinstance(schema, dict) else None
    return known if isinstance(known, dict) else {}


class _Fitting:
    """One comparison of a value with a schema, in a bounded number of steps.

    Args:
        root: the whole schema, for references within it.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = 0

    def fits(self, given: Any, value: Any, depth: int) -> bool:
        """Whether a part of the value fits a part of the schema."""
        self._steps += 1
        if given is False:
            return False
        schema = _resolved(given, self._root)
        if not isinstance(schema, dict) or depth > DEEPEST or self._steps > MOST_STEPS:
            return True
        if not _type_fits(schema, value) or not _is_listed(schema, value):
            return False
        if not self._branches_fit(schema, value, depth + 1):
            return False
        if isinstance(value, dict):
            return _members_fit(schema, value) and self._each_member_fits(schema, value, depth + 1)
        if isinstance(value, list):
            return all(self.fits(schema.get("items"), item, depth + 1) for item in value)
        return True

    def _branches_fit(self, schema: Json, value: Any, depth: int) -> bool:
        for word, enough in (("allOf", all), ("anyOf", any), ("oneOf", any)):
            branches = schema.get(word)
            listed = branches if isinstance(branches, list) else []
            if listed and not enough(self.fits(branch, value, depth) for branch in listed):
                return False
        return True

    def _each_member_fits(self, schema: Json, value: Json, depth: int) -> bool:
        known = properties(schema)
        others = None if "patternProperties" in schema else schema.get("additionalProperties")
        return all(self.fits(known.get(name, others), member, depth) for name, member in value.items())


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _resolved(schema: Any, root: Any) -> Any:
    """What a reference within the schema stands for; None where it leads nowhere, or out of the schema."""
    for _ in range(DEEPEST):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str):
            return schema
        if reference != "#" and not reference.startswith("#/"):
            return None
        schema = root
        for step in reference[2:].split("/") if reference != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            schema = schema.get(name) if isinstance(schema, dict) else None
    return None


def _type_fits(schema: Any, value: Any) -> bool:
    named = schema.get("type") if isinstance(schema, dict) else None
    names = named if isinstance(named, list) else [named]
    known = [TYPES[name] for name in names if isinstance(name, str) and name in TYPES]
    return len(known) < len(names) or any(is_of_type(value) for is_of_type in known)


def _is_listed(schema: Json, value: Any) -> bool:
    listed = schema.get("enum")
    if isinstance(listed, list) and not any(_same(value, each) for each in listed):
        return False
    return "const" not in schema or _same(value, schema["const"])


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _members_fit(schema: Json, value: Json) -> bool:
    """Whether an object has what is required, and nothing that is forbidden."""
    required = schema.get("required")
    if isinstance(required, list) and any(isinstance(name, str) and name not in value for name in required):
        return False
    open_ended = schema.get("additionalProperties") is not False or "patternProperties" in schema
    return open_ended or value.keys() <= properties(schema).keys()
