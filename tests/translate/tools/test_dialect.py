"""Schemas in the dialects of upstreams: what is kept, what is said in another way, what is lost and reported."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.tools import Json
from wireloom.providers import Profile, load
from wireloom.providers.derived import derived
from wireloom.providers.schemas import PRESETS
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools import dialect_merge, dialect_walk
from wireloom.translate.tools.dialect import fit_definition, fit_format, fitted_tools

GENERIC = load("generic")
TEXT: Json = {"type": "string"}


def profile(schemas: Any) -> Profile:
    return derived("mine", {"schemas": schemas}, GENERIC)


BY_NAME = {name: profile(name) for name in PRESETS}


def fit(schema: Json, name: str, **more: Any) -> tuple[Json, Losses]:
    """The parameters of a tool in a dialect, and what was lost."""
    losses = Losses()
    definition = {"parameters": schema, **more}
    before = copy.deepcopy(definition)
    made = fit_definition(definition, BY_NAME[name], "tools[2]", losses)
    assert definition == before  # a client's own schema is never changed
    return made, losses


def of(**properties: Any) -> Json:
    return {"type": "object", "properties": properties}


# -- what is clean -------------------------------------------------------------------------------------------------

CLEAN: list[Json] = [
    of(a=TEXT),
    of(a={"type": "integer", "minimum": 1}, b={"type": "array", "items": TEXT}),
    {**of(a={"type": "string", "enum": ["x", "y"]}), "required": ["a"]},
    # Names of properties are no words.
    of(encrypted=TEXT, anyOf=TEXT, const=TEXT, nullable={"type": "boolean"}),
]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("schema", CLEAN)
def test_a_clean_schema_is_the_same_object(schema: Json, name: str) -> None:
    for _ in range(2):  # looked into, then remembered
        definition = {"parameters": schema, "name": "t"}
        losses = Losses()
        assert fit_definition(definition, BY_NAME[name], "tools[0]", losses) is definition
        assert not losses.items


@pytest.mark.parametrize("name", ["plain", "openai-strict", "mistral", "groq"])
def test_references_and_inner_unions_stay_where_they_are_known(name: str) -> None:
    schema = {**of(a={"$ref": "#/$defs/A"}, b={"anyOf": [TEXT, {"type": "null"}]}), "$defs": {"A": TEXT}}
    made, losses = fit(schema, name)
    assert made["parameters"] is schema
    assert not losses.items


def test_lists_of_tools_that_are_clean_are_the_same_list() -> None:
    tools: list[Json] = [
        {"type": "function", "function": {"name": "t", "parameters": of(a=TEXT)}},
        {"type": "x"},
    ]
    assert fitted_tools(tools, GENERIC, Losses()) is tools


# -- what is said in another way, with the same meaning ------------------------------------------------------------

ALIKE: list[tuple[str, str, Json, Json]] = [
    ("properties", "plain", {"type": "object"}, of()),
    ("properties null", "plain", {"type": "object", "properties": None}, of()),
    ("no type", "plain", {"properties": {"a": TEXT}}, of(a=TEXT)),
    (
        "nothing but a limit",
        "plain",
        {"additionalProperties": False},
        {**of(), "additionalProperties": False},
    ),
    ("a vendor's word", "plain", of(a={**TEXT, "encrypted": True}), of(a=TEXT)),
    ("words that begin with x-", "plain", of(a={**TEXT, "x-order": 1}), of(a=TEXT)),
    (
        "one branch at the top",
        "plain",
        {"type": "object", "properties": {"a": TEXT}, "oneOf": [{"required": ["a"]}]},
        {**of(a=TEXT), "required": ["a"]},
    ),
    (
        "all of, at the top",
        "plain",
        {"allOf": [of(a=TEXT), {**of(b=TEXT), "required": ["b"]}]},
        {**of(a=TEXT, b=TEXT), "required": ["b"]},
    ),
    (
        "a reference at the top",
        "plain",
        {"$ref": "#/$defs/A", "$defs": {"A": of(a=TEXT)}},
        {"$defs": {"A": of(a=TEXT)}, **of(a=TEXT)},
    ),
    ("a reference", "gemini", {**of(a={"$ref": "#/$defs/A"}), "$defs": {"A": TEXT}}, of(a=TEXT)),
    (
        "a reference with a description",
        "anthropic",
        {**of(a={"$ref": "#/definitions/A~1B", "description": "d"}), "definitions": {"A/B": TEXT}},
        of(a={**TEXT, "description": "d"}),
    ),
    ("a list of types", "gemini", of(a={"type": ["string", "null"]}), of(a={**TEXT, "nullable": True})),
    (
        "a branch for null",
        "gemini",
        of(a={"anyOf": [TEXT, {"type": "null"}], "description": "d"}),
        of(a={**TEXT, "description": "d", "nullable": True}),
    ),
    (
        "null among branches",
        "gemini",
        of(a={"anyOf": [TEXT, {"type": "integer"}, {"type": "null"}]}),
        of(a={"anyOf": [TEXT, {"type": "integer"}], "nullable": True}),
    ),
    (
        "null among values",
        "gemini",
        of(a={"type": ["string", "null"], "enum": ["x", None]}),
        of(a={"type": "string", "enum": ["x"], "nullable": True}),
    ),
    (
        "several types",
        "gemini",
        of(a={"type": ["string", "integer", "null"], "maxLength": 3, "minimum": 1, "title": "T"}),
        of(
            a={
                "title": "T",
                "anyOf": [{**TEXT, "maxLength": 3}, {"type": "integer", "minimum": 1}],
                "nullable": True,
            }
        ),
    ),
    ("a constant", "gemini", of(a={"const": "x"}), of(a={"enum": ["x"], "type": "string"})),
    (
        "an open bound of integers",
        "gemini",
        of(a={"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}),
        of(a={"type": "integer", "minimum": 1, "maximum": 8}),
    ),
    (
        "a bound of draft 4",
        "mistral",
        of(a={"minimum": 0, "exclusiveMinimum": True}),
        of(a={"exclusiveMinimum": 0}),
    ),
    ("a form of texts", "gemini", of(a={**TEXT, "format": "uri"}), of(a=TEXT)),
    ("open objects", "gemini", {**of(a=TEXT), "additionalProperties": True}, of(a=TEXT)),
    ("all of, within", "gemini", of(a={"allOf": [TEXT, {"maxLength": 3}]}), of(a={**TEXT, "maxLength": 3})),
    (
        "a list of types, as a union",
        "cerebras",
        of(a={"type": ["string", "null"]}),
        of(a={"anyOf": [TEXT, {"type": "null"}]}),
    ),
    ("items named", "openai-strict", of(a={"type": "array"}), of(a={"type": "array", "items": {}})),
]


@pytest.mark.parametrize(("why", "name", "schema", "right"), ALIKE, ids=[f"{n}: {w}" for w, n, _, _ in ALIKE])
def test_a_schema_with_the_same_meaning(why: str, name: str, schema: Json, right: Json) -> None:
    made, losses = fit(schema, name)
    assert made["parameters"] == right
    assert all(loss.severity is Severity.IMMATERIAL for loss in losses.items)
    assert {loss.path for loss in losses.items} <= {"tools[2].parameters"}


# -- what is lost --------------------------------------------------------------------------------------------------

WIDER: list[tuple[str, str, Json, Json, str]] = [
    (
        "any of, at the top",
        "plain",
        {"anyOf": [{**of(a=TEXT), "required": ["a"]}, {**of(b=TEXT), "required": ["b"]}]},
        of(a=TEXT, b=TEXT),
        "anyOf are one object",
    ),
    (
        "one of by a word that says which",
        "plain",
        {
            "oneOf": [
                {**of(kind={"const": "x"}, n={"type": "integer"}), "required": ["kind", "n"]},
                {**of(kind={"const": "y"}, n=TEXT), "required": ["kind"]},
            ]
        },
        {
            **of(kind={"enum": ["x", "y"]}, n={"anyOf": [{"type": "integer"}, TEXT]}),
            "required": ["kind"],
        },
        "oneOf are one object",
    ),
    (
        "unions in unions",
        "plain",
        {"anyOf": [{"oneOf": [of(a=TEXT), of(b=TEXT)]}, {"$ref": "#/$defs/C"}], "$defs": {"C": of(c=TEXT)}},
        {"$defs": {"C": of(c=TEXT)}, **of(a=TEXT, b=TEXT, c=TEXT)},
        "one object",
    ),
    ("not, at the top", "plain", {**of(a=TEXT), "not": {"required": ["b"]}}, of(a=TEXT), "without not"),
    (
        "closed objects",
        "gemini",
        {**of(a=TEXT), "additionalProperties": False},
        of(a=TEXT),
        "additionalProperties",
    ),
    (
        "a number above a bound",
        "gemini",
        of(a={"type": "number", "exclusiveMinimum": 0}),
        of(a={"type": "number"}),
        "exclusiveMinimum",
    ),
    (
        "values that are no texts",
        "gemini",
        of(a={"type": "integer", "enum": [1, 2], "description": "How many."}),
        of(a={"type": "integer", "description": "How many. One of: 1, 2."}),
        "values listed",
    ),
    (
        "a schema that holds itself",
        "gemini",
        {
            **of(a={"$ref": "#/$defs/Node"}),
            "$defs": {"Node": of(next={"$ref": "#/$defs/Node"}, name=TEXT)},
        },
        of(a=of(next={"type": "object"}, name=TEXT)),
        "holds itself",
    ),
    (
        "a reference that leads nowhere",
        "gemini",
        of(a={"$ref": "https://a.example/s.json", "description": "d"}),
        of(a={"description": "d"}),
        "leads nowhere",
    ),
    (
        "a tuple",
        "gemini",
        of(a={"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "items": False}),
        of(a={"type": "array", "maxItems": 2, "items": {"anyOf": [TEXT, {"type": "integer"}]}}),
        "places of an array",
    ),
    (
        "one of, within",
        "gemini",
        of(a={"oneOf": [TEXT, {"type": "integer"}]}),
        of(a={"anyOf": [TEXT, {"type": "integer"}]}),
        "anyOf",
    ),
    (
        "names that are required and unknown",
        "gemini",
        {**of(a=TEXT), "required": ["a", "b"]},
        {**of(a=TEXT), "required": ["a"]},
        "required names",
    ),
    (
        "a name that is refused",
        "anthropic",
        {**of(**{"a b": TEXT, "c": TEXT}), "required": ["a b", "c"]},
        {**of(c=TEXT), "required": ["c"]},
        "names are refused",
    ),
]


@pytest.mark.parametrize(
    ("why", "name", "schema", "right", "told"), WIDER, ids=[f"{c[1]}: {c[0]}" for c in WIDER]
)
def test_a_schema_with_a_loss(why: str, name: str, schema: Json, right: Json, told: str) -> None:
    made, losses = fit(schema, name)
    assert made["parameters"] == right
    (loss,) = [each for each in losses.items if each.severity is Severity.DEGRADING]
    assert (loss.path, loss.action) == ("tools[2].parameters", "changed")
    assert told in loss.reason


def test_a_schema_that_is_no_object_stays_for_the_upstream_to_refuse() -> None:
    made, losses = fit({"type": "string"}, "plain")
    assert made["parameters"] == {"type": "string"}
    assert not losses.items


def test_references_in_place_are_bounded() -> None:
    definitions: Json = {"d0": of(a=TEXT)}
    for index in range(1, 40):
        inner = {"$ref": f"#/$defs/d{index - 1}"}
        definitions[f"d{index}"] = of(a=inner, b=inner)
    made, losses = fit({**of(a={"$ref": "#/$defs/d39"}), "$defs": definitions}, "gemini")
    assert "$ref" not in str(made["parameters"])
    assert any("cut at a depth" in loss.reason for loss in losses.items)


def test_deep_schemas_are_cut() -> None:
    shallow = profile({"max_depth": 3})
    losses = Losses()
    deep = of(a=of(b=of(c=of(d=TEXT))))
    made = fit_definition({"parameters": deep}, shallow, "tools[0]", losses)
    assert made["parameters"] == of(a=of(b=of(c={"type": "object"})))
    assert "cut at a depth of 3" in losses.items[0].reason


# -- strict --------------------------------------------------------------------------------------------------------

CLOSED: Json = {**of(a=TEXT), "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({**of(), "additionalProperties": False}, True),
        (of(a=TEXT), False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"a": {"oneOf": [TEXT]}}}, False),
        ({**CLOSED, "properties": {"a": of(b=TEXT)}}, False),
        ({**CLOSED, "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": of(b=TEXT)}}, False),
    ],
)
def test_strict_goes_where_a_schema_cannot_be(schema: Json, strict: bool) -> None:
    made, losses = fit(schema, "openai-strict", strict=True)
    assert made["strict"] is strict
    assert [loss.path for loss in losses.items] == ([] if strict else ["tools[2].strict"])


def test_strict_stays_where_nothing_is_known_of_it() -> None:
    made, losses = fit(of(a=TEXT), "plain", strict=True)
    assert made["strict"] is True
    assert not losses.items


# -- formats -------------------------------------------------------------------------------------------------------


def test_a_format_keeps_its_union_unless_the_dialect_has_none_at_the_top() -> None:
    form = {"name": "n", "schema": {"anyOf": [of(a=TEXT), of(b=TEXT)]}}
    losses = Losses()
    assert fit_format(form, BY_NAME["plain"], "text.format", losses) is form
    made = fit_format(form, BY_NAME["openai-strict"], "text.format", losses)
    assert made["schema"] == of(a=TEXT, b=TEXT)
    assert [loss.path for loss in losses.items if loss.severity is Severity.DEGRADING] == [
        "text.format.schema"
    ]


def test_a_format_may_be_a_list() -> None:
    form = {"name": "n", "schema": {"type": "array", "items": TEXT}}
    assert all(fit_format(form, each, "text.format", Losses()) is form for each in BY_NAME.values())


def test_words_that_are_refused_in_formats_stay_in_tools() -> None:
    schema = of(a={"type": "array", "items": TEXT, "minItems": 1})
    assert fit(schema, "groq")[0]["parameters"] is schema
    made = fit_format({"name": "n", "schema": schema}, BY_NAME["groq"], "text.format", Losses())
    assert made["schema"] == of(a={"type": "array", "items": TEXT})


# -- numbers of tools ----------------------------------------------------------------------------------------------


def test_no_more_tools_than_the_upstream_takes() -> None:
    tools = [{"type": "function", "function": {"name": f"t{i}", "parameters": of()}} for i in range(130)]
    losses = Losses()
    assert fitted_tools(tools, BY_NAME["groq"], losses) == tools[:128]
    assert [(loss.path, loss.severity) for loss in losses.items] == [("tools", Severity.DEGRADING)]


# -- values that fit -----------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
LEAVES_LIST: list[Json] = [
    TEXT,
    {"type": "string", "maxLength": 2},
    {"type": "integer", "exclusiveMinimum": 0},
    {"type": ["string", "null"]},
    {"type": ["integer", "string"], "minimum": 0},
    {"const": "x"},
    {"type": "boolean", "x-vendor": 1},
    {"type": ["string", "null"], "enum": ["x", None]},
    {"type": "string", "nullable": True},
    {"$ref": "#/$defs/D"},
    {"anyOf": [TEXT, {"type": "null"}]},
    {"anyOf": [{"type": "integer"}, {"type": "boolean"}, {"type": "null"}]},
]
LEAVES = st.sampled_from(LEAVES_LIST)


def _objects(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    properties = st.dictionaries(NAMES, inner, max_size=3)
    return st.builds(
        lambda held, required, more: {
            "type": "object",
            "properties": held,
            "required": sorted(required & set(held)),
            **more,
        },
        properties,
        st.sets(NAMES),
        st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": True}]),
    )


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        _objects(inner),
        inner.map(lambda items: {"type": "array", "items": items, "maxItems": 2}),
        st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches}),
        st.lists(_objects(LEAVES), min_size=1, max_size=2).map(lambda branches: {"allOf": branches}),
    ),
    max_leaves=6,
)
VALUES_LIST: list[Any] = [
    None,
    True,
    0,
    1,
    2,
    1.5,
    "",
    "x",
    "yy",
    "zzz",
    [],
    ["x", None],
    {},
    {"a": None},
    {"b": "x"},
]
VALUES = st.recursive(
    st.sampled_from(VALUES_LIST),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


def in_json_schema(schema: Any) -> Any:
    """A schema in which `nullable` is said by JSON Schema's own means."""
    if isinstance(schema, list):
        return [in_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    own = {word: value for word, value in schema.items() if word not in ("nullable", "properties", "$defs")}
    plain = {word: in_json_schema(value) for word, value in own.items()}
    for word in ("properties", "$defs"):
        if word in schema:
            plain[word] = {name: in_json_schema(each) for name, each in schema[word].items()}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def valid(schema: Json, value: Any) -> bool:
    checked: bool = jsonschema.Draft202012Validator(in_json_schema(schema)).is_valid(value)
    return checked


def judge(name: str, held: Json, values: Iterable[Any]) -> None:
    """A value fits both schemas or none, unless the loss is reported; then the rewritten one may fit more."""
    schema = {**of(a=held), "$defs": {"D": {"type": "integer", "maximum": 1}}}
    made, losses = fit(schema, name)
    wider = any(loss.severity is Severity.DEGRADING for loss in losses.items)
    for value in values:
        before, after = valid(schema, {"a": value}), valid(made["parameters"], {"a": value})
        assert after if before else (wider or not after), (name, held, made, value)


@pytest.mark.parametrize("name", PRESETS)
def test_what_fits_a_leaf_is_the_same_unless_a_loss_is_reported(name: str) -> None:
    for leaf in LEAVES_LIST:
        judge(name, leaf, VALUES_LIST)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(PRESETS)), SCHEMAS, st.lists(VALUES, max_size=3))
