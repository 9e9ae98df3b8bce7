"""The texts inside an item: parts that open, receive deltas and close again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from wireloom_protocol import hot

from wireloom.translate.hub.items import Item
from wireloom.translate.hub.sequence import EventSequence
from wireloom.wire.json import Json


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


class PartWriter:
    """Writes the parts of the open item, one open part at a time.

    Args:
        sequence: receives the events.

    Attributes:
        open: the part that deltas go to, or None.
    """

    __slots__ = ("_sequence", "open")

    def __init__(self, sequence: EventSequence) -> None:
        self._sequence = sequence
        self.open: Part | None = None

    def write(self, item: Item, kind: str, delta: str, logprobs: list[Json]) -> None:
        """Add text to a part of a kind; another kind than the open part's opens a part of its own.

        Args:
            item: the open item.
            kind: a key of `TEXTS`.
            delta: the text.
            logprobs: log probabilities of its tokens, as the contract has them in a text part.
        """
        part = self.open
        if part is None or part.kind != kind:
            self.close(item)
            part = self.open = self._begin(item, kind)
        part.chunks.append(delta)
        number = self._sequence.number
        if logprobs:
            part.logprobs += logprobs
            event = part.event(delta, number, logprobs=[_in_event(each) for each in logprobs])
        else:
            event = part.event(delta, number)
        self._sequence.add(event)

    def annotate(self, item: Item, annotation: Json) -> bool:
        """Add a source to the open text. Returns False if no text is open that it can belong to."""
        part = self.open
        if part is None or part.kind != "output_text":
            return False
        self._sequence.emit(
            "response.output_text.annotation.added",
            **_position(item, "content_index", part.index),
            annotation_index=len(part.annotations),
            annotation=annotation,
        )
        part.annotations.append(annotation)
        return True

    def close(self, item: Item) -> None:
        """Close the open part, if any, and add it to its item."""
        part, self.open = self.open, None
        if part is None:
            return
        position = _position(item, part.stems.index, part.index)
        content = part.content("".join(part.chunks))
        done: Json = {key: content[key] for key in ("text", "refusal") if key in content}
        if "logprobs" in content:
            done["logprobs"] = [_in_event(each) for each in part.logprobs]
        self._sequence.emit(f"{part.stems.text}.done", **position, **done)
        self._sequence.emit(f"{part.stems.part}.done", **position, part=content)
        _parts(item, part.kind).append(content)

    def _begin(self, item: Item, kind: str) -> Part:
        part = Part(kind, item.item["id"], item.output_index, len(_parts(item, kind)))
        position = _position(item, part.stems.index, part.index)
        self._sequence.emit(f"{part.stems.part}.added", **position, part=part.content(""))
        return part


def _parts(item: Item, kind: str) -> list[Json]:
    member = "summary" if kind == "summary_text" else "content"
    parts: list[Json] = item.item.setdefault(member, [])
    return parts


def _position(item: Item, index: str, position: int) -> Json:
    return {"item_id": item.item["id"], "output_index": item.output_index, index: position}


def _in_event(logprob: Json) -> Json:
    """A token's log probability in the form of events, which have no bytes."""
    tops = [{key: top[key] for key in ("token", "logprob")} for top in logprob["top_logprobs"]]
    return {"token": logprob["token"], "logprob": logprob["logprob"], "top_logprobs": tops}
