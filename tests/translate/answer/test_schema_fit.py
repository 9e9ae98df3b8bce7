"""Arguments fit a schema by the words that decide what is meant; other words decide nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wireloom.translate.answer.schema_fit import fits, fits_at_top

POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
CLOSED = {**POINT, "additionalProperties": False}
TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    "additionalProperties": False,
}
NESTED = {
    "type": "object",
    "properties": {"at": CLOSED, "all": {"type": "array", "items": POINT}, "kind": {"enum": ["a", 1]}},
    "additionalProperties": {"type": "string"},
}

FITTING: list[tuple[Any, Any]] = [
    (POINT, {"x": 1}),
    (POINT, {"x": 1.0, "y": 2}),
    (CLOSED, {"x": 0}),
    (NESTED, {"at": {"x": 1}, "all": [{"x": 1}], "kind": 1, "more": "text"}),
    ({"type": ["string", "null"]}, None),
    ({"type": "invented"}, 5),
    ({"anyOf": [{"type": "string"}, POINT]}, {"x": 1}),
    ({"allOf": [POINT, {"required": ["y"]}]}, {"x": 1, "y": 1}),
    ({"const": True}, True),
    ({"pattern": "(a+)+$", "minimum": 5, "format": "date"}, "aaaa!"),
    ({**CLOSED, "patternProperties": {"^y": {}}}, {"x": 1, "y": 1}),
    ({**TREE, "$defs": {"tree": TREE}}, {"below": [{"below": []}]}),
    ({"$ref": "https://example.org/schema"}, 5),
    ({"$ref": "#/nowhere"}, 5),
    ({"$ref": "#"}, 5),
    (None, 5),
    (True, 5),
    ({"properties": "odd", "required": "odd", "enum": "odd", "anyOf": []}, {"x": 1}),
    ({"type": "number"}, 10**30),
]
MISFITS: list[tuple[Any, Any]] = [
    (POINT, {}),
    (POINT, {"x": "1"}),
    (POINT, {"x": 1.5}),
    (POINT, {"x": True}),
    (POINT, [1]),
    (CLOSED, {"x": 1, "y": 2}),
    (NESTED, {"at": {"x": 1, "y": 1}}),
    (NESTED, {"all": [{"x": 1}, {}]}),
    (NESTED, {"kind": True}),
    (NESTED, {"more": 5}),
    ({"type": ["string", "null"]}, 5),
    ({"anyOf": [{"type": "string"}, POINT]}, {}),
    ({"allOf": [POINT, {"required": ["y"]}]}, {"x": 1}),
    ({"const": 1}, True),
    ({**TREE, "$defs": {"tree": TREE}}, {"below": [{"above": []}]}),
    (False, 5),
    ({"properties": {"x": False}}, {"x": 1}),
]


@pytest.mark.parametrize(("schema", "value"), FITTING)
def test_what_fits(schema: Any, value: Any) -> None:
    assert fits(schema, value)


@pytest.mark.parametrize(("schema", "value"), MISFITS)
def test_what_does_not_fit(schema: Any, value: Any) -> None:
    assert not fits(schema, value)


def test_a_schema_that_turns_in_circles_ends() -> None:
    loop: dict[str, Any] = {"allOf": [{"$ref": "#"}, {"$ref": "#"}, {"anyOf": [{"$ref": "#"}]}]}
    assert fits(loop, {"x": 1})


@pytest.mark.parametrize(
    ("value", "fitting"),
    [({"at": {}}, True), ({"at": 5}, False), ({"kind": "other"}, True), ({}, True)],
)
def test_at_the_top_only_the_types_of_members_count(value: dict[str, Any], fitting: bool) -> None:
    assert fits_at_top(NESTED, value) is fitting


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    [
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "$ref",
        "allOf",
    ]
)


@given(st.dictionaries(words, anything | st.just("object") | st.just("#"), max_size=4), anything)
def test_no_schema_breaks_it(schema: Any, value: Any) -> None:
    assert fits(schema, value) in (True, False)
    if isinstance(value, dict):
        assert fits_at_top(schema, value) in (True, False)
