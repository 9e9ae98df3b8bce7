"""What a scripted Chat Completions upstream answers, as data."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any, Literal

CREATED = 1_700_000_000

Json = dict[str, Any]
Ending = Literal["done", "no_done", "cut", "reset"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call the model makes; ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str

    def as_json(self) -> Json:
        """Return the call as it stands in a complete message."""
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }


def call(call_id: str, name: str, **arguments: Any) -> ToolCall:
    """Return a call of ``name`` with these arguments."""
    return ToolCall(call_id, name, json.dumps(arguments))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted for one turn; ``cached`` and ``reasoning`` are parts of the first two."""

    prompt: int = 11
    completion: int = 7
    cached: int = 0
    reasoning: int = 0

    def as_json(self) -> Json:
        """Return the usage object of a completion."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model, streamed or whole as the request asks.

    Texts and arguments are cut into deltas of ``delta_chars`` characters. ``interleave`` mixes the
    fragments of parallel tool calls. ``finish_reason`` follows from the content unless given.
    ``first_byte_seconds`` passes before the response head, ``pause_seconds`` between two chunks.
    ``held`` keeps silent after the deltas until ``ChatServer.release``, or until the client leaves.
    ``error`` is an error object sent inside the stream after the deltas, in place of the finish.
    ``ending``: ``done`` as documented, ``no_done`` without the final marker, ``cut`` a clean end of the
    body after the deltas, ``reset`` a torn connection there.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: Sequence[ToolCall] = ()
    finish_reason: str | None = None
    usage: Usage | None = field(default_factory=Usage)
    delta_chars: int = 8
    interleave: bool = False
    first_byte_seconds: float = 0.0
    pause_seconds: float = 0.0
    held: bool = False
    error: Json | None = None
    ending: Ending = "done"
    reasoning_field: str = "reasoning_content"

    @property
    def finish(self) -> str:
        """Return the finish reason."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


@dataclass(frozen=True, slots=True)
class Raw:
    """An HTTP response given byte for byte; ``reset`` tears the connection after the body."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False


Reply = Turn | Raw


def failure(
    status: int,
    message: str,
    *,
    code: str | None = None,
    kind: str = "invalid_request_error",
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> Raw:
    """Return an HTTP error with the OpenAI error object; ``kind`` is its ``type``."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    body = json.dumps({"error": error}).encode()
    return Raw(body, status, {"content-type": "application/json", **(headers or {})})


def completion(turn: Turn, model: str, number: int) -> Json:
    """Return ``turn`` as a whole chat completion."""
    message: Json = {"role": "assistant", "content": turn.text or None, "refusal": turn.refusal or None}
    if turn.reasoning:
        message[turn.reasoning_field] = turn.reasoning
    if turn.tool_calls:
        message["tool_calls"] = [call.as_json() for call in turn.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": turn.finish}
    whole = {**_envelope("chat.completion", model, number), "choices": [choice]}
    return whole if turn.usage is None else {**whole, "usage": turn.usage.as_json()}


def deltas(turn: Turn) -> Iterator[Json]:
    """Yield the deltas of ``turn`` in the order a model produces them."""
    yield {"role": "assistant", "content": ""}
    for name, text in (
        (turn.reasoning_field, turn.reasoning),
        ("content", turn.text),
        ("refusal", turn.refusal),
    ):
        yield from ({name: piece} for piece in _pieces(text, turn.delta_chars))
    calls = [list(_fragments(index, call, turn.delta_chars)) for index, call in enumerate(turn.tool_calls)]
    mixed = chain.from_iterable(zip_longest(*calls) if turn.interleave else calls)
    yield from ({"tool_calls": [fragment]} for fragment in mixed if fragment is not None)


def opening(turn: Turn, model: str, number: int, *, include_usage: bool) -> Iterator[Json]:
    """Yield the chunks of the streamed ``turn`` that hold its deltas."""
    envelope = _stream_envelope(model, number, include_usage)
    for delta in deltas(turn):
        yield {**envelope, "choices": [_choice(delta, None)]}


def closing(turn: Turn, model: str, number: int, *, include_usage: bool) -> Iterator[Json]:
    """Yield the chunks that end the streamed ``turn``, none for one that breaks off."""
    envelope = _stream_envelope(model, number, include_usage)
    if turn.error is not None:
        yield {"error": turn.error}
    elif turn.ending in ("done", "no_done"):
        yield {**envelope, "choices": [_choice({}, turn.finish)]}
        if include_usage and turn.usage is not None:
            yield {**envelope, "choices": [], "usage": turn.usage.as_json()}


def _stream_envelope(model: str, number: int, include_usage: bool) -> Json:
    blank: Json = {"usage": None} if include_usage else {}
    return {**_envelope("chat.completion.chunk", model, number), **blank}


def _envelope(kind: str, model: str, number: int) -> Json:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": CREATED, "model": model}


def _choice(delta: Json, finish: str | None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _fragments(index: int, call: ToolCall, size: int) -> Iterator[Json]:
    head = {"name": call.name, "arguments": ""}
    yield {"index": index, "id": call.id, "type": "function", "function": head}
    for piece in _pieces(call.arguments, size):
        yield {"index": index, "function": {"arguments": piece}}
