"""A whole response as a chat completion, and the parts of one that a stream of chunks tells in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from wireloom.errors import GatewayError
from wireloom.translate.upstream_events import failure

Json: TypeAlias = dict[str, Any]

CALLS: Mapping[str, str] = {"function_call": "function", "custom_tool_call": "custom"}
"""Types of items that are calls of a client's tool, and what Chat calls them."""
FINISHED: Mapping[str, str] = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Why a response is incomplete, and the finish reason for it."""
BETWEEN = "\n\n"
"""Between two messages, or two parts of what a model thinks: Chat has one of each."""


def completion(response: Json, completion_id: str, model: str, *, legacy: bool = False) -> Json:
    """Tell a response.

    Args:
        response: a response object that has ended.
        completion_id: id of the completion.
        model: the model's name as the client knows it.
        legacy: whether calls come in the older form, one `function_call`.

    Raises:
        GatewayError: the response failed.
    """
    if response["status"] == "failed":
        raise failed({"response": response})
    output = response["output"]
    calls = [call(item) for item in output if item["type"] in CALLS]
    message = _message(output, calls, legacy=legacy)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs(output),
        "finish_reason": finish_reason(response, bool(calls), legacy=legacy),
    }
    made: Json = {
        "id": completion_id,
        "object": "chat.completion",
        "created": int(response["created_at"]),
        "model": model,
        "choices": [choice],
    }
    if response.get("usage") is not None:
        made["usage"] = usage(response["usage"])
    return made


def finish_reason(response: Json, called: bool, *, legacy: bool = False) -> str:
    """Why the model stopped."""
    if response["status"] == "incomplete":
        details = response.get("incomplete_details") or {}
        return FINISHED.get(str(details.get("reason")), "length")
    if not called:
        return "stop"
    return "function_call" if legacy else "tool_calls"


def failed(event: Json) -> GatewayError:
    """The error that a failed response stands for."""
    return failure(event)


def usage(counted: Json) -> Json:
    """Token counts in Chat's words."""
    read, made = counted.get("input_tokens_details") or {}, counted.get("output_tokens_details") or {}
    return {
        "prompt_tokens": counted["input_tokens"],
        "completion_tokens": counted["output_tokens"],
        "total_tokens": counted["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": read.get("cached_tokens", 0)},
        "completion_tokens_details": {"reasoning_tokens": made.get("reasoning_tokens", 0)},
    }


def call(item: Json) -> Json:
    """A call with all that it is called with."""
    if item["type"] == "function_call":
        return opened(item, item["arguments"])
    return opened(item, item["input"])


def opened(item: Json, said: str) -> Json:
    """A call as far as it goes.

    Args:
        item: the call.
        said: what it is called with so far.
    """
    kind = CALLS[item["type"]]
    inner = "arguments" if kind == "function" else "input"
    return {"id": item["call_id"], "type": kind, kind: {"name": item["name"], inner: said}}


def cited(annotation: Json) -> Json | None:
    """A source as Chat has it, or None where Chat has none of its kind."""
    if annotation.get("type") != "url_citation":
        return None
    told = {name: value for name, value in annotation.items() if name != "type"}
    return {"type": "url_citation", "url_citation": told}


def known(logprobs: Iterable[Json]) -> list[Json]:
    """Log probabilities of tokens; those of a stream come without bytes, which are the token's own."""
    return [
        {**_token(each), "top_logprobs": [_token(top) for top in each["top_logprobs"]]} for each in logprobs
    ]


def _token(logprob: Json) -> Json:
    token = logprob["token"]
    data = logprob.get("bytes") or list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "logprob": logprob["logprob"], "bytes": data}


def _message(output: list[Json], calls: list[Json], *, legacy: bool) -> Json:
    texts = [text for item in output if (text := _said(item, "output_text", "text"))]
    refusals = [text for item in output if (text := _said(item, "refusal", "refusal"))]
    message: Json = {
        "role": "assistant",
        "content": BETWEEN.join(texts) if texts or not (calls or refusals) else None,
        "refusal": BETWEEN.join(refusals) if refusals else None,
    }
    thoughts = [part["text"] for item in output if item["type"] == "reasoning" for part in _thoughts(item)]
    if thoughts:
        message["reasoning_content"] = BETWEEN.join(thoughts)
    sources = [
        source for part in _parts(output) for each in part.get("annotations", ()) if (source := cited(each))
    ]
    if sources:
        message["annotations"] = sources
    if calls and legacy:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    return message


def _thoughts(item: Json) -> list[Json]:
    return [*item.get("summary", ()), *(item.get("content") or ())]


def _parts(output: list[Json]) -> list[Json]:
    return [part for item in output if item["type"] == "message" for part in item["content"]]


def _said(item: Json, kind: str, member: str) -> str:
    if item["type"] != "message":
        return ""
    return "".join(part[member] for part in item["content"] if part["type"] == kind)


def _logprobs(output: list[Json]) -> Json | None:
    found = [each for part in _parts(output) for each in part.get("logprobs") or ()]
    return {"content": known(found), "refusal": None} if found else None
