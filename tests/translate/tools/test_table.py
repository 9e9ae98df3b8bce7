"""Every kind of tool is offered as a function or reported, under a name the upstream takes, and found again."""

import json
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.tools import GENERIC, SCHEMA, Json, Lost, flat, function, namespace, offered
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load, names
from wireloom.translate.hub.items import FunctionCall
from wireloom.translate.rules.loss import How, Severity
from wireloom.translate.tools.base import EMPTY_PARAMETERS, Target, Tools, flat_name
from wireloom.translate.tools.custom import CustomCall
from wireloom.translate.tools.free_input import unwrap, wrap
from wireloom.translate.tools.table import CALL_ITEMS, TOOLS
from wireloom.translate.tools.table import REFUSED as HOSTED

CLOSED: Json = {**SCHEMA, "additionalProperties": False}
OPENAI, KIMI = load("openai"), load("kimi")


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
        (
            function("add", parameters=CLOSED, strict=True),
            OPENAI,
            {"parameters": CLOSED, "strict": True, "name": "add"},
            [],
        ),
        (
            function("add", strict=True),
            OPENAI,
            {"parameters": SCHEMA, "strict": False, "name": "add"},
            [("tools[0].strict", "changed", Severity.DEGRADING)],
        ),
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
def test_a_function(tool: Json, profile: Profile, definition: Json, lost: Lost) -> None:
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
    assert made.restore("patch") == Target("patch", call=CustomCall)
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
        Target("prove", "maths", CustomCall),
    ]
    assert [made.flat_name("add", None), made.flat_name("prove", "maths")] == ["add", "maths-prove"]
    assert made.flat_name("prove", None) is None
    assert losses == [("tools[1].tools[0].strict", "dropped", Severity.DEGRADING)]


def described(tools: Tools) -> list[str | None]:
    return [tool["function"].get("description") for tool in tools.functions]


def test_what_a_namespace_is_for_is_said_once() -> None:
    made, _ = offered(
        namespace(
            "maths",
            function("add", description="Adds."),
            function("sub"),
            {"type": "custom", "name": "prove", "description": "Proves."},
        ),
        namespace("art", {"type": "custom", "name": "draw", "description": "Draws."}),
    )
    assert described(made) == [
        "Adds.\n\nAll tools of maths: Some tools.",
        None,
        "Proves.",
        "Draws.\n\nAll tools of art: Some tools.",
    ]


def test_what_a_namespace_is_for_is_said_with_the_first_tool_that_is_offered() -> None:
    made, _ = offered(namespace("maths", function("add"), function("sub")), denied=frozenset({"maths.add"}))
    assert described(made) == ["All tools of maths: Some tools."]


def test_a_namespace_that_says_nothing_adds_nothing() -> None:
    made, _ = offered({**namespace("maths", function("add")), "description": ""})
    assert described(made) == [None]


def test_the_grammar_of_a_tool_in_a_namespace_is_told() -> None:
    grammar = {"type": "grammar", "syntax": "regex", "definition": "[a-z]+"}
    tool = {"type": "custom", "name": "exec", "description": "Runs.", "format": grammar}
    made, losses = offered(namespace("functions", tool))
    (description,) = described(made)
    assert description is not None
    assert all(text in description for text in ("Runs.", "Some tools.", "regex", "[a-z]+"))
    assert losses == [("tools[0].tools[0].format", "emulated", Severity.IMMATERIAL)]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("output_schema", {"type": "object"}),
        ("defer_loading", True),
        ("allowed_callers", ["direct"]),
        ("async", True),
    ],
)
def test_members_of_a_tool_that_only_others_read_are_noted(member: str, value: object) -> None:
    made, losses = offered(
        namespace("n", function("add", **{member: value})), function("sub", **{member: None})
    )
    assert losses == [(f"tools[0].tools[0].{member}", "dropped", Severity.IMMATERIAL)]
    assert all(tool["function"].keys() <= {"name", "description", "parameters"} for tool in made.functions)


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
        function("a-b"),
        namespace("a", function("b"), {"type": "custom", "name": "b"}),
        {"type": "custom", "name": "a-b"},
        function("a.b"),
    )
    assert len(set(flat(made))) == 5
    assert flat(made)[0] == "a-b"
    assert [made.restore(name) for name in flat(made)] == [
        Target("a-b"),
        Target("b", "a"),
        Target("b", "a", CustomCall),
        Target("a-b", call=CustomCall),
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
        targets.append(Target(name, space, CustomCall if custom else FunctionCall))
    assume(len(set(targets)) == len(targets))
    made, _ = offered(*tools, profile=KIMI)
    assert len(made.functions) == len(wanted)
    assert [made.restore(name) for name in flat(made)] == targets
    assert all(re.fullmatch(KIMI.tool_name_pattern, name) for name in flat(made))


# -- what is not offered -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("denied", "left"),
    [
        ({"add"}, ["maths-mul", "apply_patch"]),
        ({"maths.add"}, ["add", "maths-mul", "apply_patch"]),
        ({"maths-add"}, ["add", "maths-mul", "apply_patch"]),
        ({"mul"}, ["add", "maths-add", "apply_patch"]),
        ({"maths"}, ["add", "maths-add", "maths-mul", "apply_patch"]),
        ({"apply_patch", "None.add"}, ["maths-add", "maths-mul"]),
        (set(), ["add", "maths-add", "maths-mul", "apply_patch"]),
    ],
)
def test_denied_tools_are_not_offered(denied: set[str], left: list[str]) -> None:
    made, losses = offered(
        function("add"),
        namespace("maths", function("add"), function("mul")),
        {"type": "apply_patch"},
        denied=frozenset(denied),
    )
    assert flat(made) == left
    assert len(losses) == 4 - len(left)
    assert {(action, severity) for _, action, severity in losses} <= {("dropped", Severity.IMMATERIAL)}


