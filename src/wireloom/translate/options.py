"""The gateway's settings that every translation of a request reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Unseal: TypeAlias = Callable[[str, str], Any]
"""Purpose and sealed text -> the value in it, or None if it was not sealed here for this principal."""


@dataclass(frozen=True, slots=True)
class Options:
    """The gateway's settings for one request.

    Args:
        model: the model's name upstream.
        lenient: drop tools of an unknown kind (the Codex CLI adds kinds with each release).
        denied_tools: names of tools that are never offered.
        extra_params: members that go into every request and override the client's.
        drop_params: members that never go upstream.
        unseal: opens sealed values that a client sends back.
        recalled: how many of the input's items come from history.
    """

    model: str
    lenient: bool = False
    denied_tools: frozenset[str] = frozenset()
    extra_params: Mapping[str, Any] = field(default_factory=dict)
    drop_params: frozenset[str] = frozenset()
    unseal: Unseal = lambda *_: None
    recalled: int = 0
