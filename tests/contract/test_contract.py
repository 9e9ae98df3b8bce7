"""The served document and the types compiled from it: sound in themselves, equal to each other, true to recordings."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter
from schemathesis.specs.openapi.definitions import OPENAPI_32_VALIDATOR
from wireloom_protocol import chat, hot
from wireloom_protocol import responses as m
from wireloom_protocol.operations import OPERATIONS as SERVED

from codegen import walk
from codegen.select import METHODS, PROSE
from tests.support.captures import CAPTURES, Capture
from tests.support.gateway import Gateway
from wireloom.api.operations import CONTRACTS

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
PACKAGE = files("wireloom_protocol")
DOCUMENT = json.loads(PACKAGE.joinpath("contract.json").read_bytes())
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, item[method])
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item
]
SECONDS = 30.0
COMPONENT = ("components", "schemas", "Name")


def nodes(node: Any) -> Iterator[Any]:
    """Every object within a document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


# -- the document ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CONTRACTS)
def test_it_is_served_byte_for_byte(path: str, gateway: Gateway) -> None:
    response = httpx.get(f"{gateway.root_url}{path}", timeout=SECONDS)
    assert response.content == PACKAGE.joinpath(CONTRACTS[path]).read_bytes()
    assert response.headers["content-type"] == "application/json"


def test_it_is_an_openapi_document() -> None:
    assert DOCUMENT["openapi"] == "3.2.0"
    OPENAPI_32_VALIDATOR.validate(DOCUMENT)


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_it_keeps_to_keywords_that_mean_something() -> None:
    outdated = {"nullable", "$recursiveRef", "$recursiveAnchor", "x-oaiMeta"}
    # A property may be called anything; keywords are looked for elsewhere.
    found = {key for node in nodes(DOCUMENT) if "type" in node or "$ref" in node for key in node}
    assert found & outdated == set()


def references() -> Iterator[str]:
    for node in nodes(DOCUMENT):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        if "oneOf" in node or "anyOf" in node:
            yield from node.get("discriminator", {}).get("mapping", {}).values()


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    used = set(references())
    for reference in used:
        target: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    assert {f"#/components/schemas/{name}" for name in SCHEMAS} <= used


