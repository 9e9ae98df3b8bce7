"""`tool_search`: a search for tools, which the client carries out, or a server that then offers what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wireloom_protocol import responses as m

from wireloom.translate.hub import stored_items as stored
from wireloom.translate.rules.loss import How, Rule, Severity
from wireloom.translate.tools.base import (
    EMPTY_PARAMETERS,
    CallForm,
    ClientCall,
    HistoryCall,
    Offering,
    OutputForm,
    Target,
    ToolKind,
    Tools,
    call_arguments,
    plain_schema,
)
from wireloom.wire.json import Json

SERVER_CALL = "call_tool_search"
"""Stands for the id of a search that a server carried out: it has none."""


def _offer(offering: Offering, path: str, tool: m.ToolSearchToolParam) -> None:
    if tool.execution is None or tool.execution == "server":
        offering.losses.add(path, "emulated", "every tool is offered at once", Severity.IMMATERIAL)
        return
    definition: Json = {"parameters": plain_schema(tool.parameters) or EMPTY_PARAMETERS}
    if tool.description:
        definition["description"] = tool.description
    offering.offer(path, Target("tool_search", call=ToolSearchCall), definition)


class ToolSearchCall(ClientCall):
    """A search for tools that the client carries out."""

    kind = "tool_search"
    type = "tool_search_call"
    prefix = "tsc"

    @staticmethod
    def fields(arguments: Json) -> Json | None:
        """See `ClientCall.fields`."""
        return {"execution": "client", "arguments": arguments}


def _in_history(item: m.ToolSearchCallItemParam) -> HistoryCall:
    arguments = call_arguments(item.arguments.model_dump(mode="json"))
    return HistoryCall(item.call_id or SERVER_CALL, "tool_search", None, arguments)


def _output(tools: Tools, item: m.ToolSearchOutputItemParam) -> tuple[str | None, Any]:
    offered = {tool["function"]["name"]: tool["function"] for tool in tools.functions}
    names = [name for tool in item.tools for name in _flat_names(tools, tool)]
    found = [(name, offered.get(name, {})) for name in names]  # not all may be called in this turn
    return item.call_id or SERVER_CALL, found_tools(found)


def _flat_names(tools: Tools, tool: Any) -> list[str]:
    """The flat names under which a tool is offered."""
    namespace = tool.name if tool.type == "namespace" else None
    members = tool.tools if namespace is not None else [tool]
    found = (tools.flat_name(getattr(member, "name", member.type), namespace) for member in members)
    return [name for name in found if name is not None]


def found_tools(offered: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The tools that a search has found, as text.

    Args:
        offered: flat name and function definition of each.
    """
    if not offered:
        return "No tool was found."
    lines = [f"- {name}: {definition.get('description', '')}".rstrip(": ") for name, definition in offered]
    return "\n".join(["These tools can be called now:", *lines])


def _stored_call(item: Json) -> None:
    item.setdefault("execution", "client" if item["call_id"] else "server")


def _stored_output(item: Json) -> None:
    _stored_call(item)
    stored.known_tools(item)


_ABSENT = {"call_id": None, **stored.DONE}

KIND = ToolKind(
    members={"tool_search": "description parameters execution"},
    offered=Rule(
        How.EMULATED, _offer, "a function, if the client searches; else every tool is offered at once"
    ),
    call=CallForm(
        ToolSearchCall, _in_history, stored.Form(m.ToolSearchCall, _ABSENT, _stored_call), "call_id arguments"
    ),
    output=OutputForm(
        "tool_search_output",
        "tso",
        _output,
        stored.Form(m.ToolSearchOutput, _ABSENT, _stored_output),
        "call_id tools",
        brings_tools=True,
    ),
)
