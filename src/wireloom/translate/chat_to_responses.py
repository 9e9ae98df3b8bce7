"""A Chat Completions answer read into the verbs of a Responses stream; tolerant of all upstreams are known for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
from wireloom_protocol import hot

from wireloom.errors import UpstreamError, UpstreamRefused
from wireloom.providers.profile import Profile
from wireloom.translate import tools as t
from wireloom.translate.chat_errors import upstream_error
from wireloom.translate.response_stream import ResponseStream
from wireloom.translate.think_tags import ThinkTags

Json: TypeAlias = dict[str, Any]

DONE = b"[DONE]"
_decode = msgspec.json.Decoder(hot.CreateChatCompletionStreamResponse).decode

# Why a model stopped -> why the response is incomplete; None where it is complete. A reason that is not here is
# an upstream's own word for a proper end.
INCOMPLETE: Mapping[str, str | None] = {
    "stop": None,
    "tool_calls": None,
    "function_call": None,
    "length": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "model_length": "max_output_tokens",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
}
# Reasons that are failures in the clothes of an end.
FAILED: Mapping[str, tuple[str, int]] = {
    "error": ("upstream_error", 502),
    "network_error": ("upstream_error", 502),
    "insufficient_system_resource": ("server_is_overloaded", 503),
}


class ChatReader:
    """Reads one streamed answer.

    Args:
        stream: what is spoken to.
        tools: the names under which tools were offered.
        profile: where the upstream puts reasoning.
        codex: whether the client is the Codex CLI, which shows a refusal only as text, and which repeats an
            answer that a filter stopped.
    """

    def __init__(
        self, stream: ResponseStream, tools: t.Tools, profile: Profile, *, codex: bool = False
    ) -> None:
        self._stream = stream
        self._tools = tools
        self._thoughts = _reader(profile.reasoning_fields)
        self._others = _reader((*profile.reasoning_fields, "refusal", "tool_calls", "function_call"))
        self._refuse = stream.text if codex else stream.refusal
        self._codex = codex
        self._tags = ThinkTags() if profile.think_tags else None
        self._calls = _Calls(stream, tools)
        self._finish_reason: str | None = None
        self._usage: hot.CompletionUsage | None = None
        self.done = False
        """Whether the upstream said that nothing follows."""

    def feed(self, data: bytes) -> None:
        """Take the data of one event.

        Raises:
            UpstreamError: the upstream reports a failure, or this is no chunk of an answer.
        """
        if data == DONE or self.done:
            self.done = True
            return
        try:
            chunk = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _garbage(data, error) from error
        choices = chunk.choices
        if chunk.error or (not choices and chunk.object == "error"):
            raise upstream_error(200, data)  # Mistral and older vLLM send the bare error object
        if chunk.usage:
            self._usage = chunk.usage
        for choice in choices or ():
            if choice.index:  # 0, null or missing is the one answer that was asked for
                continue
            if choice.finish_reason or choice.usage:
                self._finish_reason = choice.finish_reason or self._finish_reason
                self._usage = choice.usage or self._usage
            delta = choice.delta
            if not delta:
                continue
            if any(self._others(delta)):
                self._several(delta)
            elif delta.content:
                self._content(delta.content)

    def close(self) -> None:
        """The upstream's stream has ended; end the response.

        Raises:
            UpstreamError: it ended before the answer did.
        """
        self._release()
        reason = self._finish_reason
        if reason is None and not (self.done and self._stream.started):
            raise UpstreamError(
                "The upstream's stream ended before its answer did.", code="upstream_incomplete"
            )
        if reason is not None and reason in FAILED:
            code, status = FAILED[reason]
            raise UpstreamError(f"The upstream gave up ({reason}).", code=code, status=status)
        self._calls.close()
        incomplete = INCOMPLETE.get(reason or "stop")
        if self._codex and incomplete == "content_filter":
            raise UpstreamRefused(
                "The upstream's content filter stopped the answer.", code=incomplete, status=400
            )
        self._stream.finish(usage(self._usage), incomplete)

    def _several(self, delta: hot.ChatCompletionStreamResponseDelta) -> None:
        """Say all that is in a delta, in the order in which a model comes to it."""
        thought = next(filter(None, self._thoughts(delta)), None)
        if thought is not None:
            self._stream.reasoning(thought if isinstance(thought, str) else _details(thought))
        if delta.content:
            self._content(delta.content)
        if delta.refusal:
            self._refuse(delta.refusal)
        if delta.tool_calls:
            self._release()
            for call in delta.tool_calls:
                self._calls.feed(call)
        if delta.function_call:
            self._calls.feed(
                hot.ChatCompletionMessageToolCallChunk(
                    index=0,
                    function=hot.ChatCompletionMessageToolCallChunkFunction(
                        delta.function_call.name, delta.function_call.arguments
                    ),
                )
            )

    def _content(self, content: str | list[Json]) -> None:
        if not isinstance(content, str):
            for part in content:
                self._part(part)
        elif self._tags is None or self._tags.decided:
            self._stream.text(content)
        else:
            self._say(*self._tags.feed(content))

    def _part(self, part: Json) -> None:
        """Mistral's content parts: text, and thoughts that hold text parts themselves."""
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            self._stream.reasoning(
                "".join(str(inner.get("text", "")) for inner in thinking if isinstance(inner, dict))
            )
        elif isinstance(thinking, str):
            self._stream.reasoning(thinking)
        elif isinstance(part.get("text"), str):
            self._stream.text(part["text"])

    def _release(self) -> None:
        """Say what might have become a tag, now that something else follows."""
        if self._tags is not None:
            self._say(*self._tags.close())

    def _say(self, thought: str, text: str) -> None:
        self._stream.reasoning(thought)
        self._stream.text(text)


