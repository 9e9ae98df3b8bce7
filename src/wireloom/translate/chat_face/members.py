"""What becomes of each member of a Chat message, content part, call or tool that goes to a backend without Chat."""

from __future__ import annotations

from collections.abc import Mapping

Members = Mapping[str, frozenset[str]]


def _split(members: Mapping[str, str]) -> Members:
    return {kind: frozenset(names.split()) for kind, names in members.items()}


MESSAGES: Members = _split(
    {
        "system": "role content",
        "developer": "role content",
        "user": "role content",
        "assistant": "role content refusal audio tool_calls function_call reasoning_content reasoning",
        "tool": "role content tool_call_id",
        "function": "role content",
    }
)
"""Role -> the members of its message that are translated, or for whose value a request is refused."""
PARTS: Members = _split(
    {
        "text": "type text",
        "refusal": "type refusal",
        "image_url": "type image_url",
        "input_audio": "type input_audio",
        "file": "type file",
    }
)
"""Type of a content part -> the members that are translated."""
CALLS: Members = _split({"function": "id type function", "custom": "id type custom"})
"""Type of a call -> the members that are translated."""
TOOLS: Members = _split({"function": "type function", "custom": "type custom"})
"""Type of a tool -> the members that are translated."""

LEFT_OUT: Mapping[str, str] = {
    "name": "reported where it names a speaker; the name of a function's answer adds nothing to its call",
    "reasoning_details": "only its own provider reads it",
    "prompt_cache_breakpoint": "backends find by themselves what they have cached",
}
"""Member -> why its absence changes nothing, wherever it is not translated."""
