"""A Chat upstream that answers at once with the size of what it got; run as a process of its own."""

import argparse
import asyncio
import json
import re

from benchmarks.payloads import first_event, last_events, text_event

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SIZE = re.compile(r"body of (\d+) bytes")
_MODELS = json.dumps({"object": "list", "data": [{"id": "bench", "object": "model"}]}).encode()


def answer_text(size: int) -> str:
    """What the model says to a request.

    size: of its body, in bytes.
    """
    return f"That was a body of {size} bytes."


def size_in(text: str) -> int:
    """Return the size that an answer names, 0 when it names none."""
    found = _SIZE.search(text)
    return int(found[1]) if found else 0


def _message(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class SizeUpstream(asyncio.Protocol):
    """One connection; bodies are counted, not kept, so that a large one costs little more than its transport."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, as asyncio asks."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as the request is whole.

        data: bytes of the request.
        """
        if self._left:
            self._left -= len(data)
        else:
            head, complete, body = (self._head + data).partition(b"\r\n\r\n")
            self._head = b"" if complete else head
            if not complete:
                return
            if head.startswith(b"GET "):
                self._transport.write(_message("application/json", _MODELS))
                return
            length = _LENGTH.search(head)
            self._size = int(length[1]) if length else 0
            self._left = self._size - len(body)
        if self._left <= 0:
            self._left = 0
            events = first_event() + text_event(answer_text(self._size)) + last_events(1)
            self._transport.write(_message("text/event-stream", events))


async def serve(port: int) -> None:
    """Serve until the process is ended.

    port: on loopback.
    """
    server = await asyncio.get_running_loop().create_server(SizeUpstream, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