class _Calls:
    """Finds out which call a fragment belongs to.

    A known id names its call; a new id begins one, also on an index that is taken; without an id a known index
    counts; with neither, a name begins a call and anything else continues the last one.
    """

    def __init__(self, stream: ResponseStream, tools: t.Tools) -> None:
        self._stream = stream
        self._tools = tools
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._last: _Call | None = None
        self._count = 0

    def feed(self, chunk: hot.ChatCompletionMessageToolCallChunk) -> None:
        function = chunk.function or hot.ChatCompletionMessageToolCallChunkFunction()
        call = self._find(chunk.id or None, chunk.index, bool(function.name))
        if chunk.id:
            self._by_id[chunk.id] = call
        if isinstance(chunk.index, int):
            self._by_index[chunk.index] = call
        self._last = call
        call.feed(chunk.id or "", function.name or "", function.arguments or "")

    def close(self) -> None:
        """The answer is over: a call still without a name is none.

        Raises:
            UpstreamError: such a call.
        """
        if self._last is not None and any(not call.named for call in self._all()):
            raise UpstreamError("The upstream called a tool without naming it.", code="upstream_invalid")

    def _all(self) -> list[_Call]:
        return [*self._by_id.values(), *self._by_index.values(), *([self._last] if self._last else [])]

    def _find(self, call_id: str | None, index: Any, named: bool) -> _Call:
        if call_id is not None:
            found = self._by_id.get(call_id)
            if found is None and isinstance(index, int):
                # The id of a call may come after its first fragment.
                other = self._by_index.get(index)
                if other is not None and not other.call_id and not (named and other.named):
                    found = other
            return found or self._new()
        if isinstance(index, int) and (index in self._by_index or named):
            known = self._by_index.get(index)
            # A second whole call on an index that is never counted up.
            again = known is not None and named and known.named and known.whole
            return self._new() if known is None or again else known
        if self._last is None or (named and self._last.named):
            return self._new()
        return self._last

    def _new(self) -> _Call:
        self._count += 1
        return _Call(self._stream, self._tools, self._count)


class _Call:
    """One call while its fragments arrive; the stream hears of it as soon as it has a name."""

    def __init__(self, stream: ResponseStream, tools: t.Tools, number: int) -> None:
        self._stream = stream
        self._tools = tools
        self._number = number
        self._early = ""
        self.call_id = ""
        self.named = False

    @property
    def whole(self) -> bool:
        return self._stream.whole(self._number)

    def feed(self, call_id: str, name: str, arguments: Any) -> None:
        self.call_id = self.call_id or call_id
        if not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        if name and not self.named:
            self.named = True
            tool = self._tools.restore(name)
            self._stream.call(
                self._number,
                self.call_id or self._stream.new_id("call"),
                tool.name,
                namespace=tool.namespace,
                unwrap=t.unwrap if tool.custom else None,
            )
            arguments = self._early + arguments
        if not self.named:
            self._early += arguments
            return
        try:
            self._stream.arguments(self._number, arguments)
        except ValueError as error:
            raise UpstreamError(
                "The upstream went on with a call that was complete.", code="upstream_invalid"
            ) from error


