"""Answers of the app-server find their requests, news its thread, and nothing is granted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from pydantic import ValidationError
from wireloom_protocol import app_server_hot as hot
from wireloom_protocol import rpc

from tests.support.fake_app_server import FakeAppServer
from tests.support.rpc_frames import frame
from wireloom.backends.codex import calls as calls
from wireloom.backends.codex.connection import Connection
from wireloom.errors import GatewayError, InvalidRequest
from wireloom.translate.codex.server_requests import FORMER, REQUESTS, answer
from wireloom.translate.rules.loss import How


@asynccontextmanager
async def connected(server: FakeAppServer) -> AsyncIterator[Connection]:
    connection = Connection(server)
    running = asyncio.create_task(connection.run())
    try:
        yield connection
    finally:
        running.cancel()
        await connection.aclose()
        with suppress(asyncio.CancelledError):
            await running


def say(server: FakeAppServer, **message: Any) -> None:
    server._frames.put_nowait([frame(**message)])


async def test_many_requests_at_once_get_their_own_answers() -> None:
    async with connected(FakeAppServer()) as connection:
        asked = [connection.ask(calls.THREAD_START, {"model": str(n)}) for n in range(20)]
        started = await asyncio.gather(*asked)
        assert [each.thread and each.thread.id for each in started] == [f"t{n}" for n in range(1, 21)]


async def test_what_is_sent_is_held_against_the_contract() -> None:
    server = FakeAppServer()
    async with connected(server) as connection:
        with pytest.raises(ValidationError):
            connection.ask(calls.THREAD_START, {"persistExtendedHistory": True})
        assert server.asked == []


async def test_a_refusal_is_an_error_in_words() -> None:
    server = FakeAppServer()
    server.errors = {"thread/inject_items": "bad item", "turn/start": "bad thread"}
    async with connected(server) as connection:
        with pytest.raises(InvalidRequest, match="bad item") as caught:
            await connection.ask(calls.THREAD_INJECT_ITEMS, {"threadId": "t", "items": []})
        assert caught.value.param == "input"
        with pytest.raises(GatewayError, match="bad thread"):
            await connection.ask(calls.TURN_START, {"threadId": "t", "input": []})


async def test_an_answer_that_is_none() -> None:
    server = FakeAppServer()
    server.results["thread/start"] = lambda _: []
    async with connected(server) as connection:
        with pytest.raises(GatewayError) as caught:
            await connection.ask(calls.THREAD_START, {})
        assert caught.value.code == "upstream_invalid"


async def test_a_value_of_another_type_in_an_answer_is_dropped_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeAppServer()
    server.results["model/list"] = lambda _: {"data": [{"model": "m", "hidden": "sk-secret"}]}
    async with connected(server) as connection:
        models = await connection.ask(calls.MODEL_LIST, {})
    assert models == hot.ModelListResponse([hot.Model("m")])
    assert "model/list" in caplog.text
    assert "$.data[0].hidden" in caplog.text
    assert "sk-secret" not in caplog.text


def test_the_struct_of_a_result_is_that_of_its_method() -> None:
    assert calls.METHODS.keys() == rpc.CLIENT_REQUESTS.keys()
    for method, rule in calls.METHODS.items():
        assert rule.note
        call = rule.apply
        assert (call is None) == (rule.how is How.IGNORED)
        if call is not None:
            assert call.row is rpc.CLIENT_REQUESTS[method]
            assert call.result in (None, getattr(hot, call.row.result.__name__, None))


async def test_news_goes_to_its_thread_in_order() -> None:
    server = FakeAppServer()
    async with connected(server) as connection:
        one, two = connection.inbox("one"), connection.inbox("two")
        for thread, n in (("one", 1), ("two", 2), ("none", 3), ("one", 4)):
            say(server, method="item/tool/call", id=n, params={"threadId": thread})
        say(server, method="warning", params=None)
        say(server, id=99, result={})
        say(server, method="item/tool/call", id=5, params={"threadId": "two"})
        told: list[Any] = []
        while len(told) < 2:
            told += [each.id for each in await two.take(None)]
        assert told == [2, 5]
        assert [each.id for each in await one.take(None)] == [1, 4]


async def test_waiting_for_news_ends_in_time() -> None:
    async with connected(FakeAppServer()) as connection:
        with pytest.raises(TimeoutError):
            await connection.inbox("t").take(asyncio.get_running_loop().time() + 0.01)


@pytest.mark.parametrize("method", sorted(rpc.SERVER_REQUESTS))
async def test_nothing_that_the_app_server_asks_for_is_granted(method: str) -> None:
    server = FakeAppServer()
    async with connected(server) as connection:
        say(server, method=method, id="q", params={"threadId": "t", "callId": "c"})
        await connection.ask(calls.ACCOUNT_READ, {})
    rule = REQUESTS[method]
    if server.answered:
        ((request_id, answer),) = server.answered
        assert request_id == "q"
        rpc.SERVER_REQUESTS[method].read_result(answer)
        assert not {"accept", "approved", "acceptForSession"} & {str(value) for value in answer.values()}
    else:
        assert server.refused == ["q"]
    assert rule.note


def test_every_request_of_the_contract_has_an_answer() -> None:
    assert REQUESTS.keys() == rpc.SERVER_REQUESTS.keys()


def test_a_request_of_an_older_codex_has_an_answer() -> None:
    assert answer("currentTime/read", 1_700_000_000.5) == {"currentTimeAt": 1_700_000_000}
    assert not FORMER.keys() & rpc.SERVER_REQUESTS.keys()
    assert all(rule.note for rule in FORMER.values())


async def test_an_unheard_of_request_is_refused() -> None:
    server = FakeAppServer()
    async with connected(server) as connection:
        say(server, method="grant/everything", id=3, params={})
        await connection.ask(calls.ACCOUNT_READ, {})
    assert server.refused == [3]


async def test_when_the_app_server_dies_all_that_waits_fails() -> None:
    server = FakeAppServer()
    server.silent = {"turn/start"}
    async with connected(server) as connection:
        box = connection.inbox("t")
        asked = connection.ask(calls.TURN_START, {"threadId": "t", "input": []})
        say(server, method="error", params={"threadId": "t"})
        server.die()
        with pytest.raises(GatewayError, match="gone"):
            await asked
        assert len(await box.take(None)) == 1  # what came before is told before
        with pytest.raises(GatewayError, match="gone"):
            await box.take(None)
        with pytest.raises(GatewayError, match="gone"):
            await connection.ask(calls.THREAD_START, {})
        with pytest.raises(GatewayError, match="gone"):
            await connection.inbox("later").take(None)
        connection.tell(calls.THREAD_UNSUBSCRIBE, {"threadId": "t"})
        assert not connection.alive


async def test_a_thread_that_was_dropped_is_heard_no_more() -> None:
    server = FakeAppServer()
    async with connected(server) as connection:
        connection.inbox("t")
        connection.drop("t")
        say(server, method="item/tool/call", id="late", params={"threadId": "t", "callId": "c"})
        await connection.ask(calls.ACCOUNT_READ, {})
    assert server.named("thread/unsubscribe") == [{"threadId": "t"}]
    assert server.refused == ["late"]


async def test_the_windows_of_the_account_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeAppServer()
    async with connected(server) as connection:
        say(
            server,
            method="account/rateLimits/updated",
            params={"rateLimits": {"primary": {"usedPercent": 4}}},
        )
        await connection.ask(calls.ACCOUNT_READ, {})
        assert connection.limits == hot.RateLimitSnapshot(hot.RateLimitWindow(4))
        limits = {"primary": {"usedPercent": 5, "resetsAt": "soon"}, "secondary": 7}
        say(server, method="account/rateLimits/updated", params={"rateLimits": limits})
        await connection.ask(calls.ACCOUNT_READ, {})
        assert connection.limits == hot.RateLimitSnapshot(hot.RateLimitWindow(5))
        assert [record.getMessage().rpartition("at ")[2] for record in caplog.records] == [
            "`$.rateLimits.primary.resetsAt`",
            "`$.rateLimits.secondary`",
        ]
