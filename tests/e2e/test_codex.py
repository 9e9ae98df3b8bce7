"""The real Codex CLI in front of the gateway, a scripted Chat Completions upstream behind it."""

import json
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import mcp_server
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import Json, ToolCall, Turn, Usage, call
from tests.support.codex import Codex
from tests.support.gateway import Gateway
from tests.support.tap import Tap

pytestmark = pytest.mark.e2e

MCP = {"tiny": [sys.executable, mcp_server.__file__]}
PATCH = "*** Begin Patch\n*** Add File: made.txt\n+first line\n+second line\n*** End Patch\n"


@pytest.fixture
def codex(tmp_path: Path, gateway: Gateway) -> Codex:
    """Return a CLI that knows nothing of the model, as with the shortest configuration."""
    return Codex(tmp_path, gateway.base_url, gateway.token, MODEL)


@pytest.fixture
def informed_codex(tmp_path: Path, gateway: Gateway) -> Codex:
    """Return a CLI that fetches the model's metadata from the gateway."""
    return Codex(tmp_path, gateway.base_url, gateway.token, MODEL, catalog=True)


@pytest.fixture
def tap(gateway: Gateway) -> Iterator[Tap]:
    with Tap(gateway.base_url) as tap:
        yield tap


def shell(call_id: str, command: str) -> ToolCall:
    return call(call_id, "exec_command", cmd=command)


def squeezed(texts: list[str]) -> str:
    """Return all texts in order without white space, so that joints between messages do not count."""
    return "".join("".join(texts).split())


def test_plain_prompt(upstream: ChatServer, codex: Codex) -> None:
    upstream.play([Turn(text="the answer is four", usage=Usage(120, 30, cached=100, reasoning=20))])
    run = codex.run("what is two and two?")
    assert (run.exit_code, run.last_message) == (0, "the answer is four"), run.report
    assert upstream.chats[0].texts("user")[-1] == "what is two and two?"
    assert upstream.chats[0].body["model"] == MODEL
    assert run.usage["input_tokens"] == 120
    assert run.usage["cached_input_tokens"] == 100
    assert run.usage["output_tokens"] == 30
    assert run.usage["reasoning_output_tokens"] == 20


def test_metadata_comes_from_the_gateway(upstream: ChatServer, informed_codex: Codex) -> None:
    upstream.play([Turn(text="ready")])
    run = informed_codex.run("hello")
    assert (run.exit_code, run.last_message) == (0, "ready"), run.report
    assert run.items("error") == []


def test_shell_command_runs_and_its_output_returns(upstream: ChatServer, codex: Codex) -> None:
    upstream.play([Turn(tool_calls=[shell("call_1", "echo $((6 * 7))-made")]), Turn(text="seen")])
    run = codex.run("run it")
    assert (run.exit_code, run.last_message) == (0, "seen"), run.report
    assert [item["aggregated_output"] for item in run.items("command_execution")] == ["42-made\n"]
    assert "42-made" in upstream.chats[1].outputs["call_1"]


def test_parallel_calls_of_one_response(upstream: ChatServer, codex: Codex) -> None:
    calls = [shell("call_a", "echo $((1 + 1))-first"), shell("call_b", "echo $((2 + 2))-second")]
    upstream.play([Turn(text="two at once", tool_calls=calls, interleave=True), Turn(text="both seen")])
    run = codex.run("run both")
    assert (run.exit_code, run.last_message) == (0, "both seen"), run.report
    (assistant,) = (message for message in upstream.chats[1].messages if message["role"] == "assistant")
    assert [made["id"] for made in assistant["tool_calls"]] == ["call_a", "call_b"]
    outputs = upstream.chats[1].outputs
    assert "2-first" in outputs["call_a"]
    assert "4-second" in outputs["call_b"]


@pytest.mark.parametrize("field", ["input", "patch"])
def test_apply_patch_writes_the_file(field: str, upstream: ChatServer, informed_codex: Codex) -> None:
    upstream.play([Turn(tool_calls=[call("call_p", "apply_patch", **{field: PATCH})]), Turn(text="patched")])
    run = informed_codex.run("make the file")
    assert "apply_patch" in upstream.chats[0].tool_names
    assert (run.exit_code, run.last_message) == (0, "patched"), run.report
    made = informed_codex.workspace / "made.txt"
    assert made.is_file(), upstream.chats[1].outputs
    assert made.read_text() == "first line\nsecond line\n"
    assert "made.txt" in upstream.chats[1].outputs["call_p"]


@pytest.mark.parametrize("catalog", [False, True], ids=["unknown-model", "catalog"])
def test_mcp_tools(catalog: bool, upstream: ChatServer, gateway: Gateway, tmp_path: Path) -> None:
    def script(body: Json) -> Turn:
        names = [tool["function"]["name"] for tool in body["tools"]]
        done = sum(message["role"] == "tool" for message in body["messages"])
        if done == 2:
            return Turn(text="five and a dot")
        (name,) = (name for name in names if re.search(r"tiny.*" + ("add", "picture")[done], name))
        arguments = ('{"a": 2, "b": 3}', "{}")[done]
        return Turn(tool_calls=[ToolCall(f"call_{done}", name, arguments)])

    upstream.play(script)
    codex = Codex(tmp_path, gateway.base_url, gateway.token, MODEL, catalog=catalog, mcp_servers=MCP)
    run = codex.run("add, then show")
    assert (run.exit_code, run.last_message) == (0, "five and a dot"), run.report
    calls = [(item["server"], item["tool"], item["status"]) for item in run.items("mcp_tool_call")]
    assert calls == [("tiny", "add", "completed"), ("tiny", "picture", "completed")]
    outputs = upstream.chats[2].outputs
    assert "5" in outputs["call_0"]
    assert "a red dot" in outputs["call_1"]
    assert mcp_server.RED_DOT not in json.dumps(outputs)
    assert upstream.chats[2].image_urls == [f"data:image/png;base64,{mcp_server.RED_DOT}"]


