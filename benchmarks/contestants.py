"""The contestants: how each is started, when it is ready and where it takes requests."""

import importlib.metadata
import importlib.util
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
_SETTLE_SECONDS = 0.3


@dataclass(frozen=True)
class Contestant:
    """One column of the table.

    ready: path that answers 200 to GET once it serves. path: where it takes requests. command: called with
    an empty folder, its port and the upstream's; raises DidNotRun when the program is missing.
    version: a short text for the report.
    """

    name: str
    ready: str
    path: str
    command: Callable[[Path, int, int], list[str]]
    version: Callable[[], str]


@dataclass(frozen=True)
class Gateway:
    """A contestant that runs: where it is reached and what its start took."""

    port: int
    path: str
    pid: int
    folder: Path
    start_seconds: float
    idle_bytes: int


def _wireloom(_folder: Path, port: int, upstream: int) -> list[str]:
    base = f"http://127.0.0.1:{upstream}/v1"
    place = ["--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, "-m", "wireloom", "serve", *place, "--upstream", base, "--no-auth"]


def _codex_relay(_folder: Path, port: int, upstream: int) -> list[str]:
    program = shutil.which("codex-relay", path=str(Path(sys.executable).parent)) or shutil.which(
        "codex-relay"
    )
    if program is None:
        raise DidNotRun("codex-relay is not installed (benchmarks/requirements.txt)")
    base = f"http://127.0.0.1:{upstream}/v1"
    return [program, "--bind", "127.0.0.1", "--port", str(port), "--upstream", base]


def _nginx(folder: Path, port: int, upstream: int) -> list[str]:
    return nginx_command(folder, pass_through_server(port, upstream))


def _package_version(name: str, otherwise: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return otherwise


def _wireloom_version() -> str:
    return _package_version("wireloom", otherwise="from the checkout")


def _codex_relay_version() -> str:
    return _package_version("codex-relay", otherwise="of unknown version")


def _nginx_version() -> str:
    try:
        shown = subprocess.run(
            [nginx_program(), "-v"], capture_output=True, text=True, timeout=5, check=False
        )
    except DidNotRun:
        return "of unknown version"
    found = re.search(r"nginx/(\S+)", shown.stderr)
    return found[1] if found else "of unknown version"


CONTESTANTS = (
    Contestant("wireloom", "/health", "/v1/responses", _wireloom, _wireloom_version),
    Contestant("codex-relay", "/v1/models", "/v1/responses", _codex_relay, _codex_relay_version),
    Contestant("nginx", "/v1/models", "/v1/chat/completions", _nginx, _nginx_version),
)


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
