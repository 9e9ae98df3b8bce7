"""The edge over real sockets: statuses, heartbeats, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.support.live import RawUpstream, answer, gateway, raw

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
CODEX = {"originator": "codex_exec"}
ASK = {"model": "m", "input": "hello"}


def events(text: str) -> list[dict[str, Any]]:
    """The JSON of each event; the end mark is checked and left out."""
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(line) for line in data[:-1]]


async def post(base: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"{base}/v1/responses", json=body, headers=headers)


def replying(data: bytes) -> Any:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return handler


async def silent(_: bytes, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def one_chunk_then_silence(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(CHUNK % b"hi"))
    await writer.drain()
    await asyncio.sleep(60)


# -- what a client gets ----------------------------------------------------------------------------------------------


async def test_an_answer_and_the_same_answer_streamed() -> None:
    async with raw(replying(answer(CHUNK % b"a", CHUNK % b"b", END))) as (url, _), gateway(url) as base:
        whole = (await post(base, ASK)).json()
        streamed = events((await post(base, {**ASK, "stream": True})).text)
    last = streamed[-1]["response"]
    assert whole["output"][0]["content"][0]["text"] == "ab"
    assert [item["content"] for item in last["output"]] == [item["content"] for item in whole["output"]]
    assert set(last) == set(whole)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": {"message": "no", "code": "bad", "param": "x"}}, (400, "bad", "x")),
        (401, {"error": {"message": "no"}}, (502, "upstream_authentication", None)),
        (404, {"detail": "no"}, (404, "upstream_not_found", None)),
        (422, {"object": "error", "message": "no", "type": "invalid"}, (422, "invalid", None)),
        (429, {"error": {"message": "slow down"}}, (429, "rate_limit_exceeded", None)),
        (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, (429, "insufficient_quota", None)),
        (400, {"error": {"message": "maximum context length is 4"}}, (400, "context_length_exceeded", None)),
        (500, {"error": "oops"}, (500, "upstream_error", None)),
        (307, {}, (502, "upstream_redirect", None)),
    ],
)
async def test_a_refusal_keeps_its_status(
    stream: bool, status: int, body: dict[str, Any], expected: tuple[int, str, str | None]
) -> None:
    data = answer(
        json.dumps(body).encode(),
        status=f"{status} No",
        kind="application/json",
        headers="retry-after: 7\r\n",
    )
    async with raw(replying(data)) as (url, _), gateway(url) as base:
        response = await post(base, {**ASK, "stream": stream})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == expected
    assert set(error) == {"message", "type", "param", "code"}
    if status in (429, 500):
        assert response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (400, None, "invalid_prompt"),
        (400, "context_length_exceeded", "context_length_exceeded"),
        (401, None, "invalid_prompt"),
        (402, None, "insufficient_quota"),
        (403, None, "invalid_prompt"),
        (404, None, "invalid_prompt"),
        (404, "model_not_found", "invalid_prompt"),
        (413, None, "invalid_prompt"),
        (422, None, "invalid_prompt"),
        (429, "insufficient_quota", "insufficient_quota"),
        (429, None, "rate_limit_exceeded"),
        (500, None, "server_error"),
        (502, None, "server_error"),
        (503, None, "server_is_overloaded"),
        (529, None, "server_is_overloaded"),
    ],
)
async def test_the_codex_cli_is_told_so_that_it_does_not_repeat_in_vain(
    status: int, code: str | None, told: str
) -> None:
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()
    data = answer(body, status=f"{status} No", kind="application/json", headers="retry-after: 2\r\n")
    async with raw(replying(data)) as (url, _), gateway(url) as base:
        response = await post(base, {**ASK, "stream": True}, CODEX)
    found = events(response.text)
    kinds = [event["type"] for event in found]
    assert kinds == ["response.created", "response.in_progress", "error", "response.failed"]
    failure = found[-1]["response"]["error"]
    assert failure["code"] == told
    assert ": no" in failure["message"] or code == "model_not_found"
    assert ("try again in 2s" in failure["message"]) == (told == "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ({"model": "m"}, CODEX, 400, "missing_required_parameter"),
        (ASK, CODEX | {"authorization": "Bearer wrong"}, 400, "invalid_api_key"),
        (ASK, {"authorization": "Bearer wrong"}, 401, "invalid_api_key"),
        ({"model": "m"}, {"authorization": "Bearer key"}, 400, "missing_required_parameter"),
    ],
)
async def test_a_failure_before_the_road_is_final_for_the_codex_cli(
    body: dict[str, Any], headers: dict[str, str], status: int, code: str
) -> None:
    async with gateway("http://127.0.0.1:9/v1", token={"me": "key"}) as base:
        response = await post(base, body, {"authorization": "Bearer key"} | headers)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_a_filtered_answer_is_final_for_the_codex_cli() -> None:
    data = answer(
        CHUNK % b"part", b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}\n\n'
    )
    async with raw(replying(data)) as (url, _), gateway(url) as base:
        told = events((await post(base, {**ASK, "stream": True}, CODEX)).text)
        others = events((await post(base, {**ASK, "stream": True})).text)
    assert told[-1]["response"]["error"]["code"] == "invalid_prompt"
    assert others[-1]["response"]["incomplete_details"] == {"reason": "content_filter"}


@pytest.mark.parametrize(
    "data",
    [
        answer(b"<html>hello</html>", kind="text/html"),
        answer(b"hello", kind="text/event-stream"),
        answer(b'{"error": {"message": "no", "code": "500"}}', kind="application/json"),
        answer(b'{"choices": "no"}', kind="application/json"),
        answer(b"data: {not json\n\n"),
        answer(b'data: {"error": {"message": "no"}}\n\n'),
        answer(b"data: [DONE]\n\n"),
        answer(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\ncontent-type: text/event-stream\r\n\r\ndata:",
        b"garbage\r\n\r\n",
        b"",
    ],
)
async def test_no_false_success(data: bytes) -> None:
    async with raw(replying(data)) as (url, _), gateway(url) as base:
        whole = await post(base, ASK)
        streamed = await post(base, {**ASK, "stream": True})
    assert whole.status_code >= 500
    assert whole.json()["error"]["message"]
    assert streamed.status_code >= 500 or events(streamed.text)[-1]["type"] == "response.failed"


async def test_an_upstream_that_is_not_there() -> None:
    async with gateway("http://127.0.0.1:9/v1") as base:
        response = await post(base, {**ASK, "stream": True})
        ready = await _get(f"{base}/ready")
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert ready.status_code == 502


async def _get(url: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(url)


async def test_a_cut_stream_ends_in_words() -> None:
    async with raw(replying(answer(CHUNK % b"half an ans"))) as (url, _), gateway(url) as base:
        found = events((await post(base, {**ASK, "stream": True})).text)
        whole = await post(base, ASK)
    assert [event["type"] for event in found[-2:]] == ["error", "response.failed"]
    assert found[-2]["error"]["code"] == "upstream_incomplete"
    assert found[-1]["response"]["output"] == []
    assert whole.status_code == 502


async def test_silence_ends_at_the_idle_limit() -> None:
    async with raw(one_chunk_then_silence) as (url, _), gateway(url, idle_timeout_seconds=0.3) as base:
        found = events((await post(base, {**ASK, "stream": True})).text)
    assert found[-1]["response"]["error"]["code"] == "upstream_timeout"


async def test_a_request_ends_at_the_total_limit() -> None:
    async def trickle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer())
        for _tick in range(100):
            writer.write(CHUNK % b".")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw(trickle) as (url, upstream), gateway(url, timeout_seconds=0.4) as base:
        found = events((await post(base, {**ASK, "stream": True})).text)
        await asyncio.wait_for(upstream.closed.wait(), 2)
    assert found[-1]["response"]["error"]["code"] == "upstream_timeout"


async def test_a_silent_upstream_is_covered_by_heartbeats() -> None:
    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2.2)  # longer than the status is held for
        writer.write(answer(CHUNK % b"late", END))

    async with raw(slow) as (url, _), gateway(url, heartbeat_seconds=0.2) as base:
        found = events((await post(base, {**ASK, "stream": True})).text)
    kinds = [event["type"] for event in found]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds.count("response.in_progress") >= 3
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert found[-1]["type"] == "response.completed"


async def test_a_refusal_after_the_status_is_out_is_told_in_the_stream() -> None:
    async def late(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.8)
        writer.write(answer(b'{"error": {"message": "no"}}', status="400 No", kind="application/json"))

    async with raw(late) as (url, _), gateway(url) as base:
        response = await post(base, {**ASK, "stream": True})
    assert response.status_code == 200
    assert events(response.text)[-1]["type"] == "response.failed"


# -- clients that leave ----------------------------------------------------------------------------------------------


async def leave(base: str, body: dict[str, Any], until: bytes) -> None:
    """Send a request on a raw socket, read until some bytes came, and close."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    data = json.dumps(body).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(data) + data)
    await writer.drain()
    if until:
        await reader.readuntil(until)
    writer.close()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_before_the_first_byte_cancels_the_upstream(stream: bool) -> None:
    async with raw(silent) as (url, upstream), gateway(url) as base:
        leaving = asyncio.create_task(_leave_when_asked(base, {**ASK, "stream": stream}, upstream))
        left = await leaving
        await asyncio.wait_for(upstream.closed.wait(), 5)
        took = asyncio.get_running_loop().time() - left
    assert took < 0.25


