"""How an answer ends: streamed and in one piece, for SDKs and for the Codex CLI, over real sockets."""

import asyncio
import json
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.chat_answers import call, chunk
from tests.support.grammar import Told, check, decode
from tests.support.live import answer, gateway, raw
from wireloom.api import failures
from wireloom.api.drain import stopping

Json = dict[str, Any]
ASK: Json = {"model": "m", "input": "hello"}
SDK: dict[str, str] = {"user-agent": "OpenAI/Python 3.0"}
CODEX = {"originator": "codex_exec"}
MARK = b"data: [DONE]\n\n"
TEXT = chunk({"role": "assistant", "content": "half an ans"})


class Ending(NamedTuple):
    """What a client gets.

    Args:
        status: of the response, or of HTTP where there is none.
        why: the reason it is incomplete, or the code of its failure.
        text: its text.
        refusal: its refusal.
    """

    status: str | int
    why: str | None = None
    text: str = ""
    refusal: str = ""


class Case(NamedTuple):
    """An answer of the upstream, and how it ends for whom."""

    payloads: list[bytes]
    sdk_streamed: Ending
    sdk_whole: Ending
    codex_streamed: Ending
    codex_whole: Ending


def same(payloads: list[bytes], ending: Ending) -> Case:
    return Case(payloads, ending, ending, ending, ending)


def failing(
    payloads: list[bytes], code: str, sdk: str, codex: str, status: int = 502, codex_status: int = 502
) -> Case:
    """It begins well, so that a stream tells of the failure itself; `sdk` and `codex` are the codes in it."""
    text = "half an ans"
    return Case(
        [TEXT, *payloads],
        Ending("failed", sdk, text),
        Ending(status, code),
        Ending("failed", codex, text),
        Ending(codex_status, code),
    )


def broken(payloads: list[bytes]) -> Case:
    """An upstream that makes no sense; the Codex CLI does not ask it again."""
    return failing(payloads, "upstream_invalid", "upstream_invalid", "invalid_prompt", 502, 400)


def unfinished(payloads: list[bytes], code: str = "upstream_incomplete", told: str = "server_error") -> Case:
    """An upstream that broke down; the Codex CLI asks again."""
    return failing(payloads, code, told, "server_error")


def error(code: Any) -> bytes:
    return json.dumps({"error": {"message": "It broke.", "code": code}}).encode()


CASES = {
    "stop": same(
        [chunk({"content": "Hi"}), chunk(finish="stop"), b"[DONE]"], Ending("completed", None, "Hi")
    ),
    "no mark": same([chunk({"content": "Hi"}), chunk(finish="stop")], Ending("completed", None, "Hi")),
    "length": same(
        [TEXT, chunk(finish="length"), b"[DONE]"], Ending("incomplete", "max_output_tokens", "half an ans")
    ),
    "length within a call": same(
        [chunk(call(0, "x", "f", '{"a')), chunk(finish="length")], Ending("incomplete", "max_output_tokens")
    ),
    "length at once": same([chunk(finish="length")], Ending("incomplete", "max_output_tokens")),
    "content_filter": Case(
        [TEXT, chunk(finish="content_filter"), b"[DONE]"],
        Ending("incomplete", "content_filter", "half an ans"),
        Ending("incomplete", "content_filter", "half an ans"),
        Ending("failed", "invalid_prompt", "half an ans"),
        Ending(400, "content_filter"),
    ),
    "refusal": Case(
        [chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk(finish="stop")],
        Ending("completed", None, "", "I cannot."),
        Ending("completed", None, "", "I cannot."),
        Ending("completed", None, "I cannot."),
        Ending("completed", None, "I cannot."),
    ),
    "error": unfinished([error(None), b"[DONE]"], "upstream_error", "upstream_error"),
    "cut": unfinished([]),
    "cut within a call": unfinished([chunk(call(0, "x", "f", '{"a'))]),
    "a finish that is a failure": unfinished([chunk(finish="error")], "upstream_error", "upstream_error"),
    "garbage": broken([b"{"]),
    "a call without a name": unfinished(
        [chunk(call(0, "x", None, "{}")), chunk(finish="stop")], "invalid_tool_call"
    ),
    "no resources": failing(
        [chunk(finish="insufficient_system_resource")],
        "server_is_overloaded",
        "server_is_overloaded",
        "server_is_overloaded",
        503,
        503,
    ),
    "too long": failing(
        [error("context_length_exceeded")],
        "context_length_exceeded",
        "context_length_exceeded",
        "context_length_exceeded",
        400,
        400,
    ),
    "too fast": failing(
        [error(429)], "rate_limit_exceeded", "rate_limit_exceeded", "rate_limit_exceeded", 429, 429
    ),
}


