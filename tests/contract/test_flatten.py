"""The document for generators: each rule alone, and what it accepts beside what the served document accepts."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis import GenerationMode

from codegen import flatten, select, titles, walk
from tests.support.gateway import Gateway
from wireloom.api.operations import CONTRACTS

pytestmark = pytest.mark.contract

PACKAGE = files("wireloom_protocol")
SERVED, FLAT = (json.loads(PACKAGE.joinpath(name).read_bytes()) for name in CONTRACTS.values())
BODIES = {
    operation["operationId"]: operation["requestBody"]["content"]["application/json"]["schema"]
    for _, _, operation in select.operations(SERVED)
    if "requestBody" in operation
}
# Enough to meet each rule; `nox -s fuzz` tries far more.
EXAMPLES = int(os.environ.get("WIRELOOM_FUZZ_EXAMPLES", "12"))
SEED = int(os.environ.get("WIRELOOM_FUZZ_SEED", "1"))
JSON = (dict, list, str, int, float, type(None))
SECONDS = 30.0
REPLY = {"200": {"description": "Done."}}


def flat(schemas: Mapping[str, Any], **used: Any) -> Any:
    """The flattened form of schemas, by name, of which A is the body of an operation."""
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    operation = {"operationId": "a", "requestBody": body, "responses": {**REPLY, **used}}
    document = {
        "openapi": "3.2.0",
        "paths": {"/a": {"post": operation}},
        "components": {"schemas": dict(schemas)},
    }
    return flatten.document(document)


def schemas(**named: Any) -> Any:
    return flat(named)["components"]["schemas"]


# -- rules -----------------------------------------------------------------------------------------------------------


def test_an_all_of_becomes_one_object() -> None:
    shared = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}
    own = {"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
    conditions = {"anyOf": [{"required": ["a"]}, {"required": ["c"], "properties": {"c": {}}}]}
    whole = {"allOf": [{"$ref": "#/components/schemas/B"}, own, conditions], "description": "A whole."}
    assert schemas(A=whole, B={"allOf": [shared]}) == {
        "A": {
            "type": "object",
            "description": "A whole.",
            "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        }
    }


def test_smaller_rules() -> None:
    whole = {
        "type": "object",
        "properties": {
            "flag": {"type": "boolean", "enum": [True], "default": True},
            "list": {"type": "array"},
            "word": {"type": "string", "enum": ["a"]},
            "words": {"type": "string", "enum": ["a", "b"]},
            "union": {
                "oneOf": [{"$ref": "#/components/schemas/B"}, {"$ref": "#/components/schemas/C"}],
                "discriminator": {"propertyName": "type", "defaultMapping": "#/components/schemas/B"},
            },
        },
    }
    kept = schemas(A=whole, B={"type": "object"}, C={"type": "object"})["A"]["properties"]
    assert kept["flag"] == {"type": "boolean", "default": True}
    assert kept["list"] == {"type": "array", "items": {}}
    assert kept["word"] == {"type": "string", "const": "a"}
    assert kept["words"] == {"type": "string", "enum": ["a", "b"]}
    assert kept["union"]["discriminator"] == {"propertyName": "type"}


def test_ranges_become_statuses_and_events_their_payload() -> None:
    payload = {"$ref": "#/components/schemas/A"}
    data = {"anyOf": [{"const": "[DONE]"}, {"type": "string", "contentSchema": payload}]}
    item = {"type": "object", "properties": {"data": data}}
    stream = {"description": "Events.", "content": {"text/event-stream": {"itemSchema": item}}}
    failure = {"description": "Failed."}
    gone = {"description": "Gone."}
    document = flat({"A": {"type": "object"}}, **{"200": stream, "404": gone, "4XX": failure, "5XX": failure})
    responses = document["paths"]["/a"]["post"]["responses"]
    assert responses.pop("200")["content"] == {"text/event-stream": {"schema": payload}}
    assert responses.pop("404") == gone
    assert {*responses} == {*flatten.STATUSES["4XX"], *flatten.STATUSES["5XX"]} - {"404"}
    assert all(response == failure for response in responses.values())


def test_the_document_is_flat() -> None:
    assert FLAT["openapi"] == "3.1.0"
    assert FLAT["info"] == SERVED["info"]
    for path, schema in walk.schemas(FLAT):
        place = walk.shown(path)
        assert "allOf" not in schema, place
        assert not (schema.get("type") == "boolean" and "enum" in schema), place
        assert schema.get("type") != "array" or "items" in schema, place
        assert len(schema.get("enum", ["", ""])) > 1, place
    for _, _, operation in select.operations(FLAT):
        assert all(status.isdecimal() for status in operation["responses"])
    text = json.dumps(FLAT)
    assert not re.search(r'"(itemSchema|defaultMapping|contentSchema)":', text)


def test_it_has_the_operations_of_the_served_document() -> None:
    named = [
        [(path, method, operation["operationId"]) for path, method, operation in select.operations(document)]
        for document in (SERVED, FLAT)
    ]
    assert named[0] == named[1]


# -- titles ----------------------------------------------------------------------------------------------------------


def titled(schema: Any, **others: Any) -> list[str]:
    document = {"components": {"schemas": {"Item": schema, **others}}}
    titles.titled(document)
    return [found["title"] for _, found in walk.schemas(document) if "title" in found]


def test_titles_are_places() -> None:
    choice = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"enum": ["a", "b"]}}]}
    tagged = {"properties": {"type": {"const": "user_location"}}}
    properties = {
        "plain": {"type": "string"},
        "status": {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]},
        "top_words": {"type": "array", "items": {"properties": {"word": {"enum": ["a", "b"]}}}},
        "choice": choice,
        "place": {"anyOf": [tagged, {"$ref": "#/components/schemas/Other"}]},
        "map": {"additionalProperties": {"properties": {}}},
        "own": {"title": "Words", "enum": ["a", "b"]},
    }
    assert titled({"properties": properties}, Other={"type": "object"}) == [
        "ItemStatus",
        "ItemTopWordsItem",
        "ItemTopWordsItemWord",
        "ItemChoice",
        "ItemChoiceListItem",
        "ItemPlace",
        "ItemPlaceUserLocation",
        "ItemMapValue",
        "Words",
    ]


def test_the_branch_of_a_nullable_component_has_another_title() -> None:
    assert titled({"anyOf": [{"properties": {}}, {"type": "null"}]}) == ["ItemObject"]


def test_two_schemas_have_two_titles() -> None:
    with pytest.raises(ValueError, match="two schemas would have the title ItemA"):
        titled({"properties": {"a": {"enum": [1, 2]}}}, ItemA={"type": "object"})


@pytest.mark.parametrize("document", [SERVED, FLAT], ids=["served", "flat"])
def test_every_type_that_a_generator_makes_has_a_name_of_its_own(document: Any) -> None:
    names = list(document["components"]["schemas"])
    names += [schema["title"] for _, schema in walk.schemas(document) if "title" in schema]
    assert len({name.lower() for name in names}) == len(names)


# -- what is accepted ------------------------------------------------------------------------------------------------


def validator(document: Any, schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def both(operation: str) -> tuple[jsonschema_rs.Draft202012Validator, jsonschema_rs.Draft202012Validator]:
    return validator(SERVED, BODIES[operation]), validator(FLAT, BODIES[operation])


def restricted(body: Any) -> Any:
    """A body without what only the flattened document accepts: one line for each rule that is wider."""
    if not isinstance(body, dict):
        return body
    answerable = {**body, "previous_response_id": "resp_1"}
    return {**answerable, "background": False} if body.get("background") is True else answerable


SOURCES = {
    "served": (SERVED, GenerationMode.POSITIVE),
    "flat": (FLAT, GenerationMode.POSITIVE),
    "wrong": (SERVED, GenerationMode.NEGATIVE),
}
# What only the flattened document accepts, and the gateway refuses: an example for each rule that is wider.
WIDER: dict[str, Any] = {
    "One object": {"model": "m", "input": [{"type": "reasoning", "summary": []}]},
    "A boolean": {"model": "m", "input": "hello", "background": True},
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("operation", BODIES)
def test_it_accepts_what_the_served_document_accepts(operation: str, source: str, gateway: Gateway) -> None:
    """And what it accepts besides is due to a rule that says so, and is refused by the gateway."""
    document, mode = SOURCES[source]
    served, flattened = both(operation)
    loaded = schemathesis.openapi.from_dict(document).find_operation_by_id(operation)

    @seeded(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=loaded.as_strategy(generation_mode=mode))
    def compare(case: schemathesis.Case[Any]) -> None:
        body = case.body
        if not isinstance(body, JSON):
            return  # a body that is missing or is no JSON
        if served.is_valid(body):
            assert flattened.is_valid(body)
        elif flattened.is_valid(body):
            assert served.is_valid(restricted(body))
            assert 400 <= post(gateway, operation, body).status_code < 500

    compare()


def post(gateway: Gateway, operation: str, body: Any) -> httpx.Response:
    path = next(path for path, _, node in select.operations(SERVED) if node["operationId"] == operation)
    path = re.sub(r"\{\w+\}", "conv_1", path)
    headers = {"authorization": f"Bearer {gateway.token}"}
    return httpx.post(gateway.root_url + path, json=body, headers=headers, timeout=SECONDS)


def test_each_wider_rule_has_an_example() -> None:
    wider = [rule.does for rule in flatten.RULES if rule.wider]
    assert [any(does.startswith(start) for start in WIDER) for does in wider] == [True] * len(WIDER)


@pytest.mark.parametrize("rule", WIDER)
def test_what_only_it_accepts_is_refused(rule: str, gateway: Gateway) -> None:
    served, flattened = both("createResponse")
    body = WIDER[rule]
    assert (served.is_valid(body), flattened.is_valid(body)) == (False, True)
    assert served.is_valid(restricted(body))
    response = post(gateway, "createResponse", body)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
