"""Which tool is to be called: said in the upstream's own way, by offering less, or refused."""

from typing import Any

import pytest

from tests.support.requests import (
    ADD,
    GENERIC,
    OPENAI,
    PLAIN,
    PROFILES,
    SUB,
    Json,
    ask,
    like,
    offered,
)
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Severity
from wireloom.translate.tools.base import Target

IMMATERIAL = Severity.IMMATERIAL
PATCH: Json = {"type": "custom", "name": "patch"}
SPACE: Json = {"type": "namespace", "name": "maths", "description": "d", "tools": [ADD]}
SEARCH: Json = {"type": "web_search"}
SHELL: Json = {"type": "shell"}
APPLY_PATCH: Json = {"type": "apply_patch"}


def forced(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


# Profile, tools, choice, the names that are offered, the choice sent.
CHOICES: list[tuple[Profile, list[Json], Any, list[str], Any]] = [
    (GENERIC, [ADD], "auto", ["add"], None),
    (GENERIC, [ADD], "none", ["add"], "none"),
    (GENERIC, [ADD], "required", ["add"], "required"),
    (GENERIC, [ADD, SUB], {"type": "function", "name": "sub"}, ["add", "sub"], forced("sub")),
    (GENERIC, [PATCH], {"type": "custom", "name": "patch"}, ["patch"], forced("patch")),
    (
        GENERIC,
        [SPACE],
        {"type": "function", "name": "add", "namespace": "maths"},
        ["maths-add"],
        forced("maths-add"),
    ),
    (GENERIC, [SHELL, ADD], SHELL, ["shell", "add"], forced("shell")),
    (GENERIC, [APPLY_PATCH], APPLY_PATCH, ["apply_patch"], forced("apply_patch")),
    (GENERIC, [SHELL], {"type": "function", "name": "shell"}, ["shell"], forced("shell")),
    (
        GENERIC,
        [ADD, {"type": "custom", "name": "add"}],
        {"type": "custom", "name": "add"},
        ["add", "add_ac6d2d37"],
        forced("add_ac6d2d37"),
    ),
    (GENERIC, [SEARCH], "none", [], None),
    (GENERIC, [SEARCH], "auto", [], None),
    (PROFILES["ollama"], [ADD], "none", [], None),
    (PROFILES["zai"], [ADD, SHELL], "none", [], None),
    (PROFILES["ollama"], [ADD], "auto", ["add"], None),
    (PROFILES["llamacpp"], [ADD], "required", ["add"], "required"),
]


@pytest.mark.parametrize(("profile", "tools", "choice", "names_offered", "sent"), CHOICES)
def test_the_choice_of_a_tool(
    profile: Profile, tools: list[Json], choice: Any, names_offered: list[str], sent: Any
) -> None:
    made, _ = ask(profile, tools=tools, tool_choice=choice)
    assert (offered(made), made.body.get("tool_choice")) == (names_offered, sent)
    assert ("tools" in made.body) == bool(names_offered)


def allowed(mode: str, *tools: Json) -> Json:
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


def named(name: str, **more: Any) -> Json:
    return {"type": "function", "name": name, **more}


# -- tools that may be called --------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", [None, "auto", "required", named("add")])
def test_without_a_list_every_call_may_come(choice: Any) -> None:
    made, _ = ask(tools=[ADD, SUB], tool_choice=choice)
    assert made.tools.allowed is None
    assert all(map(made.tools.may_call, ["add", "sub", "never offered"]))


@pytest.mark.parametrize("profile", [GENERIC, OPENAI, PROFILES["ollama"]], ids=lambda profile: profile.name)
def test_no_call_may_come_where_none_is_wanted(profile: Profile) -> None:
    made, losses = ask(profile, tools=[ADD, SHELL], tool_choice="none")
    assert made.tools.allowed == frozenset()
    assert not any(map(made.tools.may_call, ["add", "shell", "never offered"]))
    assert losses == []


@pytest.mark.parametrize(("mode", "sent"), [("auto", None), ("required", "required")])
def test_tools_that_are_not_allowed_are_not_offered(mode: str, sent: str | None) -> None:
    choice = allowed(mode, named("sub"), named("add", namespace="maths"), SHELL)
    made, losses = ask(tools=[ADD, SUB, PATCH, SPACE, SHELL, APPLY_PATCH], tool_choice=choice)
    assert (offered(made), made.body.get("tool_choice")) == (["sub", "maths-add", "shell"], sent)
    assert made.tools.allowed == frozenset({"sub", "maths-add", "shell"})
    assert not any(map(made.tools.may_call, ["add", "patch", "apply_patch", "never offered"]))
    assert losses == [("tool_choice", "emulated", IMMATERIAL)]
    assert made.tools.restore("add") == Target("add")


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_an_upstream_that_knows_allowed_tools_is_told_them(mode: str) -> None:
    choice = allowed(mode, named("sub"), {"type": "custom", "name": "patch"}, named("add", namespace="maths"))
    made, losses = ask(OPENAI, tools=[ADD, SUB, PATCH, SPACE], tool_choice=choice)
    assert offered(made) == ["add", "sub", "patch", "maths-add"]
    assert made.body["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {"mode": mode, "tools": [forced("sub"), forced("patch"), forced("maths-add")]},
    }
    assert made.tools.allowed == frozenset({"sub", "patch", "maths-add"})
    assert losses == []


@pytest.mark.parametrize("profile", [GENERIC, OPENAI], ids=lambda profile: profile.name)
def test_no_tool_is_offered_where_none_is_allowed(profile: Profile) -> None:
    made, _ = ask(profile, tools=[ADD], tool_choice=allowed("auto"), parallel_tool_calls=False)
    assert made.body == PLAIN
    assert made.tools.allowed == frozenset()


def test_a_search_for_tools_by_the_provider_may_be_allowed() -> None:
    tools = [{"type": "tool_search"}, ADD, SUB]
    made, _ = ask(tools=tools, tool_choice=allowed("auto", {"type": "tool_search"}, named("sub")))
    assert offered(made) == ["sub"]
    client = {"type": "tool_search", "execution": "client"}
    made, _ = ask(tools=[client, ADD], tool_choice=allowed("auto", {"type": "tool_search"}))
    assert offered(made) == ["tool_search"]


def test_a_tool_that_an_item_brought_may_be_allowed() -> None:
    brought = {"type": "additional_tools", "role": "developer", "tools": [SPACE]}
    items = [brought, {"role": "user", "content": "hello"}]
    made, _ = ask(input=items, tools=[ADD], tool_choice=allowed("auto", named("add", namespace="maths")))
    assert offered(made) == ["maths-add"]


# -- choices that are refused --------------------------------------------------------------------------------------

# Profile, tools, choice, and the code and the parameter of the error.
REFUSED: list[tuple[str, list[Json], Any, str, str]] = [
    ("generic", [], "required", "unsupported_parameter", "tool_choice"),
    ("generic", [SEARCH], "required", "unsupported_parameter", "tool_choice"),
    ("ollama", [ADD], "required", "unsupported_parameter", "tool_choice"),
    ("zai", [ADD], "required", "unsupported_parameter", "tool_choice"),
    ("llamacpp", [ADD], named("add"), "unsupported_parameter", "tool_choice"),
    ("llamacpp", [SHELL], SHELL, "unsupported_parameter", "tool_choice"),
    ("zai", [ADD], allowed("required", named("add")), "unsupported_parameter", "tool_choice"),
    ("generic", [ADD], allowed("required"), "unsupported_parameter", "tool_choice"),
    ("openai", [ADD], allowed("required"), "unsupported_parameter", "tool_choice"),
    ("generic", [], named("add"), "invalid_value", "tool_choice.name"),
    ("generic", [ADD], {"type": "custom", "name": "x"}, "invalid_value", "tool_choice.name"),
    ("generic", [SPACE], named("add"), "invalid_value", "tool_choice.name"),
    ("generic", [SPACE], named("add", namespace=["maths"]), "invalid_value", "tool_choice.name"),
    ("generic", [ADD], {"type": "web_search_preview"}, "unsupported_tool", "tool_choice"),
    ("generic", [ADD], {"type": "mcp", "server_label": "x"}, "unsupported_tool", "tool_choice"),
    ("generic", [ADD], SHELL, "unsupported_tool", "tool_choice"),
    ("generic", [named("shell")], SHELL, "unsupported_tool", "tool_choice"),
    ("generic", [ADD], APPLY_PATCH, "unsupported_tool", "tool_choice"),
    ("generic", [named("file_search")], {"type": "file_search"}, "unsupported_tool", "tool_choice"),
    (
        "generic",
        [ADD],
        allowed("auto", named("add"), {"type": "mcp", "server_label": "x"}),
        "invalid_value",
        "tool_choice.tools[1]",
    ),
    ("openai", [ADD], allowed("auto", named("sub")), "invalid_value", "tool_choice.tools[0]"),
    ("generic", [ADD], allowed("auto", {"name": "sub"}), "invalid_value", "tool_choice.tools[0]"),
    ("generic", [ADD], allowed("auto", {}), "invalid_value", "tool_choice.tools[0]"),
    ("generic", [SPACE], allowed("auto", named("add")), "invalid_value", "tool_choice.tools[0]"),
    (
        "generic",
        [SPACE],
        allowed("auto", {"type": ["x"], "name": {"a": 1}, "namespace": ["maths"]}),
        "invalid_value",
        "tool_choice.tools[0]",
    ),
]


@pytest.mark.parametrize(("profile", "tools", "choice", "code", "param"), REFUSED)
def test_choices_that_are_refused(
    profile: str, tools: list[Json], choice: Any, code: str, param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(PROFILES[profile], tools=tools, tool_choice=choice)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


def test_a_denied_tool_cannot_be_chosen() -> None:
    options = Options("upstream-model", denied_tools=frozenset({"sub", "shell"}))
    for choice, code in (
        (named("sub"), "invalid_value"),
        (SHELL, "unsupported_tool"),
        (allowed("auto", named("sub")), "invalid_value"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            ask(options=options, tools=[ADD, SUB, SHELL], tool_choice=choice)
        assert caught.value.code == code


# -- calls at once, and thinking -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, False])
def test_calls_at_once_are_a_matter_of_tools(value: bool) -> None:
    assert ask(tools=[ADD], parallel_tool_calls=value)[0].body["parallel_tool_calls"] is value
    for tools in ([], [SEARCH]):
        assert "parallel_tool_calls" not in ask(tools=tools, parallel_tool_calls=value)[0].body
    silent = like(GENERIC, tool_choice=())
    assert ask(silent, tools=[ADD], tool_choice="none", parallel_tool_calls=value)[0].body == PLAIN


@pytest.mark.parametrize(
    ("profile", "reasoning", "added"),
    [
        ("kimi", None, {"thinking": {"type": "disabled"}}),
        ("kimi", {"effort": "high"}, {"thinking": {"type": "disabled"}}),
        ("deepseek", {"effort": "high"}, {"thinking": {"type": "disabled"}}),
        ("qwen", {"effort": "high"}, {"enable_thinking": False}),
    ],
)
@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "add"}])
def test_a_model_that_must_not_think_when_forced_does_not(
    profile: str, reasoning: Json | None, added: Json, choice: Any
) -> None:
    made, losses = ask(PROFILES[profile], tools=[ADD], tool_choice=choice, reasoning=reasoning)
    sent = forced("add") if isinstance(choice, dict) else choice
    body = {name: value for name, value in made.body.items() if name != "tools"}
    assert body == PLAIN | added | {"tool_choice": sent}
    assert ("reasoning", "dropped", Severity.DEGRADING) in losses
    assert "thinking" not in ask(PROFILES[profile], tools=[ADD], tool_choice="auto")[0].body


def test_a_model_that_thinks_always_cannot_be_forced() -> None:
    profile = like(GENERIC, thinking_blocks_forced_tools=True)
    with pytest.raises(InvalidRequest) as caught:
        ask(profile, tools=[ADD], tool_choice="required")
    assert caught.value.param == "tool_choice"
