"""The gateway behind uvicorn: how it is served, and how it reports that it is ready."""

import asyncio
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
from types import FrameType
from typing import Any

import click
import psutil
import uvicorn
from pythonjsonlogger.msgspec import MsgspecFormatter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wireloom.api.drain import Drain
from wireloom.app import create_app, list_models
from wireloom.cli.client.connect import root_url
from wireloom.cli.service.banner import banner
from wireloom.cli.service.codex_program import login_warning, needs_codex
from wireloom.cli.service.lines import TerminalFormatter
from wireloom.config import Settings
from wireloom.config.files.service import Service, append_private, read_service, write_private, write_service
from wireloom.errors import GatewayError

JSON: dict[str, Any] = {
    "fmt": ("levelname", "name", "message"),
    "rename_fields": {"levelname": "level", "name": "logger"},
    "timestamp": "time",
}
# What is left after the drain only has to close its connections.
_GRACE_SECONDS = 1
# How long the head of a request may take at most, whatever its body may.
_HEAD_SECONDS = 10.0
_LOG_BYTES = 10 * 2**20
_LOG_FILES = 3
# Longer than the 90 s for which Codex keeps an unused connection, so that the client closes it first and
# never sends a request into a connection that is being closed.
_KEEP_ALIVE_SECONDS = 120
# A long request makes thousands of objects that all die with it; the default would look at them dozens of times.
_COLLECT_AFTER = (20_000, 20, 20)


class Protocol(HttpToolsProtocol):
    """Reads requests, and gives up on a head that does not arrive."""

    head_seconds = 0.0
    _waiting: asyncio.TimerHandle | None = None

    # The type is uvicorn's own, narrower than asyncio's.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: it owes a head."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """A request begins: the rest of its head is owed."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """The head has arrived."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop_waiting()
        if self.head_seconds:
            self._waiting = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            return  # what a client sends ahead does not cut off the answer that it is getting
        self.transport.write(
            b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
        self.transport.close()


class Server(uvicorn.Server):
    """A server that calls ``on_ready`` once it takes requests, and drains on a signal; a second one ends it at once."""

    def __init__(self, settings: Settings, on_ready: Callable[[], None]) -> None:
        app = create_app(settings)
        seconds = min(settings.receive_timeout_seconds or _HEAD_SECONDS, _HEAD_SECONDS)
        config = uvicorn.Config(
            app,
            http=type("_Protocol", (Protocol,), {"head_seconds": seconds}),
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
        self._drain: Drain = getattr(app.state, "drain", None) or Drain()
        self._drain_seconds = settings.drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and the listeners, then report."""
        await super().startup(sockets=sockets)
        # What exists now stays, so the collector need not look at it again.
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        gc.enable()
        self._loop = asyncio.get_running_loop()
        self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for the end."""
        if self._loop is None or self._drain.closing:
            self.force_exit = self._drain.closing
            super().handle_exit(sig, frame)
            return
        self._drain.closing = True
        self._loop.call_soon_threadsafe(self._begin_to_drain, sig)

    def _begin_to_drain(self, sig: int) -> None:
        self._draining = asyncio.get_running_loop().create_task(self._end(sig))

    async def _end(self, sig: int) -> None:
        await self._drain.close(self._drain_seconds)
        super().handle_exit(sig, None)


class PrivateFile(RotatingFileHandler):
    """A log file, and those that were full before it, for their owner alone."""

    def _open(self) -> TextIOWrapper:
        return append_private(Path(self.baseFilename))


def configure_logging(level: str, file: str | None = None) -> None:
    """Log to standard error: short lines on a terminal, JSON elsewhere; of the libraries, warnings only.

    file: log there instead, as JSON.
    """
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        handler = PrivateFile(file, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8")
    shown = file is None and sys.stderr.isatty()
    handler.setFormatter(TerminalFormatter() if shown else MsgspecFormatter(**JSON))
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
    name_models: bool = False,
    next_command: str | None = None,
) -> None:
    """Serve on ``listener`` until a signal ends it.

    pid_file, state_file: files for the process and its address while it serves; log_file: log there;
    name_models: print the upstream's models once it does; next_command: what uses this gateway, with ``PORT`` for its
    port; None for the usual.
    """
    configure_logging(settings.log_level, log_file)
    port = listener.getsockname()[1]
    url = root_url(settings.host, port)
    next_command = next_command and next_command.replace("PORT", str(port))

    def ready() -> None:
        if pid_file is not None:
            write_private(Path(pid_file), f"{os.getpid()}\n")
        if state_file is not None:
            kept = read_service(Path(state_file)) or Service()
            service = replace(
                kept, pid=os.getpid(), born=_born(), url=url, drain_seconds=settings.drain_seconds
            )
            write_service(Path(state_file), service)
        click.echo(f"wireloom listening on {url}", err=True)
        if sys.stderr.isatty():
            click.echo("\n".join(banner(settings, url, next_command)), err=True)
        loop = asyncio.get_running_loop()
        later.append(loop.create_task(_warn_without_login(settings)))
        if name_models:
            later.append(loop.create_task(_name_models(settings, next_command)))

    later: list[asyncio.Task[None]] = []
    try:
        with suppress(KeyboardInterrupt):
            Server(settings, ready).run(sockets=[listener])
    finally:
        if pid_file is not None:
            Path(pid_file).unlink(missing_ok=True)


async def _warn_without_login(settings: Settings) -> None:
    if needs_codex(settings):
        warning = await asyncio.to_thread(login_warning, settings)
        if warning is not None:
            click.echo(warning, err=True)


async def _name_models(settings: Settings, next_command: str | None) -> None:
    try:
        names = [str(model["slug"]) for model in await list_models(settings)]
    except GatewayError as error:
        click.echo(f"The upstream's models are not known: {error}", err=True)
        return
    click.echo(f"Models of the upstream: {', '.join(names) or 'none are listed'}", err=True)
    if next_command is not None:
        click.echo(f"`{next_command}` prints the configuration of Codex for this gateway.", err=True)


def _born() -> float:
    return float(psutil.Process().create_time())
