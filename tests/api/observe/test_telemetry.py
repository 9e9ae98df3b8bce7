"""Traces and metrics of OpenTelemetry: by real requests, through the SDK's own exporters in memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.support.live import Handler, answer, gateway, raw
from wireloom import app
from wireloom.api.observe import telemetry
from wireloom.config import Settings

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
