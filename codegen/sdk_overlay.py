"""The overlay that adds to the contract what the types of the `openai` package have besides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from codegen import overlay as overlays
from codegen.contract_view import REF, Contract, jsonpath, name
from codegen.sdk import TYPE, Comparison, Form, Package, component

Json = Any

FILE = "87-openai-sdk.overlay.yaml"
TABLE = "openapi/openai_sdk.toml"
HEADER = """\
# Written by `nox -s refresh -- openai@VERSION`; do not edit. It holds structure only: names, types, words. What is not to be
# taken over stands in openapi/openai_sdk.toml under [left_out].
"""


HEAD: Json = {
    "overlay": "1.0.0",
    "info": {"title": "87-openai-sdk: what the types of the SDK have besides", "version": "1"},
    "extends": "../openai.json",
}


class NameTaken(ValueError):
    """Two different schemas that would get one name."""


def overlay(facts: Json, published: Json, contract: Json, table: Json) -> tuple[Json, list[str]]:
    """Compare the package with the contract.

    Args:
        facts: the types of the package (`codegen.sdk_types.facts`).
        published: the schemas of the published document by name.
        contract: the schemas of the corrected document, without those that this overlay adds.
        table: `types`: schema -> roots of the package; `left_out`: pattern of names -> why not.

    Returns:
        The overlay, and a sentence for each thing that has to be changed by hand.

    Raises:
        NameTaken: a new schema would have the name of another one.
    """
    package = Package(facts)
    before = Comparison(Contract(published), package, {})
    before.walk(_roots(facts, published, table["types"]))
    current = contract
    made: list[Json] = []
    used: set[str] = set()
    while True:  # what is added may itself lack something: types of one kind need not have the same fields
        comparison = Comparison(Contract(current), package, table["left_out"], before.known)
        comparison.walk(_roots(facts, current, table["types"]))
        actions = list(_actions(facts["version"], comparison))
        used |= comparison.used
        if not actions:
            break
        made += actions
        document = {"components": {"schemas": current}}
        current = overlays.apply(document, {**HEAD, "actions": actions})["components"]["schemas"]
    to_change = _to_change(facts, contract, table, comparison.lacking.homeless, used)
    return {**HEAD, "actions": made}, list(to_change)


def dump(document: Json) -> str:
    """An overlay as the text of its file."""
    return HEADER + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120)


def _roots(facts: Json, schemas: Json, types: Mapping[str, list[str]]) -> Iterator[tuple[Json, tuple[str]]]:
    for schema, roots in types.items():
        if schema in schemas:
            yield from (
                (facts["roots"][root], (schema,)) for root in roots if facts["roots"][root] is not None
            )


def _to_change(
    facts: Json, contract: Json, table: Json, homeless: Iterable[tuple[str, str]], used: set[str]
) -> Iterator[str]:
    version = facts["version"]
    for schema, roots in table["types"].items():
        if schema not in contract:
            yield f"{TABLE} [types]: the contract has no schema {schema!r}; rename or remove the entry"
        for root in (root for root in roots if facts["roots"][root] is None):
            yield f"{TABLE} [types] {schema}: openai {version} has no {root!r}; find its new name in openai.types"
    for place, kind in homeless:
        yield (
            f"{place}: openai {version} allows {kind} here besides; add it in openapi/overlays/, or name"
            f" it in {TABLE} [left_out]"
        )
    for pattern in sorted(table["left_out"].keys() - used):
        yield f"{TABLE} [left_out]: {pattern!r} matches nothing of openai {version} any more; remove the entry"


# -- actions ---------------------------------------------------------------------------------------------------------


def _actions(version: str, comparison: Comparison) -> Iterator[Json]:
    origin = f"the types of openai {version}"
    lacking = comparison.lacking
    new = _NewSchemas(comparison)
    members = {path: [new.reference(type) for type in types] for path, types in lacking.members.items()}
    fields = {
        path: {name: new.converted(schema) for name, schema in found.items()}
        for path, found in lacking.fields.items()
    }
    if new.schemas:
        reason = f"Schemas of {origin} to which the actions below refer."
        yield {
            "target": "$.components.schemas",
            "description": reason,
            "update": dict(sorted(new.schemas.items())),
        }
    for additions, what in ((fields, "Fields"), (members, "Kinds"), (lacking.words, "Words")):
        for path, value in sorted(additions.items(), key=lambda item: jsonpath(item[0])):
            reason = f"{what} of {name(path[:-1])} in {origin}, which the published document lacks."
            yield {"target": jsonpath(path), "description": reason, "update": value}


class _NewSchemas:
    """Schemas made of types for which the contract has none, by name."""

    def __init__(self, comparison: Comparison) -> None:
        self.schemas: dict[str, Json] = {}
        self._comparison = comparison
        self._types: dict[str, str] = {}

    def reference(self, type_name: str) -> Json:
        """A reference to the schema that stands for a type; one that is not there yet is made."""
        known = self._comparison.lacking.same.get(type_name)
        if known is not None:
            return {"$ref": REF + known}
        new = component(Form({}, type_name))
        if self._types.setdefault(new, type_name) != type_name or new in self._comparison.contract.schemas:
            raise NameTaken(f"openai's {type_name} cannot be called {new}: another schema has the name")
        if new not in self.schemas:
            self.schemas[new] = {}  # a type may hold itself
            self.schemas[new] = self._object(new, self._comparison.package.types[type_name])
        return {"$ref": REF + new}

    def _object(self, new: str, schema: Json) -> Json:
        """A type as a schema, without the fields that are left out."""
        taken = {key: field for key, field in schema["properties"].items() if not self._leaves_out(new, key)}
        required = [key for key in schema.get("required", []) if key in taken]
        kept = {key: value for key, value in schema.items() if key != "required"}
        return self.converted({**kept, "properties": taken, **({"required": required} if required else {})})

    def _leaves_out(self, new: str, key: str) -> bool:
        return self._comparison.leaves_out(f"{new}.{key}")

    def converted(self, schema: Json) -> Json:
        """A schema of the package as one of the contract."""
        if "$ref" in schema:
            return self.reference(schema["$ref"].removeprefix(TYPE))
        if "anyOf" in schema:
            branches = [self.converted(branch) for branch in _spread(schema)]
            return {
                "anyOf": [branch for index, branch in enumerate(branches) if branch not in branches[:index]]
            }
        converted = dict(schema)
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                converted[key] = self.converted(schema[key])
        if "properties" in schema:
            converted["properties"] = {
                key: self.converted(field) for key, field in schema["properties"].items()
            }
        return converted


def _spread(schema: Json) -> Iterable[Json]:
    """The branches of a union and of the unions within it."""
    for branch in schema["anyOf"]:
        yield from _spread(branch) if "anyOf" in branch else (branch,)
