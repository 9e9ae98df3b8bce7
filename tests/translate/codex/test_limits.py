"""How much of an account's windows is used, in headers."""

from typing import Any

import pytest
from wireloom_protocol import app_server_hot as hot

from wireloom.translate.codex.limits import limit_headers
from wireloom.wire.lenient import Lenient


def read(value: Any) -> hot.RateLimitSnapshot | None:
    return Lenient(hot.RateLimitSnapshot).convert(value, [])


def test_both_windows() -> None:
    windows = {
        "primary": {"usedPercent": 40, "windowDurationMins": 300, "resetsAt": 1_700_000_000},
        "secondary": {"usedPercent": 7, "windowDurationMins": None, "resetsAt": None},
        "planType": "plus",
    }
    assert limit_headers(read(windows)) == {
        "x-codex-primary-used-percent": "40",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1700000000",
        "x-codex-secondary-used-percent": "7",
    }


@pytest.mark.parametrize(
    "odd", [{}, {"primary": None}, {"primary": 3}, {"primary": {"usedPercent": "40", "resetsAt": True}}]
)
def test_what_says_nothing(odd: Any) -> None:
    assert limit_headers(read(odd)) == {}
    assert limit_headers(None) == {}
