"""Print the types of an installed `openai` package as JSON.

`python -P sdk_types.py ROOT ...` is run by the interpreter that has the package, so it imports nothing of this project. A
ROOT is a module below `openai.types`, a colon, and a name in it: `responses.response_create_params:ToolChoice`.
"""

from __future__ import annotations

import collections.abc
import datetime
import importlib
import json
import sys
import types
from typing import Any

import pydantic
import typing_extensions as t

Json = Any

PACKAGE = "openai.types"
REF = "#/types/"
SCALARS: dict[Any, Json] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime.datetime: {"type": "string", "format": "date-time"},
}
UNIONS = frozenset({t.Union, types.UnionType})
WORDS = {str: "string", bool: "boolean", int: "integer"}


class Types:
    """Schemas of classes by `module.Class`, filled while annotations are read."""

    def __init__(self) -> None:
        self.found: dict[str, Json] = {}

    def root(self, name: str) -> Json:
        """The schema of a named type, or None if the package does not have it."""
        module, _, attribute = name.partition(":")
        try:
            holder = importlib.import_module(f"{PACKAGE}.{module}")
        except ModuleNotFoundError:
            return None
        return self.schema(getattr(holder, attribute)) if hasattr(holder, attribute) else None

    def schema(self, annotation: Any) -> Json:
        """The JSON Schema of an annotation; a class becomes a reference. A type that JSON does not have is `{}`."""
        origin: Any = t.get_origin(annotation)
        arguments = t.get_args(annotation)
        if isinstance(annotation, t.TypeAliasType):
            return self.schema(annotation.__value__)
        if origin in (t.Annotated, t.Required, t.NotRequired):
            return self.schema(arguments[0])
        if origin is t.Literal:
            return {"type": WORDS[type(arguments[0])], "enum": list(arguments)}
        if origin in UNIONS:
            branches = [self.schema(argument) for argument in arguments]
            return {
                "anyOf": [branch for index, branch in enumerate(branches) if branch not in branches[:index]]
            }
        if origin is None:
            return self._plain(annotation)
        if issubclass(origin, collections.abc.Mapping):
            values = self.schema(arguments[1])
            return {"type": "object", "additionalProperties": values or True}
        if hasattr(origin, "__iter__"):
            return {"type": "array", "items": self.schema(arguments[0])}
        return {}

    def _plain(self, annotation: Any) -> Json:
        if not isinstance(annotation, type):
            return {}
        model = issubclass(annotation, pydantic.BaseModel)
        if not model and not t.is_typeddict(annotation):
            return dict(SCALARS.get(annotation, {}))
        name = f"{annotation.__module__.removeprefix(PACKAGE + '.')}.{annotation.__qualname__}"
        if name not in self.found:
            self.found[name] = {}  # a class may hold itself
            self.found[name] = self._model(annotation) if model else self._typed_dict(annotation)
        return {"$ref": REF + name}

    def _model(self, model: type[pydantic.BaseModel]) -> Json:
        model.model_rebuild(raise_errors=False)
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        properties = {name: self.schema(field.annotation) for name, field in fields.items()}
        return _object(properties, [name for name, field in fields.items() if field.is_required()])

    def _typed_dict(self, typed_dict: Any) -> Json:
        properties: dict[str, Json] = {}
        required = []
        for name, hint in t.get_type_hints(typed_dict, include_extras=True).items():
            wire = _alias(hint) or name
            properties[wire] = self.schema(hint)
            form: Any = t.get_origin(hint)
            # Written as strings, the hints that say Required are not yet known to `__required_keys__`.
            if form is t.Required or name in typed_dict.__required_keys__:
                required.append(wire)
        return _object(properties, required)


def _alias(hint: Any) -> str | None:
    """The name on the wire, where an annotation has one."""
    while t.get_origin(hint) in (t.Required, t.NotRequired):
        (hint,) = t.get_args(hint)
    notes = t.get_args(hint)[1:] if t.get_origin(hint) is t.Annotated else ()
    return next((note.alias for note in notes if getattr(note, "alias", None)), None)


def _object(properties: dict[str, Json], required: list[str]) -> Json:
    listed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, **listed}


def facts(roots: list[str]) -> Json:
    """What the package says: its version, the schemas of the roots (None if gone), and the types that they reach."""
    found = Types()
    schemas = {name: found.root(name) for name in roots}
    version = importlib.import_module("openai").__version__
    return {"version": version, "roots": schemas, "types": found.found}


if __name__ == "__main__":
    json.dump(facts(sys.argv[1:]), sys.stdout)
