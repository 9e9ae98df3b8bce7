"""The Python recipe for streams: any pieces, any line ends, typed events, no silent end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from docs.recipes.events import StreamCut, UnknownEvent, by_type, events, events_async
from tests.docs.stream_cases import CASES, CUTS, pieces


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("name", CASES)
def test_events_of_any_pieces(name: str, size: int) -> None:
    stream, wanted = CASES[name]
    assert list(events(pieces(stream, size), json.loads)) == wanted


@pytest.mark.parametrize("name", CUTS)
def test_a_stream_that_breaks_off_is_no_end(name: str) -> None:
    stream, wanted = CUTS[name]
    seen: list[Any] = []
    with pytest.raises(StreamCut, match=r"The stream ended without \[DONE\]\."):
        seen.extend(events(pieces(stream, 5), json.loads))
    found: list[Any] = []
    iterator = events(pieces(stream, 5), json.loads)
    with pytest.raises(StreamCut):
        for event in iterator:
            found.append(event)
    assert found == wanted


def test_nothing_is_read_after_the_end() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"data: 1\n\ndata: [DONE]\n\n"
        raise AssertionError("a piece after the end was read")

    assert list(events(chunks(), json.loads)) == [1]


def test_asynchronous_streams() -> None:
    async def chunks(stream: bytes) -> AsyncIterator[bytes]:
        for piece in pieces(stream, 3):
            yield piece

    async def read(stream: bytes) -> list[Any]:
        return [event async for event in events_async(chunks(stream), json.loads)]

    for stream, wanted in CASES.values():
        assert asyncio.run(read(stream)) == wanted
    with pytest.raises(StreamCut):
        asyncio.run(read(b"data: 1\n\n"))


DELTA = {
    "type": "response.output_text.delta",
    "item_id": "msg_1",
    "output_index": 0,
    "content_index": 0,
    "delta": "hello",
    "sequence_number": 4,
    "logprobs": [],
}


def test_events_have_the_types_of_the_client() -> None:
    adapter: TypeAdapter[m.ResponseStreamEvent] = TypeAdapter(m.ResponseStreamEvent)
    stream = f"data: {json.dumps(DELTA)}\n\ndata: [DONE]\n\n".encode()
    (event,) = events([stream], adapter.validate_json)
    assert isinstance(event, m.ResponseTextDeltaEvent)
    assert event.delta == "hello"


def test_events_by_type() -> None:
    parse = by_type({"response.output_text.delta": m.ResponseTextDeltaEvent.model_validate})
    event = parse(json.dumps(DELTA))
    assert isinstance(event, m.ResponseTextDeltaEvent)
    other = {"type": "response.new", "sequence_number": 5}
    assert parse(json.dumps(other)) == UnknownEvent("response.new", other)
