"""The official Python SDK on the Chat face: before a Chat upstream, before Responses upstreams, before the demo."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from tests.support.chat_roads import ROADS, Refused, Road, Said, called, road
from tests.support.responses_server import MODEL

pytestmark = pytest.mark.e2e

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
PICTURE = "data:image/png;base64,iVBORw0KGgo="
ADD: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


class Colour(BaseModel):
    name: str
    parts: list[int]


@pytest.fixture(scope="module", params=ROADS)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    with road(request.param, tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def upstream(way: Road) -> Iterator[Road]:
    way.play()
    yield way
    way.server.verify()


@pytest.fixture
def client(way: Road) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=way.gateway.base_url, api_key=way.gateway.token, max_retries=0, timeout=60
    ) as client:
        yield client


def test_create(upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(text="four", thought="two and two"))
    found = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two and two?"}],
        temperature=0.5,
        max_completion_tokens=64,
    )
    (choice,) = found.choices
    assert (choice.message.content, choice.finish_reason, found.model) == ("four", "stop", MODEL)
    assert (choice.message.role, choice.message.refusal, choice.message.tool_calls) == (
        "assistant",
        None,
        None,
    )
    assert choice.message.model_extra == {"reasoning_content": "two and two"}
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.total_tokens) == (11, 7, 18)
    assert found.usage.prompt_tokens_details is not None
    assert found.usage.completion_tokens_details is not None
    assert found.usage.prompt_tokens_details.cached_tokens == 2
    assert found.usage.completion_tokens_details.reasoning_tokens == 3
    (asked,) = upstream.asked
    assert asked.body["temperature"] == 0.5
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    assert [asked.body[name] for name in limits if name in asked.body] == [64]


def test_stream(upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(text="a sentence that takes several deltas: äöü €", thought="let me think"))
    text, thought, finish, usage = "", "", None, None
    with client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                thought += (choice.delta.model_extra or {}).get("reasoning_content") or ""
                finish = choice.finish_reason or finish
    assert (text, thought, finish) == ("a sentence that takes several deltas: äöü €", "let me think", "stop")
    assert usage is not None
    assert usage.total_tokens == 18


def test_stream_helper(upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(text="a sentence", calls=[called("call_1", "add", a=2, b=3)]))
    kinds, pieces = [], []
    with client.chat.completions.stream(model=MODEL, messages=HELLO, tools=[ADD]) as stream:
        for event in stream:
            kinds.append(event.type)
            if event.type == "content.delta":
                pieces.append(event.delta)
        found = stream.get_final_completion()
    (choice,) = found.choices
    assert "".join(pieces) == choice.message.content == "a sentence"
    assert {
        "chunk",
        "content.delta",
        "content.done",
        "tool_calls.function.arguments.delta",
        "tool_calls.function.arguments.done",
    } <= set(kinds)
    made = (choice.message.tool_calls or [])[0]
    assert (made.id, made.function.name, made.function.parsed_arguments) == (
        "call_1",
        "add",
        {"a": 2, "b": 3},
    )
    assert (choice.message.role, choice.finish_reason) == ("assistant", "tool_calls")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_parse(stream: bool, upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(text='{"name": "red", "parts": [255, 0, 0]}'))
    asked: Any = {"model": MODEL, "messages": HELLO, "response_format": Colour}
    if stream:
        with client.chat.completions.stream(**asked) as events:
            found = events.get_final_completion()
    else:
        found = client.chat.completions.parse(**asked)
    assert found.choices[0].message.parsed == Colour(name="red", parts=[255, 0, 0])
    (sent,) = upstream.asked
    assert '"parts"' in json.dumps(sent.body.get("response_format") or sent.body["text"]["format"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_loop_of_parallel_tools(stream: bool, upstream: Road, client: OpenAI) -> None:
    first, second = called("call_1", "add", a=2, b=3), called("call_2", "add", a=20, b=30)
    upstream.play(Said(text="Let me.", thought="hm", calls=[first, second]), Said(text="5 and 50"))
    messages: list[Any] = list(HELLO)
    asked: Any = {"model": MODEL, "tools": [ADD], "messages": messages}

    def turn() -> Any:
        if not stream:
            return client.chat.completions.create(**asked).choices[0]
        with client.chat.completions.stream(**asked) as events:
            return events.get_final_completion().choices[0]

    choice = turn()
    assert choice.finish_reason == "tool_calls"
    messages.append(choice.message)
    for made in choice.message.tool_calls:
        added = json.loads(made.function.arguments)
        messages.append({"role": "tool", "tool_call_id": made.id, "content": str(added["a"] + added["b"])})
    assert turn().message.content == "5 and 50"
    assert upstream.asked[1].outputs == {"call_1": "5", "call_2": "50"}
    assert upstream.asked[1].tools == ["add"]


def test_images(upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(text="A dot."))
    content: Any = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert upstream.asked[0].pictures == [PICTURE]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_refusal_and_length(stream: bool, upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(refusal="that I will not do"), Said(text="it goes on and", cut=True))
    found = []
    for _ in range(2):
        if stream:
            with client.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as chunks:
                choices = [choice for chunk in chunks for choice in chunk.choices]
            refusal = "".join(choice.delta.refusal or "" for choice in choices)
            text = "".join(choice.delta.content or "" for choice in choices)
            found.append((refusal, text, choices[-1].finish_reason))
        else:
            (choice,) = client.chat.completions.create(model=MODEL, messages=HELLO).choices
            found.append((choice.message.refusal or "", choice.message.content or "", choice.finish_reason))
    assert found == [("that I will not do", "", "stop"), ("", "it goes on and", "length")]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (Refused(400, "context_length_exceeded"), openai.BadRequestError),
        (Refused(401, "invalid_api_key"), openai.InternalServerError),  # the key is the gateway's own
        (Refused(404, "model_not_found"), openai.NotFoundError),
        (Refused(429, "rate_limit_exceeded", headers={"retry-after": "7"}), openai.RateLimitError),
        (Refused(500, "server_error"), openai.InternalServerError),
    ],
    ids=lambda value: value.code if isinstance(value, Refused) else "",
)
def test_errors(
    refused: Refused, kind: type[openai.APIStatusError], stream: bool, upstream: Road, client: OpenAI
) -> None:
    upstream.play(refused)
    with pytest.raises(kind, match="reason 4711") as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    assert caught.value.response.headers["x-request-id"].startswith("req_")
    assert caught.value.response.headers.get("retry-after") == refused.headers.get("retry-after")


def test_our_own_errors(upstream: Road, client: OpenAI) -> None:
    wrong: Any = {"model": MODEL, "messages": [{"role": "user", "content": 5}]}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**wrong)
    assert (caught.value.param, caught.value.code) == ("messages[0].content", "invalid_type")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").chat.completions.create(model=MODEL, messages=HELLO)
    assert upstream.asked == []


def test_a_stream_that_fails_midway(upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(text="half an answer and more of it", breaks=True))
    pieces = []

    def read() -> None:
        with client.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream:
            for chunk in stream:
                pieces.append(chunk.choices[0].delta.content or "")

    with pytest.raises(openai.APIError, match="ended before"):
        read()
    assert "".join(pieces).startswith("half")


TRANSLATED = pytest.mark.parametrize("way", ROADS[1:], indirect=True)
"""For what the scripted Chat upstream does not have, since it has only what most have."""


@TRANSLATED
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tools_with_free_input(stream: bool, upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(custom=[called("call_1", "weave")]), Said(text="woven"))
    tool: Any = {"type": "custom", "custom": {"name": "weave", "description": "Weave."}}
    messages: list[Any] = list(HELLO)
    if stream:
        with client.chat.completions.create(
            model=MODEL, messages=messages, tools=[tool], stream=True
        ) as chunks:
            fragments: list[Any] = [
                each for chunk in chunks for choice in chunk.choices for each in choice.delta.tool_calls or ()
            ]
        given: Any = {"id": fragments[0].id, "type": "custom", "custom": {"name": "weave", "input": "{}"}}
        assert fragments[0].type == "custom"
    else:
        (choice,) = client.chat.completions.create(model=MODEL, messages=messages, tools=[tool]).choices
        made: Any = (choice.message.tool_calls or [])[0]
        assert made.type == "custom"
        assert (made.custom.name, choice.finish_reason) == ("weave", "tool_calls")
        given = made.model_dump()
    messages += [
        {"role": "assistant", "tool_calls": [given]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a cloth"},
    ]
    found = client.chat.completions.create(model=MODEL, messages=messages, tools=[tool])
    assert found.choices[0].message.content == "woven"
    assert upstream.asked[1].outputs == {"call_1": "a cloth"}


@TRANSLATED
def test_the_older_form_of_functions(upstream: Road, client: OpenAI) -> None:
    upstream.play(Said(calls=[called("call_1", "add", a=2, b=3)]), Said(text="five"))
    asked: Any = {"model": MODEL, "functions": [ADD["function"]], "function_call": "auto"}
    (choice,) = client.chat.completions.create(messages=HELLO, **asked).choices
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call is not None
    assert json.loads(choice.message.function_call.arguments) == {"a": 2, "b": 3}
    called_for = {
        "role": "assistant",
        "content": None,
        "function_call": choice.message.function_call.model_dump(),
    }
    messages: Any = [*HELLO, called_for, {"role": "function", "name": "add", "content": "5"}]
    assert client.chat.completions.create(messages=messages, **asked).choices[0].message.content == "five"
    assert list(upstream.asked[1].outputs.values()) == ["5"]


def test_the_demo(tmp_path: Path) -> None:
    """The demo's own process, found by what it prints."""
    command = [sys.executable, "-m", "wireloom", "serve", "--backend", "demo", "--port", "0", "--no-auth"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "listening on" in line)
            client = OpenAI(base_url=f"{line.split()[-1]}/v1", api_key="none", max_retries=0)
            found = client.chat.completions.create(model="demo", messages=HELLO)
            with client.chat.completions.stream(model="demo", messages=HELLO, tools=[ADD]) as stream:
                final = stream.get_final_completion()
        finally:
            process.terminate()
    assert found.choices[0].message.content == "You said: hello"
    made = (final.choices[0].message.tool_calls or [])[0]
    assert made.function.name == "add"
