"""The messages of a Chat request while they are corrected, and the changes noted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wireloom.providers.profile import Profile
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.wire.json import Json


@dataclass(slots=True)
class Entry:
    """A message, and the index of the one in the request that it was made of."""

    at: int
    message: Json

    @property
    def role(self) -> Any:
        """The message's role."""
        return self.message.get("role")


class Work:
    """The messages of one request while they are corrected.

    Args:
        messages: of the request.
        profile: what the upstream takes.
        losses: where each change is noted.
        place: the path of a message in the client's request, by its index.
    """

    def __init__(
        self, messages: Sequence[Json], profile: Profile, losses: Losses, place: Callable[[int], str]
    ) -> None:
        self.entries = [Entry(at, message) for at, message in enumerate(messages)]
        self.profile = profile
        self._losses = losses
        self._place = place
        self._noted: set[tuple[str, str]] = set()

    @property
    def messages(self) -> list[Json]:
        """The messages as they are now."""
        return [entry.message for entry in self.entries]

    def note(
        self,
        at: int,
        reason: str,
        *,
        action: str = "changed",
        member: str = "",
        severity: Severity = Severity.IMMATERIAL,
    ) -> None:
        """Note a change, once for each place."""
        path = f"{self._place(at)}{member}"
        if (path, reason) not in self._noted:
            self._noted.add((path, reason))
            self._losses.add(path, action, reason, severity)
