"""Output items while they are written: messages and reasoning in parts, calls of every kind in arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec
from wireloom_protocol import hot

if TYPE_CHECKING:
    from wireloom_protocol import replies

Event: TypeAlias = "replies.ResponseStreamEvent | hot.HotEvent"
Json: TypeAlias = dict[str, Any]


class Part:
    """A stretch of text inside the open item: its deltas and its final form.

    Args:
        kind: name of the content part (`output_text`, `refusal`, `reasoning_text`) or `summary_text`.
        item_id: id of its item.
        output_index: position of its item.
        index: position among its item's parts.
    """

    __slots__ = ("annotations", "chunks", "event", "index", "kind", "logprobs", "stems")

    def __init__(self, kind: str, item_id: str, output_index: int, index: int) -> None:
        self.kind = kind
        self.index = index
        self.chunks: list[str] = []
        self.annotations: list[Json] = []
        self.logprobs: list[Json] = []
        self.stems, make = TEXTS[kind]
        # A delta and its sequence number -> the event that tells it.
        self.event: Callable[..., hot.HotEvent] = partial(make, item_id, output_index, index)

    def content(self, text: str) -> Json:
        """The part as the contract has it."""
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        if self.kind == "output_text":
            return {
                "type": "output_text",
                "text": text,
                "annotations": list(self.annotations),
                "logprobs": list(self.logprobs),
            }
        return {"type": self.kind, "text": text}


class Stems:
    """The names of a part's events.

    Args:
        text: stem of its delta and done events.
        part: stem of its own added and done events.
        index: name of its index.
    """

    __slots__ = ("index", "part", "text")

    def __init__(self, text: str, part: str, index: str) -> None:
        self.text = text
        self.part = part
        self.index = index


_CONTENT = ("response.content_part", "content_index")

# Part kind -> the names of its events, and the struct of its delta.
TEXTS: Mapping[str, tuple[Stems, Any]] = {
    "output_text": (
        Stems("response.output_text", *_CONTENT),
        partial(hot.ResponseTextDeltaEvent, logprobs=[]),
    ),
    "refusal": (Stems("response.refusal", *_CONTENT), hot.ResponseRefusalDeltaEvent),
    "reasoning_text": (Stems("response.reasoning_text", *_CONTENT), hot.ResponseReasoningTextDeltaEvent),
    "summary_text": (
        Stems("response.reasoning_summary_text", "response.reasoning_summary_part", "summary_index"),
        hot.ResponseReasoningSummaryTextDeltaEvent,
    ),
}


class Item:
    """An output item while it is being written: a message or reasoning, which is a sequence of parts.

    Args:
        item: its final form so far, as the contract has it.
    """

    def __init__(self, item: Json) -> None:
        self.item = item
        self.output_index = -1
        self.pending: list[tuple[str, str, list[Json]]] = []
        """Kinds, texts and log probabilities that wait until the item is open."""
        self.closed = False
        """Whether nothing is added to it any more, while it waits."""

    @property
    def complete(self) -> bool:
        """Whether the item may be closed as it stands."""
        return True

    def opening(self) -> Json:
        """The item as it is announced: with nothing in it, whatever it holds by the time this is sent."""
        told = {key: value for key, value in self.item.items() if key != "encrypted_content"}
        return {key: [] if isinstance(value, list) else value for key, value in told.items()}

    def end_as(self, status: str) -> None:
        """Write down how it ended: `completed` or `incomplete`."""
        self.item["status"] = status

    def text(self) -> str:
        """All the text of its parts."""
        parts = [*self.item.get("summary", ()), *self.item.get("content", ())]
        return "".join(part.get("text", "") for part in parts)


class WholeItem(Item):
    """An item that is complete when it is announced."""

    def opening(self) -> Json:
        """See `Item.opening`: all of it."""
        return dict(self.item)

    def end_as(self, status: str) -> None:
        """See `Item.end_as`: one that says itself how it ended keeps that."""
        if self.item["status"] == "in_progress":
            self.item["status"] = status


class CallItem(Item):
    """A call while its arguments arrive.

    Args:
        item: id and name are in it.
    """

    kind: ClassVar[str]
    """Type of the tool that it calls."""
    type: ClassVar[str]
    prefix: ClassVar[str]
    """How ids of such items begin."""
    streamed: ClassVar[bool] = True
    """True: emit argument deltas. False: buffer, and emit the item once the arguments are complete."""

    def __init__(self, item_id: str, call_id: str, name: str, namespace: str | None) -> None:
        super().__init__(
            {"id": item_id, "type": self.type, "status": "in_progress", "call_id": call_id, "name": name}
        )
        if namespace is not None:
            self.item["namespace"] = namespace
        self.chunks: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether the arguments so far are a JSON value."""
        return is_json("".join(self.chunks))

    def settled(self) -> CallItem:
        """The call as it can be told now that its arguments have ended."""
        return self

    def feed(self, fragment: str) -> str:
        """What of a fragment of the arguments is told at once."""
        return fragment

    def rest(self, *, whole: bool) -> str:
        """What is told when the arguments have ended; `whole` unless they were cut short."""
        return ""

    def event(self, delta: str, output_index: int, sequence: int) -> hot.HotEvent:
        """The event that tells a delta."""
        raise NotImplementedError

    def end(self) -> list[tuple[str, Json]]:
        """Fill the item and give the events, by type, that come before its last one."""
        raise NotImplementedError


class FunctionCall(CallItem):
    """A call of a function, and of any tool that the request does not list."""

    kind = "function"
    type = "function_call"
    prefix = "fc"

    def __init__(self, *at: Any) -> None:
        super().__init__(*at)
        self.item["arguments"] = ""
        self._said: list[str] = []

    def feed(self, fragment: str) -> str:
        """See `CallItem.feed`: each fragment as it is."""
        self._said.append(fragment)
        return fragment

    def rest(self, *, whole: bool) -> str:
        """See `CallItem.rest`: some upstreams send nothing for no arguments, and clients parse what they get."""
        return self.feed("{}") if whole and not "".join(self._said).strip() else ""

    def event(self, delta: str, output_index: int, sequence: int) -> hot.HotEvent:
        """See `CallItem.event`."""
        return hot.ResponseFunctionCallArgumentsDeltaEvent(self.item["id"], output_index, sequence, delta)

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`."""
        self.item["arguments"] = arguments = "".join(self._said)
        done = {"name": self.item["name"], "arguments": arguments}
        return [("response.function_call_arguments.done", done)]


def is_json(text: str) -> bool:
    """Whether a text is a JSON value."""
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
