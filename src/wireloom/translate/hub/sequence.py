"""The events of one response: numbered without a gap, and held until they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from wireloom_protocol import hot, replies

Event: TypeAlias = "replies.ResponseStreamEvent | hot.HotEvent"


class EventSequence:
    """Numbers and collects events.

    Attributes:
        events: those that `take` has not returned yet.
        number: sequence number of the next event.
    """

    __slots__ = ("events", "number")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.number = 0

    def emit(self, kind: str, **fields: Any) -> None:
        """Add an event of a type, with its members; transcripts hold each type to the contract."""
        event: Any = {"type": kind, "sequence_number": self.number, **fields}
        self.add(event)

    def add(self, event: Event) -> None:
        """Add an event that has its number already."""
        self.events.append(event)
        self.number += 1

    def take(self) -> list[Event]:
        """Return the events since the last call."""
        events, self.events = self.events, []
        return events
