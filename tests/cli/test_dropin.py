"""`wireloom as TOOL`, without the Codex CLI: what each command line comes to. The features are in tests/e2e."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import wireloom
from tests.cli.conftest import Invoke
from tests.cli.process import Wireloom
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.dropin import free_port
from wireloom import start
from wireloom.cli import dropin
from wireloom.config.layers import ConfigError

KEY = "canary-key"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if name.startswith("CODEX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for child in psutil.Process().children():
        if "--resume" in child.cmdline():
            child.kill()
            child.wait()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What would have been served."""
    calls: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(dropin, "serve", lambda given, **more: calls.append((given, more)))
    return calls


def test_relay(invoke: Invoke, served: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke("as", "codex-relay", "--upstream", "http://a/v1", "--api-key", KEY)
    assert result.exit_code == 0, result.output
    ((given, more),) = served
    assert (given["upstream"], given["api_key"], given["no_auth"]) == ("http://a/v1", KEY, True)
    following = "wireloom as codex-relay --print-config --port PORT --upstream http://a/v1"
    assert more == {"name_models": True, "next_command": following}
    assert "a key on the command line" in result.output
    assert KEY not in result.output
    monkeypatch.setenv("WIRELOOM_TOKEN", "t")
    assert "need no key" not in invoke("as", "codex-relay").output
    assert "no_auth" not in served[1][0]


def test_relay_prints_a_configuration(invoke: Invoke, home: Path) -> None:
    with ChatServer([]) as upstream:
        flags = ("--upstream", upstream.base_url, "--api-key", API_KEY, "--model-catalog", "models.json")
        result = invoke("as", "codex-relay", "--print-config", *flags)
    assert result.exit_code == 0, result.output
    printed = tomllib.loads(result.stdout)
    assert (printed["model_catalog_json"], printed["model"]) == (str(home / "models.json"), MODEL)
    assert json.loads((home / "models.json").read_text())["models"][0]["slug"] == MODEL
    assert invoke("as", "codex-relay", "--model-catalog", "x").exit_code == 2


def test_relay_prints_a_configuration_for_its_own_port(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([], models=None) as upstream:
        flags = ("--print-config", "--upstream", upstream.base_url, "--port", "23151")
        monkeypatch.setenv("CODEX_RELAY_API_KEY", API_KEY)
        printed = tomllib.loads(invoke("as", "codex-relay", *flags).stdout)
        assert "model" not in printed
        assert invoke("as", "codex-relay", *flags, "--model-catalog", "m.json").exit_code == 1
    provider = printed["model_providers"]["wireloom"]
    assert (provider["base_url"], provider["experimental_bearer_token"]) == (
        "http://127.0.0.1:23151/v1",
        "unused",
    )
    assert "auth" not in provider


def test_words_without_effect(invoke: Invoke, served: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_RELAY_DISABLE_QUIRKS", "x")
    result = invoke("as", "codex-relay", "--model-template", "m")
    assert "CODEX_RELAY_DISABLE_QUIRKS has no effect" in result.output
    assert "--model-template has no effect" in result.output
    assert len(served) == 1


def test_api_proxy_in_the_foreground(invoke: Invoke, served: list[Any]) -> None:
    assert invoke("as", "codex-api-proxy", "--pid-file", "p").exit_code == 0
    assert invoke("as", "codex-api-proxy", "start", "--foreground", "--no-agent").exit_code == 0
    named = "--codex-bin or CODEX_PROXY_CODEX_BIN"
    assert served[0][1] == {"pid_file": "p", "log_file": None, "state_file": None, "codex_named_by": named}
    assert served[1][0]["agent"] is False


def test_a_relay_names_the_command_for_its_own_port() -> None:
    with ChatServer([]) as upstream:
        flags = ("--upstream", upstream.base_url, "--port", "0")
        with Wireloom("as", "codex-relay", *flags, environment={"CODEX_RELAY_API_KEY": API_KEY}) as process:
            port = process.url().rpartition(":")[2]
            command = process.wait_for("stderr", "\n`")
            assert process.stderr.count(f"Models of the upstream: {MODEL}\n") == 1
    printed = f"wireloom as codex-relay --print-config --port {port} --upstream {upstream.base_url}"
    assert command == f"{printed}` prints the configuration of Codex for this gateway."


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("codex-api-proxy",), "--codex-bin or CODEX_PROXY_CODEX_BIN"),
        (("codex-api-proxy", "start"), "--codex-bin or CODEX_PROXY_CODEX_BIN"),
        (("codex-openai-proxy",), "CODEX_PATH"),
        (("codex-gateway",), "--codex-bin (WIRELOOM_CODEX_BIN)"),
    ],
)
def test_a_missing_program_is_named_in_the_words_of_the_tool(
    invoke: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], named: str
) -> None:
    monkeypatch.setenv("PATH", str(home))
    result = invoke("as", *arguments)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: There is no program 'codex'. Install the Codex CLI (npm install -g @openai/codex), or name it with "
        f"{named}."
    )
    assert not (home / ".codex-api-proxy").exists()


