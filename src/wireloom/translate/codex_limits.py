"""The windows of an account's limits, as the Codex app-server tells of them and as HTTP headers do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WINDOWS = ("primary", "secondary")
# Member of a window -> the end of the header's name, as the service behind Codex has it.
MEMBERS: Mapping[str, str] = {
    "usedPercent": "used-percent",
    "windowDurationMins": "window-minutes",
    "resetsAt": "reset-at",
}


def limit_headers(limits: Mapping[str, Any] | None) -> dict[str, str]:
    """Headers such as `x-codex-primary-used-percent`; percent, minutes, and seconds since the epoch.

    Args:
        limits: a `RateLimitSnapshot` of the app-server, or None.
    """
    known: Mapping[str, Any] = limits or {}
    found = {}
    for name in WINDOWS:
        window = known.get(name)
        for member, ending in MEMBERS.items() if isinstance(window, dict) else ():
            value = window.get(member) if isinstance(window, dict) else None
            if isinstance(value, int) and not isinstance(value, bool):
                found[f"x-codex-{name}-{ending}"] = str(value)
    return found
