"""What enters a stream beside its grammar: events of another upstream, heartbeats, another backend that takes over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wireloom.translate.hub.endings import TERMINAL
from wireloom.translate.hub.stream import ResponseStream
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies

RESPONSE_EVENTS = TERMINAL | {"response.created", "response.queued", "response.in_progress"}
"""Types of the events that hold a whole response."""


def relay(stream: ResponseStream, event: Any) -> None:
    """Pass on an event of an upstream whose streams are whole; only its number is the stream's own.

    Args:
        stream: the response. A response in the event becomes this stream's; with the last one the stream ends.
        event: JSON of any type; the upstream answers for its members.
    """
    if stream.ended:
        return
    stream.started = True
    kind, response, item = event["type"], event.get("response"), event.get("item")
    if isinstance(response, dict) and kind in RESPONSE_EVENTS:
        stream.ended = kind in TERMINAL
        output = response.get("output") if stream.ended else None
        _restate(stream, response, output if isinstance(output, list) else stream.output)
        # Later events change the response, so an event before the last one keeps a copy of it.
        event["response"] = stream.response if stream.ended else stream.snapshot()
    else:
        stream.relayed = True
        if kind == "response.output_item.done" and isinstance(item, dict):
            stream.output.append(item)
    event["sequence_number"] = stream.sequence.number
    stream.sequence.add(event)


def heartbeat(stream: ResponseStream) -> None:
    """Emit an event which shows that the response is still being made."""
    if stream.started and not stream.ended:
        stream.sequence.emit("response.in_progress", response=stream.snapshot())
    else:
        stream.start()


def take_over(stream: ResponseStream, response: replies.Response, seal: Callable[[Json], str]) -> None:
    """Let another backend answer, if the first has emitted nothing.

    Args:
        stream: the response.
        response: its members at its start, over those that the first backend may have changed.
        seal: see `ResponseStream`.
    """
    _restate(stream, response, stream.output)
    stream.seal = seal


def _restate(stream: ResponseStream, response: Any, output: list[Json]) -> None:
    """Give the response other members; it stays the same object, because others hold it."""
    members: Any = stream.response
    members.clear()
    members.update(response, output=output)
