"""The gateway behind uvicorn: how it is served, and how it tells that it is ready."""

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import click
import psutil
import uvicorn
from pythonjsonlogger.msgspec import MsgspecFormatter

from wireloom.app import create_app
from wireloom.cli.connect import root_url
from wireloom.config import Settings
from wireloom.config.service import Service, append_private, read_service, write_private, write_service

WORDS = "%(asctime)s %(levelname)s %(name)s: %(message)s"
JSON: dict[str, Any] = {
    "fmt": ("levelname", "name", "message"),
    "rename_fields": {"levelname": "level", "name": "logger"},
    "timestamp": "time",
}
# Container runtimes kill ten seconds after they ask for the end; streams get most of that.
_GRACE_SECONDS = 8
_LOG_BYTES = 10 * 2**20
_LOG_FILES = 3
# Longer than the 90 s for which Codex keeps an unused connection, so that the client closes it first and
# never sends a request into a connection that is being closed.
_KEEP_ALIVE_SECONDS = 120
# A long request makes thousands of objects that all die with it; the default would look at them dozens of times.
_COLLECT_AFTER = (20_000, 20, 20)


class Server(uvicorn.Server):
    """A server that calls ``on_ready`` once it takes requests."""

    def __init__(self, settings: Settings, on_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            create_app(settings),
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and the listeners, then report."""
        await super().startup(sockets=sockets)
        # What exists now stays, so the collector need not look at it again.
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        gc.enable()
        self._on_ready()


class PrivateFile(RotatingFileHandler):
    """A log file, and those that were full before it, for their owner alone."""

    def _open(self) -> TextIOWrapper:
        return append_private(Path(self.baseFilename))


def configure_logging(level: str, file: str | None = None) -> None:
    """Log to standard error: words on a terminal, JSON elsewhere; of the libraries, warnings only.

    file: log there instead, as JSON.
    """
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        handler = PrivateFile(file, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8")
    words = file is None and sys.stderr.isatty()
    handler.setFormatter(logging.Formatter(WORDS) if words else MsgspecFormatter(**JSON))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for library in ("uvicorn", "httpx"):
        logging.getLogger(library).setLevel(logging.WARNING)


def run(
    settings: Settings,
    listener: socket.socket,
    *,
    pid_file: str | None = None,
    log_file: str | None = None,
    state_file: str | None = None,
) -> None:
    """Serve on ``listener`` until a signal ends it.

    pid_file, state_file: tell there which process serves, and where, while it does; log_file: log there.
    """
    configure_logging(settings.log_level, log_file)
    url = root_url(settings.host, listener.getsockname()[1])

    def ready() -> None:
        if pid_file is not None:
            write_private(Path(pid_file), f"{os.getpid()}\n")
        if state_file is not None:
            kept = read_service(Path(state_file)) or Service()
            write_service(Path(state_file), replace(kept, pid=os.getpid(), born=_born(), url=url))
        click.echo(f"wireloom listening on {url}", err=True)

    try:
        with suppress(KeyboardInterrupt):
            Server(settings, ready).run(sockets=[listener])
    finally:
        if pid_file is not None:
            Path(pid_file).unlink(missing_ok=True)


def _born() -> float:
    return float(psutil.Process().create_time())
