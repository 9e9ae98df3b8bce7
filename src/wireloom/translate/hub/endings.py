"""How answers end: the words of upstreams for it, and the contract's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Types of the events that end a stream."""
Incomplete: TypeAlias = Literal["max_output_tokens", "content_filter"]
"""Why a model stopped before the end of its answer, in the contract's words."""

# Why a model stopped -> why the response is incomplete; None where it is complete. A reason that is not here is
# an upstream's own word for a proper end.
INCOMPLETE: Mapping[str, Incomplete | None] = {
    "stop": None,
    "tool_calls": None,
    "function_call": None,
    "length": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "model_length": "max_output_tokens",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
}
