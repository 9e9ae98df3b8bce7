"""The limits of a store: time, sessions, bytes."""

import pytest

from wireloom.history.budget import Budget


@pytest.mark.parametrize(
    ("ttl_seconds", "now", "expired"),
    [(10, 109.0, False), (10, 110.0, False), (10, 110.5, True), (0, 1e9, False)],
)
def test_a_session_expires_after_its_time(ttl_seconds: float, now: float, expired: bool) -> None:
    assert Budget(ttl_seconds, None, None).expired(100.0, now) is expired
