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


def test_recorded_failures() -> None:
    told = [failure(read(error)) for error in recorded()]
    assert [(each.status, each.code) for each in told] == [
        (401, "upstream_unauthorized"),
        (400, "context_length_exceeded"),
        (400, "other"),
        (403, "upstream_forbidden"),
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
        ("unexpected status 401 Unauthorized: no, url: http://h/v1", 401, "upstream_unauthorized"),
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
