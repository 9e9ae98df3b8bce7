"""Settings that change what passes between the Codex CLI and the upstream, and what the log says of it."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.support import mcp_server
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import Turn, call
from tests.support.codex import CLASSIC_MODEL, CODE_MODEL, Codex
from tests.support.gateway import Gateway
from tests.support.tap import Tap

pytestmark = pytest.mark.e2e

MCP = {"tiny": [sys.executable, mcp_server.__file__]}


def test_denied_tools_are_not_offered(upstream: ChatServer, tmp_path: Path) -> None:
    denied = "view_image,mcp__tiny.add,multi_agent_v1-spawn_agent"
    upstream.play([Turn(text="ready")])
    with Gateway(upstream.base_url, tmp_path, "--tool-denylist", denied, api_key=API_KEY) as gateway:
        codex = Codex(tmp_path / "codex", gateway.base_url, gateway.token, MODEL, mcp_servers=MCP)
        run = codex.run("hello")
    assert (run.exit_code, run.last_message) == (0, "ready"), run.report
    offered = set(upstream.chats[0].tool_names)
    assert {"exec_command", "mcp__tiny-picture", "multi_agent_v1-wait_agent"} <= offered
    assert not {"view_image", "mcp__tiny-add", "multi_agent_v1-spawn_agent"} & offered


def test_denied_tools_are_not_found(upstream: ChatServer, tmp_path: Path) -> None:
    """What a search brings, and what comes in an item, is denied as well."""
    flags = ("--tool-denylist", "mcp__tiny-add,functions.wait", "--model-map")
    names = f"{CLASSIC_MODEL}:{MODEL},{CODE_MODEL}:{MODEL}"
    search = call("call_s", "tool_search", query="add two integers picture", limit=8)
    upstream.play([Turn(tool_calls=[search]), Turn(text="found"), Turn(text="ready")])
    with Gateway(upstream.base_url, tmp_path, *flags, names, api_key=API_KEY) as gateway:
        for model in (CLASSIC_MODEL, CODE_MODEL):
            codex = Codex(tmp_path / model, gateway.base_url, gateway.token, model, mcp_servers=MCP)
            run = codex.run("hello")
            assert run.exit_code == 0, run.report
    _, found, scripting = upstream.chats
    assert "mcp__tiny-picture" in found.tool_names
    assert "mcp__tiny-add" not in found.tool_names
    assert "mcp__tiny-add" not in found.outputs["call_s"]
    assert "functions-exec" in scripting.tool_names
    assert "functions-wait" not in scripting.tool_names


def test_parameters_are_added_and_left_out(upstream: ChatServer, tmp_path: Path) -> None:
    extra = {"seed": 7, "max_completion_tokens": 4711, "parallel_tool_calls": False}
    flags = ("--extra-params", json.dumps(extra), "--drop-params", "stream_options,metadata")
    upstream.play([Turn(text="ready")])
    with (
        Gateway(upstream.base_url, tmp_path, *flags, api_key=API_KEY) as gateway,
        Tap(gateway.base_url) as tap,
    ):
        run = Codex(tmp_path / "codex", tap.base_url, gateway.token, MODEL).run("hello")
    assert (run.exit_code, run.last_message) == (0, "ready"), run.report
    assert tap.posts("/responses")[0].body["parallel_tool_calls"] is True
    body = upstream.chats[0].body
    assert {name: body[name] for name in extra} == extra
    assert "stream_options" not in body


def test_a_mapped_model_keeps_its_name(upstream: ChatServer, tmp_path: Path) -> None:
    flags = ("--model-map", f"my-model:{MODEL}")
    upstream.play([Turn(text="ready")])
    with (
        Gateway(upstream.base_url, tmp_path, *flags, api_key=API_KEY) as gateway,
        Tap(gateway.base_url) as tap,
    ):
        codex = Codex(tmp_path / "codex", tap.base_url, gateway.token, "my-model", catalog=True)
        run = codex.run("hello")
    assert (run.exit_code, run.last_message) == (0, "ready"), run.report
    assert run.items("error") == []
    assert upstream.chats[0].body["model"] == MODEL
    answer = tap.posts("/responses")[0].answer.decode()
    assert set(re.findall(r'"model":"([^"]*)"', answer)) == {"my-model"}


@pytest.mark.parametrize("model", [CLASSIC_MODEL, CODE_MODEL])
def test_the_log_names_tools_and_tells_nothing_else(model: str, upstream: ChatServer, tmp_path: Path) -> None:
    if model == CODE_MODEL:
        used = call("call_1", "functions-exec", input="text('CANARY-argument'); notify('CANARY-output')")
        given, called = "functions", "functions-exec"
    else:
        used = call("call_1", "exec_command", cmd="echo CANARY-argument")
        given, called = "apply_patch", "exec_command"
    upstream.play(
        [
            Turn(reasoning="CANARY-thought", tool_calls=[used]),
            Turn(text="CANARY-answer"),
        ]
    )
    flags = ("--log-level", "debug", "--model-map", f"{model}:{MODEL}")
    with Gateway(upstream.base_url, tmp_path, *flags, api_key=API_KEY, token="CANARY-token") as gateway:
        codex = Codex(tmp_path / "codex", gateway.base_url, gateway.token, model, mcp_servers=MCP)
        (codex.workspace / "AGENTS.md").write_text("CANARY-instruction")
        run = codex.run("CANARY-prompt")
        refused = Codex(tmp_path / "other", gateway.base_url, "CANARY-wrong-token", model).run(
            "CANARY-prompt"
        )
    assert (run.exit_code, run.last_message) == (0, "CANARY-answer"), run.report
    assert refused.exit_code != 0
    records = [json.loads(line) for line in gateway.stderr.splitlines() if line.startswith("{")]
    lines = [record["message"] for record in records if record["logger"] == "wireloom.tools"]
    assert re.search(rf"tools given \[.*'{given}'.*\], offered \[.*'{called}'.*\]", lines[0])
    assert [line.partition(" tools called ")[2] for line in lines if " tools called " in line] == [
        f"['{called}']",
        "[]",
    ]
    assert "CANARY" not in gateway.stderr
    assert API_KEY not in gateway.stderr


def test_the_log_of_a_failure_tells_nothing_else(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="CANARY-answer", tool_calls=[call("call_1", "", x="CANARY-argument")])] * 2)
    with Gateway(upstream.base_url, tmp_path, "--log-level", "debug", api_key=API_KEY) as gateway:
        codex = Codex(tmp_path / "codex", gateway.base_url, gateway.token, MODEL)
        run = codex.run("CANARY-prompt", "-c", "model_providers.gateway.stream_max_retries=1")
        upstream.play([])
    assert run.exit_code != 0, run.report
    assert "without naming it" in run.failure
    assert "CANARY" not in gateway.stderr
    assert API_KEY not in gateway.stderr
