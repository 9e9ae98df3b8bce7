"""Calls of tools that run at the client, tools that were found, messages between agents and summaries, as messages."""

import json
from typing import Any

import pytest

from tests.support.items import (
    GENERIC,
    Json,
    answered,
    asked,
    call,
    like,
    output,
    said,
    thought,
    translated,
    user,
)
from tests.support.tools import SCHEMA, function, namespace, offered
from wireloom.errors import InvalidRequest
from wireloom.providers import load
from wireloom.translate.conversation.notes import LOST_SUMMARY, NO_OUTPUT, STRAY_OUTPUT, SUMMARY
from wireloom.translate.rules.loss import Severity
from wireloom.translate.tools.apply_patch import ApplyPatchCall
from wireloom.translate.tools.local_shell import LocalShellCall
from wireloom.translate.tools.shell import ShellCall
from wireloom.translate.tools.tool_search import ToolSearchCall

IMMATERIAL = Severity.IMMATERIAL


def told(*items: Json) -> list[tuple[str, Any, str]]:
    """Name, arguments and output of each call, in order; nothing else may have become of the items."""
    made, losses = translated(*items)
    assert losses == []
    calls = [one["function"] for message in made for one in message.get("tool_calls", [])]
    outputs = [message["content"] for message in made if message["role"] == "tool"]
    assert {message["role"] for message in made} == {"assistant", "tool"}
    return [
        (one["name"], json.loads(one["arguments"]), output)
        for one, output in zip(calls, outputs, strict=True)
    ]


# -- commands ------------------------------------------------------------------------------------------------------


def test_a_command_and_its_output() -> None:
    action = {"type": "exec", "command": ["ls", "-l"], "env": {"A": "b"}}
    more = {"timeout_ms": 5, "working_directory": "/w", "user": "me"}
    asking = {"type": "local_shell_call", "id": "lsh_1", "call_id": "1", "status": "completed"}
    answer = {"type": "local_shell_call_output", "id": "lso_1", "call_id": "1", "output": "a.txt"}
    assert told({**asking, "action": {**action, **more}}, answer) == [
        ("local_shell", {**action, **more}, "a.txt")
    ]
    assert told({**asking, "action": {**action, **dict.fromkeys(more)}}, answer) == [
        ("local_shell", action, "a.txt")
    ]


def test_an_output_of_a_command_may_name_its_call_by_its_own_id() -> None:
    """Some versions of the contract have no `call_id` there."""
    asking = {
        "type": "local_shell_call",
        "id": "lsh_1",
        "call_id": "1",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
    }
    answer = {"type": "local_shell_call_output", "id": "1", "call_id": "", "output": "a.txt"}
    assert told(asking, answer)[0][2] == "a.txt"


def shell_call(**action: Any) -> Json:
    return {"type": "shell_call", "call_id": "1", "action": action, "environment": {"type": "local"}}


def shell_output(*results: tuple[str, str, int | None]) -> Json:
    """Each with what it wrote to both channels, and its exit code or None for one that took too long."""
    output = [
        {
            "stdout": out,
            "stderr": err,
            "outcome": {"type": "timeout"} if code is None else {"type": "exit", "exit_code": code},
        }
        for out, err, code in results
    ]
    return {"type": "shell_call_output", "call_id": "1", "output": output, "max_output_length": 100}


def test_command_lines_and_what_became_of_each() -> None:
    asking = shell_call(commands=["ls", "rm x", "sleep 9"], timeout_ms=5, max_output_length=100)
    answer = shell_output(("a.txt\n", "", 0), ("", "no such file", 1), ("z", "slow", None))
    assert told(asking, answer) == [
        (
            "shell",
            {"commands": ["ls", "rm x", "sleep 9"], "timeout_ms": 5, "max_output_length": 100},
            "a.txt\n\n[exit code 0]\nstderr: no such file\n[exit code 1]\nz\nstderr: slow\n[timed out]",
        )
    ]
    silent = shell_call(commands=["true"], timeout_ms=None, max_output_length=None)
    assert told(silent, shell_output(("", "", 0))) == [("shell", {"commands": ["true"]}, "[exit code 0]")]
    assert told(silent, shell_output()) == [("shell", {"commands": ["true"]}, "")]


