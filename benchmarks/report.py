"""The samples of a run as Markdown: medians, ratios, targets, and what did not run."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.figures import FIGURES, OURS, TARGETS, Target

EMPTY = "-"


@dataclass
class Outcome:
    """What a run brought: samples by contestant and figure, and what did not run by reason."""

    samples: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)

    def add(self, contestant: str, figure: str, value: float) -> None:
        """Add one sample in the figure's unit."""
        self.samples.setdefault((contestant, figure), []).append(value)

    def miss(self, what: str, reason: str) -> None:
        """Note something that did not run; the same thing for the same reason is noted once."""
        noted = self.missing.setdefault(reason, [])
        if what not in noted:
            noted.append(what)

    def median(self, contestant: str, figure: str) -> float | None:
        """Return the median of a contestant's samples, None without any."""
        values = self.samples.get((contestant, figure))
        return statistics.median(values) if values else None


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Return ours as a multiple of theirs, None where either is missing or theirs is not above zero."""
    return None if ours is None or theirs is None or theirs <= 0 else ours / theirs


def verdict(target: Target, outcome: Outcome) -> tuple[float | None, str]:
    """Hold one target against the run.

    Returns the measured figure or ratio, and `met`, `missed` or `not measured`.
    """
    measured = outcome.median(OURS, target.figure)
    if target.against is not None:
        measured = ratio(measured, outcome.median(target.against, target.figure))
    if measured is None:
        return None, "not measured"
    reached = measured >= target.bound
    within = measured <= target.bound
    return measured, "met" if (reached if FIGURES[target.figure].more_is_better else within) else "missed"


def render(outcome: Outcome, figures: Iterable[str], contestants: Sequence[str], facts: Sequence[str]) -> str:
    """Render the whole report.

    figures: keys of FIGURES that were asked for. contestants: names, ours first. facts: what the run is
    described by, such as versions and rounds.
    """
    asked = list(figures)
    blocks = [
        "## Side by side",
        ", ".join(facts),
        _figures(outcome, asked, contestants),
        "## Targets",
        _targets(outcome, asked),
    ]
    if outcome.missing:
        lines = [f"- {', '.join(whats)}: {reason}" for reason, whats in outcome.missing.items()]
        blocks += ["## Did not run", "\n".join(lines)]
    return "\n\n".join(blocks) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, digits: int) -> str:
    return EMPTY if value is None else f"{value:,.{digits}f}"


def _figures(outcome: Outcome, asked: Sequence[str], contestants: Sequence[str]) -> str:
    peers = [name for name in contestants if name != OURS]
    head = ["figure", "unit", "better", *contestants, *(f"{OURS} / {name}" for name in peers)]
    rows = []
    for key in asked:
        figure = FIGURES[key]
        medians = {name: outcome.median(name, key) for name in contestants}
        cells = [_number(medians[name], figure.digits) for name in contestants]
        ratios = [_number(ratio(medians.get(OURS), medians[name]), 2) for name in peers]
        better = "more" if figure.more_is_better else "less"
        rows.append([figure.title, figure.unit, better, *cells, *ratios])
    return _table(head, rows)


def _targets(outcome: Outcome, asked: Sequence[str]) -> str:
    rows = []
    for target in TARGETS:
        if target.figure not in asked:
            continue
        figure = FIGURES[target.figure]
        sign = "at least" if figure.more_is_better else "at most"
        unit = f"x {target.against}" if target.against else figure.unit
        digits = 2 if target.against else figure.digits
        measured, word = verdict(target, outcome)
        rows.append([figure.title, f"{sign} {target.bound:g} {unit}", _number(measured, digits), word])
    return (
        _table(["figure", "target", "measured", "verdict"], rows)
        if rows
        else "None of these figures has one."
    )
