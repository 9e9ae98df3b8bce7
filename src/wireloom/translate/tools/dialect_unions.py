"""What the rewriting of one JSON Schema shares: its references, and unions that become one schema."""

from __future__ import annotations

from typing import Any

from wireloom.providers.schemas import Place, SchemaDialect
from wireloom.translate.tools.dialect_forms import Notes, without
from wireloom.translate.tools.dialect_merge import any_of_objects, both, is_object
from wireloom.wire.json import Json

DEEPEST = 64


class Unions:
    """The schemas within one that are joined.

    Args:
        dialect: the words that the upstream reads.
        place: what the schema is of.
        root: the whole schema, for references within it.
    """

    def __init__(self, dialect: SchemaDialect, place: Place, root: Json) -> None:
        self._dialect = dialect
        self._place = place
        self._root = root
        self.notes = Notes()
        self._nodes = 0

    def _target(self, reference: Any) -> Json | None:
        """What a reference within the schema points to."""
        if reference == "#":
            return self._root
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        found: Any = self._root
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else None

    def _in_place(self, node: Json) -> Json:
        """What a reference points to, with what stands beside it."""
        target = self._target(node["$ref"])
        beside = without(node, "$ref")
        if target is None:
            self.notes.lost("without a reference that leads nowhere in it")
            return beside
        self.notes.said("references replaced")
        return self._both(beside, target) if beside else target

    def _any(self, rest: Json, objects: list[Json], word: str) -> Json:
        merged = any_of_objects(objects)
        if not merged.same:
            self.notes.lost(f"the branches of {word} are one object")
        return self._both(rest, merged.schema)

    def _all(self, rest: Json, schemas: list[Json]) -> Json:
        for schema in schemas:
            rest = self._both(rest, schema)
        return rest

    def _both(self, one: Json, other: Json) -> Json:
        merged = both(one, other)
        if not merged.same:
            self.notes.lost("some rules that hold together are left out")
        else:
            self.notes.said("parts joined")
        return merged.schema

    def _without_union(self, node: Json, word: str) -> Json:
        branches = [branch for branch in node[word] if isinstance(branch, dict)]
        rest = without(node, word)
        if word == "allOf":
            whole = [self._branch_of_all(branch) for branch in branches]
            return self._all(rest, whole)
        if word == "oneOf" and "anyOf" in self._dialect.unions and "anyOf" not in node:
            self.notes.lost("oneOf said as anyOf")
            return {**rest, "anyOf": node[word]}
        objects = [branch for branch in branches if is_object(branch)]
        if objects and len(objects) == len(node[word]):
            return self._any(rest, objects, word)
        self.notes.lost(f"without {word}")
        return rest

    def _branch_of_all(self, branch: Json) -> Json:
        """A branch that can be joined: references are put in place, where they are no longer known."""
        for _ in range(DEEPEST):
            if not isinstance(branch.get("$ref"), str) or self._target(branch["$ref"]) in (None, branch):
                break
            branch = self._in_place(branch)
        return branch
