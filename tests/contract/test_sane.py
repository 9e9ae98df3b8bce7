"""What `nox -s generate` rejects: each rule on a small document, and on a copy of the contracts with one edit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from codegen import generate, sane

pytestmark = pytest.mark.contract


def complaints(**schemas: Any) -> list[str]:
    document = {"openapi": "3.2.0", "paths": {}, "components": {"schemas": schemas}}
    return [str(complaint) for complaint in sane.document(document)]


STRING = {"type": "string"}
REFERENCE = {"$ref": "#/components/schemas/B"}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (
            {"type": "object", "description": "An item", "by its id.": None},
            "components.schemas.A: the unknown keyword 'by its id.' with the value None. "
            "Quote the text that it is a part of, or remove it by an overlay.",
        ),
        (
            {"type": "array", "items": {"type": "string", "nullabel": True}},
            "components.schemas.A.items: the unknown keyword 'nullabel' with the value True. "
            "Quote the text that it is a part of, or remove it by an overlay.",
        ),
        (
            {"properties": {"a": {"type": "object", "default": None}}},
            "components.schemas.A.properties.a: the default None, which the schema itself rejects. "
            "Remove the default by an overlay, or allow its type.",
        ),
        (
            {"default": None, "oneOf": [STRING, REFERENCE]},
            "components.schemas.A: the default None, which the schema itself rejects. "
            "Remove the default by an overlay, or allow its type.",
        ),
        (
            {"default": "c", "enum": ["a", "b"]},
            "components.schemas.A: the default 'c', which the schema itself rejects. "
            "Remove the default by an overlay, or allow its type.",
        ),
        (
            {"properties": {"a": STRING}, "required": ["a", "b"]},
            "components.schemas.A: the required member 'b' is not among the properties. "
            "Define the member or remove it from `required` by an overlay.",
        ),
        (
            {"allOf": [REFERENCE, {"properties": {"a": STRING}, "required": ["c"]}]},
            "components.schemas.A.allOf[1]: the required member 'c' is not among the properties. "
            "Define the member or remove it from `required` by an overlay.",
        ),
        (
            {"properties": {"a": {"type": "object", "required": ["a"]}}},
            "components.schemas.A.properties.a: the required member 'a' is not among the properties. "
            "Define the member or remove it from `required` by an overlay.",
        ),
        (
            {"oneOf": [REFERENCE]},
            "components.schemas.A: oneOf with 1 branch. Put the branch in the union's place by an overlay.",
        ),
        (
            {"items": {"anyOf": []}},
            "components.schemas.A.items: anyOf with 0 branch. Put the branch in the union's place by an overlay.",
        ),
        (
            {"description": "A schema that is gone.", "title": "A"},
            "components.schemas.A: a description without a schema. "
            "Remove the name from the overlay that describes it, or define the schema.",
        ),
        (
            {"$ref": "#/components/schemas/Gone"},
            "components.schemas.A: the reference '#/components/schemas/Gone' leads nowhere. "
            "Define or rename the schema.",
        ),
    ],
)
def test_what_a_schema_cannot_mean(schema: Any, told: str) -> None:
    assert complaints(A=schema, B={"type": "object", "properties": {"b": STRING}}) == [told]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "x-rest-of-path": True, "properties": {"by its id.": {"type": "string"}}},
        {"default": None, "anyOf": [REFERENCE, {"type": "null"}]},
        {"default": {"b": "x"}, "$ref": "#/components/schemas/B"},
        {"allOf": [REFERENCE, {"properties": {"a": STRING}, "required": ["a", "b"]}]},
        {
            "properties": {"a": STRING},
            "anyOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"b": {}}}],
        },
        {"type": "object", "enum": [{"nullabel": None}], "examples": [{"nullabel": None}]},
    ],
)
def test_what_is_meant(schema: Any) -> None:
    assert complaints(A=schema, B={"type": "object", "properties": {"b": STRING}}) == []


def test_schemas_outside_the_components() -> None:
    """Those of bodies, events, parameters and headers, and none of what is data."""
    bad = {"type": "string", "nullabel": True}
    operation = {
        "parameters": [{"name": "a", "in": "query", "schema": bad}],
        "requestBody": {
            "content": {"application/json": {"schema": bad, "examples": {"a": {"value": {"schema": bad}}}}}
        },
        "responses": {
            "200": {"headers": {"h": {"schema": bad}}, "content": {"text/event-stream": {"itemSchema": bad}}}
        },
    }
    places = [complaint.place for complaint in sane.document({"paths": {"/a": {"post": operation}}})]
    within = "paths['/a'].post"
    assert places == [
        f"{within}.parameters[0].schema",
        f"{within}.requestBody.content['application/json'].schema",
        f"{within}.responses.200.headers.h.schema",
        f"{within}.responses.200.content['text/event-stream'].itemSchema",
    ]


def read(text: str) -> list[str]:
    return [str(complaint) for complaint in sane.overlay("a.yaml", {"actions": [yaml.safe_load(text)]})]


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (
            "{target: $.a, update: {Item: {description: An item, by its id.}}}",
            "a.yaml, action 1 ($.a), update.Item: the text 'by its id.' as a key. Quote the text that it is a part of.",
        ),
        (
            "{target: $.a, update: {description: Warm, cold}}",
            "a.yaml, action 1 ($.a), update: the key 'cold' without a value. Quote the text that it is a part of.",
        ),
        (
            "{target: $.a, update: {description: {Warm: cold}}}",
            "a.yaml, action 1 ($.a), update: description is {'Warm': 'cold'} instead of a text. "
            "Quote the text that it is a part of.",
        ),
        (
            "{target: $.a, update: {description: 200}}",
            "a.yaml, action 1 ($.a), update: description is 200 instead of a text. Quote the text that it is a part of.",
        ),
    ],
)
def test_prose_that_yaml_reads_as_something_else(action: str, told: str) -> None:
    assert read(action) == [told]


def test_names_and_data_are_no_prose() -> None:
    assert (
        read('{target: $.a, update: {properties: {description: {type: string}, "a b": {type: string}}}}')
        == []
    )
    assert (
        read("{target: $.a, update: {default: null, enum: [null], examples: {hello: {value: {a b: null}}}}}")
        == []
    )


# -- the contracts ---------------------------------------------------------------------------------------------------


def test_the_contracts_mean_something() -> None:
    assert generate.faults() == []


@pytest.mark.parametrize(
    ("file", "right", "wrong", "told"),
    [
        (
            "overlays/92-items.overlay.yaml",
            '"A reference to a stored item by its id."',
            "A reference to a stored item, by its id.",
            "the text 'by its id.' as a key",
        ),
        (
            "overlays/94-tools.overlay.yaml",
            "      Tool: {",
            "      Toolbox: {",
            "components.schemas.Toolbox: a description without a schema",
        ),
        (
            "gateway.yaml",
            "{type: string, enum: [ok]}",
            "{type: string, enum: [ok], description: Good, bad}",
            "'bad'",
        ),
        (
            "overlays/40-codex.overlay.yaml",
            "required: [type, author, recipient, content]",
            "required: [type, author, recipient, thinking]",
            "components.schemas.AgentMessageItemParam: the required member 'thinking' is not among",
        ),
        (
            "overlays/30-requests.overlay.yaml",
            "update: {minimum: 1}",
            "update: {minimum: 1",
            "30-requests.overlay.yaml: not YAML",
        ),
        (
            "overlays/30-requests.overlay.yaml",
            "$.components.schemas.ToolsArray\n",
            "$.components.schemas.Toolbox\n",
            "changes nothing",
        ),
    ],
)
def test_an_edit_that_means_nothing_is_told(
    file: str,
    right: str,
    wrong: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 1 with a sentence, nothing written, no traceback."""
    contracts = tmp_path / "openapi"
    shutil.copytree(generate.OPENAPI, contracts)
    edited = contracts / file
    assert right in edited.read_text()
    edited.write_text(edited.read_text().replace(right, wrong, 1))
    monkeypatch.setattr(generate, "OPENAPI", contracts)
    monkeypatch.setattr(generate, "PACKAGE", tmp_path / "generated")
    assert generate.main([]) == 1
    printed = capsys.readouterr().out
    assert told in printed
    assert "Nothing is generated" in printed
    assert not (tmp_path / "generated").exists()
