"""The scripted upstream and the tap do what the end-to-end tests take for granted."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.chat_rules import Rules, problems
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import Json, ToolCall, Turn, failure
from tests.support.tap import Tap

USER: Json = {"role": "user", "content": "hello"}
CALL: Json = ToolCall("call_1", "add", "{}").as_json()
ASKS: Json = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ANSWER: Json = {"role": "tool", "tool_call_id": "call_1", "content": "5"}
TOOL: Json = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def body(*messages: Json, **fields: Any) -> Json:
    return {"model": MODEL, "messages": list(messages) or [USER], **fields}


def tool(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


GOOD = [
    body(),
    body(USER, ASKS, ANSWER, USER, tools=[TOOL], tool_choice="required", parallel_tool_calls=True),
    body({"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, USER),
    body(
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}
    ),
    body(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "add"}}),
    body(stream=True, stream_options={"include_usage": True}),
]
BAD = {
    "model": {"messages": [USER]},
    "messages": {"model": MODEL, "messages": []},
    "input": body(input="hello"),
    "temperature": body(temperature=None),
    "stream_options": body(stream_options={"include_usage": True}),
    "tool_choice": body(tool_choice="auto"),
    "messages[0].role": body({"role": "developer", "content": "Be brief."}),
    "messages[0].content": body({"role": "user", "content": ""}),
    "messages[0].content[0].type": body(
        {"role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    ),
    "messages[0].content[0].text": body({"role": "user", "content": [{"type": "text", "text": ""}]}),
    "messages[0].content[0].image_url": body(
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": ""}}]}
    ),
    "messages[0].tool_call_id": body(ANSWER),
    "messages[2]": body(USER, ASKS, USER),
    "messages[3].tool_call_id": body(USER, ASKS, ANSWER, ANSWER),
    "messages[1].content": body(USER, {"role": "assistant", "content": None}),
    "tools[0]": body(tools=[{"type": "custom", "custom": {"name": "patch"}}]),
    "tools[0].function.name": body(tools=[tool("mcp.add")]),
    "tools[1].function.name": body(tools=[tool("add"), tool("add")]),
    "tools[0].function.parameters": body(
        tools=[{"type": "function", "function": {"name": "a", "parameters": {}}}]
    ),
    "response_format.type": body(response_format={"type": "grammar"}),
    "response_format.json_schema.name": body(
        response_format={"type": "json_schema", "json_schema": {"name": "", "schema": {}}}
    ),
}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer([]) as server:
        yield server


@pytest.fixture
def client(server: ChatServer) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {API_KEY}"}
    with httpx.Client(base_url=server.base_url, headers=headers, timeout=30) as client:
        yield client


def events(response: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


@pytest.mark.parametrize("request_body", GOOD)
def test_good_requests_have_no_problems(request_body: Json) -> None:
    assert list(problems(request_body, Rules())) == []


@pytest.mark.parametrize("param", BAD)
def test_bad_requests_are_refused_by_name(param: str, server: ChatServer, client: httpx.Client) -> None:
    response = client.post("/chat/completions", json=BAD[param])
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    with pytest.raises(AssertionError, match="the upstream complained"):
        server.verify()


def test_whole_and_streamed_answers_agree(server: ChatServer, client: httpx.Client) -> None:
    calls = [ToolCall("call_1", "add", '{"a": 1, "b": 2}'), ToolCall("call_2", "add", '{"a": 3, "b": 4}')]
    turn = Turn(text="a longer sentence", reasoning="because", tool_calls=calls, interleave=True)
    server.play([turn, turn])
    whole = client.post("/chat/completions", json=body()).json()
    stream = body(stream=True, stream_options={"include_usage": True})
    *chunks, done = events(client.post("/chat/completions", json=stream))
    assert done == "[DONE]"
    assert chunks[-1]["usage"] == whole["usage"]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    message = whole["choices"][0]["message"]
    for name in ("content", "reasoning_content"):
        assert "".join(delta.get(name, "") for delta in deltas) == message[name]
    fragments = [fragment for delta in deltas for fragment in delta.get("tool_calls", [])]
    assert [fragment["index"] for fragment in fragments[:4]] == [0, 1, 0, 1]
    for index, call in enumerate(message["tool_calls"]):
        pieces = [fragment["function"]["arguments"] for fragment in fragments if fragment["index"] == index]
        assert "".join(pieces) == call["function"]["arguments"]
    server.verify()


def test_errors_and_torn_streams(server: ChatServer, client: httpx.Client) -> None:
    refused = failure(429, "slow down", code="rate_limit_exceeded", headers={"retry-after": "7"})
    server.play([refused, Turn(text="half", ending="reset"), Turn(text="half", ending="cut")])
    response = client.post("/chat/completions", json=body())
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/chat/completions", json=body(stream=True))
    assert "[DONE]" not in events(client.post("/chat/completions", json=body(stream=True)))
    server.verify()


def test_a_client_that_leaves_is_noticed(server: ChatServer, client: httpx.Client) -> None:
    server.play([Turn(text="half", held=True), Turn(text="whole")])
    with client.stream("POST", "/chat/completions", json=body(stream=True)) as response:
        lines = response.iter_lines()
        assert next(lines).startswith("data: ")
        assert not server.wait_for(1).ended.is_set()
    assert server.wait_for(1).ended.wait(30)
    client.post("/chat/completions", json=body())
    assert [exchange.closed_early for exchange in server.chats] == [True, False]


def test_a_held_answer_ends_when_it_is_released(server: ChatServer, client: httpx.Client) -> None:
    server.play([Turn(text="whole", delta_chars=1, held=True)])
    with client.stream("POST", "/chat/completions", json=body(stream=True)) as response:
        lines = response.iter_lines()
        while '"e"' not in next(lines):
            assert not server.wait_for(1).ended.is_set()
        server.release()
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert not server.wait_for(1).closed_early


def test_unplayed_replies_and_wrong_keys_are_reported(server: ChatServer, client: httpx.Client) -> None:
    server.play([Turn(text="never asked for")])
    with pytest.raises(AssertionError, match="1 upstream replies"):
        server.verify()
    response = client.get("/models", headers={"authorization": "Bearer wrong"})
    assert response.status_code == 401
    assert [model["id"] for model in client.get("/models").json()["data"]] == [MODEL]


def test_tap_passes_everything_on(server: ChatServer) -> None:
    server.play([Turn(text="one"), Turn(text="two")])
    headers = {"authorization": f"Bearer {API_KEY}"}
    with Tap(server.base_url) as tap, httpx.Client(base_url=tap.base_url, headers=headers) as client:
        answers = [client.post("/chat/completions", json=body(user=name)) for name in ("first", "second")]
    assert [answer.json()["choices"][0]["message"]["content"] for answer in answers] == ["one", "two"]
    assert [passage.body["user"] for passage in tap.posts("/chat/completions")] == ["first", "second"]
    for passage, answer in zip(tap.passages, answers, strict=True):
        assert passage.answer.endswith(answer.content)


def test_runs_as_a_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.chat_server", "--port", "0"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1/chat/completions"
        headers = {"authorization": f"Bearer {API_KEY}"}
        answer = httpx.post(url, json=body(), headers=headers, timeout=30).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert answer["choices"][0]["message"]["content"] == "echo: hello"
