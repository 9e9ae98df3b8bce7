"""The backend for Responses upstreams, over real sockets on both sides: passed on, mended, kept, counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import httpx
import pytest

from tests.support.grammar import check, decode
from tests.support.live import gateway
from tests.support.responses_server import API_KEY, MODEL, ResponsesServer
from tests.support.responses_turns import (
    Streamed,
    Whole,
    call,
    custom_call,
    message,
    reasoning,
    response,
    told,
    whole,
)

Json: TypeAlias = dict[str, Any]
DONE = b"data: [DONE]\n\n"
RELAYED, MENDED = "openai", "generic"
BOTH = pytest.mark.parametrize("provider", [RELAYED, MENDED])


@pytest.fixture
def upstream() -> Iterator[ResponsesServer]:
    with ResponsesServer() as server:
        yield server
        server.verify()


@asynccontextmanager
async def client(
    upstream: ResponsesServer, provider: str, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    wire = {"upstream_wire": "responses", "provider": provider, "api_key": API_KEY, **settings}
    async with (
        gateway(upstream.base_url, **wire) as base,
        httpx.AsyncClient(base_url=f"{base}/v1", timeout=30) as session,
    ):
        yield session


async def create(session: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await session.post("/responses", json={"model": MODEL, "input": "hi", **body})


def events(reply: httpx.Response) -> list[Json]:
    assert reply.status_code == 200, reply.text
    return decode(reply.content.removesuffix(DONE))


# -- answers -------------------------------------------------------------------------------------------------------


@BOTH
async def test_streamed_and_whole_answers(upstream: ResponsesServer, provider: str) -> None:
    items = (reasoning("hm"), message("four"), call("add", '{"a": 1}'))
    upstream.play([told(*items), told(*items)])
    async with client(upstream, provider) as session:
        streamed = events(await create(session, stream=True))
        folded = (await create(session)).json()
    assert (
        "".join(each["delta"] for each in streamed if each["type"] == "response.output_text.delta") == "four"
    )
    for made in (streamed[-1]["response"], folded):
        assert [item["type"] for item in made["output"]] == ["reasoning", "message", "function_call"]
        assert made["output"][2]["arguments"] == '{"a": 1}'
        assert made["model"] == MODEL
        assert made["usage"]["total_tokens"] == 18
    assert all(body["stream"] is True and body["store"] is False for body in upstream.asked)


async def test_a_complete_upstream_is_passed_on_with_what_is_unknown(upstream: ResponsesServer) -> None:
    sent = whole(message("four", phase="final_answer"))
    sent[3]["vendor"] = {"deep": [1]}
    sent[4:4] = [{"type": "response.vendor.progress", "percent": 3}]
    sent[-1]["response"]["vendor_member"] = True
    sent = [{**event, "sequence_number": number} for number, event in enumerate(sent)]
    upstream.play([Streamed(sent)])
    async with client(upstream, RELAYED) as session:
        got = events(await create(session, stream=True, vendor_option={"x": 1}))
    assert [event["type"] for event in got] == [event["type"] for event in sent]
    assert [event for event in got if "response" not in event] == [
        event for event in sent if "response" not in event
    ]
    assert got[-1]["response"]["vendor_member"] is True
    assert got[-1]["response"]["model"] == MODEL
    assert upstream.asked[0]["vendor_option"] == {"x": 1}


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call", "id": 5, "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "invented"}},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "invented"}]},
    ],
    ids=["no id", "a number as id", "unknown action", "unknown part"],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_could_not_be_read_again_is_told_but_not_kept(
    upstream: ResponsesServer, item: Json, *, stream: bool
) -> None:
    sent = whole(message("four"))
    sent[-1]["response"]["output"] = [item]
    upstream.play([Streamed(sent)] * 2)
    async with client(upstream, RELAYED) as session:
        conversation = (await session.post("/conversations", json={})).json()["id"]
        for context in ({}, {"conversation": conversation}):
            reply = await create(session, stream=stream, **context)
            told = events(reply)[-1]["response"] if stream else reply.json()
            assert (reply.status_code, told["store"], told["output"]) == (200, False, [item])
            assert (await session.get(f"/responses/{told['id']}")).status_code == 404
        assert (await session.get(f"/conversations/{conversation}/items")).json()["data"] == []


async def test_tools_come_back_under_the_names_that_the_client_gave(
    upstream: ResponsesServer,
) -> None:
    upstream.play([told(call("ns-f", "{}"))])
    tools = [
        {"type": "namespace", "name": "ns", "description": "d", "tools": [{"type": "function", "name": "f"}]}
    ]
    async with client(upstream, "openrouter") as session:
        (item,) = (await create(session, tools=tools)).json()["output"]
    assert (item["name"], item["namespace"]) == ("f", "ns")
    assert [tool["name"] for tool in upstream.asked[0]["tools"]] == ["ns-f"]


@BOTH
async def test_an_answer_that_was_not_streamed(upstream: ResponsesServer, provider: str) -> None:
    upstream.play([Whole(response([message("four")]))])
    async with client(upstream, provider) as session:
        assert check(events(await create(session, stream=True))).text == "four"


async def test_a_bare_stream_is_mended(upstream: ResponsesServer) -> None:
    bare = [event for event in whole(message("four")) if event["type"].endswith((".delta", ".completed"))]
    upstream.play([Streamed(bare, ending="no_done")])
    async with client(upstream, MENDED) as session:
        assert check(events(await create(session, stream=True))).text == "four"


# -- failures ------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("ending", ["cut", "reset"])
async def test_a_stream_that_breaks_off_fails_in_words(
    upstream: ResponsesServer, provider: str, ending: Any
) -> None:
    upstream.play([Streamed(whole(message("four"))[:6], ending=ending)])
    async with client(upstream, provider) as session:
        *_, error, last = events(await create(session, stream=True))
    assert (error["type"], last["type"]) == ("error", "response.failed")
    assert error["code"] == "upstream_incomplete"
    assert last["response"]["store"] is False


@BOTH
async def test_an_http_error_keeps_its_status(upstream: ResponsesServer, provider: str) -> None:
    error = {"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}
    upstream.play([Whole(error, 429, {"retry-after": "7"})])
    async with client(upstream, provider) as session:
        reply = await create(session, stream=True)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json()["error"]["message"].endswith("/v1/responses: Slow down.")


@BOTH
async def test_an_error_event_at_the_start_is_an_http_error(upstream: ResponsesServer, provider: str) -> None:
    upstream.play([Streamed([{"type": "error", "code": "rate_limit_exceeded", "message": "Slow down."}])])
    async with client(upstream, provider) as session:
        assert (await create(session, stream=True)).status_code == 429


@BOTH
async def test_a_failed_response_is_not_kept(upstream: ResponsesServer, provider: str) -> None:
    failed = response([], "failed", error={"code": "server_error", "message": "No."})
    upstream.play([Streamed(whole(terminal=failed))])
    async with client(upstream, provider) as session:
        reply = await create(session, stream=True)
        if reply.status_code != 200:
            assert reply.json()["error"]["message"].endswith("/v1/responses: No.")
            return
        last = events(reply)[-1]
        found = await session.get(f"/responses/{last['response']['id']}")
    assert last["response"]["error"]["message"] == "No."
    assert found.status_code == 404


@BOTH
async def test_a_client_that_leaves_ends_the_request_upstream(
    upstream: ResponsesServer, provider: str
) -> None:
    upstream.play([Streamed(whole(message("four")), held=6)])
    async with client(upstream, provider) as session:
        body = {"model": MODEL, "input": "hi", "stream": True}
        async with session.stream("POST", "/responses", json=body) as reply:
            async for line in reply.aiter_lines():
                if "output_text.delta" in line:
                    break
        await asyncio.to_thread(upstream.wait_until, lambda log: bool(log) and log[-1].ended, 10.0)
    assert upstream.exchanges[-1].closed_early


async def test_a_slow_upstream_shows_signs_of_life(upstream: ResponsesServer) -> None:
    upstream.play([Streamed(whole(message("four")), held=6)])
    async with client(upstream, RELAYED, heartbeat_seconds=0.2) as session:
        body = {"model": MODEL, "input": "hi", "stream": True}
        lines, beats = [], 0
        async with session.stream("POST", "/responses", json=body) as reply:
            async for line in reply.aiter_lines():
                lines.append(line)
                beats += line == "event: response.in_progress"
                if beats == 3:
                    upstream.release()
    got = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert [event["sequence_number"] for event in got] == list(range(len(got)))
    assert got[-1]["response"]["output"][0]["content"][0]["text"] == "four"


# -- state ---------------------------------------------------------------------------------------------------------


@BOTH
async def test_what_went_before_is_the_gateways_to_tell(upstream: ResponsesServer, provider: str) -> None:
    upstream.play([told(message("four")), told(message("eight"))])
    async with client(upstream, provider) as session:
        first = (await create(session, input="two and two?")).json()
        second = (await create(session, input="and twice?", previous_response_id=first["id"])).json()
        found = (await session.get(f"/responses/{second['id']}")).json()
    assert (first["store"], second["store"]) == (True, True)
    assert second["previous_response_id"] == first["id"]
    assert found["output"] == second["output"]
    texts = [item["content"] for item in upstream.asked[1]["input"]]
    assert [text if isinstance(text, str) else text[0]["text"] for text in texts] == [
        "two and two?",
        "four",
        "and twice?",
    ]


@pytest.mark.parametrize("provider", [RELAYED, "openrouter", "ollama"])
async def test_encrypted_reasoning_goes_back_to_its_own_route_alone(
    upstream: ResponsesServer, provider: str
) -> None:
    turn = told(reasoning(summary=["hm"], encrypted="secret"), message("four"))
    upstream.play([turn, told(message("a")), told(message("b"))])
    async with client(upstream, provider) as session:
        output = (await create(session, include=["reasoning.encrypted_content"])).json()["output"]
        again = [*output, {"role": "user", "content": "and?"}]
        await create(session, input=again)
        await create(session, input=again, model="another-model")
    assert "secret" not in json.dumps(output)
    own, other = (
        [item for item in body["input"] if item["type"] == "reasoning"] for body in upstream.asked[1:]
    )
    assert [item["encrypted_content"] for item in own] == ["secret"]
    assert other == []


@BOTH
async def test_a_conversation_is_summed_up(upstream: ResponsesServer, provider: str) -> None:
    upstream.play([told(reasoning("hm"), message("so far: four")), told(message("eight"))])
    async with client(upstream, provider) as session:
        items = [{"role": "user", "content": "two and two?"}, {"type": "compaction_trigger"}]
        (item,) = (await create(session, input=items, tools=[{"type": "custom", "name": "exec"}])).json()[
            "output"
        ]
        await create(session, input=[item, {"role": "user", "content": "and twice?"}])
    assert item["type"] == "compaction"
    assert "tools" not in upstream.asked[0]
    assert "so far: four" in json.dumps(upstream.asked[1]["input"][0])


async def test_custom_tools_and_their_outputs_make_the_round_trip(upstream: ResponsesServer) -> None:
    upstream.play([told(call("exec", '{"input":"ls"}')), told(custom_call("exec", "ls"))])
    body = {"tools": [{"type": "custom", "name": "exec"}]}
    for provider in (MENDED, RELAYED):
        async with client(upstream, provider) as session:
            (item,) = (await create(session, **body)).json()["output"]
        assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "exec", "ls")
    assert [each["tools"][0]["type"] for each in upstream.asked] == ["function", "custom"]


# -- the rest of the backend ---------------------------------------------------------------------------------------


async def test_models_readiness_and_counts() -> None:
    with ResponsesServer(counted={"object": "response.input_tokens", "input_tokens": 42}) as upstream:
        async with client(upstream, RELAYED) as session:
            listed = (await session.get("/models")).json()
            ready = await session.get(f"{str(session.base_url).removesuffix('/v1/')}/ready")
            count = await session.post("/responses/input_tokens", json={"model": MODEL, "input": "hi"})
        async with client(upstream, MENDED) as session:
            estimate = await session.post("/responses/input_tokens", json={"model": MODEL, "input": "hi"})
        upstream.counted = {"input_tokens": "many"}
        async with client(upstream, RELAYED) as session:
            odd = await session.post("/responses/input_tokens", json={"model": MODEL, "input": "hi"})
        upstream.verify()
    assert [model["id"] for model in listed["data"]] == [MODEL]
    assert ready.status_code == 200
    assert (count.json()["input_tokens"], "x-wireloom-loss" in count.headers) == (42, False)
    for reply in (estimate, odd):
        assert 0 < reply.json()["input_tokens"] < 42
        assert "input_tokens" in reply.headers["x-wireloom-loss"]
