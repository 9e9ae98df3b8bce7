"""A Chat Completions answer read into the verbs of a Responses stream; tolerant of all upstreams are known for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from wireloom_protocol import hot

from wireloom.errors import UpstreamRefused
from wireloom.providers.profile import Profile
from wireloom.translate.chat_upstream.calls import Calls, State
from wireloom.translate.chat_upstream.chunk import explain, look_at, read_chunk
from wireloom.translate.chat_upstream.think_tags import ThinkTags
from wireloom.translate.chat_upstream.usage import usage
from wireloom.translate.failures import cut_off
from wireloom.translate.hub.endings import INCOMPLETE
from wireloom.translate.hub.logprobs import logprob
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json
from wireloom.wire.sse import DONE

# Members of a delta that few deltas have.
RARE = ("refusal", "tool_calls", "function_call", "annotations", "extra_content", "reasoning_details")


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
        self, stream: ResponseStream, tools: Tools, profile: Profile, *, codex: bool = False
    ) -> None:
        self._stream = stream
        self._thoughts = _reader(profile.reasoning_fields)
        self._others = _reader((*profile.reasoning_fields, *RARE))
        self._refuse = stream.text if codex else stream.refusal
        self._codex = codex
        self._tags = ThinkTags() if profile.think_tags else None
        self._held: list[Json] = []  # of the tokens of text that may still become a tag
        self._state = State()
        self._calls = Calls(stream, tools, self._state, profile.web_search_echo)
        self._finish_reason: str | None = None
        self._usage: hot.CompletionUsage | None = None
        self._used: list[hot.CompletionUsage | None] = []
        self._thought: list[str] | None = [] if profile.web_search_echo else None
        self._sent_back = 0  # characters of the text that the upstream has got back
        self._thought_field = profile.reasoning_replay_field
        self.called: list[str] = []
        """Names of the functions that were called, as upstream knows them."""
        self.lost: list[str] = []
        """What of the answer could not be told, in words for the log."""
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
        chunk = read_chunk(data)
        if chunk is None:
            return
        if chunk.usage:
            self._usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index:  # 0, null or missing is the one answer that was asked for
                continue
            if choice.finish_reason or choice.usage:
                self._finish_reason = choice.finish_reason or self._finish_reason
                self._usage = choice.usage or self._usage
                explain(self._finish_reason, data)
            delta = choice.delta
            if not delta:
                continue
            if choice.logprobs:
                self._probable(delta, choice.logprobs)
            elif any(self._others(delta)):
                self._several(delta)
            elif delta.content:
                self._content(delta.content)

    def close(self) -> list[Json]:
        """The upstream's stream has ended; end the response.

        Returns:
            Messages with which the upstream is to be asked again before the response ends, or none.

        Raises:
            UpstreamError: it ended before the answer did.
        """
        self._release()
        reason = self._finish_reason
        if reason is None and not (self.done and self._stream.has_output):
            raise cut_off()
        look_at(reason)
        self.called += self._calls.close()
        incomplete = INCOMPLETE.get(reason or "stop")
        if self._codex and incomplete == "content_filter":
            raise UpstreamRefused(
                "The upstream's content filter stopped the answer.", code=incomplete, status=400
            )
        again = self._calls.echoes() if incomplete is None else []
        if again:
            said = self._stream.answer_text()
            again[0]["content"], self._sent_back = said[self._sent_back :], len(said)
            if self._thought is not None:
                again[0][self._thought_field] = "".join(self._thought)
                self._thought.clear()
            self._used.append(self._usage)
            self._usage, self._finish_reason, self.done = None, None, False
            return again
        if incomplete is None and self._state:
            self._stream.append_state(self._state.value())
        self._stream.finish(usage(self._usage, self._used), incomplete)
        return []

    def _probable(self, delta: hot.ChatCompletionStreamResponseDelta, logprobs: Any) -> None:
        """Text whose tokens come with their probabilities."""
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        known = [logprob(token) for token in _objects(tokens)]
        self._several(delta, known)
        if delta.content == "" and known:  # tokens that end within a character
            self._spoken("", known)

    def _several(self, delta: hot.ChatCompletionStreamResponseDelta, known: list[Json] | None = None) -> None:
        """Say all that is in a delta, in the order in which a model comes to it.

        Args:
            delta: some members of it.
            known: log probabilities of the tokens of its text, or None without any.
        """
        thought = next(filter(None, self._thoughts(delta)), None)
        if thought is not None:
            said = thought if isinstance(thought, str) else _details(thought)
            self._stream.reasoning(said)
            if self._thought is not None:
                self._thought.append(said)
        if delta.reasoning_details:
            self._state.details(delta.reasoning_details)
        if delta.content:
            if known and isinstance(delta.content, str):
                self._spoken(delta.content, known)
            else:
                self._content(delta.content)
        if delta.refusal:
            self._refuse(delta.refusal)
        if delta.annotations:  # before a call closes the text that they belong to
            self._annotate(delta.annotations)
        if delta.tool_calls:
            self._release()
            for call in delta.tool_calls:
                self._calls.feed(call)
        if delta.extra_content:
            self._state.message(delta.extra_content)
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

    def _spoken(self, content: str, known: list[Json]) -> None:
        """Text whose tokens are known; those of a thought have no place."""
        if self._tags is None or self._tags.decided:
            self._stream.text_with_logprobs(content, known)
            return
        thought, text = self._tags.feed(content)
        self._held = known if self._tags.opened else self._held + known
        self._stream.reasoning(thought)
        if text:
            self._stream.text_with_logprobs(text, self._held)
            self._held = []

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

    def _annotate(self, annotations: Any) -> None:
        for annotation in _objects(annotations):
            cited = annotation.get("url_citation")
            if isinstance(cited, dict) and not self._stream.annotate(_citation(cited)):
                self.lost.append("a source came after its text")

    def _release(self) -> None:
        """Say what might have become a tag, now that something else follows."""
        if self._tags is not None:
            thought, text = self._tags.close()
            self._stream.reasoning(thought)
            self._stream.text_with_logprobs(text, self._held if text else [])
            self._held = []

    def _say(self, thought: str, text: str) -> None:
        self._stream.reasoning(thought)
        self._stream.text(text)


def _reader(names: tuple[str, ...]) -> Callable[[hot.ChatCompletionStreamResponseDelta], tuple[Any, ...]]:
    """What reads some fields of a delta, in order."""
    known = [name for name in names if name in hot.ChatCompletionStreamResponseDelta.__struct_fields__]
    if len(known) > 1:
        return attrgetter(*known)  # several times as fast as a loop, and this runs once a token
    return lambda delta: tuple(getattr(delta, name) for name in known)


def _citation(cited: Json) -> Json:
    """A source as a Responses annotation; some upstreams leave out where it belongs."""
    return {
        "type": "url_citation",
        "url": str(cited.get("url", "")),
        "title": str(cited.get("title") or ""),
        "start_index": _position(cited.get("start_index")),
        "end_index": _position(cited.get("end_index")),
    }


def _position(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _objects(value: Any) -> list[Json]:
    """The objects in what should be a list of them."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _details(parts: list[Json]) -> str:
    """The readable text in OpenRouter's list of reasoning details."""
    said = (part.get("text") or part.get("summary") for part in parts)
    return "".join(text for text in said if isinstance(text, str))


