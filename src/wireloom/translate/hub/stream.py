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
from typing import TYPE_CHECKING, Any

import msgspec

from wireloom.translate.hub.endings import TERMINAL, Incomplete
from wireloom.translate.hub.items import CallItem, Event, FunctionCall, Item, Json, Part, WholeItem

if TYPE_CHECKING:
    from wireloom_protocol import replies

_encode = msgspec.json.encode
RESPONSE_EVENTS = TERMINAL | {"response.created", "response.queued", "response.in_progress"}
"""Types of the events that hold a whole response."""


class ResponseStream:
    """The writer of one response.

    Args:
        response: the response object at its start: settings echoed, output empty, status `in_progress`.
        new_id: makes an id for a prefix such as `msg`.
        now: tells the time in seconds since the epoch.
        summarise: write reasoning as a summary (which clients show) rather than as raw reasoning text.
        seal: closes a JSON value so that the client can carry it and nobody else can read or change it.
        seal_reasoning: whether every reasoning item carries its text sealed.
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
        # Items are built member by member, so as plain objects; the transcripts of the tests hold them to the contract.
        output: Any = response["output"]
        self.output: list[Json] = output
        self.started = False
        self.ended = False
        self.lasting = True
        """Whether the response, once it has ended, may be gone on from."""
        self.new_id = new_id
        self._now = now
        self._events: list[Event] = []
        self._sequence = 0
        self._relayed = False  # whether an event of an answer was passed on
        self._open: Item | None = None
        self._part: Part | None = None  # the open part of the open item
        self._waiting: list[Item] = []
        self._calls: dict[object, CallItem] = {}
        self._seal = seal
        self._seal_reasoning = seal_reasoning and seal is not None
        # More text of the answer, of a refusal, of what the model thinks: said once a token, so without a frame
        # of its own each.
        self.text: Callable[[str], None] = partial(self._write, "message", "output_text")
        self.refusal: Callable[[str], None] = partial(self._write, "message", "refusal")
        thought = "summary_text" if summarise else "reasoning_text"
        self.reasoning: Callable[[str], None] = partial(self._write, "reasoning", thought)
        # More of a summary that the upstream itself makes of what the model thinks.
        self.summary: Callable[[str], None] = partial(self._write, "reasoning", "summary_text")

    @property
    def spoke(self) -> bool:
        """Whether anything of an answer was said."""
        return bool(self.output) or self._open is not None or self._relayed

    def said(self) -> str:
        """The text of the answer so far."""
        items = [*self.output, *([self._open.item] if self._open is not None else [])]
        parts = [part for item in items if item["type"] == "message" for part in item["content"]]
        texts = [part["text"] for part in parts if part["type"] == "output_text"]
        if self._part is not None and self._part.kind == "output_text":
            texts += self._part.chunks
        return "".join(texts)

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

    def take_over(self, response: replies.Response, seal: Callable[[Json], str]) -> None:
        """Let another backend answer, where the first has said nothing.

        Args:
            response: the members of the response at its start, over what the first may have made of them.
            seal: see the class.
        """
        self._restate(response, self.output)
        self._seal = seal

    # -- what a backend says -------------------------------------------------------------------------------------

    def call(
        self,
        key: object,
        call_id: str,
        name: str,
        *,
        namespace: str | None = None,
        make: type[CallItem] = FunctionCall,
    ) -> None:
        """A call begins.

        Args:
            key: what the backend knows the call by.
            call_id: what the client will answer it by.
            name: the tool's name as the client gave it.
            namespace: the namespace the tool stands in.
            make: the class of item that the client expects, as `Tools.restore` gives it.
        """
        self._calls[key] = call = make(self.new_id(make.prefix), call_id, name, namespace)
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
        else:
            self._call_delta(call, call.feed(delta))

    def spoken(self, delta: str, logprobs: list[Json]) -> None:
        """More text of the answer, with the log probabilities of its tokens.

        Args:
            delta: the text.
            logprobs: one object for each token, as the contract has it in a text part.
        """
        if delta or logprobs:
            self._place("message", "output_text", delta, logprobs)

    def annotate(self, annotation: Json) -> bool:
        """A source of the text so far. Tells whether there is open text that it can belong to."""
        part, item = self._part, self._open
        if part is None or item is None or part.kind != "output_text":
            return False
        at = self._at(item, "content_index", part.index)
        self._emit(
            "response.output_text.annotation.added",
            **at,
            annotation_index=len(part.annotations),
            annotation=annotation,
        )
        part.annotations.append(annotation)
        return True

    def next_part(self) -> None:
        """What is said next stands in a part of its own."""
        if self._open is not None:
            self._close_part(self._open)

    def next_item(self) -> None:
        """What is said next stands in an item of its own."""
        if self._waiting:
            self._waiting[-1].closed = True
        elif not isinstance(self._open, CallItem):
            self._close()

    def reasoned(self, state: Json) -> None:
        """State of the backend that has to come back with the reasoning that was said last."""
        item = self._waiting[-1] if self._waiting else self._open
        if item is None or item.item["type"] != "reasoning":
            self.keep(state)
        elif self._seal is not None:
            item.item["encrypted_content"] = self._seal(state)

    def keep(self, state: Json) -> None:
        """State of the backend that has to come back with the next request, after all that has been said."""
        if self._seal is not None:
            item = self._blank("reasoning") | {"encrypted_content": self._seal(state)}
            self._next(WholeItem(item))

    def whole_item(self, item: Json) -> None:
        """An item that comes at once, such as a compaction."""
        self._next(WholeItem(item))

    def whole(self, key: object) -> bool:
        """Whether the arguments of a call are a JSON value already."""
        return self._calls[key].complete

    def relay(self, event: Any) -> None:
        """Pass on an event of an upstream whose streams are whole; only its number is this stream's own.

        Args:
            event: JSON of any type; the upstream answers for its members. A response in it becomes this stream's;
                with the last one the stream ends.
        """
        if self.ended:
            return
        self.started = True
        kind, response, item = event["type"], event.get("response"), event.get("item")
        if isinstance(response, dict) and kind in RESPONSE_EVENTS:
            self.ended = kind in TERMINAL
            output = response.get("output") if self.ended else None
            self._restate(response, output if isinstance(output, list) else self.output)
            # What follows changes the response, and an event before the last one tells of now.
            event["response"] = self.response if self.ended else msgspec.Raw(_encode(self.response))
        else:
            self._relayed = True
            if kind == "response.output_item.done" and isinstance(item, dict):
                self.output.append(item)
        event["sequence_number"] = self._sequence
        self._sequence += 1
        self._events.append(event)

    def arguments_of(self, key: object) -> str:
        """The arguments of a call so far."""
        return "".join(self._calls[key].chunks)

    def _restate(self, response: Any, output: list[Json]) -> None:
        """Give the response other members; it stays the same object, because others hold it."""
        members: Any = self.response
        members.clear()
        members.update(response, output=output)

    def finish(self, usage: replies.ResponseUsage | None, incomplete: Incomplete | None = None) -> None:
        """The response ends as it should.

        Args:
            usage: tokens as the contract counts them, or None when the backend does not tell.
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
        """The response fails; what is open stays open, so that nobody acts on half a call.

        Args:
            error: the OpenAI error object.
            code: the code as a response object has it.
        """
        if self.ended:
            return
        self.start()
        self._emit("error", **{key: error[key] for key in ("code", "message", "param")}, error=error)
        self.response["status"] = "failed"
        self.response["store"] = False
        self.response["error"] = {"code": code, "message": error["message"]}
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
            self._text_delta(item, part, delta, logprobs)
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
        self._open = item
        if isinstance(item, CallItem) and not item.streamed:
            return
        self._announce(item)
        for kind, delta, logprobs in item.pending:
            self._text_delta(item, kind, delta, logprobs)
        if isinstance(item, CallItem) and item.chunks:
            self._call_delta(item, item.feed("".join(item.chunks)))

    def _announce(self, item: Item) -> None:
        item.output_index = len(self.output)
        self._emit("response.output_item.added", output_index=item.output_index, item=item.opening())

    def _close(self, status: str = "completed") -> None:
        item, self._open = self._open, None
        if item is None:
            return
        if isinstance(item, CallItem):
            item = self._close_call(item, status)
        else:
            self._close_part(item)
            if self._seal_reasoning and item.item["type"] == "reasoning" and self._seal is not None:
                item.item.setdefault("encrypted_content", self._seal({"text": item.text()}))
        if "status" in item.item:
            item.end_as(status)
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

    def _text_delta(self, item: Item, kind: str, delta: str, logprobs: list[Json]) -> None:
        part = self._part
        if part is None or part.kind != kind:
            self._close_part(item)
            part = self._part = self._open_part(item, kind)
        part.chunks.append(delta)
        if logprobs:
            part.logprobs += logprobs
            event = part.event(delta, self._sequence, logprobs=[_streamed(each) for each in logprobs])
        else:
            event = part.event(delta, self._sequence)
        self._events.append(event)
        self._sequence += 1

    def _parts(self, item: Item, kind: str) -> list[Json]:
        parts: list[Json] = item.item.setdefault("summary" if kind == "summary_text" else "content", [])
        return parts

    def _open_part(self, item: Item, kind: str) -> Part:
        part = Part(kind, item.item["id"], item.output_index, len(self._parts(item, kind)))
        at = self._at(item, part.stems.index, part.index)
        self._emit(f"{part.stems.part}.added", **at, part=part.content(""))
        return part

    def _close_part(self, item: Item) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        at = self._at(item, part.stems.index, part.index)
        content = part.content("".join(part.chunks))
        said: Json = {key: content[key] for key in ("text", "refusal") if key in content}
        if "logprobs" in content:
            said["logprobs"] = [_streamed(each) for each in part.logprobs]
        self._emit(f"{part.stems.text}.done", **at, **said)
        self._emit(f"{part.stems.part}.done", **at, part=content)
        self._parts(item, part.kind).append(content)

    @staticmethod
    def _at(item: Item, index: str, position: int) -> Json:
        return {"item_id": item.item["id"], "output_index": item.output_index, index: position}

    def _call_delta(self, call: CallItem, said: str) -> None:
        if said:
            self._events.append(call.event(said, call.output_index, self._sequence))
            self._sequence += 1

    def _close_call(self, call: CallItem, status: str) -> CallItem:
        """Tell the end of a call, and of one that had to be whole, all of it."""
        if not call.streamed:
            call = call.settled()
            self._announce(call)
            self._call_delta(call, call.feed("".join(call.chunks)))
        self._call_delta(call, call.rest(whole=status == "completed"))
        at: Json = {"output_index": call.output_index}
        if call.streamed:
            at["item_id"] = call.item["id"]
        for kind, fields in call.end():
            self._emit(kind, **at, **fields)
        return call

    # -- events --------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        self.ended = True
        self._emit(f"response.{self.response['status']}", response=self.response)

    def _emit(self, kind: str, **fields: Any) -> None:
        # The one place where events are written from their members; transcripts hold each kind to the contract.
        event: Any = {"type": kind, "sequence_number": self._sequence, **fields}
        self._events.append(event)
        self._sequence += 1


def _streamed(logprob: Json) -> Json:
    """A token's log probability as events have it: without bytes."""
    tops = [{key: top[key] for key in ("token", "logprob")} for top in logprob["top_logprobs"]]
    return {"token": logprob["token"], "logprob": logprob["logprob"], "top_logprobs": tops}
