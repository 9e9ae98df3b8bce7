"""The response object at its start: the settings of its request echoed, in both documents' form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from wireloom_protocol import responses as m

from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies

T = TypeVar("T")

FUNCTION_NULLS: Json = {"description": None, "parameters": None, "strict": None}


def opening(body: m.CreateResponse, response_id: str, created_at: int) -> replies.Response:
    """The object that a stream starts with: settings that a request leaves out have their published defaults.

    Args:
        body: the request.
        response_id: id of the new response.
        created_at: seconds since the epoch.
    """
    response: replies.Response = {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": body.model,
        "output": [],
        "usage": None,
        "store": False,
        "parallel_tool_calls": _given(body.parallel_tool_calls, True),
        "temperature": _given(body.temperature, 1.0),
        "top_p": _given(body.top_p, 1.0),
        "top_logprobs": _given(body.top_logprobs, 0),
        "presence_penalty": _given(body.presence_penalty, 0.0),
        "frequency_penalty": _given(body.frequency_penalty, 0.0),
        "service_tier": _given(body.service_tier, "default"),
        "truncation": _given(body.truncation, "disabled"),
        "background": False,
        "tool_choice": _echo(body.tool_choice, "auto"),
        "metadata": _given(body.metadata, {}),
        "previous_response_id": body.previous_response_id,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": body.max_tool_calls,
        "safety_identifier": body.safety_identifier,
        "prompt_cache_key": body.prompt_cache_key,
        "reasoning": _reasoning(body.reasoning),
        "text": _text(body.text),
        "tools": _tools(body),
    }
    if body.user is not None:
        response["user"] = body.user
    return response


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


def _echo(value: Any, default: Any) -> Any:
    """The JSON of a setting as the request has it: its model was validated by the same contract."""
    if value is None:
        return default
    return (
        value.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if hasattr(value, "model_dump")
        else value
    )


def _reasoning(value: m.Reasoning | None) -> Any:
    return {"effort": None, "summary": None, **_echo(value, {})}


def _text(value: m.ResponseTextParam | None) -> Any:
    given = value.model_dump(mode="json", exclude_none=True, by_alias=True) if value is not None else {}
    return {"format": {"type": "text"}, **given}


def _tools(body: m.CreateResponse) -> Any:
    """The tools in use, encoded once: the object is sent three times and tools are its bulk."""
    if not body.tools:
        return []
    # One of a kind that the contract does not know was left out, so it is not among those in use.
    known = [_tool(tool) for tool in body.tools if not isinstance(tool, m.UnknownTool)]
    return msgspec.Raw(msgspec.json.encode(known))


def _tool(tool: Any) -> Json:
    value: Json = _echo(tool, {})
    return FUNCTION_NULLS | value if value["type"] == "function" else value


ABSENT: Mapping[str, str] = {
    "access_programs": "the upstream has none",
    "conversation": "added where the response belongs to one",
    "image": "the upstream treats images as it likes",
    "input_transformations": "nothing of the input is taken out",
    "moderation": "no moderation is asked for",
    "output_text": "the SDKs put it together from the output",
    "prompt": "stored prompts live at the provider that stores them",
    "prompt_cache_diagnostics": "the upstream does not report on its cache",
    "prompt_cache_options": "the upstream caches as it likes",
    "prompt_cache_retention": "the upstream caches as it likes",
    "tool_usage": "no tool runs inside the gateway",
}
"""Fields that `opening` does not set, and why."""
