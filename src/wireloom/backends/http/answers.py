"""An upstream's answer read into a translator: told apart by its first bytes, every read one batch of events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol, TypeVar

from wireloom.backends.base import Caller
from wireloom.backends.http.client import MAX_ANSWER_BYTES, Answer
from wireloom.errors import UNNAMED, UpstreamError
from wireloom.exchange import UPSTREAM, Exchange
from wireloom.translate.failures import form
from wireloom.translate.responses_upstream.reader import ResponsesReader
from wireloom.translate.responses_upstream.relay import ResponseRelay
from wireloom.wire.sse import EventReader, EventTooLarge, is_event_stream
from wireloom.wire.surrogates import Halves

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
            f"{UNNAMED} answered {answer.status} {form(chunk, answer.content_type)}",
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
    wire, halves = EventReader(), Halves()
    # To these the reason of a failure may come after the failure.
    late = reader if isinstance(reader, ResponsesReader | ResponseRelay) else None
    while chunk:
        _feed(reader, _events(wire, chunk), halves)
        if reader.done:
            break
        events = stream.take()
        if events:
            yield events
        chunk = await (_soon(source) if late and late.failing else anext(source, b""))
    _feed(reader, wire.close(), halves)
    for data in halves.rest():
        reader.feed(data)
    reader.lost.extend(halves.lost)


def _feed(reader: Reader, events: list[bytes], halves: Halves) -> None:
    for data in events:
        if halves.held or b"\\" in data:
            for each in halves.mended(data):
                reader.feed(each)
        else:
            reader.feed(data)


def _events(wire: EventReader, chunk: bytes) -> list[bytes]:
    try:
        return wire.feed(chunk)
    except EventTooLarge as error:
        raise UpstreamError(f"The upstream sent {error}.", code="upstream_invalid") from error


async def _soon(source: AsyncIterator[bytes]) -> bytes:
    """What follows a failure at once, such as its reason; nothing where the upstream keeps still."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            return await anext(source, b"")
    except TimeoutError:
        return b""


async def read_whole(answer: Answer, chunk: bytes, source: AsyncIterator[bytes], lost: list[str]) -> bytes:
    """An answer that is not streamed.

    Args:
        answer: the upstream's.
        chunk: what was read already.
        source: what brings the rest.
        lost: takes what of it could not be kept, in words for the log.

    Raises:
        UpstreamError: it is too large.
    """
    halves = Halves()
    data = halves.whole(await answer.read(MAX_ANSWER_BYTES, chunk, source))
    lost.extend(halves.lost)
    return data


def report(reader: Report, caller: Caller) -> None:
    """Log what an answer called, and what of it was lost; an answer in one piece has the same in a header.

    Args:
        reader: of the answer.
        caller: who asked.
    """
    log.debug("%s tools called %s", caller.request_id, reader.called)
    caller.exchange.lost_of_answer += reader.lost
    for lost in reader.lost:
        log.warning("%s lost: %s", caller.request_id, lost)
