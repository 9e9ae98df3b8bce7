"""Run ``wireloom serve`` as a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

TOKEN = "inbound-token"
START_SECONDS = 60.0
STOP_SECONDS = 20.0

_READY = re.compile(r"wireloom listening on (http://127\.0\.0\.1:\d+)")
_KEPT_VARIABLES = re.compile(r"PATH|PYTHONPATH|LANG|LC_\w+|COVERAGE_\w+|COV_\w+")


class Gateway:
    """A gateway in front of ``upstream``, or of what its flags name, with its files under ``home``.

    ``flags`` follow the ones it always gets; ``token`` None serves without authentication. Entering waits
    until ``/health`` answers. Leaving sends SIGTERM and raises ``AssertionError`` when that does not end it.
    """

    def __init__(
        self,
        upstream: str | None,
        home: Path,
        *flags: str,
        api_key: str | None = None,
        token: str | None = TOKEN,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        inbound = ["--no-auth"] if token is None else ["--token", token]
        self._command = [sys.executable, "-m", "wireloom", "serve", "--port", "0"]
        if upstream is not None and api_key is not None:
            self._command += ["--upstream", upstream, "--api-key", api_key]
        self._command += [*inbound, *flags]
        self._environment = {**variables_of(home), **(environment or {})}
        self._home = home
        self._lines: list[str] = []
        self._ready = threading.Event()
        self._process: subprocess.Popen[str]
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self.token = token or "no-token"
        self.root_url = ""

    @property
    def base_url(self) -> str:
        """Return the address an OpenAI client takes."""
        return f"{self.root_url}/v1"

    @property
    def stderr(self) -> str:
        """Return what the process has written to standard error so far."""
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self._process.pid

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._listener.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"SIGTERM did not stop the gateway:\n{self.stderr}") from exc
        finally:
            self._kill()

    def kill(self) -> None:
        """End the process as a crash does, without a chance to tidy up."""
        self._process.kill()
        self._process.wait()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _wait_until_ready(self) -> None:
        self._ready.wait(START_SECONDS)
        if not self.root_url:
            raise AssertionError(f"the gateway did not start: {' '.join(self._command)}\n{self.stderr}")
        transport = httpx.HTTPTransport(retries=3)
        with httpx.Client(transport=transport, timeout=START_SECONDS) as client:
            client.get(f"{self.root_url}/health").raise_for_status()

    def _listen(self) -> None:
        """Collect standard error until it ends; the ready line or the end wakes the waiting starter."""
        if self._process.stderr is not None:
            for line in self._process.stderr:
                self._lines.append(line)
                if match := _READY.search(line):
                    self.root_url = match[1]
                    self._ready.set()
        self._ready.set()


def variables_of(home: Path) -> dict[str, str]:
    """Return the variables of a process whose files are under ``home``."""
    kept = {name: value for name, value in os.environ.items() if _KEPT_VARIABLES.fullmatch(name)}
    own = {"HOME": home, "XDG_CONFIG_HOME": home / "config", "XDG_STATE_HOME": home / "state"}
    return {**kept, **{name: str(path) for name, path in own.items()}}
