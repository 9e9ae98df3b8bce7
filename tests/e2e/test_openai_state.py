"""The official Python SDK on what is stored: responses, their input, conversations and their items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import ToolCall, Turn
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

OTHER_KEY = "key-of-another"
ADD: Any = {
    "type": "function",
    "name": "add",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    "strict": True,
}


@pytest.fixture(scope="module")
def shared_gateway(chat_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with two keys."""
    home = tmp_path_factory.mktemp("shared")
    with Gateway(chat_server.base_url, home, "--token", f"other={OTHER_KEY}", api_key=API_KEY) as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr


@pytest.fixture
def upstream(chat_server: ChatServer) -> Iterator[ChatServer]:
    chat_server.play([])
    yield chat_server
    chat_server.verify()


@pytest.fixture
def client(shared_gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=shared_gateway.base_url, api_key=shared_gateway.token, max_retries=0, timeout=60
    ) as client:
        yield client


@pytest.fixture
def other(client: OpenAI) -> OpenAI:
    return client.with_options(api_key=OTHER_KEY)


def user(text: str) -> Any:
    return {"type": "message", "role": "user", "content": text}


def texts(items: Iterable[BaseModel]) -> list[str]:
    """The first text of each message."""
    known = [item.model_dump() for item in items]
    return [item["content"][0]["text"] for item in known if item["type"] == "message"]


# -- responses -------------------------------------------------------------------------------------------------------


def test_retrieve_and_delete(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(reasoning="two and two", text="four")])
    made = client.responses.create(model=MODEL, input="two and two?", metadata={"topic": "sums"})
    found = client.responses.retrieve(made.id, include=["reasoning.encrypted_content"])
    assert found.model_dump() == made.model_dump()
    assert (found.output_text, found.metadata) == ("four", {"topic": "sums"})
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve(made.id)
    assert caught.value.code == "not_found"


def test_a_stored_response_is_not_streamed(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(text="four")])
    made = client.responses.create(model=MODEL, input="two and two?")
    assert client.responses.retrieve(made.id, stream=False).output_text == "four"
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.retrieve(made.id, stream=True)
    assert (caught.value.param, caught.value.code) == ("stream", "unsupported_parameter")


def test_turns_by_previous_response_id(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(tool_calls=[ToolCall("call_1", "add", "{}")]), Turn(text="Five.")])
    first = client.responses.create(model=MODEL, input="Add them.", tools=[ADD])
    second = client.responses.create(
        model=MODEL,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": "call_1", "output": "5"}],
        tools=[ADD],
    )
    assert (second.output_text, second.previous_response_id) == ("Five.", first.id)
    roles = [message["role"] for message in upstream.chats[1].messages]
    assert roles == ["user", "assistant", "tool"]
    items = list(client.responses.input_items.list(second.id, order="asc"))
    assert [item.type for item in items] == ["message", "function_call", "function_call_output"]


def test_pages_of_input_items(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(text="done")])
    made = client.responses.create(model=MODEL, input=[user(f"text {number}") for number in range(7)])
    listed = client.responses.input_items.list(
        made.id, limit=3, order="asc", include=["file_search_call.results"]
    )
    assert texts(listed) == [f"text {number}" for number in range(7)]
    assert texts(client.responses.input_items.list(made.id))[0] == "text 6"


def test_input_tokens(client: OpenAI) -> None:
    few = client.responses.input_tokens.count(model=MODEL, input="two")
    many = client.responses.input_tokens.count(
        model=MODEL, input="two " * 100, tools=[ADD], instructions="Be brief."
    )
    assert 0 < few.input_tokens < many.input_tokens
    assert few.object == "response.input_tokens"


def test_compact(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(text="They added two and two."), Turn(text="four")])
    compacted = client.responses.compact(model=MODEL, input=[user("two and two?")])
    assert [item.type for item in compacted.output] == ["compaction"]
    again: Any = [item.model_dump(exclude_none=True) for item in compacted.output]
    answer = client.responses.create(model=MODEL, input=[*again, user("What came out?")])
    assert answer.output_text == "four"
    said = " ".join(text for role in ("system", "user") for text in upstream.chats[1].texts(role))
    assert "They added two and two." in said


# -- conversations ---------------------------------------------------------------------------------------------------


def test_a_conversation(upstream: ChatServer, client: OpenAI) -> None:
    upstream.play([Turn(text="Hello, Ada."), Turn(text="Ada.")])
    conversation = client.conversations.create(metadata={"topic": "names"}, items=[user("I am Ada.")])
    client.responses.create(model=MODEL, conversation=conversation.id, input="Hello.")
    second = client.responses.create(model=MODEL, conversation={"id": conversation.id}, input="Who am I?")
    assert second.conversation is not None
    assert second.conversation.id == conversation.id
    assert upstream.chats[1].texts("user") == ["I am Ada.", "Hello.", "Who am I?"]
    items = list(client.conversations.items.list(conversation.id, order="asc", limit=2))
    assert texts(items) == ["I am Ada.", "Hello.", "Hello, Ada.", "Who am I?", "Ada."]
    renamed = client.conversations.update(conversation.id, metadata={"topic": "people"})
    assert client.conversations.retrieve(conversation.id) == renamed
    assert renamed.metadata == {"topic": "people"}
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.list(conversation.id)


def test_items_of_a_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create()
    call: Any = {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"}
    added = client.conversations.items.create(conversation.id, items=[user("Add them."), call])
    assert [item.type for item in added.data] == ["message", "function_call"]
    name = added.data[1].id
    assert name is not None
    assert client.conversations.items.retrieve(name, conversation_id=conversation.id) == added.data[1]
    assert client.conversations.items.delete(name, conversation_id=conversation.id).id == conversation.id
    left = client.conversations.items.list(conversation.id).data
    assert [item.id for item in left] == [added.data[0].id]
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(name, conversation_id=conversation.id)


# -- another key -----------------------------------------------------------------------------------------------------


def test_another_key_sees_nothing(upstream: ChatServer, client: OpenAI, other: OpenAI) -> None:
    upstream.play([Turn(text="four")])
    made = client.responses.create(model=MODEL, input="two and two?")
    conversation = client.conversations.create(items=[user("mine")])
    asks = (
        lambda: other.responses.retrieve(made.id),
        lambda: other.responses.delete(made.id),
        lambda: other.responses.input_items.list(made.id),
        lambda: other.conversations.retrieve(conversation.id),
        lambda: other.conversations.items.list(conversation.id),
        lambda: other.conversations.delete(conversation.id),
    )
    for ask in asks:
        with pytest.raises(openai.NotFoundError):
            ask()
    with pytest.raises(openai.BadRequestError) as caught:
        other.responses.create(model=MODEL, input="sure?", previous_response_id=made.id)
    assert caught.value.code == "previous_response_not_found"
    assert client.responses.retrieve(made.id).output_text == "four"
    assert client.conversations.retrieve(conversation.id).id == conversation.id
