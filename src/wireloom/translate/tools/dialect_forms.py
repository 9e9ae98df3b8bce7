"""Single forms of a JSON Schema said in other words of it: tuples, values, bounds, required names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wireloom.translate.tools.dialect_merge import required_of
from wireloom.wire.json import Json

LONGEST_LIST = 400
"""Characters of values that are listed in a description."""


@dataclass(slots=True)
class Notes:
    """What was changed in a schema, in words, each once.

    Args:
        wider: changes after which other values fit.
        alike: changes after which the same values fit.
    """

    wider: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)

    def lost(self, text: str) -> None:
        """Note a change of the meaning."""
        if text not in self.wider:
            self.wider.append(text)

    def said(self, text: str) -> None:
        """Note a change of the words alone."""
        if text not in self.alike:
            self.alike.append(text)


def without(node: Json, *words: str) -> Json:
    """A node without some of its words."""
    return {name: value for name, value in node.items() if name not in words}


def items_of_places(node: Json, notes: Notes) -> Json:
    """An array of which each item fits one of the schemas, in place of one with a schema for each place."""
    items = node.get("items")
    places = node.get("prefixItems") if "prefixItems" in node else items
    if not isinstance(places, list):
        return node
    others = items if "prefixItems" in node else node.get("additionalItems")
    rest = without(node, "prefixItems", "items", "additionalItems")
    schemas = [*places, *([others] if isinstance(others, dict) and others else [])]
    distinct = [each for index, each in enumerate(schemas) if each not in schemas[:index]]
    if others is False and "maxItems" not in rest:
        rest["maxItems"] = len(places)
    notes.lost("places of an array said as its items")
    if not distinct:
        return rest
    return {**rest, "items": distinct[0] if len(distinct) == 1 else {"anyOf": distinct}}


def values_as_texts(node: Json, notes: Notes) -> Json:
    """A list of texts where all values are texts; else a sentence that lists them."""
    values = node["enum"]
    if isinstance(values, list) and values and all(isinstance(value, str) and value for value in values):
        return node if "type" in node else {**node, "type": "string"}
    rest = without(node, "enum")
    notes.lost("values listed in the description")
    listed = f"One of: {', '.join(map(_shown, values))}." if isinstance(values, list) else ""
    if not listed or len(listed) > LONGEST_LIST:
        return rest
    known = rest.get("description")
    rest["description"] = f"{known} {listed}" if isinstance(known, str) and known else listed
    kinds = {type(value) for value in values} - {type(None)}
    if "type" not in rest and len(kinds) == 1 and (kind := _KINDS.get(kinds.pop())):
        rest["type"] = kind
    return rest


def known_required(node: Json, notes: Notes) -> Json:
    """An object that requires only what it names, where nothing else may be required."""
    names = required_of(node)
    properties = node.get("properties")
    known = [name for name in names if isinstance(properties, dict) and name in properties]
    if len(known) == len(names):
        return node
    notes.lost("without required names that are no properties")
    return {**without(node, "required"), **({"required": known} if known else {})}


def bounds_in_words(node: Json, refused: list[str], notes: Notes) -> Json:
    """A bound of integers that is not part of the range, as one that is."""
    for word, other, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
        value = node.get(word)
        known = node.get("type") == "integer" and other not in refused and other not in node
        if word in refused and known and isinstance(value, int) and not isinstance(value, bool):
            refused.remove(word)
            node = {**without(node, word), other: value + step}
            notes.said(f"{word} said as {other}")
    return node


def bounds(node: Json) -> Json:
    """Bounds of draft 4, a switch beside the bound, as those of later drafts."""
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        switch = node.get(word)
        if switch is True and bound in node:
            node = {**without(node, bound), word: node[bound]}
        elif isinstance(switch, bool):
            node = without(node, word)
    return node


_KINDS: Mapping[type, str] = {int: "integer", float: "number", bool: "boolean", str: "string"}


_WORDS: Mapping[Any, str] = {None: "null", True: "true", False: "false"}


def _shown(value: Any) -> str:
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)