def test_image_input(upstream: ChatServer, codex: Codex) -> None:
    picture = codex.workspace / "red.png"
    picture.write_bytes(png(255, 0, 0))
    upstream.play([Turn(text="red")])
    run = codex.run("which colour?", f"--image={picture}")
    assert (run.exit_code, run.last_message) == (0, "red"), run.report
    (url,) = upstream.chats[0].image_urls
    assert url.startswith("data:image/png;base64,iVBORw0KGgo")


def test_output_schema(upstream: ChatServer, codex: Codex) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"type": "string"}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    (codex.workspace / "schema.json").write_text(json.dumps(schema))
    upstream.play([Turn(text='{"colour": "red"}')])
    run = codex.run("which colour?", "--output-schema=schema.json")
    assert (run.exit_code, run.last_message) == (0, '{"colour": "red"}'), run.report
    wanted = upstream.chats[0].body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"] == schema
    assert wanted["json_schema"]["strict"] is True


def test_resume_replays_the_history(upstream: ChatServer, codex: Codex) -> None:
    upstream.play(
        [
            Turn(tool_calls=[shell("call_1", "echo $((40 + 4))-kept")]),
            Turn(text="first answer"),
            Turn(text="second answer"),
        ]
    )
    first, second = codex.run("first question"), codex.resume("second question")
    assert (first.exit_code, first.last_message) == (0, "first answer"), first.report
    assert (second.exit_code, second.last_message) == (0, "second answer"), second.report
    last = upstream.chats[2]
    assert [text for text in last.texts("user") if text.endswith("question")] == [
        "first question",
        "second question",
    ]
    assert "44-kept" in last.outputs["call_1"]
    assert "first answer" in last.texts("assistant")


THINKING = (
    Turn(reasoning="first I look around", tool_calls=[shell("call_1", "true")]),
    Turn(reasoning="then I answer", text="done"),
)


def test_reasoning_is_shown(upstream: ChatServer, codex: Codex) -> None:
    upstream.play(THINKING)
    run = codex.run("think")
    assert (run.exit_code, run.last_message) == (0, "done"), run.report
    assert [item["text"] for item in run.items("reasoning")] == ["first I look around", "then I answer"]


def test_reasoning_returns_to_a_provider_that_wants_it(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play(THINKING)
    flags = ("--provider", "deepseek")
    with Gateway(upstream.base_url, tmp_path, *flags, api_key=API_KEY) as gateway:
        run = Codex(tmp_path / "codex", gateway.base_url, gateway.token, MODEL).run("think")
    assert (run.exit_code, run.last_message) == (0, "done"), run.report
    (assistant,) = (message for message in upstream.chats[1].messages if message["role"] == "assistant")
    assert assistant["reasoning_content"] == "first I look around"


def test_no_instruction_is_lost(upstream: ChatServer, gateway: Gateway, tap: Tap, tmp_path: Path) -> None:
    upstream.play([Turn(text="one"), Turn(text="two")])
    codex = Codex(tmp_path, tap.base_url, gateway.token, MODEL)
    (codex.workspace / "AGENTS.md").write_text("Always answer in one word.")
    first, second = codex.run("first"), codex.resume("second")
    assert (first.exit_code, second.exit_code) == (0, 0), first.report + second.report
    sent = tap.posts("/responses")
    assert len(sent) == len(upstream.chats) == 2
    for passage, exchange in zip(sent, upstream.chats, strict=True):
        instructions = squeezed(passage.texts("developer", "system"))
        assert len(instructions) > 10_000
        assert squeezed(exchange.texts("system")) == instructions
        assert squeezed(exchange.texts("user")) == squeezed(passage.texts("user"))
    assert "Always answer in one word." in "".join(upstream.chats[1].texts("user"))


def test_refusal_is_shown(upstream: ChatServer, codex: Codex) -> None:
    upstream.play([Turn(refusal="that I will not do")])
    run = codex.run("do it")
    assert (run.exit_code, run.last_message) == (0, "that I will not do"), run.report


def test_length_limit_is_reported_once(upstream: ChatServer, codex: Codex) -> None:
    upstream.play([Turn(text="it goes on and", finish_reason="length")])
    run = codex.run("tell all")
    assert run.exit_code != 0, run.report
    assert "max_output_tokens" in run.failure


def png(red: int, green: int, blue: int, size: int = 8) -> bytes:
    """Return a square picture of ``size`` pixels in one colour."""
    row = b"\x00" + bytes((red, green, blue)) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(row * size)), (b"IEND", b"")]
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)
