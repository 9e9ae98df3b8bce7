"""An upstream's answer read into a translator: told apart by its first bytes, every read one batch of events."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol, TypeVar

from wireloom.backends.http.client import Answer
from wireloom.errors import UNNAMED, UpstreamError
from wireloom.exchange import UPSTREAM, Exchange
from wireloom.wire.sse import EventReader, EventTooLarge, is_event_stream

T = TypeVar("T")

log = logging.getLogger("wireloom.tools")

# How long the end of the HTTP message may lag behind the end of the answer before the connection is given up.
LINGER_SECONDS = 0.25


class Report(Protocol):
    """What is to be known of an answer besides what the client is told."""

    @property
    def called(self) -> list[str]:
        """Names of the functions that were called, as upstream knows them."""
        ...

    @property
    def lost(self) -> list[str]:
        """What of the answer could not be told, in words for the log."""
        ...


class Reader(Report, Protocol):
    """A translator that takes the data of events."""

    @property
    def done(self) -> bool:
        """Whether the upstream said that nothing follows."""
        ...

    def feed(self, data: bytes) -> None:
        """Take the data of one event.

        Raises:
            UpstreamError: the upstream reports a failure, or this is no part of an answer.
        """
        ...


async def begun(answer: Answer, exchange: Exchange) -> tuple[bool, bytes, AsyncIterator[bytes]]:
    """The first read of an answer.

    Args:
        answer: the upstream's.
        exchange: where it is noted when it came.

    Returns:
        Whether it is a stream of events, what was read, and what brings the rest.

    Raises:
        UpstreamError: it is a page.
    """
    source = aiter(answer)
    chunk = await anext(source, b"")
    exchange.mark(UPSTREAM)
    streamed = is_event_stream(answer.content_type, chunk)
    if not streamed and chunk.lstrip()[:1] == b"<":
        raise UpstreamError(
            f"{UNNAMED} answered {answer.status} with HTML",
            hint="Is --upstream the base URL of its API?",
            answered=answer.status,
            code="upstream_invalid",
        )
    return streamed, chunk, source


class Writer(Protocol[T]):
    """What a reader speaks to."""

    def take(self) -> list[T]:
        """What was written since the last call."""
        ...


async def batches(
    chunk: bytes, source: AsyncIterator[bytes], reader: Reader, stream: Writer[T]
) -> AsyncGenerator[list[T], None]:
    """Feed a stream of events to a reader: what it tells of each read, as soon as there is something.

    Args:
        chunk: what was read already.
        source: what brings the rest.
        reader: the translator.
        stream: what it speaks to.
    """
    wire = EventReader()
    while chunk:
        _feed(reader, wire, chunk)
        if reader.done:
            break
        events = stream.take()
        if events:
            yield events
        chunk = await anext(source, b"")
    for data in wire.close():
        reader.feed(data)


def _feed(reader: Reader, wire: EventReader, chunk: bytes) -> None:
    try:
        for data in wire.feed(chunk):
            reader.feed(data)
    except EventTooLarge as error:
        raise UpstreamError(f"The upstream sent {error}.", code="upstream_invalid") from error


def report(reader: Report, request_id: str) -> None:
    """Log what an answer called, and what of it was lost."""
    log.debug("%s tools called %s", request_id, reader.called)
    for lost in reader.lost:
        log.warning("%s lost: %s", request_id, lost)
