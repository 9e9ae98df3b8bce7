"""The windows of an account's limits, as the Codex app-server tells of them and as HTTP headers do."""

from __future__ import annotations

from wireloom_protocol import app_server_hot as hot


def limit_headers(limits: hot.RateLimitSnapshot | None) -> dict[str, str]:
    """Headers such as `x-codex-primary-used-percent`; percent, minutes, and seconds since the epoch.

    Args:
        limits: the windows of the account, or None where the app-server has sent none.
    """
    if limits is None:
        return {}
    found: dict[str, str] = {}
    for name, window in (("primary", limits.primary), ("secondary", limits.secondary)):
        for ending, value in _members(window):
            if isinstance(value, int):
                found[f"x-codex-{name}-{ending}"] = str(value)
    return found


def _members(window: hot.RateLimitWindow | None) -> list[tuple[str, int | float | None]]:
    """The end of a header's name, as the service behind Codex has it, and the value."""
    if window is None:
        return []
    return [
        ("used-percent", window.usedPercent),
        ("window-minutes", window.windowDurationMins),
        ("reset-at", window.resetsAt),
    ]
