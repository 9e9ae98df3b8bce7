"""Every kind of tool is offered as a function or reported, under a name the upstream takes, and found again."""

import json
import re
from typing import Any, TypeAlias

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from tests.support import contract
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load, names
from wireloom.translate.loss import Losses, Severity
from wireloom.translate.tools import EMPTY_PARAMETERS, TOOLS, Target, Tools, flat_name, flatten, unwrap, wrap

Json: TypeAlias = dict[str, Any]
GENERIC, OPENAI, KIMI = load("generic"), load("openai"), load("kimi")
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
_TOOLS: TypeAdapter[list[Any]] = TypeAdapter(list[m.Tool])


def function(name: str, **more: Any) -> Json:
    return {"type": "function", "name": name, "parameters": SCHEMA, **more}


def namespace(name: str, *tools: Json) -> Json:
    return {"type": "namespace", "name": name, "description": "Some tools.", "tools": list(tools)}


def offered(
    *tools: Json, profile: Profile = GENERIC, denied: frozenset[str] = frozenset(), lenient: bool = False
) -> tuple[Tools, list[tuple[str, str, Severity]]]:
    """The tools and what was lost of them."""
    losses = Losses()
    made = flatten(_TOOLS.validate_python(tools), profile, losses, denied=denied, lenient=lenient)
    return made, [(loss.path, loss.action, loss.severity) for loss in losses.items]


def flat(tools: Tools) -> list[str]:
    assert all(tool["type"] == "function" for tool in tools.functions)
    found = [tool["function"]["name"] for tool in tools.functions]
    assert found == list(tools.by_flat_name)
    return found


# -- functions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "profile", "definition", "lost"),
    [
        (function("add"), GENERIC, {"parameters": SCHEMA, "name": "add"}, []),
        (
            function("add", description="Adds."),
            GENERIC,
            {"description": "Adds.", "parameters": SCHEMA, "name": "add"},
            [],
        ),
        (function("add", description=""), GENERIC, {"parameters": SCHEMA, "name": "add"}, []),
        (function("add", parameters=None), GENERIC, {"parameters": EMPTY_PARAMETERS, "name": "add"}, []),
        (function("add", parameters={}), GENERIC, {"parameters": EMPTY_PARAMETERS, "name": "add"}, []),
        (function("add", strict=True), OPENAI, {"parameters": SCHEMA, "strict": True, "name": "add"}, []),
        (function("add", strict=False), OPENAI, {"parameters": SCHEMA, "strict": False, "name": "add"}, []),
        (function("add", strict=None), OPENAI, {"parameters": SCHEMA, "name": "add"}, []),
        (
            function("add", strict=True),
            GENERIC,
            {"parameters": SCHEMA, "name": "add"},
            [("tools[0].strict", "dropped", Severity.DEGRADING)],
        ),
        (function("add", strict=False), GENERIC, {"parameters": SCHEMA, "name": "add"}, []),
    ],
)
def test_a_function(
    tool: Json, profile: Profile, definition: Json, lost: list[tuple[str, str, Severity]]
) -> None:
    made, losses = offered(tool, profile=profile)
    assert made.functions == [{"type": "function", "function": definition}]
    assert made.by_flat_name == {"add": Target("add")}
    assert losses == lost


def test_a_schema_goes_through_as_it_is() -> None:
    schema = {
        **SCHEMA,
        "$defs": {"x": {"type": ["string", "null"]}},
        "additionalProperties": False,
        "extra": [1],
    }
    made, _ = offered(function("add", parameters=schema), namespace("n", function("sub", parameters=schema)))
    assert [tool["function"]["parameters"] for tool in made.functions] == [schema, schema]


# -- tools with free-form input ------------------------------------------------------------------------------------


def test_a_custom_tool_is_a_function_with_one_text() -> None:
    made, losses = offered({"type": "custom", "name": "patch", "description": "Patches."})
    (tool,) = made.functions
    parameters = tool["function"].pop("parameters")
    assert tool["function"] == {"name": "patch", "description": "Patches."}
    assert parameters.pop("properties")["input"]["type"] == "string"
    assert parameters == {"type": "object", "required": ["input"], "additionalProperties": False}
    assert made.restore("patch") == Target("patch", custom=True)
    assert losses == []


def test_the_grammar_of_a_custom_tool_is_told_in_words() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "***"'}
    made, losses = offered({"type": "custom", "name": "patch", "description": "Patches.", "format": grammar})
    description = made.functions[0]["function"]["description"]
    assert description.startswith("Patches.\n\n")
    assert "lark" in description
    assert description.endswith('start: "***"')
    assert losses == [("tools[0].format", "emulated", Severity.IMMATERIAL)]


