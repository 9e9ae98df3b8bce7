"""The official Node SDK in front of the gateway, a scripted Chat Completions upstream behind it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_roads import ROADS, Refused, Said, called, road
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import ToolCall, Turn, Usage, call, failure
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

SCRIPTS = Path(__file__).parent / "node"
SCRIPT_SECONDS = 120


def run_node(script: str, gateway: Gateway) -> Any:
    """Return the JSON value that a script in ``SCRIPTS`` reports."""
    node = shutil.which("node")
    if node is None or not (SCRIPTS / "node_modules" / "openai").is_dir():
        pytest.fail("no Node SDK: install node and run `npm ci` in tests/e2e/node")
    environment = {
        "PATH": os.environ["PATH"],
        "BASE_URL": gateway.base_url,
        "API_KEY": gateway.token,
        "MODEL": MODEL,
    }
    done = subprocess.run(
        [node, SCRIPTS / script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SCRIPT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_create(upstream: ChatServer, gateway: Gateway) -> None:
    upstream.play([Turn(text="four", usage=Usage(120, 30, cached=100, reasoning=20))])
    result = run_node("create.mjs", gateway)
    assert (result["status"], result["text"]) == ("completed", "four")
    usage = result["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (120, 30, 150)
    assert usage["input_tokens_details"]["cached_tokens"] == 100
    assert usage["output_tokens_details"]["reasoning_tokens"] == 20
    assert upstream.chats[0].texts("system") == ["Be brief."]


def test_stream_helper(upstream: ChatServer, gateway: Gateway) -> None:
    text = "a sentence that takes several deltas: äöü €"
    upstream.play([Turn(reasoning="let me think", text=text)])
    result = run_node("stream.mjs", gateway)
    assert result["text"] == result["final"] == text
    assert [result["types"][0], result["types"][-1]] == ["response.created", "response.completed"]
    assert result["types"].count("response.output_text.delta") > 1
    assert result["usage"]["input_tokens"] == 11


def test_parse(upstream: ChatServer, gateway: Gateway) -> None:
    upstream.play([Turn(text='{"name": "red"}')])
    result = run_node("parse.mjs", gateway)
    assert result["parsed"] == {"name": "red"}
    assert upstream.chats[0].body["response_format"]["json_schema"]["schema"] == result["schema"]


def test_parallel_tools(upstream: ChatServer, gateway: Gateway) -> None:
    calls = [ToolCall("call_1", "add", '{"a": 2, "b": 3}'), ToolCall("call_2", "add", '{"a": 20, "b": 30}')]
    upstream.play([Turn(tool_calls=calls, interleave=True), Turn(text="5 and 50")])
    result = run_node("tools.mjs", gateway)
    assert result == {"calls": [["call_1", "add"], ["call_2", "add"]], "text": "5 and 50"}
    assert upstream.chats[1].texts("tool") == ["5", "50"]


def test_stored_loops(upstream: ChatServer, gateway: Gateway) -> None:
    program = 'weave "4711"'
    upstream.play(
        [
            Turn(tool_calls=[call("call_1", "add", a=2, b=3)]),
            Turn(text="five"),
            Turn(tool_calls=[call("call_2", "loom", input=program)]),
            Turn(text="woven"),
        ]
    )
    result = run_node("loops.mjs", gateway)
    assert result == {
        "sum": "five",
        "program": program,
        "input": program,
        "text": "woven",
        "kinds": ["message", "custom_tool_call", "custom_tool_call_output", "message"],
    }
    _, added, _, woven = upstream.chats
    assert added.outputs == {"call_1": "5"}
    assert woven.outputs == {"call_2": "a cloth"}
    assert "add" not in woven.texts("user")


def test_sealed_reasoning_comes_back(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(reasoning="first I look", text="one"), Turn(text="two")])
    with Gateway(upstream.base_url, tmp_path, "--provider", "deepseek", api_key=API_KEY) as gateway:
        result = run_node("reasoning.mjs", gateway)
    assert result == {"types": ["reasoning", "message"], "text": "two"}
    (assistant,) = (message for message in upstream.chats[1].messages if message["role"] == "assistant")
    assert assistant["reasoning_content"] == "first I look"


def test_parse_without_schemas_upstream(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text='{"name": "red"}')])
    with Gateway(upstream.base_url, tmp_path, "--provider", "deepseek", api_key=API_KEY) as gateway:
        result = run_node("parse.mjs", gateway)
    assert result["parsed"] == {"name": "red"}
    assert upstream.chats[0].body["response_format"] == {"type": "json_object"}
    assert '"name"' in "".join(upstream.chats[0].texts("system"))


def test_rate_limit(upstream: ChatServer, gateway: Gateway) -> None:
    limit = failure(429, "slow down", code="rate_limit_exceeded", headers={"retry-after": "7"})
    upstream.play([limit, limit])
    expected = ["RateLimitError", 429, "rate_limit_exceeded", "7"]
    assert run_node("errors.mjs", gateway) == [expected, expected]


@pytest.mark.parametrize("kind", ROADS)
def test_the_chat_face(kind: str, tmp_path: Path) -> None:
    text = "a sentence that takes several deltas: äöü €"
    both = [called("call_1", "add", a=2, b=3), called("call_2", "add", a=20, b=30)]
    limit = Refused(429, "rate_limit_exceeded", headers={"retry-after": "7"})
    with road(kind, tmp_path) as way:
        way.play(
            Said(text="four"),
            Said(text=text, thought="let me think"),
            Said(text=text),
            Said(text='{"name": "red"}'),
            *(Said(calls=both), Said(text="5 and 50")) * 2,
            *(limit, limit),
        )
        result = run_node("chat.mjs", way.gateway)
        asked = way.asked
        way.server.verify()
    assert result == {
        "whole": {"text": "four", "total": 18, "model": MODEL},
        "streamed": {"text": text, "total": 18},
        "helper": {"heard": text, "text": text, "finish": "stop"},
        "parsed": {"name": "red"},
        "loop": "5 and 50",
        "streamedLoop": "5 and 50",
        "added": [[2, 3], [20, 30]] * 2,
        "errors": [["RateLimitError", 429, "rate_limit_exceeded", "7"]] * 2,
    }
    assert asked[5].outputs == asked[7].outputs == {"call_1": "5", "call_2": "50"}
