"""What the conversations brought, as Markdown."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

WINDOW = 20
EMPTY = "-"


@dataclass
class Run:
    """One conversation with one contestant.

    seconds: of each turn. resident: bytes after some turns. cpu: seconds used up to the end of some turns.
    stored: bytes on the disk at the end.
    """

    seconds: list[float] = field(default_factory=list)
    resident: dict[int, int] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)
    stored: int = 0


def marks(turns: int) -> tuple[int, ...]:
    """Return the turns at which memory is read: the first and the end of each quarter."""
    return tuple(dict.fromkeys((1, *(max(1, turns * quarter // 4) for quarter in (1, 2, 3, 4)))))


def window(mark: int, turns: int) -> tuple[int, int]:
    """Return the first and the last turn of which a time is the median: those up to a mark, or the first ones."""
    last = max(mark, min(WINDOW, turns))
    return max(1, last - WINDOW + 1), last


def median_ms(seconds: Sequence[float], mark: int, turns: int) -> float:
    """Return the median time per turn in the window of a mark, in milliseconds."""
    first, last = window(mark, turns)
    return statistics.median(seconds[first - 1 : last]) * 1e3


def least(passes: Iterable[Sequence[float]]) -> list[float]:
    """Return the smallest time of each turn over several passes of the same requests: what else ran adds to a time."""
    return [min(times) for times in zip(*passes, strict=True)]


def cpu_ms(run: Run, mark: int, turns: int) -> float:
    """Return the CPU time per turn in the window of a mark, in milliseconds."""
    first, last = window(mark, turns)
    return (run.cpu[last] - run.cpu[first - 1]) / (last - first + 1) * 1e3


def render(
    size: int, turns: int, floor: Sequence[float], runs: Mapping[str, Run], missing: Mapping[str, str]
) -> str:
    """Render the tables of one conversation.

    size: bytes of text per turn. floor: seconds of each turn sent straight to the upstream. runs: by contestant.
    missing: contestant -> why it has no figures.
    """
    at = marks(turns)
    spans = [f"turns {first}-{last}" for first, last in (window(mark, turns) for mark in at)]
    times = [["the body alone", *(f"{median_ms(floor, mark, turns):,.1f}" for mark in at)]]
    for name, run in runs.items():
        nets = (median_ms(run.seconds, mark, turns) - median_ms(floor, mark, turns) for mark in at)
        times.append([f"{name}, above that", *(f"{net:,.1f}" for net in nets)])
    memory = [
        [name, *(f"{run.resident[mark] / 1e6:,.0f}" for mark in at), _megabytes(run.stored)]
        for name, run in runs.items()
    ]
    cpu = [[name, *(f"{cpu_ms(run, mark, turns):,.1f}" for mark in at)] for name, run in runs.items()]
    blocks = [
        f"## {turns} turns of {size:,} bytes: {turns * size / 1e6:,.1f} MB of text",
        _table(["ms per turn, median", *spans], times),
    ]
    if runs:
        after = [f"after turn {mark}" for mark in at]
        blocks += [
            _table(["CPU ms per turn", *spans], cpu),
            _table(["resident MB", *after, "MB on disk"], memory),
        ]
    blocks += [f"- {name} did not run: {reason}" for name, reason in missing.items()]
    return "\n\n".join(blocks) + "\n"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}" if size else EMPTY


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
