"""The events of a wireloom gateway as typed objects: copy this file into your project.

with client.stream("POST", "/v1/responses", json=body) as response:
    for event in events(response.iter_bytes(), adapter.validate_json):
        if isinstance(event, ResponseTextDeltaEvent):
            print(event.delta, end="")
"""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Event = TypeVar("Event")

END = "[DONE]"


class StreamCut(Exception):
    """The connection ended before the stream did: what came so far is incomplete."""

    def __init__(self) -> None:
        super().__init__(f"The stream ended without {END}.")


def events(chunks: Iterable[bytes], parse: Callable[[str], Event]) -> Iterator[Event]:
    """Read the events of a stream until its end.

    Args:
        chunks: the body of an answer with the media type text/event-stream, in pieces of any size.
        parse: makes an event of its JSON.

    Raises:
        StreamCut: the body ends without the literal [DONE].
    """
    reader = _Reader()
    for chunk in chunks:
        for data in reader.feed(chunk):
            if data == END:
                return
            yield parse(data)
    raise StreamCut


async def events_async(chunks: AsyncIterable[bytes], parse: Callable[[str], Event]) -> AsyncIterator[Event]:
    """Read the events of a stream until its end; as `events`, for asynchronous clients."""
    reader = _Reader()
    async for chunk in chunks:
        for data in reader.feed(chunk):
            if data == END:
                return
            yield parse(data)
    raise StreamCut


@dataclass(frozen=True)
class UnknownEvent:
    """An event of a type that the client does not look for, or that is newer than the client."""

    type: str
    members: dict[str, Any]


def by_type(kinds: Mapping[str, Callable[[dict[str, Any]], Event]]) -> Callable[[str], Event | UnknownEvent]:
    """Make a parser for clients that have a class per event and none for their union.

    Args:
        kinds: `type` of an event -> the function that makes an event of its members.
    """

    def parse(data: str) -> Event | UnknownEvent:
        members: dict[str, Any] = json.loads(data)
        kind = kinds.get(members["type"])
        return UnknownEvent(members["type"], members) if kind is None else kind(members)

    return parse


class _Reader:
    """Finds the data of events in pieces of a body."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._rest = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the data of each event that a piece completes."""
        *lines, self._rest = (self._rest + self._decoder.decode(chunk)).split("\n")
        for line in lines:
            text = line.removesuffix("\r")
            if text.startswith("data:"):
                self._data.append(text.removeprefix("data:").removeprefix(" "))
            elif text == "" and self._data:
                yield "\n".join(self._data)
                self._data = []
