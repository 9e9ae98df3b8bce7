"""How long sessions are kept, how many of them, and how much: shared by the stores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from wireloom.history.base import Full

Session = TypeVar("Session")


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of a store.

    Args:
        ttl_seconds: how long a session is kept after its last use; 0 is no limit.
        max_sessions: sessions at most, or None.
        max_bytes: bytes of stored JSON at most, or None.
    """

    ttl_seconds: float
    max_sessions: int | None
    max_bytes: int | None

    def expired(self, used: float, now: float) -> bool:
        """Whether a session that was last used then is past its time."""
        return self.ttl_seconds > 0 and now - used > self.ttl_seconds

    def evicted(
        self, sessions: int, size: int, own: int, others: Iterable[tuple[Session, int]]
    ) -> list[Session]:
        """Choose the sessions that make room for what is to be stored.

        Args:
            sessions: how many there would be.
            size: bytes that all would hold together.
            own: bytes that the session which grows would hold.
            others: sessions that may go, with their bytes, the least recently used first.

        Raises:
            Full: there is no room even without them.
        """
        if self.max_bytes is not None and own > self.max_bytes:
            raise Full(
                f"The conversation would need more than the {self.max_bytes:,} bytes there are for all."
            )
        chosen: list[Session] = []
        remaining = iter(others)
        while self._exceeded(sessions, size):
            if (other := next(remaining, None)) is None:
                raise Full("The history is full, and every conversation in it is in use.")
            chosen.append(other[0])
            sessions -= 1
            size -= other[1]
        return chosen

    def _exceeded(self, sessions: int, size: int) -> bool:
        return (self.max_sessions is not None and sessions > self.max_sessions) or (
            self.max_bytes is not None and size > self.max_bytes
        )
