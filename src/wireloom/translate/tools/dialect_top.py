"""The top of a JSON Schema: the parameters of a tool are one object, whatever they are for their client."""

from __future__ import annotations

from typing import Any

from wireloom.translate.tools.dialect_forms import without
from wireloom.translate.tools.dialect_merge import is_object
from wireloom.translate.tools.dialect_unions import DEEPEST
from wireloom.translate.tools.dialect_walk import Walk
from wireloom.wire.json import Json


class Top(Walk):
    """The rewriting of a whole schema; see `Walk`."""

    def top(self) -> Json:
        """The whole schema in the upstream's words."""
        root = self._root
        if self._place == "tool":
            root = self._object_at_top(root)
        elif "format" not in self._dialect.unions_at_top:
            root = self._one_object(root)
        walked = self.schema(root, 0, ())
        made: Json = walked if isinstance(walked, dict) else {}
        return made

    def _object_at_top(self, root: Json) -> Json:
        made = root
        if isinstance(made.get("$ref"), str):
            made = self._joined(made)
        if "tool" not in self._dialect.unions_at_top:
            made = self._one_object(made)
            for word in ("enum", "const", "not"):
                if word in made:
                    made = without(made, word)
                    self.notes.lost(f"without {word} at the top")
        kind = made.get("type")
        if kind != "object" and is_object(made):
            made = {**made, "type": "object"}
            if isinstance(kind, list):
                self.notes.said("with the type object alone")
        if made.get("type") == "object" and not isinstance(made.get("properties"), dict):
            made = {**made, "properties": {}}
        return made

    def _joined(self, node: Json) -> Json:
        """A schema that begins with a reference, with what that points to."""
        target = self._target(node["$ref"])
        if target is None or "$ref" in target:
            return node
        return self._both(without(node, "$ref"), target)

    def _one_object(self, node: Json) -> Json:
        """A schema without unions, where it is one of objects."""
        for word in ("allOf", "anyOf", "oneOf"):
            branches = node.get(word)
            if not isinstance(branches, list):
                continue
            whole = [self._branch(branch) for branch in branches]
            objects = [branch for branch in whole if branch is not None and is_object(branch)]
            if not objects and self._place == "format":
                continue
            if len(objects) < len(branches):
                self.notes.lost(f"without what is no object in {word}")
            rest = without(node, word)
            if not objects:
                node = rest
            elif word == "allOf":
                node = self._all(rest, objects)
            else:
                node = self._any(rest, objects, word)
        return node

    def _branch(self, given: Any) -> Json | None:
        """A branch of a union at the top, without references and unions of its own."""
        for _ in range(DEEPEST):
            if not isinstance(given, dict) or not isinstance(given.get("$ref"), str):
                break
            given = self._joined(given) if self._target(given["$ref"]) != given else None
        if not isinstance(given, dict) or "$ref" in given:
            return None
        self._nodes += 1
        inner = any(isinstance(given.get(word), list) for word in ("allOf", "anyOf", "oneOf"))
        return self._one_object(given) if inner and self._nodes < DEEPEST else given
