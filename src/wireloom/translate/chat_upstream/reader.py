"""A Chat Completions answer read into the verbs of a Responses stream; tolerant of all upstreams are known for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from wireloom_protocol import hot

from wireloom.errors import UpstreamRefused
from wireloom.providers.profile import Profile
from wireloom.translate.answer.asked import NOTHING, Asked, markup_rules
from wireloom.translate.answer.kept import fault_of_form, ignored, says_nothing
from wireloom.translate.answer.repeats import SHORTEST
from wireloom.translate.answer.speech import Speech
from wireloom.translate.chat_upstream.beside import Beside
from wireloom.translate.chat_upstream.calls import Calls, State
from wireloom.translate.chat_upstream.choices import Choices
from wireloom.translate.chat_upstream.chunk import explain, look_at, read_chunk
from wireloom.translate.chat_upstream.rest import Other
from wireloom.translate.chat_upstream.sources import citation
from wireloom.translate.chat_upstream.usage import usage
from wireloom.translate.failures import cut_off
from wireloom.translate.hub.endings import Incomplete
from wireloom.translate.hub.endings import incomplete as incomplete_of
from wireloom.translate.hub.logprobs import logprob
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json
from wireloom.wire.sse import DONE

# Members of a delta that few deltas have.
RARE = (
    "refusal",
    "tool_calls",
    "function_call",
    "annotations",
    "extra_content",
    "reasoning_details",
    "audio",
)
PARTS = "parts"
"""The channel of thoughts that stand in content parts."""


class ChatReader:
    """Reads one streamed answer.

    Args:
        stream: what is spoken to.
        tools: the names under which tools were offered.
        profile: where the upstream puts reasoning.
        asked: what the request asked for.
        codex: whether the client is the Codex CLI, which shows a refusal only as text, and which repeats an
            answer that a filter stopped.
    """

    def __init__(
        self,
        stream: ResponseStream,
        tools: Tools,
        profile: Profile,
        asked: Asked = NOTHING,
        *,
        codex: bool = False,
    ) -> None:
        self._stream = stream
        self._tools = tools
        self._asked = asked
        self._thought_names = _known(profile.reasoning_fields)
        self._thoughts = _reader(self._thought_names)
        self._others = _reader((*self._thought_names, *RARE))
        self._refuse = stream.text if codex else stream.refusal
        self._codex = codex
        self.lost: list[str] = []
        """What of the answer was changed, or could not be emitted, in words for the log."""
        rules = markup_rules(profile, asked, tools)
        self._speech = Speech(stream, tools, rules, self.lost, json=asked.json, hold=asked.repairs)
        self._say = stream.text
        self._beside = Beside(stream, self._speech, self.lost)
        self._choices = Choices()
        self._first: Any = self._choices.first
        self._repaired = False  # whether the answer was asked for once more
        self._probabilities = False  # whether those of any token came
        self._met: list[Other] = []  # members of the chunk that the contract does not know
        self._state = State()
        self._calls = Calls(stream, tools, self._state, self.lost, profile.web_search_echo)
        self._finish_reason: str | None = None
        self._usage: hot.CompletionUsage | None = None
        self._echoes = profile.web_search_echo is not None
        self._sent_back = (0, 0)  # characters of the text and of the thoughts that the upstream has got back
        self._thought_field = profile.reasoning_replay_field
        self.used: list[hot.CompletionUsage | None] = []
        """The usage of requests that this response took before."""
        self.called: list[str] = []
        """Names of the functions that were called, as upstream knows them."""
        self.done = False
        """Whether the upstream said that nothing follows."""

    @property
    def starts_inside(self) -> bool | None:
        """See `Speech`."""
        return self._speech.starts_inside

    def feed(self, data: bytes) -> None:
        """Take the data of one event.

        Raises:
            UpstreamError: the upstream reports a failure, or this is no chunk of an answer.
        """
        if data == DONE or self.done:
            self.done = True
            return
        speech, say = self._speech, self._say
        chunk = read_chunk(data, self._met)
        if chunk is None:
            return
        if chunk.usage:
            self._usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index != self._first:
                self._first = self._choices.meet(choice.index)
            if choice.finish_reason or choice.usage:
                self._finish_reason = self._choices.reason(choice.index, choice.finish_reason)
                self._usage = choice.usage or self._usage
                explain(self._finish_reason, data)
            delta = choice.delta
            if not delta:
                continue
            if choice.index != self._first:
                delta = self._choices.live(choice.index, delta)
            if choice.logprobs:
                self._probable(delta, choice.logprobs)
            elif any(self._others(delta)):
                self._several(delta)
            else:
                content = delta.content
                if (
                    speech.clean
                    and content.__class__ is str
                    and len(content) < SHORTEST
                    and "<" not in content
                    and "[" not in content
                ):
                    say(content)  # nearly every token; the rest of what `Speech.text` does is not for it
                elif content:
                    self._content(content)
        if self._met:
            met, self._met = self._met, []
            for other in met:
                self._beside.take(other)

    def close(self) -> list[Json]:
        """The upstream's stream has ended; end the response.

        Returns:
            Messages with which the upstream is to be asked again before the response ends, or none.

        Raises:
            UpstreamError: it ended before the answer did, or the answer says nothing.
        """
        reason = self._finish_reason
        if reason is None and not (self.done and (self._stream.has_output or self._beside.spoken)):
            self._speech.interrupt()
            raise cut_off()
        look_at(reason)
        says = self._speech.clean  # so there is text
        if self._choices.held:
            self._fold()
        self._beside.say()
        calls = self._calls.names()
        incomplete = incomplete_of(reason) or (None if calls else self._at_limit())
        found = self._speech.close(calls, whole=incomplete is None)
        self._beside.close()
        for call in found:
            self._calls.add(call)
        if not calls:
            self._call_of_message()
        self.called += self._calls.close(cut_short=incomplete is not None)
        repair = self._repair(incomplete) if self._asked.repairs else []
        if repair:
            return repair
        if self._codex and incomplete == "content_filter":
            raise UpstreamRefused(
                "The upstream's content filter stopped the answer.", code=incomplete, status=400
            )
        again = self._calls.echoes() if incomplete is None else []
        if again:
            return self._ask_again(again)
        if incomplete is None:
            text = self._stream.answer_text
            self.lost += ignored(self._asked, self.called, text, logprobs=self._probabilities)
        if incomplete is None and not self.called and not says:
            self._check_said(reason)
        if incomplete is None and self._state:
            self._stream.append_state(self._state.value())
        self._stream.finish(usage(self._usage, self.used), incomplete)
        return []

    # -- the end -----------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        """Say what other choices said, in the order in which a model comes to it: thoughts, text, calls."""
        held = self._choices.take()
        for delta in held:
            self._think(delta)
        for delta in held:
            if delta.content and self._stream.answer_text():
                self._stream.next_item()
            self._speak(delta)
        for delta in held:
            self._call(delta)
        self.lost.append("several choices were read as one answer")

    def _call_of_message(self) -> None:
        """Make the calls that stand in a whole message alone."""
        for call_id, called in self._beside.calls:
            function = hot.ChatCompletionMessageToolCallChunkFunction(
                called.get("name"), called.get("arguments")
            )
            self._calls.feed(hot.ChatCompletionMessageToolCallChunk(id=call_id, function=function))

    def _at_limit(self) -> Incomplete | None:
        """Why an answer is incomplete that is as long as was allowed; None for a shorter one."""
        tokens = self._usage.completion_tokens if self._usage else None
        return "max_output_tokens" if self._asked.is_reached(tokens) else None

    def _check_said(self, reason: str | None) -> None:
        """Make sure that a complete answer says something.

        Raises:
            EmptyAnswer: it does not.
        """
        if self._stream.says_something():
            return
        self.used.append(self._usage)
        if self._stream.started:
            self._stream.response["usage"] = usage(self._usage, self.used[:-1])
        raise says_nothing(reason)

    def _repair(self, incomplete: Any) -> list[Json]:
        """The messages that ask for the answer once more, if it is not the JSON that was asked for."""
        text = self._speech.said()
        final = self._repaired or incomplete or self.called
        fault = None if final else fault_of_form(self._asked, text)
        if fault is None:
            self._speech.let_go()
            return []
        self._repaired = True
        self.lost.append("an answer that was not the JSON asked for; it was asked for once more")
        self.used.append(self._usage)
        self._usage, self._finish_reason, self.done = None, None, False
        self._speech.begin_again()
        correction = f"{fault} Answer again with nothing but the JSON."
        return [{"role": "assistant", "content": text}, {"role": "user", "content": correction}]

    def _ask_again(self, again: list[Json]) -> list[Json]:
        """Take the answer back to where the upstream goes on with its own calls."""
        said, thought = self._stream.answer_text(), self._speech.thought_text()
        text_before, thought_before = self._sent_back
        again[0]["content"], self._sent_back = said[text_before:], (len(said), len(thought))
        again[0][self._thought_field] = thought[thought_before:]
        self.used.append(self._usage)
        self._usage, self._finish_reason, self.done = None, None, False
        return again

    # -- deltas ------------------------------------------------------------------------------------------------------

    def _probable(self, delta: hot.ChatCompletionStreamResponseDelta, logprobs: Any) -> None:
        """Text whose tokens come with their probabilities."""
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        known = [logprob(token) for token in _objects(tokens)]
        self._probabilities = self._probabilities or bool(known)
        self._several(delta, known)
        if delta.content == "" and known:  # tokens that end within a character
            self._speech.text_with_logprobs("", known)

    def _several(self, delta: hot.ChatCompletionStreamResponseDelta, known: list[Json] | None = None) -> None:
        """Say all that is in a delta, in the order in which a model comes to it.

        Args:
            delta: some members of it.
            known: log probabilities of the tokens of its text, or None without any.
        """
        self._think(delta)
        self._speak(delta, known)
        self._call(delta)

    def _think(self, delta: hot.ChatCompletionStreamResponseDelta) -> None:
        before = ""
        for name, thought in zip(self._thought_names, self._thoughts(delta), strict=True):
            if thought:
                said = thought if isinstance(thought, str) else _details(thought)
                if said != before:  # many servers write each piece under two names
                    self._speech.thought(said, name)
                before = said
        if delta.reasoning_details:
            self._state.details(delta.reasoning_details)

    def _speak(self, delta: hot.ChatCompletionStreamResponseDelta, known: list[Json] | None = None) -> None:
        if delta.content:
            if known and isinstance(delta.content, str):
                self._speech.text_with_logprobs(delta.content, known)
            else:
                self._content(delta.content)
        if delta.refusal:
            self._refuse(delta.refusal)
        if delta.annotations:  # before a call closes the text that they belong to
            self._annotate(delta.annotations)
        if delta.audio:
            self._beside.sound(delta.audio)
        if delta.extra_content:
            self._state.message(delta.extra_content)

    def _call(self, delta: hot.ChatCompletionStreamResponseDelta) -> None:
        if delta.tool_calls:
            self._before_call()
            for call in delta.tool_calls:
                self._calls.feed(call)
        if delta.function_call:
            self._before_call()
            called = delta.function_call
            self._calls.feed_older(called.name or "", called.arguments or "")

    def _before_call(self) -> None:
        self._speech.interrupt()
        self._beside.cite()

    def _content(self, content: str | list[Json]) -> None:
        if isinstance(content, str):
            self._speech.text(content)
        else:
            for part in content:
                self._part(part)

    def _part(self, part: Json) -> None:
        """Content parts: text, pictures, and Mistral's thoughts, which hold text parts themselves."""
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            inner = (str(each.get("text", "")) for each in thinking if isinstance(each, dict))
            self._speech.thought("".join(inner), PARTS)
        elif isinstance(thinking, str):
            self._speech.thought(thinking, PARTS)
        elif isinstance(part.get("text"), str):
            self._speech.text(part["text"])
        else:
            self._beside.part(part)

    def _annotate(self, annotations: Any) -> None:
        self._speech.settle()
        for annotation in _objects(annotations):
            cited = annotation.get("url_citation")
            if isinstance(cited, dict) and not self._stream.annotate(citation(cited)):
                self.lost.append("a source came after its text")


@cache
def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    """The fields of a delta among some names."""
    return tuple(name for name in names if name in hot.ChatCompletionStreamResponseDelta.__struct_fields__)


@cache
def _reader(names: tuple[str, ...]) -> Callable[[hot.ChatCompletionStreamResponseDelta], tuple[Any, ...]]:
    """What reads some fields of a delta, in order."""
    if len(names) > 1:
        return attrgetter(*names)  # several times as fast as a loop, and this runs once a token
    return lambda delta: tuple(getattr(delta, name) for name in names)


def _objects(value: Any) -> list[Json]:
    """The objects in what should be a list of them."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _details(parts: list[Json]) -> str:
    """The readable text in OpenRouter's list of reasoning details."""
    said = (part.get("text") or part.get("summary") for part in parts)
    return "".join(text for text in said if isinstance(text, str))
