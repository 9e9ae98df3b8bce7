"""The grammar of a Responses stream: numbers, identity, order, linkage, and texts that agree with each other.

```
stream = created [queued] in_progress item* (completed | incomplete | failed) [DONE]
item   = output_item.added part* output_item.done              items may be open side by side
part   = content_part.added delta* done content_part.done      deltas = done = part = item = output of the response
call   = output_item.added delta* done output_item.done        deltas = done = item = output of the response
```
Each rule is reported once, for the first event that breaks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from wireloom.cli.diagnose.check.answer import DONE, Frame, frames
from wireloom.wire.json import Json

TERMINAL: Final[Mapping[str, str]] = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
STATUS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "response.created": ("in_progress", "queued"),
    "response.queued": ("queued",),
    "response.in_progress": ("in_progress",),
    **{kind: (status,) for kind, status in TERMINAL.items()},
}
"""Event with a response -> statuses that the response may have."""
EARLY = ("response.created", "response.queued", "error", "response.failed")
"""Events that may come before `response.in_progress`."""
CONSTANT = ("id", "object", "created_at", "model")
"""Members of a response that are the same in every event."""
ITEM_CONSTANT = ("id", "type", "role", "name", "call_id")
"""Members of an item that are the same in its first event and its last."""


class Parts(NamedTuple):
    """Where an item keeps parts: the member, the index that events give, the prefix of the part's events."""

    member: str
    place: str
    events: str


CONTENT = Parts("content", "content_index", "response.content_part")
SUMMARY = Parts("summary", "summary_index", "response.reasoning_summary_part")


class Text(NamedTuple):
    """Events that write one kind of part: their prefix, the part's type, its text's name, where the parts are."""

    events: str
    part: str
    key: str
    parts: Parts


TEXTS: Final = (
    Text("response.output_text", "output_text", "text", CONTENT),
    Text("response.refusal", "refusal", "refusal", CONTENT),
    Text("response.reasoning_text", "reasoning_text", "text", CONTENT),
    Text("response.reasoning_summary_text", "summary_text", "text", SUMMARY),
)
TEXT_OF: Final = {text.part: text for text in TEXTS}
CALLS: Final = (
    ("response.function_call_arguments", "function_call", "arguments"),
    ("response.custom_tool_call_input", "custom_tool_call", "input"),
)
CALLED: Final = {item: key for _, item, key in CALLS}
"""Type of a call -> the member that its deltas write."""


@dataclass(slots=True)
class _Part:
    text: str = ""
    finished: bool = False
    closed: Json | None = None
    kind: Any = None


@dataclass(slots=True)
class _Item:
    index: int
    first: Json
    parts: dict[str, list[_Part]] = field(default_factory=lambda: {"content": [], "summary": []})
    called: str = ""
    finished: bool = False
    last: Json | None = None


