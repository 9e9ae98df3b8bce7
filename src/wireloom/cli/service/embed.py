"""`from wireloom import start`: a gateway as a child process of a Python program."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wireloom.config import Settings, load
from wireloom.config.files.service import Service, read_service, write_service

_START_SECONDS = 60.0
_LOOK_SECONDS = 0.01


class Gateway(subprocess.Popen[bytes]):
    """The process of a gateway; `terminate` ends it, as a context it ends with that.

    Args:
        url: where it listens, such as `http://127.0.0.1:4444`.
    """

    url: str = ""

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.terminate()
        self.wait()


def start(
    port: int = 4444,
    upstream: str | None = None,
    api_key: str | None = None,
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    **settings: Any,
) -> Gateway:
    """Start a gateway, and return when it takes requests.

    Without a token clients need none, so `host` has to be a loopback one then.

    port: to listen on, 0 for a free one, see `Gateway.url`; upstream: base URL of a Chat Completions server, or see
    `settings`; api_key: its key; host: address to listen on; token: what clients send as their key; settings: any other
    setting of `wireloom serve` by its name, such as ``provider="deepseek"`` or ``backend="app-server"``. Warnings go to
    standard error, as text or JSON; ``log_level`` says how much.

    Raises ``wireloom.config.ConfigError`` for settings that cannot be used, ``RuntimeError`` when it does not start.
    """
    given: dict[str, Any] = {"host": host, "port": port, "log_level": "warning", **settings}
    named = {"upstream": upstream, "api_key": api_key, "token": token}
    given |= {name: value for name, value in named.items() if value}
    if not {"token", "keys"} & given.keys():
        given["no_auth"] = True
    load(Settings, given)
    with tempfile.TemporaryDirectory(prefix="wireloom-") as folder:
        return _launch(given, Path(folder, "state.json"))


def _launch(given: Mapping[str, Any], state: Path) -> Gateway:
    # Keys go through a file for this user alone: command lines are for everybody, and variables for its children too.
    write_service(state, Service(dict(given)))
    command = [sys.executable, "-m", "wireloom", "serve", "--resume", "--state-file", str(state)]
    process = Gateway(command, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        service = read_service(state)
        if service is not None and service.pid:
            process.url = service.url
            return process
        time.sleep(_LOOK_SECONDS)
    process.kill()
    raise RuntimeError(
        f"The gateway did not start (exit code {process.wait()}); its standard error tells why."
    )