async def _leave_when_asked(base: str, body: dict[str, Any], upstream: RawUpstream) -> float:
    host, port = base.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    data = json.dumps(body).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(data) + data)
    await upstream.asked.wait()
    writer.close()
    return asyncio.get_running_loop().time()


async def test_a_client_that_leaves_mid_stream_cancels_the_upstream() -> None:
    async with raw(one_chunk_then_silence) as (url, upstream), gateway(url) as base:
        await leave(base, {**ASK, "stream": True}, b"output_text.delta")
        left = asyncio.get_running_loop().time()
        await asyncio.wait_for(upstream.closed.wait(), 5)
        took = asyncio.get_running_loop().time() - left
    assert took < 0.25


async def test_a_client_that_leaves_while_a_whole_answer_is_made_cancels_the_upstream() -> None:
    async with raw(one_chunk_then_silence) as (url, upstream), gateway(url) as base:
        left = await _leave_when_asked(base, ASK, upstream)
        await asyncio.wait_for(upstream.closed.wait(), 5)
        took = asyncio.get_running_loop().time() - left
    assert took < 0.25


async def test_clients_that_leave_leave_no_task_behind() -> None:
    async with raw(one_chunk_then_silence) as (url, upstream), gateway(url) as base:
        before = len(asyncio.all_tasks())
        for _ in range(5):
            upstream.closed.clear()
            await leave(base, {**ASK, "stream": True}, b"output_text.delta")
            await asyncio.wait_for(upstream.closed.wait(), 5)
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) <= before