def completion(data: bytes) -> bytes:
    """A completion that was not streamed as the one chunk that says the same.

    Args:
        data: JSON of a `chat.completion` object.

    Raises:
        UpstreamError: this is no completion.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _garbage(data, error) from error
    if not isinstance(value, dict) or value.get("error") or not isinstance(value.get("choices"), list):
        raise upstream_error(200, data)
    for choice in value["choices"]:
        if isinstance(choice, dict):
            choice["delta"] = choice.pop("message", None)
    return msgspec.json.encode(value)


def usage(counted: hot.CompletionUsage | None) -> Json | None:
    """Token counts as the Responses contract has them, or None when the upstream did not count."""
    if counted is None or counted.prompt_tokens is msgspec.UNSET:
        return None
    read, written = _count(counted.prompt_tokens), _count(counted.completion_tokens)
    prompt = counted.prompt_tokens_details or hot.CompletionUsagePromptTokensDetails()
    answer = counted.completion_tokens_details or hot.CompletionUsageCompletionTokensDetails()
    cached = prompt.cached_tokens or counted.cached_tokens or counted.prompt_cache_hit_tokens
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": _count(cached),
            "cache_write_tokens": _count(prompt.cache_write_tokens),
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": _count(answer.reasoning_tokens)},
        "total_tokens": _count(counted.total_tokens) or read + written,
    }


def _count(value: float | msgspec.UnsetType | None) -> int:
    return int(value) if value else 0


def _reader(names: tuple[str, ...]) -> Callable[[hot.ChatCompletionStreamResponseDelta], tuple[Any, ...]]:
    """What reads some fields of a delta, in order."""
    known = [name for name in names if name in hot.ChatCompletionStreamResponseDelta.__struct_fields__]
    if len(known) > 1:
        return attrgetter(*known)  # several times as fast as a loop, and this runs once a token
    return lambda delta: tuple(getattr(delta, name) for name in known)


def _details(parts: list[Json]) -> str:
    """The readable text in OpenRouter's list of reasoning details."""
    said = (part.get("text") or part.get("summary") for part in parts)
    return "".join(text for text in said if isinstance(text, str))


def _garbage(data: bytes, error: Exception) -> UpstreamError:
    kind = "an HTML page" if data.lstrip()[:1] == b"<" else "something that is no JSON"
    if isinstance(error, msgspec.ValidationError):
        kind = f"JSON that is no chunk of an answer: {error}"  # names a place and types, never a value
    return UpstreamError(f"The upstream answered with {kind}.", code="upstream_invalid")


# -- what is read of a chunk, member by member ---------------------------------------------------------------------

Treatment: TypeAlias = str

CHUNK_FIELDS: Mapping[str, Mapping[str, Treatment]] = {
    "CreateChatCompletionStreamResponse": {
        "id": "ignored: the response has an id of its own",
        "object": "ignored: says nothing",
        "created": "ignored: the response has a time of its own",
        "model": "ignored: the response names the model that was asked for",
        "choices": "mapped",
        "usage": "mapped",
        "error": "mapped",
        "service_tier": "ignored: the tier asked for is echoed",
        "system_fingerprint": "ignored: no home in a response",
        "obfuscation": "ignored: padding",
        "moderation": "ignored: never asked for",
    },
    "CreateChatCompletionStreamResponseChoice": {
        "delta": "mapped",
        "finish_reason": "mapped",
        "index": "mapped",
        "logprobs": "ignored: never asked for",
        "usage": "mapped",
    },
    "ChatCompletionStreamResponseDelta": {
        "content": "mapped",
        "refusal": "mapped",
        "reasoning_content": "mapped",
        "reasoning": "mapped",
        "reasoning_details": "mapped",
        "tool_calls": "mapped",
        "function_call": "mapped",
        "role": "ignored: always the assistant",
    },
    "ChatCompletionMessageToolCallChunk": {
        "index": "mapped",
        "id": "mapped",
        "function": "mapped",
        "type": "ignored: always a function",
        "extra_content": "ignored: not sent back yet",
    },
}