class Reading:
    """Reads one stream, frame by frame; `found` holds a sentence for each rule that it breaks.

    response: of the terminal event, empty until then.
    """

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.response: Json = {}
        self._items: list[_Item] = []
        self._by_id: dict[Any, _Item] = {}
        self._count = 0
        self._next = 0
        self._head: Json | None = None
        self._running = False
        self._failing = False
        self._ended = False
        self._done = False
        self._at = ""

    def feed(self, frame: Frame) -> None:
        """Read the next frame."""
        if not frame.whole:
            self._break("frame", "the stream ends within an event")
        if self._done:
            self._break("after done", "an event follows [DONE]")
        if frame.data == DONE:
            self._done = True
            return
        event = _object(frame.data)
        kind = event.get("type")
        self._at = f"{kind} (event {self._count}): "
        self._count += 1
        if not isinstance(kind, str):
            self._break("frame", "the data is no JSON object with a type")
            return
        if frame.name != kind:
            self._break("name", f"its event line is {frame.name!r}")
        self._number(event)
        self._order(kind)
        try:
            if "item_id" in event:
                self._link(event)
            HANDLERS.get(kind, _pass)(self, event)
        except (KeyError, TypeError, AttributeError) as error:
            self._break("form", f"a member is missing or of another type ({type(error).__name__}: {error})")

    def close(self) -> list[str]:
        """The stream is over: return a sentence for each rule that it broke."""
        self._at = ""
        if not self._ended:
            self._break("terminal", "the stream has no terminal event (completed, incomplete or failed)")
        if not self._done:
            self._break("done", "the stream does not end with [DONE]")
        for item in self._items:
            if item.last is None and self.response.get("status") != "failed":
                self._break("item open", f"output item {item.index} has no response.output_item.done")
        return list(self.found.values())

    def _break(self, rule: str, text: str) -> None:
        self.found.setdefault(rule, f"{self._at}{text}")

    def _same(self, rule: str, found: Any, expected: Any, name: str) -> None:
        if found != expected:
            self._break(rule, f"{name} is {_short(found)}, not {_short(expected)}")

    # -- order -------------------------------------------------------------------------------------------------------

    def _number(self, event: Json) -> None:
        number = event.get("sequence_number")
        self._same("number", number, self._next, "sequence_number")
        self._next = number + 1 if type(number) is int else self._next + 1

    def _order(self, kind: str) -> None:
        if self._ended:
            self._break("after the end", "it follows the terminal event")
        if self._failing and kind != "response.failed":
            self._break("after error", "it follows an error, after which only response.failed may come")
        self._failing = kind == "error"
        if self._count == 1 and kind != "response.created":
            self._break("created", "the first event is not response.created")
        if self._count > 1 and kind == "response.created":
            self._break("created twice", "response.created comes a second time")
        if kind == "response.in_progress":
            self._running = True
        elif kind not in EARLY and not self._running:
            self._break("in progress", "it comes before response.in_progress")

    def _link(self, event: Json) -> None:
        """Events about an item name an open one, by its id and its index."""
        item = self._by_id.get(event["item_id"])
        if item is None:
            self._break("item id", f"item_id {_short(event['item_id'])} is no item that was added")
            return
        if item.last is not None:
            self._break("item closed", f"it writes to item {item.index}, which is done")
        self._same("output index", event.get("output_index"), item.index, "output_index")

    # -- the response ------------------------------------------------------------------------------------------------

    def snapshot(self, event: Json) -> None:
        """An event with the response as it is now."""
        response, kind = event["response"], event["type"]
        if self._head is None:
            self._head = response
            self._same("output", response["output"], [], "output at the start")
        for name in CONSTANT:
            self._same(f"constant {name}", response.get(name), self._head.get(name), f"response.{name}")
        if response["status"] not in STATUS_OF[kind]:
            self._break("status", f"response.status is {_short(response['status'])}")

    def terminal(self, event: Json) -> None:
        """The last event, with the finished response."""
        self._ended = True
        self.response = event["response"]
        self.snapshot(event)
        done = [item.last for item in self._items if item.last is not None]
        self._same("final output", self.response["output"], done, "response.output")

    # -- items -------------------------------------------------------------------------------------------------------

    def item_added(self, event: Json) -> None:
        """A new item, with nothing in it."""
        first = event["item"]
        self._same("output index", event.get("output_index"), len(self._items), "output_index")
        if not first.get("id") or first["id"] in self._by_id:
            self._break("item id", f"the item's id is {_short(first.get('id'))}, no id of its own")
        if first.get("status") not in (None, "in_progress"):
            self._break("item status", f"the item begins with status {_short(first['status'])}")
        for name in ("content", "summary", CALLED.get(first.get("type"), "content")):
            if first.get(name):
                self._break("item empty", f"the item begins with {name} {_short(first[name])}")
        item = _Item(len(self._items), first)
        self._items.append(item)
        self._by_id[first.get("id")] = item

    def item_done(self, event: Json) -> None:
        """An item as it stays."""
        last = event["item"]
        item = self._by_id.get(last.get("id")) or self._place(event)
        if item is None:
            self._break("item added", f"item {_short(last.get('id'))} was not added before")
            return
        if item.last is not None:
            self._break("item twice", f"item {item.index} is done a second time")
        self._same("output index", event.get("output_index"), item.index, "output_index")
        for name in ITEM_CONSTANT:
            self._same(f"item {name}", last.get(name), item.first.get(name), f"item.{name}")
        if last.get("status", "completed") in ("in_progress", None):
            self._break("item status", f"the item is done with status {_short(last['status'])}")
        self._settled(item, last)
        item.last = last

    def _settled(self, item: _Item, last: Json) -> None:
        """The finished item holds the text that its events wrote."""
        called = CALLED.get(last.get("type", ""))
        if called is not None:
            self._same("item text", last.get(called), item.called, f"item.{called}")
            if not item.finished:
                self._break("call done", f"item {item.index} has no event with its whole {called}")
        if last.get("type") not in ("message", "reasoning"):
            return
        for name, parts in item.parts.items():
            if any(part.closed is None for part in parts):
                self._break("part open", f"a part of item {item.index} is not done")
            written = [part.closed for part in parts]
            self._same("item text", last.get(name) or [], written, f"item.{name}")

    def _place(self, event: Json) -> _Item | None:
        index = event.get("output_index")
        return self._items[index] if type(index) is int and 0 <= index < len(self._items) else None

    def _item(self, event: Json) -> _Item:
        """The item that an event is about; raises ``KeyError`` where there is none."""
        item = self._by_id.get(event["item_id"]) or self._place(event)
        if item is None:
            raise KeyError("item_id")
        return item

    # -- parts -------------------------------------------------------------------------------------------------------

    def part_added(self, event: Json, parts: Parts) -> None:
        """A new part, with no text in it."""
        item, part = self._item(event), event["part"]
        there = item.parts[parts.member]
        self._same("part index", event.get(parts.place), len(there), parts.place)
        text = TEXT_OF.get(part["type"])
        if text is not None and part.get(text.key):
            self._break("part empty", f"the part begins with {_short(part[text.key])}")
        there.append(_Part(kind=part["type"]))

    def part_done(self, event: Json, parts: Parts) -> None:
        """A part as it stays."""
        part, closed = self._part(event, parts), event["part"]
        text = TEXT_OF.get(closed["type"])
        self._same("part kind", closed["type"], part.kind, "part.type")
        if text is not None:
            self._same("part text", closed.get(text.key), part.text, f"part.{text.key}")
        if text is not None and not part.finished:
            self._break("text done", "the part is done before its text is")
        if part.closed is not None:
            self._break("part twice", "the part is done a second time")
        part.closed = closed

    def text_delta(self, event: Json, text: Text) -> None:
        """More of a part's text."""
        part = self._part(event, text.parts)
        self._same("part kind", text.part, part.kind, "the type of the part")
        if part.finished:
            self._break("late delta", "a delta follows the whole text")
        part.text += event["delta"]

    def text_done(self, event: Json, text: Text) -> None:
        """The whole text of a part."""
        part = self._part(event, text.parts)
        self._same("done text", event[text.key], part.text, text.key)
        if part.finished:
            self._break("text twice", "the whole text comes a second time")
        part.finished = True

    def _part(self, event: Json, parts: Parts) -> _Part:
        """The part that an event is about, an empty one where it was not added."""
        there = self._item(event).parts[parts.member]
        index = event.get(parts.place)
        if type(index) is int and 0 <= index < len(there):
            if index != len(there) - 1 or there[index].closed is not None:
                self._break("part closed", f"{parts.place} {index} is a part that is done")
            return there[index]
        self._break("part added", f"{parts.place} {_short(index)} is no part that was added")
        return there[-1] if there else _Part()

    # -- calls -------------------------------------------------------------------------------------------------------

    def call_delta(self, event: Json) -> None:
        """More of a call's arguments or input."""
        item = self._item(event)
        if item.finished:
            self._break("late delta", "a delta follows the whole call")
        item.called += event["delta"]

    def call_done(self, event: Json, key: str) -> None:
        """The whole arguments or input of a call."""
        item = self._item(event)
        self._same("done text", event[key], item.called, key)
        if "name" in event:
            self._same("call name", event["name"], item.first.get("name"), "name")
        item.finished = True


