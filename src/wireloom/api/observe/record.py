"""Requests written to files as they come, cleaned, with a table of the clients that sent them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wireloom.api import bodies
from wireloom.api.auth import Keys
from wireloom.api.observe.capture import cleaned
from wireloom.errors import GatewayError

TABLE = "VERSIONS.md"
RECORDED = "/v1/"

_PRIVATE = 0o600
_CLIENT = re.compile(r"(?P<name>[A-Za-z][\w.-]*(?:/[A-Za-z][\w.-]*)?)[/ ]v?(?P<version>\d[\w.+-]*)")
_NUMBER = re.compile(r"\d+(?=-)")
_WORD = re.compile(r"[a-z][a-z_]*")
_KIND = re.compile(r"[\w.:-]{1,40}")
_HEAD = """\
# Who sent what is recorded here

Requests are cut and cleaned, but not free of content: look at each before you show it to others.

| client | version | first seen | requests | items | tools |
|---|---|---|---|---|---|
"""

log = logging.getLogger("wireloom")


class Recorder:
    """Middleware that records each request below /v1 that carries a key, before its answer begins.

    Args:
        app: what answers.
        keys: who may call; who may not must not be able to fill the disk.
        folder: where the files go; it is there, and nobody else may look into it.
        max_body_bytes: the largest body unpacked.
    """

    def __init__(self, app: ASGIApp, keys: Keys, folder: Path, max_body_bytes: int) -> None:
        self._app = app
        self._keys = keys
        self._max_body = max_body_bytes
        self._recording = Recording(folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and record it."""
        if scope["type"] != "http" or not scope["path"].startswith(RECORDED) or not self._admits(scope):
            await self._app(scope, receive, send)
            return
        parts: list[bytes] = []

        async def listen() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                parts.append(message.get("body", b""))
            return message

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._record(scope, parts)
            await send(message)

        await self._app(scope, listen, tell)

    def _admits(self, scope: Scope) -> bool:
        try:
            self._keys.principal(Headers(scope=scope))
        except GatewayError:
            return False
        return True

    async def _record(self, scope: Scope, parts: list[bytes]) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        try:
            body = await self._body(dict(headers).get("content-encoding", ""), parts)
            query = scope["query_string"].decode("latin-1")
            await asyncio.to_thread(self._recording.add, scope["method"], scope["path"], query, headers, body)
        except OSError as error:
            log.warning("A request could not be recorded: %s.", error.strerror)
        except RecursionError:
            log.warning("A request is nested too deeply to be recorded.")

    async def _body(self, encoding: str, parts: list[bytes]) -> Any:
        """The JSON of a body; of one that is none, its size."""
        if not any(parts):
            return None

        async def source() -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        try:
            return bodies.parse(await bodies.read(source(), encoding, self._max_body))
        except GatewayError:
            return f"...[trimmed {sum(map(len, parts))} bytes]"


@dataclass(slots=True)
class Seen:
    """What one version of a client has sent.

    Args:
        first: day of its first request.
    """

    first: str
    requests: int = 0
    items: set[str] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)


class Recording:
    """A folder of recorded requests and its table; what is in the folder already counts.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], Seen] = {}
        paths = sorted(folder.glob("*.json"))
        numbers = [int(found[0]) for path in paths if (found := _NUMBER.match(path.name))]
        self._numbers = count(max(numbers, default=0) + 1)
        for path in paths:
            self._take_up(path)

    def add(self, method: str, path: str, query: str, headers: list[tuple[str, str]], body: Any) -> None:
        """Write a request and the table.

        Args: see `cleaned`.

        Raises:
            OSError: the folder cannot be written to.
        """
        capture = cleaned(method, path, query, headers, body)
        text = json.dumps(capture, indent=2, ensure_ascii=False) + "\n"
        words = _WORD.findall(path.removeprefix(RECORDED).lower())[:3]
        with self._lock:
            self._write_new(f"-{'-'.join([method.lower(), *words])}.json"[:60], text)
            self._count(capture, datetime.now(UTC))
            self._write_table()

    def _take_up(self, path: Path) -> None:
        try:
            capture = json.loads(path.read_bytes())
            self._count(capture, datetime.fromtimestamp(path.stat().st_mtime, UTC))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            log.warning("%s is no recorded request, so it is not counted.", path.name)

    def _count(self, capture: dict[str, Any], when: datetime) -> None:
        day, client = when.date().isoformat(), _client(capture["headers"])
        seen = self._seen.setdefault(client, Seen(day))
        seen.first = min(seen.first, day)
        seen.requests += 1
        seen.items.update(_kinds(_members(capture["body"], "input")))
        seen.tools.update(_kinds(_tools(capture["body"])))

    def _write_new(self, ending: str, text: str) -> None:
        """Write a file under the next number that is free; another process may write here as well."""
        for number in self._numbers:
            try:
                # A lone surrogate comes out of JSON within a text; what replaces it is its JSON escape.
                with open(
                    self._folder / f"{number:04d}{ending}",
                    "x",
                    encoding="utf-8",
                    errors="backslashreplace",
                    opener=_private,
                ) as file:
                    file.write(text)
                return
            except FileExistsError:
                continue

    def _write_table(self) -> None:
        rows = [
            f"| {name} | {version} | {seen.first} | {seen.requests} | {', '.join(sorted(seen.items))} "
            f"| {', '.join(sorted(seen.tools))} |\n"
            for (name, version), seen in sorted(self._seen.items())
        ]
        draft = self._folder / f".{TABLE}.{os.getpid()}"
        with open(draft, "w", encoding="utf-8", opener=_private) as file:
            file.write(_HEAD + "".join(rows))
        draft.replace(self._folder / TABLE)


def _private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, _PRIVATE)
    os.fchmod(descriptor, _PRIVATE)
    return descriptor


def _client(headers: dict[str, str]) -> tuple[str, str]:
    agents = (value for name, value in headers.items() if name.lower() == "user-agent")
    found = _CLIENT.match(next(agents, ""))
    return (found["name"][:40], found["version"][:40]) if found else ("unknown", "")


def _members(body: Any, name: str) -> list[Any]:
    found = body.get(name) if isinstance(body, dict) else None
    return found if isinstance(found, list) else []


def _tools(body: Any) -> Iterator[Any]:
    """Every tool of a request: those it offers, those that items bring, those within a namespace."""
    holders = [body, *_members(body, "input")]
    for holder in holders:
        tools = _members(holder, "tools")
        yield from tools
        holders += [tool for tool in tools if isinstance(tool, dict)]


def _kinds(parts: Any) -> Iterator[str]:
    for part in parts:
        kind = part.get("type", "message" if "role" in part else "") if isinstance(part, dict) else ""
        if isinstance(kind, str) and _KIND.fullmatch(kind):
            yield kind
