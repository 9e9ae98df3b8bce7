"""The response object at its start: the settings of its request echoed, in both documents' form."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from wireloom_protocol import responses as m

Json: TypeAlias = dict[str, Any]

# What a response says where its request said nothing: the published defaults.
DEFAULTS: Json = {
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_logprobs": 0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "service_tier": "default",
    "truncation": "disabled",
    "background": False,
    "tool_choice": "auto",
    "metadata": {},
}
NULLABLE = (
    "previous_response_id",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "safety_identifier",
    "prompt_cache_key",
)
FUNCTION_NULLS: Json = {"description": None, "parameters": None, "strict": None}


def opening(body: m.CreateResponse, response_id: str, created_at: int) -> Json:
    """The object that a stream starts with.

    Args:
        body: the request.
        response_id: id of the new response.
        created_at: seconds since the epoch.
    """
    response: Json = {
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
    }
    for name, default in DEFAULTS.items():
        value = getattr(body, name)
        response[name] = default if value is None else _plain(value)
    for name in NULLABLE:
        response[name] = getattr(body, name)
    response["reasoning"] = _reasoning(body.reasoning)
    response["text"] = _text(body.text)
    response["tools"] = _tools(body)
    if body.user is not None:
        response["user"] = body.user
    return response


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_unset=True) if hasattr(value, "model_dump") else value


def _reasoning(value: m.Reasoning | None) -> Json:
    return {"effort": None, "summary": None, **(_plain(value) if value is not None else {})}


def _text(value: m.ResponseTextParam | None) -> Json:
    said = value.model_dump(mode="json", exclude_none=True, by_alias=True) if value is not None else {}
    return {"format": {"type": "text"}, **said}


def _tools(body: m.CreateResponse) -> list[Json] | msgspec.Raw:
    """Encoded once, since the object is sent three times and tools are its bulk."""
    if not body.tools:
        return []
    # One of a kind that the contract does not know was left out, so it is not among those in use.
    known = [_tool(tool) for tool in body.tools if not isinstance(tool, m.UnknownTool)]
    return msgspec.Raw(msgspec.json.encode(known))


def _tool(tool: Any) -> Json:
    value: Json = _plain(tool)
    return FUNCTION_NULLS | value if value["type"] == "function" else value
