"""An independent reader of a Responses event stream: it adds up what was said and stops at the first broken rule."""

import json
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = dict[str, Any]


class BrokenStream(AssertionError):
    """A stream that is not what the contract describes; the message names the event and the rule."""


class TextShape(NamedTuple):
    """How the contract spells a part that is text."""

    kind: str
    item: str
    parts: str
    numbered: str
    events: str
    key: str


class CallShape(NamedTuple):
    """How the contract spells what a call is called with."""

    item: str
    events: str
    key: str


TEXTS = (
    TextShape("output_text", "message", "content", "content_index", "response.output_text", "text"),
    TextShape("refusal", "message", "content", "content_index", "response.refusal", "refusal"),
    TextShape("reasoning_text", "reasoning", "content", "content_index", "response.reasoning_text", "text"),
    TextShape(
        "summary_text", "reasoning", "summary", "summary_index", "response.reasoning_summary_text", "text"
    ),
)
CALLS = (
    CallShape("function_call", "response.function_call_arguments", "arguments"),
    CallShape("custom_tool_call", "response.custom_tool_call_input", "input"),
)
WHOLE = {
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "tool_search_call": "arguments",
    "compaction": "encrypted_content",
}
"""Type of an item that stands complete in its first event -> the member that says what it is about."""
COMMAND = "response.shell_call_command"
PART_EVENTS = {"content": "response.content_part", "summary": "response.reasoning_summary_part"}
SHAPE_OF_PART = {shape.kind: shape for shape in TEXTS}
SHAPE_OF_CALL = {shape.item: shape for shape in CALLS}
GROWING: Mapping[str, Set[str]] = {
    "message": {"content"},
    "reasoning": {"content", "summary", "encrypted_content"},
    "function_call": {"arguments"},
    "custom_tool_call": {"input"},
    "image_generation_call": {"result"},
    **{kind: frozenset() for kind in WHOLE},
}
"""Item type -> members that fill up between its first event and its last."""
SETTLED_LATE = {"status", "output", "usage", "error", "incomplete_details", "completed_at", "store"}
"""Members of a response that change while it is made; all others stand from the first event on."""
TERMINAL = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
REASONS = ("max_output_tokens", "content_filter")

# What may come next, for the phases in which not everything may.
ONLY: Mapping[str, frozenset[str]] = {
    "nothing sent": frozenset({"response.created"}),
    "created": frozenset({"response.queued", "response.in_progress"}),
    "queued": frozenset({"response.in_progress"}),
    "error": frozenset({"response.failed"}),
    "ended": frozenset(),
}


@dataclass(slots=True)
class Call:
    """A call as far as it was told; `said` is its arguments or its input, for a published tool the JSON of its fields."""

    item: Json
    said: str = ""


@dataclass(slots=True)
class Told:
    """What a stream said, added up from its deltas alone, so that a stream that failed has it too."""

    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)
    items: list[tuple[str, str]] = field(default_factory=list)
    """Type of each item in order, and all that its deltas said, or its fields where it comes whole."""
    annotations: list[Json] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    """What the client carries without reading it, item by item."""
    error: Json | None = None
    response: Json = field(default_factory=dict)
    """The object of the terminal event."""


@dataclass(slots=True)
class _Part:
    shape: TextShape
    index: int
    said: str = ""
    finished: bool = False
    annotations: list[Json] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    item: Json
    parts: dict[str, list[Json]] = field(default_factory=lambda: {"content": [], "summary": []})
    part: _Part | None = None
    call: Call | None = None
    called: bool = False
    commands: list[str] = field(default_factory=list)
    command: str | None = None
    """The command that is being told."""