def test_it_has_the_operations_served_and_no_other() -> None:
    wanted = tomllib.loads((ROOT / "openapi/operations.toml").read_text())["served"]
    assert sorted(operation["operationId"] for _, _, operation in OPERATIONS) == sorted(wanted)
    assert {(method.upper(), path, operation["operationId"]) for method, path, operation in OPERATIONS} == {
        route[:3] for route in SERVED
    }


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_each_operation_is_described(method: str, path: str, operation: Any) -> None:
    assert len(operation["tags"]) == 1
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["summary"].endswith(".")
    assert {"200", "4XX", "5XX"} <= set(operation["responses"])
    for response in operation["responses"].values():
        assert response.get("description") or response.get("$ref")
    assert ("requestBody" in operation) is (method == "post")
    wanted = {part[1:-1] for part in path.split("/") if part.startswith("{")}
    assert {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"} == wanted


def test_failures_are_error_objects() -> None:
    content = DOCUMENT["components"]["responses"]["Failure"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/ErrorResponse"}


def test_only_our_own_words_are_in_it() -> None:
    """Ours stand beside whole schemas, and titles everywhere; words of a foreign document stood within schemas."""
    inner = [(path, schema) for path, schema in walk.schemas(DOCUMENT) if len(path) > len(COMPONENT)]
    foreign = PROSE - {"title"}
    assert [walk.shown(path) for path, schema in inner if foreign & set(schema)] == []


def described() -> Iterator[tuple[str, Any]]:
    """All that a reader looks up by its name."""
    yield "info", DOCUMENT["info"]
    yield from ((f"tag {tag['name']}", tag) for tag in DOCUMENT["tags"])
    yield from ((f"schema {name}", schema) for name, schema in SCHEMAS.items())
    yield from ((f"scheme {name}", one) for name, one in DOCUMENT["components"]["securitySchemes"].items())
    for name, response in DOCUMENT["components"]["responses"].items():
        yield f"response {name}", response
        yield from ((f"header {header} of {name}", one) for header, one in response["headers"].items())
    for _, _, operation in OPERATIONS:
        place = operation["operationId"]
        yield place, operation
        yield from ((f"{place}: {one['name']}", one) for one in operation.get("parameters", []))
        for response in operation["responses"].values():
            yield from ((f"{place}: {name}", one) for name, one in response.get("headers", {}).items())


def test_everything_with_a_name_is_described() -> None:
    """By a sentence: a capital at its start, a full stop at its end, no line breaks."""
    sentence = re.compile(r"[A-Z`/].*\.")
    assert [place for place, node in described() if not sentence.fullmatch(node.get("description", ""))] == []
    assert sum(1 for _ in described()) > len(SCHEMAS) + len(OPERATIONS)


def test_it_has_the_version_of_the_release() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert DOCUMENT["info"]["version"] == project["version"] == version("wireloom")


# -- the types -------------------------------------------------------------------------------------------------------

UNIONS = [name for name, schema in SCHEMAS.items() if "mapping" in schema.get("discriminator", {})]


def test_the_great_unions_are_tagged_in_the_document() -> None:
    great = {"InputItem", "ItemResource", "OutputItem", "Tool", "ResponseStreamEvent", "MessageContentParam"}
    great |= {"ChatCompletionRequestMessage", "ChatCompletionRequestUserMessageContentPart"}
    assert great <= set(UNIONS)


@pytest.mark.parametrize("name", UNIONS)
def test_unions_stay_tagged(name: str) -> None:
    own = name.removesuffix("Input")  # of a schema that requests have a copy of, the type is that of both
    adapter = TypeAdapter[Any](getattr(m, own, None) or getattr(chat, own))
    adapter.rebuild(force=True)
    whole = schema = dict(adapter.core_schema)
    definitions = {each["ref"]: each for each in whole.get("definitions", [])}
    while schema["type"] in ("definitions", "definition-ref"):
        schema = schema["schema"] if schema["type"] == "definitions" else definitions[schema["schema_ref"]]
    assert schema["type"] == "tagged-union"
    assert set(SCHEMAS[name]["discriminator"]["mapping"]) <= set(schema["choices"])


@pytest.mark.parametrize("name", ["responses", "chat", "app_server"])
def test_no_literal_is_the_name_of_a_class(name: str) -> None:
    tree = ast.parse(PACKAGE.joinpath(f"_{name}.py").read_text())
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    words = {
        word.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"
        for word in ast.walk(node.slice)
        if isinstance(word, ast.Constant)
    }
    assert classes
    assert words
    assert classes & words == set()


@pytest.mark.parametrize("name", ["responses", "chat"])
def test_one_wrong_member_ends_a_list(name: str) -> None:
    """Else a body of a megabyte would become a gigabyte of errors."""
    tree = ast.parse(PACKAGE.joinpath(f"_{name}.py").read_text())
    plain = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("list", "dict")
    ]
    assert set(plain) == {"dict[str, Any]"}


# -- recordings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_recorded_requests_come_back_as_they_were(capture: Capture) -> None:
    request = capture.request
    assert request.model_dump(mode="json", by_alias=True, exclude_unset=True) == capture.body
    assert json.loads(request.model_dump_json(by_alias=True, exclude_unset=True)) == capture.body


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_recorded_requests_keep_to_the_served_document(capture: Capture) -> None:
    schema = {"$ref": "#/components/schemas/CreateResponse", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(capture.body)


# -- messages met once a token ---------------------------------------------------------------------------------------

HOT = get_args(hot.HotEvent)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("struct", HOT, ids=lambda struct: struct.__name__)
@given(data=st.data())
@settings(max_examples=50, deadline=None, database=None, derandomize=True)
def test_structs_write_what_models_write(struct: type[msgspec.Struct], data: st.DataObject) -> None:
    kinds: dict[Any, st.SearchStrategy[Any]] = {str: TEXT, int: st.integers(0, 2**53)}
    fields = {
        field.name: data.draw(kinds.get(field.type, st.just([]))) for field in msgspec.structs.fields(struct)
    }
    model: type[BaseModel] = getattr(m, struct.__name__)
    written = msgspec.json.encode(struct(**fields))
    assert written == model.model_validate_json(written).model_dump_json(exclude_unset=True).encode()
    assert written == model(type=struct.__struct_config__.tag, **fields).model_dump_json().encode()


def test_structs_stand_for_every_event_written_once_a_token() -> None:
    wanted = tomllib.loads((ROOT / "openapi/operations.toml").read_text())["hot"]["write"]
    assert [struct.__name__ for struct in HOT] == wanted
