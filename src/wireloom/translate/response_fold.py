"""A stream of events reduced to the response it tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wireloom.translate.output_items import Event

TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})


def fold(events: Iterable[Event], response: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Reduce events to the final response.

    Args:
        events: some events of a stream, in order.
        response: what an earlier call returned for the events before these.

    Returns:
        The response of the terminal event, or None while there was none.
    """
    for event in events:
        if isinstance(event, dict) and event["type"] in TERMINAL:
            response = event["response"]
    return response
