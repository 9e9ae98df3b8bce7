"""`wireloom serve --record` with the real Codex CLI: its requests become fixtures as those in the repository."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.captures import FOLDER, validated
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import ToolCall, Turn
from tests.support.codex import Codex
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

SECRET = "the loom is in the cellar"
PROMPT = "Weave a very long story about it. " * 20 + SECRET


def members(value: Any) -> Any:
    """The names of the members all the way down; of lists, the kinds of what they hold."""
    if isinstance(value, dict):
        kind = value.get("type")
        inner = {name.lower(): members(each) for name, each in value.items() if name != "parameters"}
        return {**inner, "type": kind} if isinstance(kind, str) else inner
    return [members(each) for each in value] if isinstance(value, list) else None


def test_a_run_of_codex_becomes_fixtures(upstream: ChatServer, tmp_path: Path) -> None:
    call = ToolCall("call_Zm9v", "exec_command", json.dumps({"cmd": "echo hello-from-shell"}))
    upstream.play([Turn(tool_calls=[call]), Turn(text="seen")])
    folder = tmp_path / "recorded"
    with Gateway(upstream.base_url, tmp_path, "--record", str(folder), api_key=API_KEY) as gateway:
        codex = Codex(tmp_path / "codex", gateway.base_url, gateway.token, MODEL)
        run = codex.run(PROMPT)
        logged = gateway.stderr
    assert (run.exit_code, run.last_message) == (0, "seen"), run.report
    paths = sorted(folder.glob("*-post-responses.json"))
    first, second = (json.loads(path.read_bytes()) for path in paths)

    fixture = json.loads((FOLDER / "shell-2-after-tool.json").read_bytes())
    assert second.keys() == fixture.keys()
    assert members(second["body"]) == members(fixture["body"])
    # The fixture is of Codex 0.169; later releases send accept-encoding as well.
    left_out = {"host", "connection", "accept-encoding"}
    assert {name.lower() for name in second["headers"]} - left_out == {
        name.lower() for name in fixture["headers"]
    } - left_out
    assert validated(first["body"]).model == validated(second["body"]).model == MODEL

    written = "".join(path.read_text() for path in folder.iterdir())
    assert "[trimmed" in written
    for private in (SECRET, gateway.token, API_KEY, str(tmp_path)):
        assert private not in written, private
    assert SECRET not in logged
    (row,) = [line for line in (folder / "VERSIONS.md").read_text().splitlines() if "codex_exec" in line]
    assert re.search(r"\| \d+\.\d+\.\d+ \|", row), row
    assert "| function_call, function_call_output, message | function, namespace, web_search |" in row
