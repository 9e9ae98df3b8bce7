"""Rounds that alternate between the contestants, within a time limit."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contestants import Contestant, Gateway, started
from benchmarks.measure import Measure, Plan
from benchmarks.processes import DidNotRun
from benchmarks.report import Outcome
from benchmarks.upstreams import upstream


class Rounds:
    """One run: the shared upstreams, the turns of each round, and what they brought."""

    def __init__(self, plan: Plan, measures: Sequence[Measure], say: Callable[[str], None]) -> None:
        """Prepare a run.

        plan: its length. measures: those asked for. say: takes a line of progress.
        """
        self.outcome = Outcome()
        self._plan = plan
        self._measures = measures
        self._say = say
        self._failed: set[tuple[str, str]] = set()
        self._until = 0.0

    def run(self, contestants: Sequence[Contestant]) -> None:
        """Measure all contestants; each round begins with another one."""
        self._until = time.monotonic() + self._plan.limit_seconds
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wireloom-bench-")))
            ports = self._upstreams(stack, folder)
            for number in range(self._plan.rounds):
                first = number % len(contestants)
                for contestant in (*contestants[first:], *contestants[:first]):
                    for kind, port in ports.items():
                        self._turn(f"round {number + 1}, {contestant.name}", contestant, kind, port, folder)

    def _upstreams(self, stack: ExitStack, parent: Path) -> dict[str, int]:
        ports = {}
        for kind in dict.fromkeys(measure.upstream for measure in self._measures):
            folder = parent / kind
            folder.mkdir()
            try:
                ports[kind] = stack.enter_context(upstream(kind, folder))
            except DidNotRun as error:
                for measure in self._measures:
                    if measure.upstream == kind:
                        self.outcome.miss(measure.name, str(error))
        return ports

    def _turn(self, what: str, contestant: Contestant, kind: str, port: int, folder: Path) -> None:
        name = contestant.name
        due = [m for m in self._measures if m.upstream == kind and (name, m.name) not in self._failed]
        if not due or self._over(what):
            return
        try:
            with started(contestant, port, folder) as gateway:
                for measure in due:
                    if not self._over(f"{what} {measure.name}"):
                        self._take(what, name, measure, gateway)
        except DidNotRun as error:
            self._failed.update((name, measure.name) for measure in self._measures)
            self.outcome.miss(name, str(error))
            self._say(f"{what}: {error}")

    def _over(self, what: str) -> bool:
        over = time.monotonic() > self._until
        if over:
            self.outcome.miss(what, f"the limit of {self._plan.limit_seconds:.0f} s was reached")
        return over

    def _take(self, what: str, name: str, measure: Measure, gateway: Gateway) -> None:
        try:
            values = measure.take(gateway, self._plan)
        except DidNotRun as error:
            self._failed.add((name, measure.name))
            self.outcome.miss(f"{name} {measure.name}", str(error))
            self._say(f"{what}: {measure.name}: {error}")
            return
        for figure, value in zip(measure.figures, values, strict=True):
            self.outcome.add(name, figure, value)
        self._say(f"{what}: {measure.name} {', '.join(f'{value:.4g}' for value in values)}")