async def ask(case: Case, headers: dict[str, str], *, stream: bool) -> tuple[int, bytes]:
    """Status and body of the gateway's answer; the upstream holds back the end of a stream until its text is seen."""
    seen = asyncio.Event()

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer())
        for payload in case.payloads:
            writer.write(b"data: " + payload + b"\n\n")
            if stream and payload is TEXT:
                await writer.drain()
                await seen.wait()

    async with raw(handler) as (url, _), gateway(url) as base, httpx.AsyncClient(timeout=20) as client:
        body = b""
        async with client.stream(
            "POST", f"{base}/v1/responses", json={**ASK, "stream": stream}, headers=headers
        ) as found:
            async for data in found.aiter_raw():
                body += data
                if b"half an ans" in body:
                    seen.set()
    return found.status_code, body


def ended(response: Json, text: str, refusal: str) -> Ending:
    reason = (response["incomplete_details"] or {}).get("reason")
    why = response["error"]["code"] if response["error"] else reason
    return Ending(response["status"], why, text, refusal)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("codex", [False, True])
@pytest.mark.parametrize("text", ["", "<|im_end|>", " \n"])
async def test_an_answer_that_says_nothing_fails(text: str, codex: bool, stream: bool) -> None:
    case = same([chunk({"role": "assistant", "content": text}), chunk(finish="stop")], Ending("completed"))
    status, body = await ask(case, CODEX if codex else SDK, stream=stream)
    if codex and stream:  # the CLI reads the reason of a failed stream alone
        told = check(decode(body.removesuffix(MARK)))
        assert (status, ended(told.response, "", "")) == (200, Ending("failed", "server_error"))
    else:
        assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_empty")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("codex", [False, True])
async def test_a_stream_ends(name: str, codex: bool) -> None:
    case = CASES[name]
    status, body = await ask(case, CODEX if codex else SDK, stream=True)
    assert status == 200
    assert body.endswith(MARK)
    told: Told = check(decode(body.removesuffix(MARK)))
    expected = case.codex_streamed if codex else case.sdk_streamed
    assert ended(told.response, told.text, told.refusal) == expected
    assert (told.error is not None) == (expected.status == "failed")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("codex", [False, True])
async def test_an_answer_in_one_piece_ends(name: str, codex: bool) -> None:
    case = CASES[name]
    status, body = await ask(case, CODEX if codex else SDK, stream=False)
    expected = case.codex_whole if codex else case.sdk_whole
    if status != 200:
        failure = json.loads(body)["error"]
        assert Ending(status, failure["code"]) == expected
        assert set(failure) == {"message", "type", "param", "code"}
        return
    response = json.loads(body)
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    text = "".join(part.get("text", "") for part in parts)
    refusal = "".join(part.get("refusal", "") for part in parts)
    assert ended(response, text, refusal) == expected
    if response["status"] == "incomplete" and response["output"]:
        assert response["output"][-1]["status"] == "incomplete"


FIRST = {
    "error": ([error(None)], 502, "upstream_error"),
    "error with a code": ([error("context_length_exceeded")], 400, "context_length_exceeded"),
    "cut": ([], 502, "upstream_incomplete"),
    "mark alone": ([b"[DONE]"], 502, "upstream_incomplete"),
    "garbage": ([b"<html>"], 502, "upstream_invalid"),
}


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_before_anything_was_said_has_its_status(name: str, stream: bool) -> None:
    payloads, status, code = FIRST[name]
    found, body = await ask(same(payloads, Ending(status)), SDK, stream=stream)
    assert (found, json.loads(body)["error"]["code"]) == (status, code)


@pytest.mark.parametrize("name", FIRST)
async def test_a_failure_before_anything_was_said_is_told_to_the_codex_cli_in_the_stream(name: str) -> None:
    payloads, status, code = FIRST[name]
    found, body = await ask(same(payloads, Ending(status)), CODEX, stream=True)
    assert found == 200
    told = check(decode(body.removesuffix(MARK)))
    assert told.response["status"] == "failed"
    assert told.items == []
    final = {"context_length_exceeded": "context_length_exceeded", "upstream_invalid": "invalid_prompt"}
    assert told.response["error"]["code"] == final.get(code, "server_error")


def test_codex_comes_back_to_a_gateway_that_stops() -> None:
    body, code = failures.event(stopping(), codex=True)
    assert (body["code"], code) == ("shutting_down", "server_error")
