"""`wireloom doctor`: each thing it looks at, well and not; upstreams are real servers, the round trip is real."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from wireloom_protocol import CODEX_VERSION

from tests.cli.conftest import Invoke
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import Turn, call
from wireloom.cli.diagnose.doctor import Finding, report

SECRET = "canary-token"
CALL = call("call_1", "get_weather", city="Paris")
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def upstream() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


def found(invoke: Invoke, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by name."""
    result = invoke("doctor", "--json", "--port", "0", *arguments)
    told = json.loads(result.stdout)
    assert told["ok"] == (result.exit_code == 0)
    assert SECRET not in result.output
    assert API_KEY not in result.stdout
    return result.exit_code, {finding["name"]: finding for finding in told["findings"]}


def states(findings: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: finding["state"] for name, finding in findings.items() if finding["state"] != "ok"}


def test_all_is_well(invoke: Invoke) -> None:
    code, findings = found(invoke, "--backend", "demo", "--token", SECRET)
    assert (code, states(findings)) == (0, {})
    assert {"settings", "clients", "port", "models", "stream", "usage", "tool"} <= findings.keys()


def test_a_chat_upstream(invoke: Invoke, upstream: ChatServer) -> None:
    upstream.play([Turn(tool_calls=[CALL]), Turn(text="Clear.")])
    arguments = ("--upstream", upstream.base_url, "--api-key", API_KEY, "--token", SECRET)
    code, findings = found(invoke, *arguments)
    assert (code, states(findings)) == (0, {})
    assert MODEL in findings["models"]["told"]
    assert findings["tool"]["told"] == "get_weather was called, and the model answered"
    assert upstream.exchanges[-1].messages[-1]["role"] == "tool"


def test_a_model_that_calls_nothing(invoke: Invoke, upstream: ChatServer) -> None:
    upstream.play([Turn(text="It is fine.")])
    code, findings = found(invoke, "--upstream", upstream.base_url, "--api-key", API_KEY, "--token", SECRET)
    assert (code, states(findings)) == (0, {"tool": "warn"})


def test_a_key_that_is_wrong(invoke: Invoke, upstream: ChatServer) -> None:
    code, findings = found(invoke, "--upstream", upstream.base_url, "--api-key", "other", "--token", SECRET)
    assert (code, states(findings)) == (1, {"ready": "fail"})
    assert "tool" not in findings


def test_nobody_is_there(invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/v1"
    code, findings = found(invoke, "--upstream", url, "--no-auth")
    assert (code, states(findings)) == (1, {"clients": "warn", "ready": "fail"})


def test_an_answer_that_breaks_off(invoke: Invoke, upstream: ChatServer) -> None:
    upstream.play([])
    code, findings = found(invoke, "--upstream", upstream.base_url, "--api-key", API_KEY, "--token", SECRET)
    assert (code, states(findings)) == (1, {"answer": "fail"})


def test_settings_that_cannot_be(invoke: Invoke) -> None:
    code, findings = found(invoke)
    assert (code, list(findings)) == (1, ["settings"])
    assert "--backend app-server" in findings["settings"]["remedy"]


def test_surroundings(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "wireloom" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'token = "{SECRET}"\n')
    config.chmod(0o644)
    keys = tmp_path / "seal.key"
    keys.write_text("none")
    keys.chmod(0o600)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with ChatServer() as upstream, socket.create_server(("127.0.0.1", 0)) as taken:
        upstream.play([Turn(text="a")])
        arguments = ["--upstream", upstream.base_url, "--seal-key-file", str(keys), "--provider", "deepseek"]
        port = str(taken.getsockname()[1])
        code, findings = found(invoke, *arguments, "--port", port)
    assert code == 1
    wrong = states(findings)
    assert wrong["config file"] == wrong["port"] == wrong["proxy"] == wrong["upstream"] == "warn"
    assert wrong["seal keys"] == "fail"
    assert findings["config file"]["remedy"] == f"chmod 600 {config}"


@pytest.mark.parametrize(
    ("script", "state"),
    [
        (f"echo codex-cli {CODEX_VERSION}", "ok"),
        ("echo codex-cli 0.1.0", "warn"),
        ("exit 3", "warn"),
        (None, "ok"),
    ],
)
def test_codex(script: str | None, state: str, invoke: Invoke, tmp_path: Path) -> None:
    if script is not None:
        binary = tmp_path / "bin" / "codex"
        binary.parent.mkdir()
        binary.write_text(f"#!/bin/sh\n{script}\n")
        binary.chmod(0o755)
    _, findings = found(invoke, "--backend", "demo", "--token", SECRET)
    assert findings["binary"]["state"] == state


def test_a_backend_that_needs_codex(invoke: Invoke) -> None:
    code, findings = found(invoke, "--backend", "exec", "--token", SECRET)
    assert code == 1
    assert findings["binary"]["state"] == "fail"
    assert "npm install" in findings["binary"]["remedy"]


def test_the_end_to_end_tests_start_the_codex_whose_contract_is_compiled() -> None:
    package = json.loads((ROOT / "tests/e2e/node/package.json").read_text())
    assert package["dependencies"]["@openai/codex"] == CODEX_VERSION


def test_the_report_is_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [
        Finding("A", "long name", "ok", "well"),
        Finding("A", "b", "warn", "odd", "do this\nthen that"),
        Finding("C", "d", "fail", "broken"),
    ]
    assert [click.unstyle(line) for line in report(findings)] == [
        "A",
        "  ✓ long name  well",
        "  ! b          odd",
        "               do this",
        "               then that",
        "C",
        "  ✗ d          broken",
        "",
        "1 well, 1 to look at, 1 broken",
    ]
    monkeypatch.setattr(
        "wireloom.cli.diagnose.doctor.sys", SimpleNamespace(stdout=SimpleNamespace(encoding="ascii"))
    )
    assert "\n".join(report(findings)).isascii()