def test_a_custom_tool_bound_by_nothing_loses_nothing() -> None:
    made, losses = offered({"type": "custom", "name": "patch", "format": {"type": "text"}})
    assert made.functions[0]["function"]["description"] == ""
    assert losses == []


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_free_form_input_survives_its_wrapping(text: str) -> None:
    assert json.loads(wrap(text)) == {"input": text}
    assert unwrap(wrap(text)) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input": "a"}', "a"),
        ('{"patch": "a"}', "a"),
        ('{"command": "a", "why": "b"}', "a"),
        ('{"note": 1, "input": "a"}', "a"),
        ('{"input": {"x": 1}, "text": "a"}', "a"),
        ('{"anything": "a"}', "a"),
        ('"a"', "a"),
        ("*** Begin Patch", "*** Begin Patch"),
        ('{"input": "a', '{"input": "a'),
        ('{"one": "a", "two": "b"}', '{"one": "a", "two": "b"}'),
        ('{"anything": 1}', '{"anything": 1}'),
        ('["a"]', '["a"]'),
        ("{}", "{}"),
        ("7", "7"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_free_form_input_is_found_where_models_put_it(arguments: str, text: str) -> None:
    assert unwrap(arguments) == text


# -- namespaces ----------------------------------------------------------------------------------------------------


def test_the_tools_of_a_namespace_are_offered_one_by_one_and_come_back_to_it() -> None:
    made, losses = offered(
        function("add"), namespace("maths", function("add", strict=True), {"type": "custom", "name": "prove"})
    )
    assert flat(made) == ["add", "maths-add", "maths-prove"]
    assert [made.restore(name) for name in flat(made)] == [
        Target("add"),
        Target("add", "maths"),
        Target("prove", "maths", custom=True),
    ]
    assert [made.flat_name("add", None), made.flat_name("prove", "maths")] == ["add", "maths-prove"]
    assert made.flat_name("prove", None) is None
    assert losses == [("tools[1].tools[0].strict", "dropped", Severity.DEGRADING)]


def test_a_tool_that_was_never_offered_comes_back_as_it_is() -> None:
    assert Tools().restore("maths-add") == Target("maths-add")


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [GENERIC, KIMI], ids=["generic", "kimi"])
@pytest.mark.parametrize(
    ("name", "space"),
    [("add", None), ("add", "maths"), ("a" * 64, None), ("get_weather-2", None)],
)
def test_a_name_that_fits_stays(name: str, space: str | None, profile: Profile) -> None:
    assert flat_name(name, space, profile) == (f"{space}-{name}" if space else name)


@pytest.mark.parametrize("profile", [load(name) for name in names()], ids=list(names()))
@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("a.b", None),
        ("a b", None),
        ("ä", None),
        ("", None),
        ("a" * 65, None),
        ("b" * 40, "c" * 40),
        ("9.", None),
    ],
)
def test_a_name_that_does_not_fit_becomes_one_that_does(
    name: str, space: str | None, profile: Profile
) -> None:
    made = flat_name(name, space, profile)
    assert len(made) <= profile.tool_name_max
    assert re.fullmatch(profile.tool_name_pattern, made)
    assert re.fullmatch(r".+_[0-9a-f]{8}", made)
    assert flat_name(name, space, profile) == made
    assert flat_name(f"{name}x", space, profile) != made


@pytest.mark.parametrize("name", ["9lives", "ab", "-abc"])
def test_an_upstream_may_be_choosier(name: str) -> None:
    assert flat_name(name, None, GENERIC) == name
    assert re.fullmatch(KIMI.tool_name_pattern, flat_name(name, None, KIMI))


def test_tools_that_flatten_alike_stay_apart() -> None:
    made, _ = offered(
        function("a-b"), namespace("a", function("b")), {"type": "custom", "name": "a-b"}, function("a.b")
    )
    assert len(set(flat(made))) == 4
    assert flat(made)[0] == "a-b"
    assert [made.restore(name) for name in flat(made)] == [
        Target("a-b"),
        Target("b", "a"),
        Target("a-b", custom=True),
        Target("a.b"),
    ]


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([function("a"), function("b"), function("a")], "tools[2]"),
        ([namespace("n", function("a"), function("a"))], "tools[0].tools[1]"),
        ([namespace("n", function("a")), namespace("n", function("a"))], "tools[1].tools[0]"),
        ([{"type": "custom", "name": "a"}, {"type": "custom", "name": "a"}], "tools[1]"),
    ],
)
def test_tools_that_cannot_be_told_apart_are_refused(tools: list[Json], param: str) -> None:
    with pytest.raises(InvalidRequest, match="offered twice") as caught:
        offered(*tools)
    assert caught.value.param == param