Handler = Callable[[Reading, Json], None]


def _pass(_: Reading, __: Json) -> None:
    """An event that has no rule but those of all events."""


def _handlers() -> Iterable[tuple[str, Handler]]:
    for kind in STATUS_OF:
        yield kind, Reading.terminal if kind in TERMINAL else Reading.snapshot
    yield "response.output_item.added", Reading.item_added
    yield "response.output_item.done", Reading.item_done
    for parts in (CONTENT, SUMMARY):
        yield f"{parts.events}.added", partial(Reading.part_added, parts=parts)
        yield f"{parts.events}.done", partial(Reading.part_done, parts=parts)
    for text in TEXTS:
        yield f"{text.events}.delta", partial(Reading.text_delta, text=text)
        yield f"{text.events}.done", partial(Reading.text_done, text=text)
    for prefix, _, key in CALLS:
        yield f"{prefix}.delta", Reading.call_delta
        yield f"{prefix}.done", partial(Reading.call_done, key=key)


HANDLERS: Final[Mapping[str, Handler]] = dict(_handlers())


def read(text: str) -> tuple[list[str], Json]:
    """Return the rules that a stream breaks, a sentence each, and the response of its terminal event."""
    reading = Reading()
    for frame in frames(text):
        reading.feed(frame)
    return reading.close(), reading.response


def _object(data: str) -> Json:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _short(value: Any) -> str:
    """A value for a sentence, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:120]}..."
