"""A transparent proxy that records what passes between a client and a gateway."""

import asyncio
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.http_request import HttpRequest, read_request
from tests.support.loopback import Loopback, WatchedReader

_BLOCK = 65_536


@dataclass(slots=True)
class Passage:
    """A request that went through, and the raw bytes of what came back so far."""

    request: HttpRequest
    answer: bytearray = field(default_factory=bytearray)

    @property
    def body(self) -> Any:
        """Return the decoded JSON body of the request."""
        return json.loads(self.request.body)

    def texts(self, *roles: str) -> list[str]:
        """Return the input texts of a Responses request in the messages of ``roles``, in order."""
        messages = [
            item for item in self.body["input"] if item["type"] == "message" and item["role"] in roles
        ]
        return [part["text"] for message in messages for part in message["content"] if "text" in part]


class Tap:
    """Forwards every connection to ``target`` (an http URL) unchanged and keeps ``passages``.

    ``base_url`` is the target's address with the tap's port in place of its own.
    """

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
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
        """Return the address a client takes in place of the gateway's."""
        return f"http://127.0.0.1:{self._loopback.port}{self._target.path}"

    def posts(self, ending: str) -> list[Passage]:
        """Return the POST requests whose path ends with ``ending``."""
        return [
            passage
            for passage in self.passages
            if passage.request.method == "POST" and passage.request.path.endswith(ending)
        ]

    async def _serve(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(
            self._target.hostname, self._target.port
        )
        copy = asyncio.StreamReader()
        here: list[Passage] = []
        try:
            async with asyncio.TaskGroup() as group:
                recorder = group.create_task(self._record(copy, here))
                back = group.create_task(_answers(upstream_reader, writer, here))
                forth = group.create_task(_requests(reader, upstream_writer, copy))
                await asyncio.wait({back, forth}, return_when=asyncio.FIRST_COMPLETED)
                for task in (back, forth, recorder):
                    task.cancel()
        finally:
            upstream_writer.close()

    async def _record(self, copy: asyncio.StreamReader, here: list[Passage]) -> None:
        while (request := await read_request(copy)) is not None:
            passage = Passage(request)
            here.append(passage)
            self.passages.append(passage)


async def _requests(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: asyncio.StreamReader
) -> None:
    while block := await reader.read(_BLOCK):
        copy.feed_data(block)
        writer.write(block)
        await writer.drain()


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, here: list[Passage]) -> None:
    while block := await reader.read(_BLOCK):
        if here:
            here[-1].answer += block
        writer.write(block)
        await writer.drain()
