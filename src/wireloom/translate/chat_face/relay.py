"""The answer of a Chat upstream passed on to a Chat client: untouched, save the model's name and what is broken.

An event leaves as it came, unknown members included. Mended are calls without an index or an id, or with one that is
taken; a missing end; an answer that is one object where a stream was asked for. A stream that breaks off, and a failure
inside an answer with status 200, are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from wireloom_protocol import hot

from wireloom.translate.chat_face.relay_calls import OfferedTools, RelayCalls, meant_calls
from wireloom.translate.chat_upstream.chunk import look_at, read_chunk, read_completion
from wireloom.translate.chat_upstream.usage import usage
from wireloom.translate.failures import cut_off
from wireloom.translate.hub.endings import INCOMPLETE
from wireloom.wire.json import Json
from wireloom.wire.sse import DONE
from wireloom_runtime.operations import Encoded

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatCompletion, ChatFrame


# Members that may be null and have to be there, so that clients made from the contract can read them.
CHOICE: Json = {"logprobs": None}
MESSAGE: Json = {"role": "assistant", "content": None, "refusal": None}


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
    """

    def __init__(
        self, model: str | None, new_id: Callable[[str], str], offered: OfferedTools | None = None
    ) -> None:
        self._model = model
        self._offered = offered or OfferedTools({})
        self._new_id = new_id
        # What an upstream sends is passed on unread, so the list is where its frames get their type.
        self._frames: list[Any] = []
        self._choices: dict[int, _Choice] = {}
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
        chunk = read_chunk(data)
        if chunk is None:
            return
        if not self._head:
            head = {"id": chunk.id, "created": chunk.created, "model": self._model or chunk.model}
            self._head = {name: value for name, value in head.items() if value is not msgspec.UNSET}
        broken = not isinstance(chunk.choices, list)
        for choice in chunk.choices or ():
            broken |= self._choice(choice, data)
        if chunk.usage:
            self.response["usage"] = usage(chunk.usage)
        if broken or self._model is not None:
            data = self._mended(data)
        self._frames.append(b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n")

    def take(self) -> list[ChatFrame]:
        """The frames since the last call."""
        frames, self._frames = self._frames, []
        return frames

    def close(self) -> None:
        """The upstream's answer has ended; see that it has an end.

        Raises:
            UpstreamError: it broke off.
        """
        finished = [choice for choice in self._choices.values() if choice.finish_reason is not None]
        if not finished and not (self.done and self._choices):
            raise cut_off()
        self.response["status"] = _status(choice.finish_reason for choice in finished)
        for index, choice in sorted(self._choices.items()):
            self.called += choice.called
            if choice.finish_reason is None:
                choice.begin_chunk()
                self._finish_calls(index, choice, None)
                self._make(index, {}, "tool_calls" if choice.called else "stop")

    def _finish_calls(self, index: int, choice: _Choice, reason: str | None) -> bool:
        """Say the rest of the calls before the answer's end; tells whether the chunk that ends it has changed."""
        changed, before = choice.close(cut_short=INCOMPLETE.get(reason or "stop") is not None)
        if before:
            self._make(index, {"tool_calls": before}, None)
        return changed

    def _make(self, index: int, delta: Json, reason: str | None) -> None:
        """Send a chunk of the gateway's own."""
        choice = {"index": index, "delta": delta, "finish_reason": reason}
        made = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        self._frames.append(b"data: " + msgspec.json.encode(made) + b"\n\n")

    def _choice(self, choice: hot.CreateChatCompletionStreamResponseChoice, data: bytes) -> bool:
        """Take one answer's part of a chunk; tells whether it has to be mended."""
        number = int(choice.index or 0)
        known = self._choices.get(number)
        if known is None:
            known = self._choices[number] = _Choice(self._offered, self._new_id, self.lost)
        if choice.finish_reason:
            look_at(choice.finish_reason, data)
            known.finish_reason = choice.finish_reason
        self.has_output = self.has_output or _says(choice.delta)
        calls = choice.delta.tool_calls if choice.delta else None
        broken = known.broken(calls, last=bool(choice.finish_reason)) if calls else False
        if choice.finish_reason and known.called:
            if not calls:
                known.begin_chunk()
            broken |= self._finish_calls(number, known, choice.finish_reason)
        return broken

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

    def _mended(self, data: bytes) -> bytes:
        value: Json = msgspec.json.decode(data)
        if self._model is not None and "model" in value:
            value["model"] = self._model
        if not isinstance(value.get("choices"), list):
            value["choices"] = []
        for choice in value["choices"]:
            calls = (choice.get("delta") or {}).get("tool_calls")
            if calls:
                self._choices[int(choice.get("index") or 0)].mend(calls)
        return msgspec.json.encode(value)


def _status(reasons: Iterable[str | None]) -> str:
    return "incomplete" if any(reason and INCOMPLETE.get(reason) for reason in reasons) else "completed"


def _says(delta: hot.ChatCompletionStreamResponseDelta | msgspec.UnsetType | None) -> bool:
    return bool(
        delta
        and (delta.content or delta.tool_calls or delta.reasoning_content or delta.reasoning or delta.refusal)
    )


class _Choice(RelayCalls):
    """One of the answers of a stream."""

    finish_reason: str | None = None


def whole(
    data: bytes,
    model: str | None,
    new_id: Callable[[str], str],
    offered: OfferedTools | None = None,
    lost: list[str] | None = None,
) -> ChatCompletion:
    """An answer that was not streamed, as it is passed on.

    Args:
        data: JSON of a `chat.completion` object.
        model: see `ChatRelay`.
        new_id: see `ChatRelay`.
        offered: see `ChatRelay`.
        lost: receives what was repaired, and what could not be, in words for the log.

    Raises:
        UpstreamError: the upstream reports a failure, or this is no completion.
    """
    value = read_completion(data)
    broken = model is not None
    if model is not None:
        value["model"] = model
    for choice in value["choices"]:
        if not isinstance(choice, dict):
            continue
        look_at(choice.get("finish_reason"))
        broken |= _complete(choice, CHOICE)
        message = choice.get("message")
        if not isinstance(message, dict):
            continue
        broken |= _complete(message, MESSAGE)
        broken |= meant_calls(message, offered or OfferedTools({}), [] if lost is None else lost)
        for call in message.get("tool_calls") or ():
            if isinstance(call, dict) and not call.get("id"):
                call["id"], broken = new_id("call"), True
    return Encoded(msgspec.json.encode(value) if broken else data)


def _complete(value: Json, members: Mapping[str, Any]) -> bool:
    """Add what the contract requires and many servers leave out; tells whether there was any."""
    missing = members.keys() - value.keys()
    value.update({name: members[name] for name in missing})
    return bool(missing)


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
        _complete(choice, CHOICE)
        _complete(choice["message"], MESSAGE)
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