@pytest.mark.parametrize(
    "operation",
    [
        {"type": "create_file", "path": "a", "diff": "+x"},
        {"type": "update_file", "path": "a", "diff": "@@\n-x\n+y"},
        {"type": "delete_file", "path": "a"},
    ],
)
@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"status": "completed"}, "completed"),
        ({"status": "completed", "output": None}, "completed"),
        ({"status": "completed", "output": "Done."}, "completed: Done."),
        ({"status": "failed", "output": "no such file"}, "failed: no such file"),
    ],
)
def test_a_patch_and_what_became_of_it(operation: Json, answer: Json, text: str) -> None:
    items = [
        {"type": "apply_patch_call", "call_id": "1", "status": "completed", "operation": operation},
        {"type": "apply_patch_call_output", "call_id": "1", **answer},
    ]
    assert told(*items) == [("apply_patch", {"operation": operation}, text)]


COMMANDS: list[tuple[Json, Json]] = [
    (
        {
            "type": "local_shell_call",
            "id": "x",
            "call_id": "1",
            "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
        },
        {"type": "local_shell_call_output", "id": "y", "call_id": "1", "output": "ok"},
    ),
    (shell_call(commands=["ls"]), shell_output(("ok", "", 0))),
    (
        {
            "type": "apply_patch_call",
            "call_id": "1",
            "status": "completed",
            "operation": {"type": "delete_file", "path": "a"},
        },
        {"type": "apply_patch_call_output", "call_id": "1", "status": "completed", "output": "ok"},
    ),
    (
        {"type": "tool_search_call", "call_id": "1", "execution": "client", "arguments": {"query": "q"}},
        {"type": "tool_search_output", "call_id": "1", "execution": "client", "tools": []},
    ),
]
KINDS = [asking["type"] for asking, _ in COMMANDS]


@pytest.mark.parametrize(("asking", "answer"), COMMANDS, ids=KINDS)
def test_calls_of_every_kind_keep_the_order_that_upstreams_want(asking: Json, answer: Json) -> None:
    made, _ = translated(
        said("user", "go"), call("2"), asking, said("assistant", "wait"), answer, output("2")
    )
    (first, second) = made[1]["tool_calls"]
    assert (first["id"], second["id"]) == ("2", "1")
    assert [message["role"] for message in made] == ["user", "assistant", "tool", "tool"]
    assert made[1]["content"] == "wait"
    assert [message["tool_call_id"] for message in made[2:4]] == ["2", "1"]
    assert made[2]["content"] == "ok"


@pytest.mark.parametrize(("asking", "answer"), COMMANDS, ids=KINDS)
def test_calls_and_outputs_of_every_kind_miss_each_other(asking: Json, answer: Json) -> None:
    assert translated(asking)[0][1] == answered("1", NO_OUTPUT)
    with pytest.raises(InvalidRequest) as caught:
        translated(said("user", "a"), answer, strict=True)
    assert caught.value.param == "input[1].call_id"
    alone, losses = translated(said("user", "a"), answer)
    assert alone[1]["content"].startswith(STRAY_OUTPUT)
    assert losses == [("input[1].call_id", "changed", Severity.DEGRADING)]


@pytest.mark.parametrize(("asking", "answer"), COMMANDS, ids=KINDS)
def test_calls_of_every_kind_have_ids_the_upstream_takes(asking: Json, answer: Json) -> None:
    made, _ = translated(asking, answer, profile=load("mistral"))
    (one,) = made[0]["tool_calls"]
    assert len(one["id"]) == 9
    assert made[1]["tool_call_id"] == one["id"]


@pytest.mark.parametrize(("asking", "answer"), COMMANDS, ids=KINDS)
def test_calls_of_every_kind_are_preceded_by_the_thought_that_led_to_them(asking: Json, answer: Json) -> None:
    profile = like(GENERIC, reasoning_replay="tool_calls", reasoning_replay_field="r")
    made, _ = translated(thought(["hmm"]), asking, answer, profile=profile)
    assert made[0]["r"] == "hmm"


