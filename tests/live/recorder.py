"""A proxy on loopback in front of a provider that keeps what was asked and answered, without the key."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from tests.support.http_request import HttpRequest, read_request
from tests.support.loopback import Loopback, WatchedReader

SECONDS = 300.0
_CHAT = "/chat/completions"
# What belongs to one connection, or tells what the proxy has undone.
_OWN = frozenset(
    {"connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding"}
)

Json = dict[str, Any]


@dataclass(slots=True)
class Passage:
    """A request below the provider's host with its decoded body, and what came back."""

    path: str
    body: Any
    status: int = 0
    answer: bytearray = field(default_factory=bytearray)

    @property
    def messages(self) -> list[Json]:
        """The messages of a Chat request."""
        messages: list[Json] = self.body["messages"]
        return messages

    def reasoning(self, fields: Iterable[str]) -> str:
        """The reasoning in the answer, streamed or whole.

        Args:
            fields: where it may stand in a message or delta; the first with text counts.
        """
        names = list(fields)
        found = [[piece.get(name) for name in names] for piece in self._pieces()]
        return "".join(
            next((text for text in texts if isinstance(text, str) and text), "") for texts in found
        )

    def _pieces(self) -> Iterator[Json]:
        text = self.answer.decode()
        if text.lstrip().startswith("{"):
            yield json.loads(text)["choices"][0]["message"]
            return
        for line in text.splitlines():
            data = line.removeprefix("data:").strip()
            if line.startswith("data:") and data != "[DONE]":
                yield from (choice.get("delta") or {} for choice in json.loads(data).get("choices") or ())


class Recorder:
    """Forwards every request to `target` (an absolute URL with the API's version) and keeps `passages`."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path
        self._loopback = Loopback(self._serve)
        self.passages: list[Passage] = []

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
        """What a gateway takes in place of the provider's URL."""
        return f"http://127.0.0.1:{self._loopback.port}{self._path}"

    @property
    def chats(self) -> list[Passage]:
        """The Chat requests that were taken, in order."""
        return [
            passage
            for passage in self.passages
            if passage.path.endswith(_CHAT) and passage.status == httpx.codes.OK
        ]

    async def _serve(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            while (request := await read_request(reader)) is not None:
                passage = Passage(request.path, json.loads(request.body) if request.body else None)
                self.passages.append(passage)
                await self._forward(client, request, passage, writer)

    async def _forward(
        self, client: httpx.AsyncClient, request: HttpRequest, passage: Passage, writer: asyncio.StreamWriter
    ) -> None:
        headers = {name: value for name, value in request.headers.items() if name not in _OWN}
        url = self._origin + request.path
        async with client.stream(request.method, url, headers=headers, content=request.body) as answer:
            passage.status = answer.status_code
            writer.write(_head(answer))
            async for block in answer.aiter_bytes():
                passage.answer += block
                writer.write(b"%x\r\n%b\r\n" % (len(block), block) if block else b"")
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _head(answer: httpx.Response) -> bytes:
    kept = [f"{name}: {value}" for name, value in answer.headers.items() if name not in _OWN]
    lines = [f"HTTP/1.1 {answer.status_code} Forwarded", *kept, "transfer-encoding: chunked", "", ""]
    return "\r\n".join(lines).encode("latin-1")
