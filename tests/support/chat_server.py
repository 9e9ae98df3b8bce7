"""A scripted, strict Chat Completions upstream behind a real HTTP server."""

import argparse
import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.support.chat_rules import Rules, problems
from tests.support.chat_turns import CREATED, Json, Raw, Reply, Turn, closing, completion, failure, opening
from tests.support.http_request import HttpRequest, read_request
from tests.support.loopback import Loopback, WatchedReader

API_KEY = "upstream-key"
MODEL = "scripted-model"
CHAT_PATH = "/v1/chat/completions"
MODELS_PATH = "/v1/models"
WAIT_SECONDS = 60.0

Script = Callable[[Json], Reply] | Sequence[Reply]


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; times are ``time.monotonic`` seconds.

    ``body`` is the decoded JSON, or None without one. ``closed_early`` tells that the client left before
    the response was whole; ``ended`` is set when the server is through with the request.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    started_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None
    closed_early: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def finish(self, *, closed_early: bool) -> None:
        """Note how and when the exchange ended."""
        self.closed_early = closed_early
        self.ended_at = time.monotonic()
        self.ended.set()

    @property
    def messages(self) -> list[Json]:
        """Return the messages of a Chat Completions request."""
        messages: list[Json] = self.body["messages"]
        return messages

    @property
    def tool_names(self) -> list[str]:
        """Return the names of the tools offered to the model."""
        return [tool["function"]["name"] for tool in self.body.get("tools", [])]

    @property
    def outputs(self) -> dict[str, str]:
        """Return the texts of the tool messages by the id of the call they answer."""
        answers = [message for message in self.messages if message["role"] == "tool"]
        return {message["tool_call_id"]: message["content"] for message in answers}

    @property
    def image_urls(self) -> list[str]:
        """Return the addresses of the pictures in all messages, in order."""
        contents = [message.get("content") for message in self.messages]
        parts = [part for content in contents if isinstance(content, list) for part in content]
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]

    def texts(self, role: str) -> list[str]:
        """Return every text of the messages of ``role``, parts taken apart, in order."""
        return [
            text for message in self.messages if message["role"] == role for text in content_texts(message)
        ]


def content_texts(message: Json) -> list[str]:
    """Return the texts in a message's content, which is a string, parts or null."""
    content = message.get("content") or []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [part["text"] for part in parts if part["type"] == "text"]


def echo(body: Json) -> Turn:
    """Answer with the last text of the request."""
    return Turn(text=f"echo: {''.join(content_texts(body['messages'][-1]))}")


class ChatServer:
    """Plays ``script`` to whoever asks, and keeps a log.

    A list is played one reply per valid request; a callable is asked with each decoded body. Requests that
    break ``rules``, carry another key or come after the end of the list are answered 4xx and kept in
    ``complaints``. ``models`` None answers the list of models with 404, as some providers do.
    """

    def __init__(
        self,
        script: Script = echo,
        *,
        rules: Rules | None = None,
        api_key: str = API_KEY,
        models: Sequence[str] | None = (MODEL,),
        port: int = 0,
    ) -> None:
        self._rules = rules or Rules()
        self._api_key = api_key
        self._models = models
        self._loopback = Loopback(self._serve, port)
        self._changed = threading.Condition()
        self.play(script)

    def play(self, script: Script) -> None:
        """Start over with ``script`` and an empty log."""
        with self._changed:
            self._released = asyncio.Event()
            self._script = script if callable(script) else list(script)
            self.exchanges: list[Exchange] = []
            self.complaints: list[str] = []

    def release(self) -> None:
        """Let every turn that is held, now or later, go on to its end."""
        self._loopback.call(self._released.set)

    def __enter__(self) -> Self:
        self._loopback.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loopback.__exit__(exc_type, exc, traceback)

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return self._loopback.port

    @property
    def base_url(self) -> str:
        """Return the address to give as the upstream of a gateway."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def chats(self) -> list[Exchange]:
        """Return the Chat Completions requests in the order they came."""
        with self._changed:
            return [exchange for exchange in self.exchanges if exchange.path == CHAT_PATH]

    def wait_for(self, count: int, timeout: float = WAIT_SECONDS) -> Exchange:
        """Return the ``count``-th Chat Completions request, waiting for it; raises ``TimeoutError``."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.chats) >= count, timeout):
                raise TimeoutError(f"{len(self.chats)} of {count} upstream requests within {timeout} s")
        return self.chats[count - 1]

    def verify(self) -> None:
        """Raise ``AssertionError`` for complaints, a script that raised or one not played to its end."""
        if self._loopback.failures:
            raise AssertionError("the upstream's script raised") from self._loopback.failures.pop()
        if self.complaints:
            raise AssertionError("the upstream complained:\n" + "\n".join(self.complaints))
        if not callable(self._script) and self._script:
            raise AssertionError(f"{len(self._script)} upstream replies were never asked for")

    async def _serve(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            body = json.loads(request.body) if request.body else None
            exchange = Exchange(request.method, request.path, request.headers, body)
            with self._changed:
                self.exchanges.append(exchange)
                number = len(self.exchanges)
                self._changed.notify_all()
            delivery = _Delivery(reader, writer, self._released)
            try:
                await delivery.send(self._reply(exchange, request), exchange.body, number)
            finally:
                exchange.finish(closed_early=not delivery.whole)
            if not delivery.reusable:
                return

    def _reply(self, exchange: Exchange, request: HttpRequest) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self._api_key}":
            return self._refuse(401, "authorization", "incorrect API key", "invalid_api_key")
        if request.method == "GET" and request.path.startswith(MODELS_PATH):
            return self._about_models(request.path.removeprefix(MODELS_PATH))
        if (request.method, request.path) != ("POST", CHAT_PATH):
            return self._refuse(404, request.path, f"no such operation: {request.method}", None)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return self._refuse(400, "content-type", "must be application/json", None)
        if (problem := next(problems(exchange.body, self._rules), None)) is not None:
            return self._refuse(400, problem.param, problem.message, "invalid_value")
        if callable(self._script):
            return self._script(exchange.body)
        if not self._script:
            return self._refuse(400, "messages", "the script has no reply left", "script_over")
        return self._script.pop(0)

    def _about_models(self, rest: str) -> Raw:
        if self._models is None:
            return failure(404, "Not Found")
        if not rest:
            return _json({"object": "list", "data": [_model(name) for name in self._models]})
        name = rest.removeprefix("/")
        return (
            _json(_model(name)) if name in self._models else failure(404, f"no model {name}", param="model")
        )

    def _refuse(self, status: int, param: str, message: str, code: str | None) -> Raw:
        self.complaints.append(f"{status} {param}: {message}")
        return failure(status, f"{param}: {message}", code=code, param=param)


