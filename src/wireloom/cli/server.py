"""The gateway behind uvicorn: how it is served, and how it tells that it is ready."""

import gc
import logging
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click
import uvicorn
from pythonjsonlogger.json import JsonFormatter

from wireloom.app import create_app
from wireloom.cli.connect import root_url
from wireloom.config import Settings

WORDS = "%(asctime)s %(levelname)s %(name)s: %(message)s"
JSON: dict[str, Any] = {
    "fmt": ("levelname", "name", "message"),
    "rename_fields": {"levelname": "level", "name": "logger"},
    "timestamp": "time",
}
# Container runtimes kill ten seconds after they ask for the end; streams get most of that.
_GRACE_SECONDS = 8
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


def configure_logging(level: str) -> None:
    """Log to standard error: words on a terminal, JSON elsewhere; of the libraries, warnings only."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(WORDS) if sys.stderr.isatty() else JsonFormatter(**JSON))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for library in ("uvicorn", "httpx"):
        logging.getLogger(library).setLevel(logging.WARNING)


def run(settings: Settings, listener: socket.socket) -> None:
    """Serve on ``listener`` until a signal ends it."""
    configure_logging(settings.log_level)
    url = root_url(settings.host, listener.getsockname()[1])
    server = Server(settings, lambda: click.echo(f"wireloom listening on {url}", err=True))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
