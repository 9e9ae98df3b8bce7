"""Output items while they are written: messages and reasoning in parts, calls of every kind in arguments."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from wireloom_protocol import hot

from wireloom.translate.hub.sequence import EventSequence
from wireloom.wire.json import Json


class Item:
    """An output item while it is being written: a message or reasoning, which is a sequence of parts.

    Args:
        item: its final form so far, as the contract has it.
    """

    def __init__(self, item: Json) -> None:
        self.item = item
        self.output_index = -1
        self.pending: list[tuple[str, str, list[Json]]] = []
        """Part kinds, texts and log probabilities that wait until the item is open."""
        self.closed = False
        """Whether later text goes to another item, although this one still waits."""

    @property
    def complete(self) -> bool:
        """Whether the item may be closed as it stands."""
        return True

    def opening(self) -> Json:
        """The item as `output_item.added` shows it: empty, also if it waited and has content by now."""
        shown = {key: value for key, value in self.item.items() if key != "encrypted_content"}
        return {key: [] if isinstance(value, list) else value for key, value in shown.items()}

    def end_as(self, status: str) -> None:
        """Set its final status: `completed` or `incomplete`."""
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
        """See `Item.end_as`: an item that came with a final status keeps it."""
        if self.item["status"] == "in_progress":
            self.item["status"] = status


class Picture(Item):
    """A picture that the model made.

    Args:
        item_id: id of the item.
        result: the picture in Base64.
    """

    def __init__(self, item_id: str, result: str) -> None:
        super().__init__(
            {"id": item_id, "type": "image_generation_call", "status": "in_progress", "result": result}
        )

    def opening(self) -> Json:
        """See `Item.opening`: the picture comes with the end of the item."""
        return {**self.item, "result": None}


class CallItem(Item):
    """A call while its arguments arrive.

    Args:
        item_id: id of the item.
        call_id: links the client's output to the call.
        name: the tool's name as the client gave it.
        namespace: the tool's namespace, or None.
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
        """The item to emit, now that the arguments have ended."""
        return self

    def feed(self, fragment: str) -> str:
        """Take a fragment of the arguments; return the delta that it becomes."""
        return fragment

    def rest(self, *, whole: bool) -> str:
        """The last delta.

        Args:
            whole: False if the arguments were cut short.
        """
        return ""

    def emit(self, delta: str, sequence: EventSequence) -> None:
        """Emit a delta, unless it is empty."""
        if delta:
            sequence.add(self.event(delta, self.output_index, sequence.number))

    def event(self, delta: str, output_index: int, number: int) -> hot.HotEvent:
        """The event of a delta."""
        raise NotImplementedError

    def end(self) -> list[tuple[str, Json]]:
        """Fill the item; return type and members of the events between the last delta and `output_item.done`."""
        raise NotImplementedError


class FunctionCall(CallItem):
    """A call of a function, and of any tool that the request does not list."""

    kind = "function"
    type = "function_call"
    prefix = "fc"

    def __init__(self, *at: Any) -> None:
        super().__init__(*at)
        self.item["arguments"] = ""
        self._arguments: list[str] = []

    def feed(self, fragment: str) -> str:
        """See `CallItem.feed`: each fragment as it is."""
        self._arguments.append(fragment)
        return fragment

    def rest(self, *, whole: bool) -> str:
        """See `CallItem.rest`: some upstreams send an empty text for no arguments, which clients cannot parse."""
        return self.feed("{}") if whole and not "".join(self._arguments).strip() else ""

    def event(self, delta: str, output_index: int, number: int) -> hot.HotEvent:
        """See `CallItem.event`."""
        return hot.ResponseFunctionCallArgumentsDeltaEvent(self.item["id"], output_index, number, delta)

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`."""
        self.item["arguments"] = arguments = "".join(self._arguments)
        done = {"name": self.item["name"], "arguments": arguments}
        return [("response.function_call_arguments.done", done)]


def is_json(text: str) -> bool:
    """Whether a text is a JSON value."""
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
