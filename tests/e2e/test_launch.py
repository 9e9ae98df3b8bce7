"""`wireloom launch codex` and `wireloom config codex`: the real CLI with exactly what they give it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import Turn
from tests.support.codex import TURN_SECONDS, find_codex
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

EXEC = ("exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
# A configuration that would go elsewhere, also in what the provider of the same name says.
USERS_OWN = """\
model = "gpt-5.5"
model_provider = "wireloom"

[model_providers.wireloom]
name = "elsewhere"
base_url = "http://127.0.0.1:9/v1"
wire_api = "responses"
env_key = "ELSEWHERE_KEY"
requires_openai_auth = true
http_headers = { x-old = "header" }

[analytics]
enabled = false
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def run(
    command: Sequence[str], home: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home), "CODEX_HOME": str(home)}
    folders = {"XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}
    return subprocess.run(
        command,
        cwd=home,
        env={**environment, **folders, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TURN_SECONDS,
    )


def wireloom(
    home: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "wireloom", *arguments], home, variables)


def launch(
    gateway: Gateway, home: Path, *arguments: str, model: str = MODEL
) -> subprocess.CompletedProcess[str]:
    port = str(urlsplit(gateway.base_url).port)
    flags = ("--port", port, "--model", model, "--codex-bin", find_codex())
    return wireloom(
        home, "launch", "codex", *flags, *arguments, variables={"WIRELOOM_TOKEN": f"laptop={gateway.token}"}
    )


def last_message(ran: subprocess.CompletedProcess[str]) -> str:
    events = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    return "".join([item["text"] for item in items if item["type"] == "agent_message"][-1:])


def report(ran: subprocess.CompletedProcess[str]) -> str:
    return f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.parametrize("divider", [("--",), ()], ids=["divided", "plain"])
def test_launched_codex_talks_to_the_gateway(
    divider: tuple[str, ...], upstream: ChatServer, gateway: Gateway, home: Path
) -> None:
    (home / "config.toml").write_text(USERS_OWN)
    upstream.play([Turn(text="launched")])
    ran = launch(gateway, home, *divider, *EXEC, "--", "hello")
    assert (ran.returncode, last_message(ran)) == (0, "launched"), report(ran)
    assert upstream.chats[0].body["model"] == MODEL
    assert "apply_patch" in upstream.chats[0].tool_names, "the models come from the gateway"
    assert (home / "config.toml").read_text() == USERS_OWN


def test_the_exit_code_is_that_of_codex(upstream: ChatServer, gateway: Gateway, home: Path) -> None:
    upstream.play([Turn(text="it goes on", finish_reason="length")])
    ran = launch(gateway, home, "--", *EXEC, "--", "hello")
    assert (ran.returncode, "max_output_tokens" in ran.stdout) == (1, True), report(ran)


def test_a_token_that_the_gateway_does_not_know_is_told_before_codex_starts(
    gateway: Gateway, home: Path
) -> None:
    flags = ("--port", str(urlsplit(gateway.base_url).port), "--codex-bin", find_codex())
    ran = wireloom(home, "launch", "codex", *flags, variables={"WIRELOOM_TOKEN": "another-token"})
    assert (ran.returncode, ran.stdout) == (1, ""), report(ran)
    assert "does not know this token" in ran.stderr
    assert "another-token" not in ran.stderr


def test_a_name_of_any_characters_arrives(home: Path, tmp_path: Path) -> None:
    name = "größe/模型:7b \"q\" \\ 's'"
    with (
        ChatServer([Turn(text="quoted")], models=[name]) as upstream,
        Gateway(upstream.base_url, tmp_path, api_key=API_KEY) as gateway,
    ):
        ran = launch(gateway, home, "--", *EXEC, "--", "hello", model=name)
    assert (ran.returncode, last_message(ran)) == (0, "quoted"), report(ran)
    assert upstream.chats[0].body["model"] == name


def test_the_printed_block_works_as_it_is(upstream: ChatServer, gateway: Gateway, home: Path) -> None:
    port = str(urlsplit(gateway.base_url).port)
    printed = wireloom(home, "config", "codex", "--port", port, "--model", MODEL)
    assert printed.returncode == 0, report(printed)
    (home / "config.toml").write_text(printed.stdout)
    upstream.play([Turn(text="by the block")])
    ran = run([find_codex(), *EXEC, "--", "hello"], home, {"WIRELOOM_TOKEN": gateway.token})
    assert (ran.returncode, last_message(ran)) == (0, "by the block"), report(ran)
    assert "apply_patch" in upstream.chats[0].tool_names


def test_the_printed_block_works_without_keys(upstream: ChatServer, home: Path, tmp_path: Path) -> None:
    upstream.play([Turn(text="no key")])
    with Gateway(upstream.base_url, tmp_path, api_key=API_KEY, token=None) as gateway:
        port = str(urlsplit(gateway.base_url).port)
        printed = wireloom(home, "config", "codex", "--port", port, "--model", MODEL, "--no-auth")
        (home / "config.toml").write_text(printed.stdout)
        ran = run([find_codex(), *EXEC, "--", "hello"], home)
    assert (ran.returncode, last_message(ran)) == (0, "no key"), report(ran)
    assert "apply_patch" in upstream.chats[0].tool_names


def test_a_written_catalogue_replaces_the_question(
    upstream: ChatServer, gateway: Gateway, home: Path
) -> None:
    """What the file says must reach the CLI: a mapped name with its window, its effort, and no patches."""
    models = {MODEL: {"context_window": 40_000, "efforts": ["low", "medium"], "apply_patch": False}}
    own = {"WIRELOOM_UPSTREAM": upstream.base_url, "WIRELOOM_API_KEY": API_KEY}
    variables = {**own, "WIRELOOM_MODELS": json.dumps(models), "WIRELOOM_MODEL_MAP": f"alias:{MODEL}"}
    file = home / "models.json"
    port = str(urlsplit(gateway.base_url).port)
    command = ("config", "codex", "--port", port, "--model", MODEL, "--catalog", str(file))
    printed = wireloom(home, *command, variables=variables)
    assert printed.returncode == 0, report(printed)
    assert "model_catalog_url" not in printed.stdout
    assert [model["slug"] for model in json.loads(file.read_text())["models"]] == [MODEL, "alias"]
    (home / "config.toml").write_text(printed.stdout)
    key = {"WIRELOOM_TOKEN": gateway.token}
    shown = run([find_codex(), "debug", "models"], home, key)
    assert {model["slug"]: model["context_window"] for model in json.loads(shown.stdout)["models"]} == {
        MODEL: 40_000,
        "alias": 40_000,
    }, report(shown)
    upstream.play([Turn(text="from the file")])
    ran = run([find_codex(), *EXEC, "--", "hello"], home, key)
    assert (ran.returncode, last_message(ran)) == (0, "from the file"), report(ran)
    assert "apply_patch" not in upstream.chats[0].tool_names
    assert window(home) == 38_000, "Codex keeps a twentieth free"


def window(home: Path) -> Any:
    """The context window that the CLI's own record of its session tells."""
    (record,) = home.glob("sessions/**/rollout-*.jsonl")
    events = [json.loads(line)["payload"] for line in record.read_text().splitlines()]
    return next(event["model_context_window"] for event in events if "model_context_window" in event)
