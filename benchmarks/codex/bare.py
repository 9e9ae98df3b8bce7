"""The floor: a client of `codex app-server` that does nothing but open a thread and run its turn."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.codex.engines import MODEL, home
from benchmarks.processes import environment
from wireloom.backends.codex.home import MINIMAL, toml

Json = dict[str, Any]
UNREAD = ["thread/status/changed", "thread/tokenUsage/updated", "item/completed", "warning"]


class Bare:
    """One app-server, asked over its pipes.

    Args:
        process: the app-server.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._ids = 0
        capabilities = {"experimentalApi": True, "optOutNotificationMethods": UNREAD}
        self._ask(
            "initialize", {"clientInfo": {"name": "bench", "version": "1"}, "capabilities": capabilities}
        )

    def turn(self) -> float:
        """Return the seconds of one trivial turn, from `thread/start` to its end."""
        begin = time.perf_counter()
        self._finish({self._begin(self._ask("thread/start", _thread())["thread"]["id"])})
        return time.perf_counter() - begin

    def turns(self, number: int) -> float:
        """Return the seconds of as many turns, all begun before any is over."""
        begin = time.perf_counter()
        asked = [self._send("thread/start", _thread()) for _ in range(number)]
        threads: list[str] = []
        while len(threads) < number:
            message = self._read()
            if message.get("id") in asked:
                threads.append(message["result"]["thread"]["id"])
        for thread in threads:
            self._begin(thread)
        self._finish(set(threads))
        return time.perf_counter() - begin

    def _begin(self, thread: str) -> str:
        self._send("turn/start", {"threadId": thread, "input": [{"type": "text", "text": "hello"}]})
        return thread

    def _finish(self, threads: set[str]) -> None:
        left = set(threads)
        while left:
            message = self._read()
            if message.get("method") == "turn/completed":
                left.discard(message["params"]["threadId"])
        for thread in threads:
            self._send("thread/unsubscribe", {"threadId": thread})

    def _ask(self, method: str, params: Json) -> Json:
        number = self._send(method, params)
        while (message := self._read()).get("id") != number or "method" in message:
            pass
        result: Json = message["result"]
        return result

    def _send(self, method: str, params: Json) -> int:
        self._ids += 1
        assert self._process.stdin is not None
        self._process.stdin.write(
            json.dumps({"id": self._ids, "method": method, "params": params}).encode() + b"\n"
        )
        self._process.stdin.flush()
        return self._ids

    def _read(self) -> Json:
        assert self._process.stdout is not None
        message: Json = json.loads(self._process.stdout.readline())
        return message


def _thread() -> Json:
    plain = {"approvalPolicy": "never", "sandbox": "read-only", "ephemeral": True, "environments": []}
    return {**plain, "baseInstructions": "", "model": MODEL}


@contextmanager
def bare(folder: Path, provider: int, codex: str) -> Iterator[Bare]:
    """Run an app-server with the same minimal configuration for the length of a `with` block."""
    options = {**MINIMAL, "thread_unload_delay_secs": 1}
    command = [
        codex,
        "app-server",
        *(part for name, value in options.items() for part in ("-c", f"{name}={toml(value)}")),
    ]
    variables = {**environment(folder), **home(folder, provider), "PATH": os.environ["PATH"]}
    with (folder / "bare.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=variables, cwd=folder
        )
        try:
            yield Bare(process)
        finally:
            process.kill()
            process.wait()
