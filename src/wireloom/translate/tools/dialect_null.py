"""How a JSON Schema says that a value may be null, in each of the three ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wireloom.translate.tools.dialect_merge import ANNOTATIONS, both
from wireloom.wire.json import Json

NULL: Json = {"type": "null"}
_UNIONS = ("anyOf", "oneOf")
# Word -> the types of which it says something.
_OF_TYPES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), ("string",)),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), ("integer", "number")
    ),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"), ("array",)),
    **dict.fromkeys(
        (
            "properties",
            "required",
            "additionalProperties",
            "patternProperties",
            "propertyNames",
            "minProperties",
            "maxProperties",
        ),
        ("object",),
    ),
}


def in_words(node: Json, way: str) -> Json:
    """A schema in which a value may be null in the way that an upstream reads; the same object where nothing changes.

    Args:
        node: a schema, whose own members are not looked into.
        way: see `SchemaDialect.nullable`.
    """
    return _WAYS[way](node)


def _given(node: Json) -> Json:
    return node


def _keyword(node: Json) -> Json:
    """`nullable` beside one type."""
    node = _without_null_branch(node)
    node = _without_null_type(node)
    return _without_null_value(node)


def _without_null_branch(node: Json) -> Json:
    for word in _UNIONS:
        branches = node.get(word)
        if not isinstance(branches, list):
            continue
        left = [each for each in branches if not _is_null(each)]
        if not left or len(left) == len(branches):
            continue
        rest = {name: value for name, value in node.items() if name != word}
        if len(left) == 1 and isinstance(left[0], dict):
            merged = both(rest, left[0])
            if merged.same:
                return {**merged.schema, "nullable": True}
        return {**rest, word: left, "nullable": True}
    return node


def _without_null_type(node: Json) -> Json:
    kinds = node.get("type")
    if not isinstance(kinds, list):
        return node
    left = [kind for kind in kinds if kind != "null"]
    if not left:
        return {**node, "type": "null"}
    null = {"nullable": True} if len(left) < len(kinds) else {}
    if len(left) == 1:
        return {**node, "type": left[0], **null}
    return {**_of_each_type(node, left), **null}


def _without_null_value(node: Json) -> Json:
    values = node.get("enum")
    if not isinstance(values, list) or None not in values or len(values) == 1:
        return node
    left = [value for value in values if value is not None]
    null = {} if "type" in node and not node.get("nullable") else {"nullable": True}
    return {**node, "enum": left, **null}


def _types(node: Json) -> Json:
    """`null` in the list of types, or as a branch where there is no type."""
    if "nullable" not in node:
        return node
    rest = {name: value for name, value in node.items() if name != "nullable"}
    if node["nullable"] is not True:
        return rest
    if isinstance(rest.get("enum"), list) and None not in rest["enum"]:
        rest["enum"] = [*rest["enum"], None]
    kind = rest.get("type")
    if isinstance(kind, str):
        return {**rest, "type": [kind, "null"]}
    for word in _UNIONS:
        if isinstance(rest.get(word), list):
            return {**rest, word: [*rest[word], NULL]}
    return rest


def _any_of(node: Json) -> Json:
    """A branch for each type."""
    node = _types(node)
    kinds = node.get("type")
    if not isinstance(kinds, list):
        return node
    return _of_each_type(node, kinds)


_WAYS: Mapping[str, Callable[[Json], Json]] = {
    "given": _given,
    "keyword": _keyword,
    "types": _types,
    "any_of": _any_of,
}


def _of_each_type(node: Json, kinds: list[Any]) -> Json:
    """A union with one branch for each type; where there is a union already, the types stay with it."""
    if "anyOf" in node:
        return {name: value for name, value in node.items() if name != "type"}
    if len(kinds) == 1:
        return {**node, "type": kinds[0]}
    branches = [_branch(node, kind) for kind in kinds]
    kept = {name: value for name, value in node.items() if name in ANNOTATIONS and name != "format"}
    return {**kept, "anyOf": branches}


def _branch(node: Json, kind: Any) -> Json:
    if kind == "null":
        return NULL
    own = {
        name: value
        for name, value in node.items()
        if name != "type"
        and (name == "format" or name not in ANNOTATIONS)
        and kind in _OF_TYPES.get(name, (kind,))
    }
    values = own.get("enum")
    if isinstance(values, list):
        own["enum"] = [value for value in values if value is not None]
    return {"type": kind, **own}


def _is_null(branch: Any) -> bool:
    if not isinstance(branch, dict):
        return False
    said = {name: value for name, value in branch.items() if name not in ANNOTATIONS}
    return said in (
        NULL,
        {"const": None},
        {"enum": [None]},
        {**NULL, "const": None},
        {**NULL, "enum": [None]},
    )
