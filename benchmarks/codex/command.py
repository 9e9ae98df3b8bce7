"""Command line of `codex`: measure gateways before the local Codex CLI and print what they cost as Markdown."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.codex.bare import bare
from benchmarks.codex.engines import ENGINES, Engine, described, serving
from benchmarks.codex.load import Client
from benchmarks.processes import DidNotRun, environment, free_port, resident_bytes, running, wait_ready
from wireloom.backends.codex.home import Codex

WARM = 5
AT_ONCE = 20
BARE = "bare app-server"
MEGABYTE = 2**20
_INSTALLED = Path("tests/e2e/node/node_modules/.bin/codex")


@dataclass(slots=True)
class Figures:
    """What was measured of one contestant; seconds and bytes."""

    single: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def milliseconds(self) -> float:
        """Return the median of single requests."""
        return median(self.single) * 1000

    @property
    def rate(self) -> float:
        """Return requests per second when so many come at once."""
        return AT_ONCE / median(self.burst)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks codex", description=__doc__)
    parser.add_argument(
        "--codex-bin", default=str(_INSTALLED), help="the Codex CLI; its native program is used"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which all take turns")
    parser.add_argument("--requests", type=int, default=40, help="single requests of a contestant per round")
    parser.add_argument("--bursts", type=int, default=5, help=f"times {AT_ONCE} at once per round")
    parser.add_argument(
        "--memory", type=int, default=1000, help="requests over which memory is watched, 0 for none"
    )
    parser.add_argument(
        "--only", default="", help="contestants whose name begins with this, beside the bare one"
    )
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _provider(folder: Path) -> Iterator[int]:
    port, log = free_port(), folder / "provider.log"
    command = [sys.executable, "-m", "benchmarks.codex.upstream", "--port", str(port)]
    with running(command, log, environment(folder)) as process:
        wait_ready(process, port, "/v1/models", log, 10.0)
        yield port


def _native(name: str, folder: Path) -> str:
    found = shutil.which(name)
    if found is None:
        raise DidNotRun(f"there is no {name}: run `npm ci` in tests/e2e/node, or name one with --codex-bin")
    return str(Codex(found, folder, folder, {"PATH": os.environ["PATH"]}).program())


def _measure_bare(
    figures: Figures, folder: Path, provider: int, codex: str, given: argparse.Namespace
) -> None:
    with bare(folder, provider, codex) as client:
        for _ in range(WARM):
            client.turn()
        figures.single += [client.turn() for _ in range(given.requests)]
        figures.burst += [client.turns(AT_ONCE) for _ in range(given.bursts)]


def _measure(
    engine: Engine, figures: Figures, folder: Path, provider: int, codex: str, given: argparse.Namespace
) -> None:
    with serving(engine, folder, provider, codex) as (port, _):
        client = Client(engine, port)
        for _ in range(WARM):
            client.ask()
        figures.single += [client.ask() for _ in range(given.requests)]
        figures.burst += [client.burst(AT_ONCE) for _ in range(given.bursts)]


def _watch_memory(
    engine: Engine, figures: Figures, folder: Path, provider: int, codex: str, number: int
) -> None:
    with serving(engine, folder, provider, codex) as (port, pid):
        client = Client(engine, port)
        for count in range(number + 1):
            if count in (number // 10, number // 2, number):
                figures.memory.append(resident_bytes(pid))
            client.ask()


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; 0 when everything ran, 1 when something did not, whatever the figures are."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = [engine for engine in ENGINES if engine.name.startswith(given.only)]
    found = {name: Figures() for name in (BARE, *(engine.name for engine in chosen))}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="wireloom-codex-") as name, _provider(Path(name)) as provider:
        codex = _native(given.codex_bin, Path(name))
        for number in range(given.rounds):
            _say(f"round {number + 1} of {given.rounds}")
            _measure_bare(found[BARE], _folder(name, f"bare-{number}"), provider, codex, given)
            for engine in chosen[number % len(chosen) :] + chosen[: number % len(chosen)]:
                if engine.name in missing:
                    continue
                try:
                    folder = _folder(name, f"{engine.name}-{number}")
                    _measure(engine, found[engine.name], folder, provider, codex, given)
                except (DidNotRun, OSError) as error:
                    missing[engine.name] = str(error)
                    _say(f"{engine.name}: {error}")
        ours = next((engine for engine in chosen if engine.name == "wireloom"), None)
        if ours is not None and given.memory and ours.name not in missing:
            _watch_memory(ours, found[ours.name], _folder(name, "memory"), provider, codex, given.memory)
    programs = [described(engine) for engine in chosen if "," not in engine.name]
    facts = [*programs, f"Python {platform.python_version()}", f"{os.cpu_count()} cores"]
    print(
        render(
            facts, {name: one for name, one in found.items() if name not in missing}, missing, given.memory
        )
    )
    return 1 if missing else 0


def _folder(root: str, name: str) -> Path:
    folder = Path(root) / name
    folder.mkdir()
    return folder


def render(facts: Sequence[str], found: dict[str, Figures], missing: dict[str, str], requests: int) -> str:
    """Return the report as Markdown.

    facts: versions and machine. found: figures by contestant. missing: contestant -> why it did not run. requests:
    over which memory was watched.
    """
    lines = [
        ", ".join(facts),
        "",
        f"| figure | unit | {' | '.join(found)} |",
        f"| --- | --- |{' --- |' * len(found)}",
    ]
    lines.append(
        f"| one trivial request, median | ms | {' | '.join(f'{one.milliseconds:.1f}' for one in found.values())} |"
    )
    lines.append(
        f"| {AT_ONCE} at once | requests/s | {' | '.join(f'{one.rate:.0f}' for one in found.values())} |"
    )
    ours, floor, peer = (found.get(name) for name in ("wireloom", BARE, "codex-gateway"))
    lines += ["", "| target | measured | verdict |", "| --- | --- | --- |"]
    if ours is not None and floor is not None:
        above = ours.milliseconds - floor.milliseconds
        lines.append(_target("at most 3 ms above a bare turn", f"{above:+.1f} ms", above <= 3))
    if ours is not None and peer is not None:
        ratio, rate = ours.milliseconds / peer.milliseconds, ours.rate / peer.rate
        lines.append(_target("at most 0.85 x codex-gateway per request", f"{ratio:.2f}", ratio <= 0.85))
        lines.append(
            _target(f"at least 1.7 x codex-gateway with {AT_ONCE} at once", f"{rate:.2f}", rate >= 1.7)
        )
    if ours is not None and ours.memory:
        told = ", ".join(f"{each // MEGABYTE} MB" for each in ours.memory)
        after = f"after {requests // 10}, {requests // 2} and {requests} requests"
        lines += ["", f"Resident memory of wireloom and its app-server {after}: {told}"]
    lines += [f"\nDid not run: {name}: {why}" for name, why in missing.items()]
    return "\n".join(lines)


def _target(words: str, measured: str, met: bool) -> str:
    return f"| {words} | {measured} | {'met' if met else 'missed'} |"
