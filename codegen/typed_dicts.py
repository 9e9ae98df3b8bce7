"""The contract in the form that becomes `TypedDict`s: each object with all its members, nothing inherited."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from codegen import compose, select

Json = Any


def document(contract: Json, roots: Iterable[str]) -> Json:
    """Reduce a contract to some schemas and all that they reach, each object spelled out in one place.

    A `TypedDict` may not narrow a member of its base, as the published document does; so no class inherits.

    Args:
        contract: an OpenAPI document, as `normalise.contract` returns it; not changed.
        roots: names of the schemas.
    """
    kept = select.closed({**copy.deepcopy(contract), "openapi": "3.1.0", "paths": {}}, roots)
    schemas = kept["components"]["schemas"]
    spelled = _open({name: compose.merged(schema, schemas) for name, schema in schemas.items()})
    return select.closed({**kept, "components": {"schemas": spelled}}, roots)


def _open(node: Json) -> Json:
    """Leave out `additionalProperties: false`: a closed `TypedDict` needs a newer Python, checkers refuse unknown keys."""
    if isinstance(node, list):
        return [_open(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _open(value)
        for key, value in node.items()
        if not (key == "additionalProperties" and value is False)
    }