def test_api_proxy_in_the_background(invoke: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home / "bin" / "codex"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    stopped = invoke("as", "codex-api-proxy", "status", "--port", str(free_port()))
    assert "No gateway was started by `wireloom as codex-api-proxy start`" in stopped.stderr
    started = invoke("as", "codex-api-proxy", "start", "--port", "0", "--api-key", KEY)
    assert started.exit_code == 0, started.output
    assert "--token (hidden)" in started.output
    assert KEY not in started.output
    assert "Warning: Codex is not logged in, so its requests will fail. Run `codex login`." in started.stderr
    assert invoke("as", "codex-api-proxy", "restart", "--fast").exit_code == 0
    status = invoke("as", "codex-api-proxy", "status", "--verbose")
    assert "--fast" in status.output
    assert "--token" in status.output
    assert "Stopped." in invoke("as", "codex-api-proxy", "stop").output
    assert (home / ".codex-api-proxy" / "wireloom.state.json").exists()


def test_openai_proxy(invoke: Invoke, served: list[Any], home: Path) -> None:
    invoke("as", "codex-openai-proxy")
    (home / ".env").write_text("API_KEYS=a,b\nPORT=7\n")
    invoke("as", "codex-openai-proxy")
    (first, _), (second, _) = served
    assert "host" not in first
    assert first["no_auth"] is True
    assert (second["host"], second["port"], second["token"]) == ("0.0.0.0", "7", {"key-1": "a", "key-2": "b"})
    refused = invoke("as", "codex-openai-proxy", "--port", "0", "--host", "0.0.0.0")
    assert refused.exit_code == 0


def test_gateway(invoke: Invoke, served: list[Any], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "makes one" in invoke("as", "codex-gateway", "token").output
    made = invoke("as", "codex-gateway", "init", "--cwd", str(home))
    assert made.exit_code == 0, made.output
    file = home / "codex-gateway" / "config.json"
    token = json.loads(file.read_text())["token"]
    assert token not in made.output
    assert invoke("as", "codex-gateway", "token").output == f"{token}\n"
    assert token in invoke("as", "codex-gateway", "show").output
    assert f"CODEX_GATEWAY_TOKEN={token}" in invoke("as", "codex-gateway", "env").output
    assert "--force" in invoke("as", "codex-gateway", "init").output
    assert json.loads(file.read_text())["token"] == token
    invoke("as", "codex-gateway", "init", "--force")
    assert json.loads(file.read_text())["token"] != token
    invoke("as", "codex-gateway")
    assert served[0][0]["backend"] == "app-server"
    monkeypatch.setenv("CODEX_GATEWAY_CONFIG", "/proc/none/config.json")
    assert invoke("as", "codex-gateway", "init").exit_code == 2


def test_start_from_python() -> None:
    with start(port=0, backend="demo", token=KEY) as process:
        assert process.url.startswith("http://127.0.0.1:")
        line = psutil.Process(process.pid).cmdline()
        children = psutil.Process(process.pid).environ()
    assert process.returncode is not None
    assert KEY not in str(line)
    assert KEY not in str(children)


def test_start_tells_what_is_wrong() -> None:
    with pytest.raises(ConfigError, match="--port"):
        start(port=-1, backend="demo")
    with start(port=0, backend="demo") as process:
        port = int(process.url.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="did not start"):
            start(port=port, backend="demo")


def test_the_package_names_its_public_parts() -> None:
    assert {wireloom.create_app.__name__, wireloom.Settings.__name__} == {"create_app", "Settings"}
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = wireloom.nonesuch