wild = st.text(max_size=80)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.none() | wild.filter(bool), wild, st.booleans()), unique=True, max_size=8))
def test_whatever_tools_are_called_each_is_found_again(wanted: list[tuple[str | None, str, bool]]) -> None:
    """Of a namespace the contract restricts the names of functions, so its tools here are custom."""
    tools = []
    targets = []
    for space, name, custom in wanted:
        custom = custom or space is not None
        tool = {"type": "custom" if custom else "function", "name": name}
        tools.append(tool if space is None else namespace(space, tool))
        targets.append(Target(name, space, custom))
    assume(len(set(targets)) == len(targets))
    made, _ = offered(*tools, profile=KIMI)
    assert len(made.functions) == len(wanted)
    assert [made.restore(name) for name in flat(made)] == targets
    assert all(re.fullmatch(KIMI.tool_name_pattern, name) for name in flat(made))


# -- what is not offered -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("denied", "left"),
    [
        ({"add"}, ["maths-mul"]),
        ({"maths.add"}, ["add", "maths-mul"]),
        ({"maths-add"}, ["add", "maths-mul"]),
        ({"mul"}, ["add", "maths-add"]),
        ({"maths"}, ["add", "maths-add", "maths-mul"]),
        (set(), ["add", "maths-add", "maths-mul"]),
    ],
)
def test_denied_tools_are_not_offered(denied: set[str], left: list[str]) -> None:
    made, losses = offered(
        function("add"), namespace("maths", function("add"), function("mul")), denied=frozenset(denied)
    )
    assert flat(made) == left
    assert len(losses) == 3 - len(left)
    assert {(action, severity) for _, action, severity in losses} <= {("dropped", Severity.IMMATERIAL)}


LEFT_OUT: dict[str, Json] = {
    "web_search": {},
    "web_search_2025_08_26": {},
    "web_search_preview": {},
    "web_search_preview_2025_03_11": {},
    "tool_search": {},
}
REFUSED: dict[str, Json] = {
    "local_shell": {},
    "shell": {},
    "apply_patch": {},
    "file_search": {"vector_store_ids": ["vs_1"]},
    "code_interpreter": {"container": "c_1"},
    "computer": {},
    "computer_use_preview": {"environment": "linux", "display_width": 1, "display_height": 1},
    "image_generation": {},
    "mcp": {"server_label": "x", "server_url": "https://example.com/mcp"},
    "programmatic_tool_calling": {},
}
UNKNOWN: Json = {"type": "unknown", "member": {"type": "telepathy", "name": "t"}}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_tools_of_a_provider_that_only_help_are_left_out(kind: str) -> None:
    made, losses = offered(function("a"), {"type": kind, **LEFT_OUT[kind]}, function("b"))
    assert flat(made) == ["a", "b"]
    assert losses == [("tools[1]", "dropped", Severity.DEGRADING)]


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("lenient", [False, True])
def test_tools_of_a_provider_that_the_answer_needs_are_refused(kind: str, lenient: bool) -> None:
    with pytest.raises(InvalidRequest, match=kind) as caught:
        offered(function("a"), {"type": kind, **REFUSED[kind]}, lenient=lenient)
    assert (caught.value.param, caught.value.code) == ("tools[1]", "unsupported_tool")


def test_a_kind_of_tool_nobody_knows_is_refused_or_left_out() -> None:
    with pytest.raises(InvalidRequest) as caught:
        offered(function("a"), UNKNOWN)
    assert (caught.value.param, caught.value.code) == ("tools[1].type", "invalid_value")
    made, losses = offered(UNKNOWN, function("a"), lenient=True)
    assert flat(made) == ["a"]
    assert losses == [("tools[0]", "dropped", Severity.DEGRADING)]


# -- the contract --------------------------------------------------------------------------------------------------


def test_every_kind_of_tool_has_a_rule_and_a_test() -> None:
    known = contract.tags(m.Tool)
    assert "unknown" in known
    assert sorted(known - TOOLS.keys()) == []
    assert sorted(TOOLS.keys() - known) == []
    assert sorted(known - {"function", "custom", "namespace", "unknown", *LEFT_OUT, *REFUSED}) == []


def test_every_kind_of_tool_in_a_namespace_has_a_rule() -> None:
    assert sorted(contract.tags(m.NamespaceToolParamTools) - {"function", "custom"}) == []
