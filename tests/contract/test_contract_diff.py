"""What one contract changes of another: each rule on a small document, in both directions."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from codegen import contract_diff
from codegen.contract_diff import changelog, diff, load

pytestmark = pytest.mark.contract

CONTRACT = Path(contract_diff.ROOT / contract_diff.CONTRACT)
TEXT = {"type": "string"}
OTHER: Any = {"type": "object", "properties": {"type": {"const": "other"}}}
THIRD: Any = {"type": "object", "properties": {"type": {"enum": ["third"]}}}


def document(schema: Any, **operation: Any) -> Any:
    """A contract whose only operation receives and answers with one schema, called A."""
    content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    operation = {
        "operationId": "a",
        "requestBody": {"required": True, **content},
        "responses": {"200": content},
        **operation,
    }
    return {
        "openapi": "3.2.0",
        "info": {"version": "1"},
        "paths": {"/a": {"post": operation}},
        "components": {"schemas": {"A": schema, "Other": OTHER, "Further": {**OTHER}, "Third": THIRD}},
    }


def changes(old: Any, new: Any) -> list[str]:
    """Each change as a line, with `!` where it breaks."""
    return [
        f"{'!' * change.breaking}{change.kind} {change.place}: {change.what}" for change in diff(old, new)
    ]


def of_schemas(old: Any, new: Any) -> tuple[list[str], list[str]]:
    """The changes of a member of A in requests and in responses."""
    found = changes(*(document({"type": "object", "properties": {"m": schema}}) for schema in (old, new)))
    asked, answered = (
        [line.replace(f" A.m ({direction})", "") for line in found if f" A.m ({direction})" in line]
        for direction in ("request", "response")
    )
    assert len(found) == len(asked) + len(answered)
    return asked, answered


REF = "#/components/schemas/"
UNION = {"oneOf": [{"$ref": f"{REF}Other"}, TEXT]}
WIDER = {"oneOf": [*UNION["oneOf"], {"$ref": f"{REF}Further"}]}


@pytest.mark.parametrize(
    ("old", "new", "request_lines", "response_lines"),
    [
        (TEXT, {"type": "integer"}, *[["!changed: the type is `integer`, it was `string`"]] * 2),
        (
            {"type": "integer"},
            {"type": "number"},
            ["changed: the type is `integer` or `number`, it was `integer`"],
            ["!changed: the type is `integer` or `number`, it was `integer`"],
        ),
        (
            TEXT,
            {"type": ["string", "null"]},
            ["changed: null is possible now"],
            ["!changed: null is possible now"],
        ),
        (
            {"anyOf": [TEXT, {"type": "null"}]},
            TEXT,
            ["!changed: null is no longer possible"],
            ["changed: null is no longer possible"],
        ),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, *[["added: a new value `b`"]] * 2),
        (
            {"enum": ["a", "b"]},
            {"const": "a"},
            ["!removed: the value `b` is gone"],
            ["removed: the value `b` is gone"],
        ),
        (
            TEXT,
            {"type": "string", "enum": ["a"]},
            ["!changed: the value is one of `a` now"],
            ["changed: the value is one of `a` now"],
        ),
        ({"type": "string", "enum": ["a"]}, TEXT, *[["added: any value is possible now"]] * 2),
        (UNION, WIDER, *[["added: a new kind `Further`"]] * 2),
        (WIDER, UNION, ["!removed: the kind `Further` is gone"], ["removed: the kind `Further` is gone"]),
        (
            TEXT,
            {"type": "string", "maxLength": 3},
            ["!changed: maxLength is `3`, it was absent"],
            ["changed: maxLength is `3`, it was absent"],
        ),
        (
            {"type": "integer", "minimum": 16},
            {"type": "integer", "minimum": 1},
            *[["changed: minimum is `1`, it was `16`"]] * 2,
        ),
        (
            {"type": "integer", "minimum": 1},
            {"type": "integer", "minimum": 16},
            ["!changed: minimum is `16`, it was `1`"],
            ["changed: minimum is `16`, it was `1`"],
        ),
        (
            TEXT,
            {"type": "string", "pattern": "a"},
            ["!changed: pattern is `a`, it was absent"],
            ["changed: pattern is `a`, it was absent"],
        ),
        ({"type": "string", "pattern": "a"}, TEXT, *[["changed: pattern is absent, it was `a`"]] * 2),
        (
            {"type": "object"},
            {"type": "object", "additionalProperties": False},
            ["!changed: other members are refused now"],
            ["changed: other members are refused now"],
        ),
        (
            {"type": "string", "default": "a"},
            {"type": "string", "default": "b"},
            *[["changed: the default is `b`, it was `a`"]] * 2,
        ),
        (TEXT, {"type": "string", "deprecated": True}, *[["changed: deprecated now"]] * 2),
        (TEXT, {"type": "string", "description": "Other words.", "title": "Words"}, [], []),
    ],
)
def test_what_a_schema_changes(
    old: Any, new: Any, request_lines: list[str], response_lines: list[str]
) -> None:
    assert of_schemas(old, new) == (request_lines, response_lines)
    assert of_schemas(new, new) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (
            {"properties": {"a": TEXT}},
            {"properties": {"a": TEXT, "b": TEXT}},
            ["added A (request): a new optional member `b`", "added A (response): a new optional member `b`"],
        ),
        (
            {"properties": {"a": TEXT}},
            {"properties": {"a": TEXT, "b": TEXT}, "required": ["b"]},
            [
                "!added A (request): a new required member `b`",
                "added A (response): a new required member `b`",
            ],
        ),
        (
            {"properties": {"a": TEXT, "b": TEXT}},
            {"properties": {"a": TEXT}},
            ["!removed A (request): the member `b` is gone", "!removed A (response): the member `b` is gone"],
        ),
        (
            {"properties": {"a": TEXT}},
            {"properties": {"a": TEXT}, "required": ["a"]},
            [
                "!changed A (request): the member `a` is required now",
                "changed A (response): the member `a` is required now",
            ],
        ),
        (
            {"properties": {"a": TEXT}, "required": ["a"]},
            {"properties": {"a": TEXT}},
            [
                "changed A (request): the member `a` is optional now",
                "!changed A (response): the member `a` is optional now",
            ],
        ),
    ],
)
def test_members(old: Any, new: Any, lines: list[str]) -> None:
    assert changes(document(old), document(new)) == lines


def test_a_named_schema_is_compared_once_in_each_direction() -> None:
    """Also where it holds itself, and where another one takes its place."""
    old = {"properties": {"a": {"$ref": f"{REF}A"}, "list": {"type": "array", "items": {"$ref": f"{REF}A"}}}}
    new = {**old, "required": ["a"]}
    assert changes(document(old), document(new)) == [
        "!changed A (request): the member `a` is required now",
        "changed A (response): the member `a` is required now",
    ]
    assert changes(document({"$ref": f"{REF}Other"}), document({"$ref": f"{REF}Further"})) == []


def test_unions_within_unions_are_one_union() -> None:
    """And null around a union is null."""
    inner = {"oneOf": [{"$ref": f"{REF}Other"}, {"$ref": f"{REF}Third"}]}
    old = document({"oneOf": [{"$ref": f"{REF}Other"}, {"$ref": f"{REF}Third"}, TEXT]})
    new = document({"anyOf": [{"anyOf": [{"$ref": f"{REF}Inner"}, {"type": "null"}]}, TEXT]})
    new["components"]["schemas"]["Inner"] = inner
    assert changes(old, new) == [
        "changed A (request): null is possible now",
        "!changed A (response): null is possible now",
    ]


def test_a_branch_may_have_another_name() -> None:
    """It is known by its tag, and compared with what it was."""
    union = {"oneOf": [{"$ref": f"{REF}Other"}, {"$ref": f"{REF}Third"}]}
    old, new = document(union), document(json.loads(json.dumps(union).replace("Third", "Renamed")))
    third = old["components"]["schemas"]["Third"]
    new["components"]["schemas"]["Renamed"] = {**third, "required": ["type"]}
    assert changes(old, new) == [
        "!changed Renamed (request): the member `type` is required now",
        "changed Renamed (response): the member `type` is required now",
    ]


def test_parts_of_an_all_of_are_one_object() -> None:
    part = {"properties": {"b": TEXT}, "required": ["b"]}
    whole = document({"allOf": [{"properties": {"a": TEXT}}, part]})
    assert changes(document({"properties": {"a": TEXT, "b": TEXT}, "required": ["b"]}), whole) == []
    conditions = document({"allOf": [{"properties": {"a": TEXT}}, part, {"anyOf": [{"not": {}}, {}]}]})
    assert changes(whole, conditions) == ["!changed A: the conditions on the whole differ"]
    assert changes(conditions, whole) == ["changed A: the conditions on the whole differ"]


QUERY = {"name": "q", "in": "query", "schema": TEXT}
ANSWER = {"content": {"application/json": {"schema": TEXT}}}
EVENT = {"properties": {"data": {"anyOf": [{"const": "[DONE]"}, {"contentSchema": {"$ref": f"{REF}A"}}]}}}
STREAM = {"content": {"text/event-stream": {"itemSchema": EVENT}}}


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({}, {"parameters": [QUERY]}, ["added POST /a: a new optional parameter `q`"]),
        ({}, {"parameters": [{**QUERY, "required": True}]}, ["!added POST /a: a new required parameter `q`"]),
        ({"parameters": [QUERY]}, {}, ["!removed POST /a: the parameter `q` is gone"]),
        (
            {"parameters": [QUERY]},
            {"parameters": [{**QUERY, "required": True}]},
            ["!changed POST /a: the parameter `q` is required now"],
        ),
        (
            {"parameters": [QUERY]},
            {"parameters": [{**QUERY, "schema": {"type": "string", "enum": ["a"]}}]},
            ["!changed POST /a `q` (request): the value is one of `a` now"],
        ),
        (
            {"requestBody": {**ANSWER}},
            {"requestBody": {**ANSWER, "required": True}},
            ["!changed POST /a: the body is required now"],
        ),
        (
            {"responses": {"200": ANSWER}},
            {"responses": {"200": ANSWER, "202": ANSWER}},
            ["added POST /a: a new response 202 application/json"],
        ),
        (
            {"responses": {"200": {"content": {**ANSWER["content"], **STREAM["content"]}}}},
            {"responses": {"200": ANSWER}},
            ["!removed POST /a: the response 200 text/event-stream is gone"],
        ),
    ],
)
def test_what_an_operation_changes(old: Any, new: Any, lines: list[str]) -> None:
    assert changes(document({}, **old), document({}, **new)) == lines


def test_events_are_responses() -> None:
    before = {"oneOf": [{"$ref": f"{REF}Other"}, TEXT]}
    after = {"oneOf": [*before["oneOf"], {"$ref": f"{REF}Further"}]}
    stream = {"responses": {"200": STREAM}, "requestBody": {"content": {}}}
    assert changes(document(before, **stream), document(after, **stream)) == [
        "added A (response): a new kind `Further`"
    ]


def test_operations_come_and_go() -> None:
    one, other = document(TEXT), document(TEXT)
    other["paths"] = {"/b": one["paths"]["/a"]}
    assert changes(one, other) == [
        "!removed POST /a: the operation is gone",
        "added POST /b: a new operation",
    ]


# -- the command -----------------------------------------------------------------------------------------------------


def test_the_changelog_has_what_breaks_first() -> None:
    old = document({"properties": {"a": TEXT, "b": TEXT}})
    new = document({"properties": {"b": {"type": "string", "default": "x"}, "c": TEXT}})
    new["info"]["version"] = "2"
    assert changelog(old, new) == (
        "# The contract, from 1 to 2\n\n## Breaking\n\n"
        "- `A (request)`: the member `a` is gone\n- `A (response)`: the member `a` is gone\n\n"
        "## Added\n\n"
        "- `A (request)`: a new optional member `c`\n- `A (response)`: a new optional member `c`\n\n"
        "## Changed\n\n"
        "- `A.b (request)`: the default is `x`, it was absent\n- `A.b (response)`: the default is `x`, it was absent"
    )


def test_a_contract_changes_nothing_of_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = json.loads(CONTRACT.read_text())
    before = copy.deepcopy(contract)
    assert diff(contract, contract) == []
    assert contract == before
    old = tmp_path / "old.json"
    old.write_text(CONTRACT.read_text())
    assert contract_diff.main([str(old)]) == 0
    assert capsys.readouterr().out.endswith("\n\nNothing changes.\n")


def test_the_real_contract_is_seen_to_the_ground() -> None:
    """A value deep inside messages that only an input, a stream of events and a list of items hold."""
    contract = json.loads(CONTRACT.read_text())
    changed = copy.deepcopy(contract)
    changed["components"]["schemas"]["MessagePhase"]["enum"].append("paused")
    assert sorted(changes(contract, changed)) == [
        "added MessagePhase (request): a new value `paused`",
        "added MessagePhase (response): a new value `paused`",
    ]


def test_what_is_neither_a_file_nor_a_revision() -> None:
    with pytest.raises(SystemExit, match="no-such-tag: neither a file nor a revision with generated/"):
        load("no-such-tag")
