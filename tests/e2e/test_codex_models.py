"""Models that the Codex CLI knows by name, with all the kinds of tools it gives them."""

import base64
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import mcp_server
from tests.support.chat_server import MODEL, ChatServer
from tests.support.chat_turns import Json, ToolCall, Turn, call
from tests.support.codex import CLASSIC_MODEL, CODE_MODEL, Codex
from tests.support.gateway import Gateway
from tests.support.tap import Tap

pytestmark = pytest.mark.e2e

MCP = {"tiny": [sys.executable, mcp_server.__file__]}
PICTURE = f"data:image/png;base64,{mcp_server.RED_DOT}"
PATCH = '*** Begin Patch\n*** Add File: made.txt\n+first "line"\n+second \\ line\n*** End Patch\n'
MADE = 'first "line"\nsecond \\ line\n'


@pytest.fixture
def tap(mapped_gateway: Gateway) -> Iterator[Tap]:
    with Tap(mapped_gateway.base_url) as tap:
        yield tap


@pytest.fixture
def classic(tmp_path: Path, tap: Tap, mapped_gateway: Gateway) -> Codex:
    return Codex(tmp_path, tap.base_url, mapped_gateway.token, CLASSIC_MODEL, mcp_servers=MCP)


@pytest.fixture
def scripting(tmp_path: Path, tap: Tap, mapped_gateway: Gateway) -> Codex:
    """Return a CLI whose model calls tools from scripts."""
    return Codex(tmp_path, tap.base_url, mapped_gateway.token, CODE_MODEL, mcp_servers=MCP)


def script(call_id: str, source: str) -> ToolCall:
    return call(call_id, "functions-exec", input=source)


def told_items(answer: bytearray) -> list[Any]:
    """Return the finished items in a streamed answer."""
    lines = [line.removeprefix("data: ") for line in answer.decode().splitlines()]
    events = [json.loads(line) for line in lines if line.startswith('{"type":"response.output_item.done"')]
    return [event["item"] for event in events]


