"""Answers that come with the status of a failure."""

from __future__ import annotations

from typing import Any

from wireloom.translate.failures.unwrap import complains, value_of

SAID = ("content", "tool_calls", "function_call", "refusal", "reasoning_content", "reasoning")
"""Members of a message of which one has to say something."""


def holds_answer(body: bytes) -> bool:
    """Whether a body is a whole completion or response, and no failure.

    Args:
        body: of an answer whose status is that of a failure.
    """
    value = value_of(body)
    if not isinstance(value, dict) or complains(value):
        return False
    choices = value.get("choices")
    if isinstance(choices, list):
        return any(map(_is_said, choices))
    ended = value.get("status") in ("completed", "incomplete")
    return value.get("object") == "response" and ended and bool(value.get("output"))


def _is_said(choice: Any) -> bool:
    """Whether a choice of a completion says something."""
    message = choice.get("message") if isinstance(choice, dict) else None
    failed = isinstance(choice, dict) and bool(choice.get("error"))
    return isinstance(message, dict) and not failed and any(message.get(name) for name in SAID)
