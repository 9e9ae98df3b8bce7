"""`local_shell`: one command on the user's machine."""

from __future__ import annotations

from typing import Any

from wireloom_protocol import responses as m

from wireloom.translate.hub import stored_items as stored
from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.tools.base import (
    CallForm,
    ClientCall,
    HistoryCall,
    OutputForm,
    ToolKind,
    Tools,
    call_arguments,
    offered_as,
    texts,
)
from wireloom.translate.tools.schemas import TEXT, TIMEOUT
from wireloom.wire.json import Json

DEFINITION: Json = {
    "description": "Run a command on the user's machine and get its output.",
    "parameters": {
        "type": "object",
        "properties": {
            "command": {
                "type": "array",
                "items": TEXT,
                "description": 'The program and its arguments, such as ["bash", "-lc", "ls"].',
            },
            "working_directory": TEXT,
            "env": {"type": "object", "additionalProperties": TEXT},
            "timeout_ms": TIMEOUT,
            "user": TEXT,
        },
        "required": ["command"],
    },
}


class LocalShellCall(ClientCall):
    """A command for the client's machine."""

    kind = "local_shell"
    type = "local_shell_call"
    prefix = "lsh"

    @staticmethod
    def fields(arguments: Json) -> Json | None:
        """See `ClientCall.fields`."""
        command = arguments.get("command")
        if isinstance(command, str):
            command = ["bash", "-lc", command]
        if not texts(command):
            return None
        env = arguments.get("env")
        action: Json = {"type": "exec", "command": command, "env": env if _text_map(env) else {}}
        for name, kind in (("timeout_ms", int), ("working_directory", str), ("user", str)):
            if isinstance(arguments.get(name), kind):
                action[name] = arguments[name]
        return {"action": action}


def _text_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _in_history(item: m.LocalShellToolCall) -> HistoryCall:
    return HistoryCall(item.call_id, "local_shell", None, call_arguments(item.action))


def _output(_: Tools, item: Any) -> tuple[str | None, Any]:
    # The contract's item has no call_id: its id is the call's. The Codex CLI sends a call_id.
    return getattr(item, "call_id", None) or item.id, item.output


def _stored_output(item: Json) -> None:
    item.setdefault("call_id", item["id"])


KIND = ToolKind(
    members={"local_shell": ""},
    offered=Rule(How.EMULATED, offered_as(LocalShellCall, DEFINITION), "a function"),
    call=CallForm(LocalShellCall, _in_history, stored.Form(m.LocalShellToolCall), "call_id action"),
    output=OutputForm(
        "local_shell_call_output",
        "lsho",
        _output,
        stored.Form(m.LocalShellToolCallOutput, mend=_stored_output),
        "id call_id output",
    ),
)
