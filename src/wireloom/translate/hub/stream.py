"""The grammar of a Responses stream: verbs in, numbered events out, one item open at a time.

Backends emit in any order; the stream keeps the contract's: items one after the other, each opened, filled and
closed; sequence numbers without a gap; the text of the deltas once more in the part, in the item and in the final
response; exactly one end.

    text(), reasoning() --> PartWriter --.
    call(), arguments() --> CallItem -----+--> EventSequence --> take()
    item()              --> WholeItem ---'

Two calls whose fragments alternate cannot both be open. The first one stays open; all that belongs to later items
waits until it is complete, which for a call means that its arguments are a JSON value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from wireloom.translate.hub.endings import Incomplete
from wireloom.translate.hub.items import CallItem, FunctionCall, Item, Picture, WholeItem
from wireloom.translate.hub.parts import PartWriter
from wireloom.translate.hub.sequence import Event, EventSequence
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies


SILENT = frozenset({"reasoning", "message"})
"""Types of items that may be there although nothing is said."""


class ResponseStream:
    """The writer of one response.

    Args:
        response: the response object at its start: settings echoed, output empty, status `in_progress`.
        new_id: makes an id for a prefix such as `msg`.
        now: returns the time in seconds since the epoch.
        summarise: write reasoning as a summary (which clients show) rather than as raw reasoning text.
        seal: encrypts a JSON value, so that the client can send it back and nobody else can read or change it.
        seal_reasoning: put the sealed text into every reasoning item.

    Attributes:
        response: the response object; always the same one, because others hold it.
        output: its items.
        sequence: the events.
        started: the first event was emitted.
        ended: the last event was emitted.
        relayed: an event of another upstream was passed on.
        lasting: later requests may use this response as `previous_response_id`, once it has ended.
    """

    def __init__(
        self,
        response: replies.Response,
        new_id: Callable[[str], str],
        now: Callable[[], float],
        *,
        summarise: bool = False,
        seal: Callable[[Json], str] | None = None,
        seal_reasoning: bool = False,
    ) -> None:
        self.response = response
        # Items are built member by member, so as plain objects; transcripts hold them to the contract.
        output: Any = response["output"]
        self.output: list[Json] = output
        self.sequence = EventSequence()
        self.started = False
        self.ended = False
        self.relayed = False
        self.lasting = True
        self.new_id = new_id
        self.seal = seal
        self._seal_reasoning = seal_reasoning and seal is not None
        self._now = now
        self._open: Item | None = None
        self._waiting: list[Item] = []
        self._parts = PartWriter(self.sequence)
        self._calls: dict[object, CallItem] = {}
        # Verbs that are called once per token are partial functions: a method would cost a frame of its own.
        self.text: Callable[[str], None] = partial(self._write, "message", "output_text")
        self.refusal: Callable[[str], None] = partial(self._write, "message", "refusal")
        thought = "summary_text" if summarise else "reasoning_text"
        self.reasoning: Callable[[str], None] = partial(self._write, "reasoning", thought)
        # A summary that the upstream itself makes of its reasoning.
        self.summary: Callable[[str], None] = partial(self._write, "reasoning", "summary_text")

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def has_output(self) -> bool:
        """Whether any part of an answer was emitted."""
        return bool(self.output) or self._open is not None or self.relayed

    def says_something(self) -> bool:
        """Whether there is anything but thoughts and white space."""
        if self._waiting or self.relayed or any(item["type"] not in SILENT for item in self.output):
            return True
        if self._open is not None and self._open.item["type"] not in SILENT:
            return True
        part = self._parts.open
        refused = part is not None and part.kind == "refusal"
        parts = [part for item in self._messages() for part in item["content"]]
        return refused or any(part.get("refusal") for part in parts) or bool(self.answer_text().strip())

    def answer_text(self) -> str:
        """The text of the answer so far."""
        parts = [part for item in self._messages() for part in item["content"]]
        texts = [part["text"] for part in parts if part["type"] == "output_text"]
        open_part = self._parts.open
        if open_part is not None and open_part.kind == "output_text":
            texts += open_part.chunks
        return "".join(texts)

    def _messages(self) -> list[Json]:
        items = [*self.output] if self._open is None else [*self.output, self._open.item]
        return [item for item in items if item["type"] == "message"]

    def arguments_complete(self, key: object) -> bool:
        """Whether the arguments of a call are a JSON value."""
        return self._calls[key].complete

    def arguments_of(self, key: object) -> str:
        """The arguments of a call so far."""
        return "".join(self._calls[key].chunks)

    def snapshot(self) -> msgspec.Raw:
        """The response as JSON: later changes of the response do not reach it."""
        return msgspec.Raw(msgspec.json.encode(self.response))

    def take(self) -> list[Event]:
        """Return the events since the last call."""
        return self.sequence.take()

    # -- verbs -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Emit the first events, unless they were emitted."""
        if not self.started:
            self.started = True
            opening = self.snapshot()
            self.sequence.emit("response.created", response=opening)
            self.sequence.emit("response.in_progress", response=opening)

    def call(
        self,
        key: object,
        call_id: str,
        name: str,
        *,
        namespace: str | None = None,
        make: type[CallItem] = FunctionCall,
    ) -> None:
        """Begin a call.

        Args:
            key: identifies the call to the backend.
            call_id: links the client's output to the call.
            name: the tool's name as the client gave it.
            namespace: the tool's namespace, or None.
            make: the class of item that the client expects, as `Tools.restore` gives it.
        """
        self._calls[key] = call = make(self.new_id(make.prefix), call_id, name, namespace)
        self._next(call)

    def arguments(self, key: object, delta: str) -> None:
        """Add JSON arguments to a call.

        Raises:
            ValueError: the call was complete, and the delta is not white space.
        """
        call = self._calls[key]
        if call.item["status"] != "in_progress":
            if delta.strip():
                raise ValueError("arguments after the end of a call")
            return
        if not delta:
            return
        call.chunks.append(delta)
        if call is self._open:
            call.emit(call.feed(delta), self.sequence)
        else:
            self._promote()

    def text_with_logprobs(self, delta: str, logprobs: list[Json]) -> None:
        """Add text to the answer, with the log probabilities of its tokens.

        Args:
            delta: the text.
            logprobs: one object per token, as the contract has it in a text part.
        """
        if delta or logprobs:
            self._place("message", "output_text", delta, logprobs)

    def annotate(self, annotation: Json) -> bool:
        """Add a source to the open text. Returns False if no text is open that it can belong to."""
        return self._open is not None and self._parts.annotate(self._open, annotation)

    def next_part(self) -> None:
        """Close the open part, so that later text opens another one."""
        if self._open is not None:
            self._parts.close(self._open)

    def next_item(self) -> None:
        """Close the open message or reasoning, so that later text opens another item."""
        if self._waiting:
            self._waiting[-1].closed = True
        elif not isinstance(self._open, CallItem):
            self._close()

    def attach_state(self, state: Json) -> None:
        """Seal state of the backend into the last reasoning item, so that both come back together."""
        item = self._waiting[-1] if self._waiting else self._open
        if item is None or item.item["type"] != "reasoning":
            self.append_state(state)
        elif self.seal is not None:
            item.item["encrypted_content"] = self.seal(state)

    def append_state(self, state: Json) -> None:
        """Seal state of the backend into a reasoning item of its own, behind all that was emitted."""
        if self.seal is not None:
            self.whole_item(self._blank("reasoning") | {"encrypted_content": self.seal(state)})

    def picture(self, result: str) -> None:
        """Emit a picture that the model made.

        Args:
            result: the picture in Base64.
        """
        self._next(Picture(self.new_id("ig"), result))

    def whole_item(self, item: Json) -> None:
        """Emit an item that is complete, such as a compaction."""
        self._next(WholeItem(item))

    def finish(self, usage: replies.ResponseUsage | None, incomplete: Incomplete | None = None) -> None:
        """End the response as completed or incomplete.

        Args:
            usage: tokens as the contract counts them, or None if the backend does not report them.
            incomplete: why the model stopped early, or None.
        """
        if self.ended:
            return
        self.start()
        self._drain(cut_short=incomplete is not None)
        self.response["usage"] = usage
        if incomplete is None:
            self.response["status"] = "completed"
            self.response["completed_at"] = int(self._now())
        else:
            self.response["status"] = "incomplete"
            self.response["incomplete_details"] = {"reason": incomplete}
        self._end()

    def fail(self, error: replies.Error, code: replies.ResponseErrorCode) -> None:
        """End the response as failed; open items stay open, so that no client acts on half a call.

        Args:
            error: the OpenAI error object.
            code: the code as a response object has it.
        """
        if self.ended:
            return
        self.start()
        members = {key: error[key] for key in ("code", "message", "param")}
        self.sequence.emit("error", **members, error=error)
        self.response["status"] = "failed"
        self.response["store"] = False
        self.response["error"] = {"code": code, "message": error["message"]}
        self._end()

    # -- text ------------------------------------------------------------------------------------------------------

    def _write(self, kind: str, part: str, delta: str) -> None:
        current = self._parts.open
        if delta and current is not None and current.kind == part:
            # Nearly every token takes this branch. A part is open, so nothing waits.
            sequence = self.sequence
            current.chunks.append(delta)
            sequence.events.append(current.event(delta, sequence.number))
            sequence.number += 1
        elif delta:
            self._place(kind, part, delta, [])

    def _place(self, kind: str, part: str, delta: str, logprobs: list[Json]) -> None:
        """Find or open the item that a text belongs to."""
        self._promote()
        item = self._open
        if item is None or self._waiting or item.item["type"] != kind:
            item = self._waiting[-1] if self._waiting else None
            if item is None or item.closed or item.item["type"] != kind:
                item = Item(self._blank(kind))
                self._next(item)
        if item is self._open:
            self._parts.write(item, part, delta, logprobs)
        else:
            item.pending.append((part, delta, logprobs))

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

    # -- order of items --------------------------------------------------------------------------------------------

    def _next(self, item: Item) -> None:
        """Open an item if the one before it is complete; otherwise it waits."""
        if self._open is not None and (self._waiting or not self._open.complete):
            self._waiting.append(item)
            self._promote()
        else:
            self._close()
            self._open_item(item)

    def _promote(self) -> None:
        """Close complete items and open those that wait behind them."""
        while self._waiting and self._open is not None and self._open.complete:
            self._close()
            self._open_item(self._waiting.pop(0))

    def _open_item(self, item: Item) -> None:
        self.start()
        self._open = item
        if isinstance(item, CallItem) and not item.streamed:
            return
        self._announce(item)
        for kind, delta, logprobs in item.pending:
            self._parts.write(item, kind, delta, logprobs)
        if isinstance(item, CallItem) and item.chunks:
            item.emit(item.feed("".join(item.chunks)), self.sequence)

    def _announce(self, item: Item) -> None:
        item.output_index = len(self.output)
        self.sequence.emit("response.output_item.added", output_index=item.output_index, item=item.opening())

    def _close(self, status: str = "completed") -> None:
        item, self._open = self._open, None
        if item is None:
            return
        if isinstance(item, CallItem):
            item = self._close_call(item, status)
        else:
            self._parts.close(item)
            if self._seal_reasoning and item.item["type"] == "reasoning" and self.seal is not None:
                item.item.setdefault("encrypted_content", self.seal({"text": item.text()}))
        if "status" in item.item:
            item.end_as(status)
        self.sequence.emit("response.output_item.done", output_index=item.output_index, item=item.item)
        self.output.append(item.item)

    def _close_call(self, call: CallItem, status: str) -> CallItem:
        """Emit the end of a call; a call that is not streamed is emitted here, whole."""
        if not call.streamed:
            call = call.settled()
            self._announce(call)
            call.emit(call.feed("".join(call.chunks)), self.sequence)
        call.emit(call.rest(whole=status == "completed"), self.sequence)
        position: Json = {"output_index": call.output_index}
        if call.streamed:
            position["item_id"] = call.item["id"]
        for kind, fields in call.end():
            self.sequence.emit(kind, **position, **fields)
        return call

    def _drain(self, *, cut_short: bool) -> None:
        """Close all items. In a response that was cut short, only the last item may be incomplete."""
        while self._open is not None:
            is_last = not self._waiting
            is_broken = isinstance(self._open, CallItem) and not self._open.complete
            if cut_short and (is_last or is_broken):
                self._waiting.clear()
                self._close("incomplete")
            else:
                self._close()
            if self._waiting:
                self._open_item(self._waiting.pop(0))

    def _end(self) -> None:
        self.ended = True
        self.sequence.emit(f"response.{self.response['status']}", response=self.response)
