"""Server-sent events: bytes to payloads, events to bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from wireloom_runtime.operations import Encoded

if TYPE_CHECKING:
    from msgspec import Struct

    from wireloom_runtime.operations import TypedObject

    Value = TypeVar("Value", bound=TypedObject | Struct)

EVENT_STREAM = "text/event-stream"
DONE = b"[DONE]"
"""Data of the last event of a Chat Completions stream."""
DONE_EVENT = b"data: [DONE]\n\n"
# A comment is no event, so it may stand in a stream of any.
COMMENT: Encoded[Any] = Encoded(b": keep-alive\n\n")
BOM = b"\xef\xbb\xbf"
MAX_EVENT_BYTES = 32 * 1024 * 1024

_encode_into = msgspec.json.Encoder().encode_into
# The head of each struct's frame, which is the same for all its instances.
_HEADS: dict[type, bytes] = {}


# Names of events that say that the data is a failure, whatever its form.
FAILURES = frozenset({b"error", b"exception"})


class FailureData(bytes):
    """The data of an event that is named a failure, or that stands where only a failure does."""


class EventTooLarge(ValueError):
    """An event, or a line without an end, beyond `MAX_EVENT_BYTES`."""


def is_event_stream(content_type: str, beginning: bytes) -> bool:
    """Whether an answer is a stream of events, by what it says it is unless its first bytes say otherwise.

    Args:
        content_type: without parameters, in lower case.
        beginning: what the first read brought.
    """
    start = beginning.removeprefix(BOM).lstrip()
    if content_type == EVENT_STREAM:
        return not start.startswith((b"{", b"[", b"<"))
    return start.startswith((b"data:", b"event:", b"id:", b"retry:", b":"))


class EventReader:
    """Bytes of an event stream in, the data of its events out.

    Takes every line end the specification knows (also mixed, also split between two reads), a byte order mark,
    comments, fields other than `data`, and data of several lines. Only `data` matters to the protocols read
    here; ids of events are passed over, and of their names all but those of failures.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._first = True
        self._skip_newline = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take what one read brought.

        Returns:
            The data of each event that is complete now, in order; that of a failure as `FailureData`.

        Raises:
            EventTooLarge: an unfinished event grew beyond the limit.
        """
        if self._first:
            data = self._start(data)
        if self._skip_newline or b"\r" in data:
            data = self._plain(data)
        whole, end, self._tail = (self._tail + data).rpartition(b"\n\n")
        if len(self._tail) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event of more than {MAX_EVENT_BYTES} bytes")
        if not end:
            return []
        if whole.startswith(b"data: "):  # what nearly every stream looks like: lone data lines
            events = whole[6:].split(b"\n\ndata: ")
            if whole.count(b"\n") == 2 * (len(events) - 1):
                return events
        read = _data_or_failure if b"error" in whole or b"exception" in whole else _data
        return [event for block in whole.split(b"\n\n") if (event := read(block)) is not None]

    def close(self) -> list[bytes]:
        """The stream ended: give what its last event, lacking the empty line, had."""
        return self.feed(b"\n\n") if self._tail else []

    def _start(self, data: bytes) -> bytes:
        data = self._tail + data
        self._tail = b""
        if len(data) < len(BOM) and BOM.startswith(data):
            self._tail = data
            return b""
        self._first = False
        return data.removeprefix(BOM)

    def _plain(self, data: bytes) -> bytes:
        """Make every line end a newline; a carriage return at the very end may still get its newline."""
        if self._skip_newline and data:
            self._skip_newline = False
            data = data.removeprefix(b"\n")
        self._skip_newline = self._skip_newline or data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(block: bytes) -> bytes | None:
    """The data of an event of any form, or None when it has none."""
    lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def _data_or_failure(block: bytes) -> bytes | None:
    """The data of an event of any form; of failures also what is no data by the specification, or None.

    Some servers write `error: {...}` (llama.cpp), others the JSON of an error without any field.
    """
    data = _data(block)
    fields = [
        (name, value.strip()) for name, _, value in (line.partition(b":") for line in block.split(b"\n"))
    ]
    if any(name == b"event" and value in FAILURES for name, value in fields):
        return FailureData(data or b"")
    if data is not None:
        return data
    failures = [value for name, value in fields if name == b"error"]
    if failures:
        return FailureData(b"\n".join(failures))
    start = block.lstrip()
    return FailureData(start) if start.startswith(b"{") and b'"error"' in start else None


def encode(events: Sequence[Any]) -> bytes:
    """Frame stream events: name and data, an empty line after each.

    Args:
        events: objects with a `type` (dictionaries, or structs tagged with it), JSON otherwise; bytes are frames
            already.
    """
    out = bytearray()
    for event in events:
        kind = event.__class__
        if kind is bytes:
            out += event
            continue
        out += _HEADS.get(kind) or _head(kind, event)
        _encode_into(event, out, -1)
        out += b"\n\n"
    return bytes(out)


def data_only(value: Value) -> Encoded[Value]:
    """Encode an object as a frame without an event name.

    Args:
        value: the event.
    """
    return Encoded(b"data: %b\n\n" % msgspec.json.encode(value))


def _head(kind: type, event: Any) -> bytes:
    if kind is dict:
        return b"event: %b\ndata: " % event["type"].encode()
    head = _HEADS[kind] = b"event: %b\ndata: " % event.__struct_config__.tag.encode()
    return head
