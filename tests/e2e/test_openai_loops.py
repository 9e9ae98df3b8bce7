"""Loops of the official Python SDK: tools, structured answers, reasoning that the client carries, probabilities."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import CREATED, Json, Raw, Turn, call
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

STRANGER = "second-token"
SEALED: Any = ["reasoning.encrypted_content"]
LOGPROBS: Any = ["message.output_text.logprobs"]
ADD: Any = {
    "type": "function",
    "name": "add",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
    "strict": True,
}
LOOM: Any = {
    "type": "custom",
    "name": "loom",
    "description": "Run a weaving program.",
    "format": {"type": "grammar", "syntax": "regex", "definition": "weave .+"},
}
PROGRAM = 'weave "4711"\nthen \\ stop'


class Colour(BaseModel):
    name: str
    parts: list[int]


@pytest.fixture(scope="module")
def deepseek_gateway(chat_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway before a server without json_schema that wants its reasoning back."""
    flags = ("--provider", "deepseek", "--token", f"stranger={STRANGER}")
    home = tmp_path_factory.mktemp("deepseek")
    with Gateway(chat_server.base_url, home, *flags, api_key=API_KEY) as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr


def client_of(gateway: Gateway) -> OpenAI:
    return OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with client_of(gateway) as client:
        yield client


@pytest.fixture
def deepseek(deepseek_gateway: Gateway) -> Iterator[OpenAI]:
    with client_of(deepseek_gateway) as client:
        yield client


# -- structured answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_schema_is_emulated(stream: bool, upstream: ChatServer, deepseek: OpenAI) -> None:
    upstream.play([Turn(text='{"name": "red", "parts": [255, 0, 0]}')])
    asked: Any = {"model": MODEL, "input": "a colour", "text_format": Colour}
    if stream:
        with deepseek.responses.stream(**asked) as events:
            parsed = events.get_final_response().output_parsed
    else:
        parsed = deepseek.responses.parse(**asked).output_parsed
    assert parsed == Colour(name="red", parts=[255, 0, 0])
    (exchange,) = upstream.chats
    assert exchange.body["response_format"] == {"type": "json_object"}
    assert '"parts"' in "".join(exchange.texts("system"))


def test_an_emulated_schema_is_reported(upstream: ChatServer, deepseek: OpenAI) -> None:
    upstream.play([Turn(text='{"name": "red", "parts": []}')])
    raw = deepseek.responses.with_raw_response.parse(model=MODEL, input="a colour", text_format=Colour)
    assert raw.headers["x-wireloom-loss"].startswith("text.format;emulated;")


# -- tools -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True], ids=["history", "previous_response_id"])
def test_a_loop_of_functions(stored: bool, upstream: ChatServer, client: OpenAI) -> None:
    """Three steps; the client sends all that was said, or only what is new and the id of the last response."""
    upstream.play(
        [
            Turn(
                tool_calls=[call("call_1", "add", a=1, b=2), call("call_2", "add", a=3, b=4)], interleave=True
            ),
            Turn(tool_calls=[call("call_3", "add", a=3, b=7)]),
            Turn(text="ten"),
        ]
    )
    history: list[Any] = [{"role": "user", "content": "add them all"}]
    new, previous = history, None
    while True:
        asked: Any = {"previous_response_id": previous} if stored and previous else {}
        with client.responses.stream(
            model=MODEL, input=new if stored else history, tools=[ADD], store=stored, **asked
        ) as stream:
            response = stream.get_final_response()
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            break
        new = [
            {
                "type": "function_call_output",
                "call_id": made.call_id,
                "output": str(sum(json.loads(made.arguments).values())),
            }
            for made in calls
        ]
        history += [*response.output, *new]
        previous = response.id
    assert response.output_text == "ten"
    last = upstream.chats[-1]
    assert last.outputs == {"call_1": "3", "call_2": "7", "call_3": "10"}
    roles = [message["role"] for message in last.messages]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "tool"]


