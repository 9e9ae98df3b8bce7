"""Command line: run the benchmark and print its report as Markdown."""

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence

from benchmarks.chain import command as chain
from benchmarks.codex import command as codex
from benchmarks.contestants import CONTESTANTS, version
from benchmarks.figures import FIGURES
from benchmarks.measure import FULL, MEASURES, QUICK, Measure
from benchmarks.report import render
from benchmarks.rounds import Rounds

_OTHERS = (
    "`python -m benchmarks chain` measures long conversations by previous_response_id instead, and "
    "`python -m benchmarks codex` gateways before the local Codex CLI."
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=_OTHERS)
    parser.add_argument("--quick", action="store_true", help="one short round, less than a minute")
    names = ",".join(measure.name for measure in MEASURES)
    parser.add_argument("--only", metavar="NAME,...", type=_selected, default=MEASURES, help=f"of {names}")
    return parser


def _selected(text: str) -> tuple[Measure, ...]:
    names = {name.strip() for name in text.split(",")}
    unknown = names - {measure.name for measure in MEASURES}
    if unknown:
        raise argparse.ArgumentTypeError(f"no such measure: {', '.join(sorted(unknown))}")
    return tuple(measure for measure in MEASURES if measure.name in names)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; 0 when everything ran, 1 when something did not, whatever the figures are."""
    other = {"chain": chain.main, "codex": codex.main}.get(arguments[0] if arguments else "")
    if other is not None:
        return other(arguments[1:])
    given = _parser().parse_args(arguments)
    plan = QUICK if given.quick else FULL
    # A terminated run must still end the processes it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begin = time.monotonic()
    rounds = Rounds(plan, given.only, _say)
    rounds.run(CONTESTANTS)
    facts = [
        *map(version, CONTESTANTS),
        f"Python {platform.python_version()}",
        f"{os.cpu_count()} cores",
        f"rounds: {plan.rounds}",
        f"{time.monotonic() - begin:.0f} s",
    ]
    asked = {figure for measure in given.only for figure in measure.figures}
    names = [contestant.name for contestant in CONTESTANTS]
    print(render(rounds.outcome, [key for key in FIGURES if key in asked], names, facts), end="")
    return 1 if rounds.outcome.missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
