"""The grammar of a Responses stream: verbs in, numbered events out, one item open at a time.

Whatever a backend says in whatever order, the stream that leaves is the one the contract describes: items one
after the other, each opened, filled and closed; sequence numbers without a gap; what a delta said standing again
in the part, in the item and in the final response; exactly one end.

Two calls that an upstream interleaves cannot both be open. The one that came first stays open; what comes for
another item waits until the first is complete, which for a call means that its arguments are a JSON value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec
from wireloom_protocol import hot

Event: TypeAlias = dict[str, Any] | hot.HotEvent
Json: TypeAlias = dict[str, Any]

_encode = msgspec.json.encode


class Part:
    """A stretch of text inside the open item: its deltas and its final form.

    Args:
        kind: name of the content part (`output_text`, `refusal`, `reasoning_text`) or `summary_text`.
        item_id: id of its item.
        output_index: position of its item.
        index: position among its item's parts.
        make: struct of its delta events.
    """

    __slots__ = ("chunks", "event", "index", "item_id", "kind", "output_index")

    def __init__(self, kind: str, item_id: str, output_index: int, index: int, make: Any) -> None:
        self.kind = kind
        self.item_id = item_id
        self.output_index = output_index
        self.index = index
        self.chunks: list[str] = []
        # A delta and its sequence number -> the event that tells it.
        self.event: Callable[[str, int], hot.HotEvent] = partial(make, item_id, output_index, index)

    def content(self, text: str) -> Json:
        """The part as the contract has it."""
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        if self.kind == "output_text":
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        return {"type": self.kind, "text": text}


# Never filled: log probabilities are refused.
_NO_LOGPROBS: list[Any] = []

# Part kind -> (stem of its delta and done events, stem of its part events, name of its index, struct of its delta).
_TEXTS: dict[str, tuple[str, str, str, Any]] = {
    "output_text": (
        "response.output_text",
        "response.content_part",
        "content_index",
        partial(hot.ResponseTextDeltaEvent, logprobs=_NO_LOGPROBS),
    ),
    "refusal": (
        "response.refusal",
        "response.content_part",
        "content_index",
        hot.ResponseRefusalDeltaEvent,
    ),
    "reasoning_text": (
        "response.reasoning_text",
        "response.content_part",
        "content_index",
        hot.ResponseReasoningTextDeltaEvent,
    ),
    "summary_text": (
        "response.reasoning_summary_text",
        "response.reasoning_summary_part",
        "summary_index",
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
        self.pending: list[tuple[str, str]] = []
        """Kinds and texts that wait until the item is open."""

    @property
    def complete(self) -> bool:
        """Whether the item may be closed as it stands."""
        return True

    def opening(self) -> Json:
        """The item as it is announced: with nothing in it, whatever it holds by the time this is sent."""
        return {key: [] if isinstance(value, list) else value for key, value in self.item.items()}


class CallItem(Item):
    """A call of a function or of a tool with free-form input.

    Args:
        unwrap: takes the input out of the JSON arguments; None for a function.
    """

    def __init__(self, item: Json, unwrap: Callable[[str], str] | None) -> None:
        super().__init__(item)
        self.unwrap = unwrap
        self.chunks: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether the arguments so far are a JSON value."""
        return _is_json("".join(self.chunks))


