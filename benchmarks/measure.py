"""The measures: what each needs, which figures it gives, how it is taken."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contestants import Gateway
from benchmarks.load import check_answer, closed_loop, hold, paced
from benchmarks.paced_upstream import paced_model
from benchmarks.payloads import long_request, short_request
from benchmarks.processes import resident_bytes
from benchmarks.upstreams import STATIC_CHUNKS

_STREAMS = 50
_CHUNKS = 100
_INTERVAL_MS = 20
_HELD = (50, 200)
_SETTLE_SECONDS = 0.3


@dataclass(frozen=True)
class Plan:
    """How long a run takes: rounds, seconds of each load, connections, and the limit of the whole."""

    rounds: int
    load_seconds: int
    sequential_seconds: int
    limit_seconds: float
    connections: int = 16
    crowd: int = 64


FULL = Plan(rounds=3, load_seconds=3, sequential_seconds=1, limit_seconds=160)
QUICK = Plan(rounds=1, load_seconds=2, sequential_seconds=1, limit_seconds=50)


@dataclass(frozen=True)
class Measure:
    """One measure; `take` returns a value for each figure in its unit, or raises DidNotRun."""

    name: str
    upstream: str
    figures: tuple[str, ...]
    take: Callable[[Gateway, Plan], tuple[float, ...]]


def _start(gateway: Gateway, _plan: Plan) -> tuple[float, ...]:
    return gateway.start_seconds, gateway.idle_bytes / 1e6


def _closed_loop(gateway: Gateway, connections: int, seconds: int, body: bytes) -> tuple[float, ...]:
    check_answer(gateway, body, STATIC_CHUNKS)
    return (closed_loop(gateway, body, connections, seconds).requests_per_second,)


def _burst(gateway: Gateway, plan: Plan) -> tuple[float, ...]:
    return _closed_loop(gateway, plan.connections, plan.load_seconds, short_request("bench"))


def _crowd(gateway: Gateway, plan: Plan) -> tuple[float, ...]:
    return _closed_loop(gateway, plan.crowd, plan.load_seconds, short_request("bench"))


def _large(gateway: Gateway, plan: Plan) -> tuple[float, ...]:
    return _closed_loop(gateway, plan.connections, plan.load_seconds, long_request("bench"))


def _sequential(gateway: Gateway, plan: Plan) -> tuple[float, ...]:
    body = short_request(paced_model(2, 0))
    check_answer(gateway, body, 2)
    return (closed_loop(gateway, body, 1, plan.sequential_seconds).p50_ms,)


def _memory(gateway: Gateway, _plan: Plan) -> tuple[float, ...]:
    # One answer first: what is loaded once for all streams is not counted as theirs.
    check_answer(gateway, short_request(paced_model(2, 0)), 2)
    before = resident_bytes(gateway.pid)
    each = []
    for count in hold(gateway, short_request(paced_model(2, 60_000)), _HELD):
        time.sleep(_SETTLE_SECONDS)
        each.append((resident_bytes(gateway.pid) - before) / count / 1e3)
    return tuple(each)


def _paced(gateway: Gateway, together: bool) -> tuple[float, ...]:
    check_answer(gateway, short_request(paced_model(2, 0)), 2)
    body = short_request(paced_model(_CHUNKS, _INTERVAL_MS, together=together))
    cost = paced(gateway, body, _STREAMS, _CHUNKS, _CHUNKS * _INTERVAL_MS / 1000)
    return cost.cpu_us, cost.p50_ms, cost.p99_ms


def _in_step(gateway: Gateway, _plan: Plan) -> tuple[float, ...]:
    return _paced(gateway, together=True)


def _spread(gateway: Gateway, _plan: Plan) -> tuple[float, ...]:
    return _paced(gateway, together=False)


# Memory stands first of those that share a process, before anything else has made it grow.
MEASURES = (
    Measure("burst", "static", ("burst",), _burst),
    Measure("crowd", "static", ("crowd",), _crowd),
    Measure("large", "static", ("large",), _large),
    Measure("start", "paced", ("start", "idle"), _start),
    Measure("memory", "paced", ("held_50", "held_200"), _memory),
    Measure("sequential", "paced", ("sequential",), _sequential),
    Measure("paced", "paced", ("paced_cpu", "paced_p50", "paced_p99"), _in_step),
    Measure("spread", "paced", ("spread_cpu", "spread_p50", "spread_p99"), _spread),
)
