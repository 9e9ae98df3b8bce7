"""The comparison of two contracts: each kind of change has a line, under its heading."""

from __future__ import annotations

from typing import Any

import pytest

from codegen import news

pytestmark = pytest.mark.contract

Schemas = dict[str, Any]


def contract(operations: Any = None, **schemas: Any) -> Any:
    """An OpenAPI document with some operations (id -> method, path, what else it has) and schemas."""
    paths: Schemas = {}
    for name, (method, path, rest) in (operations or {}).items():
        paths.setdefault(path, {})[method] = {"operationId": name, **rest}
    return {"paths": paths, "components": {"schemas": schemas}}


def compared(old: Any, new: Any) -> list[str]:
    return [line.strip() for line in news.lines(news.facts(old), news.facts(new))]


def obj(*required: str, **fields: Any) -> Any:
    listed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": fields, **listed}


STRING = {"type": "string"}
SCHEMA_CHANGES: list[tuple[str, Any, Any, list[str]]] = [
    ("field", obj(a=STRING), obj(a=STRING, b=STRING), ["new", "fields", "X.b: string"]),
    ("no field", obj(a=STRING, b=STRING), obj(a=STRING), ["gone", "fields", "X.b: string"]),
    ("field of a field", obj(a=obj()), obj(a=obj(b=STRING)), ["new", "fields", "X.a.b: string"]),
    (
        "field of an item",
        obj(a={"type": "array", "items": obj()}),
        obj(a={"type": "array", "items": obj(b=STRING)}),
        ["new", "fields", "X.a[].b: string"],
    ),
    (
        "field of a value",
        {"type": "object", "additionalProperties": obj()},
        {"type": "object", "additionalProperties": obj(b=STRING)},
        ["new", "fields", "X.*.b: string"],
    ),
    ("required", obj(a=STRING), obj("a", a=STRING), ["new", "required", "X.a"]),
    ("not required", obj("a", a=STRING), obj(a=STRING), ["gone", "required", "X.a"]),
    ("word", {**STRING, "enum": ["a"]}, {**STRING, "enum": ["a", "b"]}, ["new", "enum values", "X = b"]),
    ("no word", {**STRING, "enum": ["a", "b"]}, {**STRING, "enum": ["a"]}, ["gone", "enum values", "X = b"]),
    (
        "member",
        {"oneOf": [{"$ref": "#/components/schemas/A"}]},
        {"oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
        ["new", "union members", "X = B"],
    ),
    (
        "no member",
        {"anyOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
        {"anyOf": [{"$ref": "#/components/schemas/A"}]},
        ["gone", "union members", "X = B"],
    ),
    ("type", obj(a=STRING), obj(a={"type": "integer"}), ["redefined", "types", "X.a: string -> integer"]),
    (
        "type of a schema",
        STRING,
        {"type": "integer"},
        ["redefined", "types", "X: string -> integer"],
    ),
    (
        "null",
        obj(a=STRING),
        obj(a={"anyOf": [STRING, {"type": "null"}]}),
        ["redefined", "types", "X.a: string -> anyOf(string, null)"],
    ),
    (
        "list of types",
        obj(a=STRING),
        obj(a={"type": ["string", "null"]}),
        ["redefined", "types", "X.a: string -> string or null"],
    ),
    (
        "reference",
        obj(a={"$ref": "#/components/schemas/A"}),
        obj(a={"$ref": "#/components/schemas/B"}),
        ["redefined", "types", "X.a: A -> B"],
    ),
    (
        "item",
        obj(a={"type": "array", "items": STRING}),
        obj(a={"type": "array", "items": {"type": "integer"}}),
        ["redefined", "types", "X.a: array of string -> array of integer"],
    ),
    (
        "words where any was allowed",
        obj(a=STRING),
        obj(a={**STRING, "enum": ["b"]}),
        ["new", "enum values", "X.a = b", "redefined", "types", "X.a: string -> string enum"],
    ),
    (
        "field with words, a member and a field",
        obj(),
        obj(
            "a",
            a={"type": "array", "items": {**STRING, "enum": ["x.y", "y"]}},
            b={"anyOf": [{"$ref": "#/components/schemas/B"}, {"type": "null"}]},
            c=obj("d", d={**STRING, "enum": ["z"]}),
        ),
        [
            *(
                "new",
                "fields",
                "X.a: array of string enum {x.y, y}",
                "X.b: anyOf(null) {B}",
                "X.c: object {d}",
            ),
            *("required", "X.a"),
        ],
    ),
    (
        "closed object",
        obj(),
        {**obj(), "additionalProperties": False},
        ["redefined", "types", "X: object -> object additionalProperties=false"],
    ),
    ("anything", obj(a={}), obj(a=STRING), ["redefined", "types", "X.a: anything -> string"]),
    (
        "two branches without a name",
        {"anyOf": [obj(a=STRING), obj(a={"type": "integer"})]},
        {"anyOf": [obj(a=STRING), obj(a={"type": "number"})]},
        ["redefined", "types", "X.a: string or integer -> string or number"],
    ),
]
KEYWORDS: list[tuple[str, Any]] = [
    ("format", "date"),
    ("const", "a"),
    ("default", "a"),
    ("minimum", 1),
    ("maximum", 1),
    ("minLength", 1),
    ("maxLength", 1),
    ("minItems", 1),
    ("maxItems", 1),
    ("pattern", "^a$"),
    ("nullable", True),
    ("deprecated", True),
    ("uniqueItems", True),
    ("a-keyword-that-nobody-knows", {"a": 1}),
]


@pytest.mark.parametrize(
    ("old", "new", "said"), [case[1:] for case in SCHEMA_CHANGES], ids=[c[0] for c in SCHEMA_CHANGES]
)
def test_a_schema_that_changed(old: Any, new: Any, said: list[str]) -> None:
    assert compared(contract(X=old), contract(X=new)) == said
    assert compared(contract(X=new), contract(X=new)) == []


@pytest.mark.parametrize(("keyword", "value"), KEYWORDS)
def test_a_keyword_that_came_or_went(keyword: str, value: Any) -> None:
    plain, changed = contract(X=obj(a=STRING)), contract(X=obj(a={**STRING, keyword: value}))
    (heading, kind, line) = compared(plain, changed)
    assert (heading, kind) == ("redefined", "types")
    assert line.startswith(f"X.a: string -> string {keyword}=")
    assert compared(changed, plain)[2].endswith("-> string")


def test_a_new_schema_is_one_line_with_what_it_holds() -> None:
    schema = obj("a", a=obj(c=STRING), b={**STRING, "enum": ["x"]})
    words = {**STRING, "enum": ["x", "y"]}
    union = {"oneOf": [{"$ref": "#/components/schemas/X"}]}
    report = ["schemas", "U: oneOf() {X}", "W: string enum {x, y}", "X: object {a, b}"]
    assert compared(contract(), contract(X=schema, W=words, U=union)) == ["new", *report]
    assert compared(contract(X=schema, W=words, U=union), contract()) == ["gone", *report]


BODY = {"content": {"application/json": {"schema": STRING}}}
OTHER_BODY = {"content": {"application/json": {"schema": {"type": "integer"}}}}
PARAMETER = {"name": "p", "in": "query", "schema": STRING}
OPERATION_CHANGES: list[tuple[str, Any, Any, list[str]]] = [
    ("path", ("get", "/a", {}), ("get", "/b", {}), ["redefined", "operations", "op: GET /a -> GET /b"]),
    ("verb", ("get", "/a", {}), ("post", "/a", {}), ["redefined", "operations", "op: GET /a -> POST /a"]),
    (
        "parameter",
        ("get", "/a", {}),
        ("get", "/a", {"parameters": [PARAMETER]}),
        ["new", "fields", "op(p): query string"],
    ),
    (
        "parameter of another place",
        ("get", "/a", {}),
        ("get", "/a", {"parameters": [{"$ref": "#/components/parameters/P"}]}),
        ["new", "fields", "op(P)"],
    ),
    (
        "word of a parameter",
        ("get", "/a", {"parameters": [{**PARAMETER, "schema": {**STRING, "enum": ["x"]}}]}),
        ("get", "/a", {"parameters": [{**PARAMETER, "schema": {**STRING, "enum": ["x", "y"]}}]}),
        ["new", "enum values", "op(p) = y"],
    ),
    (
        "required parameter",
        ("get", "/a", {"parameters": [PARAMETER]}),
        ("get", "/a", {"parameters": [{**PARAMETER, "required": True}]}),
        ["new", "required", "op(p)"],
    ),
    (
        "request",
        ("post", "/a", {"requestBody": BODY}),
        ("post", "/a", {"requestBody": OTHER_BODY}),
        ["redefined", "types", "op request application/json: string -> integer"],
    ),
    (
        "response",
        ("post", "/a", {"responses": {"200": BODY}}),
        ("post", "/a", {"responses": {"200": BODY, "404": {"$ref": "#/components/responses/Failure"}}}),
        ["new", "fields", "op 404: Failure"],
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "said"), [case[1:] for case in OPERATION_CHANGES], ids=[c[0] for c in OPERATION_CHANGES]
)
def test_an_operation_that_changed(old: Any, new: Any, said: list[str]) -> None:
    assert compared(contract({"op": old}), contract({"op": new})) == said


def test_operations_come_and_go() -> None:
    one: dict[str, Any]
    two: dict[str, Any]
    one, two = {"a": ("get", "/a", {})}, {"b": ("get", "/b", {"parameters": [PARAMETER]})}
    assert compared(contract(one), contract(one | two)) == ["new", "operations", "b: GET /b"]
    assert compared(contract(one | two), contract(one)) == ["gone", "operations", "b: GET /b"]


def messages(*methods: str, **types: Any) -> Any:
    """An app-server base file with some requests of the server."""
    rows = {name: {"params": "AParams", "result": "AResponse"} for name in methods}
    return {"methods": {"server_requests": rows}, "definitions": types}


def test_methods_come_and_go() -> None:
    line = "server_requests b/c: AParams, AResponse"
    assert compared(messages("a"), messages("a", "b/c")) == ["new", "methods", line]
    assert compared(messages("a", "b/c"), messages("a")) == ["gone", "methods", line]


def test_methods_that_are_left_out_have_names_too() -> None:
    old = {**messages("a"), "others": {"server_requests": ["b"], "client_requests": []}}
    new = {**messages("a", "b"), "others": {"server_requests": [], "client_requests": ["c"]}}
    assert compared(old, new) == [
        *("new", "methods", "client_requests c: not compiled"),
        *("redefined", "methods", "server_requests b: not compiled -> AParams, AResponse"),
    ]


def test_types_of_a_method_are_redefined() -> None:
    new = messages("a")
    new["methods"]["server_requests"]["a"]["params"] = "BParams"
    line = "server_requests a: AParams, AResponse -> BParams, AResponse"
    assert compared(messages("a"), new) == ["redefined", "methods", line]
    assert compared(messages(A=obj(a=STRING)), messages(A=obj(a={"type": "integer"}))) == [
        *("redefined", "types", "A.a: string -> integer")
    ]


def test_the_report_is_grouped() -> None:
    old = contract(X=obj("b", a=STRING, b=STRING, c=STRING), Y=STRING)
    new = contract(X=obj("a", a={"type": "integer"}, b=STRING, d=STRING), Z=STRING)
    assert news.lines(news.facts(old), news.facts(new)) == [
        "new",
        "  schemas",
        "    Z: string",
        "  fields",
        "    X.d: string",
        "  required",
        "    X.a",
        "gone",
        "  schemas",
        "    Y: string",
        "  fields",
        "    X.c: string",
        "  required",
        "    X.b",
        "redefined",
        "  types",
        "    X.a: string -> integer",
    ]
