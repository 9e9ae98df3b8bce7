"""A Chat upstream that sends stamped chunks at a fixed pace; run as a process of its own."""

import argparse
import asyncio
import json
import re
import time

from benchmarks.payloads import first_event, last_events, text_event
from benchmarks.stamps import stamp

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MODEL = re.compile(rb'"model" *: *"paced-(\d+)-(\d+)(-together)?"')
_MODELS = json.dumps({"object": "list", "data": [{"id": "paced-2-0", "object": "model"}]}).encode()
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
_BEFORE, _AFTER = text_event(" |").split(b"|")
_END = b"%x\r\n%b\r\n0\r\n\r\n" % (len(last_events(100)), last_events(100))
_GOLDEN_RATIO = 0.618034


def paced_model(chunks: int, interval_ms: int, together: bool = False) -> str:
    """Name the model whose answer has this many chunks, this many milliseconds apart.

    chunks: two or more; the first comes at once. interval_ms: 0 sends the whole answer in one write.
    together: all streams send at the same moments, instead of evenly spread over the interval.
    """
    return f"paced-{chunks}-{interval_ms}{'-together' if together else ''}"


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _token() -> bytes:
    return _chunked(_BEFORE + stamp(time.monotonic_ns()).encode() + _AFTER)


class PacedUpstream(asyncio.Protocol):
    """One connection; answers the requests on it one after the other."""

    streams = 0

    def __init__(self) -> None:
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, as asyncio asks."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Stop sending to a client that has left."""
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer as soon as the request is whole.

        data: bytes of the request.
        """
        self._buffer += data
        head, complete, body = self._buffer.partition(b"\r\n\r\n")
        if not complete:
            return
        length = _LENGTH.search(head)
        if length and len(body) < int(length[1]):
            return
        self._buffer = b""
        self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        model = _MODEL.search(body)
        if head.startswith(b"GET "):
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            self._transport.write(answer % (len(_MODELS), _MODELS))
        elif not model:
            self._transport.write(_REFUSED)
        elif int(model[2]) == 0:
            tokens = b"".join(_token() for _ in range(int(model[1])))
            self._transport.write(_STREAM_HEAD + _chunked(first_event()) + tokens + _END)
        else:
            self._start(int(model[1]), int(model[2]) / 1000, together=bool(model[3]))

    def _start(self, chunks: int, interval: float, together: bool) -> None:
        self._transport.write(_STREAM_HEAD + _chunked(first_event()) + _token())
        # The ticks lie on one grid, evenly spread or all together, so each contestant meets the same load,
        # however long it took to forward the requests.
        PacedUpstream.streams += 1
        phase = 0.0 if together else PacedUpstream.streams * _GOLDEN_RATIO % 1 * interval
        now = self._loop.time()
        self._pace(now - now % interval + interval + phase, interval, chunks - 1)

    def _pace(self, at: float, interval: float, left: int) -> None:
        self._timer = self._loop.call_at(at, self._tick, at, interval, left)

    def _tick(self, at: float, interval: float, left: int) -> None:
        if left > 1:
            self._transport.write(_token())
            self._pace(at + interval, interval, left - 1)
        else:
            self._transport.write(_token() + _END)


async def serve(port: int) -> None:
    """Serve until the process is ended.

    port: on loopback.
    """
    server = await asyncio.get_running_loop().create_server(PacedUpstream, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
