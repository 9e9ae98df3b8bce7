"""The published tools that run at the client: what a Chat model is told of them, its call read, the client's answer told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = dict[str, Any]

_TIMEOUT: Json = {"type": "integer", "description": "Milliseconds after which it is stopped."}
_TEXT: Json = {"type": "string"}

LOCAL_SHELL: Json = {
    "description": "Run a command on the user's machine and get its output.",
    "parameters": {
        "type": "object",
        "properties": {
            "command": {
                "type": "array",
                "items": _TEXT,
                "description": 'The program and its arguments, such as ["bash", "-lc", "ls"].',
            },
            "working_directory": _TEXT,
            "env": {"type": "object", "additionalProperties": _TEXT},
            "timeout_ms": _TIMEOUT,
            "user": _TEXT,
        },
        "required": ["command"],
    },
}
SHELL: Json = {
    "description": "Run shell commands on the user's machine and get the output of each.",
    "parameters": {
        "type": "object",
        "properties": {
            "commands": {"type": "array", "items": _TEXT, "description": "Command lines, run one by one."},
            "timeout_ms": _TIMEOUT,
            "max_output_length": {"type": "integer", "description": "Characters of output at most."},
        },
        "required": ["commands"],
    },
}
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "create_file": ("type", "path", "diff"),
    "update_file": ("type", "path", "diff"),
    "delete_file": ("type", "path"),
}
"""Every change of a file -> its members."""
APPLY_PATCH: Json = {
    "description": "Create, change or delete a file on the user's machine.",
    "parameters": {
        "type": "object",
        "properties": {
            "operation": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "enum": list(OPERATIONS)},
                    "path": _TEXT,
                    "diff": {
                        "type": "string",
                        "description": "For create_file the lines, each after a +; for update_file sections "
                        "that begin with @@, lines after a space, - or +. Not for delete_file.",
                    },
                },
                "required": ["type", "path"],
            }
        },
        "required": ["operation"],
    },
}


# -- the model's call as the fields of its item -------------------------------------------------------------------


def tool_search_fields(arguments: Json) -> Json | None:
    """A search for tools that the client carries out."""
    return {"execution": "client", "arguments": arguments}


def local_shell_fields(arguments: Json) -> Json | None:
    """A command; None where there is none to be found in the arguments."""
    command = arguments.get("command")
    if isinstance(command, str):
        command = ["bash", "-lc", command]
    if not _texts(command):
        return None
    env = arguments.get("env")
    action: Json = {"type": "exec", "command": command, "env": env if _text_map(env) else {}}
    for name, kind in (("timeout_ms", int), ("working_directory", str), ("user", str)):
        if isinstance(arguments.get(name), kind):
            action[name] = arguments[name]
    return {"action": action}


def shell_fields(arguments: Json) -> Json | None:
    """Command lines; None where there are none to be found in the arguments."""
    commands = arguments.get("commands", arguments.get("command"))
    if isinstance(commands, str):
        commands = [commands]
    if not _texts(commands):
        return None
    limits = {
        name: value if isinstance(value := arguments.get(name), int) else None
        for name in ("timeout_ms", "max_output_length")
    }
    return {"action": {"commands": commands, **limits}, "environment": {"type": "local"}}


def apply_patch_fields(arguments: Json) -> Json | None:
    """A change of a file; None where there is none to be found in the arguments."""
    operation = arguments.get("operation", arguments)
    if not isinstance(operation, dict):
        return None
    kind = operation.get("type")
    if not isinstance(kind, str) or kind not in OPERATIONS:
        return None
    fields = {name: operation.get(name) for name in OPERATIONS[kind]}
    return {"operation": fields} if _texts(list(fields.values())) and fields["path"] else None


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def _text_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


# -- an item of the history as the call that a model made, and the client's answer as its text ---------------------


def call_arguments(value: Any) -> str:
    """A part of an item as the arguments of a function."""
    return msgspec.json.encode(_plain(value)).decode()


def shell_output(output: Sequence[Any]) -> str:
    """What commands printed and how they ended."""
    return "\n".join(map(_shell_result, output))


def _shell_result(result: Any) -> str:
    ended = OUTCOMES[result.outcome.type](result.outcome)
    parts = (result.stdout, f"stderr: {result.stderr}" if result.stderr else "", f"[{ended}]")
    return "\n".join(part for part in parts if part)


OUTCOMES: Mapping[str, Callable[[Any], str]] = {
    "exit": lambda outcome: f"exit code {outcome.exit_code}",
    "timeout": lambda _: "timed out",
}
"""Every way in which a command ends -> its words."""


def patch_output(status: str, output: str | None) -> str:
    """Whether a change was made, and what the client says of it."""
    return f"{status}: {output}" if output else status


def found_tools(offered: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """What a search for tools has found.

    Args:
        offered: flat name and function definition of each.
    """
    if not offered:
        return "No tool was found."
    lines = [f"- {name}: {definition.get('description', '')}".rstrip(": ") for name, definition in offered]
    return "\n".join(["These tools can be called now:", *lines])


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_none=True) if hasattr(value, "model_dump") else value
