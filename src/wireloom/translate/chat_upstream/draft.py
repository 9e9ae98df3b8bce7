"""A Chat request while it is made: parameters set as far as the upstream takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from wireloom_protocol import responses as m

from wireloom.providers.bounds import bounded
from wireloom.providers.profile import Profile
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json

SCHEMA = "Answer with nothing but a JSON value, without a code fence, that fits this JSON schema"


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
        put(self.body, self.profile, self.losses, name, value, path=path, severity=severity)


def put(
    body: Json,
    profile: Profile,
    losses: Losses,
    name: str,
    value: Any,
    *,
    path: str,
    severity: Severity = Severity.DEGRADING,
) -> None:
    """Set a parameter of a Chat request as far as the upstream takes it; the body has none of that name.

    Args:
        body: the request.
        profile: what the upstream takes.
        losses: where another value, or none, is noted.
        name: of the parameter.
        value: as the client gave it.
        path: where the client gave it.
        severity: what it means for the answer.

    Raises:
        InvalidRequest: a loss of weight under `strict`.
    """
    if name in profile.dropped:
        losses.add(path, "dropped", f"{profile.title} does not take it", severity)
    elif name in profile.pinned and profile.pinned[name] != value:
        losses.add(path, "dropped", f"{profile.title} takes only {profile.pinned[name]}", severity)
    else:
        body[name] = taken = bounded(name, value, profile.minimums, profile.maximums)
        if taken != value:
            losses.add(path, "changed", f"sent as {taken}", severity)


def schema_in_words(schema: Json, description: str | None) -> str:
    """An instruction to answer in JSON of a schema, for an upstream that cannot be given one."""
    told = f"{SCHEMA} ({description})" if description else SCHEMA
    return f"{told}:\n{msgspec.json.encode(schema).decode()}"
