"""The two upstreams that all contestants share: a static stream from nginx and a paced one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.nginx import nginx_command, static_server
from benchmarks.payloads import whole_stream
from benchmarks.processes import environment, free_port, running, wait_ready

STATIC_CHUNKS = 200
_READY_SECONDS = 10.0


def _static(folder: Path, port: int) -> list[str]:
    (folder / "stream.sse").write_bytes(whole_stream(STATIC_CHUNKS))
    return nginx_command(folder, static_server(port, folder))


def _paced(_folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.paced_upstream", "--port", str(port)]


_COMMANDS = {"static": _static, "paced": _paced}


@contextmanager
def upstream(kind: str, folder: Path) -> Iterator[int]:
    """Run an upstream for the length of a `with` block and give its port.

    kind: `static` or `paced`. folder: an empty one.
    Raises DidNotRun when it cannot be started.
    """
    port, log = free_port(), folder / "log"
    with running(_COMMANDS[kind](folder, port), log, environment(folder)) as process:
        wait_ready(process, port, "/v1/models", log, _READY_SECONDS)
        yield port