class Checker:
    """Takes decoded events one by one.

    Raises:
        BrokenStream: at the first event that breaks a rule, and in `close` where the end is missing.
    """

    def __init__(self) -> None:
        self.told = Told()
        self._phase = "nothing sent"
        self._sequence = 0
        self._settings: Json = {}
        self._done: list[Json] = []
        self._ids: set[str] = set()
        self._open: _Open | None = None
        self._now: Json = {}

    def feed(self, event: Json) -> None:
        """Take the next event."""
        self._now = event
        kind = event.get("type")
        allowed = ONLY.get(self._phase)
        self._hold(allowed is None or kind in allowed, f"may not follow: {self._phase}")
        early = kind in ("response.created", "response.queued")
        self._hold(self._phase != "running" or not early, "belongs at the beginning")
        self._hold(event.get("sequence_number") == self._sequence, f"should be number {self._sequence}")
        self._sequence += 1
        handler = HANDLERS.get(str(kind))
        self._hold(handler is not None, "is of a type without a rule")
        if handler is not None:
            handler(self, event)

    def close(self) -> Told:
        """The stream is over; return what it said."""
        if self._phase != "ended":
            raise BrokenStream(f"the stream ends without a terminal event, after: {self._phase}")
        return self.told

    def _hold(self, holds: bool, rule: str) -> None:
        if not holds:
            raise BrokenStream(f"{self._now.get('type')} (number {self._now.get('sequence_number')}) {rule}")

    def _same(self, found: Any, expected: Any, what: str) -> None:
        self._hold(found == expected, f"has {what} {found!r} in place of {expected!r}")

    # -- the response --------------------------------------------------------------------------------------------

    def created(self, event: Json) -> None:
        response = event["response"]
        self._settings = {key: value for key, value in response.items() if key not in SETTLED_LATE}
        self._snapshot(response, "queued" if response["status"] == "queued" else "in_progress")
        self._phase = "created"

    def queued(self, event: Json) -> None:
        self._snapshot(event["response"], "queued")
        self._phase = "queued"

    def in_progress(self, event: Json) -> None:
        self._snapshot(event["response"], "in_progress")
        self._phase = "running"

    def error(self, event: Json) -> None:
        self._hold(bool(event["message"]), "has no message")
        if "error" in event:
            for name in ("code", "message", "param"):
                self._same(event["error"][name], event[name], f"in its error object the {name}")
        self.told.error = event
        self._phase = "error"

    def terminal(self, event: Json) -> None:
        response, status = event["response"], TERMINAL[event["type"]]
        self._hold(self._open is None or status == "failed", "leaves an item open")
        self._snapshot(response, status)
        cut = [item["id"] for item in self._done if item.get("status") == "incomplete"]
        self._hold(not cut or status == "incomplete", "holds an item cut short")
        reason = (response["incomplete_details"] or {}).get("reason")
        self._hold((reason in REASONS) == (status == "incomplete"), f"gives the reason {reason!r}")
        self._hold(
            (response["error"] is None) == (status != "failed"),
            "has an error without failing, or fails without",
        )
        if status == "failed":
            self._hold(bool(response["error"]["code"] and response["error"]["message"]), "does not say why")
            if self.told.error is not None:
                self._same(response["error"]["message"], self.told.error["message"], "the message")
        completed = isinstance(response["completed_at"], int)
        self._hold(completed == (status == "completed"), "has the wrong time of completion")
        self.told.response = response
        self._phase = "ended"

    def _snapshot(self, response: Json, status: str) -> None:
        self._same(response["status"], status, "the status")
        self._same(response["output"], self._done, "as output")
        settings = {key: value for key, value in response.items() if key not in SETTLED_LATE}
        self._same(settings, self._settings, "the settings")
        if status in ("queued", "in_progress"):
            for name in ("usage", "error", "incomplete_details", "completed_at"):
                self._same(response[name], None, name)

    # -- items ---------------------------------------------------------------------------------------------------

    def item_added(self, event: Json) -> None:
        item = event["item"]
        kind = item["type"]
        self._hold(self._open is None, "opens an item while another is open")
        last = self._done[-1].get("status", "completed") if self._done else "completed"
        self._hold(last == "completed", "follows an item cut short")
        self._same(event["output_index"], len(self._done), "the index")
        self._hold(bool(item["id"]) and item["id"] not in self._ids, f"has no fresh id: {item['id']!r}")
        self._hold(kind in GROWING, f"is an item without a rule: {kind}")
        self._same(item.get("status"), None if kind == "compaction" else "in_progress", "the status")
        sealed = {"encrypted_content"} if "encrypted_content" in item else set()
        for name in sorted((GROWING[kind] - sealed) & item.keys()):
            self._hold(not item[name], f"begins with {name}")
        if kind == "message":
            self._same(item["role"], "assistant", "the role")
        self._ids.add(item["id"])
        self._open = _Open(item)
        about = WHOLE.get(kind)
        known = about is None or bool(item[about]) or kind == "tool_search_call"
        self._hold(known, f"is without {about}")
        self.told.items.append((kind, "" if about is None else json.dumps(item[about])))
        if kind in SHAPE_OF_CALL or (about is not None and kind != "compaction"):
            named = about is not None or bool(item["name"])
            self._hold(bool(item["call_id"]) and named, "is a call without an id or a name")
            self._open.call = Call(item, self.told.items[-1][1])
            self.told.calls.append(self._open.call)

    def item_done(self, event: Json) -> None:
        item, opened = event["item"], self._opened()
        kind = item["type"]
        self._same(event["output_index"], len(self._done), "the index")
        self._hold(opened.part is None and opened.command is None, "closes an item around an open part")
        changing = {*GROWING.get(kind, ()), "status"}
        if "encrypted_content" in opened.item:  # what was sealed before stays as it was
            changing.discard("encrypted_content")
        self._same(
            {key: value for key, value in item.items() if key not in changing},
            {key: value for key, value in opened.item.items() if key not in changing},
            "the item",
        )
        if kind != "compaction":
            self._hold(item["status"] in ("completed", "incomplete"), f"has the status {item['status']}")
        self._content(kind, item, opened)
        if item.get("encrypted_content") is not None:
            self.told.sealed.append(item["encrypted_content"])
        self._done.append(item)
        self._open = None

    def _content(self, kind: str, item: Json, opened: _Open) -> None:
        """Whether the item holds at its end what was told of it."""
        if kind in SHAPE_OF_CALL:
            assert opened.call is not None
            self._hold(opened.called, "comes before the whole of the call was told")
            self._same(item[SHAPE_OF_CALL[kind].key], opened.call.said, "the call")
        elif kind == "shell_call":
            self._same(item["action"]["commands"], opened.commands, "the commands")
        elif kind not in WHOLE:
            for name, parts in opened.parts.items():
                self._same(item.get(name) or [], parts, name)

    def _opened(self) -> _Open:
        if self._open is None:
            raise BrokenStream(
                f"{self._now['type']} (number {self._now['sequence_number']}) has no open item"
            )
        return self._open

    def _at(self, event: Json) -> _Open:
        """The open item, which the event has to name."""
        opened = self._opened()
        self._same(event["item_id"], opened.item["id"], "the item")
        self._same(event["output_index"], len(self._done), "the index")
        return opened

    # -- parts ---------------------------------------------------------------------------------------------------

    def part_added(self, event: Json, parts: str) -> None:
        opened, part = self._at(event), event["part"]
        shape = SHAPE_OF_PART[part["type"]]
        self._hold(opened.part is None, "opens a part while another is open")
        self._same((shape.item, shape.parts), (opened.item["type"], parts), "a part of")
        self._same(event[shape.numbered], len(opened.parts[parts]), "the index of the part")
        self._same(part[shape.key], "", "the first text")
        if shape.kind == "output_text":
            self._same((part["annotations"], part["logprobs"]), ([], []), "the first notes")
        opened.part = _Part(shape, event[shape.numbered])

    def part_done(self, event: Json, parts: str) -> None:
        opened, content = self._at(event), event["part"]
        part = self._part(event, SHAPE_OF_PART[content["type"]])
        self._same(part.shape.parts, parts, "a part of")
        self._hold(part.finished, "comes before its text is done")
        self._same(content[part.shape.key], part.said, "the text")
        if part.shape.kind == "output_text":
            self._same(content["annotations"], part.annotations, "the annotations")
            self._same([_streamed(each) for each in content["logprobs"]], part.logprobs, "the logprobs")
            self.told.annotations += part.annotations
            self.told.logprobs += content["logprobs"]
        opened.parts[parts].append(content)
        opened.part = None

    def text_delta(self, event: Json, shape: TextShape) -> None:
        part = self._part(event, shape)
        self._hold(not part.finished, "comes after its text was done")
        part.said += event["delta"]
        part.logprobs += event["logprobs"] if shape.kind == "output_text" else []
        self._tell(event["delta"])
        name = {"output_text": "text", "refusal": "refusal"}.get(shape.kind, "reasoning")
        setattr(self.told, name, getattr(self.told, name) + event["delta"])

    def text_done(self, event: Json, shape: TextShape) -> None:
        part = self._part(event, shape)
        self._hold(not part.finished, "comes twice")
        self._same(event[shape.key], part.said, "the text")
        if shape.kind == "output_text":
            self._same(event["logprobs"], part.logprobs, "the logprobs")
        part.finished = True

    def annotation(self, event: Json) -> None:
        part = self._part(event, SHAPE_OF_PART["output_text"])
        self._hold(not part.finished, "comes after its text was done")
        self._same(event["annotation_index"], len(part.annotations), "the index of the annotation")
        part.annotations.append(event["annotation"])

    def _part(self, event: Json, shape: TextShape) -> _Part:
        part = self._at(event).part
        if part is None:
            raise BrokenStream(f"{event['type']} (number {event['sequence_number']}) has no open part")
        self._same(shape.kind, part.shape.kind, "the kind")
        self._same(event[shape.numbered], part.index, "the index of the part")
        return part

    # -- calls ---------------------------------------------------------------------------------------------------

    def call_delta(self, event: Json, shape: CallShape) -> None:
        self._call(event, shape).said += event["delta"]
        self._tell(event["delta"])

    def call_done(self, event: Json, shape: CallShape) -> None:
        call = self._call(event, shape)
        self._same(event[shape.key], call.said, shape.key)
        if shape.item == "function_call":
            self._same(event["name"], call.item["name"], "the name")
        self._opened().called = True

    def _call(self, event: Json, shape: CallShape) -> Call:
        opened = self._at(event)
        self._same(opened.item["type"], shape.item, "an item of type")
        self._hold(not opened.called, "comes after the whole of the call was told")
        assert opened.call is not None
        return opened.call

    def command_added(self, event: Json) -> None:
        opened = self._commands(event)
        self._hold(opened.command is None, "opens a command while another is open")
        self._same(event["command"], "", "the first text")
        opened.command = ""

    def command_delta(self, event: Json) -> None:
        opened = self._commands(event)
        self._hold(opened.command is not None, "has no open command")
        opened.command = f"{opened.command}{event['delta']}"

    def command_done(self, event: Json) -> None:
        opened = self._commands(event)
        self._hold(opened.command is not None, "has no open command")
        self._same(event["command"], opened.command, "the command")
        opened.commands.append(event["command"])
        opened.command = None

    def _commands(self, event: Json) -> _Open:
        opened = self._opened()
        self._same(opened.item["type"], "shell_call", "an item of type")
        self._same(event["output_index"], len(self._done), "the index")
        self._same(event["command_index"], len(opened.commands), "the index of the command")
        return opened

    def _tell(self, delta: str) -> None:
        kind, said = self.told.items[-1]
        self.told.items[-1] = (kind, said + delta)


