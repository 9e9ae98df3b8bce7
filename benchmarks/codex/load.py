"""Trivial requests to a gateway: one after the other, and many at once."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import local

from benchmarks.codex.engines import TOKEN, Engine
from benchmarks.codex.upstream import TEXT
from benchmarks.processes import DidNotRun

_HEADERS = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}


class Client:
    """A client of one gateway, with a connection for each of its threads.

    Args:
        engine: what it asks.
        port: where that is.
    """

    def __init__(self, engine: Engine, port: int) -> None:
        body = {"model": engine.model, "messages": [{"role": "user", "content": "hello"}]}
        self._body = json.dumps(body)
        self._port = port
        self._local = local()

    def ask(self, _: object = None) -> float:
        """Return the seconds of one request; raises DidNotRun unless its answer is whole."""
        begin = time.perf_counter()
        connection = self._connection()
        connection.request("POST", "/v1/chat/completions", self._body, _HEADERS)
        response = connection.getresponse()
        data = response.read()
        seconds = time.perf_counter() - begin
        if response.status != 200 or TEXT.encode() not in data:
            raise DidNotRun(f"answered {response.status}: {data[:200]!r}")
        return seconds

    def burst(self, number: int) -> float:
        """Return the seconds that so many requests take together."""
        with ThreadPoolExecutor(number) as pool:
            list(pool.map(self._connect, range(number)))
            begin = time.perf_counter()
            list(pool.map(self.ask, range(number)))
            return time.perf_counter() - begin

    def _connect(self, _: int) -> None:
        self._connection().connect()

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        return found
