"""The scripted model: what it answers, streamed and whole, and that it really serves."""

import asyncio
import json
import signal
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema
import pytest

from wireloom.backends import demo

Json = dict[str, Any]

WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME: Json = {"type": "function", "function": {"name": "get_time"}}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(demo.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://demo/v1") as client:
        yield client


def user(text: str, **more: Any) -> Json:
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **more}


async def whole(client: httpx.AsyncClient, body: Json) -> Json:
    response = await client.post("/chat/completions", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def streamed(client: httpx.AsyncClient, body: Json) -> list[Json]:
    response = await client.post("/chat/completions", json={**body, "stream": True})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    *events, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


def folded(chunks: list[Json]) -> tuple[Json, str]:
    """Put the message of a stream together again, as a client does."""
    message: Json = {"role": "assistant", "content": ""}
    calls: list[Json] = []
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]]
    for delta in (chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]):
        message["content"] += delta.get("content") or ""
        for piece in delta.get("tool_calls", ()):
            if piece["index"] == len(calls):
                calls.append({"id": piece["id"], "type": piece["type"], "function": {**piece["function"]}})
            else:
                calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    assert [finish for finish in finishes if finish] == finishes[-1:]
    if calls:
        return {**message, "content": message["content"] or None, "tool_calls": calls}, finishes[-1]
    return message, finishes[-1]


async def test_text_is_an_echo(client: httpx.AsyncClient) -> None:
    reply = await whole(client, user("two words"))
    choice = reply["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "You said: two words"}
    assert choice["finish_reason"] == "stop"
    assert reply["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}


async def test_text_comes_word_by_word(client: httpx.AsyncClient) -> None:
    chunks = await streamed(client, user("two  words\n"))
    contents = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert contents == ["", "You", " said:", " two", "  words", None]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1


async def test_parts_are_read(client: httpx.AsyncClient) -> None:
    body = user("")
    body["messages"][0]["content"] = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert (await whole(client, body))["choices"][0]["message"]["content"] == "You said: a b"


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        (None, "get_weather"),
        ("auto", "get_weather"),
        ("required", "get_weather"),
        ({"type": "function", "function": {"name": "get_time"}}, "get_time"),
        ("none", None),
    ],
)
async def test_tool_choice(client: httpx.AsyncClient, choice: Any, called: str | None) -> None:
    body = user("weather?", tools=[{"type": "custom"}, WEATHER, TIME], tool_choice=choice)
    message = (await whole(client, body))["choices"][0]["message"]
    assert [call["function"]["name"] for call in message.get("tool_calls", ())] == [called] * bool(called)


async def test_a_tool_goes_round(client: httpx.AsyncClient) -> None:
    body = user("weather?", tools=[WEATHER])
    choice = (await whole(client, body))["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    body["messages"] += [
        choice["message"],
        {"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"},
    ]
    message = (await whole(client, body))["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "The tool answered: 21 degrees"}


@pytest.mark.parametrize("more", [{}, {"tools": [WEATHER]}, {"max_tokens": 1}])
async def test_stream_and_whole_say_the_same(more: Json) -> None:
    replies = []
    for ask in (whole, streamed):
        transport = httpx.ASGITransport(demo.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://demo/v1") as client:
            replies.append(await ask(client, user("a b c", **more)))
    reply, chunks = replies
    assert isinstance(reply, dict)
    assert isinstance(chunks, list)
    assert folded(chunks) == (reply["choices"][0]["message"], reply["choices"][0]["finish_reason"])


async def test_usage_in_a_stream_is_told_on_request(client: httpx.AsyncClient) -> None:
    body = user("hi")
    reply = await whole(client, body)
    assert not any("usage" in chunk for chunk in await streamed(client, body))
    chunks = await streamed(client, {**body, "stream_options": {"include_usage": True}})
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], reply["usage"])


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_length_is_limited(client: httpx.AsyncClient, name: str) -> None:
    choice = (await whole(client, user("a b c", **{name: 3})))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("You said: a", "length")


async def test_structured_output(client: httpx.AsyncClient) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    message = (await whole(client, user("go", response_format=wanted)))["choices"][0]["message"]
    assert json.loads(message["content"]) == {"n": 7}


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff", b"[]", b"{}", b'{"messages": []}', b'{"messages": ["x"]}', b'{"messages": [{}]}'],
)
async def test_what_is_no_request_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    response = await client.post("/chat/completions", content=content)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_models(client: httpx.AsyncClient) -> None:
    body = (await client.get("/models")).json()
    assert [model["id"] for model in body["data"]] == [demo.MODEL]


async def test_the_last_requests_are_kept() -> None:
    app = demo.app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://demo/v1") as client:
        for number in range(20):
            await whole(client, user(str(number)))
    kept = [body["messages"][0]["content"] for body in app.state.requests]
    assert kept == [str(number) for number in range(4, 20)]


SCHEMAS: list[Json] = [
    {},
    {"type": "string", "minLength": 9},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "minimum": 5},
    {"type": "number", "maximum": -1},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"enum": ["x", "y"]},
    {"const": 3},
    {"type": "string", "default": "d"},
    {"type": "string", "examples": ["e"]},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2},
    {"type": "array"},
    {"type": "array", "items": True},
    {"type": "object"},
    {"properties": {"a": {"type": "integer"}}},
    {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"type": "string"}},
        "required": ["a", "b"],
        "$defs": {
            "A": {"type": "object", "properties": {"command": {"type": "array"}}, "required": ["command"]}
        },
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_examples_fit_their_schema(schema: Json) -> None:
    value = demo.example(schema)
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
    assert demo.example(schema) == value


@pytest.mark.parametrize("reference", ["#", "#/missing/x", "elsewhere.json"])
def test_references_without_an_end_are_bounded(reference: str) -> None:
    value = demo.example({"properties": {"next": {"$ref": reference}}, "required": ["next"]})
    assert json.loads(json.dumps(value)) == value


def test_a_command_for_a_shell_tool_is_harmless() -> None:
    schema = {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]}
    assert demo.example(schema) == {"cmd": "echo hello from wireloom"}


async def test_it_serves_on_a_port_of_its_own_and_leaves_it() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    received: deque[Json] = deque()
    async with demo.running(received) as url, httpx.AsyncClient(base_url=url) as client:
        assert url.startswith("http://127.0.0.1:")
        assert signal.getsignal(signal.SIGTERM) is handler
        replies = await asyncio.gather(*(whole(client, user(str(number))) for number in range(3)))
        said = [reply["choices"][0]["message"]["content"] for reply in replies]
        assert said == ["You said: 0", "You said: 1", "You said: 2"]
    assert len(received) == 3
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient() as client:
            await client.get(f"{url}/models")


async def test_it_ends_with_a_client_still_connected() -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(10), demo.running() as url:
        assert (await client.get(f"{url}/models")).status_code == 200
