"""What `wireloom serve` shows on a terminal, and what it knows of Codex before it listens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.cli.process import Wireloom, on_a_terminal
from wireloom.cli.service.banner import banner
from wireloom.config import Settings, load

ROOT = "http://127.0.0.1:4444"
SECRET = "canary-key"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def rows(given: Mapping[str, object], root: str = ROOT) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in banner(load(Settings, given), root):
        name, _, value = line.strip().partition(" ")
        found.setdefault(name, []).append(value.strip())
    return found


def test_all_of_it(home: Path) -> None:
    file = home / "wireloom" / "config.toml"
    file.parent.mkdir()
    file.write_text("# nothing\n")
    assert rows({"provider": "deepseek"}) == {
        "version": [version("wireloom")],
        "clients": ["http://127.0.0.1:4444/v1  (Responses and Chat Completions)"],
        "backend": ["DeepSeek, chat, https://api.deepseek.com/v1, key in DEEPSEEK_API_KEY: not set"],
        "config": ["~/wireloom/config.toml"],
        "docs": ["http://127.0.0.1:4444/docs"],
        "next": ["wireloom launch codex"],
    }


def test_keys_are_found_or_not_and_never_shown(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", SECRET)
    shown = rows({"provider": "deepseek"})
    assert shown["backend"] == ["DeepSeek, chat, https://api.deepseek.com/v1, key in DEEPSEEK_API_KEY: found"]
    near = "http://127.0.0.1:9/v1"
    assert rows({"upstream": near})["backend"] == [f"The generic profile, chat, {near}, without a key"]
    assert rows({"upstream": near, "api_key": SECRET})["backend"][0].endswith(
        "key in api_key (WIRELOOM_API_KEY): found"
    )
    assert SECRET not in str(shown)
    assert shown["config"] == ["no file: flags, variables and defaults"]


def test_several_backends(home: Path) -> None:
    backends = '{"a": {"backend": "demo"}, "b": {"provider": "groq"}, "c": {"backend": "exec", "codex_bin": "nonesuch"}}'
    assert rows({"backends": backends})["backend"] == [
        "a: demo, a scripted model",
        "b: Groq, chat, https://api.groq.com/openai/v1, key in GROQ_API_KEY: not set",
        "c: exec, nonesuch",
    ]


@pytest.mark.parametrize(
    ("given", "root", "command"),
    [
        ({}, ROOT, "wireloom launch codex"),
        ({}, "http://127.0.0.1:5", "wireloom launch codex --port 5"),
        ({"no_auth": True}, ROOT, "wireloom launch codex --no-auth"),
        ({"host": "::1"}, "http://[::1]:5", "wireloom launch codex --host ::1 --port 5"),
        ({"backend": "exec"}, ROOT, "wireloom show  (how to set up an OpenAI SDK)"),
    ],
)
def test_the_next_command(home: Path, given: dict[str, object], root: str, command: str) -> None:
    assert rows({"backend": "demo", **given}, root)["next"] == [command]


def test_it_is_shown_on_a_terminal(home: Path) -> None:
    shown = on_a_terminal("serve", "--backend", "demo", "--no-auth", "--port", "0", until="launch codex")
    first, *more = shown.splitlines()
    assert first.startswith("wireloom listening on http://127.0.0.1:")
    assert more[0].split() == ["version", version("wireloom")]
    assert "  backend  demo, a scripted model" in more


@pytest.mark.parametrize("command", ["serve", "start"])
@pytest.mark.parametrize("backend", ["app-server", "exec"])
def test_a_missing_program_is_told_before_it_listens(
    home: Path, invoke: Invoke, command: str, backend: str
) -> None:
    result = invoke(command, "--backend", backend, "--codex-bin", "/nowhere/codex", "--port", "0")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: There is no program '/nowhere/codex'. Install the Codex CLI (npm install -g @openai/codex), or name it with "
        "--codex-bin (WIRELOOM_CODEX_BIN).\n"
    )
    assert not (home / "state").exists()


def test_one_of_several_backends_needs_it_too(home: Path, invoke: Invoke) -> None:
    backends = '{"a": {"backend": "demo"}, "b": {"backend": "exec", "codex_bin": "nonesuch"}}'
    assert "There is no program 'nonesuch'" in invoke("serve", "--backends", backends, "--port", "0").stderr


def test_an_app_server_that_runs_elsewhere_needs_no_program(home: Path) -> None:
    flags = ("--backend", "app-server", "--app-server-url", "ws://127.0.0.1:1", "--codex-bin", "nonesuch")
    with Wireloom("serve", *flags, "--no-auth", "--port", "0") as process:
        assert process.url()


def test_a_missing_login_is_told_at_the_start(home: Path) -> None:
    program = home / "codex"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    with Wireloom(
        "serve", "--backend", "exec", "--codex-bin", str(program), "--no-auth", "--port", "0"
    ) as process:
        process.url()
        said = process.wait_for("stderr", "Warning: Codex is not logged in")
    assert said == ", so its requests will fail. Run `codex login`."


def test_a_login_that_is_there_is_not_told(home: Path) -> None:
    program = home / "codex"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    with Wireloom(
        "serve", "--backend", "exec", "--codex-bin", str(program), "--no-auth", "--port", "0"
    ) as process:
        process.url()
        time.sleep(1)
        assert process.interrupt() == 0
    assert "logged in" not in process.stderr
