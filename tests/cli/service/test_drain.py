"""The end of a gateway: readiness, what runs, what comes too late; real processes and signals."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.process import Wireloom
from tests.support import chat_turns
from tests.support.chat_server import ChatServer

FACES: dict[str, dict[str, Any]] = {
    "responses": {"input": "x"},
    "chat/completions": {"messages": [{"role": "user", "content": "x"}]},
}


@pytest.fixture
def upstream() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def holds(upstream: ChatServer) -> None:
    """Every answer stops half-way until the upstream is released."""
    upstream.play(
        lambda body: chat_turns.Turn(
            text="half and more", held=True, first_byte_seconds=0 if body.get("stream") else 30
        )
    )


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


class Asking(threading.Thread):
    """One streamed request; its text as it arrives."""

    def __init__(self, url: str, face: str = "responses", *, stream: bool = True) -> None:
        super().__init__(daemon=True)
        self._url, self._face, self._stream = url, face, stream
        self.text = ""
        self.status = 0
        self.begun = threading.Event()
        self.start()

    def run(self) -> None:
        body = {**FACES[self._face], "model": "m", "stream": self._stream}
        asking = httpx.stream("POST", f"{self._url}/v1/{self._face}", json=body, timeout=60)
        with contextlib.suppress(httpx.RemoteProtocolError), asking as response:
            self.status = response.status_code
            for text in response.iter_text():
                self.text += text
                self.begun.set()


def served(upstream: ChatServer, *flags: str) -> Wireloom:
    base = ("--upstream", upstream.base_url, "--no-auth", "--port", "0", "--history", "memory")
    return Wireloom("serve", *base, *flags, environment={"WIRELOOM_API_KEY": "upstream-key"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_runs_may_end_and_nothing_new_begins(upstream: ChatServer, number: signal.Signals) -> None:
    holds(upstream)
    with served(upstream, "--drain-seconds", "30") as process:
        url = process.url()
        running = [Asking(url, face) for face in FACES]
        for each in running:
            assert each.begun.wait(20)
        assert httpx.get(f"{url}/ready").status_code == 200
        process.signal(number)
        until(lambda: httpx.get(f"{url}/ready").status_code != 200)
        ready = httpx.get(f"{url}/ready")
        assert (ready.status_code, ready.json()["error"]["code"]) == (503, "shutting_down")
        assert httpx.get(f"{url}/health").status_code == 200
        late = httpx.post(f"{url}/v1/responses", json={"model": "m", "input": "x"})
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        upstream.release()
        for each in running:
            each.join(20)
        process.wait()
    responses, chat = running
    assert "response.completed" in responses.text
    assert chat.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("face", FACES)
def test_what_does_not_end_is_ended_in_words(upstream: ChatServer, face: str) -> None:
    holds(upstream)
    with served(upstream, "--drain-seconds", "0.3") as process:
        url = process.url()
        streamed, whole = Asking(url, face), Asking(url, face, stream=False)
        assert streamed.begun.wait(20)
        until(lambda: len(upstream.chats) == 2)
        begun = time.monotonic()
        process.interrupt(signal.SIGTERM)
        took = time.monotonic() - begun
        streamed.join(20)
        whole.join(20)
    assert took < 5
    assert "shutting_down" in streamed.text
    if face == "responses":
        last = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")][-1]
        assert last["type"] == "response.failed"
    assert (whole.status, json.loads(whole.text)["error"]["code"]) == (503, "shutting_down")


def test_a_second_signal_ends_it_at_once(upstream: ChatServer) -> None:
    holds(upstream)
    with served(upstream, "--drain-seconds", "60") as process:
        running = Asking(process.url())
        assert running.begun.wait(20)
        process.signal(signal.SIGTERM)
        time.sleep(0.2)
        begun = time.monotonic()
        process.interrupt(signal.SIGTERM)
        assert time.monotonic() - begun < 5


def test_without_requests_it_ends_at_once(upstream: ChatServer) -> None:
    with served(upstream, "--drain-seconds", "60") as process:
        url = process.url()
        with httpx.Client() as client:  # keeps its connection
            client.get(f"{url}/health")
            begun = time.monotonic()
            process.interrupt(signal.SIGTERM)
            assert time.monotonic() - begun < 5


def test_a_head_that_does_not_arrive(upstream: ChatServer, tmp_path: Path) -> None:
    with served(upstream, "--receive-timeout-seconds", "0.3") as process:
        port = int(process.url().rpartition(":")[2])
        answers = []
        for begun in (b"", b"GET /health HTTP/1.1\r\nhost: loc"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(begun)
                answers.append(connection.recv(1000))
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            for _ in range(2):  # a connection that is kept is not one whose head is missing
                connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
                told = b""
                while not told.endswith(b"}"):
                    told += connection.recv(1000)
                assert told.startswith(b"HTTP/1.1 200")
                time.sleep(0.5)
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
