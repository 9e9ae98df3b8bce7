"""The work that is counted: `python -m benchmarks.instructions.work NAME TIMES`.

Each kind of work prepares itself once and then repeats one step. The difference between two numbers of repetitions is
the cost of the steps alone: start, imports and caches that fill at the first step cancel out.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from typing import Any

from wireloom_protocol import responses as m

from wireloom.app import create_app
from wireloom.config import Settings
from wireloom.providers import load
from wireloom.translate.chat_upstream.reader import ChatReader
from wireloom.translate.chat_upstream.request import request
from wireloom.translate.hub.opening import opening
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses
from wireloom.translate.tools.base import Tools
from wireloom.wire.sse import encode

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BODY: dict[str, Any] = {
    "model": "model",
    "stream": True,
    "store": False,
    "instructions": "You are a helpful assistant.",
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather in Oslo?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Oslo"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "4 degrees, rain"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And tomorrow?"}]},
    ],
    "tools": [
        {"type": "function", "name": "weather", "description": "The weather.", "parameters": PARAMETERS},
        {"type": "custom", "name": "patch", "description": "Apply a patch."},
    ],
}
TOKENS = 20


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "model",
        "choices": [choice],
    }
    return json.dumps(chunk, separators=(",", ":")).encode()


TOKEN = _chunk({"content": " word"})
CHUNKS = [_chunk({"role": "assistant", "content": ""}), *[TOKEN] * TOKENS, _chunk({}, "stop"), b"[DONE]"]
ANSWER = b"".join(b"data: " + chunk + b"\n\n" for chunk in CHUNKS)


def translate_request(times: int) -> None:
    """Validate a request of the Responses API and translate it for a Chat upstream."""
    profile = load("generic")
    for _ in range(times):
        request(m.CreateResponse.model_validate(BODY), profile, Options(model="model"), Losses())


def read_token(times: int) -> None:
    """Read one token of a Chat upstream's stream and write the event for it."""
    numbers = itertools.count()
    body = m.CreateResponse.model_validate(BODY)
    stream = ResponseStream(
        opening(body, "resp_1", 1), lambda prefix: f"{prefix}_{next(numbers)}", lambda: 1.0
    )
    reader = ChatReader(stream, Tools(), load("generic"))
    reader.feed(CHUNKS[0])
    for _ in range(times):
        reader.feed(TOKEN)
        encode(stream.take())


def whole_request(times: int) -> None:
    """Serve one streamed request of 20 tokens in this process, from a Chat upstream on a loopback port."""
    asyncio.run(_serve(times))


async def _serve(times: int) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(upstream=f"http://127.0.0.1:{port}/v1", no_auth=True, history="memory")
    app = create_app(settings)
    async with server, app.router.lifespan_context(app):
        for _ in range(times):
            await _ask(app)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request on a connection with the same stream."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
    while True:
        try:
            request_head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            break
        lines = request_head.lower().split(b"\r\n")
        sizes = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
        await reader.readexactly(sizes[0])
        writer.write(head + ANSWER)
        await writer.drain()
    writer.close()


async def _ask(app: Any) -> None:
    """One request as the HTTP server hands it to the application."""
    body = json.dumps(BODY).encode()
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    sent: list[bytes] = []
    given = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        message = next(given, None)
        if message is None:
            await waiting  # the client stays until the answer has ended
        return message

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/responses",
        "raw_path": b"/v1/responses",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    waiting.cancel()
    assert b"response.completed" in b"".join(sent), b"".join(sent)[-500:]


WORK: dict[str, Callable[[int], None]] = {
    "translate_request": translate_request,
    "read_token": read_token,
    "whole_request": whole_request,
}


if __name__ == "__main__":
    WORK[sys.argv[1]](int(sys.argv[2]))
