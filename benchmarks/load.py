"""Load on a running gateway: one checked answer, wrk's closed loop, held streams, paced streams."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.contestants import Gateway
from benchmarks.paced_client import TokenCost, http_request
from benchmarks.processes import DidNotRun, environment
from benchmarks.stamps import StampReader

_ANSWER_SECONDS = 5.0
_EXTRA_SECONDS = 5.0
_RESULT = re.compile(r"^result (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)
_SCRIPT = """\
local file = io.open([[{body}]], "rb")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "text/event-stream"
wrk.body = file:read("*a")
file:close()

done = function(summary, latency)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  local p50 = latency:percentile(50)
  io.write(string.format("result %d %d %d %d\\n", summary.requests, summary.duration, p50, failed))
end
"""


@dataclass(frozen=True)
class Loop:
    """What a closed loop reached."""

    requests_per_second: float
    p50_ms: float


def check_answer(gateway: Gateway, body: bytes, chunks: int) -> None:
    """Send one request and read its answer to the end; a load whose answers are incomplete means nothing.

    body: of the request. chunks: tokens the answer must carry.
    Raises DidNotRun when the status is not 200 or tokens are missing.
    """
    reader = StampReader()
    until = time.monotonic() + _ANSWER_SECONDS
    with _opened(gateway, body) as stream:
        while data := _received(stream, until):
            reader.feed(data)
    if reader.count != chunks:
        raise DidNotRun(f"an answer carried {reader.count} of {chunks} tokens")


def _opened(gateway: Gateway, body: bytes) -> socket.socket:
    try:
        stream = socket.create_connection(("127.0.0.1", gateway.port), timeout=_ANSWER_SECONDS)
    except OSError as error:
        raise DidNotRun(f"no connection: {error}") from error
    stream.sendall(http_request(gateway.path, body))
    return stream


def _received(stream: socket.socket, until: float) -> bytes:
    try:
        stream.settimeout(max(0.001, until - time.monotonic()))
        return stream.recv(65_536)
    except OSError as error:
        raise DidNotRun(f"an answer broke off: {error}") from error


def closed_loop(gateway: Gateway, body: bytes, connections: int, seconds: int) -> Loop:
    """Let wrk send a request on each connection as soon as the one before it is answered.

    body: of every request. connections: kept open. seconds: of load; wrk takes whole ones.
    Raises DidNotRun when wrk is missing or any request fails.
    """
    program = shutil.which("wrk")
    if program is None:
        raise DidNotRun("wrk is not installed")
    body_file, script = gateway.folder / "body.json", gateway.folder / "load.lua"
    body_file.write_bytes(body)
    script.write_text(_SCRIPT.format(body=body_file))
    url = f"http://127.0.0.1:{gateway.port}{gateway.path}"
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "-s", str(script)]
    printed = _run([program, *options, url], seconds + _EXTRA_SECONDS)
    found = _RESULT.search(printed)
    if found is None:
        raise DidNotRun(f"wrk printed no result: {printed.strip()[-200:]}")
    requests, duration_us, p50_us, failed = map(int, found.groups())
    if failed or not requests:
        raise DidNotRun(f"{failed} of {requests} requests failed under load")
    return Loop(requests / duration_us * 1e6, p50_us / 1e3)


def _run(command: Sequence[str], limit: float, environ: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env=environ, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DidNotRun(f"{command[0]} was not done within {limit:.0f} s") from error
    if done.returncode:
        raise DidNotRun(done.stderr.strip()[-200:] or f"{command[0]} ended with code {done.returncode}")
    return done.stdout


def hold(gateway: Gateway, body: bytes, counts: Sequence[int]) -> Iterator[int]:
    """Open streams and keep them open, stopping at each count; all are closed at the end.

    body: of a request whose answer begins at once and does not end. counts: rising. Yields each count.
    Raises DidNotRun when a stream does not begin.
    """
    until = time.monotonic() + _ANSWER_SECONDS
    held = 0
    with ExitStack() as streams:
        for count in counts:
            opened = [streams.enter_context(_opened(gateway, body)) for _ in range(count - held)]
            for stream in opened:
                _await_first_token(stream, until)
            held = count
            yield count


def _await_first_token(stream: socket.socket, until: float) -> None:
    reader = StampReader()
    while not reader.count:
        data = _received(stream, until)
        if not data:
            raise DidNotRun("a held stream ended")
        reader.feed(data)


def paced(gateway: Gateway, body: bytes, streams: int, chunks: int, seconds: float) -> TokenCost:
    """Read many paced streams at once from a process of its own.

    body: of every request. streams: how many. chunks: tokens in each. seconds: a stream's length.
    Raises DidNotRun when tokens are missing.
    """
    body_file = gateway.folder / "body.json"
    body_file.write_bytes(body)
    limit = seconds + _EXTRA_SECONDS
    arguments = {
        "port": gateway.port,
        "path": gateway.path,
        "pid": gateway.pid,
        "body": body_file,
        "streams": streams,
        "chunks": chunks,
        "limit": limit,
    }
    command = [sys.executable, "-m", "benchmarks.paced_client"]
    for name, value in arguments.items():
        command += [f"--{name}", str(value)]
    printed = _run(command, limit + _EXTRA_SECONDS, environment(gateway.folder))
    return TokenCost(**json.loads(printed))
