"""Functions: the one kind of tool that every upstream has."""

from __future__ import annotations

from wireloom_protocol import responses as m

from wireloom.translate.hub import stored_items as stored
from wireloom.translate.hub.items import FunctionCall
from wireloom.translate.rules.loss import How, Rule, Severity
from wireloom.translate.rules.members import LEFT_OUT
from wireloom.translate.tools.base import (
    EMPTY_PARAMETERS,
    CallForm,
    HistoryCall,
    Offering,
    OutputForm,
    Target,
    ToolKind,
    plain_output,
    plain_schema,
)
from wireloom.wire.json import Json

# Members of a tool that no Chat function has -> their names in the models.
_NOT_IN_CHAT = {name: name for name in ("output_schema", "defer_loading", "allowed_callers")} | {
    "async": "async_"
}


def offer(
    offering: Offering,
    path: str,
    tool: m.FunctionTool | m.FunctionToolParam,
    namespace: str | None = None,
    about: str = "",
) -> None:
    """Offer a function.

    Args:
        offering: the request's tools so far.
        path: where the tool stood.
        tool: its definition.
        namespace: the namespace that it is a member of.
        about: a description of the namespace, which goes behind the tool's own.
    """
    definition: Json = {}
    if tool.description or about:
        definition["description"] = "\n\n".join(filter(None, (tool.description, about)))
    definition["parameters"] = plain_schema(tool.parameters) or EMPTY_PARAMETERS
    if tool.strict is not None and offering.profile.tool_strict:
        definition["strict"] = tool.strict
    elif tool.strict:
        offering.losses.add(f"{path}.strict", "dropped", f"{offering.profile.title} does not take it")
    for name, attribute in _NOT_IN_CHAT.items():
        if getattr(tool, attribute, None):
            offering.losses.add(f"{path}.{name}", "dropped", LEFT_OUT[name], Severity.IMMATERIAL)
    offering.offer(path, Target(tool.name, namespace), definition)


def _in_history(item: m.FunctionToolCall) -> HistoryCall:
    return HistoryCall(item.call_id, item.name, item.namespace, item.arguments)


KIND = ToolKind(
    members={"function": "name description parameters strict"},
    offered=Rule(How.NATIVE, offer),
    chosen_by="name",
    call=CallForm(
        FunctionCall,
        _in_history,
        stored.Form(m.FunctionToolCallResource, stored.DONE),
        "call_id name namespace arguments",
        chat="function",
    ),
    output=OutputForm(
        "function_call_output",
        "fco",
        plain_output,
        stored.Form(m.FunctionToolCallOutputResource, stored.DONE, stored.output),
        "call_id output",
    ),
)
