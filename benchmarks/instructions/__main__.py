"""Count instructions: `python -m benchmarks.instructions`, with `--write` as the figures that later work is held to.

The figures are kept per build of Python and per processor, because both change them; they repeat within a fraction of
a percent, unlike times. A difference of more than 2 % is reported and fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FIGURES = Path(__file__).with_name("figures.json")
TOLERATED = 0.02
# Work -> two numbers of repetitions; the caches are warm before the first of them.
REPEATED: Mapping[str, tuple[int, int]] = {
    "translate_request": (20, 120),
    "read_token": (200, 2200),
    "whole_request": (10, 60),
}


def main(arguments: Sequence[str]) -> int:
    """Count, compare and print; returns 1 if a figure differs from the one that is kept."""
    parser = argparse.ArgumentParser(prog="nox -s instructions --", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the figures of this run")
    given = parser.parse_args(arguments)
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed: install it from your system's packages.")
    kept: dict[str, dict[str, int]] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    before = kept.get(_key(), {})
    found = {name: _cost(name) for name in REPEATED}
    changed = False
    print(f"{_key()}\n{'work':20} {'instructions':>14} {'kept':>14} {'change':>8}")
    for name, count in found.items():
        old = before.get(name)
        change = None if old is None else count / old - 1
        changed |= change is not None and abs(change) > TOLERATED
        print(f"{name:20} {count:14,} {old or '-':>14} {'-' if change is None else f'{change:+.2%}':>8}")
    if given.write:
        FIGURES.write_text(json.dumps(kept | {_key(): found}, indent=2, sort_keys=True) + "\n")
        return 0
    return int(changed)


def _key() -> str:
    """The build that the figures hold for."""
    return f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"


def _cost(name: str) -> int:
    """Instructions of one repetition."""
    few, many = REPEATED[name]
    return round((_count(name, many) - _count(name, few)) / (many - few))


def _count(name: str, times: int) -> int:
    with tempfile.TemporaryDirectory(prefix="instructions-") as folder:
        home = {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder}
        environment = os.environ | home | {"PYTHONHASHSEED": "0"}
        command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={folder}/out"]
        work = [sys.executable, "-m", "benchmarks.instructions.work", name, str(times)]
        done = subprocess.run([*command, *work], env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return int(found[1].replace(",", ""))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
