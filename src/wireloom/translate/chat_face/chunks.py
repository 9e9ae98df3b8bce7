"""Responses events as the chunks of a chat completion: the role first, then what is said, one end, usage last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from wireloom_protocol import hot

from wireloom.translate.chat_face.completion import (
    BETWEEN,
    CALLS,
    OUTPUT,
    cited,
    failed,
    finish_reason,
    known,
    opened,
    usage,
)
from wireloom.translate.hub.events import NEVER
from wireloom.translate.rules.loss import How, Rule
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatFrame


_encode = msgspec.json.encode
CONTENT, REFUSAL, THOUGHT = "content", "refusal", "reasoning_content"


class ChatChunks:
    """Writes one completion.

    Args:
        completion_id: its id.
        created: seconds since the epoch.
        model: the model's name as the client knows it.
        include_usage: whether the last chunk tells the usage.
        legacy: whether calls come in the older form, one `function_call`.
    """

    def __init__(
        self,
        completion_id: str,
        created: int,
        model: str,
        *,
        include_usage: bool = False,
        legacy: bool = False,
    ) -> None:
        head = {"id": completion_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._delta = self._head + b'{"index":0,"delta":{"'
        self._rest = b'},"logprobs":null,"finish_reason":null}' + self._tail
        self._include_usage = include_usage
        self._legacy = legacy
        # Frames are joined from encoded pieces, so the list is where they get their type.
        self._frames: list[Any] = []
        self._started = False
        self._places: dict[str, Any] = {}  # member -> the item, or the part of one, that it was said in last
        self._calls: dict[int, int] = {}  # output index of a call -> its index among the calls
        self.lost: list[str] = []
        """What of the answer Chat has no words for, for the log."""

    def feed(self, events: Iterable[Any]) -> list[ChatFrame]:
        """Take events; returns frames of an event stream.

        Raises:
            GatewayError: the response failed.
        """
        for event in events:
            struct = HOT.get(event.__class__)
            if struct is not None:
                struct(self, event)
                continue
            rule = EVENTS.get(event["type"])
            if rule is None:
                self.lost.append(f"an event of type {str(event['type'])[:60]}")
            else:
                rule.apply(self, event)
        return self.take()

    def take(self) -> list[ChatFrame]:
        """The frames since the last call; after a failure, those that came before it."""
        frames, self._frames = self._frames, []
        return frames

    # -- chunks --------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._chunk({"role": "assistant", "content": ""})

    def _chunk(self, delta: Json, finished: str | None = None, logprobs: Json | None = None) -> None:
        self._start()
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finished}
        self._frames.append(self._head + _encode(choice) + self._tail)

    def _text(self, member: str, place: Any, delta: str) -> None:
        """More of a text; nearly every token comes this way."""
        self._start()
        last = self._places.get(member)
        if last != place:
            self._places[member] = place
            if last is not None:
                delta = BETWEEN + delta
        self._frames.append(self._delta + member.encode() + b'":' + _encode(delta) + self._rest)

    # -- deltas, as structs and as JSON --------------------------------------------------------------------------

    def _spoken(self, event: hot.ResponseTextDeltaEvent) -> None:
        if event.logprobs:
            self._probable(event.output_index, event.delta, event.logprobs)
        else:
            self._text(CONTENT, event.output_index, event.delta)

    def _spoken_json(self, event: Json) -> None:
        if event.get("logprobs"):
            self._probable(event["output_index"], event["delta"], event["logprobs"])
        else:
            self._text(CONTENT, event["output_index"], event["delta"])

    def _probable(self, place: int, delta: str, logprobs: list[Json]) -> None:
        """Text whose tokens come with their probabilities."""
        last = self._places.setdefault(CONTENT, place)
        if last != place:
            self._places[CONTENT] = place
            delta = BETWEEN + delta
        self._chunk({"content": delta}, logprobs={"content": known(logprobs), "refusal": None})

    def _refused(self, event: hot.ResponseRefusalDeltaEvent) -> None:
        self._text(REFUSAL, event.output_index, event.delta)

    def _refused_json(self, event: Json) -> None:
        self._text(REFUSAL, event["output_index"], event["delta"])

    def _thought(self, event: hot.ResponseReasoningTextDeltaEvent) -> None:
        self._text(THOUGHT, (event.output_index, "content", event.content_index), event.delta)

    def _thought_json(self, event: Json) -> None:
        self._text(THOUGHT, (event["output_index"], "content", event["content_index"]), event["delta"])

    def _summed(self, event: hot.ResponseReasoningSummaryTextDeltaEvent) -> None:
        self._text(THOUGHT, (event.output_index, "summary", event.summary_index), event.delta)

    def _summed_json(self, event: Json) -> None:
        self._text(THOUGHT, (event["output_index"], "summary", event["summary_index"]), event["delta"])

    def _argued(self, event: Any) -> None:
        self._more(event.output_index, event.delta, "function", "arguments")

    def _argued_json(self, event: Json) -> None:
        self._more(event["output_index"], event["delta"], "function", "arguments")

    def _input(self, event: Any) -> None:
        self._more(event.output_index, event.delta, "custom", "input")

    def _input_json(self, event: Json) -> None:
        self._more(event["output_index"], event["delta"], "custom", "input")

    def _more(self, place: int, delta: str, kind: str, member: str) -> None:
        index = self._calls.get(place)
        if index is None:
            return
        if self._legacy:
            if index == 0:
                self._chunk({"function_call": {"arguments": delta}})
        else:
            self._chunk({"tool_calls": [{"index": index, kind: {member: delta}}]})

    # -- other events --------------------------------------------------------------------------------------------

    def _nothing(self, event: Json) -> None:
        """Says nothing that is not said elsewhere."""

    def _item_added(self, event: Json) -> None:
        item = event["item"]
        if item["type"] not in CALLS:
            return
        index = self._calls[event["output_index"]] = len(self._calls)
        begun = opened(item, "")
        if not self._legacy:
            self._chunk({"tool_calls": [{"index": index, **begun}]})
        elif index == 0:
            self._chunk({"function_call": begun["function"]})
        else:
            self.lost.append("a second call, of which the older form has none")

    def _item_done(self, event: Json) -> None:
        kind = str(event["item"]["type"])
        how, _ = OUTPUT.get(kind, (How.IGNORED, ""))
        if how is How.IGNORED:
            self.lost.append(f"an item of type {kind[:60]}")

    def _annotated(self, event: Json) -> None:
        source = cited(event["annotation"])
        if source is None:
            self.lost.append("a source of a kind that Chat does not know")
        else:
            self._chunk({"annotations": [source]})

    def _failed(self, event: Json) -> None:
        raise failed(event)

    def _ended(self, event: Json) -> None:
        response = event["response"]
        self._chunk({}, finish_reason(response, bool(self._calls), legacy=self._legacy))
        counted = response.get("usage")
        if self._include_usage and counted is not None:
            self._frames.append(self._head + b'],"usage":' + _encode(usage(counted)) + b"}\n\n")


_C = ChatChunks

HOT: Mapping[type, Callable[[ChatChunks, Any], None]] = {
    hot.ResponseTextDeltaEvent: _C._spoken,
    hot.ResponseRefusalDeltaEvent: _C._refused,
    hot.ResponseReasoningTextDeltaEvent: _C._thought,
    hot.ResponseReasoningSummaryTextDeltaEvent: _C._summed,
    hot.ResponseFunctionCallArgumentsDeltaEvent: _C._argued,
    hot.ResponseCustomToolCallInputDeltaEvent: _C._input,
}
"""The deltas that this gateway writes itself."""

EventRule: TypeAlias = Rule[Callable[[ChatChunks, Json], None]]


def _ignored(reason: str) -> EventRule:
    return Rule(How.IGNORED, _C._nothing, reason)


_OPENING = _ignored("a completion begins with its role")
_DELTAS = _ignored("its deltas have said it")
_ITEM = _ignored("the item says it, and Chat has no words for it: the log has")

EVENTS: Mapping[str, EventRule] = {
    "response.created": _OPENING,
    "response.queued": _OPENING,
    "response.in_progress": _OPENING,
    "response.output_text.delta": Rule(How.NATIVE, _C._spoken_json),
    "response.refusal.delta": Rule(How.NATIVE, _C._refused_json),
    "response.reasoning_text.delta": Rule(How.EMULATED, _C._thought_json, "reasoning_content"),
    "response.reasoning_summary_text.delta": Rule(How.EMULATED, _C._summed_json, "reasoning_content"),
    "response.function_call_arguments.delta": Rule(How.NATIVE, _C._argued_json),
    "response.custom_tool_call_input.delta": Rule(How.NATIVE, _C._input_json),
    "response.output_text.annotation.added": Rule(How.NATIVE, _C._annotated, "sources on the web"),
    "response.output_item.added": Rule(How.NATIVE, _C._item_added, "a call begins"),
    "response.output_item.done": Rule(
        How.IGNORED, _C._item_done, "its deltas have said it, or the log tells"
    ),
    "response.completed": Rule(How.NATIVE, _C._ended, "finish reason and usage"),
    "response.incomplete": Rule(How.NATIVE, _C._ended, "finish reason and usage"),
    "response.failed": Rule(How.NATIVE, _C._failed, "an error object, and the stream ends"),
    "error": Rule(How.NATIVE, _C._failed, "an error object, and the stream ends"),
    **{
        f"response.{name}": _DELTAS
        for name in (
            "content_part.added",
            "content_part.done",
            "output_text.done",
            "refusal.done",
            "reasoning_text.done",
            "reasoning_summary_part.added",
            "reasoning_summary_part.done",
            "reasoning_summary_text.done",
            "function_call_arguments.done",
            "custom_tool_call_input.done",
        )
    },
    **{f"response.shell_call_command.{name}": _ITEM for name in ("added", "delta", "done")},
    **{name: _ITEM for name in NEVER if name != "response.queued"},
}