# What a model makes of a call, in the forms that are understood, and what is made of that.
ASKED: list[tuple[Any, str, Json]] = [
    (
        LocalShellCall.fields,
        "local_shell_call",
        {"command": "ls -l", "timeout_ms": 5, "user": None},
    ),
    (LocalShellCall.fields, "local_shell_call", {"command": ["ls"], "env": {"A": "b"}}),
    (ShellCall.fields, "shell_call", {"commands": ["ls", "pwd"], "max_output_length": 9}),
    (ShellCall.fields, "shell_call", {"command": "ls"}),
    (
        ApplyPatchCall.fields,
        "apply_patch_call",
        {"operation": {"type": "update_file", "path": "a", "diff": "@@\n-x\n+y"}},
    ),
    (ApplyPatchCall.fields, "apply_patch_call", {"type": "delete_file", "path": "a", "diff": ""}),
    (ToolSearchCall.fields, "tool_search_call", {"query": "q", "limit": None, "deep": [{"a": 1}]}),
]


@pytest.mark.parametrize(("fields", "kind", "arguments"), ASKED)
def test_a_call_that_went_to_the_client_comes_back_as_one_that_means_the_same(
    fields: Any, kind: str, arguments: Json
) -> None:
    understood = fields(arguments)
    made, _ = translated({"type": kind, "id": "x", "call_id": "1", "status": "completed", **understood})
    assert fields(json.loads(made[0]["tool_calls"][0]["function"]["arguments"])) == understood


# -- tools that were found -----------------------------------------------------------------------------------------


def search(call_id: str | None = "1", **arguments: Any) -> Json:
    return {"type": "tool_search_call", "call_id": call_id, "execution": "client", "arguments": arguments}


def found(*tools: Json, call_id: str | None = "1") -> Json:
    return {"type": "tool_search_output", "call_id": call_id, "execution": "client", "tools": list(tools)}


def searched(*items: Json, denied: frozenset[str] = frozenset()) -> list[Json]:
    """The messages of a conversation whose tools are offered."""
    tools, _ = offered({"type": "tool_search", "execution": "client"}, items=list(items), denied=denied)
    made, losses = translated(*items, tools=tools)
    assert losses == []
    return made


def test_a_search_for_tools_and_what_it_found() -> None:
    tools = [
        namespace("maths", function("add", description="Adds:"), function("sub")),
        function("date", description="Tells the date.", defer_loading=True),
        {"type": "shell"},
    ]
    made = searched(search(query="add numbers", limit=3, where=None), found(*tools))
    (one,) = made[0]["tool_calls"]
    assert one["function"]["name"] == "tool_search"
    assert json.loads(one["function"]["arguments"]) == {"query": "add numbers", "limit": 3, "where": None}
    lines = made[1]["content"].splitlines()
    assert lines[1].startswith("- maths-add: Adds:")
    assert "- maths-sub" in lines
    assert "- date: Tells the date." in lines
    assert any(line.startswith("- shell: ") for line in lines)


def test_a_search_that_found_nothing_says_so() -> None:
    assert searched(search(query="x"), found()) == [
        asked(("1", "tool_search", '{"query":"x"}')),
        answered("1", "No tool was found."),
    ]
    denied = searched(search(query="x"), found(function("add")), denied=frozenset({"add"}))
    assert denied[1] == answered("1", "No tool was found.")


def test_what_was_found_is_told_though_it_may_not_be_called_in_this_turn() -> None:
    items = [search(query="x"), found(function("add", description="Adds."))]
    tools, _ = offered(items=items)
    tools.functions.clear()
    made, _ = translated(*items, tools=tools)
    assert "- add" in made[1]["content"].splitlines()


def test_tools_found_twice_are_told_twice() -> None:
    again = searched(
        search("1", query="x"),
        found(function("add"), call_id="1"),
        search("2", query="y"),
        found(function("add"), function("sub"), call_id="2"),
    )
    assert [message["content"].splitlines()[1:] for message in again if message["role"] == "tool"] == [
        ["- add"],
        ["- add", "- sub"],
    ]


