"""What carries messages to an app-server: the pipes of a process started here, or a socket of one that runs already."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from wireloom.errors import UpstreamError
from wireloom.wire.jsonrpc import Frame, FrameReader, decode

log = logging.getLogger("wireloom.codex")

READ_BYTES = 2**18
# How long a process may take to end after its input has.
END_SECONDS = 2.0
# What a log line of Codex says of itself; the rest may hold anything and is not repeated.
_SOURCE = re.compile(r"\b(TRACE|DEBUG|INFO|WARN|ERROR)\b\s+([\w:]+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Pipes:
    """The standard input and output of a process, in a group of its own.

    Args:
        process: a running app-server.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._errors = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Pipes:
        """Start a process.

        Args:
            command: program and arguments.
            environment: all of its variables.
            folder: where it runs.

        Raises:
            UpstreamError: it cannot be started.
        """
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise UpstreamError(
                f"{command[0]} cannot be started: {error.strerror}.", code="upstream_unreachable", status=503
            ) from error
        return cls(process)

    def send(self, message: bytes) -> None:
        """See `Channel.send`."""
        writer = self._process.stdin
        assert writer is not None
        if not writer.is_closing():
            writer.write(message + b"\n")

    async def frames(self) -> AsyncGenerator[list[Frame], None]:
        """See `Channel.frames`."""
        source, reader = self._process.stdout, FrameReader()
        assert source is not None
        garbage = 0
        while data := await source.read(READ_BYTES):
            frames = reader.feed(data)
            if frames:
                yield frames
            if reader.garbage > garbage:
                garbage = reader.garbage
                log.warning("codex wrote %d lines that are no messages", garbage)

    async def aclose(self) -> None:
        """See `Channel.aclose`: the end of its input ends an app-server; one that stays is killed with its group."""
        writer = self._process.stdin
        assert writer is not None
        writer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._errors.cancel()

    async def _listen(self) -> None:
        """Log where Codex complains, and not of what: its words may hold keys and prompts."""
        source = self._process.stderr
        assert source is not None
        while data := await source.read(READ_BYTES):
            for line in _COLOUR.sub("", data.decode("utf-8", "replace")).splitlines():
                found = _SOURCE.search(line)
                if found is not None:
                    log.debug("codex: %s in %s", found[1], found[2])


class Socket:
    """A WebSocket to an app-server that somebody else runs.

    Args:
        socket: an open one.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())

    @classmethod
    async def open(cls, url: str, token: str | None = None) -> Socket:
        """Connect.

        Args:
            url: `ws://HOST:PORT` or `unix://PATH`.
            token: what the app-server was told to ask for.

        Raises:
            UpstreamError: there is none, or it refuses.
        """
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        parts = urlsplit(url)
        try:
            if parts.scheme == "unix":
                socket = await unix_connect(parts.path, max_size=None, compression=None)
            else:
                socket = await connect(
                    url, additional_headers=headers, max_size=None, compression=None, proxy=None
                )
        except (OSError, WebSocketException, TimeoutError) as error:
            raise UpstreamError(
                "The app-server cannot be reached at the address given.",
                code="upstream_unreachable",
                status=503,
            ) from error
        return cls(socket)

    def send(self, message: bytes) -> None:
        """See `Channel.send`."""
        self._queue.put_nowait(message)

    async def frames(self) -> AsyncGenerator[list[Frame], None]:
        """See `Channel.frames`."""
        with suppress(ConnectionClosed):
            async for message in self._socket:
                frame = decode(message)
                if frame is not None:
                    yield [frame]

    async def aclose(self) -> None:
        """See `Channel.aclose`."""
        self._writer.cancel()
        await self._socket.close()

    async def _write(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                await self._socket.send(await self._queue.get(), text=True)