def test_what_fits_is_the_same_unless_a_loss_is_reported(name: str, held: Json, values: list[Any]) -> None:
    judge(name, held, [*VALUES_LIST, *values])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(PRESETS)), st.dictionaries(NAMES, SCHEMAS, max_size=3))
def test_a_rewritten_schema_is_clean(name: str, held: Json) -> None:
    schema = {**of(**held), "$defs": {"D": {"type": "integer", "maximum": 1}}}
    once = fit(schema, name)[0]["parameters"]
    again, losses = fit(once, name)
    assert again["parameters"] == once
    assert not losses.items


SOURCE = Path(dialect_walk.__file__).read_text() + Path(dialect_merge.__file__).read_text()
WORDS = sorted(set(re.findall(r'"([$a-zA-Z]+)"', SOURCE)) | {"$ref", "encrypted"})
ANYTHING = st.recursive(
    st.sampled_from([None, True, False, 0, -1.5, "", "object", "null", "#", "#/$defs/a", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WORDS, "a"]), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(PRESETS)),
    st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=8),
    st.booleans(),
)
def test_no_schema_fails(name: str, schema: Json, strict: bool) -> None:
    """Whatever a client sends as a schema is sent in some form, for the upstream to judge."""
    fit(schema, name, strict=strict)
    fit_format({"schema": schema, "strict": strict}, BY_NAME[name], "text.format", Losses())


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("word", ["anyOf", "allOf", "oneOf"])
def test_a_union_of_itself_ends(name: str, word: str) -> None:
    node = {"$ref": "#/$defs/A"}
    fit({"$ref": "#/$defs/A", "$defs": {"A": {word: [node, node, of(a=node)]}}}, name)