def test_a_search_by_another_provider_has_no_id_of_a_call() -> None:
    made = searched(
        said("user", "go"),
        search(None, query="x"),
        found(function("add"), call_id=None),
        search(None, query="y"),
        found(function("sub"), call_id=None),
    )
    assert [message["role"] for message in made] == ["user", "assistant", "tool", "assistant", "tool"]
    assert "- add" in made[2]["content"]
    assert "- sub" in made[4]["content"]
    assert made[1]["tool_calls"][0]["id"] == made[2]["tool_call_id"]


def test_a_tool_that_was_found_is_called_by_the_name_it_is_offered_by() -> None:
    long = "n" * 60
    items = [
        search(query="x"),
        found(namespace(long, {"type": "custom", "name": "run", "description": "Runs."})),
        {"type": "custom_tool_call", "call_id": "2", "name": "run", "namespace": long, "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "2", "output": "done"},
    ]
    tools, _ = offered(items=items)
    made, _ = translated(*items, tools=tools)
    assert made[2]["tool_calls"][0]["function"]["name"] == tools.functions[0]["function"]["name"]
    assert f"- {tools.functions[0]['function']['name']}: Runs." in made[1]["content"]


def test_tools_that_come_with_an_item_are_no_message() -> None:
    brought = {"type": "additional_tools", "role": "developer", "tools": [function("add", parameters=SCHEMA)]}
    made, losses = translated(brought, said("user", "go"), call("1"), brought, output("1"))
    assert (made, losses) == ([user("go"), asked(("1", "add", "{}")), answered("1")], [])


# -- what agents tell each other -----------------------------------------------------------------------------------


def test_a_message_between_agents_is_one_of_the_user() -> None:
    parts = [
        {"type": "input_text", "text": "Report: "},
        {"type": "encrypted_content", "encrypted_content": "all is well"},
    ]
    item = {"type": "agent_message", "author": "/root/a", "recipient": "/root", "content": parts}
    made, losses = translated(said("user", "go"), call("1"), output("1"), item)
    assert made[-1] == user("Report: all is well")
    assert losses == []


# -- summaries -----------------------------------------------------------------------------------------------------


def unseal(purpose: str, token: str) -> Any:
    kind, _, value = token.partition(":")
    return json.loads(value) if kind == purpose else None


def compaction(token: str) -> Json:
    return {"type": "compaction", "id": "cmp_1", "encrypted_content": token}


def test_a_summary_made_here_is_told() -> None:
    made, losses = translated(
        said("developer", "Be brief."),
        compaction('compaction:{"summary": "They met."}'),
        said("user", "go on"),
        unseal=unseal,
    )
    assert made == [
        {"role": "system", "content": "Be brief."},
        user(f"{SUMMARY}They met."),
        user("go on"),
    ]
    assert losses == [("input.role", "changed", Severity.IMMATERIAL)]


@pytest.mark.parametrize(
    "token",
    [
        "ENC_ELSEWHERE",
        "",
        'reasoning:{"summary": "They met."}',
        'compaction:"They met."',
        'compaction:{"summary": 7}',
        "compaction:{}",
    ],
)
def test_a_summary_made_elsewhere_is_a_gap(token: str) -> None:
    items = [said("user", "a"), compaction(token), said("user", "b")]
    made, losses = translated(*items, unseal=unseal)
    assert made == [user("a"), user(LOST_SUMMARY), user("b")]
    assert losses == [("input[1].encrypted_content", "dropped", Severity.DEGRADING)]
    with pytest.raises(InvalidRequest) as caught:
        translated(*items, unseal=unseal, strict=True)
    assert caught.value.param == "input[1].encrypted_content"
    assert "They met" not in caught.value.message


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_wish_for_a_summary_is_no_message(position: int) -> None:
    items = [said("user", "a"), said("assistant", "b")]
    items.insert(position, {"type": "compaction_trigger"})
    assert translated(*items) == ([user("a"), {"role": "assistant", "content": "b"}], [])
