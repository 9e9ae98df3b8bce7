"""One run of `codex exec`: started with nothing secret on its command line, ended with its whole group."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from wireloom.backends.base import Caller
from wireloom.backends.codex.home import Codex, toml
from wireloom.backends.codex.models import CodexModels
from wireloom.backends.http.answers import report
from wireloom.backends.slots import Slots
from wireloom.errors import UpstreamError
from wireloom.exchange import UPSTREAM
from wireloom.translate.codex.exec_reader import ExecReader
from wireloom.translate.codex.exec_request import Run
from wireloom.translate.hub.sequence import Event
from wireloom.translate.hub.stream import ResponseStream

READ_BYTES = 2**18
LOGIN_SECONDS = 5.0
RUNS = "runs"
"""Folder of the files of runs, each below one named by the process that they belong to."""
# Kinds of pictures by their media type; Codex tells them by their names.
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What all runs share.

    Args:
        codex: the CLI as it is started.
        slots: how many runs there are at once.
        total_seconds: longest time for one, 0 for no limit.
        models: the models there are.
        check_login: raises if Codex is not logged in.
    """

    codex: Codex
    slots: Slots
    total_seconds: float
    models: Callable[[], Awaitable[CodexModels]]
    check_login: Callable[[], Awaitable[None]]


class ExecTurn:
    """Makes one response.

    Args:
        settings: what all runs share.
        run: what the request comes to.
        metadata: of the request; it may name a folder.
        stream: what the answer is told to.
        reader: reads the answer.
        caller: who asks.
    """

    def __init__(
        self,
        settings: Settings,
        run: Run,
        metadata: Mapping[str, str],
        stream: ResponseStream,
        reader: ExecReader,
        caller: Caller,
    ) -> None:
        self.queued = True
        self._settings = settings
        self._run = run
        self._metadata = metadata
        self._stream = stream
        self._reader = reader
        self._caller = caller

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """See `Turn.events`: each item is told when it is whole."""
        codex, reader = self._settings.codex, self._reader
        async with await self._settings.slots.take(self._caller.exchange):
            self.queued = False
            folder = codex.folder(self._metadata)
            await self._settings.check_login()
            model, effort = (await self._settings.models()).resolve(self._run.model)
            loop, seconds = asyncio.get_running_loop(), self._settings.total_seconds
            deadline = loop.time() + seconds if seconds else None
            with files(codex, self._run) as (place, command):
                command += _chosen(self._run, model, effort or ("low" if codex.fast else None))
                command += ["--cd", str(folder), "-"]
                process = await _started(command, codex.child_environment(), place)
                try:
                    feeding = loop.create_task(_feed(process, self._run.prompt))
                    async for line in _lines(process, deadline):
                        self._caller.exchange.mark(UPSTREAM)
                        reader.feed(line)
                        if reader.done:
                            break
                        events = self._stream.take()
                        if events:
                            yield events
                    feeding.cancel()
                    reader.close(await _ended(process) if not reader.done else None)
                    report(reader, self._caller)
                    yield self._stream.take()
                finally:
                    _kill(process)
                    await asyncio.shield(process.wait())


def _chosen(run: Run, model: str | None, effort: str | None) -> list[str]:
    """The options that say what the request asks for."""
    options = dict(run.options)
    if effort is not None:
        options.setdefault("model_reasoning_effort", effort)
    chosen = ["--model", model] if model else []
    return [*chosen, *(part for name, value in options.items() for part in ("-c", f"{name}={toml(value)}"))]


@contextmanager
def files(codex: Codex, run: Run) -> Iterator[tuple[Path, list[str]]]:
    """The folder of a run and its command, whose files are there while the context lasts.

    Args:
        codex: the CLI as it is started.
        run: what the request comes to.
    """
    base = codex.home / RUNS / str(os.getpid())
    for path in (base.parent, base):
        path.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=base))
    try:
        # First, since this option takes as many files as follow it.
        pictures = [_picture(folder, number, url) for number, url in enumerate(run.images, 1)]
        images = [part for name in pictures for part in ("--image", name)]
        options = codex.exec_options()
        instructions = _private(folder / "instructions.md", run.instructions.encode())
        options += ["-c", f"model_instructions_file={toml(str(instructions))}"]
        if run.schema is not None:
            schema = _private(folder / "schema.json", msgspec.json.encode(run.schema))
            options += ["--output-schema", str(schema)]
        yield folder, [*_guarded(), str(codex.program()), "exec", *images, *options]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _guarded() -> list[str]:
    """What lets a child end with this process, however that ends; where there is no such program, nothing does."""
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", "KILL", "--"] if found else []


def _picture(folder: Path, number: int, url: str) -> str:
    """Write a picture; its name is all that the model hears of where it is, since the run begins in that folder."""
    kind, _, data = url.partition(",")
    suffix = SUFFIXES.get(kind.removeprefix("data:").partition(";")[0], ".png")
    return _private(folder / f"picture-{number}{suffix}", base64.b64decode(data)).name


def _private(path: Path, data: bytes) -> Path:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return path


def clear(codex: Codex) -> None:
    """Remove the files of runs whose process is gone.

    Args:
        codex: the CLI as it is started.
    """
    folder = codex.home / RUNS
    for left in folder.iterdir() if folder.is_dir() else ():
        if left.name.isdecimal() and not Path(f"/proc/{left.name}").exists():
            shutil.rmtree(left, ignore_errors=True)


# -- the process -----------------------------------------------------------------------------------------------------


async def _started(
    command: list[str], environment: Mapping[str, str], folder: Path
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    except OSError as error:
        raise _unstartable(error) from error


def _unstartable(error: OSError) -> UpstreamError:
    message = f"Codex cannot be started: {error.strerror}."
    return UpstreamError(message, code="upstream_unreachable", status=503)


async def _feed(process: asyncio.subprocess.Process, prompt: str) -> None:
    """Give a run its prompt, which may be larger than a pipe holds."""
    assert process.stdin is not None
    with suppress(ConnectionError):
        process.stdin.write(prompt.encode())
        await process.stdin.drain()
    process.stdin.close()


async def _lines(process: asyncio.subprocess.Process, deadline: float | None) -> AsyncGenerator[bytes, None]:
    """What a run writes, line by line, of any length.

    Raises:
        UpstreamError: it takes too long.
    """
    assert process.stdout is not None
    rest: list[bytes] = []
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                data = await process.stdout.read(READ_BYTES)
        except TimeoutError as error:
            raise UpstreamError("Codex took too long.", code="upstream_timeout", status=504) from error
        if not data:
            break
        whole, end, tail = data.rpartition(b"\n")
        if end:
            for line in b"".join([*rest, whole]).split(b"\n"):
                yield line
            rest = []
        rest.append(tail)
    yield b"".join(rest)


async def _ended(process: asyncio.subprocess.Process) -> int | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await process.wait()
    return process.returncode


def _kill(process: asyncio.subprocess.Process) -> None:
    """End a run with everything that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def login(codex: Codex) -> bool:
    """Whether Codex has a login, as far as it knows without asking anybody.

    Args:
        codex: the CLI as it is started.

    Raises:
        UpstreamError: it cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            str(codex.program()),
            "login",
            "status",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=codex.child_environment(),
        )
    except OSError as error:
        raise _unstartable(error) from error
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            return await process.wait() == 0
    except TimeoutError:
        return False
    finally:
        _kill_one(process)


def _kill_one(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
