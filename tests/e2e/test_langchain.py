"""LangChain's ChatOpenAI on both faces, before each kind of upstream."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from tests.support.chat_roads import ROADS, Road, Said, called, road
from tests.support.responses_server import MODEL

pytestmark = pytest.mark.e2e

FACES = pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])


class Colour(BaseModel):
    """A colour."""

    name: str
    parts: list[int]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture(scope="module", params=ROADS)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    with road(request.param, tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def upstream(way: Road) -> Iterator[Road]:
    way.play()
    yield way
    way.server.verify()


def model(way: Road, responses: bool, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=MODEL,
        base_url=way.gateway.base_url,
        api_key=SecretStr(way.gateway.token),
        max_retries=0,
        use_responses_api=responses,
        stream_usage=True,
        **options,
    )


def added(chunks: Iterator[AIMessageChunk]) -> AIMessageChunk:
    """Return the sum of chunks, as LangChain makes it."""
    first, *rest = chunks
    return sum(rest, first)


@FACES
def test_invoke(responses: bool, upstream: Road) -> None:
    upstream.play(Said(text="four", thought="two and two"))
    found = model(upstream, responses, temperature=0.5, max_completion_tokens=64).invoke(
        [SystemMessage("Be brief."), HumanMessage("two and two?")]
    )
    assert found.text == "four"
    assert found.usage_metadata is not None
    assert (found.usage_metadata["input_tokens"], found.usage_metadata["total_tokens"]) == (11, 18)
    assert found.usage_metadata["output_token_details"]["reasoning"] == 3
    assert found.response_metadata["model_name"] == MODEL
    assert upstream.asked[0].body["temperature"] == 0.5


@FACES
def test_stream(responses: bool, upstream: Road) -> None:
    text = "a sentence that takes several deltas: äöü €"
    upstream.play(Said(text=text, thought="let me think"))
    chunks = list(model(upstream, responses).stream("talk"))
    assert "".join(chunk.text for chunk in chunks) == text
    assert len([chunk for chunk in chunks if chunk.text]) > 1
    whole = added(iter(chunks))
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == 18


@FACES
@pytest.mark.parametrize("stream", [False, True], ids=["invoke", "stream"])
def test_a_loop_of_tools(stream: bool, responses: bool, upstream: Road) -> None:
    upstream.play(
        Said(text="Let me.", calls=[called("call_1", "add", a=2, b=3), called("call_2", "add", a=20, b=30)]),
        Said(text="5 and 50"),
    )
    bound = model(upstream, responses).bind_tools([add])
    messages: list[BaseMessage] = [HumanMessage("add them")]

    def turn() -> AIMessage:
        if not stream:
            return bound.invoke(messages)
        chunks: Any = bound.stream(messages)
        return added(chunks)

    first = turn()
    assert [(each["id"], each["name"], each["args"]) for each in first.tool_calls] == [
        ("call_1", "add", {"a": 2, "b": 3}),
        ("call_2", "add", {"a": 20, "b": 30}),
    ]
    messages.append(first)
    messages += [add.invoke(each) for each in first.tool_calls]
    assert all(isinstance(each, ToolMessage) for each in messages[2:])
    assert turn().text == "5 and 50"
    assert upstream.asked[1].outputs == {"call_1": "5", "call_2": "50"}


@FACES
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(method: Any, responses: bool, upstream: Road) -> None:
    value = {"name": "red", "parts": [255, 0, 0]}
    upstream.play(
        Said(calls=[called("call_1", "Colour", **value)])
        if method == "function_calling"
        else Said(text=json.dumps(value))
    )
    found = model(upstream, responses).with_structured_output(Colour, method=method).invoke("a colour")
    assert found == Colour(name="red", parts=[255, 0, 0])


@FACES
def test_a_picture(responses: bool, upstream: Road) -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    upstream.play(Said(text="A dot."))
    content: Any = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert model(upstream, responses).invoke([HumanMessage(content)]).text == "A dot."
    assert upstream.asked[0].pictures == [url]
