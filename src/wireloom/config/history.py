"""Where responses and conversations are stored, and how much of them."""

import os
from pathlib import Path
from typing import TypedDict

from wireloom.config import Settings, state_folder

_SESSIONS_IN_MEMORY = 256


class Limits(TypedDict):
    """What a store takes as its limits: seconds, sessions and bytes."""

    ttl_seconds: float
    max_sessions: int | None
    max_bytes: int | None


def history_file(settings: Settings) -> Path | None:
    """Return the file of these settings, or None when everything stays in memory."""
    chosen = settings.history or ("memory" if settings.backend == "demo" else "sqlite")
    kind, _, path = chosen.partition(":")
    if kind == "memory":
        return None
    return Path(os.path.expanduser(path)) if path else state_folder() / "history.sqlite3"


def history_limits(settings: Settings) -> Limits:
    """Return the limits of these settings."""
    in_memory = _SESSIONS_IN_MEMORY if history_file(settings) is None else None
    return Limits(
        ttl_seconds=settings.session_ttl_hours * 3600,
        max_sessions=settings.max_sessions or in_memory,
        max_bytes=settings.max_session_memory_mb * 2**20,
    )
