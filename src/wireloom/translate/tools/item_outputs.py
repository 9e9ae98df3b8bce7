"""What clients and searches answered to calls: the call that each output belongs to, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wireloom_protocol import responses as m

from wireloom.translate.tools import client_tools
from wireloom.translate.tools import table as t

SEARCH_ID = "call_tool_search"
"""Stands for the id of a search for tools that a server carried out: it has none."""


def _plain_output(_: t.Tools, item: Any) -> tuple[str | None, Any]:
    return item.call_id, item.output


def _tool_search_output(tools: t.Tools, item: m.ToolSearchOutputItemParam) -> tuple[str | None, Any]:
    offered = {tool["function"]["name"]: tool["function"] for tool in tools.functions}
    names = [name for tool in item.tools for name in _names(tools, tool)]
    found = [(name, offered.get(name, {})) for name in names]  # not all may be called in this turn
    return item.call_id or SEARCH_ID, client_tools.found_tools(found)


def _names(tools: t.Tools, tool: Any) -> list[str]:
    """The flat names under which a tool is offered."""
    namespace = tool.name if tool.type == "namespace" else None
    members = tool.tools if namespace is not None else [tool]
    found = (tools.flat_name(getattr(member, "name", member.type), namespace) for member in members)
    return [name for name in found if name is not None]


def _local_shell_output(_: t.Tools, item: Any) -> tuple[str | None, Any]:
    return getattr(item, "call_id", None) or item.id, item.output


def _shell_output(_: t.Tools, item: m.FunctionShellCallOutputItemParam) -> tuple[str | None, Any]:
    return item.call_id, client_tools.shell_output(item.output)


def _apply_patch_output(_: t.Tools, item: m.ApplyPatchToolCallOutputItemParam) -> tuple[str | None, Any]:
    return item.call_id, client_tools.patch_output(str(item.status), item.output)


OUTPUTS: Mapping[str, Callable[[t.Tools, Any], tuple[str | None, Any]]] = {
    "function_call_output": _plain_output,
    "custom_tool_call_output": _plain_output,
    "tool_search_output": _tool_search_output,
    "local_shell_call_output": _local_shell_output,
    "shell_call_output": _shell_output,
    "apply_patch_call_output": _apply_patch_output,
}
