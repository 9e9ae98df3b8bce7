"""Traces and metrics of OpenTelemetry: by real requests, through the SDK's own exporters in memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.live import Handler, answer, gateway, raw
from wireloom import app
from wireloom.api.observe import telemetry
from wireloom.config import Settings
from wireloom.exchange import (
    ADMITTED,
    ENDED,
    FIRST_CONTENT,
    FIRST_EVENT,
    QUEUED,
    READ,
    UPSTREAM,
    Exchange,
)

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    told = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
    return b"data: %b\n\n" % json.dumps(told).encode()


def writes(*parts: bytes, **more: Any) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(*parts, **more))

    return handler


WELL = writes(chunk({"content": "canary-answer"}), chunk({}, "stop", usage=USAGE), b"data: [DONE]\n\n")
BROKEN = writes(b"{}", status="500 No", kind="application/json")


class Seen:
    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()

    def points(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()

    def made(providers: Any, default: str) -> telemetry.Telemetry:
        return telemetry.Telemetry(providers, default, SimpleSpanProcessor(found.spans), found.reader)

    real = app._load
    monkeypatch.setattr(
        app, "_load", lambda module, name: made if name == "Telemetry" else real(module, name)
    )
    return found


async def ask(base: str, path: str = "responses", **more: Any) -> httpx.Response:
    said = {"messages": [{"role": "user", "content": "canary-prompt"}]}
    body = {"model": "m", **(said if path.startswith("chat") else {"input": "canary-prompt"}), **more}
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"{base}/v1/{path}", json=body, headers=headers)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["responses", "chat/completions"])
async def test_an_answer(seen: Seen, path: str, stream: bool) -> None:
    async with raw(WELL) as (url, _), gateway(url, otel=True, provider="kimi") as base:
        await ask(base, path, stream=stream, temperature=0.5, top_p=1)
        points = seen.points()
        async with httpx.AsyncClient(timeout=20) as client:
            await client.get(f"{base}/health")
    (span,) = seen.spans.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert span.name == "chat m"
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "moonshot_ai",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 1,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 2,
    }
    assert {name: attributes.get(name) for name in expected} == expected
    assert "canary" not in str(attributes)
    assert span.status.status_code is StatusCode.UNSET
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum for point in points["gen_ai.client.token.usage"]
    }
    assert tokens == {"input": 7, "output": 5}
    expected_names = {
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.duration",
        "gen_ai.server.request.duration",
    }
    if stream:
        expected_names |= {
            "gen_ai.client.operation.time_to_first_chunk",
            "gen_ai.server.time_to_first_token",
            "gen_ai.server.time_per_output_token",
        }
    assert points.keys() == expected_names
    (duration,) = points["gen_ai.client.operation.duration"]
    assert duration.explicit_bounds[:3] == (0.01, 0.02, 0.04)
    assert len(duration.explicit_bounds) == 14


def measured(*exchanges: Exchange) -> tuple[list[Any], dict[str, list[Any]]]:
    """The spans and the points of metrics of some requests."""
    seen = Seen()
    counting = telemetry.Telemetry(
        {"b": "x_ai"}, "openai", SimpleSpanProcessor(seen.spans), seen.reader, lambda: 100 * 10**9
    )
    for exchange in exchanges:
        counting.ended(exchange, {"type": "http", "headers": []})
    return list(seen.spans.get_finished_spans()), seen.points()


class Answered:
    """An answer that is known in full."""

    has_output = True

    def __init__(self, **members: Any) -> None:
        usage = {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 2},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 1},
        }
        self.response = {"status": "completed", "usage": usage, **members}


def exchange(**members: Any) -> Exchange:
    """A request that began 9 seconds before its end: byte after 4, first content after 5."""
    seconds = iter((0.0, 1.0, 2.0, 3.0, 4.0, 4.5, 5.0, 9.0))
    made = Exchange("req_1", lambda: next(seconds))
    made.operation, made.status, made.model = "createResponse", 200, "m"
    made.answer = Answered(id="resp_1", model="served", conversation={"id": "conv_1"})
    for name, value in members.items():
        setattr(made, name, value)
    for moment in (READ, QUEUED, ADMITTED, UPSTREAM, FIRST_EVENT, FIRST_CONTENT, ENDED):
        made.mark(moment)
    return made


COMMON = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}


def test_a_span_has_every_attribute_and_its_times() -> None:
    (span,), _ = measured(exchange(requested={"gen_ai.request.seed": 3}, lost="lost", asked="b"))
    assert (span.name, span.kind, span.start_time, span.end_time) == (
        "chat m",
        SpanKind.CLIENT,
        91 * 10**9,
        100 * 10**9,
    )
    assert dict(span.attributes) == {
        **COMMON,
        "gen_ai.provider.name": "x_ai",
        "gen_ai.request.seed": 3,
        "gen_ai.response.model": "served",
        "gen_ai.response.id": "resp_1",
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "wireloom.request_id": "req_1",
        "wireloom.lost": "lost",
    }
    assert span.resource.attributes["service.name"] == "wireloom"


@pytest.mark.parametrize(
    ("status", "reason"), [("completed", "stop"), ("incomplete", "length"), ("failed", "error")]
)
def test_a_span_has_the_finish_reason(status: str, reason: str) -> None:
    (span,), _ = measured(exchange(answer=Answered(status=status, conversation="conv_1")))
    assert span.attributes["gen_ai.response.finish_reasons"] == (reason,)
    assert "gen_ai.conversation.id" not in span.attributes
    assert ("error.type" in span.attributes) == (status == "failed")


def test_metrics_have_their_values_and_labels() -> None:
    _, points = measured(exchange(streamed=True))
    found = {
        (name, point.attributes.get("gen_ai.token.type")): (point.sum, dict(point.attributes))
        for name, of_name in points.items()
        for point in of_name
    }
    assert found == {
        ("gen_ai.client.operation.duration", None): (9.0, COMMON),
        ("gen_ai.server.request.duration", None): (9.0, COMMON),
        ("gen_ai.client.operation.time_to_first_chunk", None): (1.0, COMMON),
        ("gen_ai.server.time_to_first_token", None): (5.0, COMMON),
        ("gen_ai.server.time_per_output_token", None): (1.0, COMMON),
        ("gen_ai.client.token.usage", "input"): (7, {**COMMON, "gen_ai.token.type": "input"}),
        ("gen_ai.client.token.usage", "output"): (5, {**COMMON, "gen_ai.token.type": "output"}),
    }
    (tokens, _) = points["gen_ai.client.token.usage"]
    assert tokens.explicit_bounds == tuple(4.0**power for power in range(14))
    (first,) = points["gen_ai.server.time_to_first_token"]
    assert first.explicit_bounds == tuple(0.01 * 2**power for power in range(14))


def test_an_answer_in_one_piece_has_no_first_token() -> None:
    _, points = measured(exchange())
    assert points.keys() == {
        "gen_ai.client.operation.duration",
        "gen_ai.server.request.duration",
        "gen_ai.client.token.usage",
    }


def test_operations_without_a_model_are_not_measured() -> None:
    assert measured(exchange(operation="listModels")) == ([], {})
    for operation in ("createChatCompletion", "compactResponse"):
        assert len(measured(exchange(operation=operation))[0]) == 1


def test_a_failure_has_its_code_and_a_client_that_left_its_own_word() -> None:
    spans, points = measured(
        exchange(status=502, error="oops", model=None), exchange(status=499, left=True, answer=None)
    )
    assert [span.attributes["error.type"] for span in spans] == ["oops", "client_gone"]
    assert [span.attributes["gen_ai.request.model"] for span in spans] == ["other", "m"]
    labels = {
        (point.attributes["error.type"], point.attributes["gen_ai.request.model"])
        for point in points["gen_ai.client.operation.duration"]
    }
    assert labels == {("oops", "other"), ("client_gone", "other")}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {}),
        (
            {"temperature": 0.0, "top_p": 1, "seed": 3, "frequency_penalty": 0.5, "presence_penalty": -1, "n": 2},
            {
                "gen_ai.request.temperature": 0.0,
                "gen_ai.request.top_p": 1,
                "gen_ai.request.seed": 3,
                "gen_ai.request.frequency_penalty": 0.5,
                "gen_ai.request.presence_penalty": -1,
                "gen_ai.request.choice.count": 2,
            },
        ),
        ({"max_output_tokens": 1, "max_completion_tokens": 2}, {"gen_ai.request.max_tokens": 1}),
        ({"max_output_tokens": None, "max_completion_tokens": 2, "max_tokens": 3}, {"gen_ai.request.max_tokens": 2}),
        ({"max_tokens": 3, "temperature": "hot"}, {"gen_ai.request.max_tokens": 3}),
    ],
)  # fmt: skip
def test_the_numbers_that_a_request_sets(asked: dict[str, Any], found: dict[str, Any]) -> None:
    assert telemetry.Telemetry.requested(SimpleNamespace(**asked)) == found


async def test_a_failure(seen: Seen) -> None:
    async with raw(BROKEN) as (url, _), gateway(url, otel=True) as base:
        await ask(base)
        points = seen.points()
    (span,) = seen.spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["error.type"] == "upstream_error"
    assert span.status.status_code is StatusCode.ERROR
    (duration,) = points["gen_ai.client.operation.duration"]
    assert duration.attributes["gen_ai.request.model"] == "other"


async def test_names_of_models_are_few(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "MOST_MODELS", 2)
    async with raw(WELL) as (url, _), gateway(url, otel=True) as base:
        for name in ("a", "b", "c", "a"):
            await ask(base, model=name)
        points = seen.points()
    names = [point.attributes["gen_ai.request.model"] for point in points["gen_ai.client.operation.duration"]]
    assert sorted(names) == ["a", "b", "other"]


def test_providers() -> None:
    backends = {"a": {"provider": "xai"}, "b": {"backend": "exec"}, "c": {"upstream": "http://127.0.0.1/v1"}}
    settings = Settings(backends=backends, no_auth=True)
    for name, told in (("kimi", "moonshot_ai"), ("mistral", "mistral_ai"), ("groq", "groq")):
        assert app.providers_of(Settings(provider=name, no_auth=True))[1] == told
    assert app.providers_of(settings) == ({"a": "x_ai", "b": "openai", "c": "generic"}, "x_ai")


async def test_it_is_sent_by_otlp(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporters of the extra, to a collector of our own."""
    paths: list[str] = []

    async def collects(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", kind="application/x-protobuf"))

    async with raw(collects) as (collector, collected), raw(WELL) as (url, _):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.removesuffix("/v1"))
        async with gateway(url, otel=True) as base:
            await ask(base)
        paths += [head.decode().split()[1] for head in collected.heads]
    assert set(paths) == {"/v1/traces", "/v1/metrics"}
    sent = b"".join(collected.bodies)
    assert b"chat m" in sent
    assert b"gen_ai.client.operation.duration" in sent


def test_nothing_of_it_is_loaded_when_it_is_off() -> None:
    program = (
        "import sys, wireloom\n"
        "wireloom.create_app(wireloom.Settings(backend='demo', no_auth=True))\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
