"""The answer of a Chat upstream passed on to a Chat client: untouched, save the model's name and what is broken.

An event leaves as it came, unknown members included. Mended are calls without an index or an id, or with one that is
taken; a missing end; an answer that is one object where a stream was asked for. A stream that breaks off, and a failure
inside an answer with status 200, are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from wireloom_protocol import hot

from wireloom.errors import UpstreamError
from wireloom.translate.answer.asked import NOTHING, Asked
from wireloom.translate.answer.kept import ignored, says_nothing
from wireloom.translate.chat_face.relay_calls import OfferedTools
from wireloom.translate.chat_face.relay_choice import RelayChoice
from wireloom.translate.chat_face.relay_fold import Folding
from wireloom.translate.chat_face.relay_whole import CHOICE, MESSAGE, complete
from wireloom.translate.chat_upstream.chunk import look_at, read_chunk
from wireloom.translate.chat_upstream.rest import Other, Use
from wireloom.translate.chat_upstream.usage import usage
from wireloom.translate.failures import cut_off
from wireloom.translate.hub.endings import incomplete
from wireloom.wire.json import Json
from wireloom.wire.sse import DONE
from wireloom_runtime.operations import Encoded

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatCompletion, ChatFrame


class _Finish(msgspec.Struct):
    finish_reason: str | None = None


class _Counts(msgspec.Struct):
    choices: list[_Finish]
    usage: hot.CompletionUsage | None = None


_read_counts = msgspec.json.Decoder(_Counts).decode


class ChatRelay:
    """Passes on one stream.

    Args:
        model: the model's name as the client knows it, or None where it is the upstream's own.
        new_id: makes an id for a prefix.
        offered: the tools of the request, or None if it offers none.
        asked: what the request asked for.
        sends_usage: whether the client asked for the usage, so that the chunk with it goes on.
    """

    def __init__(
        self,
        model: str | None,
        new_id: Callable[[str], str],
        offered: OfferedTools | None = None,
        asked: Asked = NOTHING,
        *,
        sends_usage: bool = True,
    ) -> None:
        self._model = model
        self._offered = offered or OfferedTools({})
        self._new_id = new_id
        self._asked = asked
        self._sends_usage = sends_usage
        # What an upstream sends is passed on unread, so the list is where its frames get their type.
        self._frames: list[Any] = []
        self._choices: dict[int, RelayChoice] = {}
        self._fold = Folding(single=asked.n == 1)
        self._ending: Json | None = None  # the last chunk of the answer, until it is known whether it was cut
        self._met: list[Other] = []  # members of a chunk that the contract does not know
        self._head: Json = {}
        self.done = False
        """Whether the upstream said that nothing follows."""
        self.called: list[str] = []
        """Names of the functions that were called."""
        self.lost: list[str] = []
        """What was not passed on as it came, and what could not be repaired, in words for the log."""
        self.has_output = False
        """Whether anything of an answer was said."""
        self.response: Json = {"status": "in_progress", "usage": None}
        """How the answer is, for the log and the counters."""

    def feed(self, data: bytes) -> None:
        """Take the data of one event.

        Raises:
            UpstreamError: the upstream reports a failure, or this is no chunk of an answer.
        """
        if data == DONE or self.done:
            self.done = True
            return
        self._met.clear()
        chunk = read_chunk(data, self._met)
        if chunk is None:
            return
        odd = self._is_odd(chunk)
        if odd:
            data, chunk = self._folded(data)
        if not self._head:
            head = {"id": chunk.id, "created": chunk.created, "model": self._model or chunk.model}
            self._head = {name: value for name, value in head.items() if value is not msgspec.UNSET}
        changed = odd or not isinstance(chunk.choices, list) or self._model is not None
        for choice in chunk.choices or ():
            changed |= self._choice(choice, data)
        if chunk.usage:
            self.response["usage"] = usage(chunk.usage)
            if not chunk.choices and not self._sends_usage:
                return
        self._emit(data, changed)

    def take(self) -> list[ChatFrame]:
        """The frames since the last call."""
        frames, self._frames = self._frames, []
        return frames

    def close(self) -> None:
        """The upstream's answer has ended; see that it has an end, and that it says something.

        Raises:
            UpstreamError: it broke off, or says nothing.
        """
        if self._fold.several:
            self._unfold()
        finished = [choice for choice in self._choices.values() if choice.finish_reason is not None]
        if not finished and not (self.done and self._choices):
            raise cut_off()
        for index, choice in sorted(self._choices.items()):
            self.called += choice.called
            if choice.finish_reason is None:
                self._finish(index, choice)
            self.lost += choice.text.repairs()
        self._end()
        self.response["status"] = _status(choice.finish_reason for choice in self._choices.values())
        if self.response["status"] == "completed":
            self._check_said()
            self._check_kept()

    # -- chunks --------------------------------------------------------------------------------------------------------

    def _emit(self, data: bytes, changed: bool) -> None:
        """Send a chunk on; the last one waits where the next may say that the answer was cut."""
        self._end()
        if not changed and self._asked.limit is None:
            self._frames.append(b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n")
            return
        value = self._mended(data) if changed else msgspec.json.decode(data)
        ends = any(isinstance(each, dict) and each.get("finish_reason") for each in value["choices"])
        if ends and self._asked.limit is not None:
            self._ending = value
        elif changed:
            self._frames.append(b"data: " + msgspec.json.encode(value) + b"\n\n")
        else:
            self._frames.append(b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n")

    def _end(self) -> None:
        """Send the last chunk, with the reason that the length of the answer gives."""
        value, self._ending = self._ending, None
        if value is None:
            return
        for choice in value["choices"]:
            known = self._choices.get(int(choice.get("index") or 0))
            if choice.get("finish_reason") == "stop" and known is not None and self._is_at_limit():
                choice["finish_reason"] = known.finish_reason = "length"
                self.lost.append("an answer as long as was allowed was marked as cut")
        self._frames.append(b"data: " + msgspec.json.encode(value) + b"\n\n")

    def _is_at_limit(self) -> bool:
        counted = self.response["usage"]
        return counted is not None and self._asked.is_reached(counted["output_tokens"])

    def _make(self, index: int, delta: Json, reason: str | None) -> None:
        """Send a chunk of the gateway's own."""
        choice = {"index": index, "delta": delta, "finish_reason": reason}
        made = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        self._frames.append(b"data: " + msgspec.json.encode(made) + b"\n\n")

    def _mended(self, data: bytes) -> Json:
        value: Json = msgspec.json.decode(data)
        if self._model is not None and "model" in value:
            value["model"] = self._model
        if not isinstance(value.get("choices"), list):
            value["choices"] = []
        for choice in value["choices"]:
            known = self._choices[int(choice.get("index") or 0)]
            known.rewrite(choice)
        return value

    # -- answers in another form ---------------------------------------------------------------------------------------

    def _is_odd(self, chunk: hot.CreateChatCompletionStreamResponse) -> bool:
        """Whether a chunk is of another choice than the one asked for, or says the answer in another member."""
        others = False
        for choice in chunk.choices or ():
            others |= self._fold.is_other(int(choice.index or 0))
        return others or any(
            other.row is not None and other.row.use in (Use.MESSAGE, Use.TEXT) for other in self._met
        )

    def _folded(self, data: bytes) -> tuple[bytes, hot.CreateChatCompletionStreamResponse]:
        """A chunk in the one choice and the one member that clients read."""
        value: Json = msgspec.json.decode(data)
        self._fold.chunk(value, any(choice.speaks for choice in self._choices.values()))
        plain = msgspec.json.encode(value)
        chunk = read_chunk(plain)
        assert chunk is not None
        return plain, chunk

    def _unfold(self) -> None:
        """Say what other choices said, and end the one choice."""
        self.lost.append("several choices were passed on as one answer")
        index = self._fold.first or 0
        choice = self._choices[index]
        for text in self._fold.texts():
            choice.begin()
            passed = choice.text.feed(text)
            if passed:
                self._make(index, {"content": passed}, None)
            choice.speaks = choice.speaks or bool(text.strip())
        if choice.finish_reason is None and self._fold.reason is not None:
            look_at(self._fold.reason)
            self._finish(index, choice, self._fold.reason)

    # -- choices -------------------------------------------------------------------------------------------------------

    def _choice(self, choice: hot.CreateChatCompletionStreamResponseChoice, data: bytes) -> bool:
        """Take one answer's part of a chunk; whether it cannot be passed on as it came."""
        number = int(choice.index or 0)
        known = self._choices.get(number)
        if known is None:
            known = self._choices[number] = RelayChoice(
                self._offered, self._new_id, self.lost, json=self._asked.json
            )
        known.begin()
        known.probabilities = known.probabilities or bool(choice.logprobs)
        changed = known.reads(choice.delta, ends=bool(choice.finish_reason)) if choice.delta else False
        if choice.finish_reason:
            look_at(choice.finish_reason, data)
            changed |= known.ends(choice.finish_reason, choice.delta)
            changed |= self._finish_calls(number, known)
        elif choice.finish_reason == "":
            changed = True
        self.has_output = self.has_output or known.speaks or _thinks(choice.delta)
        return changed

    def _finish(self, index: int, choice: RelayChoice, reason: str = "stop") -> None:
        """Give a choice an end of its own."""
        choice.begin()
        rest = choice.text.close(ended=True)
        if rest:
            self._make(index, {"content": rest}, None)
        choice.ends(reason, None)
        self._finish_calls(index, choice)
        self._make(index, {}, choice.finish_reason)

    def _finish_calls(self, index: int, choice: RelayChoice) -> bool:
        """Say the rest of the calls before the answer's end; whether the chunk that ends it has changed."""
        if not choice.called:
            return False
        changed, before = choice.close(cut_short=choice.is_cut)
        if before:
            self._make(index, {"tool_calls": before}, None)
        return changed

    def _check_said(self) -> None:
        """Make sure that a complete answer says something.

        Raises:
            EmptyAnswer: it does not.
        """
        if any(choice.speaks for choice in self._choices.values()):
            return
        raise says_nothing(*(choice.given for choice in self._choices.values()))

    def _check_kept(self) -> None:
        """Report what of the request the upstream ignored."""
        if len(self._choices) < self._asked.n:
            self.lost.append(f"the upstream ignored n: {len(self._choices)} of {self._asked.n} answers came")
        for choice in self._choices.values():
            self.lost += ignored(self._asked, choice.called, choice.text.said, logprobs=choice.probabilities)

    def count(self, made: bytes) -> None:
        """Take an answer that was not streamed, for the log and the counters alone.

        Args:
            made: JSON of a `chat.completion` object.
        """
        self.has_output = True
        try:
            read = _read_counts(made)
        except msgspec.ValidationError:  # the client may make of it what it can
            self.response["status"] = "completed"
            return
        self.response["status"] = _status(choice.finish_reason for choice in read.choices)
        self.response["usage"] = usage(read.usage)


