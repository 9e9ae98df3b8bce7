"""`nox -s mutation`: the modules that differ from main, or `-- --sample 1000 --seed 1`, or `-- --module PATH`."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from tests.mutation.covering import PACKAGE, REVIEWS, ROOT, Map, covering
from tests.mutation.equivalents import Equivalents
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.trials import Trial, tried

# What a sample is drawn from, without --module.
HELD = ("translate", "api", "history", "backends", "continuation.py", "archive.py", "seal.py")
AT_LEAST = 90.0
CHANGED_AT_MOST = 300
# Tests are added, quickest first, until they take so long.
SECONDS_PER_MUTANT = 10.0


def main(arguments: Sequence[str]) -> int:
    """Try mutants and print a table; returns 1 when fewer are killed than should be."""
    options = _options(arguments)
    equivalents = Equivalents.read()
    wrong = equivalents.unmatched()
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    chosen = _drawn(equivalents.others(_pool(options)), options)
    if not chosen:
        print("No mutant to try: no module of src/wireloom differs.")
        return 0
    known = covering()
    trials = [_trial(mutant, known) for mutant in chosen]
    survivors: list[Mutant] = [trial.mutant for trial in trials if not trial.tests]
    tried_mutants = [trial for trial in trials if trial.tests]
    with tempfile.TemporaryDirectory(prefix="mutation-", ignore_cleanup_errors=True) as folder:
        for number, (trial, killed) in enumerate(tried(tried_mutants, Path(folder)), 1):
            if not killed:
                survivors.append(trial.mutant)
            if sys.stderr.isatty() or number % 100 == 0:
                print(f"\r{number} of {len(tried_mutants)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if options.results:
        left = [{name: getattr(mutant, name) for name in FIELDS} for mutant in survivors]
        Path(options.results).write_text(json.dumps(left, indent=1))
    return _report(chosen, survivors)


FIELDS = ("module", "line", "within", "was", "becomes")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s mutation --", description=__doc__)
    parser.add_argument("--sample", type=int, metavar="N", help="as many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="of the draw, 1 by default")
    parser.add_argument(
        "--module", action="append", metavar="PATH", help="a module or folder below src/wireloom"
    )
    parser.add_argument("--base", default="main", help="what a module differs from, main by default")
    parser.add_argument("--results", metavar="FILE", help="write the survivors as JSON")
    return parser.parse_args(arguments)


def _pool(options: argparse.Namespace) -> list[Mutant]:
    if options.module:
        modules = _below(options.module)
    elif options.sample:
        modules = _below(HELD)
    else:
        modules = _changed(options.base)
    return [mutant for name in modules for mutant in mutants(name, (PACKAGE / name).read_bytes())]


def _below(names: Iterable[str]) -> list[str]:
    """The modules that are named, and those of the folders that are named."""
    found: list[str] = []
    for name in names:
        path = PACKAGE / name.removeprefix("src/wireloom/")
        if not path.exists():
            raise SystemExit(f"There is no {path}: name a module or folder below src/wireloom.")
        paths = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        found += [str(one.relative_to(PACKAGE)) for one in paths]
    return found


def _changed(base: str) -> list[str]:
    """The modules that differ from where this branch left another."""
    git = ("git", "-C", str(ROOT))
    left = subprocess.run([*git, "merge-base", base, "HEAD"], capture_output=True, text=True, check=False)
    if left.returncode:
        raise SystemExit(f"git knows no {base!r} to compare with: name one with --base.")
    command = [*git, "diff", "--name-only", "--diff-filter=d", left.stdout.strip(), "--", str(PACKAGE)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [str((ROOT / name).relative_to(PACKAGE)) for name in listed if name.endswith(".py")]


def _drawn(pool: list[Mutant], options: argparse.Namespace) -> list[Mutant]:
    size = options.sample or (len(pool) if options.module else CHANGED_AT_MOST)
    if size < len(pool):
        print(f"{size} of {len(pool)} mutants, seed {options.seed}", flush=True)
        pool = random.Random(options.seed).sample(pool, len(pool))
    return list(islice((mutant for mutant in pool if mutant.compiles()), size))


def _trial(mutant: Mutant, known: Map) -> Trial:
    """A mutant with its tests: those of the module's own test file first, then the quickest."""
    lines = sum(1 << line for line in range(mutant.first, mutant.last + 1))
    warm = bool(mutant.within) and not known.at_import(mutant.module) & lines
    # Before Python 3.12 a coroutine that an exception resumes is not traced, so lines may seem to have no test.
    nodes = set(known.running(mutant.module, lines if warm else 0) or known.running(mutant.module, 0))
    readers = set() if warm else set(known.reading(mutant.module))
    own = f"test_{Path(mutant.module).stem}.py"

    def nearness(node: str) -> tuple[bool, bool, bool, float]:
        is_review = node in readers and node.startswith(REVIEWS)
        reads_alone = node in readers - nodes  # a test of a table, which runs no line of the module
        is_near = own in node or node in readers
        return not is_review, not reads_alone, not is_near, known.tests[node].seconds

    ordered = sorted(nodes | readers, key=nearness)
    chosen: list[tuple[str, float]] = []
    left = SECONDS_PER_MUTANT
    for node in ordered:
        seconds = known.tests[node].seconds
        if left > 0:
            chosen.append((node, seconds))
        left -= seconds
    return Trial(mutant, chosen, warm)


def _report(chosen: Sequence[Mutant], survivors: Sequence[Mutant]) -> int:
    every = Counter(mutant.module for mutant in chosen)
    survived = Counter(mutant.module for mutant in survivors)
    width = max(map(len, every))
    print(f"{'module':{width}}  mutants  killed  survived  killed %")
    for name, count in [*sorted(every.items()), ("all", len(chosen))]:
        left = len(survivors) if name == "all" else survived[name]
        print(f"{name:{width}}  {count:7}  {count - left:6}  {left:8}  {100 * (1 - left / count):8.1f}")
    for mutant in sorted(survivors, key=lambda one: (one.module, one.line)):
        print(f"\n{mutant.module}:{mutant.line} {mutant.within}\n- {mutant.was}\n+ {mutant.becomes}")
    killed = 100 * (1 - len(survivors) / len(chosen))
    if killed < AT_LEAST:
        print(f"\n{killed:.1f} % were killed; it has to be {AT_LEAST:.0f} % at least.", file=sys.stderr)
    return int(killed < AT_LEAST)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
