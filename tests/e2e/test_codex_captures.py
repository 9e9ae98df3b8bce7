"""Each captured request of the Codex CLI, posted to a real gateway, reaches the upstream with nothing missing."""

import json
from typing import Any

import httpx
import pytest

from tests.support import carried
from tests.support.captures import CAPTURES, Capture
from tests.support.chat_server import ChatServer, Exchange
from tests.support.chat_turns import ToolCall, Turn
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

Json = dict[str, Any]
BY_NAME = {capture.name: capture for capture in CAPTURES}
FRAMES = [BY_NAME[f"websocket-{name}"] for name in ("1-warmup", "2-turn", "3-tool-output")]
TRIGGER, SUMMED_UP = BY_NAME["compaction-remote-2-trigger"], BY_NAME["compaction-remote-3-after"]
ALONE = [capture for capture in CAPTURES if capture not in (*FRAMES, TRIGGER, SUMMED_UP)]
# Headers of a connection, and those that the gateway of a test has another value for.
OWN = {"authorization", "connection", "content-type", "host", "upgrade"}
SECONDS = 60


def post(gateway: Gateway, capture: Capture, body: Json) -> Json:
    """Post a body as the CLI does; return the response that the stream ends with."""
    kept = {
        name: value
        for name, value in capture.headers.items()
        if name.lower() not in OWN and not name.lower().startswith("sec-websocket")
    }
    headers = {**kept, "authorization": f"Bearer {gateway.token}"}
    answer = httpx.post(f"{gateway.base_url}/responses", json=body, headers=headers, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert events[-1]["type"] == "response.completed", events[-1]
    response: Json = events[-1]["response"]
    return response


def missing(capture: Capture, exchange: Exchange, opened: dict[str, str] | None = None) -> list[str]:
    return carried.missing(capture.body, exchange.body, opened)


@pytest.mark.parametrize("capture", ALONE, ids=lambda capture: capture.name)
def test_nothing_is_missing(capture: Capture, gateway: Gateway, upstream: ChatServer) -> None:
    upstream.play([Turn(text="ok")])
    post(gateway, capture, capture.body)
    (exchange,) = upstream.chats
    expected: list[str] = []
    if capture.name == "reasoning-content-2":
        expected = ["input[4].summary[0].text", "input[4].content[0].text"]
    elif capture.name == "reasoning-encrypted-2":
        expected = ["input[4].summary[0].text"]
    assert missing(capture, exchange) == expected
    assert exchange.body["model"] == capture.body["model"]


def test_a_summary_that_the_gateway_was_asked_for_is_told_when_it_comes_back(
    gateway: Gateway, upstream: ChatServer
) -> None:
    upstream.play([Turn(text="They agreed on everything."), Turn(text="ok")])
    (summary,) = post(gateway, TRIGGER, TRIGGER.body)["output"]
    assert summary["type"] == "compaction"
    # The conversation is told; a model that sums it up calls no tools.
    without_tools = {name: value for name, value in TRIGGER.body.items() if name != "tools"}
    assert carried.missing(without_tools, upstream.chats[0].body) == []
    assert upstream.chats[0].tool_names == []
    *before, foreign = SUMMED_UP.body["input"]
    after = {**SUMMED_UP.body, "input": [*before, {**foreign, **summary}]}
    post(gateway, SUMMED_UP, after)
    sealed = {foreign["encrypted_content"]: "They agreed on everything."}
    assert missing(SUMMED_UP, upstream.chats[1], sealed) == []


def test_frames_that_go_on_from_each_other_are_told_together(gateway: Gateway, upstream: ChatServer) -> None:
    (output,) = FRAMES[2].body["input"]
    run = ToolCall(output["call_id"], "exec_command", '{"cmd":"echo ws"}')
    upstream.play([Turn(text="ready"), Turn(tool_calls=[run]), Turn(text="ok")])
    previous: Json = {}
    for frame in FRAMES:
        previous = {
            "previous_response_id": post(gateway, frame, {**frame.body, **previous, "store": True})["id"]
        }
    whole = {**FRAMES[2].body, "input": [item for frame in FRAMES for item in frame.body["input"]]}
    assert carried.missing(whole, upstream.chats[2].body) == []
    assert upstream.chats[2].messages[-2]["tool_calls"] == [run.as_json()]
    assert upstream.chats[2].messages[-1]["tool_call_id"] == output["call_id"]


def test_every_capture_is_posted() -> None:
    assert len(ALONE) + len(FRAMES) + 2 == len(CAPTURES) == 33
