"""What was served since the start, as Prometheus and as JSON counters; a name is a label only where it is known."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Sums
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from wireloom.api.observe.labels import NONE, OTHER, Names
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


# Models that wait to be known; of more than these, what follows is one.
MOST_WAITING = 200
# How long the counters wait for the list of models of a backend.
LISTED_SECONDS = 0.5
# Labels of a request besides its model: operation, status, outcome, key, backend.
Request = tuple[str, str, str, str, str]


@dataclass(slots=True)
class Waiting:
    """Requests for one model that is not known yet.

    Args:
        requests: labels -> how many.
        tokens: kind and key -> how many.
        answered: whether any of them was answered.
    """

    requests: Sums[Request] = field(default_factory=Sums)
    tokens: Sums[tuple[str, str]] = field(default_factory=Sums)
    answered: bool = False


class Meters:
    """Counts requests.

    Args:
        backends: name of each backend -> its kind.
        limits: headers that tell how the backend's account is.
        names: which names may be labels.
    """

    def __init__(
        self,
        backends: Mapping[str, str],
        limits: Callable[[], Mapping[str, str]],
        names: Names | None = None,
    ) -> None:
        self._kinds = tuple(dict.fromkeys(backends.values()))
        self._names = names or Names()
        self._waiting: dict[tuple[str, str], Waiting] = {}
        self._limits = limits
        self._started = time.monotonic()
        self._registry = registry = CollectorRegistry()
        Info("wireloom", "The gateway.", registry=registry).info(
            {"version": version("wireloom"), "backend": ", ".join(backends)}
        )
        self._open = Gauge("wireloom_requests_open", "Requests that are being answered.", registry=registry)
        self._requests = Counter(
            "wireloom_requests",
            "Requests that have ended.",
            ("operation", "status", "outcome", "key", "backend", "model"),
            registry=registry,
        )
        # Names of backends are the operator's own, so they are few.
        self._answered = Counter(
            "wireloom_backend_requests",
            "Requests that ended at a backend.",
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
            "wireloom_tokens",
            "Tokens that backends counted.",
            ("kind", "key", "backend", "model"),
            registry=registry,
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
        self._count(exchange)
        if exchange.asked is not None:
            self._answered.labels(exchange.asked, exchange.outcome).inc()
        for name in exchange.passed_over:
            self._passed_over.labels(name).inc()
        for phase, seconds in exchange.seconds().items():
            if phase in self._phases:
                self._phases[phase].labels(exchange.operation or NONE).observe(seconds)

    def _count(self, exchange: Exchange) -> None:
        """Count a request and its tokens, at once where its model is known."""
        key, backend = self._names.key(exchange.principal), exchange.asked or NONE
        request = (exchange.operation or NONE, str(exchange.status), exchange.outcome, key, backend)
        tokens = {(kind, key): count for kind, count in exchange.tokens.items()}
        model = exchange.asked_model
        if model is None:
            self._add(Waiting(Sums({request: 1}), Sums(tokens)), backend, NONE)
        elif self._names.knows(backend, model):
            self._add(Waiting(Sums({request: 1}), Sums(tokens)), backend, model)
        elif (backend, model) not in self._waiting and len(self._waiting) >= MOST_WAITING:
            self._add(Waiting(Sums({request: 1}), Sums(tokens)), backend, OTHER)
        else:
            waiting = self._waiting.setdefault((backend, model), Waiting())
            waiting.requests[request] += 1
            waiting.tokens.update(tokens)
            waiting.answered = waiting.answered or exchange.outcome in SERVED_WELL

    def _add(self, counted: Waiting, backend: str, model: str) -> None:
        for request, count in counted.requests.items():
            self._requests.labels(*request, model).inc(count)
        for (kind, key), count in counted.tokens.items():
            self._tokens.labels(kind, key, backend, model).inc(count)

    async def settle(self, listed: Callable[[str], Awaitable[Collection[str]]]) -> None:
        """Find out which of the models are known that requests have asked for, so that they can be told.

        Args:
            listed: returns the models that a backend lists; none where it does not tell.
        """
        backends = list(dict.fromkeys(backend for backend, _ in self._waiting))
        lists = await asyncio.gather(*(_in_time(listed(backend)) for backend in backends))
        found = dict(zip(backends, lists, strict=True))
        for (backend, model), waiting in list(self._waiting.items()):
            if backend in found:
                del self._waiting[backend, model]
                names = found[backend]
                self._add(
                    waiting,
                    backend,
                    self._names.learn(backend, model, names, answered=waiting.answered),
                )

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
            "engine": ", ".join(self._kinds),
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "app_server_pool_started": "app-server" in self._kinds,
            "requests_open": sum(value for _, value in _samples(self._open)),
            "tokens": _sums(self._tokens),
            "usage": self._usage(),
            "account_windows": self.windows(),
        }

    def _usage(self) -> list[replies.Usage]:
        """Requests and tokens by key, backend and model."""
        rows: dict[tuple[str, str, str], replies.Usage] = {}
        for counter in (self._requests, self._tokens):
            for labels, value in _samples(counter):
                key, backend, model = labels["key"], labels["backend"], labels["model"]
                empty: replies.Usage = {
                    "key": key,
                    "backend": backend,
                    "model": model,
                    "requests": 0,
                    "tokens": {},
                }
                row = rows.setdefault((key, backend, model), empty)
                if counter is self._requests:
                    row["requests"] += value
                else:
                    row["tokens"][labels["kind"]] = value
        return list(rows.values())


class _Windows(Collector):
    """The windows of the account, read when they are asked for."""

    def __init__(self, windows: Callable[[], Mapping[str, float]]) -> None:
        self._windows = windows

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in self._windows().items():
            yield GaugeMetricFamily(
                f"wireloom_account_window_{name}", "A window of the account's limits.", value=value
            )


async def _in_time(listed: Awaitable[Collection[str]]) -> Collection[str]:
    """A list of models, or none if that would hold up who asks for the counters."""
    try:
        async with asyncio.timeout(LISTED_SECONDS):
            return await listed
    except TimeoutError:
        return ()


def _sums(tokens: Counter) -> dict[str, int]:
    """Tokens by kind."""
    sums: Sums[str] = Sums()
    for labels, value in _samples(tokens):
        sums[labels["kind"]] += value
    return dict(sums)


def _samples(metric: Counter | Gauge) -> Iterator[tuple[dict[str, str], int]]:
    for family in metric.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield sample.labels, int(sample.value)
