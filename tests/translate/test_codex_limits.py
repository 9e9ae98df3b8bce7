"""How much of an account's windows is used, in headers."""

from typing import Any

import pytest

from wireloom.translate.codex_limits import limit_headers


def test_both_windows() -> None:
    windows = {
        "primary": {"usedPercent": 40, "windowDurationMins": 300, "resetsAt": 1_700_000_000},
        "secondary": {"usedPercent": 7, "windowDurationMins": None, "resetsAt": None},
        "planType": "plus",
    }
    assert limit_headers(windows) == {
        "x-codex-primary-used-percent": "40",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1700000000",
        "x-codex-secondary-used-percent": "7",
    }


@pytest.mark.parametrize(
    "odd", [None, {}, {"primary": None}, {"primary": 3}, {"primary": {"usedPercent": "40", "resetsAt": True}}]
)
def test_what_says_nothing(odd: Any) -> None:
    assert limit_headers(odd) == {}
