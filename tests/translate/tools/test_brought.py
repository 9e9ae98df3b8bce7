"""Tools that run at the client and are known by their kind, and tools that come with the items of a conversation."""

from typing import Any

import pytest

from tests.support.tools import GENERIC, SCHEMA, Json, flat, function, namespace, offered
from wireloom.errors import InvalidRequest
from wireloom.providers import load
from wireloom.translate.rules.loss import Severity
from wireloom.translate.tools.base import EMPTY_PARAMETERS, Target
from wireloom.translate.tools.custom import CustomCall
from wireloom.translate.tools.shell import ShellCall
from wireloom.translate.tools.table import CALL_ITEMS
from wireloom.translate.tools.tool_search import ToolSearchCall

IMMATERIAL = Severity.IMMATERIAL

# -- known by their kind -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "members", "required"),
    [
        ("local_shell", {"command", "working_directory", "env", "timeout_ms", "user"}, ["command"]),
        ("shell", {"commands", "timeout_ms", "max_output_length"}, ["commands"]),
        ("apply_patch", {"operation"}, ["operation"]),
    ],
)
def test_a_tool_of_the_client_is_a_function_under_the_name_of_its_kind(
    kind: str, members: set[str], required: list[str]
) -> None:
    made, losses = offered({"type": kind})
    (tool,) = made.functions
    assert tool["function"].keys() == {"name", "description", "parameters"}
    assert tool["function"]["description"]
    parameters = tool["function"]["parameters"]
    assert (parameters["type"], parameters["required"]) == ("object", required)
    assert parameters["properties"].keys() == members
    assert (made.restore(kind), losses) == (Target(kind, call=CALL_ITEMS[kind]), [])


@pytest.mark.parametrize("kind", ["local_shell", "shell", "apply_patch"])
def test_what_one_request_is_offered_is_not_changed_by_the_next(kind: str) -> None:
    first, _ = offered({"type": kind})
    second, _ = offered(function(kind), {"type": kind})
    assert [tool["function"]["name"] for tool in first.functions] == [kind]
    assert second.functions[1]["function"]["name"] != kind


def test_the_operations_of_a_patch_are_those_of_the_contract() -> None:
    made, _ = offered({"type": "apply_patch"})
    operation = made.functions[0]["function"]["parameters"]["properties"]["operation"]
    assert operation["properties"]["type"]["enum"] == ["create_file", "update_file", "delete_file"]
    assert operation["required"] == ["type", "path"]


@pytest.mark.parametrize("kind", ["local_shell", "shell", "apply_patch"])
def test_a_function_of_the_same_name_stays_another_tool(kind: str) -> None:
    made, _ = offered(function(kind), {"type": kind})
    assert [made.restore(name) for name in flat(made)] == [Target(kind), Target(kind, call=CALL_ITEMS[kind])]
    assert made.flat_name(kind) == kind
    assert made.flat_name(kind, kind=kind) == flat(made)[1] != kind
    with pytest.raises(InvalidRequest, match="offered twice"):
        offered({"type": kind}, {"type": kind})


@pytest.mark.parametrize("environment", [None, {"type": "local"}, {"type": "local", "skills": []}])
def test_a_shell_at_the_client(environment: Json | None) -> None:
    made, losses = offered({"type": "shell", "environment": environment})
    assert made.functions == offered({"type": "shell"})[0].functions
    assert losses == []


def test_the_skills_of_a_shell_are_told() -> None:
    skill = {"name": "deploy", "description": "Brings it out.", "path": "/skills/deploy"}
    made, _ = offered({"type": "shell", "environment": {"type": "local", "skills": [skill]}})
    description = made.functions[0]["function"]["description"]
    assert description.endswith("\n- deploy (/skills/deploy): Brings it out.")
    assert offered({"type": "shell"})[0].functions[0]["function"]["description"] in description


@pytest.mark.parametrize(
    "environment",
    [
        {"type": "container_auto"},
        {"type": "container_auto", "file_ids": ["file_1"]},
        {"type": "container_reference", "container_id": "cntr_1"},
    ],
)
@pytest.mark.parametrize("items", [False, True])
def test_a_shell_in_a_container_is_refused(environment: Json, items: bool) -> None:
    tool = {"type": "shell", "environment": environment}
    brought = [{"type": "additional_tools", "role": "developer", "tools": [tool]}]
    with pytest.raises(InvalidRequest, match="containers") as caught:
        offered(*([] if items else [tool]), items=brought if items else None)
    place = f"{'input[0].' if items else ''}tools[0].environment"
    assert (caught.value.code, caught.value.param) == ("unsupported_tool", place)


# -- a search for tools --------------------------------------------------------------------------------------------


def test_a_search_by_the_client_is_a_function() -> None:
    search = {
        "type": "tool_search",
        "execution": "client",
        "description": "Finds tools.",
        "parameters": SCHEMA,
    }
    made, losses = offered(search)
    assert made.functions == [
        {
            "type": "function",
            "function": {"name": "tool_search", "description": "Finds tools.", "parameters": SCHEMA},
        }
    ]
    assert (made.restore("tool_search"), losses) == (Target("tool_search", call=ToolSearchCall), [])