class _Delivery:
    """Sends one reply down a connection and notes how far it came."""

    def __init__(self, reader: WatchedReader, writer: asyncio.StreamWriter, released: asyncio.Event) -> None:
        self._gone = reader.gone
        self._released = released
        self._writer = writer
        self.whole = False
        self.reusable = False

    async def send(self, reply: Reply, body: Any, number: int) -> None:
        if isinstance(reply, Raw):
            await self._raw(reply)
        elif await self._left_within(reply.first_byte_seconds):
            return
        elif body.get("stream"):
            await self._stream(reply, body, number)
        else:
            await self._raw(_json(completion(reply, body["model"], number)))

    async def _raw(self, reply: Raw) -> None:
        head = _head(reply.status, {**reply.headers, "content-length": str(len(reply.body) + reply.reset)})
        self._writer.write(head + reply.body)
        await self._end(reset=reply.reset)

    async def _stream(self, turn: Turn, body: Json, number: int) -> None:
        self._writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        include_usage = body.get("stream_options", {}).get("include_usage", False)
        for part in (opening, closing):
            for chunk in part(turn, body["model"], number, include_usage=include_usage):
                self._event(json.dumps(chunk))
                await self._writer.drain()
                if await self._left_within(turn.pause_seconds):
                    return
            if part is opening and turn.held and await self._left_before_release():
                return
        if turn.ending == "done" and turn.error is None:
            self._event("[DONE]")
        if turn.ending != "reset":
            self._writer.write(b"0\r\n\r\n")
        await self._end(reset=turn.ending == "reset")

    def _event(self, data: str) -> None:
        payload = f"data: {data}\n\n".encode()
        self._writer.write(b"%x\r\n%b\r\n" % (len(payload), payload))

    async def _end(self, *, reset: bool) -> None:
        await self._writer.drain()
        self.whole = True
        self.reusable = not reset

    async def _left_within(self, seconds: float) -> bool:
        """Return whether the client leaves within ``seconds``, or has left already."""
        if seconds and not self._gone.is_set():
            try:
                await asyncio.wait_for(self._gone.wait(), seconds)
            except TimeoutError:
                return False
        return self._gone.is_set()

    async def _left_before_release(self) -> bool:
        """Return whether the client leaves before the turn is released."""
        waits = {asyncio.ensure_future(event.wait()) for event in (self._gone, self._released)}
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self._gone.is_set()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _json(value: Json) -> Raw:
    return Raw(json.dumps(value).encode(), headers={"content-type": "application/json"})


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "tests"}


def main() -> None:
    """Serve the echo script until SIGTERM or SIGINT; the port is printed on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default=API_KEY)
    options = parser.parse_args()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with ChatServer(port=options.port, api_key=options.api_key) as server:
        print(server.port, flush=True)
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
