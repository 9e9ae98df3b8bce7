"""Event streams as they are written: status, heartbeats, and an end in every case."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from starlette.requests import Request

from wireloom.api import event_response
from wireloom.api.auth import Keys
from wireloom.api.drain import Drain
from wireloom.api.edge import HttpEdge
from wireloom.backends.base import Caller
from wireloom.errors import GatewayError, Unavailable
from wireloom.exchange import Exchange
from wireloom_runtime.operations import EventStream, Reply

Sent = list[dict[str, Any]]


class Client:
    """A client of one request: keeps the messages that it receives, and leaves on demand."""

    def __init__(self) -> None:
        self.sent: Sent = []
        self.leaves = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    @property
    def text(self) -> bytes:
        """All of the body."""
        return b"".join(message.get("body", b"") for message in self.sent)


class Answer:
    """A stream of frames of bytes; each step of `plan` is a frame, a pause in seconds, or an error."""

    def __init__(self, *plan: bytes | float | Exception, queued: Sequence[bool] = ()) -> None:
        self._plan = plan
        self._queued = list(queued)
        self.closed = False

    async def batches(self) -> AsyncGenerator[Sequence[Any], None]:
        try:
            for step in self._plan:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, bytes):
                    yield [step]
                else:
                    await asyncio.sleep(step)
        finally:
            self.closed = True

    def stream(self) -> EventStream[Any]:
        return EventStream(
            self.batches(),
            lambda: self._queued.pop(0) if self._queued else False,
            lambda: [b"start|"],
            lambda: [b"alive|"],
            lambda error: [b"failed %s|" % str(error).encode()],
            {"x-more": "1"},
        )


async def written(
    answer: Answer,
    client: Client,
    *,
    codex: bool = False,
    heartbeat: float = 60.0,
    drain: Drain | None = None,
) -> Exchange:
    """Write an answer to a client as the edge does."""
    exchange = Exchange("req_1")
    edge = HttpEdge(Keys(None), max_body_bytes=1, heartbeat_seconds=heartbeat, drain=drain)
    request = Request({"type": "http", "headers": [], "method": "POST", "path": "/"}, client.receive)
    caller = Caller("me", "req_1", codex, None, exchange)

    async def answering() -> EventStream[Any]:
        return answer.stream()

    async with asyncio.timeout(20):
        response = await edge.write(request, caller, answering())
        await response({"type": "http"}, client.receive, client.send)
    return exchange


async def test_a_stream_is_written_batch_by_batch_with_its_end() -> None:
    client, answer = Client(), Answer(b"a|", b"b|")
    exchange = await written(answer, client)
    start, *parts = client.sent
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    headers = dict(start["headers"])
    assert headers == {
        b"x-request-id": b"req_1",
        b"cache-control": b"no-cache",
        b"x-accel-buffering": b"no",
        b"x-more": b"1",
        b"content-type": b"text/event-stream; charset=utf-8",
    }
    assert [(part["type"], part["body"], part["more_body"]) for part in parts] == [
        ("http.response.body", b"a|", True),
        ("http.response.body", b"b|", True),
        ("http.response.body", b"data: [DONE]\n\n", False),
    ]
    assert (answer.closed, exchange.left, exchange.error) == (True, False, None)
    assert exchange.seconds().keys() == {"first_event", "first_content"}


async def test_a_stream_of_nothing_still_begins_and_ends() -> None:
    client = Client()
    await written(Answer(), client)
    assert [message["type"] for message in client.sent] == ["http.response.start", "http.response.body"]


async def test_silence_is_filled_with_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_response, "HOLD_SECONDS", 0.02)
    monkeypatch.setattr(event_response, "LOOK_SECONDS", 0.01)
    client = Client()
    await written(Answer(0.3, b"a|", 0.3, b"b|"), client, heartbeat=0.05)
    said = client.text.removesuffix(b"data: [DONE]\n\n").split(b"|")[:-1]
    assert said[0] == b"start"
    first, second = said.index(b"a"), said.index(b"b")
    assert set(said[1:first]) == set(said[first + 1 : second]) == {b"alive"}
    assert 1 <= first <= 7
    assert second == len(said) - 1


async def test_the_status_waits_as_long_as_the_request_is_in_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_response, "HOLD_SECONDS", 0.05)
    monkeypatch.setattr(event_response, "LOOK_SECONDS", 0.01)
    client, answer = Client(), Answer(0.2, Unavailable("full"), queued=[True] * 1000)
    with pytest.raises(Unavailable):
        await written(answer, client)
    assert (client.sent, answer.closed) == ([], True)
    client = Client()
    exchange = await written(Answer(0.2, Unavailable("full")), client)
    assert client.text == b"start|failed full|data: [DONE]\n\n"
    assert exchange.error == "unavailable"


async def test_an_early_failure_keeps_its_status_except_for_the_codex_cli() -> None:
    client = Client()
    with pytest.raises(Unavailable):
        await written(Answer(Unavailable("no")), client)
    assert client.sent == []
    exchange = await written(Answer(Unavailable("no")), client, codex=True)
    assert client.text == b"failed no|data: [DONE]\n\n"
    assert exchange.error == "unavailable"
    client = Client()
    with pytest.raises(ZeroDivisionError):
        await written(Answer(ZeroDivisionError()), client, codex=True)
    assert client.sent == []


async def test_a_late_fault_ends_the_stream_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    client, answer = Client(), Answer(b"a|", ZeroDivisionError("oops"))
    with caplog.at_level(logging.ERROR, logger="wireloom.request"):
        exchange = await written(answer, client)
    assert client.text == b"a|failed oops|data: [DONE]\n\n"
    assert (exchange.error, answer.closed) == (GatewayError.code, True)
    assert "req_1" in caplog.text
    caplog.clear()
    exchange = await written(Answer(b"a|", Unavailable("no")), Client())
    assert (exchange.error, caplog.text) == ("unavailable", "")


async def test_a_client_that_leaves_ends_the_work() -> None:
    client, answer = Client(), Answer(b"a|", 60.0)
    writing = asyncio.create_task(written(answer, client))
    while not client.text:
        await asyncio.sleep(0)
    client.leaves.set()
    exchange = await writing
    assert (exchange.left, answer.closed, client.text) == (True, True, b"a|")


async def test_a_gateway_that_stops_ends_the_stream_with_an_error() -> None:
    client, answer, drain = Client(), Answer(b"a|", 60.0), Drain()
    writing = asyncio.create_task(written(answer, client, drain=drain))
    while not client.text:
        await asyncio.sleep(0)
    await drain.close(0.0)
    exchange = await writing
    assert client.text == b"a|failed The gateway is stopping.|data: [DONE]\n\n"
    assert (exchange.error, exchange.left, answer.closed) == ("shutting_down", False, True)


async def test_whoever_cancels_the_task_itself_cancels_it() -> None:
    client, answer = Client(), Answer(b"a|", 60.0)
    writing = asyncio.create_task(written(answer, client))
    while not client.text:
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert answer.closed


# -- answers in one piece ------------------------------------------------------------------------------------------


async def whole(
    client: Client, drain: Drain, seconds: float = 0.0, *, accept: str = "*/*", text: str | None = None
) -> tuple[Any, Exchange]:
    """Return the edge's answer for an operation that takes some time."""
    exchange = Exchange("req_1")
    edge = HttpEdge(Keys(None), max_body_bytes=1, heartbeat_seconds=1, drain=drain)
    scope = {"type": "http", "headers": [(b"accept", accept.encode())], "method": "POST", "path": "/"}
    caller = Caller("me", "req_1", False, None, exchange)

    async def answering() -> Reply[Any]:
        await asyncio.sleep(seconds)
        body: Any = {"a": 1}
        return Reply(body, {"x-wireloom-loss": "lost"}, text)

    async with asyncio.timeout(20):
        return await edge.write(Request(scope, client.receive), caller, answering()), exchange


