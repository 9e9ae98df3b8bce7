"""A whole response as a chat completion, and the parts of one that a stream of chunks tells in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from wireloom.errors import GatewayError
from wireloom.translate.responses_upstream.events import End, end_of, failure
from wireloom.translate.rules.loss import How
from wireloom.translate.tools import table as tools
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies

    Call: TypeAlias = replies.ChatCompletionMessageToolCall | replies.ChatCompletionMessageCustomToolCall
    Source: TypeAlias = replies.ChatCompletionResponseMessageAnnotation
    Tokens: TypeAlias = replies.ChatCompletionTokenLogprob

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]

CALLS: Mapping[str, str] = {name: form.chat for name, form in tools.CALLS.items() if form.chat is not None}
"""Types of items that are calls of a client's tool, and what Chat calls them."""
LOGGED = "Chat has no words for it: the log has its type"
OUTPUT: Mapping[str, tuple[How, str]] = {
    "message": (How.NATIVE, "its text and its refusal"),
    "reasoning": (How.EMULATED, "reasoning_content"),
    **dict.fromkeys(
        (
            *tools.CALLS,
            *tools.OUTPUTS,
            "additional_tools",
            "code_interpreter_call",
            "compaction",
            "computer_call",
            "computer_call_output",
            "file_search_call",
            "image_generation_call",
            "mcp_approval_request",
            "mcp_approval_response",
            "mcp_call",
            "mcp_list_tools",
            "program",
            "program_output",
            "web_search_call",
        ),
        (How.IGNORED, LOGGED),
    ),
    **dict.fromkeys(CALLS, (How.NATIVE, "a call")),
}
"""Every type of output item, and what becomes of it in a completion."""
ANNOTATIONS: Mapping[str, tuple[How, str]] = {
    "url_citation": (How.NATIVE, "a source"),
    "file_citation": (How.IGNORED, LOGGED),
    "container_file_citation": (How.IGNORED, LOGGED),
    "file_path": (How.IGNORED, LOGGED),
}
"""Every type of annotation of a text."""
FINISHED: Mapping[str, FinishReason] = {
    "max_output_tokens": "length",
    "max_messages": "length",
    "content_filter": "content_filter",
    # The client sent a newer message itself, so nothing cut the text short.
    "steered": "stop",
}
"""Why a response is incomplete, and the finish reason for it."""
BETWEEN = "\n\n"
"""Between two messages, or two parts of what a model thinks: Chat has one of each."""


def completion(
    response: replies.Response, completion_id: str, model: str, *, legacy: bool = False
) -> replies.CreateChatCompletionResponse:
    """Tell a response.

    Args:
        response: a response object that has ended.
        completion_id: id of the completion.
        model: the model's name as the client knows it.
        legacy: whether calls come in the older form, one `function_call`.

    Raises:
        GatewayError: the response failed.
    """
    if end_of(response) is End.FAILED:
        raise failed({"response": response})
    output = response["output"]
    calls = [made for item in output if (made := call(item)) is not None]
    choice: replies.CreateChatCompletionResponseChoice = {
        "index": 0,
        "message": _message(output, calls, legacy=legacy),
        "logprobs": _logprobs(output),
        "finish_reason": finish_reason(response, bool(calls), legacy=legacy),
    }
    whole: replies.CreateChatCompletionResponse = {
        "id": completion_id,
        "object": "chat.completion",
        "created": int(response["created_at"]),
        "model": model,
        "choices": [choice],
    }
    counted = response.get("usage")
    if counted is not None:
        whole["usage"] = usage(counted)
    return whole


def finish_reason(response: replies.Response, called: bool, *, legacy: bool = False) -> FinishReason:
    """Why the model stopped."""
    if end_of(response) is End.CUT_SHORT:
        details = response.get("incomplete_details")
        reason = details.get("reason") if details else None
        return FINISHED.get(str(reason), "length")
    if not called:
        return "stop"
    return "function_call" if legacy else "tool_calls"


def failed(event: Json) -> GatewayError:
    """The error that a failed response stands for."""
    return failure(event)


