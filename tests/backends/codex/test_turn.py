"""A request becomes a thread of its own, a turn that waits is gone on with, and nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from wireloom_protocol import responses as m

from tests.support.fake_app_server import FakeAppServer, Script, called, ended, news, said
from tests.support.grammar import Told, check, decode
from wireloom.api.bodies import prepare
from wireloom.backends.base import Ask, Caller
from wireloom.backends.codex.process import AppServer
from wireloom.backends.codex.suspended import SuspendedTurns
from wireloom.backends.codex.turn import AppServerTurn, Engine
from wireloom.backends.slots import Slots
from wireloom.errors import GatewayError, Limited
from wireloom.gateway import new_id
from wireloom.translate.codex.app_server_reader import AppServerReader
from wireloom.translate.codex.app_server_request import Plan, plan
from wireloom.translate.hub.opening import opening
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses
from wireloom.wire.sse import encode

Json = dict[str, Any]
ADD: Json = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}
HELLO: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}


class Bench:
    """Turns on a fake app-server."""

    def __init__(self, server: FakeAppServer, engine: Engine) -> None:
        self.server = server
        self.engine = engine

    def turn(self, principal: str = "someone", **body: Any) -> AppServerTurn:
        whole = {"model": "m", "input": "hello", **body}
        prepare(whole)
        request = m.CreateResponse.model_validate(whole)
        losses = Losses()
        made = plan(request, Options("m"), losses)
        self.stream = ResponseStream(opening(request, "resp_1", 1), new_id, lambda: 2.0)
        ask = Ask(request, "m", Caller(principal, "req"), losses, {})
        reader = AppServerReader(self.stream, made.tools, made.schemas, lambda _: "sealed")
        return AppServerTurn(self.engine, ask, made, self.stream, reader)

    async def answer(self, **body: Any) -> Told:
        """The whole answer to a request."""
        events: list[Any] = []
        async with aclosing(self.turn(**body).events()) as batches:
            async for batch in batches:
                events += batch
        told = check(decode(encode(events)))
        self.items = told.response["output"]
        return told

    def follow_up(self, *more: Json, **outputs: str) -> list[Json]:
        """What a client sends when it has called the tools of the last answer."""
        calls = [item for item in self.items if item["type"] == "function_call"]
        answers = [
            {"type": "function_call_output", "call_id": call["call_id"], "output": outputs[call["name"]]}
            for call in calls
        ]
        return [HELLO, *self.items, *answers, *more]


@asynccontextmanager
async def bench(*scripts: Script, **settings: Any) -> AsyncIterator[Bench]:
    server = FakeAppServer(*scripts)

    async def channel() -> FakeAppServer:
        return server

    async def settle(made: Plan, _: Mapping[str, str]) -> Plan:
        return made

    app_server = AppServer(channel)
    app_server.start()
    suspended = SuspendedTurns(settings.pop("lifetime", 600), settings.pop("most", 256))
    slots = Slots(settings.pop("slots", 4), 0, 1)
    engine = Engine(
        app_server, slots, suspended, settle, settings.pop("total", 0.0), settings.pop("idle", 0.0)
    )
    try:
        yield Bench(server, engine)
    finally:
        suspended.give_up_all()
        await app_server.aclose()


async def settled() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


# -- one turn ------------------------------------------------------------------------------------------------------


async def test_a_request_is_a_thread_with_one_turn() -> None:
    async with bench([*said("hi"), ended()]) as at:
        told = await at.answer(instructions="Be brief.", reasoning={"effort": "low"})
        assert told.text == "hi"
        assert told.response["usage"]["total_tokens"] == 3
        methods = [method for method, _ in at.server.asked]
        assert methods == [
            "initialize",
            "initialized",
            "thread/start",
            "thread/inject_items",
            "turn/start",
            "thread/unsubscribe",
        ]
        assert at.server.named("thread/start")[0]["baseInstructions"] == "Be brief."
        assert at.server.named("turn/start") == [{"threadId": "t1", "effort": "low", "input": []}]


async def test_a_client_that_leaves_ends_the_turn() -> None:
    async with bench([news("item/agentMessage/delta", itemId="m", delta="he")]) as at:
        batches = at.turn().events()
        await anext(batches)
        await batches.aclose()
        await settled()
        assert at.server.named("turn/interrupt") == [{"threadId": "t1", "turnId": "u"}]
        assert at.server.named("thread/unsubscribe") == [{"threadId": "t1"}]


@pytest.mark.parametrize("method", ["thread/start", "turn/start"])
async def test_a_client_that_leaves_before_the_turn_began(method: str) -> None:
    async with bench() as at:
        held: list[bytes] = []
        send = at.server.send

        def hold(message: bytes) -> None:
            if f'"{method}"'.encode() in message:
                held.append(message)
            else:
                send(message)

        await at.engine.server.connection()
        at.server.send = hold  # type: ignore[method-assign]
        asking = asyncio.create_task(anext(at.turn().events()))
        while not held:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        send(held.pop())
        await settled()
        assert at.server.named("thread/unsubscribe") == [{"threadId": "t1"}]
        assert len(at.server.named("turn/interrupt")) == (method == "turn/start")


async def test_a_turn_that_failed_is_let_go() -> None:
    error = {"message": "no", "codexErrorInfo": "modelNotFound", "additionalDetails": None}
    async with bench([ended("failed", error)]) as at:
        with pytest.raises(GatewayError) as caught:
            await at.answer()
        assert (caught.value.status, caught.value.code) == (404, "model_not_found")
        await settled()
        assert at.server.named("turn/interrupt") == []
        assert at.server.named("thread/unsubscribe") == [{"threadId": "t1"}]


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("thread/start", {"thread": {"id": ""}}),
        ("thread/start", {"thread": "t"}),
        ("turn/start", {}),
        ("turn/start", {"turn": {"id": 7}}),
    ],
)
async def test_an_answer_without_an_id_begins_nothing(method: str, result: Json) -> None:
    async with bench() as at:
        at.server.results[method] = lambda _: result
        with pytest.raises(GatewayError, match=method) as caught:
            await at.answer()
        assert (caught.value.status, caught.value.code) == (502, "upstream_invalid")
        await settled()
        assert at.server.named("thread/unsubscribe") == (
            [{"threadId": "t1"}] if method == "turn/start" else []
        )


async def test_what_cannot_be_injected_begins_no_turn() -> None:
    async with bench() as at:
        at.server.errors = {"thread/inject_items": "bad"}
        with pytest.raises(GatewayError):
            await at.answer()
        await settled()
        assert at.server.named("turn/start") == []
        assert at.server.named("thread/unsubscribe") == [{"threadId": "t1"}]


@pytest.mark.parametrize(("settings", "words"), [({"total": 0.05}, "too long"), ({"idle": 0.05}, "silent")])
async def test_a_turn_that_takes_too_long(settings: Json, words: str) -> None:
    async with bench([news("item/agentMessage/delta", itemId="m", delta="he")], **settings) as at:
        with pytest.raises(GatewayError, match=words) as caught:
            await at.answer()
        assert caught.value.status == 504
        await settled()
        assert len(at.server.named("turn/interrupt")) == 1


async def test_notices_of_retries_are_no_signs_of_life() -> None:
    async with bench([], idle=0.2) as at:
        asking = asyncio.create_task(at.answer())
        error = {"message": "Reconnecting", "additionalDetails": "gone", "codexErrorInfo": "other"}
        for _ in range(3):
            await asyncio.sleep(0.08)
            at.server.play("t1", [news("error", error=error, willRetry=True)])
        with pytest.raises(GatewayError, match="silent"):
            await asking


async def test_when_the_app_server_dies_the_request_fails_and_the_next_one_finds_another() -> None:
    async with bench([], [*said("again"), ended()]) as at:
        asking = asyncio.create_task(at.answer())
        while not at.server.named("turn/start"):
            await asyncio.sleep(0.01)
        at.server.die()
        with pytest.raises(GatewayError) as caught:
            await asking
        assert caught.value.status == 502
        assert (await at.answer()).text == "again"


# -- tools of the client -------------------------------------------------------------------------------------------


async def test_a_turn_goes_on_with_the_outputs_of_its_calls() -> None:
    calls = [("c1", "add", '{"a":1}'), ("c2", "sub", '{"b":  2}')]
    async with bench([*said("let me"), *called(*calls)], [*said("three"), ended()]) as at:
        tools = [ADD, {**ADD, "name": "sub"}]
        told = await at.answer(tools=tools)
        assert [one.said for one in told.calls] == ['{"a":1}', '{"b":  2}']
        assert len(at.engine.suspended) == 1
        told = await at.answer(tools=tools, input=at.follow_up(add="3", sub="4"))
        assert told.text == "three"
        texts = {request: answer["contentItems"][0]["text"] for request, answer in at.server.answered}
        assert texts == {"ask-c1": "3", "ask-c2": "4"}
        assert len(at.server.named("thread/start")) == 1
        await settled()
        assert at.server.named("thread/unsubscribe") == [{"threadId": "t1"}]
        assert len(at.engine.suspended) == 0


async def test_call_ids_are_not_codexs() -> None:
    async with bench([*called(("c1", "add", "{}"))]) as at:
        told = await at.answer(tools=[ADD])
        (call,) = told.calls
        assert call.item["call_id"] != "c1"
        assert len(call.item["call_id"]) > 30


async def test_several_rounds_in_one_thread() -> None:
    rounds = [called((f"c{n}", "add", "{}")) for n in range(3)]
    async with bench(*rounds, [*said("done"), ended()]) as at:
        told, given = await at.answer(tools=[ADD]), [HELLO]
        for n in range(3):
            given = [*given, *at.follow_up(add=str(n))[1:]]
            told = await at.answer(tools=[ADD], input=given)
        assert told.text == "done"
        assert len(at.server.named("thread/start")) == 1


@pytest.mark.parametrize(
    "case",
    ["foreign", "edited past", "edited call", "other tools", "other settings", "more said", "other words"],
)
async def test_what_is_not_the_same_conversation_begins_anew(case: str) -> None:
    other: Script = [*said("anew"), ended()]
    async with bench([*said("let me"), *called(("c1", "add", '{"a":1}'))], other) as at:
        await at.answer(tools=[ADD])
        given: Json = {"tools": [ADD], "input": at.follow_up(add="3")}
        if case == "foreign":
            given["principal"] = "other"
        elif case == "edited past":
            given["input"][0] = {**HELLO, "content": [{"type": "input_text", "text": "hallo"}]}
        elif case == "edited call":
            given["input"][2] = {**given["input"][2], "arguments": '{"a":2}'}
        elif case == "other tools":
            given["tools"] = [ADD, {**ADD, "name": "sub"}]
        elif case == "other settings":
            given["reasoning"] = {"effort": "high"}
        elif case == "more said":
            given["input"] = [*given["input"], HELLO]
        else:
            given["input"][1] = {
                **given["input"][1],
                "content": [{"type": "output_text", "text": "I won't", "annotations": []}],
            }
        told = await at.answer(**given)
        assert told.text == "anew"
        assert len(at.server.named("thread/start")) == 2
        injected = [item["type"] for item in at.server.named("thread/inject_items")[1]["items"]]
        assert injected[:4] == ["message", "message", "function_call", "function_call_output"]
        assert len(at.engine.suspended) == 1  # it may still be answered by its own client
        assert at.server.answered == []


async def test_the_arguments_of_a_repeated_call_may_be_spaced_differently() -> None:
    async with bench([*said("let me"), *called(("c1", "add", '{"a":1}'))], [*said("done"), ended()]) as at:
        await at.answer(tools=[ADD])
        given = at.follow_up(add="3")
        given[2] = {**given[2], "arguments": '{ "a" : 1 }'}
        await at.answer(tools=[ADD], input=given)
        assert len(at.server.named("thread/start")) == 1


async def test_white_space_in_repeated_text_may_differ() -> None:
    async with bench([*said("let me"), *called(("c1", "add", '{"a":1}'))], [*said("done"), ended()]) as at:
        await at.answer(tools=[ADD])
        given = at.follow_up(add="3")
        source = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
        content = [{"type": "output_text", "text": "let\n\n me ", "annotations": [source]}]
        given[1] = {**given[1], "content": content}
        await at.answer(tools=[ADD], input=given)
        assert len(at.server.named("thread/start")) == 1


async def test_what_was_said_beside_the_calls_may_be_left_out() -> None:
    async with bench([*said("let me"), *called(("c1", "add", "{}"))], [*said("on"), ended()]) as at:
        await at.answer(tools=[ADD])
        given = [item for item in at.follow_up(add="3") if item.get("role") != "assistant"]
        assert (await at.answer(tools=[ADD], input=given)).text == "on"
        assert len(at.server.named("thread/start")) == 1


async def test_a_turn_that_waits_holds_no_slot() -> None:
    async with bench(called(("c1", "add", "{}")), [*said("free"), ended()], slots=1) as at:
        await at.answer(tools=[ADD])
        assert (await at.answer()).text == "free"


async def test_a_turn_that_runs_holds_one() -> None:
    async with bench([], slots=1) as at:
        asking = asyncio.create_task(at.answer())
        while not at.server.named("turn/start"):
            await asyncio.sleep(0.01)
        with pytest.raises(Limited):
            await at.answer()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_a_turn_waits_for_so_long() -> None:
    async with bench(called(("c1", "add", "{}")), [*said("anew"), ended()], lifetime=0.05) as at:
        await at.answer(tools=[ADD])
        given = at.follow_up(add="3")
        await asyncio.sleep(0.15)
        assert len(at.engine.suspended) == 0
        assert at.server.named("turn/interrupt") == [{"threadId": "t1", "turnId": "u"}]
        assert (await at.answer(tools=[ADD], input=given)).text == "anew"


async def test_so_many_turns_wait() -> None:
    async with bench(*[called((f"c{n}", "add", "{}")) for n in range(3)], most=2) as at:
        for _ in range(3):
            await at.answer(tools=[ADD])
        await settled()
        assert len(at.engine.suspended) == 2
        assert at.server.named("turn/interrupt") == [{"threadId": "t1", "turnId": "u"}]


async def test_a_turn_whose_app_server_died_is_begun_anew() -> None:
    async with bench(called(("c1", "add", "{}")), [*said("anew"), ended()]) as at:
        await at.answer(tools=[ADD])
        given = at.follow_up(add="3")
        at.server.die()
        await settled()
        assert (await at.answer(tools=[ADD], input=given)).text == "anew"
        assert len(at.engine.suspended) == 0
