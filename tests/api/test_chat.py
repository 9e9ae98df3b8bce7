"""The Chat face over real sockets: passed on where the upstream speaks Chat, translated where it does not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support import responses_turns as r
from tests.support.chat_grammar import ToldCompletion, check, events
from tests.support.live import RawUpstream, answer, gateway, raw

Json = dict[str, Any]
HELLO: Json = {"role": "user", "content": "hello"}
ASK: Json = {"model": "m", "messages": [HELLO]}
ADD: Json = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}
HEAD: Json = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
PATH = "/v1/chat/completions"


def chunk(delta: Json, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return b"data: " + json.dumps({**HEAD, "choices": [choice]}).encode() + b"\n\n"


WHOLE = [chunk({"role": "assistant", "content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop")]
DONE = b"data: [DONE]\n\n"


def says(*parts: bytes, **options: str) -> Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(*parts, **options))

    return handler


# Usage is asked for in every stream, for the log, the counters and the limits.
USAGE: Json = {"stream_options": {"include_usage": True}}


async def post(base: str, body: Json, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(base + PATH, json=body, headers=headers)


def told(response: httpx.Response, **options: bool) -> ToldCompletion:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return check(events(response.text), **options)


# -- passed on -----------------------------------------------------------------------------------------------------


async def test_a_request_goes_upstream_as_it_came_and_its_answer_back() -> None:
    body = {
        **ASK,
        "stream": True,
        "n": 1,
        "seed": 3,
        "stop": ["x"],
        "logit_bias": {"1": 2},
        "modalities": ["text"],
        "prediction": {"type": "content", "content": "p"},
        "messages": [{**HELLO, "name": "Ada", "x_member": 1}],
        "tools": [ADD],
        "x_extension": {"deep": [1, None]},
    }
    async with raw(says(*WHOLE, DONE)) as (url, upstream), gateway(url, provider="openai") as base:
        response = await post(base, body)
    assert json.loads(upstream.bodies[0]) == body | USAGE
    assert response.content == b"".join(WHOLE) + DONE
    assert response.headers["x-request-id"].startswith("req_")
    assert "x-wireloom-loss" not in response.headers


async def test_kinds_of_the_upstream_s_own_go_there_as_they_are() -> None:
    video = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}}
    called = {"id": "c", "type": "builtin", "builtin": {"name": "search"}}
    body = {
        **ASK,
        "tools": [{"type": "builtin", "builtin": {"name": "search"}}, {"type": "unknown", "member": 1}, ADD],
        "messages": [
            {"role": "user", "content": [video]},
            {"role": "assistant", "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "c", "content": "x"},
        ],
    }
    async with raw(says(*WHOLE, DONE)) as (url, upstream), gateway(url) as base:
        response = await post(base, {**body, "stream": True})
    assert response.status_code == 200, response.text
    assert json.loads(upstream.bodies[0]) == {**body, "stream": True} | USAGE


async def test_what_the_contract_wants_is_there() -> None:
    choice = {"index": 0, "message": {"content": "hi", "x": 1}, "finish_reason": "stop"}
    sent = json.dumps({**HEAD, "object": "chat.completion", "choices": [choice]}).encode()
    async with raw(says(sent, kind="application/json")) as (url, _), gateway(url) as base:
        (made,) = (await post(base, ASK)).json()["choices"]
    message = {"role": "assistant", "content": "hi", "refusal": None, "x": 1}
    assert made == {**choice, "message": message, "logprobs": None}


async def test_one_object_comes_back_as_it_was() -> None:
    message = {"role": "assistant", "content": "hi", "refusal": None, "x": 1}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    sent = json.dumps({**HEAD, "object": "chat.completion", "choices": [choice]}, indent=1).encode()
    async with raw(says(sent, kind="application/json")) as (url, upstream), gateway(url) as base:
        response = await post(base, ASK)
    assert response.content == sent
    assert response.headers["content-type"] == "application/json"
    assert json.loads(upstream.bodies[0]) == ASK


async def test_what_the_settings_say_of_requests() -> None:
    settings: Json = {
        "model_map": {"mine": "theirs"},
        "extra_params": {"temperature": 0.5},
        "drop_params": "seed",
        "tool_denylist": "add",
    }
    body = {**ASK, "model": "mine", "seed": 1, "stream": True, "tools": [ADD], "tool_choice": "auto"}
    async with raw(says(*WHOLE, DONE)) as (url, upstream), gateway(url, **settings) as base:
        response = await post(base, body)
    assert (
        json.loads(upstream.bodies[0])
        == {
            "model": "theirs",
            "messages": [HELLO],
            "temperature": 0.5,
            "stream": True,
        }
        | USAGE
    )
    assert told(response).model == "mine"


async def test_a_tool_of_several_is_denied() -> None:
    other = {"type": "custom", "custom": {"name": "free"}}
    body = {
        **ASK,
        "tools": [ADD, other],
        "tool_choice": "auto",
        "functions": [{"name": "add"}, {"name": "sub"}],
    }
    one = b'{"choices": []}'
    async with (
        raw(says(one, kind="application/json")) as (url, upstream),
        gateway(url, tool_denylist="add") as base,
    ):
        await post(base, body)
    sent = json.loads(upstream.bodies[0])
    assert (sent["tools"], sent["functions"], sent["tool_choice"]) == ([other], [{"name": "sub"}], "auto")


async def test_a_stream_where_one_object_was_asked_for_and_the_other_way_round() -> None:
    async with raw(says(*WHOLE, DONE)) as (url, _), gateway(url) as base:
        one = await post(base, ASK)
    assert one.json()["choices"][0]["message"]["content"] == "Hello"
    async with raw(says(one.content, kind="application/json")) as (url, _), gateway(url) as base:
        assert told(await post(base, {**ASK, "stream": True}), relayed=True).text == "Hello"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("parts", "options", "status", "code"),
    [
        (
            [b'{"error": {"message": "no", "code": "c"}}'],
            {"status": "401 No", "kind": "application/json"},
            502,
            "upstream_authentication",
        ),
        (
            [b'{"error": {"message": "slow"}}'],
            {"status": "429 No", "kind": "application/json"},
            429,
            "rate_limit_exceeded",
        ),
        ([b'{"error": {"message": "no"}}'], {"kind": "application/json"}, 502, "upstream_error"),
        ([b"<html>"], {"kind": "text/html"}, 502, "upstream_invalid"),
        ([b'data: {"error": {"message": "no"}}\n\n'], {}, 502, "upstream_error"),
        ([b""], {}, 502, "upstream_incomplete"),
    ],
)
async def test_failures_before_the_first_byte_keep_their_status(
    stream: bool, parts: list[bytes], options: Json, status: int, code: str
) -> None:
    async with raw(says(*parts, **options)) as (url, _), gateway(url) as base:
        response = await post(base, {**ASK, "stream": stream})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_a_stream_that_breaks_off_ends_in_words() -> None:
    async with raw(says(WHOLE[0])) as (url, _), gateway(url) as base:
        response = await post(base, {**ASK, "stream": True})
    assert response.status_code == 200
    read = check(events(response.text))
    assert read.text == "Hel"
    assert read.error is not None
    assert read.error["code"] == "upstream_incomplete"


async def test_what_came_with_a_failure_is_told_before_it() -> None:
    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(WHOLE[0]))
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(WHOLE[1] + b'data: {"error": {"message": "broke"}}\n\n')

    async with raw(slow) as (url, _), gateway(url) as base:
        read = check(events((await post(base, {**ASK, "stream": True})).text))
    assert read.text == "Hello"
    assert read.error is not None
    assert read.error["message"].endswith("/v1/chat/completions: broke")


async def test_a_silent_stream_shows_life_in_comments() -> None:
    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(WHOLE[0]))
        await writer.drain()
        await asyncio.sleep(0.6)
        writer.write(b"".join(WHOLE[1:]) + DONE)

    async with raw(slow) as (url, _), gateway(url, heartbeat_seconds=0.2) as base:
        response = await post(base, {**ASK, "stream": True})
    assert b": keep-alive\n\n" in response.content
    assert told(response).text == "Hello"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_request_upstream(stream: bool) -> None:
    async def held(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(WHOLE[0]))
        await writer.drain()
        await asyncio.sleep(60)

    async with raw(held) as (url, upstream), gateway(url) as base:
        asking = asyncio.create_task(post(base, {**ASK, "stream": stream}))
        await upstream.asked.wait()
        await asyncio.sleep(0.1)
        asking.cancel()
        async with asyncio.timeout(5):
            await upstream.closed.wait()


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"x": 1}]}]},
            "messages[0].content[0].type",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"tools": [{"function": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": 5}}]}, "tools[0].function.name"),
        ({"temperature": 3}, "temperature"),
        ({"model": None}, "model"),
    ],
)
async def test_bad_requests_are_told_where(change: Json, param: str) -> None:
    async with gateway("http://127.0.0.1:9/v1") as base:
        response = await post(base, {**ASK, **change})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


# -- translated ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def hub(*items: Json, **settings: Any) -> AsyncIterator[tuple[str, RawUpstream]]:
    """A gateway before a Responses server that says these items."""
    frames = b"".join(r.told(*items).frames())
    async with (
        raw(says(frames)) as (url, upstream),
        gateway(url, upstream_wire="responses", **settings) as base,
    ):
        yield base, upstream


@pytest.mark.parametrize("stream", [False, True])
async def test_the_same_answer_in_chats_words(stream: bool) -> None:
    call = r.call("add", '{"a": 1}')
    async with hub(r.reasoning("hm"), r.message("Let me"), call, model_map={"m": "theirs"}) as (
        base,
        upstream,
    ):
        body = {**ASK, "tools": [ADD], "stream": stream, "max_tokens": 9}
        response = await post(base, body | ({"stream_options": {"include_usage": True}} if stream else {}))
    sent = json.loads(upstream.bodies[0])
    assert (sent["model"], sent["max_output_tokens"], sent["store"]) == ("theirs", 9, False)
    assert sent["tools"][0]["name"] == "add"
    expected = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    if stream:
        read = told(response, include_usage=True)
        assert (read.text, read.reasoning, read.calls, read.finish_reason) == (
            "Let me",
            "hm",
            [expected],
            "tool_calls",
        )
        assert read.usage is not None
        assert read.usage["total_tokens"] == r.USAGE["total_tokens"]
        return
    (choice,) = response.json()["choices"]
    assert choice["message"]["tool_calls"] == [expected]
    assert response.json()["model"] == "m"


async def test_losses_and_failures_have_the_names_that_the_client_gave() -> None:
    async with hub(r.message("hi")) as (base, _):
        lossy = await post(base, {**ASK, "seed": 1, "store": True, "metadata": {"a": "b"}})
        refused = await post(base, {**ASK, "n": 2})
        orphan = await post(
            base, {**ASK, "messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}
        )
    assert lossy.headers["x-wireloom-loss"].startswith("seed;dropped;")
    assert "store;dropped;" in lossy.headers["x-wireloom-loss"]
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "n")
    assert orphan.status_code == 400
    assert orphan.json()["error"]["param"].startswith("messages[0].content[0]")
    assert "input" not in orphan.json()["error"]["message"].partition(" ")[0]


async def test_strictness_holds_on_this_face() -> None:
    async with hub(r.message("hi"), strict=True) as (base, upstream):
        response = await post(base, {**ASK, "seed": 1})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "seed")
    assert upstream.bodies == []


async def test_a_failure_inside_a_translated_stream() -> None:
    failed = r.response([], "failed", error={"code": "server_error", "message": "broke"})
    begun = r.whole(r.message("half"))[:-1]
    frames = list(r.Streamed([*begun, {"type": "response.failed", "response": failed}]).frames())

    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(*frames[:5]))
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(b"".join(frames[5:]))

    async with raw(slow) as (url, _), gateway(url, upstream_wire="responses") as base:
        response = await post(base, {**ASK, "stream": True})
    read = check(events(response.text))
    assert read.text == "half"
    assert read.error is not None
    assert read.error["message"].endswith("/v1/responses: broke")


async def test_nothing_is_stored() -> None:
    async with hub(r.message("hi")) as (base, _):
        made = (await post(base, ASK)).json()["id"].removeprefix("chatcmpl-")
        async with httpx.AsyncClient(timeout=20) as client:
            response = await client.get(f"{base}/v1/responses/resp_{made}")
    assert response.status_code == 404
