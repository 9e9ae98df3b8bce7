"""Event streams are read as the specification frames them, however they are cut, and written in one plain form."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wireloom_protocol import hot

from tests.support import cuts
from wireloom.wire import sse
from wireloom.wire.sse import BOM, COMMENT, DONE_EVENT, EventReader, EventTooLarge, FailureData, encode

FRAMES: dict[str, tuple[bytes, list[bytes]]] = {
    "nothing": (b"", []),
    "line feeds": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "carriage returns and line feeds": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "mixed line ends": (b"data: a\r\n\ndata: b\n\rdata: c\r\r\n", [b"a", b"b", b"c"]),
    "carriage return, then two line feeds": (b"data: a\r\n\ndata: b\r\n\n", [b"a", b"b"]),
    "byte order mark": (BOM + b"data: a\n\n", [b"a"]),
    "byte order mark and carriage returns": (BOM + b"data: a\r\n\r\n", [b"a"]),
    "byte order mark within the data": (b"data: " + BOM + b"\n\n", [BOM]),
    "nothing but a byte order mark": (BOM, []),
    "comments": (COMMENT + b":\n\n: c\ndata: a\n: c\n\n", [b"a"]),
    "comments without empty lines": (b": one\n: two\ndata: a\n\n", [b"a"]),
    "data of several lines": (b"data: a\ndata:  b\ndata:\ndata: c\n\n", [b"a\n b\n\nc"]),
    "no space after the colon": (b"data:a\n\ndata:{}\n\n", [b"a", b"{}"]),
    "one space is the separator": (b"data:  a \n\n", [b" a "]),
    "other fields": (b"id: 1\nevent: x\ndata: a\nretry: 5\nfoo\ndatax: b\n\n", [b"a"]),
    "other fields alone": (b"event: ping\n\nid: 7\n\ndata: a\n\n", [b"a"]),
    "colons within the data": (b"data: data: a\n\n", [b"data: a"]),
    "many empty lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [b"a", b"b"]),
    "empty data": (b"data:\n\ndata: \n\n", [b"", b""]),
    "no empty line at the end": (b"data: a\n\ndata: b\n", [b"a", b"b"]),
    "no line end at the end": (b"data: a\n\ndata: b", [b"a", b"b"]),
    "carriage return at the end": (b"data: a\r\rdata: b\r", [b"a", b"b"]),
    "several lines without an end": (b"data: a\ndata: b", [b"a\nb"]),
    "a comment at the end": (b"data: a\n\n: bye", [b"a"]),
    "separators of other tongues": (
        "data: a\u2028b\x85\x0b\x0c\n\n".encode(),
        ["a\u2028b\x85\x0b\x0c".encode()],
    ),
}


def read(pieces: list[bytes]) -> list[bytes]:
    reader = EventReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.close()


@pytest.mark.parametrize("name", FRAMES)
def test_framing(name: str) -> None:
    stream, events = FRAMES[name]
    assert read([stream]) == events
    assert read(cuts.singly(stream)) == events
    for position in range(len(stream) + 1):
        assert read([stream[:position], b"", stream[position:]]) == events


lines = st.sampled_from([b"data: a", b"data:b", b"data", b": c", b"event: x", b"data: \xc3\xa9", b"id", b""])
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
streams = st.builds(
    lambda mark, written: mark + b"".join(line + end for line, end in written),
    st.sampled_from([b"", BOM]),
    st.lists(st.tuples(lines, ends), max_size=20),
)


@settings(max_examples=200, deadline=None)
@given(streams.flatmap(lambda stream: st.tuples(st.just(stream), cuts.anywhere(stream))))
def test_no_cut_changes_the_events(case: tuple[bytes, list[bytes]]) -> None:
    stream, pieces = case
    assert read(pieces) == read([stream])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=20).map(str.encode), max_size=8), ends)
def test_what_is_framed_is_read(payloads: list[bytes], end: bytes) -> None:
    payloads = [b"\n".join(payload.splitlines()) for payload in payloads]
    frames = [end.join([b"data: " + line for line in payload.split(b"\n")]) + end * 2 for payload in payloads]
    assert read([b"".join(frames)]) == payloads


def test_an_event_is_there_as_soon_as_its_empty_line_is() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\ndata: b") == [b"a"]
    assert reader.feed(b"\r\n\r") == [b"b"]
    assert reader.close() == []


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: ", *[b"x" * 10] * 30],
        [b": ", *[b"x" * 10] * 30],
        [b"event: x\ndata: ", *[b"x" * 10] * 30],
        [b"data: a\n\ndata: ", *[b"x" * 10] * 30],
        [b"data: xxxx\n"] * 30,
        [b"data: xxxx\r"] * 30,
    ],
)
def test_an_event_without_an_end_is_too_large(monkeypatch: pytest.MonkeyPatch, pieces: list[bytes]) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    with pytest.raises(EventTooLarge, match="an event of more than 100 bytes"):
        read(pieces)
    read(pieces[:5])


def test_many_events_are_never_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    reader = EventReader()
    events = [event for _ in range(30) for event in reader.feed(b"data: " + b"x" * 80 + b"\n\n")]
    assert events == [b"x" * 80] * 30


# -- writing -------------------------------------------------------------------------------------------------------

TEXT = 'a\nb\r\u2028 "é" \x00'


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        ({"type": "error", "message": TEXT}, b"error", {"type": "error", "message": TEXT}),
        (
            hot.ResponseRefusalDeltaEvent("msg_1", 0, 1, TEXT, 7),
            b"response.refusal.delta",
            {
                "type": "response.refusal.delta",
                "item_id": "msg_1",
                "output_index": 0,
                "content_index": 1,
                "delta": TEXT,
                "sequence_number": 7,
            },
        ),
    ],
)
def test_an_event_is_written_under_its_name(event: Any, name: bytes, data: Any) -> None:
    written = encode([event])
    head, body, *rest = written.split(b"\n")
    assert (head, rest) == (b"event: " + name, [b"", b""])
    assert body.startswith(b"data: {")
    assert json.loads(body.removeprefix(b"data: ")) == data
    assert encode([event, event]) == written * 2


def test_no_events_are_no_bytes() -> None:
    assert encode([]) == b""


def test_the_end_is_an_event_and_a_sign_of_life_is_none() -> None:
    assert read([COMMENT + DONE_EVENT + COMMENT]) == [b"[DONE]"]


@pytest.mark.parametrize(
    ("block", "data"),
    [
        (b'event: error\ndata: {"message":"no"}', b'{"message":"no"}'),
        (b"event:error\ndata:no", b"no"),
        (b"data: no\nevent: exception", b"no"),
        (b"event: error", b""),
        (b'error: {"code":500}', b'{"code":500}'),
        (b'{"error": {"message": "no"}}', b'{"error": {"message": "no"}}'),
    ],
)
def test_a_failure_is_told_from_an_event(block: bytes, data: bytes) -> None:
    (first, failure, last) = EventReader().feed(b"data: a\n\n" + block + b"\n\ndata: b\n\n")
    assert (first, failure, last) == (b"a", data, b"b")
    assert isinstance(failure, FailureData)
    assert type(first) is type(last) is bytes


@pytest.mark.parametrize(
    "block",
    [
        b'event: response.created\ndata: {"error":null}',
        b"event: errors\ndata: x",
        b"id: error\ndata: x",
        b"data: event: error",
    ],
)
def test_an_event_with_the_word_alone_is_no_failure(block: bytes) -> None:
    (data,) = EventReader().feed(b": comment\n" + block + b"\n\n")
    assert type(data) is bytes


@pytest.mark.parametrize("block", [b": error", b'{"message": "no"}', b"error", b"errors: no"])
def test_what_has_no_data_and_is_no_failure_is_nothing(block: bytes) -> None:
    assert [each for each in EventReader().feed(b"id: 1\n\n" + block + b"\n\n") if each.strip()] == []