def _status(reasons: Iterable[str | None]) -> str:
    return "incomplete" if any(reason and incomplete(reason) for reason in reasons) else "completed"


def _thinks(delta: hot.ChatCompletionStreamResponseDelta | msgspec.UnsetType | None) -> bool:
    return bool(delta and (delta.reasoning_content or delta.reasoning))


# -- answers that go through as they are --------------------------------------------------------------------------


class RawRelay(ChatRelay):
    """Passes on one stream as it is; it is read for the log and the counters alone.

    Args:
        See `ChatRelay`.
    """

    def feed(self, data: bytes) -> None:
        """See `ChatRelay.feed`; nothing is an error here."""
        if data == DONE or self.done:
            self.done = True
            return
        self._frames.append(b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n")
        self.has_output = True
        with suppress(UpstreamError):
            chunk = read_chunk(data)
            if chunk is not None and chunk.usage:
                self.response["usage"] = usage(chunk.usage)

    def close(self) -> None:
        """See `ChatRelay.close`; an answer that broke off is passed on as one."""
        self.response["status"] = "completed"


def raw_whole(data: bytes) -> ChatCompletion:
    """An answer that was not streamed, as it is."""
    return Encoded(data)


# -- a stream where one object was asked for -----------------------------------------------------------------------


def folded(frames: list[ChatFrame]) -> ChatCompletion:
    """The one object that says the same as a stream.

    Args:
        frames: all of a stream, as `ChatRelay` wrote them.
    """
    made: Json = {}
    choices: dict[int, Json] = {}
    for frame in frames:
        chunk: Json = msgspec.json.decode(frame.removeprefix(b"data: ").replace(b"\ndata: ", b"\n"))
        made |= {name: value for name, value in chunk.items() if value is not None and name != "choices"}
        for choice in chunk["choices"]:
            index = int(choice.get("index") or 0)
            whole = choices.setdefault(
                index, {"index": index, "message": {"role": "assistant", "content": None}}
            )
            delta = choice.pop("delta", None) or {}
            _add(whole["message"], delta)
            whole |= {name: value for name, value in choice.items() if value is not None}
    for choice in choices.values():
        complete(choice, CHOICE)
        complete(choice["message"], MESSAGE)
    made |= {"object": "chat.completion", "choices": [choices[index] for index in sorted(choices)]}
    return Encoded(msgspec.json.encode(made))


def _add(message: Json, delta: Json) -> None:
    """Put more of a message to what there is of it."""
    for name, value in delta.items():
        before = message.get(name)
        if name == "tool_calls":
            calls = message.setdefault(name, [])
            for fragment in value or ():
                _add_call(calls, fragment)
        elif isinstance(before, str) and isinstance(value, str) and name != "role":
            message[name] = before + value
        elif value is not None:
            message[name] = value


def _add_call(calls: list[Json], fragment: Json) -> None:
    index = fragment.pop("index", 0)
    while len(calls) <= index:
        calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
    function = fragment.pop("function", None) or {}
    calls[index] |= {name: value for name, value in fragment.items() if value is not None}
    for name, value in function.items():
        if isinstance(value, str):
            calls[index]["function"][name] = calls[index]["function"].get(name, "") + value
