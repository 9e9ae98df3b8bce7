"""How answers end: the words of upstreams for it, and the contract's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Types of the events that end a stream."""
Incomplete: TypeAlias = Literal["max_output_tokens", "content_filter"]
"""Why a model stopped before the end of its answer, in the contract's words."""

# Why a model stopped, in small letters -> why the response is incomplete; None where it is complete. A reason that is
# not here is an upstream's own word for a proper end.
INCOMPLETE: Mapping[str, Incomplete | None] = {
    "stop": None,
    "tool_calls": None,
    "function_call": None,
    # Of other servers: vLLM and TGI, Anthropic, Cohere, Gemini, Llama.
    "eos": None,
    "eos_token": None,
    "end_turn": None,
    "end_of_turn": None,
    "tool_use": None,
    "tool_call": None,
    "stop_sequence": None,
    "stop_token": None,
    "complete": None,
    "completed": None,
    "finished": None,
    "eot": None,
    "length": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
    "max_new_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_token": "max_output_tokens",
    "token_limit": "max_output_tokens",
    "length_limit": "max_output_tokens",
    "model_length": "max_output_tokens",
    "context_length": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "sensitive": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "image_safety": "content_filter",
    "refusal": "content_filter",
    "error_toxic": "content_filter",
}


CALLING = frozenset({"tool_calls", "function_call", "tool_use", "tool_call"})
"""Reasons, in small letters, which say that an answer ends with a call."""


def incomplete(reason: str | None) -> Incomplete | None:
    """Why a response is incomplete, or None where it is complete.

    Args:
        reason: why a model stopped, in an upstream's words.
    """
    return INCOMPLETE.get((reason or "stop").lower())