class TestClassic:
    """Functions, a custom tool with a grammar, and a search for the tools that are not offered up front."""

    def test_tools_are_offered_and_the_model_is_mapped(self, upstream: ChatServer, classic: Codex) -> None:
        upstream.play([Turn(text="ready")])
        run = classic.run("hello")
        assert (run.exit_code, run.last_message) == (0, "ready"), run.report
        assert run.items("error") == []
        (exchange,) = upstream.chats
        assert exchange.body["model"] == MODEL
        offered = {tool["function"]["name"]: tool["function"] for tool in exchange.body["tools"]}
        assert {"exec_command", "apply_patch", "tool_search", "view_image"} <= offered.keys()
        assert not [name for name in offered if "tiny" in name]
        assert '"*** Begin Patch"' in offered["apply_patch"]["description"]

    def test_apply_patch_writes_the_file(self, upstream: ChatServer, classic: Codex) -> None:
        upstream.play([Turn(tool_calls=[call("call_p", "apply_patch", input=PATCH)]), Turn(text="patched")])
        run = classic.run("make the file")
        assert (run.exit_code, run.last_message) == (0, "patched"), run.report
        assert (classic.workspace / "made.txt").read_text() == MADE
        assert "made.txt" in upstream.chats[1].outputs["call_p"]
        (made,) = calls(upstream.chats[1].messages)
        assert json.loads(made["arguments"]) == {"input": PATCH}

    def test_found_mcp_tools_can_be_called(self, upstream: ChatServer, classic: Codex, tap: Tap) -> None:
        upstream.play(
            [
                Turn(tool_calls=[call("call_s", "tool_search", query="add two integers", limit=4)]),
                Turn(tool_calls=[call("call_a", "mcp__tiny-add", a=2, b=40)]),
                Turn(tool_calls=[call("call_t", "tool_search", query="picture of a red dot", limit=4)]),
                Turn(tool_calls=[call("call_p", "mcp__tiny-picture")]),
                Turn(text="42 and a dot"),
            ]
        )
        run = classic.run("add, then show")
        assert (run.exit_code, run.last_message) == (0, "42 and a dot"), run.report
        used = [(item["server"], item["tool"], item["status"]) for item in run.items("mcp_tool_call")]
        assert used == [("tiny", "add", "completed"), ("tiny", "picture", "completed")]
        _, found, _, _, last = upstream.chats
        assert "mcp__tiny-add" in found.tool_names
        assert "mcp__tiny-add" in found.outputs["call_s"]
        (offered,) = (
            tool["function"] for tool in found.body["tools"] if tool["function"]["name"] == "mcp__tiny-add"
        )
        assert offered["parameters"]["properties"].keys() == {"a", "b"}
        assert {"mcp__tiny-add", "mcp__tiny-picture"} <= set(last.tool_names)
        assert len(last.tool_names) == len(set(last.tool_names))
        assert "42" in last.outputs["call_a"]
        assert "a red dot" in last.outputs["call_p"]
        assert last.image_urls == [PICTURE]
        searched, added, *_ = (told_items(passage.answer)[-1] for passage in tap.posts("/responses"))
        assert (searched["type"], searched["execution"]) == ("tool_search_call", "client")
        assert (added["name"], added["namespace"]) == ("add", "mcp__tiny")

    def test_view_image_shows_the_picture(self, upstream: ChatServer, classic: Codex) -> None:
        picture = classic.workspace / "dot.png"
        picture.write_bytes(base64.b64decode(mcp_server.RED_DOT))
        upstream.play([Turn(tool_calls=[call("call_v", "view_image", path=str(picture))]), Turn(text="red")])
        run = classic.run("look")
        assert (run.exit_code, run.last_message) == (0, "red"), run.report
        (url,) = upstream.chats[1].image_urls
        assert url.startswith("data:image/png;base64,")

    def test_a_command_that_waits_is_answered(self, upstream: ChatServer, classic: Codex) -> None:
        def play(body: Json) -> Turn:
            outputs = [message["content"] for message in body["messages"] if message["role"] == "tool"]
            if not outputs:
                command = "read -r word; echo heard-$word"
                return Turn(
                    tool_calls=[call("call_r", "exec_command", cmd=command, tty=True, yield_time_ms=300)]
                )
            if len(outputs) == 1:
                (session,) = re.findall(r"session ID (\d+)", outputs[0])
                return Turn(
                    tool_calls=[call("call_w", "write_stdin", session_id=int(session), chars="yes\n")]
                )
            return Turn(text="done")

        upstream.play(play)
        run = classic.run("run it")
        assert (run.exit_code, run.last_message) == (0, "done"), run.report
        assert "heard-yes" in upstream.chats[-1].outputs["call_w"]

    def test_goals_are_kept(self, upstream: ChatServer, classic: Codex) -> None:
        upstream.play(
            [
                Turn(tool_calls=[call("call_c", "create_goal", objective="weave 4711")]),
                Turn(tool_calls=[call("call_g", "get_goal")]),
                Turn(tool_calls=[call("call_u", "update_goal", status="complete")]),
                Turn(text="woven"),
            ]
        )
        run = classic.run("set a goal")
        assert (run.exit_code, run.last_message) == (0, "woven"), run.report
        outputs = upstream.chats[3].outputs
        assert "weave 4711" in outputs["call_g"]
        assert "complete" in outputs["call_u"]

    def test_a_tool_that_does_not_exist(self, upstream: ChatServer, classic: Codex) -> None:
        upstream.play([Turn(tool_calls=[call("call_x", "telepathy", to="you")]), Turn(text="sorry")])
        run = classic.run("think hard")
        assert (run.exit_code, run.last_message) == (0, "sorry"), run.report
        assert "unsupported call" in upstream.chats[1].outputs["call_x"]


