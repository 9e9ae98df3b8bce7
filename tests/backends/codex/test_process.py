"""The app-server is kept running, through pipes and sockets, with pauses that grow."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve, unix_serve

from tests.support.fake_app_server import INITIALIZED, FakeAppServer
from wireloom.backends.codex import process as app_server_process
from wireloom.backends.codex.calls import ACCOUNT_READ
from wireloom.backends.codex.channels import Pipes, Socket
from wireloom.backends.codex.connection import Channel
from wireloom.backends.codex.process import AppServer
from wireloom.errors import GatewayError, UpstreamError

PROGRAM = """
import json, os, sys, time
account = {"account": None, "requiresOpenaiAuth": False, "pid": os.getpid()}
print("no message", flush=True)
print("2026-01-01T00:00:00Z ERROR codex_core::client: the key is sk-secret", file=sys.stderr, flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if message["method"] == "initialize":
        print(json.dumps({"id": message["id"], "result": INITIALIZED}), flush=True)
    elif message["method"] == "account/read":
        print(json.dumps({"id": message["id"], "result": account, "size": len(line)}), flush=True)
if "stay" in sys.argv:
    time.sleep(60)
"""


def program(*more: str) -> list[str]:
    return [sys.executable, "-c", f"INITIALIZED = json = {INITIALIZED!r}\n{PROGRAM}", *more]


@asynccontextmanager
async def kept(open_channel: Any) -> AsyncIterator[AppServer]:
    server = AppServer(open_channel)
    server.start()
    try:
        yield server
    finally:
        await server.aclose()


async def test_a_process_is_started_spoken_to_and_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channels: list[Pipes] = []

    async def opened() -> Channel:
        channels.append(await Pipes.open(program(), {}, tmp_path))
        return channels[-1]

    caplog.set_level("DEBUG", "wireloom.codex")
    async with kept(opened) as server:
        connection = await server.connection()
        account = await connection.ask(ACCOUNT_READ, {"refreshToken": False})
        assert account.requiresOpenaiAuth is False
    assert channels[0]._process.returncode is not None
    assert "codex wrote 1 lines that are no messages" in caplog.text
    assert "ERROR in codex_core::client" in caplog.text
    assert "sk-secret" not in caplog.text


async def test_an_app_server_is_greeted_and_spares_unread_notifications() -> None:
    fake = FakeAppServer()

    async def opened() -> Channel:
        return fake

    async with kept(opened) as server:
        await server.connection()
    (hello,) = fake.named("initialize")
    assert hello["clientInfo"]["name"] == "wireloom"
    assert hello["capabilities"] == {
        "experimentalApi": True,
        "optOutNotificationMethods": [
            "thread/started",
            "thread/status/changed",
            "thread/settings/updated",
            "thread/tokenUsage/updated",
            "item/reasoning/summaryPartAdded",
            "serverRequest/resolved",
            "remoteControl/status/changed",
            "configWarning",
            "warning",
        ],
    }
    assert len(fake.named("initialized")) == 1


async def test_a_process_that_stays_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireloom.backends.codex.channels.END_SECONDS", 0.1)
    channel = await Pipes.open(program("stay"), {}, tmp_path)
    await channel.aclose()
    assert channel._process.returncode == -9
    channel.send(b"{}")  # to nobody


async def test_a_program_that_is_not_there_is_tried_again_later(tmp_path: Path) -> None:
    async def opened() -> Channel:
        return await Pipes.open([str(tmp_path / "none")], {}, tmp_path)

    async with kept(opened) as server:
        with pytest.raises(GatewayError, match="cannot be started") as caught:
            await server.connection()
        assert caught.value.status == 503
        assert caught.value.retry_after is not None


class Pauses:
    """Time that passes only while nothing is done: notes each pause; the last of them never ends."""

    def __init__(self, at_most: int) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.over = asyncio.Event()
        self._at_most = at_most

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if len(self.slept) == self._at_most:
            self.over.set()
            await asyncio.Event().wait()


async def test_pauses_double_up_to_half_a_minute() -> None:
    pauses = Pauses(at_most=10)

    async def opened() -> Channel:
        raise UpstreamError("not yet")

    server = AppServer(opened, now=pauses.time, sleep=pauses.sleep)
    server.start()
    await pauses.over.wait()
    with pytest.raises(GatewayError, match="not yet") as caught:
        await server.connection()
    assert caught.value.retry_after == 30
    await server.aclose()
    assert pauses.slept == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@pytest.mark.parametrize(("lived", "pause"), [(10.0, 1.0), (10.5, 0.25)])
async def test_one_that_lived_for_a_while_is_begun_anew_after_the_shortest_pause(
    lived: float, pause: float
) -> None:
    pauses = Pauses(at_most=3)
    tries: list[int] = []

    async def opened() -> Channel:
        tries.append(1)
        if len(tries) == 3:
            pauses.now += lived
        raise UpstreamError("not yet")

    server = AppServer(opened, now=pauses.time, sleep=pauses.sleep)
    server.start()
    await pauses.over.wait()
    await server.aclose()
    assert pauses.slept == [0.25, 0.5, pause]


async def test_it_is_there_as_soon_as_it_starts() -> None:
    pauses = Pauses(at_most=4)
    tries: list[int] = []

    async def opened() -> Channel:
        tries.append(1)
        if len(tries) < 4:
            raise UpstreamError("not yet")
        return FakeAppServer()

    server = AppServer(opened, now=pauses.time, sleep=pauses.sleep)
    server.start()
    async with asyncio.timeout(30):
        while len(tries) < 4:
            await asyncio.sleep(0)
        assert (await server.connection()).alive
    await server.aclose()
    assert pauses.slept == [0.25, 0.5, 1.0]


async def test_one_that_does_not_answer_is_no_app_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_server_process, "START_SECONDS", 0.05)
    silent = FakeAppServer()
    silent.silent = {"initialize"}

    async def opened() -> Channel:
        return silent

    async with kept(opened) as server:
        with pytest.raises(GatewayError) as caught:
            await server.connection()
        assert caught.value.status == 503


async def test_nobody_is_let_wait_when_the_gateway_stops() -> None:
    async def opened() -> Channel:
        await asyncio.sleep(60)
        raise AssertionError

    server = AppServer(opened)
    server.start()
    waiting = asyncio.create_task(server.connection())
    await asyncio.sleep(0.01)
    await server.aclose()
    with pytest.raises(GatewayError, match="not serving"):
        await waiting


async def _answer(socket: ServerConnection) -> None:
    async for message in socket:
        frame = json.loads(message)
        if frame["method"] == "initialize":
            await socket.send("no message")
            await socket.send(json.dumps({"id": frame["id"], "result": INITIALIZED}))
        elif frame["method"] == "account/read":
            account = {"account": None, "requiresOpenaiAuth": True}
            await socket.send(json.dumps({"id": frame["id"], "result": account}))
            await socket.close()


@pytest.mark.parametrize("kind", ["ws", "unix"])
async def test_an_app_server_that_runs_already(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "codex.sock"
    async with (
        serve(_answer, "127.0.0.1", 0) if kind == "ws" else unix_serve(_answer, str(path)) as listening
    ):
        port = listening.sockets[0].getsockname()[1] if kind == "ws" else 0
        url = f"ws://127.0.0.1:{port}" if kind == "ws" else f"unix://{path}"
        async with kept(lambda: Socket.open(url)) as server:
            connection = await server.connection()
            account = await connection.ask(ACCOUNT_READ, {})
            assert account.requiresOpenaiAuth is True
            while connection.alive:
                await asyncio.sleep(0.01)
            assert (await server.connection()).alive  # found again


async def test_an_app_server_that_is_not_there(tmp_path: Path) -> None:
    for url in ("ws://127.0.0.1:1", f"unix://{tmp_path}/none"):
        with pytest.raises(GatewayError) as caught:
            await Socket.open(url)
        assert caught.value.status == 503
        assert url not in caught.value.message