def test_a_name_that_had_to_be_changed_is_denied_in_all_its_forms() -> None:
    name = flat_name("a.b", "n", GENERIC)
    for denied in (name, "n.a.b", "a.b"):
        made, _ = offered(namespace("n", {"type": "custom", "name": "a.b"}), denied=frozenset({denied}))
        assert flat(made) == []


REFUSED: dict[str, Json] = {
    "file_search": {"vector_store_ids": ["vs_1"]},
    "code_interpreter": {"container": "c_1"},
    "computer": {},
    "computer_use_preview": {"environment": "linux", "display_width": 1, "display_height": 1},
    "image_generation": {},
    "mcp": {"server_label": "x", "server_url": "https://example.com/mcp"},
    "programmatic_tool_calling": {},
}
UNKNOWN: Json = {"type": "unknown", "member": {"type": "telepathy", "name": "t"}}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("lenient", [False, True])
def test_tools_of_a_provider_that_the_answer_needs_are_refused(kind: str, lenient: bool) -> None:
    given = function("a"), {"type": kind, **REFUSED[kind]}
    if lenient:  # the Codex CLI offers them in each request
        tools, lost = offered(*given, lenient=True)
        assert (list(tools.by_flat_name), [loss[0] for loss in lost]) == (["a"], ["tools[1]"])
        return
    with pytest.raises(InvalidRequest, match=kind) as caught:
        offered(*given)
    assert (caught.value.param, caught.value.code) == ("tools[1]", "unsupported_tool")


def test_a_kind_of_tool_nobody_knows_is_refused_or_left_out() -> None:
    with pytest.raises(InvalidRequest) as caught:
        offered(function("a"), UNKNOWN)
    assert (caught.value.param, caught.value.code) == ("tools[1].type", "invalid_value")
    made, losses = offered(UNKNOWN, function("a"), lenient=True)
    assert flat(made) == ["a"]
    assert losses == [("tools[0]", "dropped", Severity.DEGRADING)]


# -- the contract --------------------------------------------------------------------------------------------------


# Kinds that tests above, `test_client_tools` and `test_web_search` are about.
TESTED = {"function", "custom", "namespace", "unknown", "tool_search", "local_shell", "shell", "apply_patch"}
SEARCHING = {
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
}


def test_every_kind_of_tool_has_a_rule_and_a_test() -> None:
    known = contract.tags(m.Tool)
    assert "unknown" in known
    assert sorted(known - TOOLS.keys()) == []
    assert sorted(TOOLS.keys() - known) == []
    assert sorted(known ^ (TESTED | SEARCHING | REFUSED.keys())) == []
    assert sorted(HOSTED) == sorted(REFUSED)


@pytest.mark.parametrize("kind", sorted(TOOLS))
def test_a_rule_that_is_not_the_same_over_there_says_what_it_is(kind: str) -> None:
    rule = TOOLS[kind]
    assert rule.note or rule.how is How.NATIVE
    assert (rule.how is How.REFUSED) == (kind in REFUSED or kind == "unknown")


def test_every_kind_of_tool_in_a_namespace_has_a_rule() -> None:
    assert sorted(contract.tags(m.NamespaceToolParamTools) - {"function", "custom"}) == []


def test_what_is_offered_can_be_called() -> None:
    """Each kind of target is one that an answer can be told as."""
    made, _ = offered(
        function("a"),
        {"type": "custom", "name": "b"},
        {"type": "local_shell"},
        {"type": "shell"},
        {"type": "apply_patch"},
        {"type": "tool_search", "execution": "client"},
    )
    assert {target.call.kind for target in made.by_flat_name.values()} == CALL_ITEMS.keys()
