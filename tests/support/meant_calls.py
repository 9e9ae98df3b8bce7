"""Calls as models write them, and the calls that they mean: data for every way by which a call arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

EXEC: Json = {
    "type": "function",
    "name": "exec_command",
    "parameters": {
        "type": "object",
        "properties": {"cmd": {"type": "string"}, "tty": {"type": "boolean"}},
        "required": ["cmd"],
        "additionalProperties": False,
    },
    "strict": False,
}
TINY: Json = {
    "type": "namespace",
    "name": "mcp__tiny",
    "description": "Sums.",
    "tools": [{"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}],
}
PATCH: Json = {"type": "custom", "name": "apply_patch", "description": "Change files."}
TOOLS: list[Json] = [TINY, EXEC, PATCH]
"""Tools of a Responses request."""

CMD = '{"cmd":"ls"}'


@dataclass(frozen=True, slots=True)
class Written:
    """A call as a model writes it.

    Args:
        case: in words.
        name: as it is written.
        arguments: as they are written, in the fragments in which they arrive.
        meant: namespace, name and arguments of the call that is meant.
        told: whether the log has to say anything.
    """

    case: str
    name: str = "exec_command"
    arguments: list[Any] = field(default_factory=lambda: [CMD])
    meant: tuple[str | None, str, str] = (None, "exec_command", CMD)
    told: bool = True


def _named(case: str, name: str, meant: tuple[str | None, str] = (None, "exec_command")) -> Written:
    arguments = CMD if meant[1] == "exec_command" else "{}"
    return Written(case, name, [arguments], (*meant, arguments))


def _as_it_is(case: str, *arguments: str, told: bool = True) -> Written:
    return Written(case, "exec_command", list(arguments), (None, "exec_command", "".join(arguments)), told)


ADD = ("mcp__tiny", "add")

NAMES = [
    _named("a marker behind", "exec_command<|channel|>commentary"),
    _named("the namespace of a template", "functions.exec_command"),
    _named("two markers", "exec_command<|channel|>commentary<|constrain|>json"),
    _named("a tag", "exec_command</tool_call>"),
    _named("the end of a message", "exec_command<|im_end|>"),
    _named("a line", "exec_command\n"),
    _named("quotation marks", '"exec_command"'),
    _named("parentheses", "exec_command()"),
    _named("an id of Kimi", "functions.exec_command:0"),
    _named("a module of Gemini", "default_api.exec_command"),
    _named("a module of Gemini, flat", "default_api_exec_command"),
    _named("the wrapper of several", "multi_tool_use.exec_command"),
    _named("the header", "assistant to=functions.exec_command"),
    _named("capitals", "Exec_Command"),
    _named("camel case", "execCommand"),
    _named("another joint", "exec-command"),
    _named("the protocol", "mcp.exec_command"),
    _named("two underscores", "mcp__tiny__add", ADD),
    _named("a dot", "mcp__tiny.add", ADD),
    _named("a slash", "mcp__tiny/add", ADD),
    _named("a colon", "mcp__tiny:add", ADD),
    _named("one underscore", "mcp__tiny_add", ADD),
    _named("no protocol", "tiny.add", ADD),
    _named("no namespace", "add", ADD),
    _named("a template and a joint", "functions.mcp__tiny__add:1", ADD),
    _named("no such tool", "delete_everything", (None, "delete_everything")),
]

ARGUMENTS = [
    Written("said twice", arguments=[CMD + CMD]),
    Written("said twice in fragments", arguments=['{"cmd"', ':"ls"}', '{"cmd":', '"ls"}']),
    Written("said three times", arguments=[CMD, CMD, CMD]),
    Written("said twice with white space", arguments=[CMD, ' {"cmd": "ls"}']),
    Written("encoded twice", arguments=['"{\\"cmd\\":\\"ls\\"}"']),
    Written("encoded twice in fragments", arguments=['"{\\"cmd', '\\":\\"ls', '\\"}"']),
    Written("encoded three times", arguments=['"\\"{\\\\\\"cmd\\\\\\":\\\\\\"ls\\\\\\"}\\""']),
    Written("an object", arguments=[{"cmd": "ls"}], told=False),
    Written("a fence", arguments=["```json\n", CMD, "\n```"]),
    Written("a comma too many", arguments=['{"cmd":"ls",}']),
    Written("a list of one", arguments=["[", CMD, "]"]),
    Written("a wrapper", arguments=['{"arguments": ', CMD, "}"]),
    Written("a wrapper with text", arguments=['{"parameters":"{\\"cmd\\":\\"ls\\"}"}']),
    Written("a wrapper in characters", arguments=list('{"input":{"cmd":"ls"}}')),
    Written("the whole call", arguments=['{"name":"exec_command",', '"arguments":{"cmd":"ls"}}']),
    Written("tokens behind", arguments=[CMD, "<|call|>"]),
    Written("tokens before", arguments=["<|message|>", CMD]),
    Written("a tag behind", arguments=[CMD, "\n</tool_call>"]),
    Written("a brace too many", arguments=[CMD, "}"]),
    Written("a literal of Python", arguments=["{'cmd'", ": 'ls'}"]),
    Written("an empty object first", arguments=["{}", CMD]),
    Written(
        "a literal with words",
        arguments=["{'cmd': 'ls', 'tty': True}"],
        meant=(None, "exec_command", '{"cmd":"ls","tty":true}'),
    ),
    Written(
        "a line in a string",
        arguments=['{"cmd":"ls', "\n", '-la"}'],
        meant=(None, "exec_command", '{"cmd":"ls\\n-la"}'),
    ),
    Written(
        "snapshots",
        arguments=['{"cmd":"ls -la', '{"cmd":"ls -la /usr/lo', '{"cmd":"ls -la /usr/local"}'],
        meant=(None, "exec_command", '{"cmd":"ls -la /usr/local"}'),
    ),
    Written(
        "snapshots from the first brace on",
        arguments=["{", '{"cmd"', '{"cmd":"ls -la /usr/local', '{"cmd":"ls -la /usr/local"}'],
        meant=(None, "exec_command", '{"cmd":"ls -la /usr/local"}'),
    ),
    Written("null", "add", ["null"], (*ADD, "{}")),
    Written("nothing of Python", "add", ["None"], (*ADD, "{}")),
]
UNREPAIRED = [
    _as_it_is("two objects", '{"cmd":"ls"}{"cmd":"rm"}'),
    _as_it_is("a list of two", f"[{CMD},{CMD}]"),
    _as_it_is("a list of what does not fit", '[{"dir":"ls"}]'),
    _as_it_is("a text", '"ls"'),
    _as_it_is("a number", "7"),
    _as_it_is("half an object", '{"cmd":"ls"'),
    _as_it_is("a wrapper of what does not fit", '{"arguments":{"dir":"ls"}}', told=False),
]
CLEAN = [
    _as_it_is("compact", CMD, told=False),
    _as_it_is("in fragments", '{"', "cmd", '":"', "ls", '"}', told=False),
    _as_it_is("with white space", '{ "cmd" :\n', ' "ls" }', "\n", told=False),
    _as_it_is("braces in a string", '{"cmd":"a{', "}}", " {b}{", '"}', told=False),
    _as_it_is("escapes", '{"cmd":"a\\', '"}{\\\\', '\\n"}', told=False),
    _as_it_is("the same object within itself", '{"cmd":', '{"cmd":', "1}}", told=False),
    _as_it_is("what does not fit", '{"dir":1}', told=False),
    _as_it_is("a member twice", '{"cmd":"a","cmd":"b"}', told=False),
]

BODY = "*** Begin Patch\n*** Update File: a\n@@\n-x\n+*** End Patch\n+y\n*** End Patch"
