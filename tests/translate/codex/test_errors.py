"""Failures of turns, as they were recorded and as the contract names them."""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from wireloom_protocol import app_server as m
from wireloom_protocol import app_server_hot as hot

from wireloom.translate.codex.errors import KINDS, failure, incomplete, spoken

RECORDED = Path(__file__).parents[2] / "fixtures/app_server_0_169_0/09-upstream-errors.jsonl"


def recorded() -> list[dict[str, Any]]:
    """The errors with which the turns of a recording ended."""
    messages = [json.loads(line)["msg"] for line in RECORDED.read_text().splitlines()]
    ends = [each["params"]["turn"] for each in messages if each.get("method") == "turn/completed"]
    return [turn["error"] for turn in ends if turn["status"] == "failed"]


def read(error: dict[str, Any]) -> hot.TurnError:
    return msgspec.convert(error, hot.TurnError)


def test_every_word_of_the_contract_has_a_status() -> None:
    words, *_ = get_args(m.CodexErrorInfo.__value__)
    assert KINDS.keys() | {"other"} == set(get_args(words))


STATUSES = {
    "contextWindowExceeded": (400, "context_length_exceeded"),
    "sessionBudgetExceeded": (429, "insufficient_quota"),
    "usageLimitExceeded": (429, "insufficient_quota"),
    "rateLimitExceeded": (429, "rate_limit_exceeded"),
    "flexUnavailable": (429, "resource_unavailable"),
    "serverOverloaded": (503, "server_is_overloaded"),
    "policyCapacityUnavailable": (503, "server_is_overloaded"),
    "modelNotFound": (404, "model_not_found"),
    "cyberPolicy": (400, "invalid_prompt"),
    "bioPolicy": (400, "invalid_prompt"),
    "misalignmentPolicyViolation": (400, "invalid_prompt"),
    "badRequest": (400, "upstream_error"),
    "unauthorized": (502, "upstream_authentication"),
    "inferenceHookDenied": (403, "upstream_forbidden"),
    "internalServerError": (502, "upstream_error"),
    "tooManyDenials": (502, "upstream_error"),
    "threadRollbackFailed": (502, "upstream_error"),
    "sandboxError": (502, "upstream_error"),
    "other": (502, "upstream_error"),
}


LOGIN_REFUSED = (
    "Codex's provider refuses its login: no. "
    "Run `codex login`, or set the key of the provider in Codex's configuration."
)


@pytest.mark.parametrize("word", STATUSES)
def test_a_word_of_codex_is_a_status_and_a_code(word: str) -> None:
    told = failure(read({"message": "no", "codexErrorInfo": word}))
    message = LOGIN_REFUSED if word == "unauthorized" else "no"
    assert ((told.status, told.code), told.message) == (STATUSES[word], message)


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_the_provider_refuses_is_no_affair_of_the_client_s(status: int) -> None:
    info = {"httpConnectionFailed": {"httpStatusCode": status}}
    found = [
        failure(read({"message": "no", "codexErrorInfo": info})),
        spoken('{"error": {"message": "no"}}', status),
        spoken(f"unexpected status {status} No: no"),
    ]
    assert {(each.status, each.code) for each in found} == {(502, "upstream_authentication")}
    assert [each.message for each in found[:2]] == [LOGIN_REFUSED] * 2
    assert found[2].message.startswith("Codex's provider refuses its login: unexpected status")
    assert found[0].cause == LOGIN_REFUSED.replace(": no", "")


@pytest.mark.parametrize(
    ("status", "told"),
    [(400, 400), (418, 418), (599, 599), (500, 502), (399, 502), (600, 502), ("418", 502)],
)
def test_the_status_of_the_provider_is_kept_where_codex_reports_it(status: object, told: int) -> None:
    info = {"responseStreamDisconnected": {"httpStatusCode": status}}
    assert failure(read({"message": "no", "codexErrorInfo": info})).status == told


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("no, url: http://127.0.0.1:1/v1/responses", "no"),
        ("no url: https://h.example/v1, request id: 7", "no, request id: 7"),
        ("error sending request for url (http://h/v1)", "error sending request"),
        ("no", "no"),
    ],
)
def test_an_address_is_left_out_of_a_message(message: str, left: str) -> None:
    assert spoken(message).message == left


def test_the_body_of_a_refusal_is_read_as_it_came() -> None:
    told = spoken(' {"error": {"message": "no", "code": "bad"}}')
    assert (told.status, told.code, told.message) == (400, "bad", "no")
    assert spoken('{"error": {"message": "no"}}', 429).status == 429


def test_recorded_failures() -> None:
    told = [failure(read(error)) for error in recorded()]
    assert [(each.status, each.code) for each in told] == [
        (502, "upstream_authentication"),
        (400, "context_length_exceeded"),
        (400, "other"),
        (502, "upstream_authentication"),
        (404, "model_not_found"),
        (429, "rate_limit_exceeded"),
        (429, "insufficient_quota"),
        (502, "upstream_error"),
        (503, "upstream_error"),
        (429, "rate_limit_exceeded"),
    ]
    assert not any("127.0.0.1" in each.message for each in told)
    assert told[2].message == "fake 400"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"message": "m", "codexErrorInfo": "unheardOf"}, 502, "upstream_error"),
        ({"message": "m", "codexErrorInfo": {"new": {"httpStatusCode": 418}}}, 418, "upstream_error"),
        ({"message": "m", "codexErrorInfo": {"new": 3}}, 502, "upstream_error"),
        ({"message": "m", "codexErrorInfo": None}, 502, "upstream_error"),
        ({}, 502, "upstream_error"),
        ({"message": "Missing environment variable: `KEY`."}, 502, "upstream_error"),
        ({"message": "stream disconnected before completion: boom"}, 502, "upstream_error"),
    ],
)
def test_failures_of_other_forms(error: dict[str, Any], status: int, code: str) -> None:
    assert (failure(read(error)).status, failure(read(error)).code) == (status, code)


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ("unexpected status 401 Unauthorized: no, url: http://h/v1", 502, "upstream_authentication"),
        ("Codex ran out of room in the model's context window.", 400, "context_length_exceeded"),
        ("Quota exceeded. Check your plan and billing details.", 429, "insufficient_quota"),
        ("exceeded retry limit, last status: 429 Too Many Requests", 429, "rate_limit_exceeded"),
        ("rate limit exceeded: boom", 429, "rate_limit_exceeded"),
    ],
)
def test_failures_in_words_alone(message: str, status: int, code: str) -> None:
    told = spoken(message)
    assert (told.status, told.code) == (status, code)
    assert "http:" not in told.message


def test_why_an_answer_was_cut_short() -> None:
    said = "Incomplete response returned, reason: content_filter"
    assert incomplete(None, said) == "content_filter"
    assert incomplete("Reconnecting... 1/5", None) is None
