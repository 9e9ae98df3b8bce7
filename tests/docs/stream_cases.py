"""Streams as they may arrive, for the recipes of both languages: bytes, and the JSON of their events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

END = b"data: [DONE]\n\n"
CASES: dict[str, tuple[bytes, list[Any]]] = {
    "no_event": (END, []),
    "two_events": (b'data: {"a": 1}\n\ndata: {"a": 2}\n\n' + END, [{"a": 1}, {"a": 2}]),
    "names_and_ids": (b'event: a\nid: 1\nretry: 5\ndata: {"a": 1}\n\n' + END, [{"a": 1}]),
    "comments": (b": alive\n\n:\n\ndata: 1\n: alive\n\n" + END, [1]),
    "carriage_returns": (b"event: a\r\ndata: 1\r\n\r\ndata: [DONE]\r\n\r\n", [1]),
    "no_space": (b"data:1\n\ndata:[DONE]\n\n", [1]),
    "several_lines": (b"data: [1,\ndata: 2]\n\n" + END, [[1, 2]]),
    "umlauts": ('data: "Grüße, 世界 🎉"\n\n'.encode() + END, ["Grüße, 世界 🎉"]),
    "no_data": (b"event: ping\n\ndata: 1\n\n" + END, [1]),
    "more_after_the_end": (b"data: 1\n\n" + END + b"data: 2\n\n", [1]),
}
# Streams without an end.
CUTS: dict[str, tuple[bytes, list[Any]]] = {
    "empty": (b"", []),
    "after_an_event": (b"data: 1\n\n", [1]),
    "within_an_event": (b"data: 1\n\ndata: 2\n", [1]),
    "within_a_letter": ('data: 1\n\ndata: "ü'.encode()[:-1], [1]),
}


def pieces(stream: bytes, size: int) -> Iterator[bytes]:
    """The bytes in pieces of a size."""
    for start in range(0, len(stream), size):
        yield stream[start : start + size]
