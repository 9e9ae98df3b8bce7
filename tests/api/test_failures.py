"""Failures on the wire: statuses, headers and codes, for SDKs and for the Codex CLI."""

import json
from typing import Any

import pytest

from wireloom.api import failures
from wireloom.errors import GatewayError
from wireloom.exchange import Exchange


def error(status: int, code: str = "some_code", **more: Any) -> GatewayError:
    """A failure."""
    return GatewayError("no", code=code, status=status, **more)


def test_an_answer_has_the_error_object_and_the_time_of_the_next_try() -> None:
    exchange = Exchange("req_1")
    answered = failures.response(error(429, "rate_limit_exceeded", param="p", retry_after=1.2), exchange)
    assert (answered.status_code, exchange.error) == (429, "rate_limit_exceeded")
    assert answered.headers["content-type"] == "application/json"
    assert (answered.headers["x-request-id"], answered.headers["retry-after"]) == ("req_1", "2")
    assert "www-authenticate" not in answered.headers
    found = json.loads(bytes(answered.body))["error"]
    assert (found["message"], found["code"], found["param"]) == ("no", "rate_limit_exceeded", "p")


def test_a_key_is_asked_for_and_no_time_is_given_without_one() -> None:
    answered = failures.response(error(401), Exchange("req_1"))
    assert answered.headers["www-authenticate"] == "Bearer"
    assert "retry-after" not in answered.headers


@pytest.mark.parametrize(
    ("status", "code", "result"),
    [
        (400, "bad", 400),
        (401, "bad", 400),
        (403, "bad", 400),
        (404, "bad", 400),
        (404, "model_not_found", 404),
        (429, "bad", 429),
        (499, "bad", 400),
        (500, "bad", 500),
        (502, "bad", 502),
        (502, "upstream_invalid", 400),
        (502, "upstream_redirect", 400),
        (503, "shutting_down", 503),
    ],
)
def test_the_codex_cli_gets_400_where_a_retry_cannot_help(status: int, code: str, result: int) -> None:
    answered = failures.response(error(status, code), Exchange("req_1"), codex=True)
    assert answered.status_code == result
    assert "www-authenticate" not in answered.headers
    assert failures.response(error(status, code), Exchange("req_1")).status_code == status


CODES = (
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "context_length_exceeded",
    "insufficient_quota",
    "server_is_overloaded",
    "upstream_error",
    "upstream_timeout",
    "upstream_unreachable",
    "upstream_invalid",
)


@pytest.mark.parametrize(("code", "result"), [*((code, code) for code in CODES), ("other", "server_error")])
def test_a_failed_response_has_a_code_of_the_contract(code: str, result: str) -> None:
    body, found = failures.event(error(500, code), codex=False)
    assert (found, body["code"], body["message"]) == (result, code, "no")


@pytest.mark.parametrize(
    ("status", "code", "retry_after", "result", "message"),
    [
        (400, "context_length_exceeded", None, "context_length_exceeded", "no"),
        (429, "insufficient_quota", 3, "insufficient_quota", "no"),
        (503, "server_is_overloaded", 3, "server_is_overloaded", "no"),
        (429, "other", 1.2, "rate_limit_exceeded", "no Please try again in 2s."),
        (429, "other", None, "rate_limit_exceeded", "no"),
        (503, "other", 3, "server_is_overloaded", "no"),
        (529, "other", None, "server_is_overloaded", "no"),
        (503, "shutting_down", 1, "server_error", "no"),
        (500, "other", None, "server_error", "no"),
        (502, "upstream_invalid", None, "invalid_prompt", "no"),
        (502, "upstream_redirect", None, "invalid_prompt", "no"),
        (404, "other", None, "invalid_prompt", "no"),
        (499, "server_error", None, "invalid_prompt", "no"),
    ],
)
def test_the_codex_cli_stops_or_tries_again_as_the_failure_is(
    status: int, code: str, retry_after: float | None, result: str, message: str
) -> None:
    body, found = failures.event(error(status, code, retry_after=retry_after), codex=True)
    assert (found, body["message"]) == (result, message)


def test_the_last_chunk_of_a_completion_is_the_error() -> None:
    assert (
        failures.chunk(error(500), Exchange("req_1"))
        == b"data: " + json.dumps({"error": error(500).body()}, separators=(",", ":")).encode() + b"\n\n"
    )


def test_a_fault_of_the_gateway_points_to_the_log() -> None:
    found = failures.internal()
    assert (found.message, found.status) == (
        "The gateway failed. The log has the details under the request's id.",
        500,
    )