class TestScripting:
    """All tools in an item of the input; the model writes scripts that call most of them."""

    def test_tools_come_in_an_item(self, upstream: ChatServer, scripting: Codex, tap: Tap) -> None:
        upstream.play([Turn(text="ready")])
        run = scripting.run("hello")
        assert (run.exit_code, run.last_message) == (0, "ready"), run.report
        (passage,) = tap.posts("/responses")
        assert not passage.body.get("tools")
        assert passage.body["input"][0]["type"] == "additional_tools"
        (exchange,) = upstream.chats
        assert exchange.body["model"] == MODEL
        assert {"functions-exec", "functions-wait", "clock-sleep"} <= set(exchange.tool_names)

    def test_a_script_runs_a_command(self, upstream: ChatServer, scripting: Codex, tap: Tap) -> None:
        source = 'const out = await tools.exec_command({cmd: "echo $((6 * 7))-made"});\ntext(out.output)'
        upstream.play([Turn(tool_calls=[script("call_1", source)]), Turn(text="seen")])
        run = scripting.run("run it")
        assert (run.exit_code, run.last_message) == (0, "seen"), run.report
        assert [item["aggregated_output"] for item in run.items("command_execution")] == ["42-made\n"]
        assert "42-made" in upstream.chats[1].outputs["call_1"]
        (told,) = told_items(tap.posts("/responses")[0].answer)
        assert (told["type"], told["name"], told["namespace"]) == ("custom_tool_call", "exec", "functions")
        assert told["input"] == source
        (made,) = calls(upstream.chats[1].messages)
        assert (made["name"], json.loads(made["arguments"])) == ("functions-exec", {"input": source})

    def test_a_script_patches_a_file(self, upstream: ChatServer, scripting: Codex) -> None:
        source = f"text(await tools.apply_patch({json.dumps(PATCH)}))"
        upstream.play([Turn(tool_calls=[script("call_1", source)]), Turn(text="patched")])
        run = scripting.run("make the file")
        assert (run.exit_code, run.last_message) == (0, "patched"), run.report
        assert (scripting.workspace / "made.txt").read_text() == MADE

    def test_a_script_calls_mcp_tools(self, upstream: ChatServer, scripting: Codex) -> None:
        source = (
            "const sum = await tools.mcp__tiny__add({a: 2, b: 40}); text(sum.content[0].text);"
            "const seen = await tools.mcp__tiny__picture({}); text(seen.content[0].text); image(seen.content[1])"
        )
        upstream.play([Turn(tool_calls=[script("call_1", source)]), Turn(text="42 and a dot")])
        run = scripting.run("add, then show")
        assert (run.exit_code, run.last_message) == (0, "42 and a dot"), run.report
        assert [(item["tool"], item["status"]) for item in run.items("mcp_tool_call")] == [
            ("add", "completed"),
            ("picture", "completed"),
        ]
        output = upstream.chats[1].outputs["call_1"]
        assert "42\na red dot" in output
        assert mcp_server.RED_DOT not in output
        assert upstream.chats[1].image_urls == [PICTURE]

    def test_a_script_speaks_before_its_end(self, upstream: ChatServer, scripting: Codex) -> None:
        def play(body: Json) -> Turn:
            outputs = [message["content"] for message in body["messages"] if message["role"] == "tool"]
            if not outputs:
                return Turn(tool_calls=[script("call_1", source)])
            if len(outputs) == 1:
                (cell,) = re.findall(r"cell ID (\S+)", outputs[0])
                return Turn(tool_calls=[call("call_2", "functions-wait", cell_id=cell)])
            return Turn(text="heard")

        source = (
            '// @exec: {"yield_time_ms": 200}\nnotify("note one");'
            'await new Promise(go => setTimeout(go, 600)); notify("note two"); text("the end")'
        )
        upstream.play(play)
        run = scripting.run("run it")
        assert (run.exit_code, run.last_message) == (0, "heard"), run.report
        outputs = upstream.chats[-1].outputs
        assert re.search("note one.*note two", outputs["call_1"], re.DOTALL)
        assert "the end" in outputs["call_2"]

    def test_a_tool_beside_the_scripts(self, upstream: ChatServer, scripting: Codex) -> None:
        upstream.play([Turn(tool_calls=[call("call_1", "clock-sleep", duration_ms=5)]), Turn(text="awake")])
        run = scripting.run("sleep")
        assert (run.exit_code, run.last_message) == (0, "awake"), run.report
        assert "unsupported" not in upstream.chats[1].outputs["call_1"]
        assert "ms" in upstream.chats[1].outputs["call_1"] or "second" in upstream.chats[1].outputs["call_1"]


def calls(messages: list[Json]) -> list[Json]:
    """Return the functions called in the messages."""
    return [made["function"] for message in messages for made in message.get("tool_calls", ())]