class ResponseStream:
    """The writer of one response.

    Args:
        response: the response object at its start: settings echoed, output empty, status `in_progress`.
        new_id: makes an id for a prefix such as `msg`.
        now: tells the time in seconds since the epoch.
        summarise: write reasoning as a summary (which clients show) rather than as raw reasoning text.
    """

    def __init__(
        self,
        response: Json,
        new_id: Callable[[str], str],
        now: Callable[[], float],
        *,
        summarise: bool = False,
    ) -> None:
        self.response = response
        self.output: list[Json] = response["output"]
        self.started = False
        self.ended = False
        self.new_id = new_id
        self._now = now
        self._events: list[Event] = []
        self._sequence = 0
        self._open: Item | None = None
        self._part: Part | None = None  # the open part of the open item
        self._waiting: list[Item] = []
        self._calls: dict[object, CallItem] = {}
        # More text of the answer, of a refusal, of what the model thinks: said once a token, so without a frame
        # of its own each.
        self.text: Callable[[str], None] = partial(self._write, "message", "output_text")
        self.refusal: Callable[[str], None] = partial(self._write, "message", "refusal")
        thought = "summary_text" if summarise else "reasoning_text"
        self.reasoning: Callable[[str], None] = partial(self._write, "reasoning", thought)

    # -- the beginning, signs of life, and what there is to send -------------------------------------------------

    def start(self) -> None:
        """Open the stream, unless it is open."""
        if not self.started:
            self.started = True
            opening = msgspec.Raw(_encode(self.response))
            self._emit("response.created", response=opening)
            self._emit("response.in_progress", response=opening)

    def heartbeat(self) -> None:
        """Say that the response is still being made."""
        if self.started and not self.ended:
            self._emit("response.in_progress", response=msgspec.Raw(_encode(self.response)))
        else:
            self.start()

    def take(self) -> list[Event]:
        """The events written since the last call."""
        events, self._events = self._events, []
        return events

    # -- what a backend says -------------------------------------------------------------------------------------

    def call(
        self,
        key: object,
        call_id: str,
        name: str,
        *,
        namespace: str | None = None,
        unwrap: Callable[[str], str] | None = None,
    ) -> None:
        """A call begins.

        Args:
            key: what the backend knows the call by.
            call_id: what the client will answer it by.
            name: the tool's name as the client gave it.
            namespace: the namespace the tool stands in.
            unwrap: for a tool with free-form input, takes that input out of the JSON arguments.
        """
        item: Json = {
            "id": self.new_id("fc" if unwrap is None else "ctc"),
            "type": "function_call" if unwrap is None else "custom_tool_call",
            "status": "in_progress",
            "call_id": call_id,
            "name": name,
            "arguments" if unwrap is None else "input": "",
        }
        if namespace is not None:
            item["namespace"] = namespace
        self._calls[key] = call = CallItem(item, unwrap)
        self._next(call)

    def arguments(self, key: object, delta: str) -> None:
        """More of the JSON arguments of a call.

        Raises:
            ValueError: the call was complete already and this is not white space.
        """
        call = self._calls[key]
        if call.item["status"] != "in_progress":
            if delta.strip():
                raise ValueError("arguments after the end of a call")
            return
        if not delta:
            return
        call.chunks.append(delta)
        if call is not self._open:
            self._promote()
        elif call.unwrap is None:
            self._arguments_delta(call, delta)

    def whole(self, key: object) -> bool:
        """Whether the arguments of a call are a JSON value already."""
        return self._calls[key].complete

    def finish(self, usage: Json | None, incomplete: str | None = None) -> None:
        """The response ends as it should.

        Args:
            usage: tokens as the contract counts them, or None when the backend does not tell.
            incomplete: why the model stopped early (`max_output_tokens`, `content_filter`), or None.
        """
        if self.ended:
            return
        self.start()
        self._drain(cut_short=incomplete is not None)
        self.response["usage"] = usage
        if incomplete is None:
            self.response.update(status="completed", completed_at=int(self._now()))
        else:
            self.response.update(status="incomplete", incomplete_details={"reason": incomplete})
        self._end()

    def fail(self, error: Json, code: str) -> None:
        """The response fails; what is open stays open, so that nobody acts on half a call.

        Args:
            error: the OpenAI error object.
            code: the code as a response object has it.
        """
        if self.ended:
            return
        self.start()
        self._emit("error", **{key: error[key] for key in ("code", "message", "param")}, error=error)
        self.response.update(status="failed", error={"code": code, "message": error["message"]})
        self._end()

    # -- items ---------------------------------------------------------------------------------------------------

    def _write(self, kind: str, part: str, delta: str) -> None:
        current = self._part
        if delta and current is not None and current.kind == part:
            # Nearly every token comes this way. A part is open, so nothing waits.
            current.chunks.append(delta)
            self._events.append(current.event(delta, self._sequence))
            self._sequence += 1
        elif delta:
            self._place(kind, part, delta)

    def _place(self, kind: str, part: str, delta: str) -> None:
        """Find or open the item that a text belongs to."""
        self._promote()
        item = self._open
        if item is None or self._waiting or item.item["type"] != kind:
            item = self._waiting[-1] if self._waiting else None
            if item is None or item.item["type"] != kind:
                item = Item(self._blank(kind))
                self._next(item)
        if item is self._open:
            self._text_delta(item, part, delta)
        else:
            item.pending.append((part, delta))

    def _blank(self, kind: str) -> Json:
        if kind == "message":
            return {
                "id": self.new_id("msg"),
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
        return {"id": self.new_id("rs"), "type": "reasoning", "status": "in_progress", "summary": []}

    def _next(self, item: Item) -> None:
        """Open an item now if the one before it is complete, else let it wait."""
        if self._open is not None and (self._waiting or not self._open.complete):
            self._waiting.append(item)
            self._promote()
        else:
            self._close()
            self._open_item(item)

    def _promote(self) -> None:
        """Close what is complete and open what waits behind it."""
        while self._waiting and self._open is not None and self._open.complete:
            self._close()
            self._open_item(self._waiting.pop(0))

    def _open_item(self, item: Item) -> None:
        self.start()
        item.output_index = len(self.output)
        self._open = item
        self._emit("response.output_item.added", output_index=item.output_index, item=item.opening())
        for kind, delta in item.pending:
            self._text_delta(item, kind, delta)
        if isinstance(item, CallItem) and item.unwrap is None and item.chunks:
            self._arguments_delta(item, "".join(item.chunks))

    def _close(self, status: str = "completed") -> None:
        item, self._open = self._open, None
        if item is None:
            return
        if isinstance(item, CallItem):
            self._close_call(item, status)
        else:
            self._close_part(item)
        item.item["status"] = status
        self._emit("response.output_item.done", output_index=item.output_index, item=item.item)
        self.output.append(item.item)

    def _drain(self, *, cut_short: bool) -> None:
        """Close everything; of a response cut short, only the last item may be incomplete."""
        while self._open is not None:
            last = not self._waiting
            broken = isinstance(self._open, CallItem) and not self._open.complete
            if cut_short and (last or broken):
                self._waiting.clear()
                self._close("incomplete")
            else:
                self._close()
            if self._waiting:
                self._open_item(self._waiting.pop(0))

    # -- parts and arguments -------------------------------------------------------------------------------------

    def _text_delta(self, item: Item, kind: str, delta: str) -> None:
        part = self._part
        if part is None or part.kind != kind:
            self._close_part(item)
            part = self._part = self._open_part(item, kind)
        part.chunks.append(delta)
        self._events.append(part.event(delta, self._sequence))
        self._sequence += 1

    def _parts(self, item: Item, kind: str) -> list[Json]:
        parts: list[Json] = item.item.setdefault("summary" if kind == "summary_text" else "content", [])
        return parts

    def _open_part(self, item: Item, kind: str) -> Part:
        _, stem, index, make = _TEXTS[kind]
        part = Part(kind, item.item["id"], item.output_index, len(self._parts(item, kind)), make)
        self._emit(f"{stem}.added", **self._at(item, index, part.index), part=part.content(""))
        return part

    def _close_part(self, item: Item) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        stem, part_stem, index, _ = _TEXTS[part.kind]
        text = "".join(part.chunks)
        at = self._at(item, index, part.index)
        content = part.content(text)
        said = {key: content[key] for key in ("text", "refusal", "logprobs") if key in content}
        self._emit(f"{stem}.done", **at, **said)
        self._emit(f"{part_stem}.done", **at, part=content)
        self._parts(item, part.kind).append(content)

    @staticmethod
    def _at(item: Item, index: str, position: int) -> Json:
        return {"item_id": item.item["id"], "output_index": item.output_index, index: position}

    def _arguments_delta(self, call: CallItem, delta: str) -> None:
        self._events.append(
            hot.ResponseFunctionCallArgumentsDeltaEvent(
                call.item["id"], call.output_index, self._sequence, delta
            )
        )
        self._sequence += 1

    def _close_call(self, call: CallItem, status: str) -> None:
        arguments = "".join(call.chunks)
        at = {"item_id": call.item["id"], "output_index": call.output_index}
        if call.unwrap is None:
            if not arguments.strip() and status == "completed":
                # Some upstreams send nothing for a call without arguments; clients parse what they get.
                self._arguments_delta(call, "{}")
                arguments += "{}"
            call.item["arguments"] = arguments
            self._emit(
                "response.function_call_arguments.done",
                **at,
                name=call.item["name"],
                arguments=arguments,
            )
            return
        text = call.unwrap(arguments)
        call.item["input"] = text
        if text:
            self._events.append(
                hot.ResponseCustomToolCallInputDeltaEvent(
                    self._sequence, call.output_index, call.item["id"], text
                )
            )
            self._sequence += 1
        self._emit("response.custom_tool_call_input.done", **at, input=text)

    # -- events --------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        self.ended = True
        self._emit(f"response.{self.response['status']}", response=self.response)

    def _emit(self, kind: str, **fields: Any) -> None:
        self._events.append({"type": kind, "sequence_number": self._sequence, **fields})
        self._sequence += 1


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
