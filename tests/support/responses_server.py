"""A scripted Responses upstream behind a real HTTP server."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.http_request import HttpRequest, read_request
from tests.support.loopback import Loopback, WatchedReader
from tests.support.responses_turns import Answer, Json, Streamed, Whole

API_KEY = "upstream-key"
MODEL = "scripted-model"
WAIT_SECONDS = 60.0
STATE = ("previous_response_id", "conversation")
MODELS: Json = {
    "object": "list",
    "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "tests"}],
}

Script = Callable[[Json], Answer] | Sequence[Answer]


@dataclass(slots=True)
class Exchange:
    """One request, its body of ``size`` bytes; ``closed_early`` tells that the client left before the answer was whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    size: int = 0
    closed_early: bool = False
    ended: bool = False


class ResponsesServer:
    """Plays ``script`` to whoever asks, one answer per request, and keeps a log.

    It is stateless, as most such servers are: a request that asks for state, or that carries another key, is answered
    4xx and kept in ``complaints``. ``counted`` is its answer to the count of an input, None where it has none.
    """

    def __init__(self, script: Script = (), *, counted: Any = None) -> None:
        self._loopback = Loopback(self._serve)
        self._changed = threading.Condition()
        self.counted = counted
        self.play(script)

    def play(self, script: Script) -> None:
        """Start over with ``script`` and an empty log."""
        with self._changed:
            self._released = asyncio.Event()
            self._script = script if callable(script) else list(script)
            self.exchanges: list[Exchange] = []
            self.complaints: list[str] = []

    def release(self) -> None:
        """Let an answer that is held go on."""
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
    def base_url(self) -> str:
        """Return the address to give as the upstream of a gateway."""
        return f"http://127.0.0.1:{self._loopback.port}/v1"

    @property
    def asked(self) -> list[Json]:
        """Return the bodies of the requests for responses, in order."""
        with self._changed:
            return [each.body for each in self.exchanges if each.path == "/v1/responses"]

    def wait_until(self, condition: Callable[[list[Exchange]], bool], timeout: float = WAIT_SECONDS) -> None:
        """Wait for something in the log; raises ``TimeoutError``."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self.exchanges), timeout):
                raise TimeoutError(f"not within {timeout} s: {self.exchanges}")

    def verify(self) -> None:
        """Raise ``AssertionError`` for complaints, a script that raised or one not played to its end."""
        if self._loopback.failures:
            raise AssertionError("the upstream's script raised") from self._loopback.failures.pop()
        if self.complaints:
            raise AssertionError("the upstream complained:\n" + "\n".join(self.complaints))
        if not callable(self._script) and self._script:
            raise AssertionError(f"{len(self._script)} answers were never asked for")

    async def _serve(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            body = json.loads(request.body) if request.body else None
            exchange = Exchange(request.method, request.path, request.headers, body, len(request.body))
            with self._changed:
                self.exchanges.append(exchange)
                self._changed.notify_all()
            whole = False
            try:
                whole = await self._send(self._answer(exchange, request), reader, writer)
            finally:
                with self._changed:
                    exchange.closed_early, exchange.ended = not whole, True
                    self._changed.notify_all()
            if not whole:
                return

    def _answer(self, exchange: Exchange, request: HttpRequest) -> Answer:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return self._refuse(401, "authorization", "incorrect API key")
        if (request.method, request.path) == ("GET", "/v1/models"):
            return Whole(MODELS)
        if request.path == "/v1/responses/input_tokens" and self.counted is not None:
            return Whole(self.counted)
        if (request.method, request.path) != ("POST", "/v1/responses"):
            return Whole({"error": {"message": f"no {request.path}", "code": "not_found"}}, 404)
        if exchange.body.get("store") is not False or any(name in exchange.body for name in STATE):
            return self._refuse(400, "store", "nothing is stored here")
        if callable(self._script):
            return self._script(exchange.body)
        return self._script.pop(0) if self._script else self._refuse(400, "input", "the script is over")

    def _refuse(self, status: int, param: str, message: str) -> Whole:
        self.complaints.append(f"{status} {param}: {message}")
        return Whole({"error": {"message": message, "param": param, "code": "refused"}}, status)

    async def _send(self, answer: Answer, reader: WatchedReader, writer: asyncio.StreamWriter) -> bool:
        """Write an answer; tell whether the connection can go on."""
        if isinstance(answer, Streamed):
            return await self._stream(answer, reader, writer)
        data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        fields = {"content-type": "application/json", "content-length": str(len(data)), **answer.headers}
        writer.write(_head(answer.status, fields) + data)
        await writer.drain()
        return True

    async def _stream(self, answer: Streamed, reader: WatchedReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        for number, frame in enumerate(answer.frames()):
            if number == answer.held and await self._left_before_release(reader):
                return False
            if answer.pause:
                await asyncio.sleep(answer.pause)
            writer.write(b"%x\r\n%b\r\n" % (len(frame), frame))
            await writer.drain()
        if answer.ending != "reset":
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return answer.ending != "reset"

    async def _left_before_release(self, reader: WatchedReader) -> bool:
        """Return whether the client leaves before the answer is released."""
        waits = {asyncio.ensure_future(event.wait()) for event in (reader.gone, self._released)}
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return reader.gone.is_set()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")
