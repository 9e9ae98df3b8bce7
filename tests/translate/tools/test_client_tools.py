"""The published tools that run at the client: their definitions for a model, and the model's calls as items."""

from typing import Any

import pytest

from tests.support.upstream_requests import sent
from wireloom.translate.tools.apply_patch import ApplyPatchCall
from wireloom.translate.tools.local_shell import LocalShellCall
from wireloom.translate.tools.shell import ShellCall
from wireloom.translate.tools.tool_search import found_tools

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
TIMEOUT: Json = {"type": "integer"}
DEFINITIONS: dict[str, tuple[Json, list[str]]] = {
    "local_shell": (
        {
            "command": {"type": "array", "items": TEXT},
            "working_directory": TEXT,
            "env": {"type": "object", "additionalProperties": TEXT},
            "timeout_ms": TIMEOUT,
            "user": TEXT,
        },
        ["command"],
    ),
    "shell": (
        {
            "commands": {"type": "array", "items": TEXT},
            "timeout_ms": TIMEOUT,
            "max_output_length": {"type": "integer"},
        },
        ["commands"],
    ),
    "apply_patch": (
        {
            "operation": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
                    "path": TEXT,
                    "diff": TEXT,
                },
                "required": ["type", "path"],
            }
        },
        ["operation"],
    ),
}
"""Kind of a tool -> the properties of its arguments without their descriptions, and those that are required."""
DESCRIBED = {
    "local_shell": ["command", "timeout_ms"],
    "shell": ["commands", "timeout_ms", "max_output_length"],
    "apply_patch": ["diff"],
}
"""Kind of a tool -> the properties that have a description."""


def bare(schema: Any, described: list[str], name: str = "") -> Any:
    """A schema without the descriptions in it; the names of the properties that had one are added to a list."""
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("description"), str):
        described.append(name)
    return {key: bare(value, described, key) for key, value in schema.items() if key != "description"}


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_a_tool_is_a_function_that_describes_itself(kind: str) -> None:
    (tool,) = sent({"tools": [{"type": kind}]})["tools"]
    properties, required = DEFINITIONS[kind]
    described: list[str] = []
    assert bare(tool["parameters"], described) == {
        "type": "object",
        "properties": properties,
        "required": required,
    }
    assert described == DESCRIBED[kind]
    assert (tool["type"], tool["name"]) == ("function", kind)
    assert tool["description"].endswith(".")


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({"command": ["ls"]}, {"command": ["ls"], "env": {}}),
        ({"command": "ls"}, {"command": ["bash", "-lc", "ls"], "env": {}}),
        (
            {"command": ["ls"], "env": {"A": "b"}, "timeout_ms": 5, "working_directory": "/", "user": "me", "x": 1},
            {"command": ["ls"], "env": {"A": "b"}, "timeout_ms": 5, "working_directory": "/", "user": "me"},
        ),
        (
            {"command": ["ls"], "env": {"A": 1}, "timeout_ms": "5", "working_directory": 1, "user": 2},
            {"command": ["ls"], "env": {}},
        ),
        ({"command": []}, None),
        ({"command": ["ls", 1]}, None),
        ({"command": None}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_command_is_read_from_the_arguments(arguments: Json, action: Json | None) -> None:
    expected = None if action is None else {"action": {"type": "exec", **action}}
    assert LocalShellCall.fields(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({"commands": ["ls"]}, {"commands": ["ls"], "timeout_ms": None, "max_output_length": None}),
        ({"command": "ls"}, {"commands": ["ls"], "timeout_ms": None, "max_output_length": None}),
        (
            {"commands": ["a", "b"], "timeout_ms": 5, "max_output_length": "6"},
            {"commands": ["a", "b"], "timeout_ms": 5, "max_output_length": None},
        ),
        (
            {"commands": ["a"], "timeout_ms": 5, "max_output_length": 6},
            {"commands": ["a"], "timeout_ms": 5, "max_output_length": 6},
        ),
        ({"commands": []}, None),
        ({"commands": 5}, None),
        ({}, None),
    ],
)
def test_command_lines_are_read_from_the_arguments(arguments: Json, action: Json | None) -> None:
    expected = None if action is None else {"action": action, "environment": {"type": "local"}}
    assert ShellCall.fields(arguments) == expected


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        (
            {"type": "create_file", "path": "a", "diff": "+b", "x": 1},
            {"type": "create_file", "path": "a", "diff": "+b"},
        ),
        (
            {"type": "update_file", "path": "a", "diff": ""},
            {"type": "update_file", "path": "a", "diff": ""},
        ),
        ({"type": "delete_file", "path": "a", "diff": "+b"}, {"type": "delete_file", "path": "a"}),
        ({"type": "create_file", "path": "a"}, None),
        ({"type": "create_file", "path": "", "diff": "+b"}, None),
        ({"type": "rename_file", "path": "a"}, None),
        ({"type": ["create_file"], "path": "a"}, None),
        ({"path": "a"}, None),
    ],
)
def test_a_change_of_a_file_is_read_from_the_arguments(operation: Json, told: Json | None) -> None:
    expected = None if told is None else {"operation": told}
    assert ApplyPatchCall.fields({"operation": operation}) == expected
    assert ApplyPatchCall.fields(operation) == expected
    assert ApplyPatchCall.fields({"operation": "delete"}) is None


def test_found_tools_are_listed_with_their_descriptions() -> None:
    assert found_tools([]) == "No tool was found."
    assert found_tools([("a", {"description": "Adds."}), ("b", {})]) == (
        "These tools can be called now:\n- a: Adds.\n- b"
    )
