"""What is noted of a request, and what comes of the notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from wireloom import exchange as e
from wireloom.exchange import Exchange


class Told:
    """An answer as far as an exchange looks at one."""

    def __init__(self, status: str, usage: Any = None, *, spoke: bool = True) -> None:
        self.has_output = spoke
        self.response = {"status": status, "usage": usage}


def ticking() -> Iterator[float]:
    yield from (float(second) for second in range(100))


def noted(*moments: str) -> Exchange:
    exchange = Exchange("req_1", ticking().__next__)
    for moment in moments:
        exchange.mark(moment)
    return exchange


def test_phases_are_the_times_between_moments() -> None:
    exchange = noted(e.READ, e.QUEUED, e.ADMITTED, e.UPSTREAM, e.FIRST_EVENT, e.FIRST_CONTENT, e.ENDED)
    assert exchange.seconds() == {
        "read": 1,
        "translate": 1,
        "queue": 1,
        "upstream_first_byte": 1,
        "first_event": 5,
        "first_content": 6,
        "total": 7,
    }


def test_a_phase_that_was_not_reached_is_not_told() -> None:
    assert noted(e.UPSTREAM, e.ENDED).seconds() == {"total": 2}


def test_the_first_time_counts() -> None:
    assert noted(e.READ, e.READ).seconds() == {"read": 1}


def test_silence_is_no_content() -> None:
    exchange = noted()
    exchange.answer = Told("in_progress", spoke=False)
    exchange.spoken()
    assert exchange.seconds() == {}
    exchange.answer = Told("in_progress")
    exchange.spoken()
    assert exchange.seconds() == {"first_content": 1}


@pytest.mark.parametrize(
    ("notes", "outcome"),
    [
        ({"status": 200}, "ok"),
        ({"status": 200, "answer": Told("completed")}, "ok"),
        ({"status": 200, "answer": Told("incomplete")}, "incomplete"),
        ({"status": 200, "answer": Told("failed")}, "failed"),
        ({"status": 200, "error": "upstream_error", "answer": Told("failed")}, "failed"),
        ({"status": 400, "error": "invalid_value"}, "refused"),
        ({"status": 503}, "failed"),
        ({}, "failed"),
        ({"status": 200, "left": True}, "client_gone"),
    ],
)
def test_outcomes(notes: dict[str, Any], outcome: str) -> None:
    exchange = noted()
    for name, value in notes.items():
        setattr(exchange, name, value)
    assert exchange.outcome == outcome


def test_tokens() -> None:
    exchange = noted()
    assert exchange.tokens == {}
    exchange.answer = Told("completed")
    assert exchange.tokens == {}
    exchange.answer = Told("completed", {"input_tokens": 3, "output_tokens": None})
    assert exchange.tokens == {"input": 3, "cached": 0, "output": 0, "reasoning": 0}
