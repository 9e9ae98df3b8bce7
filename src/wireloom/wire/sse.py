"""Server-sent events: bytes to payloads, events to bytes."""

from __future__ import annotations

from typing import Any

import msgspec

DONE = b"data: [DONE]\n\n"
COMMENT = b": keep-alive\n\n"
BOM = b"\xef\xbb\xbf"
MAX_EVENT_BYTES = 32 * 1024 * 1024

_encode = msgspec.json.Encoder().encode


class EventTooLarge(ValueError):
    """An event, or a line without an end, beyond `MAX_EVENT_BYTES`."""


class EventReader:
    """Bytes of an event stream in, the data of its events out.

    Takes every line end the specification knows (also mixed, also split between two reads), a byte order mark,
    comments, fields other than `data`, and data of several lines. Only `data` matters to the protocols read
    here; names and ids of events are passed over.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._lines: list[bytes] = []
        self._size = 0
        self._first = True
        self._skip_newline = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take what one read brought.

        Returns:
            The data of each event that is complete now, in order.

        Raises:
            EventTooLarge: an unfinished event grew beyond the limit.
        """
        if self._first:
            data = self._start(data)
        if self._skip_newline or b"\r" in data:
            data = self._plain(data)
        lines = (self._tail + data).split(b"\n")
        self._tail = lines.pop()
        events: list[bytes] = []
        for line in lines:
            if not line:
                self._dispatch(events)
            elif line.startswith(b"data:"):
                self._lines.append(line[6:] if line[5:6] == b" " else line[5:])
                self._size += len(line)
        if self._size + len(self._tail) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event of more than {MAX_EVENT_BYTES} bytes")
        return events

    def close(self) -> list[bytes]:
        """The stream ended: give what its last event, lacking the empty line, had."""
        return self.feed(b"\n\n") if self._tail or self._lines else []

    def _dispatch(self, events: list[bytes]) -> None:
        if self._lines:
            events.append(self._lines[0] if len(self._lines) == 1 else b"\n".join(self._lines))
            self._lines = []
            self._size = 0

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


def encode(events: list[Any]) -> bytes:
    """Frame stream events: name and data, an empty line after each.

    Args:
        events: objects with a `type` (dictionaries, or structs tagged with it), JSON otherwise.
    """
    return b"".join([_frame(event) for event in events])


def _frame(event: Any) -> bytes:
    name: Any = event["type"] if isinstance(event, dict) else event.__struct_config__.tag
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(event))
