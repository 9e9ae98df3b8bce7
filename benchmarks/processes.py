"""Processes of a run: free ports, readiness, CPU and memory of a process tree, and their end."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_ROOT = Path(__file__).parents[1]
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "TMPDIR")
_POLL_SECONDS = 0.002
_END_SECONDS = 5.0


class DidNotRun(Exception):
    """Something could not be measured; the message says why and stands in the report."""


def free_port() -> int:
    """Return a loopback TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(home: Path) -> dict[str, str]:
    """Return the variables a process is started with: no settings, proxies or state of the caller's.

    home: an empty folder in place of the home directory.
    """
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {"HOME": str(home), "PYTHONPATH": os.pathsep.join(_python_path())}


def _python_path() -> Iterator[str]:
    yield str(_ROOT)
    for entry in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        yield os.path.abspath(entry)


@contextmanager
def running(
    command: Sequence[str], log: Path, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the length of a `with` block; end it and its children by their pids.

    command: program and arguments. log: file that takes its output. environ: all its variables.
    Raises DidNotRun when the program cannot be started.
    """
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ, cwd=log.parent
            )
        except OSError as error:
            raise DidNotRun(f"{command[0]} cannot be started: {error}") from error
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    children = _tree(process.pid)[1:]
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(children, timeout=_END_SECONDS if children else 0)
    for child in alive:
        child.kill()


def wait_ready(
    process: subprocess.Popen[bytes],
    port: int,
    path: str,
    log: Path,
    limit: float,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Return as soon as `GET path` answers 200.

    process: what should answer. port: on loopback. log: its output, quoted on failure. limit: seconds. headers: of the
    request.
    Raises DidNotRun when the process ends first or the time is over.
    """
    until = time.monotonic() + limit
    while time.monotonic() < until:
        if _answers(port, path, headers or {}):
            return
        if process.poll() is not None:
            raise DidNotRun(f"ended with code {process.returncode} before it was ready: {_last_line(log)}")
        time.sleep(_POLL_SECONDS)
    raise DidNotRun(f"GET {path} did not answer 200 within {limit:.0f} s: {_last_line(log)}")


def _answers(port: int, path: str, headers: Mapping[str, str]) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "no output"


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, used so far by a process and its living descendants, in seconds.

    pid: the root. The kernel's process clocks are read, because the times in /proc count in steps of 10 ms.
    Raises DidNotRun when the process is gone or the system has no such clocks.
    """
    try:
        return sum(time.clock_gettime((~process.pid << 3) | 2) for process in _tree(pid))
    except (OSError, psutil.NoSuchProcess) as error:
        raise DidNotRun(f"no CPU time of process {pid}: {error}") from error


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants, in bytes.

    pid: the root. Raises DidNotRun when the process is gone.
    """
    try:
        return sum(process.memory_info().rss for process in _tree(pid))
    except psutil.NoSuchProcess as error:
        raise DidNotRun(f"no memory of process {pid}: {error}") from error
