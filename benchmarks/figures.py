"""The figures of a run and the targets some of them are held against."""

from dataclasses import dataclass

OURS = "wireloom"


@dataclass(frozen=True)
class Figure:
    """One row of the table: its title, unit, decimals and whether more of it is better."""

    title: str
    unit: str
    digits: int
    more_is_better: bool = False


@dataclass(frozen=True)
class Target:
    """A bound for one figure of ours: as a multiple of a peer's (`against`), or absolute.

    A figure where more is better must reach the bound, any other must stay within it.
    """

    figure: str
    bound: float
    against: str | None = None


FIGURES = {
    "burst": Figure("Burst: 200 chunks at once, 16 connections", "requests/s", 0, more_is_better=True),
    "crowd": Figure("The same, 64 connections", "requests/s", 0, more_is_better=True),
    "large": Figure("200 kB request of 400 items, 16 connections", "requests/s", 0, more_is_better=True),
    "sequential": Figure("Short request on one connection", "ms", 2),
    "paced_cpu": Figure("CPU per token, streams in step", "us", 1),
    "paced_p50": Figure("Latency per token, in step, p50", "ms", 2),
    "paced_p99": Figure("Latency per token, in step, p99", "ms", 2),
    "spread_cpu": Figure("CPU per token, streams spread", "us", 1),
    "spread_p50": Figure("Latency per token, spread, p50", "ms", 2),
    "spread_p99": Figure("Latency per token, spread, p99", "ms", 2),
    "held_50": Figure("Memory per held stream, of 50", "kB", 0),
    "held_200": Figure("Memory per held stream, of 200", "kB", 0),
    "start": Figure("Start to first healthy answer", "s", 3),
    "idle": Figure("Resident memory when idle", "MB", 0),
}

TARGETS = (
    Target("burst", 3.0, against="codex-relay"),
    Target("large", 3.0, against="codex-relay"),
    Target("paced_cpu", 1.6, against="codex-relay"),
    Target("spread_cpu", 1.6, against="codex-relay"),
    Target("start", 1.0),
    Target("idle", 80.0),
)
