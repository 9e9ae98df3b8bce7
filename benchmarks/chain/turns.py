"""The turns of a conversation, taken one after the other and measured."""

import http.client
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.chain.conversation import ChatBody, completed, responses_request, text_of
from benchmarks.chain.report import Run, marks, window
from benchmarks.chain.upstream import answer_text, size_in
from benchmarks.contestants import Gateway
from benchmarks.processes import DidNotRun, cpu_seconds, resident_bytes

STORE = "store"
_ANSWER_SECONDS = 60.0


class _Client:
    """Sends requests and times them; a connection is made before the clock starts."""

    def __init__(self, port: int, path: str, *, kept: bool) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
        self._path = path
        self._kept = kept

    def post(self, body: bytes) -> tuple[float, bytes]:
        """Return the seconds to the end of the answer, and the answer. Raises DidNotRun when it is refused."""
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        try:
            if self._connection.sock is None:
                self._connection.connect()
            begin = time.perf_counter()
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise DidNotRun(f"an answer broke off: {error!r}") from error
        seconds = time.perf_counter() - begin
        if not self._kept:
            self._connection.close()
        if response.status != http.client.OK:
            raise DidNotRun(f"{response.status}: {answer[:200].decode(errors='replace')}")
        return seconds, answer

    def close(self) -> None:
        self._connection.close()


def floor(port: int, turns: int, size: int) -> list[float]:
    """Send the growing conversation straight to the upstream; return the seconds of each turn.

    port: the upstream's, on loopback. size: bytes of text per turn.
    """
    client = _Client(port, "/v1/chat/completions", kept=True)
    chat, seconds = ChatBody(), []
    for turn in range(1, turns + 1):
        chat.add("user", text_of(turn, size))
        body = chat.encode()
        seconds.append(client.post(body)[0])
        chat.add("assistant", answer_text(len(body)))
    client.close()
    return seconds


def chain(gateway: Gateway, turns: int, size: int, said: Callable[[str], None]) -> Run:
    """Hold a conversation by `previous_response_id`.

    size: bytes of text per turn. said: takes a line of progress.
    Raises DidNotRun when a turn fails, or reaches the upstream without all that was said before.
    """
    # On a connection of its own no turn waits for a delayed acknowledgement of small writes: that is another measure.
    client, previous, run = _Client(gateway.port, gateway.path, kept=False), None, Run()
    ends = {end for mark in marks(turns) for end in (window(mark, turns)[0] - 1, window(mark, turns)[1])}
    run.cpu[0] = cpu_seconds(gateway.pid)
    for turn in range(1, turns + 1):
        seconds, answer = client.post(responses_request(text_of(turn, size), previous))
        run.seconds.append(seconds)
        previous, text = _checked(answer, turn, size)
        if turn in ends:
            run.cpu[turn] = cpu_seconds(gateway.pid)
        if turn in marks(turns):
            run.resident[turn] = resident_bytes(gateway.pid)
            said(f"turn {turn}: {seconds * 1e3:.1f} ms, {run.resident[turn] / 1e6:.0f} MB, {text}")
    client.close()
    run.stored = stored_bytes(gateway.folder / STORE)
    return run


def _checked(answer: bytes, turn: int, size: int) -> tuple[str, str]:
    try:
        response_id, text = completed(answer)
    except (ValueError, KeyError, TypeError) as error:
        raise DidNotRun(f"turn {turn}: {error}") from error
    if size_in(text) < turn * size:
        raise DidNotRun(f"turn {turn} reached the upstream with {size_in(text)} of {turn * size} bytes")
    return response_id, text


def stored_bytes(folder: Path) -> int:
    """Return what the files below a folder take on the disk, in bytes; 0 when there is none."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
