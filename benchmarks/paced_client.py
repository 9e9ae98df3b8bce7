"""Reads many paced streams at once and prints what each token cost; run as a process of its own."""

import argparse
import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.processes import DidNotRun, cpu_seconds
from benchmarks.stamps import StampReader


@dataclass(frozen=True)
class TokenCost:
    """What a paced run measured, per token: the gateway's CPU in microseconds, latencies in milliseconds."""

    cpu_us: float
    p50_ms: float
    p99_ms: float


def http_request(path: str, body: bytes) -> bytes:
    """Build the bytes of a POST whose connection ends with the answer.

    path: of the request. body: JSON.
    """
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Stream(asyncio.Protocol):
    """One connection: sends its request, then notes how old each stamp is when it arrives."""

    def __init__(self, request: bytes, latencies: list[int], end: asyncio.Future[None]) -> None:
        self._request = request
        self._latencies = latencies
        self._end = end
        self._reader = StampReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._latencies.extend(now - sent for sent in self._reader.feed(data))

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self._end.done():
            self._end.set_result(None)


async def read_streams(
    port: int, request: bytes, streams: int, chunks: int, pid: int, limit: float
) -> TokenCost:
    """Open all streams at once, read them to their end and reckon the cost of a token.

    port: the gateway's, on loopback. request: whole HTTP request. streams: how many. chunks: tokens expected
    in each. pid: the gateway's process. limit: seconds.
    Raises DidNotRun when tokens are missing at the end or the time is over.
    """
    loop = asyncio.get_running_loop()
    latencies: list[int] = []
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(streams)]
    begin = cpu_seconds(pid)
    for end in ends:
        await loop.create_connection(partial(_Stream, request, latencies, end), "127.0.0.1", port)
    await asyncio.wait(ends, timeout=limit)
    used = cpu_seconds(pid) - begin
    if len(latencies) != streams * chunks:
        raise DidNotRun(f"{len(latencies)} of {streams * chunks} tokens arrived")
    cuts = statistics.quantiles(latencies, n=100)
    return TokenCost(cpu_us=used / len(latencies) * 1e6, p50_ms=cuts[49] / 1e6, p99_ms=cuts[98] / 1e6)


def main(arguments: Sequence[str]) -> int:
    """Run from the command line: print the cost as JSON, or the reason on standard error and return 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--port", "--streams", "--chunks", "--pid"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--body", type=Path, required=True)
    given = parser.parse_args(arguments)
    request = http_request(given.path, given.body.read_bytes())
    gc.disable()
    try:
        cost = asyncio.run(
            read_streams(given.port, request, given.streams, given.chunks, given.pid, given.limit)
        )
    except (DidNotRun, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(cost)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
