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
    assert await whole(client, user("two words", model="mine")) == {
        "id": "chatcmpl-demo-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "mine",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "You said: two words"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6},
    }


async def test_a_tool_is_called_in_pieces(client: httpx.AsyncClient) -> None:
    body = user("weather?", tools=[WEATHER], stream_options={"include_usage": True})
    del body["model"]
    chunks = await streamed(client, body)
    head = {"id": "chatcmpl-demo-1", "object": "chat.completion.chunk", "created": 1_700_000_000}
    call = {"index": 0, "id": "call_demo_1", "type": "function"}
    deltas = [
        {"role": "assistant", "content": ""},
        {"tool_calls": [call | {"function": {"name": "get_weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ' "Paris"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
    ]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    expected: list[Json] = [{"choices": [choice]} for choice in choices]
    expected.append({"choices": [], "usage": usage})
    assert chunks == [head | {"model": "demo"} | chunk for chunk in expected]


async def test_a_tool_without_parameters_is_called_with_an_empty_object(client: httpx.AsyncClient) -> None:
    reply = await whole(client, user("time?", tools=[TIME]))
    message = reply["choices"][0]["message"]
    call = {"id": "call_demo_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    assert message == {"role": "assistant", "content": None, "tool_calls": [call]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "You said: "),
        ([{"type": "text", "text": "a"}, {"type": "image_url"}, "b"], "You said: a "),
        ("x" * 401, "You said: " + "x" * 400),
    ],
)
async def test_an_echo_has_the_text_alone(client: httpx.AsyncClient, content: Any, said: str) -> None:
    body = user("") | {"messages": [{"role": "user", "content": content}]}
    message = (await whole(client, body))["choices"][0]["message"]
    assert message["content"] == said.rstrip()


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
    choice = (await whole(client, user("a", **{name: 3})))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("You said: a", "stop")


async def test_structured_output(client: httpx.AsyncClient) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    message = (await whole(client, user("go", response_format=wanted)))["choices"][0]["message"]
    assert json.loads(message["content"]) == {"n": 7}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "The body is not JSON."),
        (b"\xff", "The body is not JSON."),
        *(
            (content, "The body is not a Chat Completions request.")
            for content in (b"[]", b"{}", b'{"messages": []}', b'{"messages": ["x"]}', b'{"messages": [{}]}')
        ),
        (b'{"messages": [{"role": "user"}], "tools": ["x"]}', "The body is not a Chat Completions request."),
    ],
)
async def test_what_is_no_request_is_refused(client: httpx.AsyncClient, content: bytes, message: str) -> None:
    response = await client.post("/chat/completions", content=content)
    assert response.status_code == 400
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    assert response.json() == {"error": error}


async def test_models(client: httpx.AsyncClient) -> None:
    model = {
        "id": demo.MODEL,
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "wireloom",
        "context_length": 131_072,
        "architecture": {"input_modalities": ["text"]},
    }
    assert (await client.get("/models")).json() == {"object": "list", "data": [model]}


async def test_the_last_requests_are_kept() -> None:
    app = demo.app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://demo/v1") as client:
        for number in range(20):
            await whole(client, user(str(number)))
    kept = [body["messages"][0]["content"] for body in app.state.requests]
    assert kept == [str(number) for number in range(4, 20)]


# A schema, and the value that fills it.
EXAMPLES: list[tuple[Any, Any]] = [
    ({}, "demo"),
    (True, "demo"),
    ({"type": "string", "minLength": 9}, "demo....."),
    ({"type": "string", "maxLength": 2}, "de"),
    ({"type": "string", "format": "date"}, "2025-01-01"),
    ({"type": "string", "format": "date-time"}, "2025-01-01T12:00:00Z"),
    ({"type": "string", "format": "email"}, "demo@example.com"),
    ({"type": "string", "format": "uri"}, "https://example.com/"),
    ({"type": "string", "format": "uuid"}, "00000000-0000-4000-8000-000000000000"),
    ({"type": "string", "format": "a-new-one"}, "demo"),
    ({"type": "integer"}, 1),
    ({"type": "integer", "minimum": 5, "maximum": 9}, 5),
    ({"type": "integer", "minimum": 0}, 0),
    ({"type": "number"}, 1.5),
    ({"type": "number", "maximum": -1}, -1),
    ({"type": "boolean", "minimum": 5}, True),
    ({"type": "null"}, None),
    ({"type": "string", "maxLength": 0}, ""),
    ({"type": ["string", "null"]}, "demo"),
    ({"type": ["null", "string"]}, None),
    ({"enum": ["x", "y"]}, "x"),
    ({"const": 3, "default": 4}, 3),
    ({"type": "string", "default": "d", "enum": ["x", "d"]}, "d"),
    ({"type": "string", "examples": ["e", "f"]}, "e"),
    ({"enum": ["x", "e"], "examples": ["e"]}, "x"),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
    ({"oneOf": [{"type": "boolean"}, {"type": "null"}]}, True),
    ({"allOf": [{"type": "number"}, {"minimum": 1}]}, 1.5),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 0}, [1]),
    ({"type": "array"}, ["demo"]),
    ({"type": "array", "items": True}, ["demo"]),
    ({"type": "object"}, {}),
    ({"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}, {"a": 1}),
    ({"type": "object", "required": ["a"]}, {"a": "demo"}),
    (
        {"type": "object", "properties": {"city": {"anyOf": [{"type": "string"}]}}},
        {"city": "Paris"},
    ),
    (
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"type": "string"}},
            "required": ["a", "b"],
            "$defs": {
                "A": {
                    "type": "object",
                    "properties": {"command": {"type": "array"}},
                    "required": ["command"],
                }
            },
        },
        {"a": {"command": ["echo hello from wireloom"]}, "b": "demo"},
    ),
]


@pytest.mark.parametrize(("schema", "value"), EXAMPLES, ids=json.dumps)
def test_a_schema_is_always_filled_by_the_same_value(schema: Any, value: Any) -> None:
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
    assert demo.example(schema) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("city", "Paris"),
        ("cmd", "echo hello from wireloom"),
        ("command", "echo hello from wireloom"),
        ("location", "Paris"),
        ("path", "."),
        ("query", "wireloom"),
        ("url", "https://example.com/"),
    ],
)
@pytest.mark.parametrize("schema", [{"type": "string"}, {"$ref": "#/$defs/A"}], ids=["string", "reference"])
def test_a_property_of_a_usual_name_has_a_plausible_value(name: str, value: str, schema: Json) -> None:
    properties = {"properties": {name: schema}, "required": [name], "$defs": {"A": {"type": "string"}}}
    assert demo.example(properties) == {name: value}


def test_a_schema_is_filled_to_a_bounded_depth() -> None:
    schema: Json = {"type": "integer"}
    for _ in range(6):
        schema = {"type": "array", "items": schema}
    assert demo.example(schema) == [[[[[[1]]]]]]
    assert demo.example({"type": "array", "items": schema}) == [[[[[[[None]]]]]]]
    assert demo.example({"properties": {"a": schema}}) == {"a": [[[[[[None]]]]]]}
    assert demo.example({"anyOf": [schema]}) == [[[[[[None]]]]]]
    assert demo.example({"$ref": "#/$defs/a", "$defs": {"a": schema}}) == [[[[[[None]]]]]]


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
