"""A Chat request while it is made: parameters set as far as the upstream takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wireloom_protocol import responses as m

from wireloom.providers.profile import Profile, bounded
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json


@dataclass(slots=True)
class Draft:
    """A Chat request being made."""

    request: m.CreateResponse
    profile: Profile
    losses: Losses
    tools: Tools
    body: Json = field(default_factory=dict)
    instruction: str = ""
    """What the model is told besides the client's instructions."""

    def set(self, path: str, name: str, value: Any, severity: Severity = Severity.DEGRADING) -> None:
        """Set a Chat parameter as far as the upstream takes it."""
        profile = self.profile
        if name in profile.dropped:
            self.losses.add(path, "dropped", f"{profile.title} does not take it", severity)
        elif name in profile.pinned and profile.pinned[name] != value:
            self.losses.add(path, "dropped", f"{profile.title} takes only {profile.pinned[name]}", severity)
        else:
            self.body[name] = taken = bounded(name, value, profile.minimums, profile.maximums)
            if taken != value:
                self.losses.add(path, "changed", f"sent as {taken}", severity)
