"""An upstream's stream of events on its way to a reader, cut anywhere."""

import logging
from collections.abc import AsyncIterator

import pytest

from wireloom.backends.base import Caller
from wireloom.backends.http.answers import batches, report
from wireloom.errors import UpstreamError
from wireloom.wire.sse import MAX_EVENT_BYTES


class Echo:
    """A reader that repeats its input, and is done after `last`."""

    def __init__(self, last: bytes = b"") -> None:
        self.called = ["add"]
        self.lost = ["a source"]
        self.said: list[bytes] = []
        self.done = False
        self._last = last

    def feed(self, data: bytes) -> None:
        self.said.append(data)
        self.done = data == self._last

    def take(self) -> list[bytes]:
        said, self.said = self.said, []
        return said


async def reads(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def batched(reader: Echo, first: bytes, *rest: bytes) -> list[list[bytes]]:
    """Return the batches of a stream, and the rest at its end."""
    found = [batch async for batch in batches(first, reads(*rest), reader, reader)]
    return [*found, reader.take()]


async def test_each_read_is_a_batch_of_the_events_it_completes() -> None:
    found = await batched(Echo(), b"data: a\n\ndata: b\n\nda", b"ta: c", b"\n\ndata: d\n\n")
    assert found == [[b"a", b"b"], [b"c", b"d"], []]


async def test_an_event_without_a_blank_line_is_read_at_the_end() -> None:
    assert await batched(Echo(), b"data: a\n\n", b"data: b\n") == [[b"a"], [b"b"]]


async def test_nothing_is_read_after_the_last_event() -> None:
    assert await batched(Echo(b"a"), b"data: a\n\n", b"data: b\n\n") == [[b"a"]]
    assert await batched(Echo(), b"") == [[]]


async def test_an_event_without_an_end_is_an_error_of_the_upstream() -> None:
    with pytest.raises(UpstreamError, match=r"^The upstream sent .+\.$") as caught:
        await batched(Echo(), b"data: " + b"x" * (MAX_EVENT_BYTES + 1))
    assert caught.value.code == "upstream_invalid"


def test_called_tools_and_losses_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wireloom")
    report(Echo(), Caller("me", "req_1", False))
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.DEBUG, "req_1 tools called ['add']"),
        (logging.WARNING, "req_1 lost: a source"),
    ]
