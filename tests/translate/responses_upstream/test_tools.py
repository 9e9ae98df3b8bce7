"""Tools and their choice for Responses upstreams of different abilities: offers and losses."""

from typing import Any

import pytest

from tests.support.upstream_requests import GENERIC, OPENAI, asked, sent, with_wire
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile
from wireloom.translate.rules.loss import Severity

Json = dict[str, Any]
EMPTY = {"type": "object", "properties": {}}
ADD: Json = {"type": "function", "name": "add"}
PATCH: Json = {"type": "custom", "name": "patch"}
SPACE: Json = {
    "type": "namespace",
    "name": "ns",
    "description": "d",
    "tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}],
}
SEARCH: Json = {"type": "web_search"}


def function(name: str, **members: Any) -> Json:
    """A function with all members that some servers insist on."""
    return {
        "type": "function",
        "name": name,
        "description": None,
        "parameters": EMPTY,
        "strict": False,
        **members,
    }


def choosing(*choices: str, **flags: Any) -> Profile:
    """A profile that takes these values of `tool_choice`."""
    return with_wire(**flags).model_copy(update={"tool_choice": choices})


def test_a_function_has_every_member_and_keeps_vendor_members() -> None:
    given = {
        **ADD,
        "description": "d",
        "parameters": {"type": "object"},
        "strict": True,
        "defer_loading": True,
        "vendor": 1,
    }
    request, losses = asked({"tools": [given, {"type": "function", "name": "two words"}]})
    first, second = request.body["tools"]
    assert first == function("add", description="d", parameters=EMPTY, strict=True, vendor=1)
    assert second == function(second["name"])
    assert second["name"].startswith("two_words_")
    assert [(loss.path, loss.action, loss.severity) for loss in losses.items] == [
        ("tools[0].defer_loading", "dropped", Severity.IMMATERIAL)
    ]


def test_tools_of_known_kinds_go_as_they_are_and_the_others_as_functions() -> None:
    profile = with_wire(tools=("function", "web_search", "namespace"))
    result = sent({"tools": [ADD, PATCH, SPACE, SEARCH]}, profile)["tools"]
    assert result[:2] == [SPACE, SEARCH]
    assert result[2] == function("add")
    assert (result[3]["type"], result[3]["name"], result[3]["parameters"]["required"]) == (
        "function",
        "patch",
        ["input"],
    )
    assert len(result) == 4


@pytest.mark.parametrize(
    ("denied", "left"),
    [
        ({"nothing"}, [ADD, SPACE, SEARCH]),
        ({"add"}, [SPACE, SEARCH]),
        ({"web_search"}, [ADD, SPACE]),
        ({"ns"}, [ADD, SEARCH]),
        ({"f"}, [ADD, {**SPACE, "tools": SPACE["tools"][1:]}, SEARCH]),
        ({"ns.g"}, [ADD, {**SPACE, "tools": SPACE["tools"][:1]}, SEARCH]),
        ({"ns.f", "g"}, [ADD, SEARCH]),
        ({"add", "ns", "web_search"}, None),
    ],
)
def test_a_denied_tool_is_not_offered_to_a_complete_upstream(
    denied: set[str], left: list[Json] | None
) -> None:
    body = {"tools": [ADD, SPACE, SEARCH], "parallel_tool_calls": False}
    result = sent(body, OPENAI, denied_tools=frozenset(denied))
    assert result.get("tools") == left
    assert ("parallel_tool_calls" in result) == (left is not None)


def test_a_denied_tool_must_not_be_called() -> None:
    request, losses = asked({"tools": [ADD, PATCH]}, denied_tools=frozenset({"add"}))
    assert [tool["name"] for tool in request.body["tools"]] == ["patch"]
    assert (request.tools.may_call("add"), request.tools.may_call("patch")) == (False, True)
    assert [(loss.path, loss.action, loss.severity) for loss in losses.items] == [
        ("tools[0]", "dropped", Severity.IMMATERIAL)
    ]


NEVER = "tool_choice cannot be served here: The generic profile cannot be made to call a tool."
ABSENT = "tool_choice: the tool {!r} is not offered."


