"""Each provider's words and codes for a kind of failure, and what only looks like one."""

import json
from typing import Any

import pytest

from wireloom.errors import UpstreamError, UpstreamLimited, UpstreamRefused
from wireloom.translate.failures import upstream_error
from wireloom.translate.failures.kinds import CODES, KEPT, STATUSES, UNSAID, Kind
from wireloom.translate.failures.table import ROWS


def error(message: str = "It broke.", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


def read(status: int, body: Any) -> UpstreamError:
    return upstream_error(status, json.dumps(body).encode())


CONTEXT = [
    (
        400,
        error(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
        ),
    ),
    (400, error("Your input exceeds the context window of this model.", code="context_length_exceeded")),
    (400, error("Invalid request: Your request exceeded model token limit: 262144 (requested: 270001)")),
    (400, error("Range of input length should be [1, 129024]", code="invalid_parameter_error")),
    (400, error("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]")),
    (
        400,
        [
            error(
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                code=400,
            )
        ],
    ),
    (
        400,
        error(
            "Unable to submit request because the input token count is 32825 but model only supports up to 32768."
        ),
    ),
    (400, error("Prompt exceeds max length", code="1261")),
    (500, error("Prompt exceeds max length", code=1261)),
    (400, error("Input is too long for requested model.")),
    (400, {"__type": "ValidationException", "message": "Input is too long for requested model."}),
    (
        413,
        error(
            "Request too large for model `x` in organization `o` service tier `on_demand` on tokens per minute (TPM): "
            "Limit 8000, Requested 21000, please reduce your message size and try again.",
            type="tokens",
            code="rate_limit_exceeded",
        ),
    ),
    (
        429,
        error(
            "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 60000.",
            type="tokens",
            code="rate_limit_exceeded",
        ),
    ),
    (400, {"type": "error", "error": error("prompt is too long: 209353 tokens > 199999 maximum")["error"]}),
    (
        413,
        error(
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"
        ),
    ),
    (400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081"}),
    (
        400,
        {
            "code": "invalid-argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        },
    ),
    (400, {"base_resp": {"status_code": 2013, "status_msg": "invalid params, context window exceeds limit"}}),
    (
        422,
        error(
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens"
        ),
    ),
    (400, error("The input (70000 tokens) is longer than the model's context length (65536 tokens).")),
    (400, {"error": "input length exceeds the context length"}),
    (400, error("prompt too long; exceeded max context length by 812 tokens")),
    (400, error("The number of tokens to keep from the initial prompt is greater than the context length.")),
    (400, error("Please reduce the length of the messages or completion.", code="context_length_exceeded")),
    (400, error("The prompt is too long: 140000, model maximum context length: 131072")),
    (
        400,
        error("the request exceeds the available context size", type="exceed_context_size_error", n_ctx=4096),
    ),
    (500, error("Context size has been exceeded.", code=500)),
    (
        400,
        error(
            "prompt token count of 132000 exceeds the limit of 128000",
            code="model_max_prompt_tokens_exceeded",
        ),
    ),
    (
        400,
        {
            "code": 20015,
            "message": "length of prompt_tokens (9000) must be less than max_seq_len (8192).",
            "data": None,
        },
    ),
    (400, error("Input length 131393 exceeds the maximum allowed input length of 131040 tokens.")),
    (400, error("input length and `max_tokens` exceed context limit: 90402 + 116650 > 204648")),
    (400, error("Your prompt has 9000 tokens, but the configured context size is 8192 tokens")),
    (400, error("The length of the input exceeds the maximum allowed number of tokens (4096)")),
    (
        413,
        {
            "type": "error",
            "error": error("Request exceeds the maximum size", type="request_too_large")["error"],
        },
    ),
    (200, error("prompt is too long: 209353 tokens > 199999 maximum", type="invalid_request_error")),
]


@pytest.mark.parametrize(("status", "body"), CONTEXT)
def test_a_conversation_that_is_too_long(status: int, body: Any) -> None:
    found = read(status, body)
    kept = status if status in (400, 413, 422) else 400
    assert (type(found), found.code, found.status) == (UpstreamRefused, "context_length_exceeded", kept)
    assert found.words


QUOTA = [
    (402, error("Insufficient Balance", type="unknown_error", code="invalid_request_error")),
    (402, error("This request requires more credits, or fewer max_tokens.", code=402)),
    (403, error("no", code="insufficient_quota")),
    (
        429,
        error(
            "You exceeded your current quota, please check your plan and billing details.",
            type="insufficient_quota",
        ),
    ),
    (429, error("You exceeded your current quota, please check your plan and billing details.")),
    (
        429,
        error(
            "Your account is suspended, please check your plan and billing details",
            type="exceeded_current_quota_error",
        ),
    ),
    (200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
    (429, error("Insufficient balance or no resource package. Please recharge.", code="1113")),
    (400, error("Access denied, please make sure your account is in good standing.", code="Arrearage")),
    (
        400,
        {
            "type": "error",
            "error": error("Your credit balance is too low to access the Anthropic API.")["error"],
        },
    ),
    (
        403,
        error("The request failed because your account has an overdue balance.", code="AccountOverdueError"),
    ),
    (403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}),
    (
        429,
        [
            error(
                "Your prepayment credits are depleted. Please go to AI Studio to manage your billing.",
                code=429,
                status="RESOURCE_EXHAUSTED",
            )
        ],
    ),
    (
        429,
        [
            error(
                "You exceeded your current quota, please check your plan and billing details.",
                code=429,
                status="RESOURCE_EXHAUSTED",
            )
        ],
    ),
    (
        403,
        {
            "code": "x",
            "error": "Your team has used all available credits or reached its monthly spending limit.",
        },
    ),
    (429, error("The usage limit has been reached", type="usage_limit_reached")),
]


@pytest.mark.parametrize(("status", "body"), QUOTA)
def test_an_account_without_money(status: int, body: Any) -> None:
    found = read(status, body)
    assert (type(found), found.code, found.status) == (UpstreamLimited, "insufficient_quota", 429)


RATE = [
    (429, error("slow")),
    (200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}),
    (200, {"base_resp": {"status_code": 1039, "status_msg": "token limit"}}),
    *((429, error("slow", code=code)) for code in ("1302", "1303", "1305")),
    (400, error("slow", code="Throttling.RateQuota")),
    (429, error("Allocated quota exceeded", code="Throttling.AllocationQuota")),
    (429, error("Rate limit exceeded", code="limit_requests")),
    (429, {"message": "TPM limit reached.", "code": 50000}),
    (403, {"message": "RPM limit exceeded.", "code": "ModelAccountRpmRateLimitExceeded"}),
    (
        400,
        {
            "__type": "com.amazon.coral.service#ThrottlingException",
            "message": "Too many tokens, please wait before trying again.",
        },
    ),
    (200, {"__type": "ThrottlingException", "message": "Too many tokens, please wait before trying again."}),
    (429, [error("Resource exhausted", code=429, status="RESOURCE_EXHAUSTED")]),
    (
        429,
        [
            error(
                "You exceeded your current quota, please check your plan and billing details. Please retry in 37.2s.",
                code=429,
                status="RESOURCE_EXHAUSTED",
            )
        ],
    ),
    (200, error("Rate limit reached for model x on requests per minute (RPM)", type="requests")),
    (200, {"type": "error", "error": error("slow", type="rate_limit_error")["error"]}),
]


@pytest.mark.parametrize(("status", "body"), RATE)
def test_too_much_at_once(status: int, body: Any) -> None:
    found = read(status, body)
    assert (type(found), found.status) == (UpstreamLimited, 429)
    assert found.code in ("rate_limit_exceeded", "50000")


OVERLOAD = [
    (529, {"type": "error", "error": error("Overloaded", type="overloaded_error")["error"]}),
    (200, {"type": "error", "error": error("Overloaded", type="overloaded_error")["error"]}),
    (
        429,
        error("The engine is currently overloaded, please try again later", type="engine_overloaded_error"),
    ),
    (503, error("The server is overloaded or not ready yet.", code="engine_overloaded")),
    (503, [error("The model is overloaded. Please try again later.", code=503, status="UNAVAILABLE")]),
    (503, error("Service Unavailable")),
    (503, {"code": 50505, "message": "Model service overloaded. Please try again later."}),
    (500, error("no available instance for the model")),
    (503, error("The service is currently at capacity")),
    (498, error("Flex tier capacity exceeded", code="capacity_exceeded")),
    (503, error("Server is busy, please try again later")),
    (
        429,
        {
            "error": {
                "code": "ServerOverloaded",
                "message": "The service is currently unable to handle requests",
            }
        },
    ),
]


@pytest.mark.parametrize(("status", "body"), OVERLOAD)
def test_a_server_without_capacity(status: int, body: Any) -> None:
    found = read(status, body)
    assert (type(found), found.code) == (UpstreamError, "server_is_overloaded")
    assert found.status == (529 if status == 529 else 503)


CONTENT = [
    (400, error("<400> Input data may contain inappropriate content.", code="data_inspection_failed")),
    (400, error("no", code="DataInspectionFailed")),
    (
        400,
        error("System detected potentially unsafe or sensitive content in input or generation.", code="1301"),
    ),
    (200, {"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}),
    (200, {"base_resp": {"status_code": 1027, "status_msg": "output new_sensitive"}}),
    (
        400,
        error(
            "The response was filtered due to the prompt triggering Azure's content management policy.",
            code="content_filter",
        ),
    ),
    (400, error("no", code="content_policy_violation")),
    (403, error("x requires moderation on P. Your input was flagged for 'violence'.", code=403)),
    (400, error("Content Exists Risk", type="invalid_request_error")),
    (400, [error("no", code=400, status="INVALID_ARGUMENT", details=[{"reason": "SAFETY"}])]),
    (400, error("no", code="InputTextSensitiveContentDetected")),
    (400, error("Your request was rejected by our safety system.", code="moderation_blocked")),
]


@pytest.mark.parametrize(("status", "body"), CONTENT)
def test_a_filter_that_stops(status: int, body: Any) -> None:
    found = read(status, body)
    assert (type(found), found.code) == (UpstreamRefused, "content_policy_violation")
    assert found.status == (status if status >= 400 else 400)


KEY = [
    (401, error("no"), 401),
    (403, error("no"), 403),
    (
        400,
        [
            error(
                "API key not valid. Please pass a valid API key.",
                code=400,
                details=[{"reason": "API_KEY_INVALID"}],
            )
        ],
        401,
    ),
    (
        400,
        [
            error(
                "API Key not found. Please pass a valid API key.",
                code=400,
                details=[{"reason": "API_KEY_INVALID"}],
            )
        ],
        401,
    ),
    (200, {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, 401),
    (200, {"base_resp": {"status_code": 2049, "status_msg": "invalid api key"}}, 401),
    (400, error("Incorrect API key provided: sk-abcdefgh", code="invalid_api_key"), 401),
    (401, error("token expired or incorrect", code="1003"), 401),
    (400, {"code": "InvalidApiKey", "message": "Invalid API-key provided."}, 401),
]


@pytest.mark.parametrize(("status", "body", "found"), KEY)
def test_a_key_that_is_wrong(status: int, body: Any, found: int) -> None:
    caught = read(status, body)
    code = {401: "upstream_unauthorized", 403: "upstream_forbidden"}[found]
    assert (type(caught), caught.code, caught.status) == (UpstreamRefused, code, found)
    assert "abcdefgh" not in caught.message


OTHERS = [
    (
        400,
        error("Unsupported parameter: 'context' is not supported with this model.", param="context"),
        "upstream_error",
    ),
    (400, error("num_ctx sets the context size and must be an integer", param="num_ctx"), "upstream_error"),
    (400, error("truncation 'auto' drops items so that the context window is kept"), "upstream_error"),
    (
        400,
        error("max_tokens is too large: 200000. This model supports at most 16384 completion tokens"),
        "upstream_error",
    ),
    (
        400,
        error("Invalid value: 'rate limit reached, server is busy, insufficient funny money'", code="bad"),
        "bad",
    ),
    (400, error("tools[0].name 'capacity' is no name"), "upstream_error"),
    (400, error("Unknown word in the message 'my account was flagged by moderation'"), "upstream_error"),
    (400, error("metadata.balance must be a string"), "upstream_error"),
    (400, error("The user asked: 'rate limit exceeded, api key invalid, no credits'"), "upstream_error"),
    (
        400,
        error('messages[0] is "The engine is currently overloaded, insufficient balance", no object'),
        "upstream_error",
    ),
    (400, error("messages[3].content: the page says that its api key is invalid"), "upstream_error"),
    (400, error("The code 1008 is no tool", code="bad_tool"), "bad_tool"),
    (500, error("maximum context"), "upstream_error"),
    (500, error("Internal error, trace 1302"), "upstream_error"),
    (404, error("no such route"), "upstream_not_found"),
    (400, error("no", code="1002"), "1002"),
]


@pytest.mark.parametrize(("status", "body", "code"), OTHERS)
def test_what_only_looks_like_a_kind(status: int, body: Any, code: str) -> None:
    found = read(status, body)
    assert (found.code, found.status) == (code, status)


def test_every_row_has_a_source_and_something_to_recognise() -> None:
    assert [row for row in ROWS if not row.source or not row.server or not (row.codes or row.words)] == []
    assert [row for row in ROWS if not row.statuses - {UNSAID}] == []


def test_every_kind_has_its_status_and_its_code() -> None:
    assert set(STATUSES) == set(KEPT) == set(Kind)
    assert set(CODES) == set(Kind) - {Kind.KEY}
