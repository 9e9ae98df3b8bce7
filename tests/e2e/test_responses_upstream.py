"""The real Codex CLI and the official Python SDK in front of the gateway, a scripted Responses upstream behind it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import FunctionToolParam
from pydantic import BaseModel

from tests.support.codex import Codex
from tests.support.gateway import Gateway
from tests.support.responses_server import API_KEY, MODEL, ResponsesServer
from tests.support.responses_turns import (
    Json,
    Streamed,
    Whole,
    call,
    custom_call,
    message,
    reasoning,
    response,
    told,
    whole,
)

pytestmark = pytest.mark.e2e

PATCH = "*** Begin Patch\n*** Add File: made.txt\n+first line\n+second line\n*** End Patch\n"
BARE = (".delta", "output_item.done", ".completed")
ADD: FunctionToolParam = {
    "type": "function",
    "name": "add",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    "strict": True,
}


class Colour(BaseModel):
    name: str
    parts: list[int]


@pytest.fixture(scope="module", params=["openai", "generic"], ids=["relayed", "mended"])
def road(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ResponsesServer, Gateway, bool]]:
    """Yield an upstream, a gateway in front of it, and whether answers are mended on the way."""
    home = tmp_path_factory.mktemp("gateway")
    flags = ("--upstream-wire", "responses", "--provider", request.param)
    with ResponsesServer() as server, Gateway(server.base_url, home, *flags, api_key=API_KEY) as gateway:
        yield server, gateway, request.param == "generic"
        assert "Traceback" not in gateway.stderr, gateway.stderr


@pytest.fixture
def upstream(road: tuple[ResponsesServer, Gateway, bool]) -> Iterator[ResponsesServer]:
    server, gateway, _ = road
    logged = len(gateway.stderr)
    server.play([])
    yield server
    print(gateway.stderr[logged:])
    server.verify()


@pytest.fixture
def mended(road: tuple[ResponsesServer, Gateway, bool]) -> bool:
    return road[2]


@pytest.fixture
def codex(tmp_path: Path, road: tuple[ResponsesServer, Gateway, bool]) -> Codex:
    gateway = road[1]
    return Codex(tmp_path, gateway.base_url, gateway.token, MODEL, catalog=True)


@pytest.fixture
def client(road: tuple[ResponsesServer, Gateway, bool]) -> Iterator[OpenAI]:
    gateway = road[1]
    with OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60) as client:
        yield client


def damaged(mended: bool, *items: Json) -> Streamed:
    """A whole stream, or of one that will be mended only deltas and ends."""
    events = whole(*items)
    return Streamed([each for each in events if each["type"].endswith(BARE)] if mended else events)


# -- the Codex CLI -------------------------------------------------------------------------------------------------


def test_codex_prompt(upstream: ResponsesServer, codex: Codex, mended: bool) -> None:
    upstream.play([damaged(mended, message("the answer is four"))])
    run = codex.run("what is two and two?")
    assert (run.exit_code, run.last_message) == (0, "the answer is four"), run.report
    assert run.usage["input_tokens"] == 11
    (asked,) = upstream.asked
    assert (asked["model"], asked["store"]) == (MODEL, False)


def test_codex_runs_commands_and_thinks_on(upstream: ResponsesServer, codex: Codex, mended: bool) -> None:
    command = json.dumps({"cmd": "echo $((6 * 7))-made"})
    upstream.play(
        [
            damaged(mended, reasoning(summary=["hm"], encrypted="secret"), call("exec_command", command)),
            damaged(mended, message("seen")),
        ]
    )
    run = codex.run("run it")
    assert (run.exit_code, run.last_message) == (0, "seen"), run.report
    assert [item["aggregated_output"] for item in run.items("command_execution")] == ["42-made\n"]
    items = upstream.asked[1]["input"]
    (output,) = (item for item in items if item["type"] == "function_call_output")
    assert "42-made" in json.dumps(output)
    thoughts = [item["encrypted_content"] for item in items if item["type"] == "reasoning"]
    assert thoughts == ([] if mended else ["secret"])


def test_codex_patches_files(upstream: ResponsesServer, codex: Codex, mended: bool) -> None:
    patch = call("apply_patch", json.dumps({"input": PATCH})) if mended else custom_call("apply_patch", PATCH)
    upstream.play([damaged(mended, patch), damaged(mended, message("made"))])
    run = codex.run("make a file", "--sandbox", "workspace-write")
    assert (run.exit_code, run.last_message) == (0, "made"), run.report
    assert (codex.workspace / "made.txt").read_text() == "first line\nsecond line\n"
    kinds = {tool.get("name"): tool["type"] for tool in upstream.asked[0]["tools"]}
    assert kinds["apply_patch"] == ("function" if mended else "custom")
    assert not mended or set(kinds.values()) == {"function"}


def test_codex_shows_what_failed(upstream: ResponsesServer, codex: Codex) -> None:
    error = {"code": "invalid_prompt", "message": "Nobody may ask that."}
    upstream.play([Streamed(whole(terminal=response([], "failed", error=error)))])
    run = codex.run("ask")
    assert run.exit_code != 0
    assert "Nobody may ask that." in run.failure, run.report


# -- the SDK -------------------------------------------------------------------------------------------------------


def test_sdk_streams(upstream: ResponsesServer, client: OpenAI, mended: bool) -> None:
    items = (reasoning(summary=["hm"]), message("It is four."), call("add", '{"a":1}'))
    upstream.play([damaged(mended, *items)])
    with client.responses.stream(model=MODEL, input="hi", tools=[ADD]) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == final.output_text == "It is four."
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert final.model == MODEL


def test_sdk_goes_on_from_a_response(upstream: ResponsesServer, client: OpenAI, mended: bool) -> None:
    upstream.play([damaged(mended, message("four")), damaged(mended, message("eight"))])
    first = client.responses.create(model=MODEL, input="two and two?")
    second = client.responses.create(model=MODEL, input="twice?", previous_response_id=first.id)
    assert (first.output_text, second.output_text) == ("four", "eight")
    assert client.responses.retrieve(second.id).output_text == "eight"
    assert [item["role"] for item in upstream.asked[1]["input"]] == ["user", "assistant", "user"]


def test_sdk_parses(upstream: ResponsesServer, client: OpenAI, mended: bool) -> None:
    upstream.play([damaged(mended, message('{"name": "red", "parts": [255, 0, 0]}'))])
    parsed = client.responses.parse(model=MODEL, input="red", text_format=Colour)
    assert parsed.output_parsed == Colour(name="red", parts=[255, 0, 0])
    assert upstream.asked[0]["text"]["format"]["type"] == "json_schema"


def test_sdk_sees_errors_as_they_are(upstream: ResponsesServer, client: OpenAI) -> None:
    error: Any = {"error": {"message": "No such model.", "code": "model_not_found", "param": "model"}}
    upstream.play([Whole(error, 404)])
    with pytest.raises(openai.NotFoundError, match="No such model"):
        client.responses.create(model=MODEL, input="hi", stream=True)


def test_sdk_hears_of_a_cut_stream(upstream: ResponsesServer, client: OpenAI) -> None:
    upstream.play([Streamed(told(message("It is four.")).events[:6], ending="cut")])
    with pytest.raises(openai.APIError, match="ended before"):
        for _ in client.responses.create(model=MODEL, input="hi", stream=True):
            pass
