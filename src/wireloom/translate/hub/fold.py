"""A stream of events reduced to the response it tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wireloom.translate.hub.sequence import Event

if TYPE_CHECKING:
    from wireloom_protocol import replies


def fold(events: Iterable[Event], response: replies.Response | None = None) -> replies.Response | None:
    """Reduce events to the final response.

    Args:
        events: some events of a stream, in order.
        response: what an earlier call returned for the events before these.

    Returns:
        The response of the terminal event, or None while there was none.
    """
    for event in events:
        # Compared word by word: that is how a type checker finds the events with a response.
        if isinstance(event, dict) and (
            event["type"] == "response.completed"
            or event["type"] == "response.incomplete"
            or event["type"] == "response.failed"
        ):
            response = event["response"]
    return response