def test_a_custom_tool(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(tool_calls=[call("call_1", "loom", input=PROGRAM)]), Turn(text="woven")])
    question: Any = [{"role": "user", "content": "weave"}]
    with client.responses.stream(model=MODEL, input=question, tools=[LOOM]) as stream:
        events = list(stream)
        first = stream.get_final_response()
    pieces = [event.delta for event in events if event.type == "response.custom_tool_call_input.delta"]
    assert len(pieces) > 1
    assert "".join(pieces) == PROGRAM
    (made,) = first.output
    assert made.type == "custom_tool_call"
    assert (made.name, made.call_id, made.input) == ("loom", "call_1", PROGRAM)
    answer = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "a cloth"}
    history: Any = [*question, *first.output, answer]
    second = client.responses.create(model=MODEL, input=history, tools=[LOOM])
    assert second.output_text == "woven"
    assert "weave .+" in upstream.chats[0].body["tools"][0]["function"]["description"]
    (assistant,) = (message for message in upstream.chats[1].messages if message["role"] == "assistant")
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"input": PROGRAM}
    assert upstream.chats[1].outputs == {"call_1": "a cloth"}


# -- reasoning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "expected"), [(None, "carry the one"), (STRANGER, "")], ids=["same-key", "another-key"]
)
def test_sealed_reasoning_comes_back(
    token: str | None, expected: str, upstream: ChatServer, deepseek: OpenAI
) -> None:
    """Nothing is stored; what the client carries is read for the key it was sealed for."""
    upstream.play(
        [Turn(reasoning="carry the one", tool_calls=[call("call_1", "add", a=1, b=9)]), Turn(text="ten")]
    )
    question: Any = [{"role": "user", "content": "add"}]
    first = deepseek.responses.create(model=MODEL, input=question, tools=[ADD], store=False, include=SEALED)
    kept: list[Json] = [item.to_dict() for item in first.output]
    (thought,) = (item for item in kept if item["type"] == "reasoning")
    assert "carry" not in thought["encrypted_content"]
    thought.pop("content", None)
    thought["summary"] = []
    answer = {"type": "function_call_output", "call_id": "call_1", "output": "10"}
    history: Any = [*question, *kept, answer]
    client = deepseek.with_options(api_key=token) if token else deepseek
    second = client.responses.create(model=MODEL, input=history, tools=[ADD], store=False, include=SEALED)
    assert second.output_text == "ten"
    (assistant,) = (message for message in upstream.chats[1].messages if message["role"] == "assistant")
    assert assistant["reasoning_content"] == expected


def test_stored_reasoning_comes_back(upstream: ChatServer, deepseek: OpenAI) -> None:
    upstream.play(
        [Turn(reasoning="carry the one", tool_calls=[call("call_1", "add", a=1, b=9)]), Turn(text="ten")]
    )
    first = deepseek.responses.create(model=MODEL, input="add", tools=[ADD])
    answer: Any = [{"type": "function_call_output", "call_id": "call_1", "output": "10"}]
    deepseek.responses.create(model=MODEL, input=answer, tools=[ADD], previous_response_id=first.id)
    (assistant,) = (message for message in upstream.chats[1].messages if message["role"] == "assistant")
    assert assistant["reasoning_content"] == "carry the one"


# -- log probabilities -------------------------------------------------------------------------------------------------


def token(text: str, logprob: float) -> Json:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


TOKENS: list[Json] = [
    {**token("si", -0.25), "top_logprobs": [token("si", -0.25), token("no", -1.5)]},
    {**token("\u00ed", -0.5), "top_logprobs": [token("\u00ed", -0.5), token("i", -2.0)]},
]


def with_logprobs() -> Raw:
    """Return a streamed answer of two tokens with the probabilities of each."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": MODEL}
    choices: list[Json] = [
        {
            "index": 0,
            "delta": {"content": each["token"]},
            "logprobs": {"content": [each]},
            "finish_reason": None,
        }
        for each in TOKENS
    ]
    choices.append({"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"})
    lines = [json.dumps({**head, "choices": [choice]}) for choice in choices]
    body = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
    return Raw(body.encode(), headers={"content-type": "text/event-stream"})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_log_probabilities(stream: bool, upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([with_logprobs()])
    asked: Any = {"model": MODEL, "input": "say", "include": LOGPROBS, "top_logprobs": 2}
    streamed: list[Json] = []
    if stream:
        with client.responses.stream(**asked) as events:
            for event in events:
                if event.type == "response.output_text.delta":
                    streamed += [each.to_dict() for each in event.logprobs]
            response = events.get_final_response()
        assert [each["token"] for each in streamed] == ["si", "\u00ed"]
    else:
        response = client.responses.create(**asked)
    message: Any = response.output[0].to_dict()
    assert message["content"][0]["logprobs"] == TOKENS
    body = upstream.chats[0].body
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
