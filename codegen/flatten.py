"""The served document as generators of clients read it: OpenAPI 3.1, one object per request, no conditions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

from codegen import compose, select, walk

Json = Any

EVENT_STREAM = "text/event-stream"
# The statuses that the gateway itself answers with, in place of a range.
STATUSES = {
    "4XX": ("400", "401", "403", "404", "408", "413", "415", "421", "429"),
    "5XX": ("500", "502", "503", "504"),
}


def document(served: Json) -> Json:
    """Rewrite an OpenAPI 3.2 document for generators, rule by rule.

    Args:
        served: the document that the gateway serves, without titles; not changed.
    """
    flat = copy.deepcopy(served)
    flat["openapi"] = "3.1.0"
    for _, _, operation in select.operations(flat):
        operation["responses"] = _numbered(operation["responses"])
    for media in _event_streams(flat):
        media["schema"] = payload(media.pop("itemSchema"))
        media.pop("examples", None)  # whole streams, which 3.1 cannot tell from single events
    schemas = flat["components"]["schemas"]
    for rule in RULES:
        # The innermost schemas come first, so that a rule sees the parts of a schema rewritten.
        for _, schema in reversed(list(walk.schemas(flat))):
            rule.act(schema, schemas)
    return select.closed(flat)


def _numbered(responses: Json) -> Json:
    """Responses by status, with each range spelt out by the statuses that it stands for."""
    numbered: dict[str, Json] = {}
    for status, response in responses.items():
        for number in STATUSES.get(status, (status,)):
            numbered.setdefault(number, response)
    return numbered


def _event_streams(flat: Json) -> list[Json]:
    return [
        response["content"][EVENT_STREAM]
        for _, _, operation in select.operations(flat)
        for response in operation["responses"].values()
        if EVENT_STREAM in response.get("content", {})
    ]


def payload(item: Json) -> Json:
    """The schema of the JSON that one event carries; 3.1 has no keyword for a stream of events.

    Args:
        item: the schema of one event as 3.2 describes it, whose data is the literal [DONE] or JSON.
    """
    branches = item["properties"]["data"]["anyOf"]
    return next(branch["contentSchema"] for branch in branches if "contentSchema" in branch)


# -- rules for schemas -----------------------------------------------------------------------------------------------


def _merge(schema: Json, schemas: Json) -> None:
    """Put one object in the place of an allOf; its conditions define no member, so they are dropped."""
    if "allOf" in schema:
        whole = compose.merged(schema, schemas)
        schema.clear()
        schema.update(copy.deepcopy(whole))


def merged(served: Json) -> Json:
    """A document with one object in the place of each allOf.

    Args:
        served: an OpenAPI document; not changed.
    """
    whole = copy.deepcopy(served)
    for _, schema in reversed(list(walk.schemas(whole))):
        _merge(schema, whole["components"]["schemas"])
    return whole


def conditions(served: Json) -> dict[str, list[Json]]:
    """Name of a schema -> the parts of its allOf that define no member.

    Args:
        served: an OpenAPI document.
    """
    found = {
        name: [part for part in schema.get("allOf", []) if compose.conditional(part)]
        for name, schema in served["components"]["schemas"].items()
    }
    return {name: parts for name, parts in found.items() if parts}


def _any_boolean(schema: Json, _: Json) -> None:
    """Drop the enum of a boolean; a constant of one value stays a description."""
    if schema.get("type") == "boolean":
        schema.pop("enum", None)


def _any_items(schema: Json, _: Json) -> None:
    """Give an array of anything its items."""
    if schema.get("type") == "array":
        schema.setdefault("items", {})


def _constant(schema: Json, _: Json) -> None:
    """Write an enum of one value as a constant, for which generators need no class."""
    if len(schema.get("enum", [])) == 1:
        schema["const"] = schema.pop("enum")[0]


def _no_default_mapping(schema: Json, _: Json) -> None:
    """Drop the branch of an object without a tag, a keyword of 3.2."""
    if isinstance(discriminator := schema.get("discriminator"), dict):
        discriminator.pop("defaultMapping", None)


class Rule(NamedTuple):
    """One difference between the served document and the flattened one."""

    does: str
    """The difference, for readers of the documents."""
    wider: str | None
    """The values that only the flattened document accepts; None where both accept the same ones."""
    act: Callable[[Json, Json], None]
    """Rewrites a schema in place; the second argument has the components by name."""


RULES: tuple[Rule, ...] = (
    Rule(
        "One object stands in the place of an `allOf`; its conditions are dropped.",
        "A request for a response that has nothing to answer: no instructions, no text, message, call or "
        "reference in `input`, and neither `previous_response_id` nor `conversation`.",
        _merge,
    ),
    Rule(
        "A boolean has no `enum`.",
        "`background: true`.",
        _any_boolean,
    ),
    Rule("An array has `items`.", None, _any_items),
    Rule("An `enum` of one value is a `const`.", None, _constant),
    Rule("A discriminator has no `defaultMapping`.", None, _no_default_mapping),
)
