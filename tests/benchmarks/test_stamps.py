"""The stamps by which the benchmark counts and times tokens in any protocol's bytes."""

import json

import pytest

from benchmarks.payloads import long_request, short_request, whole_stream
from benchmarks.stamps import StampReader, stamp


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_every_stamp_is_found_once_however_the_bytes_are_cut(size: int) -> None:
    stream = whole_stream(200)
    reader = StampReader()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [number for piece in pieces for number in reader.feed(piece)] == list(range(200))
    assert reader.count == 200


def test_a_repeated_text_is_not_counted_again() -> None:
    reader = StampReader()
    text = "".join(stamp(number) for number in (5, 900, 10**12)).encode()
    assert reader.feed(text) == [5, 900, 10**12]
    assert reader.feed(b'{"type":"response.completed","text":"' + text + b'"}') == []


def test_requests_have_the_promised_size_and_shape() -> None:
    assert len(short_request("m")) == 4_700
    body = long_request("m")
    items = json.loads(body)["input"]
    kinds = [item["type"] for item in items]
    assert len(body) == 200_000
    assert kinds[:4] == ["message", "function_call", "function_call_output", "message"]
    assert len(items) == 400
    assert items[-1]["role"] == "user"
