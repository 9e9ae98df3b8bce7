"""`wireloom doctor`: each thing it looks at, well and not; upstreams are real servers, the round trip is real."""

from __future__ import annotations

import json
import re
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
from tests.support.chat_turns import Turn, call, failure
from tests.support.threaded import KEY, gateway
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


def test_a_key_that_is_wrong(invoke: Invoke, upstream: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "other")
    flags = ("--upstream", upstream.base_url, "--provider", "deepseek", "--token", SECRET)
    code, findings = found(invoke, *flags)
    assert (code, states(findings)) == (1, {"ready": "fail"})
    assert findings["ready"]["told"] == f"GET {upstream.base_url}/models -> 401"
    assert findings["ready"]["remedy"].splitlines() == [
        "DeepSeek refuses the key in DEEPSEEK_API_KEY: authorization: incorrect API key.",
        "Check DEEPSEEK_API_KEY.",
    ]
    assert "tool" not in findings


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        (("--api-key", "wrong"), "api_key (WIRELOOM_API_KEY)"),
        (("--api-key-env", "MY_KEY"), "MY_KEY"),
        (("--api-key-file", "{file}"), "{file}"),
        (("--provider", "generic"), "--api-key-env"),
    ],
)
def test_where_the_key_is_set(
    invoke: Invoke,
    upstream: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: tuple[str, ...],
    place: str,
) -> None:
    file = tmp_path / "key"
    file.write_text("wrong")
    monkeypatch.setenv("MY_KEY", "wrong")
    given = [flag.format(file=file) for flag in flags]
    _, findings = found(invoke, "--upstream", upstream.base_url, "--token", SECRET, *given)
    assert findings["ready"]["remedy"].splitlines()[-1] == f"Check {place.format(file=file)}."


def test_a_provider_that_lists_no_models(invoke: Invoke) -> None:
    with ChatServer([Turn(tool_calls=[CALL]), Turn(text="Clear.")], models=None) as upstream:
        flags = ("--upstream", upstream.base_url, "--api-key", API_KEY, "--token", SECRET)
        code, findings = found(invoke, *flags, "--model", MODEL)
        assert (code, states(findings)) == (0, {"models": "warn"})
        assert findings["models"]["told"] == f"GET {upstream.base_url}/models -> 404"
        assert "This provider lists no models; name one with --model." in findings["models"]["remedy"]
        assert findings["tool"]["told"] == "get_weather was called, and the model answered"
        code, findings = found(invoke, *flags)
        assert (code, findings["answer"]["state"]) == (0, "warn")
        assert findings["answer"]["told"] == "not made: no model is known"


def test_raw_json_is_never_shown(invoke: Invoke) -> None:
    refused = failure(400, "Model Not Exist", code="model_not_found")
    with ChatServer([refused]) as upstream:
        flags = (
            "--upstream",
            upstream.base_url,
            "--api-key",
            API_KEY,
            "--token",
            SECRET,
            "--model",
            "deepseek-caht",
        )
        code, findings = found(invoke, *flags)
    assert (code, findings["model"]["state"], findings["answer"]["state"]) == (1, "warn", "fail")
    assert "deepseek-caht" in findings["answer"]["told"]
    assert "{" not in findings["answer"]["told"] + findings["answer"]["remedy"]


def test_the_gateway_that_runs_is_asked(invoke: Invoke, running: str) -> None:
    result = invoke("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert result.exit_code == 0, result.output
    port = running.rpartition(":")[2]
    assert re.fullmatch(r"wireloom \S+ \(pid \d+\) answers there", findings["port"]["told"]), port
    assert findings["port"]["state"] == "ok"
    # It was started with settings of its own, which are not those of this shell.
    assert (findings["settings"]["state"], "settings of its own" in findings["settings"]["remedy"]) == (
        "warn",
        True,
    )
    assert findings["ready"]["told"] == "default"
    assert findings["models"]["told"].startswith("demo (")
    assert findings["tool"]["state"] == "ok"


def test_a_gateway_that_does_not_know_the_token(
    invoke: Invoke, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIRELOOM_TOKEN", "another")
    result = invoke("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert (result.exit_code, findings["token"]["state"]) == (1, "fail")
    assert "does not know this token" in findings["token"]["told"]
    assert "tool" not in findings


def test_a_gateway_without_a_list_of_models(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [Turn(tool_calls=[CALL]), Turn(text="Clear.")]
    with (
        ChatServer(turns, models=None) as upstream,
        gateway(upstream=upstream.base_url, api_key=API_KEY) as url,
    ):
        monkeypatch.setenv("WIRELOOM_PORT", url.rpartition(":")[2])
        monkeypatch.setenv("WIRELOOM_TOKEN", KEY)
        result = invoke("doctor", "--json", "--model", MODEL)
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert findings["tool"]["state"] == "ok", result.output


def test_another_release_answers(invoke: Invoke, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireloom.cli.diagnose.doctor_checks.version", lambda _: "9.9")
    findings = {each["name"]: each for each in json.loads(invoke("doctor", "--json").stdout)["findings"]}
    assert (findings["version"]["state"], "9.9 is installed" in findings["version"]["remedy"]) == (
        "warn",
        True,
    )


def test_settings_given_here_are_of_a_gateway_of_its_own(invoke: Invoke, running: str) -> None:
    with ChatServer([Turn(text="a")], models=["mine"]) as upstream:
        result = invoke("doctor", "--json", "--upstream", upstream.base_url, "--api-key", API_KEY)
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert findings["models"]["told"].startswith("mine")


def test_nobody_is_there(invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/v1"
    code, findings = found(invoke, "--upstream", url, "--no-auth")
    assert (code, states(findings)) == (1, {"clients": "warn", "ready": "fail"})
    assert findings["ready"]["told"] == f"GET {url}/models failed"
    assert "connection refused" in findings["ready"]["remedy"]
    assert len(findings["ready"]["remedy"].splitlines()) == 1  # one hint


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
    assert "ready" not in findings  # the same cause is told once
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
