"""Every kind of tool, and the tables that other modules read of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.translate.hub import stored_items
from wireloom.translate.hub.items import CallItem
from wireloom.translate.hub.stored_items import Form
from wireloom.translate.rules import members
from wireloom.translate.rules.loss import How, Rule, refused
from wireloom.translate.tools import (
    apply_patch,
    custom,
    function,
    local_shell,
    namespace,
    shell,
    tool_search,
    web_search,
)
from wireloom.translate.tools.base import CallForm, Offering, OutputForm, ToolKind, ToolRule

KINDS: tuple[ToolKind, ...] = (
    function.KIND,
    custom.KIND,
    namespace.KIND,
    tool_search.KIND,
    local_shell.KIND,
    shell.KIND,
    apply_patch.KIND,
    web_search.KIND,
)


# -- definitions ---------------------------------------------------------------------------------------------------


def _refused(offering: Offering, path: str, tool: Any) -> None:
    if not offering.lenient:
        raise refused(path, f"{tool.type} runs inside a provider that offers it", "unsupported_tool")
    offering.losses.add(path, "dropped", f"{tool.type} runs inside a provider that offers it")


def _unknown(offering: Offering, path: str, _: m.UnknownTool) -> None:
    if not offering.lenient:
        raise InvalidRequest(f"{path}.type: there is no such kind of tool.", param=f"{path}.type")
    offering.losses.add(path, "dropped", "a kind of tool the contract does not know")


_HOSTED: ToolRule = Rule(How.REFUSED, _refused, "it runs inside a provider that offers it")

TOOLS: Mapping[str, ToolRule] = {
    **{name: kind.offered for kind in KINDS for name in kind.members},
    "file_search": _HOSTED,
    "code_interpreter": _HOSTED,
    "computer": _HOSTED,
    "computer_use_preview": _HOSTED,
    "image_generation": _HOSTED,
    "mcp": _HOSTED,
    "programmatic_tool_calling": _HOSTED,
    "unknown": Rule(How.REFUSED, _unknown, "left out with a report where the Codex CLI sends it"),
}
REFUSED = frozenset(kind for kind, rule in TOOLS.items() if rule is _HOSTED)
"""Types of tools that refuse a request."""
SEARCHES = frozenset(web_search.KIND.members)
"""Types of tools that search the web."""
CHOSEN_BY: Mapping[str, str] = {
    name: kind.chosen_by for kind in KINDS for name in kind.members if kind.chosen_by is not None
}
"""Type of a tool that `tool_choice` may name -> by its `name` or by its `type`."""


# -- calls and outputs ---------------------------------------------------------------------------------------------

CALLS: Mapping[str, CallForm] = {kind.call.item.type: kind.call for kind in KINDS if kind.call is not None}
"""Type of a call's item -> its forms."""
OUTPUTS: Mapping[str, OutputForm] = {
    kind.output.type: kind.output for kind in KINDS if kind.output is not None
}
"""Type of an output's item -> its forms."""
CALL_ITEMS: Mapping[str, type[CallItem]] = {form.item.kind: form.item for form in CALLS.values()}
"""Type of a tool -> the item that is emitted for a call."""
TOOL_OF: Mapping[str, str] = {
    **{name: form.item.kind for name, form in CALLS.items()},
    **{kind.output.type: name for kind in KINDS for name in kind.members if kind.output is not None},
}
"""Type of a call's or an output's item -> the type of its tool."""
BRINGERS = frozenset({"additional_tools", *(name for name, form in OUTPUTS.items() if form.brings_tools)})
"""Types of items that bring tools."""
CARRIED: Mapping[str, frozenset[str]] = {
    **members.CARRIED,
    **{name: frozenset(names.split()) for kind in KINDS for name, names in kind.members.items()},
    **{name: frozenset(form.members.split()) for name, form in CALLS.items()},
    **{name: frozenset(form.members.split()) for name, form in OUTPUTS.items()},
}
"""Type of an item, a content part or a tool -> the members that are translated, or whose value rejects a request."""
FORMS: Mapping[str, Form | None] = {
    **stored_items.FORMS,
    **{name: form.stored for name, form in CALLS.items()},
    **{name: form.stored for name, form in OUTPUTS.items()},
}
"""Type of an item -> its stored form, None for those that are not stored."""
PREFIXES: Mapping[str, str] = {
    **stored_items.PREFIXES,
    **{name: form.item.prefix for name, form in CALLS.items()},
    **{name: form.prefix for name, form in OUTPUTS.items()},
}
"""Type of an item -> how ids of its type begin. A reference has the id of the item that it stands for."""
