"""What a Chat upstream sends, looked at for what every reader has to know: is it a chunk, a failure, or neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from wireloom_protocol import hot

from wireloom.errors import LONGEST_NAME, UpstreamError
from wireloom.translate.chat_upstream import rest
from wireloom.translate.chat_upstream.rest import Other
from wireloom.translate.failures import upstream_error
from wireloom.translate.failures.bodies import page_title
from wireloom.translate.failures.unwrap import complains, value_of
from wireloom.wire.json import Json
from wireloom.wire.sse import FailureData

if TYPE_CHECKING:
    from wireloom_protocol import replies

    from wireloom_runtime.operations import Encoded

    ChatFrame: TypeAlias = Encoded[replies.ChatCompletionStreamEvent]
    ChatCompletion: TypeAlias = Encoded[replies.CreateChatCompletionResponse]


_decode = msgspec.json.Decoder(hot.CreateChatCompletionStreamResponse).decode

# Reasons that are failures in the clothes of an end.
FAILED: Mapping[str, tuple[str, int]] = {
    "error": ("upstream_error", 502),
    "network_error": ("upstream_error", 502),
    "insufficient_system_resource": ("server_is_overloaded", 503),
    "malformed_function_call": ("invalid_tool_call", 502),
    "unexpected_tool_call": ("invalid_tool_call", 502),
    "abort": ("upstream_error", 502),
    "aborted": ("upstream_error", 502),
    "cancelled": ("upstream_error", 502),
    "timeout": ("upstream_timeout", 504),
}


def read_chunk(
    data: bytes, others: list[Other] | None = None
) -> hot.CreateChatCompletionStreamResponse | None:
    """The chunk in the data of an event; None where it is empty, as some are to keep the connection alive.

    Args:
        data: the data.
        others: receives the members that the contract does not know.

    Raises:
        UpstreamError: the upstream reports a failure, or this is no chunk of an answer.
    """
    try:
        chunk = _decode(data)
    except msgspec.ValidationError as error:
        chunk, found = _with_others(data, error)
        if others is not None:
            others += found
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if not data.strip() and not isinstance(data, FailureData):
            return None
        raise _no_chunk(data, error) from error
    if chunk.error or (not chunk.choices and _is_failure(data)):
        raise upstream_error(200, data)
    return chunk


def _with_others(
    data: bytes, error: msgspec.ValidationError
) -> tuple[hot.CreateChatCompletionStreamResponse, list[Other]]:
    """A chunk that does not fit the contract because it has more members."""
    if not rest.has_unknown(error):
        raise _no_chunk(data, error) from error
    try:
        return rest.read(data)
    except (msgspec.MsgspecError, RecursionError) as inner:
        raise _no_chunk(data, inner) from inner


def _no_chunk(data: bytes, error: Exception) -> UpstreamError:
    """The error for what is no chunk: a failure in another form, or nothing that is known."""
    if isinstance(data, FailureData) or complains(value_of(data)):
        return upstream_error(200, data)
    return _garbage(data, error)


def look_at(reason: str | None, data: bytes = b"") -> None:
    """Make sure that a finish reason is one.

    Args:
        reason: the reason, or None before the end.
        data: JSON of the chunk with the reason, which may say more.

    Raises:
        UpstreamError: it is a failure.
    """
    if reason is not None and reason.lower() in FAILED:
        explain(reason, data)
        code, status = FAILED[reason.lower()]
        raise UpstreamError(f"The upstream gave up ({reason}).", code=code, status=status)


def explain(reason: str | None, data: bytes) -> None:
    """See whether a chunk with a finish reason that names a failure says more of it; else a later event may.

    Args:
        reason: the reason, or None before the end.
        data: JSON of the chunk.

    Raises:
        UpstreamError: it is a failure, and there are words for it.
    """
    if reason is None or reason.lower() not in FAILED:
        return
    value = value_of(data)
    choices = value.get("choices") if isinstance(value, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        _explain(choice)


def _explain(choice: Any) -> None:
    """Fail with the words of a choice, as OpenRouter has them beside the reason, if it has any."""
    if not isinstance(choice, dict):
        return
    if choice.get("error"):
        raise upstream_error(200, msgspec.json.encode({"error": choice["error"]}))
    reason, native = choice.get("finish_reason"), choice.get("native_finish_reason")
    if isinstance(native, str) and native != reason and isinstance(reason, str) and reason.lower() in FAILED:
        code, status = FAILED[reason.lower()]
        raise UpstreamError(
            f"The upstream gave up ({reason})", words=native[:LONGEST_NAME], code=code, status=status
        )


def completion(data: bytes) -> bytes:
    """A completion that was not streamed as the one chunk that says the same.

    Args:
        data: JSON of a `chat.completion` object.

    Raises:
        UpstreamError: this is no completion.
    """
    value = read_completion(data)
    for choice in value["choices"]:
        if isinstance(choice, dict):
            choice["delta"] = choice.pop("message", None)
    return msgspec.json.encode({**value, "object": "chat.completion.chunk"})


def read_completion(data: bytes) -> Json:
    """The JSON of a completion that was not streamed.

    Raises:
        UpstreamError: the upstream reports a failure, or this is no completion.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _garbage(data, error) from error
    if not isinstance(value, dict) or complains(value) or not isinstance(value.get("choices"), list):
        raise upstream_error(200, data)
    for choice in value["choices"]:
        _explain(choice)
    return value


# Members that only failures have, so that other events without an answer need no second look.
_HINT = re.compile(
    rb'"(?:base_resp|error|errors|detail|message|msg|error_?message|error_?msg|success)"', re.IGNORECASE
)


def _is_failure(data: bytes) -> bool:
    """Whether what has no choice is a failure: an event of that name, or an object of the members of one."""
    return isinstance(data, FailureData) or (_HINT.search(data) is not None and complains(value_of(data)))


def _garbage(data: bytes, error: Exception) -> UpstreamError:
    kind = "something that is no JSON"
    if data.lstrip()[:1] == b"<":
        title = page_title(data.decode(errors="replace"))
        kind = f'an HTML page titled "{title}"' if title else "an HTML page"
    if isinstance(error, msgspec.ValidationError):
        kind = f"JSON that is no chunk of an answer: {error}"  # names a place and types, never a value
    return UpstreamError(f"The upstream answered with {kind}.", code="upstream_invalid")


# -- what is read of a completion that was not streamed, member by member ------------------------------------------

COMPLETION_FIELDS: Mapping[str, Mapping[str, str]] = {
    "CreateChatCompletionResponse": {
        "id": "ignored: the response has an id of its own",
        "object": "ignored: always the same word",
        "created": "ignored: the response has a time of its own",
        "model": "ignored: the response names the model that was asked for",
        "choices": "mapped",
        "usage": "mapped",
        "metadata": "ignored: the metadata of the request is echoed",
        "service_tier": "ignored: the tier asked for is echoed",
        "system_fingerprint": "ignored: no home in a response",
        "moderation": "ignored: never asked for",
    },
    "ChatCompletionResponseMessage": {
        "content": "mapped",
        "refusal": "mapped",
        "reasoning_content": "mapped",
        "reasoning": "mapped",
        "reasoning_details": "mapped: text as reasoning; signatures sealed, and sent back",
        "tool_calls": "mapped",
        "function_call": "mapped",
        "annotations": "mapped",
        "role": "ignored: always the assistant",
        "audio": "ignored: never asked for",
    },
}
