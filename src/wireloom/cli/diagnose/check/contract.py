"""A contract: which operations there are, and whether an answer has the form that it declares."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, best_match
from referencing.exceptions import Unresolvable

from wireloom.cli.diagnose.check.answer import DONE, Answer, frames
from wireloom.wire.json import Json

METHODS = ("get", "put", "post", "delete", "patch")
MOST_ERRORS = 3
"""Of one body or event, the violations that are reported."""
LONGEST = 240
"""Characters of a violation at most; the rest may be a whole answer."""
UNUSABLE = (Unresolvable, SchemaError, UnknownType, re.error)
"""Errors of a schema itself, which a deployment may serve."""
UNIONS = ("oneOf", "anyOf")
_NOTHING: Final[Json] = {}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: its method in upper case, its path with names in braces, the responses that it declares."""

    method: str
    path: str
    responses: Mapping[str, Json]

    def url(self, values: Mapping[str, str]) -> str:
        """Return the path with values in the place of its names.

        values: by the names that this release uses, in order. Another contract may use other names.
        """
        names = re.findall(r"{([^}]*)}", self.path)
        given = [quote(value, safe="") for value in values.values()]
        return self.path.format_map(dict(zip(names, given, strict=False)))


class Contract:
    """A contract as OpenAPI document.

    Raises:
        ValueError: the document is none.
    """

    def __init__(self, document: Any) -> None:
        if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
            raise ValueError("it is no OpenAPI document with paths")
        self.document: Json = document
        self.operations = dict(_operations(document))
        self._validators: dict[str, Draft202012Validator] = {}

    @cached_property
    def _components(self) -> Any:
        return _tagged(self.document.get("components") or _NOTHING)

    @property
    def version(self) -> str:
        """The version that the document gives."""
        return str((self.document.get("info") or _NOTHING).get("version"))

    def findings(self, answer: Answer) -> Iterator[str]:
        """Yield where an answer has not the form that its operation declares."""
        operation = self.operations[answer.operation]
        declared = self._declared(operation, answer.status)
        if declared is None:
            yield f"the status {answer.status} is not declared"
            return
        content = declared.get("content") or _NOTHING
        if not content:
            return
        media = content.get(answer.media_type)
        if media is None:
            there = answer.headers.get("content-type")
            yield f"the content-type is {there!r}, none of those declared: {', '.join(content)}"
            return
        if "itemSchema" in media:
            yield from self._events(media["itemSchema"], answer)
        elif "json" in answer.media_type and "schema" in media:
            yield from self._body(media["schema"], answer)

    def differences(self, other: Contract) -> Iterator[str]:
        """Yield how another contract differs from this one, in a few words each."""
        lacking = sorted(self.operations.keys() - other.operations.keys())
        if lacking:
            yield f"it lacks {', '.join(lacking)}"
        more = sorted(other.operations.keys() - self.operations.keys())
        if more:
            yield f"it has also {', '.join(more)}"
        if self.version != other.version:
            yield f"its version is {other.version}, not {self.version}"
        if not lacking and not more and self.document != other.document:
            yield "it describes some of the operations in another way"

    def _declared(self, operation: Operation, status: int) -> Json | None:
        for name in (str(status), f"{status // 100}XX", "default"):
            if name in operation.responses:
                return self._resolved(operation.responses[name])
        return None

    def _resolved(self, node: Json) -> Json:
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return node
        found: Any = self.document
        for key in reference.removeprefix("#/").split("/"):
            found = found[key]
        return self._resolved(found)

    def _body(self, schema: Json, answer: Answer) -> Iterator[str]:
        try:
            body = json.loads(answer.body)
        except ValueError:
            yield "the body is no JSON"
            return
        yield from self._violations(schema, body, "")

    def _events(self, schema: Json, answer: Answer) -> Iterator[str]:
        """Yield the violations of the first event that has any."""
        inner = next(_contents(schema), None)
        for number, frame in enumerate(frames(answer.text)):
            if frame.data == DONE or inner is None:
                continue
            try:
                event = json.loads(frame.data)
            except ValueError:
                yield f"event {number}: the data is no JSON"
                return
            found = list(self._violations(inner, event, f"event {number}: "))
            if found:
                yield from found
                return

    def _violations(self, schema: Json, value: Any, at: str) -> Iterator[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {**_tagged(schema), "components": self._components}
            self._validators[key] = Draft202012Validator(whole)
        try:
            errors = list(islice(self._validators[key].iter_errors(value), MOST_ERRORS))
        except UNUSABLE as error:
            yield f"{at}the contract has a schema that cannot be applied ({type(error).__name__}: {error})"
            return
        for each in errors:
            # Of a union's violations, the one that is closest to a match.
            closest = best_match([each])
            text = closest.message
            shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
            yield f"{at}{closest.json_path}: {shown}"


@cache
def release() -> Contract:
    """Return the contract of this release."""
    return Contract(json.loads(files("wireloom_protocol").joinpath("contract.json").read_bytes()))


def _operations(document: Json) -> Iterator[tuple[str, Operation]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            found = item.get(method) if isinstance(item, dict) else None
            if isinstance(found, dict) and isinstance(found.get("operationId"), str):
                responses = found.get("responses") or _NOTHING
                yield found["operationId"], Operation(method.upper(), path, responses)


def _contents(node: Any) -> Iterator[Json]:
    """Schemas of the data of events."""
    if isinstance(node, dict):
        inner = node.get("contentSchema")
        if isinstance(inner, dict):
            yield inner
        for child in node.values():
            yield from _contents(child)
    elif isinstance(node, list):
        for child in node:
            yield from _contents(child)


def _tagged(node: Any) -> Any:
    """A schema in which each union with a discriminator looks at the one member that the discriminator names.

    The meaning stays, the violations name the place at fault, and an event is not held against 58 schemas.
    """
    if isinstance(node, list):
        return [_tagged(child) for child in node]
    if not isinstance(node, dict):
        return node
    made = {name: _tagged(child) for name, child in node.items()}
    mapping = (node.get("discriminator") or _NOTHING).get("mapping") if "discriminator" in node else None
    for union in UNIONS:
        if isinstance(mapping, dict) and isinstance(made.get(union), list):
            members = {member.get("$ref") for member in made[union] if isinstance(member, dict)}
            if members == set(mapping.values()):
                del made[union]
                made |= _chosen(node["discriminator"]["propertyName"], mapping)
    return made


def _chosen(name: str, mapping: Mapping[str, str]) -> Json:
    branches = [
        {"if": {"properties": {name: {"const": value}}}, "then": {"$ref": reference}}
        for value, reference in mapping.items()
    ]
    known = {"type": "object", "required": [name], "properties": {name: {"enum": list(mapping)}}}
    return {**known, "allOf": branches}
