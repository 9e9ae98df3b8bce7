"""Messages of the app-server, however their bytes arrive."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wireloom.wire.jsonrpc import Frame, FrameReader, decode, notification, refusal, request, result


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value, ensure_ascii=False).encode())


NEWS = {"method": "turn/started", "params": {"threadId": "t"}, "emittedAtMs": 1}
MESSAGES = [NEWS, {"id": 1, "result": {"a": "\u2028"}}, {"id": "x", "method": "item/tool/call", "params": {}}]
FRAMES = [
    Frame(method="turn/started", params=raw({"threadId": "t"})),
    Frame(id=1, result=raw({"a": "\u2028"})),
    Frame(id="x", method="item/tool/call", params=raw({})),
]


def lines(*messages: object) -> bytes:
    return b"".join(json.dumps(message, ensure_ascii=False).encode() + b"\n" for message in messages)


@given(st.lists(st.integers(0, 200), max_size=12))
def test_messages_are_the_same_wherever_reads_end(cuts: list[int]) -> None:
    data = lines(*MESSAGES)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    reader, found = FrameReader(), []
    for start, end in zip(places, places[1:], strict=False):
        found += reader.feed(data[start:end])
    assert found == FRAMES
    assert reader.garbage == 0


def test_a_line_of_any_length_is_one_message() -> None:
    text = "x" * 10_000_000
    data = lines({"method": "m", "params": {"delta": text}}, NEWS)
    reader, found = FrameReader(), []
    for start in range(0, len(data), 2**16):
        found += reader.feed(data[start : start + 2**16])
    assert [frame.method for frame in found] == ["m", "turn/started"]
    assert json.loads(bytes(found[0].params)) == {"delta": text}


@pytest.mark.parametrize(
    "garbage", [b"thread panicked", b"{", b"[]", b'{"method": 3}', b'"x"', b"\xff\xfe", b"[" * 5000, b"{}"]
)
def test_what_is_no_message_is_passed_over(garbage: bytes) -> None:
    reader = FrameReader()
    assert reader.feed(garbage + b"\n\r\n\n" + lines(NEWS)) == FRAMES[:1]
    assert reader.garbage == 1


def test_what_is_written_has_no_version_and_no_line_end() -> None:
    written = [
        request(7, "thread/start", {"cwd": "/"}),
        notification("initialized"),
        result("a", {"success": True}),
        refusal(0, "no"),
    ]
    assert [json.loads(each) for each in written] == [
        {"id": 7, "method": "thread/start", "params": {"cwd": "/"}},
        {"method": "initialized"},
        {"id": "a", "result": {"success": True}},
        {"id": 0, "error": {"code": -32601, "message": "no"}},
    ]
    assert all(b"\n" not in each for each in written)
    asked = decode(written[0])
    assert asked is not None
    assert (asked.id, asked.method, json.loads(bytes(asked.params))) == (7, "thread/start", {"cwd": "/"})
