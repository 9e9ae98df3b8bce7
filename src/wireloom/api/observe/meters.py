"""What was served since the start, as Prometheus and as JSON counters; names of clients are never labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from wireloom.exchange import Exchange

if TYPE_CHECKING:
    from wireloom_protocol import replies

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
# Phase -> what its histogram is called and tells.
PHASES: Mapping[str, tuple[str, str]] = {
    "total": ("wireloom_request_seconds", "How long requests took."),
    "translate": ("wireloom_translate_seconds", "How long requests took to translate."),
    "queue": ("wireloom_queue_seconds", "How long requests waited for a slot."),
    "upstream_first_byte": ("wireloom_upstream_first_byte_seconds", "How long the backend took to begin."),
    "first_event": ("wireloom_first_event_seconds", "How long streams took to begin."),
    "first_content": ("wireloom_first_content_seconds", "How long streams took to say something."),
}
HEADER = "x-codex-"
SERVED_WELL = frozenset({"ok", "incomplete"})
SERVED_BADLY = frozenset({"refused", "failed"})


class Meters:
    """Counts requests.

    Args:
        backend: what answers them.
        limits: headers that tell how the backend's account is.
    """

    def __init__(self, backend: str, limits: Callable[[], Mapping[str, str]]) -> None:
        self.backend = backend
        self._limits = limits
        self._started = time.monotonic()
        self._registry = registry = CollectorRegistry()
        Info("wireloom", "The gateway.", registry=registry).info(
            {"version": version("wireloom"), "backend": backend}
        )
        self._open = Gauge("wireloom_requests_open", "Requests that are being answered.", registry=registry)
        self._requests = Counter(
            "wireloom_requests",
            "Requests that have ended.",
            ("operation", "status", "outcome"),
            registry=registry,
        )
        # Names of backends are the operator's own, so they are few.
        self._answered = Counter(
            "wireloom_backend_requests",
            "Requests that a backend answered, where there are several.",
            ("backend", "outcome"),
            registry=registry,
        )
        self._passed_over = Counter(
            "wireloom_backend_passed_over",
            "Requests that a backend did not answer, so that another was asked.",
            ("backend",),
            registry=registry,
        )
        self._tokens = Counter(
            "wireloom_tokens", "Tokens that backends counted.", ("kind",), registry=registry
        )
        self._phases = {
            phase: Histogram(name, told, ("operation",), buckets=SECONDS, registry=registry)
            for phase, (name, told) in PHASES.items()
        }
        registry.register(_Windows(self.windows))

    def begun(self) -> None:
        """A request has come."""
        self._open.inc()

    def ended(self, exchange: Exchange) -> None:
        """A request has ended."""
        self._open.dec()
        operation = exchange.operation or "none"
        self._requests.labels(operation, str(exchange.status), exchange.outcome).inc()
        if exchange.asked is not None:
            self._answered.labels(exchange.asked, exchange.outcome).inc()
        for name in exchange.passed_over:
            self._passed_over.labels(name).inc()
        for kind, count in exchange.tokens.items():
            self._tokens.labels(kind).inc(count)
        for phase, seconds in exchange.seconds().items():
            if phase in self._phases:
                self._phases[phase].labels(operation).observe(seconds)

    def windows(self) -> dict[str, float]:
        """How the account is: `primary_used_percent` and the like."""
        return {
            name.removeprefix(HEADER).replace("-", "_"): float(value)
            for name, value in self._limits().items()
        }

    def text(self) -> str:
        """All of it in the text form of Prometheus."""
        return generate_latest(self._registry).decode()

    def counters(self) -> replies.Counters:
        """The sums as the contract's `Counters`."""
        total, well, badly = 0, 0, 0
        statuses: dict[str, int] = {}
        for labels, value in _samples(self._requests):
            total += value
            well += value if labels["outcome"] in SERVED_WELL else 0
            if labels["outcome"] in SERVED_BADLY:
                badly += value
                statuses[labels["status"]] = statuses.get(labels["status"], 0) + value
        return {
            "requests_total": total,
            "requests_ok": well,
            "requests_error": badly,
            "errors_by_status": statuses,
            "engine": self.backend,
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "app_server_pool_started": "app-server" in self.backend.split(", "),
            "requests_open": sum(value for _, value in _samples(self._open)),
            "tokens": {labels["kind"]: value for labels, value in _samples(self._tokens)},
            "account_windows": self.windows(),
        }


class _Windows(Collector):
    """The windows of the account, read when they are asked for."""

    def __init__(self, windows: Callable[[], Mapping[str, float]]) -> None:
        self._windows = windows

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in self._windows().items():
            yield GaugeMetricFamily(
                f"wireloom_account_window_{name}", "A window of the account's limits.", value=value
            )


def _samples(metric: Counter | Gauge) -> Iterator[tuple[dict[str, str], int]]:
    for family in metric.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield sample.labels, int(sample.value)
