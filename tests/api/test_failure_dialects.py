"""Failures in the dialects of real servers, through the whole gateway: what the client reads, on both faces and wires."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from tests.support.live import Handler, answer, gateway, raw

CODEX = {"originator": "codex_exec", "user-agent": "codex_exec/0.169.0", "session-id": "s1"}
FACES: dict[str, dict[str, Any]] = {
    "responses": {"input": "x"},
    "chat/completions": {"messages": [{"role": "user", "content": "x"}]},
}
PART = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "part "}, "finish_reason": None}]}
Asked = tuple[httpx.Response, int]


def sends(*parts: bytes, status: int = 200, kind: str = "text/event-stream", headers: str = "") -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(*parts, status=f"{status} X", kind=kind, headers=headers))

    return handler


def says(status: int, body: Any, headers: str = "") -> Handler:
    return sends(json.dumps(body).encode(), status=status, kind="application/json", headers=headers)


def streams(*chunks: Any) -> Handler:
    return sends(*(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))


async def ask(
    handler: Handler,
    face: str = "responses",
    *,
    stream: bool = False,
    codex: bool = False,
    profile: str = "generic",
    wire: str = "chat",
) -> Asked:
    async with raw(handler) as (url, upstream):
        async with gateway(url, provider=profile, upstream_wire=wire) as base:
            async with httpx.AsyncClient(timeout=20) as client:
                response = await client.post(
                    f"{base}/v1/{face}",
                    json={**FACES[face], "model": "m1", "stream": stream},
                    headers=CODEX if codex else {},
                )
    return response, len(upstream.bodies)


def told(response: httpx.Response) -> dict[str, Any]:
    """The error of an answer: its body, the response that failed, or the last chunk."""
    if response.headers["content-type"] == "application/json":
        return dict(response.json()["error"])
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    events = [json.loads(line) for line in lines]
    failed = [each["response"] for each in events if each.get("type") == "response.failed"]
    if failed:
        assert failed[0]["status"] == "failed"
        return dict(failed[0]["error"])
    return dict(events[-1]["error"])


# -- a conversation that is too long -----------------------------------------------------------------------------------

TOO_LONG: dict[str, tuple[int, Any]] = {
    "kimi": (
        400,
        {
            "error": {
                "message": "Invalid request: Your request exceeded model token limit: 262144 (requested: 270001)",
                "type": "invalid_request_error",
            }
        },
    ),
    "qwen": (
        400,
        {
            "error": {
                "message": "Range of input length should be [1, 129024]",
                "type": "invalid_request_error",
                "code": "invalid_parameter_error",
            }
        },
    ),
    "gemini": (
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
    ),
    "zai": (400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}),
    "bedrock": (
        400,
        {"error": {"message": "Input is too long for requested model.", "type": "invalid_request_error"}},
    ),
    "groq": (
        413,
        {
            "error": {
                "message": "Request too large for model `x` in organization `o` service tier `on_demand` on tokens per minute (TPM): Limit 8000, Requested 21000, please reduce your message size and try again.",
                "type": "tokens",
                "code": "rate_limit_exceeded",
            }
        },
    ),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("server", TOO_LONG)
async def test_a_coding_agent_reads_that_the_context_is_full(server: str, stream: bool) -> None:
    status, body = TOO_LONG[server]
    response, asked = await ask(says(status, body), stream=stream, codex=True)
    error = told(response)
    words = (body[0] if isinstance(body, list) else body)["error"]["message"]
    assert (error["code"], asked) == ("context_length_exceeded", 1)
    assert words in error["message"]


# -- failures inside an answer with status 200 -------------------------------------------------------------------------

BEGUN = b"data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk", **PART}).encode() + b"\n\n"


@pytest.mark.parametrize(
    "failure",
    [
        b'event: error\ndata: {"message":"boom A","code":"500"}\n\n',
        b'data: {"code": "500", "message": "boom A"}\n\n',
        b"event: error\ndata: boom A\n\n",
        b'event:error\r\ndata:{"detail":"boom A"}\r\n\r\n',
        b'error: {"code": 500, "message": "boom A"}\n\n',
        b'{"error": {"message": "boom A"}}\n',
        b'data: {"object": "error", "message": "boom A", "code": 50}\n\n',
        b'data: {"choices": null, "base_resp": {"status_code": 1000, "status_msg": "boom A"}}\n\n',
        b'data: {"type": "error", "error": {"type": "api_error", "message": "boom A"}}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"boom A"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","native_finish_reason":"boom A"}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\ndata: {"error":{"message":"boom A"}}\n\n',
        b'data: {"errors": [{"message": "boom A"}]}\n\n',
        b'data: {"success": false, "error_msg": "boom A"}\n\n',
    ],
)
@pytest.mark.parametrize("face", FACES)
async def test_the_reason_of_a_failure_within_a_stream(failure: bytes, face: str) -> None:
    if face != "responses" and failure.count(b"finish_reason") and failure.count(b"data:") > 1:
        return  # what a Chat client is passed on fails with the chunk that finishes
    response, _ = await ask(sends(BEGUN, failure), face, stream=True)
    assert "boom A" in told(response)["message"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_an_account_without_money_with_status_200(face: str, stream: bool) -> None:
    body = {
        **{"id": "x", "choices": None, "created": 1, "model": "m1", "object": "", "usage": None},
        "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"},
    }
    response, asked = await ask(says(200, body), face, stream=stream)
    error = told(response)
    assert (response.status_code, error["code"], asked) == (429, "insufficient_quota", 1)
    assert "insufficient balance" in error["message"]


@pytest.mark.parametrize("codex", [True, False])
async def test_a_rate_limit_in_a_stream(codex: bool) -> None:
    chunk = {
        **{"id": "x", "choices": None, "created": 1, "model": "m1", "object": "", "usage": None},
        "base_resp": {"status_code": 1002, "status_msg": "rate limit"},
    }
    data = b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"
    response, _ = await ask(sends(data), stream=True, codex=codex)
    error = told(response)
    assert error["code"] == "rate_limit_exceeded"
    assert response.status_code == (200 if codex else 429)
    assert "rate limit" in error["message"]


async def test_a_key_that_is_refused_with_status_200_is_the_operator_s() -> None:
    body = {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}
    response, _ = await ask(says(200, body))
    assert (response.status_code, told(response)["code"]) == (502, "upstream_authentication")


async def test_a_key_that_is_refused_with_status_400_is_the_operator_s() -> None:
    body = [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}]
    response, _ = await ask(says(400, body))
    error = told(response)
    assert (response.status_code, error["code"]) == (502, "upstream_authentication")
    assert "(400 to POST" in error["message"]


# -- the words of another server ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("codex", [True, False])
async def test_the_reason_that_a_router_got(codex: bool) -> None:
    inner = {
        "error": {
            "message": "Invalid schema for function 'shell' with sk-abcdef123456: In context=(), 'additionalProperties' is required"
        }
    }
    metadata = {"raw": json.dumps(inner), "provider_name": "P"}
    body = {"error": {"message": "Provider returned error", "code": 400, "metadata": metadata}}
    response, _ = await ask(says(400, body), codex=codex, profile="openrouter")
    message = told(response)["message"]
    assert "'additionalProperties' is required" in message
    assert "(P)" in message
    assert "abcdef" not in message


@pytest.mark.parametrize("face", FACES)
async def test_a_page_of_a_cdn_is_told_by_its_title(face: str) -> None:
    page = b"<!DOCTYPE html>\n<html><head><title>Bad gateway |\n Cloudflare</title></head><body>secret</body></html>"
    response, _ = await ask(sends(page, status=502, kind="text/html"), face)
    message = told(response)["message"]
    assert 'answered 502 with an HTML page titled "Bad gateway | Cloudflare"' in message
    assert "<" not in message
    assert "secret" not in message


# -- how long to wait --------------------------------------------------------------------------------------------------

RETRY_INFO = [
    {
        "error": {
            "code": 429,
            "message": "Resource exhausted",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}],
        }
    }
]
SLOW = {"error": {"message": "slow"}}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("retry-after-ms: 7000\r\n", SLOW),
        ("retry-after: 7\r\n", SLOW),
        ("x-ratelimit-reset-requests: 7s\r\n", SLOW),
        ("", RETRY_INFO),
        ("", {"error": {"message": "Please try again in 6.5s."}}),
    ],
)
@pytest.mark.parametrize("face", FACES)
async def test_the_client_reads_how_long_to_wait(headers: str, body: Any, face: str) -> None:
    response, _ = await ask(says(429, body, headers), face)
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


async def test_a_date_is_a_delay() -> None:
    date = formatdate(time.time() + 9, usegmt=True)
    response, _ = await ask(says(429, SLOW, f"retry-after: {date}\r\n"))
    assert 1 <= int(response.headers["retry-after"]) <= 9


async def test_a_coding_agent_reads_the_delay_in_the_message() -> None:
    response, _ = await ask(says(429, RETRY_INFO), stream=True, codex=True)
    assert told(response)["message"].endswith("Please try again in 7s.")


@pytest.mark.parametrize("delay", ["0", "86400", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
async def test_no_delay_is_none(delay: str) -> None:
    response, _ = await ask(says(429, SLOW, f"retry-after: {delay}\r\n"))
    assert "retry-after" not in response.headers


# -- an answer with the status of a failure ----------------------------------------------------------------------------

COMPLETION = {
    **{"id": "c", "object": "chat.completion", "created": 1, "model": "m1"},
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}
MESSAGE = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
RESPONSE = {
    **{"id": "r", "object": "response", "status": "completed"},
    "output": [{**MESSAGE, "content": [{"type": "output_text", "text": "hi", "annotations": []}]}],
}


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("face", "wire", "body"),
    [
        ("responses", "chat", COMPLETION),
        ("chat/completions", "chat", COMPLETION),
        ("responses", "responses", RESPONSE),
    ],
)
async def test_an_answer_is_read_whatever_its_status(
    face: str, wire: str, body: Any, stream: bool, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="wireloom"):
        response, _ = await ask(says(status, body), face, stream=stream, wire=wire)
    assert response.status_code == 200
    assert "hi" in response.text
    assert f"answered {status} with an answer" in caplog.text


async def test_a_failure_with_choices_stays_one() -> None:
    response, _ = await ask(says(500, {**COMPLETION, "error": {"message": "no"}}))
    assert response.status_code == 500


# -- the Responses wire ------------------------------------------------------------------------------------------------


def failed(error: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "response.failed", "response": {"id": "r", "status": "failed", "error": error, **more}}


CREATED = {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}}


@pytest.mark.parametrize("profile", ["generic", "openai"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "events",
    [
        [failed({"code": "server_error", "message": "boom A"})],
        [failed("boom A")],
        [failed({"message": json.dumps({"error": {"message": "boom A"}})})],
        [failed(None, status_details={"error": {"message": "boom A"}})],
        [failed(None, last_error={"message": "boom A"})],
        [failed(), {"type": "error", "message": "boom A"}],
        [failed(), {"type": "error", "error": {"message": "boom A"}}],
        [failed(), failed({"message": "boom A"})],
        [failed({"code": "server_error"}), {"type": "error", "message": "boom A"}],
        [failed(), {"code": "500", "message": "boom A"}],
        [{"type": "error", "error": {"error": {"message": "boom A"}}}],
        [{"code": "500", "message": "boom A"}],
    ],
)
async def test_the_reason_of_a_failed_response(events: list[Any], stream: bool, profile: str) -> None:
    response, _ = await ask(streams(CREATED, *events), stream=stream, wire="responses", profile=profile)
    assert "boom A" in told(response)["message"]


async def test_a_failed_response_without_any_reason_fails_all_the_same() -> None:
    response, _ = await ask(streams(CREATED, failed()), stream=True, wire="responses")
    assert (response.status_code, told(response)["code"]) == (502, "upstream_error")
    relayed, _ = await ask(streams(CREATED, failed()), stream=True, wire="responses", profile="openai")
    assert "response.failed" in relayed.text


async def test_a_failure_whose_reason_does_not_come_is_not_waited_for() -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"data: " + json.dumps(failed()).encode() + b"\n\n"))
        await writer.drain()
        await asyncio.sleep(30)

    began = time.monotonic()
    response, _ = await ask(handler, stream=True, wire="responses")
    assert response.status_code == 502
    assert time.monotonic() - began < 10


async def test_an_event_named_error_on_the_responses_wire() -> None:
    data = b'event: error\ndata: {"type": "server_error", "message": "boom A"}\n\n'
    response, _ = await ask(sends(data), stream=True, wire="responses")
    assert "boom A" in told(response)["message"]


# -- halves of characters ----------------------------------------------------------------------------------------------

FACE = "\U0001f600"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("face", FACES)
async def test_a_character_in_two_fragments(face: str, stream: bool) -> None:
    events = [
        rb'data: {"choices":[{"index":0,"delta":{"content":"a \ud83d"}}]}',
        rb'data: {"choices":[{"index":0,"delta":{"content":"\ude00"}}]}',
        rb'data: {"choices":[{"index":0,"delta":{"content":"\ud83d b"},"finish_reason":"stop"}]}',
        b"data: [DONE]\n\n",
    ]
    response, _ = await ask(sends(b"\n\n".join(events)), face, stream=stream)
    assert response.status_code == 200
    assert FACE in response.text
    assert "\ufffd b" in response.text


@pytest.mark.parametrize(
    ("face", "wire"), [("responses", "chat"), ("chat/completions", "chat"), ("responses", "responses")]
)
async def test_half_a_character_in_a_whole_answer(
    face: str, wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = COMPLETION if wire == "chat" else RESPONSE
    data = json.dumps(body).replace('"hi"', r'"hi \ud83d!"').encode()
    response, _ = await ask(sends(data, kind="application/json"), face, wire=wire)
    assert response.status_code == 200
    assert "hi \ufffd!" in response.text
    assert "half of a surrogate pair" in caplog.text
