"""Custom tools: free-form input, which stands inside the arguments of a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from wireloom_protocol import hot
from wireloom_protocol import responses as m

from wireloom.translate.hub import stored_items as stored
from wireloom.translate.hub.items import CallItem
from wireloom.translate.rules.loss import How, Rule, Severity
from wireloom.translate.tools.base import (
    CallForm,
    HistoryCall,
    Offering,
    OutputForm,
    Target,
    ToolKind,
    plain_output,
)
from wireloom.translate.tools.free_input import INPUT, FreeInput, unwrap, wrap
from wireloom.translate.tools.patch_text import PATCH_TOOLS, PatchText
from wireloom.wire.json import Json

INPUT_DESCRIPTION = "The tool's input, exactly as the tool takes it."


def offer(
    offering: Offering, path: str, tool: m.CustomToolParam, namespace: str | None = None, about: str = ""
) -> None:
    """Offer a function with one text.

    Args:
        offering: the request's tools so far.
        path: where the tool stood.
        tool: its definition.
        namespace: the namespace that it is a member of.
        about: a description of the namespace, which goes behind the tool's own.
    """
    words = [text for text in (tool.description, about) if text]
    if tool.format is not None:
        words += FORMATS[tool.format.type].apply(offering, f"{path}.format", tool.format)
    definition: Json = {
        "description": "\n\n".join(words),
        "parameters": {
            "type": "object",
            "properties": {INPUT: {"type": "string", "description": INPUT_DESCRIPTION}},
            "required": [INPUT],
            "additionalProperties": False,
        },
    }
    offering.offer(path, Target(tool.name, namespace, CustomCall), definition)


def _text(*_: Any) -> list[str]:
    """Any text: nothing has to be described."""
    return []


def _grammar(offering: Offering, path: str, form: m.CustomGrammarFormatParam) -> list[str]:
    reason = "the grammar is described and not enforced"
    offering.losses.add(path, "emulated", reason, Severity.IMMATERIAL)
    return [f"The value of `{INPUT}` has to follow this {form.syntax} grammar:\n{form.definition}"]


FORMATS: Mapping[str, Rule[Callable[[Offering, str, Any], list[str]]]] = {
    "text": Rule(How.NATIVE, _text),
    "grammar": Rule(How.EMULATED, _grammar, "described and not enforced"),
}
"""Every format of free-form input -> its description for the model."""


class CustomCall(CallItem):
    """A call of a tool with free-form input."""

    kind = "custom"
    type = "custom_tool_call"
    prefix = "ctc"

    def __init__(self, *at: Any) -> None:
        super().__init__(*at)
        self.item["input"] = ""
        name = self.item["name"]
        self._reader = FreeInput(partial(unwrap, name=name))
        self._patch = PatchText() if name in PATCH_TOOLS else None
        self._input: list[str] = []

    def feed(self, fragment: str) -> str:
        """See `CallItem.feed`: the input in it."""
        text = self._reader.feed(fragment)
        if self._patch is not None:
            text = self._patch.feed(text)
        self._input.append(text)
        return text

    def rest(self, *, whole: bool) -> str:
        """See `CallItem.rest`."""
        text = self._reader.close()
        if self._patch is not None:
            text = self._patch.feed(text) + self._patch.close()
        self._input.append(text)
        return text

    def event(self, delta: str, output_index: int, number: int) -> hot.HotEvent:
        """See `CallItem.event`."""
        return hot.ResponseCustomToolCallInputDeltaEvent(number, output_index, self.item["id"], delta)

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`."""
        self.item["input"] = text = "".join(self._input)
        return [("response.custom_tool_call_input.done", {"input": text})]


def _in_history(item: m.CustomToolCall) -> HistoryCall:
    return HistoryCall(item.call_id, item.name, item.namespace, wrap(item.input))


KIND = ToolKind(
    members={"custom": "name description format"},
    offered=Rule(How.EMULATED, offer, "a function with one string; a grammar is described"),
    chosen_by="name",
    call=CallForm(
        CustomCall,
        _in_history,
        stored.Form(m.CustomToolCallResource, stored.DONE),
        "call_id name namespace input",
        chat="custom",
    ),
    output=OutputForm(
        "custom_tool_call_output",
        "ctco",
        plain_output,
        stored.Form(m.CustomToolCallOutputResource, stored.DONE, stored.output),
        "call_id output",
    ),
)
