"""Single events of Responses upstreams: JSON, failures, ends, usage."""

import json
from typing import Any

import pytest

from wireloom.errors import UpstreamError
from wireloom.translate.responses_upstream.events import CODES, End, counted, decoded, end_of, failure, untold

Json = dict[str, Any]
NO_EVENT = "The upstream answered with JSON that is no event of a response."
NO_JSON = "The upstream answered with something that is no JSON."
PAGE = "The upstream answered with an HTML page."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", NO_JSON),
        (b'{"a": 1', NO_JSON),
        (b"\xff", NO_JSON),
        (b'{"a": "\xff"}', NO_JSON),
        (b"[" * 100_000, NO_JSON),
        (b"<html>", PAGE),
        (b" \n<html>", PAGE),
        (b"[]", NO_EVENT),
        (b'"text"', NO_EVENT),
        (b"null", NO_EVENT),
    ],
)
def test_data_that_is_no_object_is_an_error_of_the_upstream(data: bytes, message: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        decoded(data)
    found = caught.value
    assert (found.message, found.code, found.status) == (message, "upstream_invalid", 502)


def test_an_object_is_read() -> None:
    assert decoded(b' {"type": "x", "a": [1]}') == {"type": "x", "a": [1]}


@pytest.mark.parametrize("value", [{"object": "response"}, {"output": []}, {"object": "x", "output": [{}]}])
def test_an_object_without_a_type_is_a_whole_response(value: Json) -> None:
    assert untold(value, json.dumps(value).encode()) == "response.completed"


@pytest.mark.parametrize("value", [{}, {"object": "chat.completion"}, {"output": "text"}, {"error": None}])
def test_any_other_object_without_a_type_is_no_event(value: Json) -> None:
    with pytest.raises(UpstreamError) as caught:
        untold(value, json.dumps(value).encode())
    assert (caught.value.message, caught.value.code) == (NO_EVENT, "upstream_invalid")


def test_an_error_without_a_type_is_a_failure_also_of_a_response() -> None:
    value = {"object": "response", "error": {"message": "no", "code": "server_error"}}
    with pytest.raises(UpstreamError) as caught:
        untold(value, json.dumps(value).encode())
    assert (caught.value.message, caught.value.code) == ("no", "server_error")


STATUSES = {
    "bio_policy": 400,
    "context_length_exceeded": 400,
    "data_residency_mismatch": 502,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
    "image_content_policy_violation": 400,
    "image_file_not_found": 404,
    "image_file_too_large": 400,
    "image_parse_error": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "insufficient_quota": 429,
    "invalid_base64_image": 400,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_image_mode": 400,
    "invalid_image_url": 400,
    "invalid_prompt": 400,
    "invalid_request": 400,
    "misalignment_policy_violation": 400,
    "rate_limit_exceeded": 429,
    "server_error": 502,
    "server_is_overloaded": 503,
    "unsupported_image_media_type": 400,
    "upstream_error": 502,
    "upstream_invalid": 502,
    "upstream_timeout": 502,
    "upstream_unreachable": 502,
    "vector_store_timeout": 502,
}
"""Every code of the contract -> the status that its failure has for the client."""
ALIKE = {
    "too_many_requests": 429,
    "user_rate_limit_reached": 429,
    "provider_overloaded": 503,
    "model_not_found": 404,
    "invalid_thing": 400,
    "unsupported_thing": 400,
    "image_thing": 400,
    "empty_image_thing": 400,
    "some_policy_violation": 400,
    "not_invalid": 502,
    "something_else": 502,
}
"""Codes of other servers -> the status."""


@pytest.mark.parametrize(("code", "status"), [*STATUSES.items(), *ALIKE.items()])
def test_the_code_of_a_failure_gives_its_status(code: str, status: int) -> None:
    error = failure({"type": "error", "code": code, "message": "no"})
    assert (error.code, error.status, error.message) == (code, status, "no")


def test_any_word_for_a_context_that_is_too_long_becomes_that_of_the_contract() -> None:
    error = failure({"type": "error", "code": "max_context_length", "message": "no"})
    assert (error.code, error.status) == ("context_length_exceeded", 400)


def test_every_code_of_the_contract_has_a_status() -> None:
    assert CODES.keys() == STATUSES.keys()


@pytest.mark.parametrize(
    ("event", "code", "message", "param"),
    [
        ({"code": "invalid_prompt", "message": "no", "param": "p"}, "invalid_prompt", "no", "p"),
        ({"error": {"code": "invalid_prompt", "message": "no", "param": "p"}}, "invalid_prompt", "no", "p"),
        ({"error": {"type": "invalid_prompt", "message": "no"}}, "invalid_prompt", "no", None),
        ({"error": {"code": "bio_policy", "type": "x", "message": "no"}}, "bio_policy", "no", None),
        ({"type": "invalid_prompt", "message": "no"}, "upstream_error", "no", None),
        ({"response": {"error": {"code": "bio_policy", "message": "no"}}}, "bio_policy", "no", None),
        ({"response": {"error_type": "bio_policy", "message": "no"}}, "bio_policy", "no", None),
        ({"response": {}, "error_type": "bio_policy"}, "bio_policy", None, None),
        ({"response": "x", "error": {"code": "bio_policy", "message": "no"}}, "bio_policy", "no", None),
    ],
)
def test_a_failure_is_read_in_each_of_its_forms(
    event: Json, code: str, message: str | None, param: str | None
) -> None:
    error = failure(event)
    silence = "The upstream reports an error without saying why."
    assert (error.code, error.message, error.param) == (code, message or silence, param)


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("completed", End.WHOLE),
        ("queued", End.WHOLE),
        ("in_progress", End.WHOLE),
        ("incomplete", End.CUT_SHORT),
        ("failed", End.FAILED),
        ("cancelled", End.FAILED),
        ("a_new_one", End.WHOLE),
        (None, End.WHOLE),
    ],
)
def test_the_status_of_the_last_response_is_an_end(status: str | None, end: End) -> None:
    assert end_of({"status": status}) is end


