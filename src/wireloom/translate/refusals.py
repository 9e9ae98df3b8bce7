"""What a request that keeps to the contract may still be refused for: code and parameter of each error, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wireloom.translate.chat_upstream import items as chat_items
from wireloom.translate.chat_upstream.request import FIELDS
from wireloom.translate.rules.loss import Refuse
from wireloom.translate.tools.flatten import RECALLED
from wireloom.translate.tools.table import REFUSED

# Codes of a name for something that is not here; no contract can tell which names those are.
MISSING_STATE = frozenset(
    {"previous_response_not_found", "conversation_not_found", "item_not_found", "model_not_found"}
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One declared refusal.

    Args:
        code: the error's code.
        param: pattern of the whole of the error's parameter.
        reason: why, in a few words.
        kinds: values of `type` at that place which are refused; none where the kind is not what counts.
    """

    code: str
    param: str
    reason: str
    kinds: frozenset[str] = frozenset()

    def covers(self, error: Mapping[str, Any], request: Any) -> bool:
        """Whether this is why a request got an error.

        Args:
            error: the error object.
            request: the request's JSON.
        """
        param = error["param"] or ""
        if error["code"] != self.code or re.fullmatch(self.param, param) is None:
            return False
        recalled = param.startswith(RECALLED)  # the request does not hold the item
        return not self.kinds or recalled or _kind(request, param) in self.kinds


def _kind(request: Any, param: str) -> Any:
    """The `type` at a parameter's path."""
    found = request
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", param.removesuffix(".type")):
        found = found[name] if name else found[int(index)]
    return found["type"]


_ITEM = rf"(input\[\d+\]|{RECALLED})"
_PART = rf"{_ITEM}\.(content|output)\[\d+\]"
_TOOL = rf"({_ITEM}\.)?tools\[\d+\](\.tools\[\d+\])?"

DECLARED: tuple[Refusal, ...] = (
    *(
        Refusal("unsupported_parameter", name, rule.note)
        for name, rule in FIELDS.items()
        if isinstance(rule.apply, Refuse)
    ),
    Refusal(
        "unsupported_parameter", r"top_logprobs|include\[\d+\]", "the upstream tells no log probabilities"
    ),
    Refusal(
        "unsupported_parameter",
        "tool_choice",
        "the upstream cannot be made to call a tool, or has none to call",
    ),
    Refusal(
        "unsupported_parameter", rf"{_ITEM}\.content\[\d+\]", "only a user's message holds more than text"
    ),
    Refusal("unsupported_tool", _TOOL, "it runs inside a provider that offers it", REFUSED),
    Refusal("unsupported_tool", rf"{_TOOL}\.environment", "containers live at the provider"),
    Refusal("unsupported_tool", "tool_choice", "a tool that is not offered cannot be forced"),
    Refusal("invalid_value", r"tool_choice\.(name|tools\[\d+\])", "the tool is not offered"),
    Refusal("invalid_value", _TOOL, "the tool is offered twice"),
    Refusal("unsupported_item", rf"{_ITEM}\.type", "it is not translated", chat_items.REFUSED),
    Refusal("unsupported_item", "input", "nothing in it can be said in Chat Completions"),
    Refusal("invalid_value", rf"{_ITEM}\.call_id", "the output names no call"),
    Refusal("unsupported_content", rf"{_PART}(\.file_id|\.image_url)?", "the upstream cannot be given it"),
    Refusal("invalid_value", "conversation", "previous_response_id names another context"),
    Refusal("unsupported_format", r"text\.format", "the upstream has no such format"),
)


def declared(error: Mapping[str, Any], request: Any) -> bool:
    """Whether an error of a valid request is one that was declared.

    Args:
        error: the error object.
        request: the request's JSON.
    """
    return error["code"] in MISSING_STATE or any(refusal.covers(error, request) for refusal in DECLARED)