def usage(counted: Mapping[str, Any]) -> replies.CompletionUsage:
    """Token counts in Chat's words.

    Args:
        counted: a usage of the Responses contract; of a response that an upstream made, the details may be missing.
    """
    read, made = counted.get("input_tokens_details") or {}, counted.get("output_tokens_details") or {}
    return {
        "prompt_tokens": counted["input_tokens"],
        "completion_tokens": counted["output_tokens"],
        "total_tokens": counted["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": read.get("cached_tokens", 0)},
        "completion_tokens_details": {"reasoning_tokens": made.get("reasoning_tokens", 0)},
    }


def call(item: replies.OutputItem) -> Call | None:
    """A call with its arguments or its input, or None if the item is none."""
    if item["type"] == "function_call":
        function: replies.ChatCompletionMessageToolCallFunction = {
            "name": item["name"],
            "arguments": item["arguments"],
        }
        return {"id": item["call_id"], "type": "function", "function": function}
    if item["type"] == "custom_tool_call":
        custom: replies.ChatCompletionMessageCustomToolCallCustom = {
            "name": item["name"],
            "input": item["input"],
        }
        return {"id": item["call_id"], "type": "custom", "custom": custom}
    return None


def opened(item: Json, said: str) -> Json:
    """A call as far as it goes.

    Args:
        item: the call.
        said: what it is called with so far.
    """
    kind = CALLS[item["type"]]
    inner = "arguments" if kind == "function" else "input"
    return {"id": item["call_id"], "type": kind, kind: {"name": item["name"], inner: said}}


def cited(annotation: Any) -> Source | None:
    """A source as Chat has it, or None where Chat has none of its kind; its members are the same in both."""
    how, _ = ANNOTATIONS.get(str(annotation.get("type")), (How.IGNORED, LOGGED))
    if how is How.IGNORED:
        return None
    members: Any = {name: value for name, value in annotation.items() if name != "type"}
    return {"type": "url_citation", "url_citation": members}


def known(logprobs: Iterable[Any]) -> list[Tokens]:
    """Log probabilities of tokens; those of a stream come without bytes, which are the token's own."""
    return [
        {**_token(each), "top_logprobs": [_token(top) for top in each["top_logprobs"]]} for each in logprobs
    ]


def _token(logprob: Any) -> replies.ChatCompletionTokenLogprobTopLogprob:
    token = logprob["token"]
    data = logprob.get("bytes") or list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "logprob": logprob["logprob"], "bytes": data}


def _message(
    output: list[replies.OutputItem], calls: list[Call], *, legacy: bool
) -> replies.ChatCompletionResponseMessage:
    texts = [text for item in output if (text := "".join(part["text"] for part in _texts(item)))]
    refusals = [text for item in output if (text := _refusal(item))]
    message: replies.ChatCompletionResponseMessage = {
        "role": "assistant",
        "content": BETWEEN.join(texts) if texts or not (calls or refusals) else None,
        "refusal": BETWEEN.join(refusals) if refusals else None,
    }
    thoughts = [text for item in output for text in _thoughts(item)]
    if thoughts:
        message["reasoning_content"] = BETWEEN.join(thoughts)
    annotations = [each for item in output for part in _texts(item) for each in part.get("annotations", ())]
    sources = [source for each in annotations if (source := cited(each)) is not None]
    if sources:
        message["annotations"] = sources
    functions = [made["function"] for made in calls if made["type"] == "function"]
    if legacy and functions:
        message["function_call"] = functions[0]
    elif calls:
        message["tool_calls"] = calls
    return message


def _thoughts(item: replies.OutputItem) -> list[str]:
    if item["type"] != "reasoning":
        return []
    return [part["text"] for part in (*item.get("summary", ()), *(item.get("content") or ()))]


def _texts(item: replies.OutputItem) -> list[replies.OutputTextContent]:
    if item["type"] != "message":
        return []
    return [part for part in item["content"] if part["type"] == "output_text"]


def _refusal(item: replies.OutputItem) -> str:
    if item["type"] != "message":
        return ""
    return "".join(part["refusal"] for part in item["content"] if part["type"] == "refusal")


def _logprobs(output: list[replies.OutputItem]) -> replies.CreateChatCompletionResponseChoiceLogprobs | None:
    found = [each for item in output for part in _texts(item) for each in part.get("logprobs") or ()]
    return {"content": known(found), "refusal": None} if found else None
