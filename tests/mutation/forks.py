"""Run jobs in forked processes, so that each starts from all that its parent has imported."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Job = TypeVar("Job")
AT_ONCE = 2
POLL_SECONDS = 0.005
CRASHED = 120
TIMED_OUT = 121


def forked(
    jobs: Iterable[Job], run: Callable[[Job], int], log: Path, *, seconds: float
) -> Iterator[tuple[Job, int]]:
    """Run each job in a process of its own, two at once; yields (job, exit status) as they end.

    Args:
        jobs: what to run.
        run: called in the forked process; returns its exit status.
        log: where the processes print to.
        seconds: time after which a job and all that it started are killed; its status is then TIMED_OUT.
    """
    running: dict[int, tuple[Job, float]] = {}
    try:
        for job in jobs:
            while len(running) >= AT_ONCE:
                yield from _ended(running)
            running[_fork(job, run, log)] = job, time.monotonic() + seconds
        while running:
            yield from _ended(running)
    finally:
        for pid in running:
            _kill(pid)
            os.waitpid(pid, 0)


def _fork(job: Job, run: Callable[[Job], int], log: Path) -> int:
    pid = os.fork()
    if pid:
        with suppress(OSError):
            os.setpgid(pid, pid)
        return pid
    status = CRASHED
    try:
        os.setpgid(0, 0)
        print_to(log)
        status = run(job)
    except BaseException:  # noqa: BLE001 - the process ends here, whatever came
        os.write(2, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        os._exit(status)


def print_to(log: Path) -> None:
    """Read nothing, and append what this process prints to a file."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream, descriptor in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(stream, descriptor)


def _ended(running: dict[int, tuple[Job, float]]) -> Iterator[tuple[Job, int]]:
    time.sleep(POLL_SECONDS)
    now = time.monotonic()
    for pid, (job, until) in list(running.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended and now < until:
            continue
        _kill(pid)
        if not ended:
            os.waitpid(pid, 0)
        del running[pid]
        yield job, os.waitstatus_to_exitcode(status) if ended else TIMED_OUT


def _kill(pid: int) -> None:
    """End a process and all that it started and left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