@pytest.mark.parametrize(
    ("choice", "taken", "offered", "result"),
    [
        ("auto", (), ["add", "patch"], None),
        ("none", (), [], None),
        ("none", ("required",), [], None),
        ("none", ("none",), ["add", "patch"], "none"),
        ("required", ("required",), ["add", "patch"], "required"),
        ({"type": "function", "name": "add"}, ("function",), ["add", "patch"], ADD),
        (PATCH, ("function",), ["add", "patch"], {"type": "function", "name": "patch"}),
    ],
)
def test_a_choice_is_sent_in_a_form_that_the_upstream_takes(
    choice: Any, taken: tuple[str, ...], offered: list[str], result: Any
) -> None:
    request, losses = asked({"tools": [ADD, PATCH], "tool_choice": choice}, choosing(*taken))
    assert [tool["name"] for tool in request.body.get("tools", ())] == offered
    assert request.body.get("tool_choice") == result
    assert losses.items == []
    assert request.tools.may_call("add") == (choice != "none")


@pytest.mark.parametrize(
    ("body", "taken", "message"),
    [
        ({"tool_choice": "required"}, (), NEVER),
        ({"tool_choice": "required"}, ("none", "function"), NEVER),
        ({"tool_choice": ADD}, ("required",), NEVER),
        (
            {"tools": [], "tool_choice": "required"},
            ("required",),
            "tool_choice cannot be served here: no tool is left that could be called.",
        ),
        ({"tool_choice": {**ADD, "name": "sub"}}, ("function",), ABSENT.format("sub")),
        ({"tool_choice": {"type": "mcp", "server_label": "s"}}, ("function",), ABSENT.format("mcp")),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(body: Json, taken: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked({"tools": [ADD, PATCH], **body}, choosing(*taken))
    assert (caught.value.param, caught.value.message) == ("tool_choice", message)


def test_no_tool_and_no_choice_is_sent_where_the_request_has_no_tool() -> None:
    result = sent({"tool_choice": "none", "parallel_tool_calls": True}, choosing("none"))
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & result.keys()


def test_a_tool_of_a_known_kind_is_forced_as_it_is() -> None:
    profile = choosing("function", tools=("function", "custom"))
    assert sent({"tools": [PATCH], "tool_choice": PATCH}, profile)["tool_choice"] == PATCH
    with pytest.raises(InvalidRequest, match="the tool 'other' is not offered"):
        sent({"tools": [PATCH], "tool_choice": {**PATCH, "name": "other"}}, profile)


ALLOWED: Json = {"type": "allowed_tools", "mode": "auto", "tools": [PATCH]}


def test_allowed_tools_stay_a_choice_where_the_upstream_has_it() -> None:
    request, losses = asked({"tools": [ADD, PATCH], "tool_choice": ALLOWED}, choosing("allowed_tools"))
    assert request.body["tool_choice"] == {**ALLOWED, "tools": [{"type": "function", "name": "patch"}]}
    assert [tool["name"] for tool in request.body["tools"]] == ["add", "patch"]
    assert losses.items == []
    assert (request.tools.may_call("add"), request.tools.may_call("patch")) == (False, True)


def test_allowed_tools_are_all_that_is_offered_elsewhere() -> None:
    request, losses = asked({"tools": [ADD, PATCH], "tool_choice": ALLOWED}, choosing())
    assert "tool_choice" not in request.body
    assert [tool["name"] for tool in request.body["tools"]] == ["patch"]
    assert [(loss.path, loss.action, loss.severity) for loss in losses.items] == [
        ("tool_choice", "emulated", Severity.IMMATERIAL)
    ]
    assert (request.tools.may_call("add"), request.tools.may_call("patch")) == (False, True)


def test_an_allowed_tool_that_is_not_offered_is_refused_by_its_place() -> None:
    choice = {**ALLOWED, "tools": [PATCH, {"type": "function", "name": "sub"}]}
    with pytest.raises(InvalidRequest) as caught:
        asked({"tools": [ADD, PATCH], "tool_choice": choice})
    assert caught.value.param == "tool_choice.tools[1]"


def test_a_complete_upstream_is_given_any_choice() -> None:
    assert sent({"tool_choice": ALLOWED}, OPENAI)["tool_choice"] == ALLOWED
    assert sent({"tool_choice": "auto"}, OPENAI)["tool_choice"] == "auto"


def test_the_outputs_of_a_search_for_tools_stay_where_the_upstream_has_the_search() -> None:
    found = {
        "type": "tool_search_output",
        "call_id": "c",
        "execution": "client",
        "status": "completed",
        "tools": [ADD],
    }
    call = {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "q"}}
    result = sent({"input": [call, found]}, with_wire(tools=("function", "tool_search")))
    assert ([item["type"] for item in result["input"]], "tools" in result) == (
        ["tool_search_call", "tool_search_output"],
        False,
    )
    result = sent({"input": [call, found]}, GENERIC)
    assert [item["type"] for item in result["input"]] == ["function_call", "function_call_output"]
    assert [tool["name"] for tool in result["tools"]] == ["add"]
