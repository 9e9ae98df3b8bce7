"""What a Chat upstream sends, looked at for what every reader has to know: is it a chunk, a failure, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from wireloom_protocol import hot

from wireloom.errors import UpstreamError
from wireloom.translate.chat_upstream import rest
from wireloom.translate.chat_upstream.rest import Other
from wireloom.translate.upstream_errors import upstream_error
from wireloom.wire.json import Json

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
        if not data.strip():
            return None
        raise _garbage(data, error) from error
    if chunk.error or (not chunk.choices and (chunk.object == "error" or _is_complaint(chunk, data))):
        raise upstream_error(200, data)  # Mistral and older vLLM send the bare error object
    return chunk


def _with_others(
    data: bytes, error: msgspec.ValidationError
) -> tuple[hot.CreateChatCompletionStreamResponse, list[Other]]:
    """A chunk that does not fit the contract because it has more members."""
    if not rest.has_unknown(error):
        raise _garbage(data, error) from error
    try:
        return rest.read(data)
    except (msgspec.MsgspecError, RecursionError) as inner:
        raise _garbage(data, inner) from inner


def look_at(reason: str | None) -> None:
    """Make sure that a finish reason is one.

    Raises:
        UpstreamError: it is a failure.
    """
    if reason is not None and reason in FAILED:
        code, status = FAILED[reason]
        raise UpstreamError(f"The upstream gave up ({reason}).", code=code, status=status)


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
    if not isinstance(value, dict) or value.get("error") or not isinstance(value.get("choices"), list):
        raise upstream_error(200, data)
    return value


def _is_complaint(chunk: hot.CreateChatCompletionStreamResponse, data: bytes) -> bool:
    """Whether what has nothing of a chunk is an error in FastAPI's form."""
    return chunk.choices is msgspec.UNSET and not chunk.usage and b'"detail"' in data


def _garbage(data: bytes, error: Exception) -> UpstreamError:
    kind = "an HTML page" if data.lstrip()[:1] == b"<" else "something that is no JSON"
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
