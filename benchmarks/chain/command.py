"""Command line of `chain`: hold long conversations with each gateway and print what they cost as Markdown."""

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.chain.report import Run, least, render
from benchmarks.chain.turns import STORE, chain, floor
from benchmarks.contestants import CONTESTANTS, Contestant, started, version
from benchmarks.processes import DidNotRun, environment, free_port, running, wait_ready

TURNS = 400
SIZES = (20_000, 200)
_READY_SECONDS = 10.0
_BASE = {contestant.name: contestant for contestant in CONTESTANTS}

Options = Callable[[Path], list[str]]


def _with(base: str, what: str, options: Options) -> Contestant:
    contestant = _BASE[base]

    def command(folder: Path, port: int, upstream: int) -> list[str]:
        return [*contestant.command(folder, port, upstream), *options(folder / STORE)]

    return replace(contestant, name=f"{base}, {what}", command=command)


CHAINED = (
    _with("wireloom", "memory", lambda _: ["--history", "memory"]),
    _with("wireloom", "sqlite", lambda store: ["--history", f"sqlite:{store / 'history.db'}"]),
    _with("codex-relay", "memory", lambda _: ["--history-store", "memory"]),
    _with("codex-relay", "disk", lambda store: ["--history-store", "disk", "--history-dir", str(store)]),
)

ON_DISK = frozenset({"wireloom, sqlite", "codex-relay, disk"})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks chain", description=__doc__)
    parser.add_argument(
        "--turns", type=int, default=TURNS, help=f"turns of a conversation, {TURNS} unless told"
    )
    sizes = ",".join(map(str, SIZES))
    parser.add_argument(
        "--sizes", type=_sizes, default=SIZES, help=f"bytes of text per turn, {sizes} unless told"
    )
    parser.add_argument("--only", default="", help="contestants whose name begins with this")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _upstream(folder: Path) -> Iterator[int]:
    port, log = free_port(), folder / "upstream.log"
    command = [sys.executable, "-m", "benchmarks.chain.upstream", "--port", str(port)]
    with running(command, log, environment(folder)) as process:
        wait_ready(process, port, "/v1/models", log, _READY_SECONDS)
        yield port


def _held(contestant: Contestant, port: int, folder: Path, turns: int, size: int) -> Run:
    with started(contestant, port, folder) as gateway:
        run = chain(gateway, turns, size, lambda line: _say(f"{contestant.name}, {size} bytes, {line}"))
    if contestant.name in ON_DISK and run.stored < turns * size:
        raise DidNotRun(f"{run.stored} bytes on the disk cannot be the conversation")
    return run


def main(arguments: Sequence[str]) -> int:
    """Run the conversations; 0 when all did, 1 when one did not, whatever the figures are."""
    given = _parser().parse_args(arguments)
    # A terminated run must still end the processes it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = [contestant for contestant in CHAINED if contestant.name.startswith(given.only)]
    programs = [version(_BASE[name]) for name in dict.fromkeys(c.name.partition(",")[0] for c in chosen)]
    print(", ".join([*programs, f"Python {platform.python_version()}", f"{os.cpu_count()} cores"]))
    complete = True
    with tempfile.TemporaryDirectory(prefix="wireloom-chain-") as name, _upstream(Path(name)) as port:
        for size in given.sizes:
            runs, missing, floors = {}, {}, [floor(port, given.turns, size)]
            for contestant in chosen:
                floors.append(floor(port, given.turns, size))
                try:
                    runs[contestant.name] = _held(contestant, port, Path(name), given.turns, size)
                except DidNotRun as error:
                    missing[contestant.name] = str(error)
                    _say(f"{contestant.name}, {size} bytes: {error}")
            print(f"\n{render(size, given.turns, least(floors), runs, missing)}", end="")
            complete = complete and not missing
    return 0 if complete else 1
