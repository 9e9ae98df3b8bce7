"""The official Python SDK in front of the gateway, a scripted Chat Completions upstream behind it."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import FunctionToolParam
from pydantic import BaseModel

from tests.support.chat_server import MODEL, ChatServer
from tests.support.chat_turns import Json, ToolCall, Turn, Usage, failure
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "weather",
    "description": "Tell the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Colour(BaseModel):
    name: str
    parts: list[int]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60) as client:
        yield client


def weather(call_id: str, city: str) -> ToolCall:
    return ToolCall(call_id, "weather", json.dumps({"city": city}))


def output(call_id: str, text: str) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def test_create(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(text="four", usage=Usage(120, 30, cached=100, reasoning=20))])
    response = client.responses.create(
        model=MODEL, instructions="Be brief.", input="two and two?", temperature=0.5, max_output_tokens=64
    )
    assert (response.status, response.output_text, response.model) == ("completed", "four", MODEL)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (
        120,
        30,
        150,
    )
    assert response.usage.input_tokens_details.cached_tokens == 100
    assert response.usage.output_tokens_details.reasoning_tokens == 20
    (exchange,) = upstream.chats
    assert exchange.texts("system") == ["Be brief."]
    assert exchange.texts("user") == ["two and two?"]
    assert exchange.body["temperature"] == 0.5
    assert 64 in (exchange.body.get("max_tokens"), exchange.body.get("max_completion_tokens"))


def test_stream_helper(upstream: ChatServer, client: OpenAI) -> None:
    text = "a sentence that takes several deltas: äöü €"
    upstream.play([Turn(reasoning="let me think", text=text)])
    with client.responses.stream(model=MODEL, input="talk") as stream:
        events = list(stream)
        response = stream.get_final_response()
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(pieces) > 1
    assert "".join(pieces) == response.output_text == text
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (11, 7)


def test_parse(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(text='{"name": "red", "parts": [255, 0, 0]}')])
    response = client.responses.parse(model=MODEL, input="a colour", text_format=Colour)
    assert response.output_parsed == Colour(name="red", parts=[255, 0, 0])
    wanted = upstream.chats[0].body["response_format"]
    assert (wanted["type"], wanted["json_schema"]["name"]) == ("json_schema", "Colour")
    assert wanted["json_schema"]["strict"] is True
    assert wanted["json_schema"]["schema"]["required"] == ["name", "parts"]


def test_tool_round_trip(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(reasoning="ask", tool_calls=[weather("call_1", "Oslo")]), Turn(text="Snow.")])
    question: Any = [{"role": "user", "content": "Weather in Oslo?"}]
    first = client.responses.create(model=MODEL, input=question, tools=[WEATHER], tool_choice="required")
    (call,) = (item for item in first.output if item.type == "function_call")
    assert (call.name, call.call_id, json.loads(call.arguments)) == ("weather", "call_1", {"city": "Oslo"})
    history: Any = [*question, *first.output, output("call_1", "snow, -4")]
    second = client.responses.create(model=MODEL, input=history, tools=[WEATHER])
    assert second.output_text == "Snow."
    offered, returned = (exchange.body for exchange in upstream.chats)
    assert offered["tool_choice"] == "required"
    assert offered["tools"][0]["function"]["parameters"] == WEATHER["parameters"]
    assert [message["role"] for message in returned["messages"]] == ["user", "assistant", "tool"]
    assert returned["messages"][1]["tool_calls"][0]["id"] == "call_1"
    assert upstream.chats[1].texts("tool") == ["snow, -4"]


def test_parallel_calls_stream_apart(upstream: ChatServer, client: OpenAI) -> None:
    cities = {"call_1": "Oslo", "call_2": "Rome", "call_3": "Lima"}
    calls = [weather(call_id, city) for call_id, city in cities.items()]
    upstream.play([Turn(text="three at once", tool_calls=calls, interleave=True), Turn(text="All known.")])
    question: Any = [{"role": "user", "content": "Weather?"}]
    with client.responses.stream(
        model=MODEL, input=question, tools=[WEATHER], parallel_tool_calls=True
    ) as stream:
        first = stream.get_final_response()
    made = {item.call_id: json.loads(item.arguments) for item in first.output if item.type == "function_call"}
    assert made == {call_id: {"city": city} for call_id, city in cities.items()}
    outputs = [output(call_id, city.upper()) for call_id, city in reversed(cities.items())]
    history: Any = [*question, *first.output, *outputs]
    second = client.responses.create(model=MODEL, input=history, tools=[WEATHER])
    assert second.output_text == "All known."
    (assistant,) = (message for message in upstream.chats[1].messages if message["role"] == "assistant")
    assert [call["id"] for call in assistant["tool_calls"]] == list(cities)


def test_models(upstream: ChatServer, client: OpenAI) -> None:
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
class TestErrors:
    def test_wrong_key(self, stream: bool, upstream: ChatServer, client: OpenAI) -> None:
        stranger = client.with_options(api_key="wrong")
        with pytest.raises(openai.AuthenticationError) as caught:
            stranger.responses.create(model=MODEL, input="hello", stream=stream)
        assert caught.value.code == "invalid_api_key"
        assert upstream.exchanges == []

    def test_unknown_item_names_its_path(self, stream: bool, upstream: ChatServer, client: OpenAI) -> None:
        items: Any = [{"role": "user", "content": "hello"}, {"type": "telepathy", "thought": "hello"}]
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model=MODEL, input=items, stream=stream)
        assert caught.value.param == "input[1].type"
        assert upstream.exchanges == []

    def test_unknown_previous_response(self, stream: bool, upstream: ChatServer, client: OpenAI) -> None:
        with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as caught:
            client.responses.create(model=MODEL, input="more", previous_response_id="resp_0", stream=stream)
        assert caught.value.code == "previous_response_not_found"
        assert caught.value.param == "previous_response_id"
        assert upstream.exchanges == []

    def test_upstream_refuses_the_request(self, stream: bool, upstream: ChatServer, client: OpenAI) -> None:
        upstream.play([failure(400, "reason 4711", code="context_length_exceeded", param="messages")])
        with pytest.raises(openai.BadRequestError, match="reason 4711") as caught:
            client.responses.create(model=MODEL, input="hello", stream=stream)
        assert caught.value.code == "context_length_exceeded"

    def test_rate_limit(self, stream: bool, upstream: ChatServer, client: OpenAI) -> None:
        upstream.play([failure(429, "slow down", code="rate_limit_exceeded", headers={"retry-after": "7"})])
        with pytest.raises(openai.RateLimitError, match="slow down") as caught:
            client.responses.create(model=MODEL, input="hello", stream=stream)
        assert caught.value.response.headers["retry-after"] == "7"

    def test_server_error(self, stream: bool, upstream: ChatServer, client: OpenAI) -> None:
        upstream.play([failure(500, "reason 4711", kind="server_error")])
        with pytest.raises(openai.InternalServerError, match="reason 4711"):
            client.responses.create(model=MODEL, input="hello", stream=stream)
        assert len(upstream.chats) == 1


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        pytest.param(
            Turn(text="half an answer", held=True, error={"message": "reason 4711", "code": 502}),
            "reason 4711",
            id="error-event",
        ),
        pytest.param(Turn(text="half an answer", held=True, ending="cut"), "ended before", id="cut"),
        pytest.param(Turn(text="half an answer", held=True, ending="reset"), "connection", id="reset"),
    ],
)
def test_stream_that_fails_midway(turn: Turn, message: str, upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([turn])
    pieces = []

    def read() -> None:
        with client.responses.create(model=MODEL, input="talk", stream=True) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    pieces.append(event.delta)
                    upstream.release()

    with pytest.raises(openai.APIError, match=message):
        read()
    assert "".join(pieces) == turn.text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_refusal(stream: bool, upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(refusal="that I will not do")])
    if stream:
        with client.responses.stream(model=MODEL, input="do it") as events:
            response: Any = events.get_final_response()
    else:
        response = client.responses.create(model=MODEL, input="do it")
    (message,) = response.output
    assert [(part.type, part.refusal) for part in message.content] == [("refusal", "that I will not do")]


@pytest.mark.parametrize(
    ("finish_reason", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_incomplete(finish_reason: str, reason: str, upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(text="it goes on and", finish_reason=finish_reason)])
    response = client.responses.create(model=MODEL, input="talk", max_output_tokens=16)
    assert (response.status, response.output_text) == ("incomplete", "it goes on and")
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == reason


def test_leaving_cancels_the_upstream(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(text="the first words", held=True)])
    with client.responses.create(model=MODEL, input="talk", stream=True) as stream:
        next(event for event in stream if event.type == "response.output_text.delta")
    exchange = upstream.wait_for(1)
    assert exchange.ended.wait(30)
    assert exchange.closed_early
