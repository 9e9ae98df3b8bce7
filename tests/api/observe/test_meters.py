"""The counters of the gateway, as Prometheus and as JSON, after requests that ended in known ways."""

from __future__ import annotations

import itertools
import re
from importlib.metadata import version
from typing import Any

from wireloom.api.observe.meters import Meters
from wireloom.exchange import (
    ADMITTED,
    ENDED,
    FIRST_CONTENT,
    FIRST_EVENT,
    QUEUED,
    READ,
    UPSTREAM,
    Exchange,
)


class Answered:
    """An answer with its usage."""

    has_output = True
    response: dict[str, Any] = {  # noqa: RUF012 - the protocol of an answer has no class variables
        "status": "completed",
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 2},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 1},
        },
    }


def exchange(operation: str, status: int, *moments: str) -> Exchange:
    """A request whose moments are a second apart."""
    seconds = itertools.count()
    made = Exchange("req_1", lambda: float(next(seconds)))
    made.operation, made.status = operation, status
    for moment in moments:
        made.mark(moment)
    return made


def meters(backend: str = "a, app-server") -> Meters:
    """Return the counters after five requests, of which one has not ended."""
    counting = Meters(backend, lambda: {"x-codex-primary-used-percent": "12"})
    for _ in range(5):
        counting.begun()
    whole = exchange(
        "createResponse", 200, READ, QUEUED, ADMITTED, UPSTREAM, FIRST_EVENT, FIRST_CONTENT, ENDED
    )
    whole.answer, whole.passed_over = Answered(), ["y", "z"]
    whole.ask("x", "m")
    whole.mark(UPSTREAM)
    counting.ended(whole)
    counting.ended(exchange("", 404))
    for _ in range(2):
        counting.ended(exchange("createResponse", 502))
    return counting


PHASES = {
    "request": 7,
    "translate": 1,
    "queue": 1,
    "upstream_first_byte": 1,
    "first_event": 5,
    "first_content": 6,
}
"""Phase -> how long it took in seconds."""


def test_every_metric_has_its_name_and_labels() -> None:
    text = meters().text()
    lines = {line for line in text.splitlines() if not line.startswith("#")}
    result = {line for line in lines if "_bucket{" not in line and "_created" not in line}
    assert result == {
        f'wireloom_info{{backend="a, app-server",version="{version("wireloom")}"}} 1.0',
        "wireloom_requests_open 1.0",
        'wireloom_requests_total{operation="createResponse",outcome="ok",status="200"} 1.0',
        'wireloom_requests_total{operation="none",outcome="refused",status="404"} 1.0',
        'wireloom_requests_total{operation="createResponse",outcome="failed",status="502"} 2.0',
        'wireloom_backend_requests_total{backend="x",outcome="ok"} 1.0',
        'wireloom_backend_passed_over_total{backend="y"} 1.0',
        'wireloom_backend_passed_over_total{backend="z"} 1.0',
        'wireloom_tokens_total{kind="input"} 7.0',
        'wireloom_tokens_total{kind="cached"} 2.0',
        'wireloom_tokens_total{kind="output"} 5.0',
        'wireloom_tokens_total{kind="reasoning"} 1.0',
        "wireloom_account_window_primary_used_percent 12.0",
        *(f'wireloom_{name}_seconds_count{{operation="createResponse"}} 1.0' for name in PHASES),
        *(
            f'wireloom_{name}_seconds_sum{{operation="createResponse"}} {seconds}.0'
            for name, seconds in PHASES.items()
        ),
    }


def test_a_time_is_counted_in_steps_from_milliseconds_to_minutes() -> None:
    text = meters().text()
    found = re.findall(r'wireloom_queue_seconds_bucket\{le="([^"]+)",operation="createResponse"\} (\d)', text)
    short = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5")
    long = ("1.0", "2.5", "5.0", "10.0", "30.0", "60.0", "120.0", "300.0", "600.0", "+Inf")
    assert found == [*((step, "0") for step in short), *((step, "1") for step in long)]


def test_the_same_numbers_are_sums_in_json() -> None:
    counters = dict(meters().counters())
    uptime = counters.pop("uptime_seconds")
    assert isinstance(uptime, float)
    assert 0 <= uptime < 60
    assert round(uptime, 3) == uptime
    assert counters == {
        "requests_total": 4,
        "requests_ok": 1,
        "requests_error": 3,
        "errors_by_status": {"404": 1, "502": 2},
        "engine": "a, app-server",
        "app_server_pool_started": True,
        "requests_open": 1,
        "tokens": {"input": 7, "cached": 2, "output": 5, "reasoning": 1},
        "account_windows": {"primary_used_percent": 12.0},
    }
    assert not meters("not-app-server").counters()["app_server_pool_started"]


def test_an_answer_that_was_cut_short_is_served_well_and_a_client_that_left_is_neither() -> None:
    counting = Meters("chat", dict)
    cut, left = exchange("createResponse", 200), exchange("createResponse", 499)
    cut.answer, left.left = Answered(), True
    cut.answer.response = {"status": "incomplete", "usage": None}
    for ended in (cut, left):
        counting.ended(ended)
    counters = counting.counters()
    assert (counters["requests_total"], counters["requests_ok"], counters["requests_error"]) == (2, 1, 0)
    assert (counters["tokens"], counters["errors_by_status"]) == ({}, {})
