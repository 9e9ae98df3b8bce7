"""A delay is read in every form, and only where it is one."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from wireloom.translate.failures import upstream_error
from wireloom.translate.failures.delays import of_body, of_headers, of_words, seconds

NOW = 1_760_000_000.0


def http_date(after: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + after, UTC), usegmt=True)


def iso(after: float) -> str:
    return datetime.fromtimestamp(NOW + after, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("headers", "status", "found"),
    [
        ({"retry-after": "7"}, 400, 7.0),
        ({"retry-after": "7.5"}, 429, 7.5),
        ({"retry-after": http_date(9)}, 429, 9.0),
        ({"retry-after": iso(9)}, 429, 9.0),
        ({"retry-after": "1m30s"}, 429, 90.0),
        ({"retry-after": str(NOW + 9)}, 429, 9.0),
        ({"retry-after-ms": "7000"}, 429, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 429, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 429, 0.25),
        ({"x-ratelimit-reset-requests": "1s"}, 429, 1.0),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 429, 360.0),
        ({"x-ratelimit-reset": "120ms"}, 429, 0.12),
        ({"x-ratelimit-reset": str(int(NOW) + 20)}, 429, 20.0),
        ({"x-ratelimit-reset": str(int(NOW * 1000) + 20_000)}, 429, 20.0),
        ({"x-rate-limit-reset": "20"}, 429, 20.0),
        ({"ratelimit-reset": "11"}, 429, 11.0),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, 503, 50.0),
        ({"ratelimit": '"default";r=0;t=50'}, 503, 50.0),
        ({"anthropic-ratelimit-requests-reset": iso(7)}, 429, 7.0),
        ({"x-ratelimit-reset-requests": "5s", "x-ratelimit-remaining-requests": "0"}, 503, 5.0),
        (
            {
                "x-ratelimit-reset-requests": "5s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "50s",
                "x-ratelimit-remaining-tokens": "9",
            },
            429,
            5.0,
        ),
        ({"x-ratelimit-reset-requests": "5s", "x-ratelimit-reset-tokens": "50s"}, 429, 50.0),
    ],
)
def test_a_header(headers: dict[str, str], status: int, found: float) -> None:
    assert of_headers(headers, status, NOW) == pytest.approx(found)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 429),
        ({"retry-after": "soon"}, 429),
        ({"retry-after": ""}, 429),
        ({"retry-after": "0"}, 429),
        ({"retry-after": "-5"}, 429),
        ({"retry-after": "inf"}, 429),
        ({"retry-after": "nan"}, 429),
        ({"retry-after": "1e9999"}, 429),
        ({"retry-after": "3601"}, 429),
        ({"retry-after": http_date(-1)}, 429),
        ({"retry-after": http_date(4000)}, 429),
        ({"retry-after": "Fri, 99 Foo 2026 00:00:00 GMT"}, 429),
        ({"x-ratelimit-reset-requests": "1s"}, 503),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-requests": "9"}, 503),
        (
            {
                "x-ratelimit-reset-day": "9000s",
                "x-ratelimit-remaining-day": "0",
                "x-ratelimit-reset-minute": "5s",
            },
            429,
        ),
        ({"x-ratelimit-limit-requests": "60", "x-should-retry": "true"}, 429),
    ],
)
def test_no_header(headers: dict[str, str], status: int) -> None:
    assert of_headers(headers, status, NOW) is None


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ([{"error": {"details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "37s"}]}}], 37.0),
        ({"error": {"details": [{"retryDelay": {"seconds": 3, "nanos": 5}}]}}, 3.0),
        ({"error": {"retry_after": 7}}, 7.0),
        ({"retryAfter": "7"}, 7.0),
        ({"retry_after_ms": 250}, 0.25),
        ({"error": {"resets_in_seconds": 90}}, 90.0),
        ({"error": {"resets_at": NOW + 60}}, 60.0),
        ({"error": "loading", "estimated_time": 20.5}, 20.5),
        (
            {
                "error": {
                    "metadata": {
                        "headers": {
                            "X-RateLimit-Remaining": "0",
                            "X-RateLimit-Reset": str(int(NOW * 1000) + 20_000),
                        }
                    }
                }
            },
            20.0,
        ),
        ({"error": {"metadata": {"raw": json.dumps({"error": {"retry_after": 4}})}}}, 4.0),
        ({"error": {"retry_after": 86400}}, None),
        ({"error": {"retry_after": True}}, None),
        ({"error": {"retry_after": -1}}, None),
        ({"error": {"message": "no"}}, None),
    ],
)
def test_a_member_of_a_body(body: Any, found: float | None) -> None:
    assert of_body(json.dumps(body).encode(), "", NOW) == (found and pytest.approx(found))


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("Rate limit reached. Please try again in 7.66s. Visit x.", 7.66),
        ("Please try again in 20 ms", 0.02),
        ("Please try again in 1m30s.", 90.0),
        ("Please try again in 6m0s", 360.0),
        ("Please retry after 26 seconds.", 26.0),
        ("retry after 5", 5.0),
        ("Please retry in 37.281945s.", 37.281945),
        ("Please wait 12 seconds before you ask again", 12.0),
        ("Your limit resets in 5 minutes", 300.0),
        ("Try again in 1 minute and 30 seconds", 90.0),
        ("try again in 2 hours", None),
        ("try again later", None),
        ("try again in 2027", None),
        ("the tool waited 5 seconds", None),
        ("", None),
    ],
)
def test_words(message: str, found: float | None) -> None:
    assert of_words(message) == (found and pytest.approx(found))


def test_a_time_says_nothing_without_a_clock() -> None:
    assert seconds(http_date(9), None) is None
    assert seconds(NOW + 9, None) is None
    assert seconds("9", None) == 9.0


def test_a_header_wins_over_the_body_and_the_body_over_nothing() -> None:
    body = b'{"error": {"message": "Please try again in 7s"}}'
    assert upstream_error(429, body, 3.0).retry_after == 3.0
    assert upstream_error(429, body).retry_after == 7.0
    assert upstream_error(503, body).retry_after == 7.0
    assert upstream_error(400, body).retry_after is None