def _handlers() -> Iterable[tuple[str, Callable[[Checker, Json], None]]]:
    yield "response.created", Checker.created
    yield "response.queued", Checker.queued
    yield "response.in_progress", Checker.in_progress
    yield "error", Checker.error
    yield from ((kind, Checker.terminal) for kind in TERMINAL)
    yield "response.output_item.added", Checker.item_added
    yield "response.output_item.done", Checker.item_done
    for parts, events in PART_EVENTS.items():
        yield f"{events}.added", partial(Checker.part_added, parts=parts)
        yield f"{events}.done", partial(Checker.part_done, parts=parts)
    for text in TEXTS:
        yield f"{text.events}.delta", partial(Checker.text_delta, shape=text)
        yield f"{text.events}.done", partial(Checker.text_done, shape=text)
    for call in CALLS:
        yield f"{call.events}.delta", partial(Checker.call_delta, shape=call)
        yield f"{call.events}.done", partial(Checker.call_done, shape=call)
    yield "response.output_text.annotation.added", Checker.annotation
    yield f"{COMMAND}.added", Checker.command_added
    yield f"{COMMAND}.delta", Checker.command_delta
    yield f"{COMMAND}.done", Checker.command_done


def _streamed(logprob: Json) -> Json:
    """A token's log probability as events tell it: without bytes, its own and those of its rivals."""
    tops = [{"token": top["token"], "logprob": top["logprob"]} for top in logprob["top_logprobs"]]
    return {"token": logprob["token"], "logprob": logprob["logprob"], "top_logprobs": tops}


HANDLERS: Mapping[str, Callable[[Checker, Json], None]] = dict(_handlers())


def check(events: Iterable[Json]) -> Told:
    """Read a whole stream of decoded events.

    Raises:
        BrokenStream: it breaks a rule.
    """
    checker = Checker()
    for event in events:
        checker.feed(event)
    return checker.close()


def decode(stream: bytes) -> list[Json]:
    """The events in the bytes of a stream as this gateway writes it: a name line, a data line, an empty line.

    Raises:
        BrokenStream: other framing, or a name that is not the type in the data.
    """
    *frames, rest = stream.decode().split("\n\n")
    if rest:
        raise BrokenStream(f"the stream ends within a frame: {rest!r}")
    return [_frame(frame) for frame in frames]


def _frame(frame: str) -> Json:
    match frame.split("\n"):
        case [name, data] if name.startswith("event: ") and data.startswith("data: "):
            event: Json = json.loads(data.removeprefix("data: "))
            if event["type"] == name.removeprefix("event: "):
                return event
    raise BrokenStream(f"not the frame of an event: {frame!r}")
