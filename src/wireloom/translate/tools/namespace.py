"""Namespaces: functions and custom tools under one name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wireloom_protocol import responses as m

from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.tools import custom, function
from wireloom.translate.tools.base import Offering, ToolKind

MEMBERS: Mapping[str, Callable[[Offering, str, Any, str, str], None]] = {
    "function": function.offer,
    "custom": custom.offer,
}
"""Every kind of tool that a namespace holds."""


def _offer(offering: Offering, path: str, tool: m.NamespaceToolParam) -> None:
    # The namespace's description goes once, with the first of its tools that is offered.
    about = f"All tools of {tool.name}: {tool.description}" if tool.description else ""
    for index, member in enumerate(tool.tools):
        before = len(offering.tools.functions)
        MEMBERS[member.type](offering, f"{path}.tools[{index}]", member, tool.name, about)
        if len(offering.tools.functions) > before:
            about = ""


KIND = ToolKind(
    members={"namespace": "name description tools"},
    offered=Rule(How.EMULATED, _offer, "functions named `<namespace>-<name>`"),
)
