"""The contestants: how each is started, when it is ready and where it takes requests."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.nginx import nginx_command, nginx_program, pass_through_server
from benchmarks.processes import (
    DidNotRun,
    environment,
    free_port,
    resident_bytes,
    running,
    wait_ready,
)

_READY_SECONDS = 10.0
_VERSION_SECONDS = 5.0
_SETTLE_SECONDS = 0.3


@dataclass(frozen=True)
class Contestant:
    """One column of the table.

    ready: path that answers 200 to GET once it serves. path: where it takes requests. program: how it is
    called; version_option: what makes it print its version. command: the whole command line, given an empty
    folder, its port and the upstream's. Both raise DidNotRun when the program is missing.
    """

    name: str
    ready: str
    path: str
    program: Callable[[], list[str]]
    version_option: str
    command: Callable[[Path, int, int], list[str]]


@dataclass(frozen=True)
class Gateway:
    """A contestant that runs: where it is reached and what its start took."""

    port: int
    path: str
    pid: int
    folder: Path
    start_seconds: float
    idle_bytes: int


# An interpreter whose environment holds wireloom and nothing else: peers bring optional packages that FastAPI and uvicorn
# load where they are there, which costs memory and time.
ALONE_VARIABLE = "BENCH_WIRELOOM_PYTHON"


def _wireloom_program() -> list[str]:
    return [os.environ.get(ALONE_VARIABLE) or sys.executable, "-m", "wireloom"]


def _wireloom(_folder: Path, port: int, upstream: int) -> list[str]:
    place = ["--host", "127.0.0.1", "--port", str(port)]
    base = f"http://127.0.0.1:{upstream}/v1"
    return [*_wireloom_program(), "serve", *place, "--upstream", base, "--no-auth"]


def _codex_relay_program() -> list[str]:
    beside = str(Path(sys.executable).parent)
    program = shutil.which("codex-relay", path=beside) or shutil.which("codex-relay")
    if program is None:
        raise DidNotRun("codex-relay is not installed (benchmarks/requirements.txt)")
    return [program]


def _codex_relay(_folder: Path, port: int, upstream: int) -> list[str]:
    place = ["--bind", "127.0.0.1", "--port", str(port)]
    return [*_codex_relay_program(), *place, "--upstream", f"http://127.0.0.1:{upstream}/v1"]


def _nginx_program() -> list[str]:
    return [nginx_program()]


def _nginx(folder: Path, port: int, upstream: int) -> list[str]:
    return nginx_command(folder, pass_through_server(port, upstream))


CONTESTANTS = (
    Contestant("wireloom", "/health", "/v1/responses", _wireloom_program, "--version", _wireloom),
    Contestant("codex-relay", "/v1/models", "/v1/responses", _codex_relay_program, "--version", _codex_relay),
    Contestant("nginx", "/v1/models", "/v1/chat/completions", _nginx_program, "-v", _nginx),
)


def version(contestant: Contestant) -> str:
    """Return the name of a contestant with the version its program states, for the report."""
    try:
        command = [*contestant.program(), contestant.version_option]
        environ = environment(Path(tempfile.gettempdir()))
        shown = subprocess.run(
            command, capture_output=True, text=True, timeout=_VERSION_SECONDS, env=environ, check=False
        )
    except (DidNotRun, OSError, subprocess.TimeoutExpired):
        return f"{contestant.name} (missing)"
    found = re.search(r"\d+(\.\d+)+\S*", shown.stdout + shown.stderr)
    return f"{contestant.name} {found[0] if found else '(version unknown)'}"


@contextmanager
def started(contestant: Contestant, upstream_port: int, parent: Path) -> Iterator[Gateway]:
    """Run a contestant in front of an upstream for the length of a `with` block.

    upstream_port: on loopback. parent: folder in which it gets an empty one of its own.
    Raises DidNotRun when it is missing or does not become ready.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{contestant.name}-", dir=parent))
    port, log = free_port(), folder / "log"
    command, environ = contestant.command(folder, port, upstream_port), environment(folder)
    begin = time.monotonic()
    with running(command, log, environ) as process:
        wait_ready(process, port, contestant.ready, log, _READY_SECONDS)
        start_seconds = time.monotonic() - begin
        time.sleep(_SETTLE_SECONDS)
        idle_bytes = resident_bytes(process.pid)
        yield Gateway(port, contestant.path, process.pid, folder, start_seconds, idle_bytes)
