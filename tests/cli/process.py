"""A wireloom process for tests, with everything it prints."""

import os
import pty
import select
import signal as signals
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

SECONDS = 60.0


class Wireloom:
    """Runs ``python -m wireloom`` with ``arguments`` from ``__enter__`` to ``__exit__``, which ends it by force."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "wireloom", *arguments]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[str]
        self._readers: list[threading.Thread] = []
        self._news = threading.Condition()
        self._ended = 0
        self.stdout = ""
        self.stderr = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [threading.Thread(target=self._read, args=(name,)) for name in ("stdout", "stderr")]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self.wait()

    def _read(self, name: str) -> None:
        with getattr(self._process, name) as pipe:
            for line in pipe:
                with self._news:
                    setattr(self, name, getattr(self, name) + line)
                    self._news.notify_all()
        with self._news:
            self._ended += 1
            self._news.notify_all()

    def wait_for(self, name: str, text: str) -> str:
        """Wait until stream ``name`` holds ``text``; return the rest of that line."""
        with self._news:
            self._news.wait_for(lambda: text in getattr(self, name) or self._ended == 2, SECONDS)
        _, found, rest = getattr(self, name).partition(text)
        assert found, f"{text!r} is not in {name}:\n{self.stdout}\n{self.stderr}"
        return str(rest).splitlines()[0]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def url(self) -> str:
        """Wait until it listens; return its address."""
        return self.wait_for("stderr", "wireloom listening on ")

    def signal(self, number: signals.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def interrupt(self, number: signals.Signals = signals.SIGINT) -> int:
        """Send a signal; return the exit code."""
        self.signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        code = self._process.wait(SECONDS)
        for reader in self._readers:
            reader.join(SECONDS)
        return code


def on_a_terminal(*arguments: str, until: str) -> str:
    """Run wireloom on a terminal of its own; return what it shows until it ends, or is ended after some text."""
    screen, terminal = pty.openpty()
    shown = ""
    process = subprocess.Popen(
        [sys.executable, "-m", "wireloom", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    try:
        deadline = time.monotonic() + SECONDS
        while until not in shown and time.monotonic() < deadline:
            if select.select([screen], [], [], 0.2)[0]:
                shown += _read(screen)
            elif process.poll() is not None:
                break
    finally:
        process.terminate()
        process.wait(30)
        os.close(screen)
    return shown.replace("\r", "")


def _read(screen: int) -> str:
    try:
        return os.read(screen, 4096).decode()
    except OSError:  # the other side has closed it
        return ""