NOTHING: Json = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


@pytest.mark.parametrize(
    ("usage", "result"),
    [
        ({"output_tokens": 0}, {}),
        ({"input_tokens": 3}, {"input_tokens": 3, "total_tokens": 3}),
        ({"input_tokens": 3.0, "output_tokens": 2, "total_tokens": 9}, {"input_tokens": 3, "output_tokens": 2, "total_tokens": 9}),
        ({"input_tokens": 1, "total_tokens": "many"}, {"input_tokens": 1, "total_tokens": 1}),
        ({"input_tokens": -1, "output_tokens": 2**53}, {}),
        ({"input_tokens": 2**53 - 1}, {"input_tokens": 2**53 - 1, "total_tokens": 2**53 - 1}),
        ({"input_tokens": 1, "output_tokens": float("inf")}, {"input_tokens": 1, "total_tokens": 1}),
        (
            {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 6, "more": 7}},
            {
                "input_tokens": 1,
                "total_tokens": 1,
                "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 6, "more": 7},
            },
        ),
        (
            {"input_tokens": 1, "input_tokens_details": "none", "output_tokens_details": {"reasoning_tokens": 4}},
            {"input_tokens": 1, "total_tokens": 1, "output_tokens_details": {"reasoning_tokens": 4}},
        ),
    ],
)  # fmt: skip
def test_usage_has_every_count(usage: Json, result: Json) -> None:
    assert counted(usage) == NOTHING | result


@pytest.mark.parametrize("usage", [None, {}, [], "many", {"input_tokens": 0}, {"total_tokens": 3}])
def test_an_upstream_that_did_not_count_has_no_usage(usage: Any) -> None:
    assert counted(usage) is None