async def test_a_reply_is_json_with_its_headers() -> None:
    drain = Drain()
    response, exchange = await whole(Client(), drain)
    assert (response.status_code, response.body) == (200, b'{"a":1}')
    assert (response.headers["content-type"], response.headers["x-request-id"]) == (
        "application/json",
        "req_1",
    )
    assert response.headers["x-wireloom-loss"] == exchange.lost == "lost"
    async with asyncio.timeout(20):
        await drain.close(60)


async def test_a_reply_in_plain_text_is_for_those_who_do_not_ask_for_json() -> None:
    response, _ = await whole(Client(), Drain(), text="a 1")
    assert (response.body, response.headers["x-request-id"]) == (b"a 1", "req_1")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    response, _ = await whole(Client(), Drain(), text="a 1", accept="text/html, application/json")
    assert response.body == b'{"a":1}'


async def test_an_operation_whose_client_has_left_is_ended() -> None:
    client, drain = Client(), Drain()
    client.leaves.set()
    response, exchange = await whole(client, drain, 60)
    assert (response.status_code, exchange.left) == (499, True)
    async with asyncio.timeout(20):
        await drain.close(60)


async def test_an_operation_that_a_stop_cuts_off_is_unavailable() -> None:
    drain = Drain()
    running = asyncio.create_task(whole(Client(), drain, 60))
    await asyncio.sleep(0.01)
    await drain.close(0.0)
    with pytest.raises(Unavailable) as stopped:
        await running
    assert stopped.value.code == "shutting_down"


async def test_an_operation_that_is_cancelled_is_cancelled() -> None:
    drain = Drain()
    running = asyncio.create_task(whole(Client(), drain, 60))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(20):
        await drain.close(60)
