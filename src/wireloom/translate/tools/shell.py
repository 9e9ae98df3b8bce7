"""`shell`: several command lines on the user's machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wireloom_protocol import responses as m

from wireloom.translate.hub import stored_items as stored
from wireloom.translate.rules.loss import How, Rule, refused
from wireloom.translate.tools.base import (
    CallForm,
    ClientCall,
    HistoryCall,
    Offering,
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
    "description": "Run shell commands on the user's machine and get the output of each.",
    "parameters": {
        "type": "object",
        "properties": {
            "commands": {"type": "array", "items": TEXT, "description": "Command lines, run one by one."},
            "timeout_ms": TIMEOUT,
            "max_output_length": {"type": "integer", "description": "Characters of output at most."},
        },
        "required": ["commands"],
    },
}


def _offer(offering: Offering, path: str, tool: m.FunctionShellToolParam) -> None:
    definition = dict(DEFINITION)
    if tool.environment is not None:
        skills = ENVIRONMENTS[tool.environment.type].apply(f"{path}.environment", tool.environment)
        definition["description"] = "\n".join([DEFINITION["description"], *skills])
    offered_as(ShellCall, definition)(offering, path, tool)


def _local(_: str, environment: m.LocalEnvironmentParam) -> list[str]:
    skills = environment.skills or ()
    described = [f"- {skill.name} ({skill.path}): {skill.description}" for skill in skills]
    return ["Skills there:", *described] if described else []


def _container(path: str, _: Any) -> list[str]:
    raise refused(path, "containers live at the provider", "unsupported_tool")


_ELSEWHERE: Rule[Callable[[str, Any], list[str]]] = Rule(
    How.REFUSED, _container, "containers live at the provider"
)

ENVIRONMENTS: Mapping[str, Rule[Callable[[str, Any], list[str]]]] = {
    "local": Rule(How.NATIVE, _local, "its skills are described"),
    "container_auto": _ELSEWHERE,
    "container_reference": _ELSEWHERE,
}
"""Every place where a shell runs -> its description for the model."""


class ShellCall(ClientCall):
    """Command lines for the client's machine."""

    kind = "shell"
    type = "shell_call"
    prefix = "sh"

    @staticmethod
    def fields(arguments: Json) -> Json | None:
        """See `ClientCall.fields`."""
        commands = arguments.get("commands", arguments.get("command"))
        if isinstance(commands, str):
            commands = [commands]
        if not texts(commands):
            return None
        limits = {
            name: value if isinstance(value := arguments.get(name), int) else None
            for name in ("timeout_ms", "max_output_length")
        }
        return {"action": {"commands": commands, **limits}, "environment": {"type": "local"}}

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`: three events for each command, which is whole."""
        events: list[tuple[str, Json]] = []
        for index, command in enumerate(self.item["action"]["commands"]):
            at = {"command_index": index}
            events += [
                ("response.shell_call_command.added", {**at, "command": ""}),
                ("response.shell_call_command.delta", {**at, "delta": command}),
                ("response.shell_call_command.done", {**at, "command": command}),
            ]
        return events


def _in_history(item: m.FunctionShellCallItemParam) -> HistoryCall:
    return HistoryCall(item.call_id, "shell", None, call_arguments(item.action))


def _output(_: Tools, item: m.FunctionShellCallOutputItemParam) -> tuple[str | None, Any]:
    return item.call_id, shell_output(item.output)


def shell_output(results: Sequence[Any]) -> str:
    """The printed text of each command, and how each ended."""
    return "\n".join(map(_result, results))


def _result(result: Any) -> str:
    ended = OUTCOMES[result.outcome.type](result.outcome)
    parts = (result.stdout, f"stderr: {result.stderr}" if result.stderr else "", f"[{ended}]")
    return "\n".join(part for part in parts if part)


OUTCOMES: Mapping[str, Callable[[Any], str]] = {
    "exit": lambda outcome: f"exit code {outcome.exit_code}",
    "timeout": lambda _: "timed out",
}
"""Every way in which a command ends -> its words."""


def _stored_call(item: Json) -> None:
    item["action"] = {"timeout_ms": None, "max_output_length": None, **item["action"]}


def _stored_output(item: Json) -> None:
    item["output"] = [
        {name: part[name] for name in ("stdout", "stderr", "outcome")} for part in item["output"]
    ]


KIND = ToolKind(
    members={"shell": "environment"},
    offered=Rule(How.EMULATED, _offer, "a function; containers at a provider are refused"),
    chosen_by="type",
    call=CallForm(
        ShellCall,
        _in_history,
        stored.Form(m.FunctionShellCall, {"environment": None, **stored.DONE}, _stored_call),
        "call_id action",
    ),
    output=OutputForm(
        "shell_call_output",
        "sho",
        _output,
        stored.Form(m.FunctionShellCallOutput, {"max_output_length": None, **stored.DONE}, _stored_output),
        "call_id output",
    ),
)
