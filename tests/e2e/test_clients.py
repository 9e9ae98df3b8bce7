"""Clients that people use: LangChain on both faces, and what Open WebUI sends, before each kind of backend."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from tests.support import responses_turns as r
from tests.support.chat_grammar import check, events
from tests.support.chat_server import API_KEY as CHAT_KEY
from tests.support.chat_server import MODEL as CHAT_MODEL
from tests.support.chat_server import ChatServer
from tests.support.chat_turns import ToolCall, Turn
from tests.support.codex_backend import MODEL, CodexGateway
from tests.support.gateway import Gateway
from tests.support.responses_server import API_KEY, ResponsesServer

pytestmark = pytest.mark.e2e

Json = dict[str, Any]


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sun in {city}"


class Colour(BaseModel):
    """A colour."""

    name: str
    parts: list[int]


class Behind:
    """A gateway with a scripted model somewhere behind it."""

    def __init__(self, gateway: Gateway, server: ChatServer | ResponsesServer, model: str) -> None:
        self.gateway = gateway
        self.server = server
        self.model = model

    def play(self, *turns: tuple[str, list[tuple[str, str, str]]]) -> None:
        """Have the model answer with texts, and with calls of id, name and arguments."""
        if isinstance(self.server, ChatServer):
            self.server.play(
                [Turn(text=text, tool_calls=[ToolCall(*call) for call in calls]) for text, calls in turns]
            )
            return
        answers = []
        for text, calls in turns:
            said = [r.message(text)] if text else []
            made = [r.call(name, given, call_id=i, item_id=f"fc_{i}") for i, name, given in calls]
            answers.append(r.told(*said, *made))
        self.server.play(answers)

    def lang(self, **settings: Any) -> ChatOpenAI:
        """LangChain's client."""
        key = SecretStr(self.gateway.token)
        return ChatOpenAI(
            model=self.model, base_url=self.gateway.base_url, api_key=key, max_retries=0, **settings
        )


@pytest.fixture(scope="module", params=["chat", "responses", "app-server"])
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    root = tmp_path_factory.mktemp(request.param)
    if request.param == "chat":
        with ChatServer([]) as chat, Gateway(chat.base_url, root, api_key=CHAT_KEY) as gateway:
            yield Behind(gateway, chat, CHAT_MODEL)
        return
    with ResponsesServer() as server:
        if request.param == "responses":
            flags = ("--upstream-wire", "responses")
            with Gateway(server.base_url, root, *flags, api_key=API_KEY) as gateway:
                yield Behind(gateway, server, MODEL)
            return
        with CodexGateway("app-server", root, server.base_url) as codex:
            yield Behind(codex, server, MODEL)


@pytest.fixture(params=[False, True], ids=["chat face", "responses face"])
def by_responses(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


# -- LangChain -------------------------------------------------------------------------------------------------------


def test_invoke_and_stream(behind: Behind, by_responses: bool) -> None:
    behind.play(("Hello there", []), ("Hello again", []))
    llm = behind.lang(use_responses_api=by_responses)
    messages = [SystemMessage("Be brief."), HumanMessage("hello")]
    answer = llm.invoke(messages)
    assert answer.text == "Hello there"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] > 0
    pieces = [chunk.text for chunk in llm.stream(messages)]
    assert "".join(pieces) == "Hello again"
    assert len([piece for piece in pieces if piece]) > 1


def test_a_loop_of_tools(behind: Behind, by_responses: bool) -> None:
    calls = [("call_1", "weather", '{"city": "Paris"}'), ("call_2", "weather", '{"city": "Rome"}')]
    behind.play(("", calls), ("Sun everywhere", []))
    llm = behind.lang(use_responses_api=by_responses).bind_tools([weather])
    messages: list[Any] = [HumanMessage("what weather?")]
    answer = llm.invoke(messages)
    assert isinstance(answer, AIMessage)
    assert [call["args"] for call in answer.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
    messages += [
        answer,
        *(ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls),
    ]
    assert llm.invoke(messages).text == "Sun everywhere"


def test_structured_output(behind: Behind, by_responses: bool) -> None:
    behind.play(('{"name": "teal", "parts": [0, 128, 128]}', []))
    llm = behind.lang(use_responses_api=by_responses).with_structured_output(Colour, method="json_schema")
    assert llm.invoke("teal?") == Colour(name="teal", parts=[0, 128, 128])


# -- Open WebUI ------------------------------------------------------------------------------------------------------


def test_the_calls_of_an_open_webui_connection(behind: Behind) -> None:
    """The list of models, a chat that streams with the client's own members, and the title it then asks for."""
    behind.play(("Hello there", []), ('{"title": "Greeting"}', []))
    headers = {
        "authorization": f"Bearer {behind.gateway.token}",
        "content-type": "application/json",
        "x-openwebui-user-name": "Ada",
        "x-openwebui-user-id": "1",
        "x-openwebui-user-role": "user",
    }
    with httpx.Client(base_url=behind.gateway.base_url, headers=headers, timeout=60) as client:
        listed = client.get("/models")
        assert behind.model in [model["id"] for model in listed.json()["data"]]
        chat = {
            "model": behind.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}],
        }
        streamed = client.post("/chat/completions", json=chat)
        title = {
            "model": behind.model,
            "stream": False,
            "max_completion_tokens": 1000,
            "messages": [{"role": "user", "content": "### Task:\nGenerate a concise title as JSON."}],
        }
        titled = client.post("/chat/completions", json=title)
    told = check(events(streamed.text), include_usage=True)
    assert told.text == "Hello there"
    assert told.usage is not None
    assert json.loads(titled.json()["choices"][0]["message"]["content"]) == {"title": "Greeting"}