# -- what is read of a chunk, member by member ---------------------------------------------------------------------

CHUNK_FIELDS: Mapping[str, Mapping[str, str]] = {
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
        "logprobs": "mapped",
        "usage": "mapped",
    },
    "ChatCompletionStreamResponseDelta": {
        "content": "mapped",
        "refusal": "mapped",
        "reasoning_content": "mapped",
        "reasoning": "mapped",
        "reasoning_details": "mapped: text as reasoning; signatures sealed, and sent back",
        "tool_calls": "mapped",
        "function_call": "mapped",
        "annotations": "mapped",
        "audio": "ignored: only text is asked for",
        "extra_content": "emulated: sealed, and sent back with the message",
        "role": "ignored: always the assistant",
    },
    "ChatCompletionMessageToolCallChunk": {
        "index": "mapped",
        "id": "mapped",
        "function": "mapped",
        "type": "ignored: always a function",
        "custom": "ignored: only functions are offered",
        "extra_content": "emulated: sealed, and sent back with the call",
    },
    "CompletionUsage": {
        "prompt_tokens": "mapped",
        "completion_tokens": "mapped",
        "total_tokens": "mapped: else the sum",
        "prompt_tokens_details": "mapped",
        "completion_tokens_details": "mapped",
        "cached_tokens": "mapped",
        "prompt_cache_hit_tokens": "mapped",
        "prompt_cache_miss_tokens": "ignored: the rest of the prompt",
    },
    "CompletionUsagePromptTokensDetails": {
        "cached_tokens": "mapped",
        "cache_write_tokens": "mapped",
        "audio_tokens": "ignored: a response does not count them apart",
        "image_tokens": "ignored: a response does not count them apart",
        "text_tokens": "ignored: a response does not count them apart",
    },
    "CompletionUsageCompletionTokensDetails": {
        "reasoning_tokens": "mapped",
        "accepted_prediction_tokens": "ignored: a response does not count them apart",
        "audio_tokens": "ignored: a response does not count them apart",
        "rejected_prediction_tokens": "ignored: a response does not count them apart",
        "text_tokens": "ignored: a response does not count them apart",
    },
}
