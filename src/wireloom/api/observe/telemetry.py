"""Requests as spans and metrics of OpenTelemetry; where they are sent is said by its own variables (OTEL_*)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.datastructures import Headers
from starlette.types import Scope

from wireloom.api.observe import genai
from wireloom.exchange import Exchange

# Operations that ask a model; the others are no matter of these conventions.
GENERATING = frozenset({"createResponse", "createChatCompletion", "compactResponse"})
# Clients choose the names of models: of more than these, what follows is one.
MOST_MODELS = 200
OTHER = "other"
# Status of a response -> why it ended.
FINISHES: Mapping[str | None, str] = {"completed": "stop", "incomplete": "length", "failed": "error"}
HISTOGRAMS: Mapping[str, tuple[str, str, tuple[float, ...]]] = {
    genai.CLIENT_DURATION: ("s", "How long an operation took.", genai.SECONDS),
    genai.CLIENT_TOKENS: ("{token}", "Tokens that were read and written.", genai.COUNTS),
    genai.CLIENT_FIRST_CHUNK: ("s", "Until the backend sent the first part of its answer.", genai.SECONDS),
    genai.SERVER_DURATION: ("s", "How long a client waited for the whole of its answer.", genai.SECONDS),
    genai.SERVER_FIRST_TOKEN: ("s", "Until a client had the first token.", genai.SECONDS),
    genai.SERVER_PER_TOKEN: ("s", "From one token to the next, after the first.", genai.SECONDS),
}


class Telemetry:
    """Writes down each request when it has ended.

    Args:
        providers: name of a backend, as requests have noted it -> the provider's name.
        default: that of requests which have noted none, because there is only one.
        processor: takes spans; None sends them by OTLP over HTTP.
        reader: takes metrics; None likewise.
        now_ns: tells the time in nanoseconds since the epoch.
    """

    def __init__(
        self,
        providers: Mapping[str, str],
        default: str,
        processor: SpanProcessor | None = None,
        reader: MetricReader | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._providers = providers
        self._default = default
        self._now = now_ns
        self._models: set[str] = set()
        resource = Resource.create({"service.name": "wireloom", "service.version": version("wireloom")})
        self._tracing = TracerProvider(resource=resource)
        self._tracing.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._metering = MeterProvider(
            [reader or PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource
        )
        self._tracer = self._tracing.get_tracer("wireloom", version("wireloom"))
        meter = self._metering.get_meter("wireloom", version("wireloom"))
        self._histograms: dict[str, Histogram] = {
            name: meter.create_histogram(name, unit, told, explicit_bucket_boundaries_advisory=list(bounds))
            for name, (unit, told, bounds) in HISTOGRAMS.items()
        }

    def ended(self, exchange: Exchange, scope: Scope) -> None:
        """A request has ended.

        Args:
            exchange: what is known of it.
            scope: its headers, which may name a trace that it belongs to.
        """
        if exchange.operation not in GENERATING:
            return
        model = exchange.model or OTHER
        common: dict[str, Any] = {
            genai.OPERATION: genai.CHAT,
            genai.PROVIDER: self._providers.get(exchange.asked or "", self._default),
        }
        if exchange.outcome not in ("ok", "incomplete"):
            common[genai.ERROR] = exchange.error or exchange.outcome
        self._span(exchange, scope, {**common, genai.REQUEST_MODEL: model})
        self._measure(exchange, {**common, genai.REQUEST_MODEL: self._few(model, exchange)})

    @staticmethod
    def requested(asked: Any) -> dict[str, Any]:
        """What a request sets, as far as it is a number.

        Args:
            asked: the validated request of either face.
        """
        found = {
            attribute: next(
                (value for name in names if (value := getattr(asked, name, None)) is not None), None
            )
            for attribute, names in genai.REQUESTED.items()
        }
        return {name: value for name, value in found.items() if isinstance(value, int | float)}

    def close(self) -> None:
        """Send what is left."""
        self._tracing.shutdown()
        self._metering.shutdown()

    def _span(self, exchange: Exchange, scope: Scope, attributes: dict[str, Any]) -> None:
        ended = self._now()
        begun = ended - round(exchange.seconds()["total"] * 1e9)
        attributes |= {**exchange.requested, **_answered(exchange)}
        span = self._tracer.start_span(
            f"{genai.CHAT} {attributes[genai.REQUEST_MODEL]}",
            propagate.extract(Headers(scope=scope)),
            SpanKind.CLIENT,
            attributes,
            start_time=begun,
        )
        if genai.ERROR in attributes:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def _measure(self, exchange: Exchange, attributes: dict[str, Any]) -> None:
        seconds, tokens = exchange.seconds(), exchange.tokens
        total, first = seconds["total"], seconds.get("first_content")
        begun = seconds.get("upstream_first_byte")
        found = {
            genai.CLIENT_DURATION: total,
            genai.SERVER_DURATION: total,
            genai.CLIENT_FIRST_CHUNK: begun if exchange.streamed else None,
            genai.SERVER_FIRST_TOKEN: first if exchange.streamed else None,
        }
        written = tokens.get("output", 0)
        if exchange.streamed and first is not None and written > 1:
            found[genai.SERVER_PER_TOKEN] = (total - first) / (written - 1)
        for name, value in found.items():
            if value is not None:
                self._histograms[name].record(value, attributes)
        for kind in ("input", "output"):
            if kind in tokens:
                self._histograms[genai.CLIENT_TOKENS].record(
                    tokens[kind], {**attributes, genai.TOKEN_TYPE: kind}
                )

    def _few(self, model: str, exchange: Exchange) -> str:
        """A model's name as a label: of one that has answered, and of not too many."""
        if model not in self._models:
            if exchange.status >= 400 or len(self._models) >= MOST_MODELS:
                return OTHER
            self._models.add(model)
        return model


def _answered(exchange: Exchange) -> dict[str, Any]:
    """What is known of an answer, without anything that it says."""
    response = exchange.answer.response if exchange.answer is not None else {}
    conversation, tokens = response.get("conversation"), exchange.tokens
    found = {
        genai.RESPONSE_MODEL: response.get("model"),
        genai.RESPONSE_ID: response.get("id"),
        genai.CONVERSATION_ID: conversation.get("id") if isinstance(conversation, Mapping) else None,
        genai.FINISH_REASONS: [FINISHES[exchange.terminal]] if exchange.terminal in FINISHES else None,
        genai.INPUT_TOKENS: tokens.get("input"),
        genai.OUTPUT_TOKENS: tokens.get("output"),
        genai.CACHED_TOKENS: tokens.get("cached"),
        "wireloom.request_id": exchange.request_id,
        "wireloom.lost": exchange.lost,
    }
    return {name: value for name, value in found.items() if value is not None}