@pytest.mark.parametrize("empty", [{}, {"description": None, "parameters": None}, {"parameters": {}}])
def test_a_search_that_says_nothing_of_itself(empty: Json) -> None:
    made, _ = offered({"type": "tool_search", "execution": "client", **empty})
    assert made.functions[0]["function"] == {"name": "tool_search", "parameters": EMPTY_PARAMETERS}


@pytest.mark.parametrize("execution", [{}, {"execution": "server"}, {"execution": None}])
def test_a_search_by_the_provider_finds_everything_at_once(execution: Json) -> None:
    made, losses = offered({"type": "tool_search", **execution}, function("late", defer_loading=True))
    assert flat(made) == ["late"]
    assert losses == [
        ("tools[0]", "emulated", IMMATERIAL),
        ("tools[1].defer_loading", "dropped", IMMATERIAL),
    ]


# -- tools that items bring ----------------------------------------------------------------------------------------


def bringing(*tools: Json) -> Json:
    return {"type": "additional_tools", "role": "developer", "tools": list(tools)}


def finding(*tools: Json, call_id: str = "call_1") -> Json:
    return {"type": "tool_search_output", "call_id": call_id, "execution": "client", "tools": list(tools)}


@pytest.mark.parametrize("brings", [bringing, finding])
def test_items_bring_tools(brings: Any) -> None:
    tools = [
        function("sub"),
        {"type": "custom", "name": "run"},
        namespace("n", function("a")),
        {"type": "shell"},
    ]
    made, losses = offered(function("add"), items=[brings(*tools)])
    assert flat(made) == ["add", "sub", "run", "n-a", "shell"]
    assert [made.restore(name) for name in flat(made)] == [
        Target("add"),
        Target("sub"),
        Target("run", call=CustomCall),
        Target("a", "n"),
        Target("shell", call=ShellCall),
    ]
    assert losses == []


def test_a_tool_found_again_is_offered_once_as_it_was() -> None:
    first, again = function("a", description="First."), function("a", description="Again.")
    made, losses = offered(
        function("add"),
        items=[
            finding(namespace("n", first), function("add")),
            finding(namespace("n", again, function("b"))),
            bringing(function("add"), {"type": "shell"}),
            finding({"type": "shell"}, {"type": "custom", "name": "c"}, {"type": "custom", "name": "c"}),
        ],
    )
    assert flat(made) == ["add", "n-a", "n-b", "shell", "c"]
    assert made.functions[1]["function"]["description"].startswith("First.")
    assert losses == []


def test_a_tool_given_twice_up_front_is_an_error_still() -> None:
    with pytest.raises(InvalidRequest, match="offered twice"):
        offered(function("add"), function("add"), items=[finding(function("add"))])


def test_losses_and_errors_of_tools_that_items_bring_name_their_place() -> None:
    items = [bringing(function("a")), finding(namespace("n", function("b", strict=True)))]
    assert offered(items=items)[1] == [("input[1].tools[0].tools[0].strict", "dropped", Severity.DEGRADING)]
    assert offered(items=items, recalled=1)[1] == [
        ("input[0].tools[0].tools[0].strict", "dropped", Severity.DEGRADING)
    ]
    assert offered(items=items, recalled=2)[1] == [
        ("history.tools[0].tools[0].strict", "dropped", Severity.DEGRADING)
    ]
    hosted = finding(function("a"), {"type": "file_search", "vector_store_ids": ["vs_1"]})
    with pytest.raises(InvalidRequest) as caught:
        offered(items=[hosted])
    assert (caught.value.code, caught.value.param) == ("unsupported_tool", "input[0].tools[1]")


def test_a_denied_tool_is_not_brought_either() -> None:
    made, losses = offered(
        items=[bringing(function("a"), namespace("n", function("a"), function("b")))], denied=frozenset({"a"})
    )
    assert flat(made) == ["n-b"]
    assert losses == [
        ("input[0].tools[0]", "dropped", IMMATERIAL),
        ("input[0].tools[1].tools[0]", "dropped", IMMATERIAL),
    ]


def test_tools_that_are_brought_flatten_apart_from_those_that_are_there() -> None:
    made, _ = offered(function("n-a"), items=[finding(namespace("n", function("a")))])
    assert len(set(flat(made))) == 2
    assert [made.restore(name) for name in flat(made)] == [Target("n-a"), Target("a", "n")]


def test_a_kind_of_tool_nobody_knows_is_left_out_of_what_is_brought() -> None:
    items = [bringing({"type": "telepathy", "name": "t"}, function("a"))]
    made, losses = offered(items=items, lenient=True)
    assert (flat(made), losses) == (["a"], [("input[0].tools[0]", "dropped", Severity.DEGRADING)])
    with pytest.raises(InvalidRequest) as caught:
        offered(items=items)
    assert caught.value.param == "input[0].tools[0].type"


def test_names_that_are_brought_are_those_the_upstream_takes() -> None:
    made, _ = offered(items=[bringing({"type": "custom", "name": "9.x"})], profile=load("kimi"))
    (name,) = flat(made)
    assert name.startswith("t_9_x_")
    assert offered(items=[bringing(function("9x"))], profile=GENERIC)[0].flat_name("9x") == "9x"
