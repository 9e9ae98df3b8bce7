"""Calls of the client's own tools in a history, as calls of the functions that stand for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.translate.tools.client_tools import call_arguments
from wireloom.translate.tools.free_input import wrap
from wireloom.translate.tools.item_outputs import SEARCH_ID

Call: TypeAlias = tuple[str, str, str | None, str]
"""Call id, name and namespace of the tool as the client gave them, arguments."""


def _custom(item: m.CustomToolCall) -> Call:
    return item.call_id, item.name, item.namespace, wrap(item.input)


def _tool_search(item: m.ToolSearchCallItemParam) -> Call:
    arguments = call_arguments(item.arguments.model_dump(mode="json"))
    return item.call_id or SEARCH_ID, "tool_search", None, arguments


def _local_shell(item: m.LocalShellToolCall) -> Call:
    return item.call_id, "local_shell", None, call_arguments(item.action)


def _shell(item: m.FunctionShellCallItemParam) -> Call:
    return item.call_id, "shell", None, call_arguments(item.action)


def _apply_patch(item: m.ApplyPatchToolCallItemParam) -> Call:
    arguments = call_arguments({"operation": item.operation.model_dump(mode="json")})
    return item.call_id, "apply_patch", None, arguments


CALLS: Mapping[str, Callable[[Any], Call]] = {
    "custom_tool_call": _custom,
    "tool_search_call": _tool_search,
    "local_shell_call": _local_shell,
    "shell_call": _shell,
    "apply_patch_call": _apply_patch,
}
