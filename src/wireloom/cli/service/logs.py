"""`wireloom logs`: the log of the gateway in the background, for people."""

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import click

from wireloom.cli.client import running
from wireloom.cli.options import Failure, SettingsCommand
from wireloom.cli.service.background import process_of
from wireloom.cli.service.lines import LogReader, wants_colour
from wireloom.config import Endpoint, load
from wireloom.config.files.service import ServiceFiles, read_service

_LOOK_SECONDS = 0.2
# Of a file that is longer only the end is read for its last lines.
_TAIL_BYTES = 4 * 2**20

_EXAMPLES = """\b
Examples:
  wireloom logs -f
  wireloom logs -n 1000 | grep " 429 "
  wireloom logs --json | jq .model
"""


@click.command("logs", cls=SettingsCommand, kind=Endpoint, names=(), epilog=_EXAMPLES)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=50, show_default=True, help="Last lines to show."
)
@click.option("--json", "as_json", is_flag=True, help="Print the lines as they stand in the file.")
@click.option(
    "--log-file",
    metavar="FILE",
    envvar="WIRELOOM_LOG_FILE",
    help="The file, where it is not that of `wireloom start`.  [env: WIRELOOM_LOG_FILE]",
)
def command(
    given: Mapping[str, Any], lines: int, log_file: str | None, *, follow: bool, as_json: bool
) -> None:
    """Show the log of the gateway in the background."""
    files = ServiceFiles.chosen(log=log_file)
    elsewhere = None if log_file else _gateway_elsewhere(files)
    if not files.log.exists():
        raise Failure(elsewhere or f"There is no log at {files.log} yet. `wireloom start` writes one.")
    if elsewhere:
        click.echo(f"{elsewhere} What follows is the log of the last `wireloom start`.", err=True)
    reader = LogReader()
    try:
        for line in _lines(files.log, lines, follow=follow):
            click.echo(line if as_json else reader.read(line), color=None if wants_colour() else False)
    except KeyboardInterrupt:
        return


def _gateway_elsewhere(files: ServiceFiles) -> str:
    """Return where the log of a gateway in the foreground goes; empty if none runs there."""
    service = read_service(files.state)
    if service is not None and process_of(service) is not None:
        return ""
    endpoint = load(Endpoint, {})
    gateway = running.find(endpoint.host, endpoint.port)
    if gateway is None:
        return ""
    return (
        f"The gateway at {gateway.root} was not started by `wireloom start`: its log goes to its terminal, or to the file "
        "that it was given with --log-file."
    )


def _lines(path: Path, last: int, *, follow: bool) -> Iterator[str]:
    """The last lines of a file and, to follow it, those that come; also where another file takes its place."""
    with path.open("rb") as file:
        yield from _tail(file, last)
        if not follow:
            return
        yield from _news(file, path)
    while True:
        with path.open("rb") as file:
            yield from _news(file, path)


def _tail(file: BufferedReader, last: int) -> list[str]:
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - _TAIL_BYTES))
    kept = deque(file, maxlen=last + 1)
    if kept and not kept[-1].endswith(b"\n"):  # a line that is being written is one of those that come
        file.seek(-len(kept.pop()), os.SEEK_CUR)
    return [_text(line) for line in [*kept][-last:]] if last else []


def _news(file: BufferedReader, path: Path) -> Iterator[str]:
    """The lines that come, until another file has taken the place of this one."""
    begun = b""
    while True:
        for part in file:
            begun += part
            if begun.endswith(b"\n"):
                yield _text(begun)
                begun = b""
        if _replaced(file, path):
            return
        time.sleep(_LOOK_SECONDS)


def _replaced(file: BufferedReader, path: Path) -> bool:
    own = os.fstat(file.fileno())
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return (own.st_dev, own.st_ino) != (there.st_dev, there.st_ino) or there.st_size < file.tell()


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\n")
