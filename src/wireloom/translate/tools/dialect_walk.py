"""A JSON Schema said in the words of one upstream, node by node; what is clean stays the same object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wireloom.providers.schemas import Place, SchemaDialect
from wireloom.translate.tools import dialect_null
from wireloom.translate.tools.dialect_forms import (
    bounds,
    bounds_in_words,
    items_of_places,
    known_required,
    values_as_texts,
    without,
)
from wireloom.translate.tools.dialect_merge import ANNOTATIONS, required_of
from wireloom.translate.tools.dialect_unions import DEEPEST, Unions
from wireloom.wire.json import Json

MOST_NODES = 20_000
"""Schemas in one: references in place could make a small one huge."""

_ONE = (
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "additionalItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
)
_LIST = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAP = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_DEFINITIONS = ("$defs", "definitions")
# Values of a word that say nothing.
_EMPTY: Mapping[str, tuple[Any, ...]] = {
    "additionalProperties": (True, {}),
    "nullable": (False,),
    "unevaluatedProperties": (True, {}),
    "uniqueItems": (False,),
    "items": (True, {}),
    "minItems": (0,),
    "minLength": (0,),
    "minProperties": (0,),
    "required": ([],),
}


class Walk(Unions):
    """The way through one schema.

    Args:
        dialect: the words that the upstream reads.
        place: what the schema is of.
        root: the whole schema, for references within it.
    """

    def __init__(self, dialect: SchemaDialect, place: Place, root: Json) -> None:
        super().__init__(dialect, place, root)
        self._limit = min(dialect.max_depth or DEEPEST, DEEPEST)
        self._pattern = None if dialect.property_pattern is None else re.compile(dialect.property_pattern)

    # -- a node ----------------------------------------------------------------------------------------------------

    def schema(self, given: Any, depth: int, open_refs: tuple[str, ...]) -> Any:
        """A schema in the upstream's words; the same object where nothing changes.

        Args:
            given: the schema.
            depth: how many schemas it stands in.
            open_refs: the references that it stands in.
        """
        self._nodes += 1
        if isinstance(given, bool):
            return self._boolean(given)
        if not isinstance(given, dict):
            return given
        if depth >= self._limit or self._nodes > MOST_NODES:
            return self._cut(given, f"cut at a depth of {depth}")
        node = given
        if not self._dialect.refs and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in open_refs:
                target = self._target(reference) or {}
                return self._cut({**target, **without(node, "$ref")}, "cut where it holds itself")
            node = self._in_place(node)
            open_refs = (*open_refs, reference)
            if isinstance(node.get("$ref"), str):
                return self.schema(node, depth + 1, open_refs)
        node = self._said(node)
        return self._filtered(self._inside(node, depth + 1, open_refs))

    def _boolean(self, given: bool) -> Any:
        if self._dialect.booleans:
            return given
        if not given:
            self.notes.lost("without a part that nothing fits")
        return {}

    def _cut(self, given: Json, why: str) -> Json:
        self.notes.lost(why)
        kept: Json = {name: given[name] for name in ("type", "description") if name in given}
        return dialect_null.in_words(kept, self._dialect.nullable)

    def _said(self, node: Json) -> Json:
        """A node, but not those in it, in the forms that are known."""
        dialect = self._dialect
        if not dialect.draft4_bounds:
            node = bounds(node)
        if not dialect.const and "const" in node:
            node = {**without(node, "const"), "enum": [node["const"]]}
        told = dialect_null.in_words(node, dialect.nullable)
        if told is not node:
            self.notes.said("null said in another way")
            node = told
        for word in ("allOf", "oneOf", "anyOf"):
            if word not in dialect.unions and isinstance(node.get(word), list):
                node = self._without_union(node, word)
        if not dialect.tuples:
            node = items_of_places(node, self.notes)
        if dialect.enum_of_texts and "enum" in node:
            node = values_as_texts(node, self.notes)
        bare = node.get("type") == "array" and "items" not in node and "prefixItems" not in node
        if bare and dialect.items != "given":
            node = {**node, "items": {"type": "string"} if dialect.items == "string" else {}}
            (self.notes.said if dialect.items == "any" else self.notes.lost)("items named")
        return node

    # -- what is in a node -----------------------------------------------------------------------------------------

    def _inside(self, node: Json, depth: int, open_refs: tuple[str, ...]) -> Json:
        made: Json = {}
        for word, value in node.items():
            if not self._dialect.knows(word, self._place):
                continue  # it goes as a whole
            if word in _ONE and (isinstance(value, dict) or (word == "items" and isinstance(value, bool))):
                walked = self.schema(value, depth, open_refs)
            elif word in (*_LIST, "items") and isinstance(value, list):
                walked = self._list(value, depth, open_refs)
            elif (
                word in _MAP and isinstance(value, dict) and (self._dialect.refs or word not in _DEFINITIONS)
            ):
                walked = self._map(value, depth, open_refs)
            else:
                continue
            if walked is not value:
                made[word] = walked
        node = {**node, **made} if made else node
        return self._named(node) if self._pattern is not None and "properties" in node else node

    def _list(self, given: list[Any], depth: int, open_refs: tuple[str, ...]) -> list[Any]:
        made = [self.schema(each, depth, open_refs) for each in given]
        same = all(new is old for new, old in zip(made, given, strict=True))
        return given if same else made

    def _map(self, given: Json, depth: int, open_refs: tuple[str, ...]) -> Json:
        made = {name: self.schema(each, depth, open_refs) for name, each in given.items()}
        same = all(made[name] is each for name, each in given.items())
        return given if same else made

    def _named(self, node: Json) -> Json:
        """An object without properties whose names are refused."""
        properties, pattern = node["properties"], self._pattern
        if pattern is None or not isinstance(properties, dict):
            return node
        refused = [name for name in properties if not pattern.fullmatch(name)]
        if not refused:
            return node
        self.notes.lost("without properties whose names are refused")
        kept = {name: each for name, each in properties.items() if name not in refused}
        made = {**node, "properties": kept}
        if "required" in node:
            made["required"] = [name for name in required_of(node) if name not in refused]
        return made

    # -- words -----------------------------------------------------------------------------------------------------

    def _filtered(self, node: Json) -> Json:
        """A node without words, and values of `format`, that are not known."""
        dialect, place = self._dialect, self._place
        refused = [word for word in node if not dialect.knows(word, place)]
        if not dialect.refs:
            refused += [word for word in _DEFINITIONS if word in node and word not in refused]
        if dialect.formats is not None and "format" in node and node["format"] not in dialect.formats:
            refused.append("format")
        if dialect.words:
            node = known_required(node, self.notes)
        if not refused:
            return node
        node = bounds_in_words(node, refused, self.notes)
        for word in refused:
            said = node.get(word) not in _EMPTY.get(word, ())
            wider = said and word not in ANNOTATIONS and not word.startswith("x-")
            (self.notes.lost if wider else self.notes.said)(f"without {word}")
        return without(node, *refused)
