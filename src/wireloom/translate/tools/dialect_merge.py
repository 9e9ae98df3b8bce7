"""JSON Schemas made one: what fits both of two (conjunction), what fits any of several objects (disjunction)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wireloom.wire.json import Json

ANNOTATIONS = frozenset(
    {
        "$anchor",
        "$comment",
        "$dynamicAnchor",
        "$id",
        "$schema",
        "$vocabulary",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "default",
        "definitions",
        "$defs",
        "deprecated",
        "description",
        "encrypted",
        "example",
        "examples",
        "format",
        "id",
        "propertyOrdering",
        "readOnly",
        "title",
        "writeOnly",
    }
)
"""Words without which a schema fits the same values."""

LISTED = ("enum", "const")


@dataclass(slots=True)
class Merged:
    """A schema made of others.

    Args:
        schema: the one schema.
        same: whether it fits the same values as they do together.
    """

    schema: Json
    same: bool = True


def both(one: Json, other: Json) -> Merged:
    """The schema of values that fit two schemas.

    Args:
        one: its annotations win.
        other: the other schema.
    """
    made = Merged(dict(one))
    for word, value in other.items():
        if word not in one:
            made.schema[word] = value
        elif one[word] != value and word not in ANNOTATIONS:
            _CONJUNCTIONS.get(word, _first)(made, word, value)
    # A schema that is closed forbids what only the other one names; together they would still take it.
    forbidden = (_closed(one) and _names(other) - _names(one)) or (
        _closed(other) and _names(one) - _names(other)
    )
    made.same = made.same and not forbidden
    return made


def any_of_objects(branches: Sequence[Json]) -> Merged:
    """One object for several: all their properties, and required only those that each of them requires.

    Args:
        branches: schemas of objects, at least one.
    """
    if len(branches) == 1:
        return Merged(dict(branches[0]))
    properties: dict[str, list[Any]] = {}
    for branch in branches:
        for name, schema in _properties(branch).items():
            properties.setdefault(name, []).append(schema)
    made: Json = {"type": "object"}
    if properties:
        made["properties"] = {name: _any(schemas) for name, schemas in properties.items()}
    required = [name for name in required_of(branches[0]) if all(name in required_of(b) for b in branches)]
    if required:
        made["required"] = required
    if all(branch.get("additionalProperties") is False for branch in branches):
        made["additionalProperties"] = False
    return Merged(made, same=False)


def is_object(schema: Any) -> bool:
    """Whether a schema is one of objects, or may be taken for one."""
    if not isinstance(schema, dict):
        return False
    kind = schema.get("type", "object")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def required_of(schema: Json) -> list[str]:
    """The names that a schema requires."""
    listed = schema.get("required")
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def _properties(schema: Json) -> Json:
    known = schema.get("properties")
    return known if isinstance(known, dict) else {}


def _names(schema: Json) -> set[str]:
    return set(_properties(schema))


def _closed(schema: Json) -> bool:
    return schema.get("additionalProperties", True) not in (True, {})


def _any(schemas: list[Any]) -> Any:
    """What fits any of the schemas of one property."""
    distinct = [each for index, each in enumerate(schemas) if each not in schemas[:index]]
    if len(distinct) == 1:
        return distinct[0]
    if all(_is_list_of_values(each) for each in distinct):
        return _values_of(distinct)
    return {"anyOf": distinct}


def _is_list_of_values(schema: Any) -> bool:
    return isinstance(schema, dict) and any(word in schema for word in LISTED)


def _values_of(schemas: Iterable[Json]) -> Json:
    """One list of values for several, as for the property that says which of the objects is meant."""
    values: list[Any] = []
    kinds: list[Any] = []
    for schema in schemas:
        listed = schema["enum"] if isinstance(schema.get("enum"), list) else [schema.get("const")]
        values += [value for value in listed if value not in values]
        kinds.append(schema.get("type"))
    made: Json = {} if kinds[0] is None or any(kind != kinds[0] for kind in kinds) else {"type": kinds[0]}
    return {**made, "enum": values}


# -- single words --------------------------------------------------------------------------------------------------


def _first(made: Merged, _: str, __: Any) -> None:
    """Two words that cannot be said as one: the first stays."""
    made.same = False


def _both_properties(made: Merged, word: str, value: Any) -> None:
    if not isinstance(made.schema[word], dict) or not isinstance(value, dict):
        made.same = False
        return
    found = dict(made.schema[word])
    for name, schema in value.items():
        known = found.setdefault(name, schema)
        if known is schema or known == schema:
            continue
        if isinstance(known, dict) and isinstance(schema, dict):
            inner = both(known, schema)
            found[name] = inner.schema
            made.same = made.same and inner.same
        else:
            made.same = False
    made.schema[word] = found


def _both_required(made: Merged, word: str, value: Any) -> None:
    one, other = required_of(made.schema), required_of({word: value})
    made.schema[word] = [*one, *(name for name in other if name not in one)]


def _both_types(made: Merged, word: str, value: Any) -> None:
    one, other = _listed(made.schema[word]), _listed(value)
    kept = [kind for kind in one if kind in other or (kind == "integer" and "number" in other)]
    kept += [kind for kind in other if kind == "integer" and "number" in one and kind not in kept]
    if kept:
        made.schema[word] = kept[0] if len(kept) == 1 else kept
    else:
        made.same = False


def _both_values(made: Merged, word: str, value: Any) -> None:
    one = made.schema[word]
    kept = (
        [each for each in one if each in value] if isinstance(value, list) and isinstance(one, list) else []
    )
    if kept:
        made.schema[word] = kept
    else:
        made.same = False


def _both_open(made: Merged, word: str, value: Any) -> None:
    if value is False or made.schema[word] is False:
        made.schema[word] = False
    elif made.schema[word] in (True, {}):
        made.schema[word] = value
    elif value not in (True, {}):
        made.same = False


def _bound(choose: Callable[[Any, Any], Any]) -> Callable[[Merged, str, Any], None]:
    def merge(made: Merged, word: str, value: Any) -> None:
        known = made.schema[word]
        if isinstance(known, int | float) and isinstance(value, int | float):
            made.schema[word] = choose(known, value)
        else:
            made.same = False

    return merge


def _listed(kind: Any) -> list[Any]:
    return kind if isinstance(kind, list) else [kind]


_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_CONJUNCTIONS: Mapping[str, Callable[[Merged, str, Any], None]] = {
    "properties": _both_properties,
    "required": _both_required,
    "type": _both_types,
    "enum": _both_values,
    "additionalProperties": _both_open,
    **dict.fromkeys(_LEAST, _bound(max)),
    **dict.fromkeys(_MOST, _bound(min)),
}
