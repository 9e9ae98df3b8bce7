"""The line of each request in the log, and what /metrics tells: by real requests over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.live import Handler, answer, gateway, raw
from wireloom.api.observe.meters import Meters
from wireloom.api.observe.observer import Observer, line, summary
from wireloom.exchange import ENDED, UPSTREAM, Exchange

PROMPT, SAID = "canary-prompt", "canary-answer"
CHAT = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}
ASK = {"model": "m", "input": PROMPT}
USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
TOKENS = {"input": 7, "cached": 2, "output": 5, "reasoning": 1}


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    told = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
    return b"data: %b\n\n" % json.dumps(told).encode()


def said(finish: str = "stop") -> Handler:
    """An upstream that answers in a stream."""
    data = answer(chunk({"content": SAID}), chunk({}, finish, usage=USAGE), b"data: [DONE]\n\n")

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return handler


async def whole(_: bytes, writer: asyncio.StreamWriter) -> None:
    message = {"role": "assistant", "content": SAID}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    body = {"id": "c", "object": "chat.completion", "choices": [choice], "usage": USAGE}
    writer.write(answer(json.dumps(body).encode(), kind="application/json"))


async def cut(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(chunk({"content": SAID})))


async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(chunk({"content": SAID})))
    await writer.drain()
    await asyncio.sleep(60)


async def oddly_counted(_: bytes, writer: asyncio.StreamWriter) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"}
    body = {"id": "c", "object": "chat.completion", "choices": [choice], "usage": "many"}
    writer.write(answer(json.dumps(body).encode(), kind="application/json"))


Line = dict[str, Any]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Line]]:
    """The fields of the lines that requests have left."""
    caplog.set_level(logging.DEBUG, logger="wireloom.request")

    def found() -> list[Line]:
        records = [record for record in caplog.records if hasattr(record, "outcome")]
        return [{**vars(record), "said": record.getMessage()} for record in records]

    return found


@pytest.mark.parametrize(
    ("path", "body", "handler", "expected"),
    [
        ("responses", ASK, said(), {"face": "responses", "outcome": "ok", "terminal": "completed"}),
        ("responses", ASK, said("length"), {"outcome": "incomplete", "terminal": "incomplete"}),
        ("responses", {**ASK, "stream": True}, said(), {"stream": True, "outcome": "ok"}),
        ("chat/completions", CHAT, said(), {"face": "chat", "outcome": "ok", "terminal": "completed"}),
        ("chat/completions", CHAT, whole, {"outcome": "incomplete", "tokens": TOKENS}),
        ("chat/completions", {**CHAT, "stream": True}, said(), {"face": "chat", "stream": True}),
        ("chat/completions", {**CHAT, "stream": True}, whole, {"outcome": "incomplete"}),
    ],
)
async def test_an_answer_leaves_a_line(
    path: str,
    body: dict[str, Any],
    handler: Handler,
    expected: Line,
    lines: Callable[[], list[Line]],
) -> None:
    async with raw(handler) as (url, _), gateway(url, token={"mine": "k"}) as base:
        async with httpx.AsyncClient(headers={"x-api-key": "k"}) as client:
            response = await client.post(f"{base}/v1/{path}", json=body)
    (line,) = lines()
    assert response.status_code == line["status"] == 200
    assert {name: line[name] for name in expected} == expected
    assert (line["key"], line["backend"], line["model"]) == ("mine", "default", "m")
    assert line["request_id"] == response.headers["x-request-id"]
    assert line["tokens"] == TOKENS
    reached = {"read", "translate", "queue", "upstream_first_byte", "total"}
    if body.get("stream"):
        reached |= {"first_event", "first_content"}
    assert line["ms"].keys() == reached
    assert line["said"].startswith(f"{line['request_id']} {line['operation']} 200 {line['outcome']} 'm' ")


async def test_counts_that_cannot_be_read_are_no_reason_to_refuse_an_answer(
    lines: Callable[[], list[Line]],
) -> None:
    async with raw(oddly_counted) as (url, _), gateway(url) as base, httpx.AsyncClient() as client:
        response = await client.post(f"{base}/v1/chat/completions", json=CHAT)
    assert response.json()["usage"] == "many"
    (line,) = lines()
    assert line["outcome"] == "ok"
    assert "tokens" not in line


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("v1/responses", {"model": "m"}, (400, "refused", "missing_required_parameter")),
        ("v1/responses", {**ASK, "stream": True}, (200, "failed", "upstream_incomplete")),
        ("v1/chat/completions", {**CHAT, "stream": True}, (200, "failed", "upstream_incomplete")),
        ("v1/responses", ASK, (502, "failed", "upstream_incomplete")),
        ("v1/chat/completions", CHAT, (502, "failed", "upstream_incomplete")),
        ("elsewhere", {}, (404, "refused", "not_found")),
    ],
)
async def test_a_failure_leaves_a_line(
    path: str,
    body: dict[str, Any],
    expected: tuple[int, str, str],
    lines: Callable[[], list[Line]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with raw(cut) as (url, _), gateway(url) as base, httpx.AsyncClient() as client:
        await client.post(f"{base}/{path}", json=body)
    (line,) = lines()
    assert (line["status"], line["outcome"], line["error"]) == expected
    levels = {"failed": logging.WARNING, "refused": logging.INFO if path.startswith("v1") else logging.DEBUG}
    assert line["levelno"] == levels[line["outcome"]]
    assert PROMPT not in caplog.text
    assert SAID not in caplog.text


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_left(stream: bool, lines: Callable[[], list[Line]]) -> None:
    async with raw(slow) as (url, upstream), gateway(url) as base:
        with pytest.raises(httpx.ReadTimeout):
            async with httpx.AsyncClient(timeout=0.5) as client:
                await client.post(f"{base}/v1/responses", json={**ASK, "stream": stream})
        await asyncio.wait_for(upstream.closed.wait(), 5)
        while not lines():
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient() as client:
            told = await client.get(f"{base}/metrics", headers={"accept": "application/json"})
    (line, *_) = lines()
    assert line["outcome"] == "client_gone"
    counters = told.json()
    assert (counters["requests_total"], counters["requests_ok"], counters["requests_error"]) == (1, 0, 0)


async def test_what_is_lost_is_in_the_line(lines: Callable[[], list[Line]]) -> None:
    async with raw(said()) as (url, _), gateway(url) as base, httpx.AsyncClient() as client:
        response = await client.post(f"{base}/v1/responses", json={**ASK, "text": {"verbosity": "low"}})
    (line,) = lines()
    assert line["lost"] == response.headers["x-wireloom-loss"]
    assert line["lost"].startswith("text.verbosity;")


async def test_metrics() -> None:
    async with raw(said()) as (url, _), gateway(url, token={"mine": "k"}) as base:
        async with httpx.AsyncClient(base_url=base, headers={"x-api-key": "k"}) as client:
            await client.post("/v1/responses", json=ASK)
            await client.post("/v1/responses", json={**ASK, "stream": True})
            await client.post("/v1/responses", json={})
            await client.get("/health")
            await client.get("/ready")
            text = await client.get("/metrics")
            counters = (await client.get("/metrics", headers={"accept": "application/json"})).json()
        async with httpx.AsyncClient() as stranger:
            assert (await stranger.get(f"{base}/metrics")).status_code == 401
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.text)
        for sample in family.samples
    }
    assert found["wireloom_requests_total", "200", "createResponse", "ok"] == 2
    assert found["wireloom_requests_total", "400", "createResponse", "refused"] == 1
    assert found["wireloom_tokens_total", "input"] == 14
    assert found["wireloom_requests_open",] == 0
    assert found["wireloom_request_seconds_count", "createResponse"] == 3
    assert found["wireloom_queue_seconds_count", "createResponse"] == 2
    assert found["wireloom_first_content_seconds_count", "createResponse"] == 1
    assert counters.pop("uptime_seconds") > 0
    assert counters == {
        "requests_total": 3,
        "requests_ok": 2,
        "requests_error": 1,
        "errors_by_status": {"400": 1},
        "engine": "chat",
        "app_server_pool_started": False,
        "requests_open": 0,
        "tokens": {name: 2 * count for name, count in TOKENS.items()},
        "account_windows": {},
    }


def test_the_windows_of_an_account() -> None:
    limits = {"x-codex-primary-used-percent": "12", "x-codex-secondary-reset-at": "1700000000"}
    meters = Meters("app-server", lambda: limits)
    assert meters.counters()["account_windows"] == {
        "primary_used_percent": 12,
        "secondary_reset_at": 1_700_000_000,
    }
    assert "wireloom_account_window_primary_used_percent 12.0" in meters.text()


def test_a_line_has_what_is_known_and_nothing_else() -> None:
    seconds = iter((0.0, 0.25, 0.25))
    exchange = Exchange("req_1", lambda: next(seconds))
    exchange.mark(ENDED)
    exchange.status = 404
    assert line(exchange) == {
        "request_id": "req_1",
        "stream": False,
        "status": 404,
        "outcome": "refused",
        "ms": {"total": 250.0},
    }
    exchange.operation, exchange.principal = "compactResponse", "mine"
    exchange.ask("b", "theirs")
    exchange.mark(UPSTREAM)
    exchange.model, exchange.error, exchange.lost = "m" * 101, "e" * 101, "lost"
    exchange.passed_over = ["a"]
    told = line(exchange)
    assert {name: value for name, value in told.items() if name not in ("request_id", "status", "ms")} == {
        "operation": "compactResponse",
        "key": "mine",
        "face": "responses",
        "backend": "b",
        "passed_over": ["a"],
        "model": "m" * 100,
        "upstream_model": "theirs",
        "stream": False,
        "outcome": "refused",
        "error": "e" * 100,
        "lost": "lost",
    }
    assert (
        summary(told) == f"req_1 compactResponse 404 refused '{'m' * 100}' 250 ms error {'e' * 100} lost lost"
    )


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/v1/models"])
async def test_a_fault_of_the_gateway_is_raised_on_and_noted(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def faulty(*_: Any) -> Any:
        raise ZeroDivisionError

    meters = Meters("chat", dict)
    noted: list[Exchange] = []
    observer = Observer(faulty, meters, told=lambda exchange, _: noted.append(exchange))
    scope: dict[str, Any] = {"type": "http", "path": path, "headers": []}
    with pytest.raises(ZeroDivisionError), caplog.at_level(logging.DEBUG, logger="wireloom.request"):
        await observer(scope, faulty, faulty)
    (exchange,) = noted
    assert (exchange.status, exchange.error, exchange.outcome) == (500, "internal_error", "failed")
    assert exchange.seconds().keys() == {"total"}
    assert meters.counters()["requests_total"] == (path == "/v1/models")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_name_cannot_forge_a_line() -> None:
    told = {"request_id": "r", "status": 200, "outcome": "ok", "model": "a\nb\x1b[0m", "ms": {"total": 1.0}}
    assert summary({**told, "error": "c\nd"}) == r"r - 200 ok 'a\nb\x1b[0m' 1 ms error c\nd"


async def test_what_is_said_where_that_is_asked_for(lines: Callable[[], list[Line]]) -> None:
    async with raw(said()) as (url, _), gateway(url, log_content=True) as base:
        async with httpx.AsyncClient(timeout=20) as client:
            await client.post(f"{base}/v1/responses", json={**ASK, "metadata": {"a": "x" * 200_000}})
            told = await client.post(f"{base}/v1/responses", json={**ASK, "stream": True})
    cut, whole_line = lines()
    assert len(cut["request_body"]) == 100_000
    assert json.loads(whole_line["request_body"]) == {**ASK, "stream": True}
    assert whole_line["response_body"] == told.text
    assert SAID in told.text
