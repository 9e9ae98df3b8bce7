"""A contract's schemas seen as the alternatives that a value may be, each with its place in the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Json = Any
Path = tuple[str | int, ...]
"""The way to a schema below `components.schemas`: the name of a schema, then keys and indexes."""

REF = "#/components/schemas/"
UNIONS = ("oneOf", "anyOf")
TAGS = ("type", "role", "object")


class Alternative(NamedTuple):
    """One form of a value: a schema, or those of an `allOf`, that holds no further union."""

    parts: tuple[Path, ...]

    @property
    def home(self) -> Path:
        """The part that a further field belongs into: the last one."""
        return self.parts[-1]


class Contract:
    """The schemas of a document, by path."""

    def __init__(self, schemas: Mapping[str, Json]) -> None:
        """Take `components.schemas` of a document; nothing of it is changed."""
        self.schemas = schemas

    def at(self, path: Path) -> Json:
        """The schema at a path."""
        node: Json = self.schemas
        for step in path:
            node = node[step]
        return node

    def alternatives(self, path: Path) -> list[Alternative]:
        """The forms of a value: references followed, unions spread out, the parts of an `allOf` together."""
        node = self.at(path)
        if "$ref" in node:
            return self.alternatives((_target(node),))
        for key in UNIONS:
            if key in node:
                return [
                    one for index in range(len(node[key])) for one in self.alternatives((*path, key, index))
                ]
        if "allOf" in node:
            several = [self.alternatives((*path, "allOf", index)) for index in range(len(node["allOf"]))]
            return [Alternative(tuple(part for found in several for one in found for part in one.parts))]
        return [Alternative((path,))]

    def fields(self, alternative: Alternative) -> dict[str, Path]:
        """Name -> path of each property of an object; empty for what is none."""
        return {
            name: (*part, "properties", name)
            for part in alternative.parts
            for name in self.at(part).get("properties", {})
        }

    def words(self, alternative: Alternative) -> list[str]:
        """The words that a string may be; empty where it may be any, and for what is no string."""
        return [word for part in alternative.parts for word in words(self.at(part))]

    def tag(self, alternative: Alternative) -> tuple[str, frozenset[str]] | None:
        """The property that tells the kind of an object, with its words."""
        fields = self.fields(alternative)
        for name in TAGS:
            listed = [self.words(one) for one in self.alternatives(fields[name])] if name in fields else []
            if any(listed):
                return name, frozenset(word for found in listed for word in found)
        return None

    def union(self, path: Path) -> Path | None:
        """The list of branches that a further kind of object belongs into; None if there is no union."""
        node = self.at(path)
        if "$ref" in node:
            return self.union((_target(node),))
        for key in UNIONS:
            if key not in node:
                continue
            branches: list[Path] = [(*path, key, index) for index in range(len(node[key]))]
            holders = [branch for branch in branches if any(map(self.fields, self.alternatives(branch)))]
            inner = self.union(holders[0]) if len(holders) == 1 else None
            return inner or (*path, key)
        return None


def words(node: Json) -> list[str]:
    """The words of a schema's own `enum` or `const`."""
    listed = node.get("enum", [node["const"]] if "const" in node else [])
    return [word for word in listed if isinstance(word, str)]


def kinds(node: Json) -> list[str]:
    """The JSON types that a schema allows by itself; none where it does not limit them."""
    listed = node.get("type", ["object"] if "properties" in node else [])
    return [listed] if isinstance(listed, str) else list(listed)


def _target(node: Json) -> str:
    return str(node["$ref"]).removeprefix(REF)


def name(path: Path) -> str:
    """A path as a reader writes it: `CreateResponse.input[].role`."""
    text = str(path[0])
    names = iter(path[1:])
    for step in names:
        if step == "properties":
            text += f".{next(names)}"
        elif step == "items":
            text += "[]"
    return text


def jsonpath(path: Path) -> str:
    """A path as the target of an overlay action."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else _key(step) for step in path)
    return f"$.components.schemas{steps}"


def _key(step: str) -> str:
    return f".{step}" if step.isidentifier() else f"['{step}']"
