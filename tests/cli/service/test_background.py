"""A gateway in the background: real processes, real files, from `start` to `stop`."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Invoke
from wireloom.cli.service.background import process_of
from wireloom.config.files.service import Service, read_service

SECRET = "canary-upstream-key"


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)
    for child in psutil.Process().children():
        if "--resume" in child.cmdline():
            child.kill()
            child.wait()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the service's files, which is not there yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        monkeypatch.setenv("WIRELOOM_PORT", str(unused.getsockname()[1]))
    return tmp_path / "state" / "wireloom"


def started(invoke: Invoke, *arguments: str) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    found = re.search(r"wireloom runs at (\S+) \(pid \d+\)", result.output)
    assert found, result.output
    return found[1]


def get(url: str, token: str) -> int:
    request = urllib.request.Request(url, headers={"x-api-key": token})
    with urllib.request.urlopen(request) as answer:
        return int(answer.status)


def test_from_start_to_stop(invoke: Invoke, state: Path) -> None:
    url = started(invoke, "start", "--backend", "demo", "--port", "0")
    token = invoke("token").output.strip()
    assert get(f"{url}/v1/models", token) == 200
    assert "It runs already" in invoke("start", "--backend", "demo").output
    told = invoke("status").output
    assert url in told
    assert "--backend" not in told
    files = [state, *state.iterdir(), state.parents[1] / "wireloom" / "config.toml"]
    assert {path.name: path.stat().st_mode & 0o777 for path in files} == {
        "wireloom": 0o700,
        "wireloom.pid": 0o600,
        "wireloom.log": 0o600,
        "wireloom.state.json": 0o600,
        "config.toml": 0o600,
    }
    assert token not in (state / "wireloom.log").read_text()
    assert token not in (state / "wireloom.state.json").read_text()

    assert invoke("stop").output == "Stopped.\n"
    assert not (state / "wireloom.pid").exists()
    assert invoke("stop").output == "It does not run.\n"
    assert invoke("status").exit_code == 1


def test_clients_find_a_service_at_another_port_with_a_token_of_its_own(invoke: Invoke, state: Path) -> None:
    url = started(invoke, "start", "--backend", "demo", "--port", "0", "--token", "mine=k")
    listed = invoke("models")
    assert (listed.exit_code, "demo" in listed.stdout) == (0, True), listed.output
    assert invoke("models", "--port", "1").exit_code == 2
    findings = {each["name"]: each for each in json.loads(invoke("doctor", "--json").stdout)["findings"]}
    assert (findings["tool"]["state"], "answers there" in findings["port"]["told"]) == ("ok", True)
    assert get(f"{url}/v1/models", "k") == 200


def test_a_gateway_in_the_foreground(invoke: Invoke, running: str) -> None:
    told = invoke("status")
    assert told.exit_code == 0
    first, second = told.output.splitlines()
    assert (
        first
        == f"A gateway ({version('wireloom')}) answers at {running}; it was not started by `wireloom start`."
    )
    assert second.split() == ["pid", str(os.getpid())]
    for command in ("start", "serve"):
        refused = invoke(command, "--backend", "demo")
        assert refused.exit_code == 1
        assert (
            f"A gateway answers at {running} already: wireloom {version('wireloom')} (pid {os.getpid()})."
            in refused.stderr
        )
        assert "another port with --port" in refused.stderr


def test_no_gateway_at_all(invoke: Invoke, nobody: str) -> None:
    told = invoke("status")
    assert told.exit_code == 1
    assert told.stderr == (
        f"Error: No gateway was started by `wireloom start`, and none answers at {nobody}. `wireloom start` starts one.\n"
    )


def test_a_start_that_is_refused_keeps_the_settings_of_the_last(
    invoke: Invoke, state: Path, running: str
) -> None:
    assert invoke("start", "--backend", "demo", "--strict").exit_code == 1
    assert not state.exists()


def test_a_restart_has_the_last_settings_and_those_given_over_them(
    invoke: Invoke, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIRELOOM_TOKEN", "mine=k")
    monkeypatch.setenv("DEEPSEEK_API_KEY", SECRET)
    first = started(invoke, "start", "--provider", "deepseek", "--port", "0")
    monkeypatch.delenv("WIRELOOM_TOKEN")
    monkeypatch.delenv("DEEPSEEK_API_KEY")
    second = started(invoke, "restart", "--strict", "--backend", "demo")
    assert first != second
    assert get(f"{second}/v1/models", "k") == 200
    service = read_service(state / "wireloom.state.json")
    assert service is not None
    # A backend of its own takes the provider back, as on one command line.
    assert service.given == {"port": "0", "strict": True, "backend": "demo"}
    assert service.environment["DEEPSEEK_API_KEY"] == SECRET
    told = invoke("status", "--verbose").output
    assert "--strict" in told
    assert SECRET not in told
    process = process_of(service)
    assert process is not None
    assert not any(secret in part for part in process.cmdline() for secret in (SECRET, "mine=k"))


def test_a_restart_that_cannot_be_leaves_the_running_one_alone(invoke: Invoke) -> None:
    url = started(invoke, "start", "--backend", "demo", "--port", "0", "--no-auth")
    refused = invoke("restart", "--heartbeat-seconds", "-1")
    assert refused.exit_code == 2
    assert "--heartbeat-seconds" in refused.output
    assert get(f"{url}/health", "") == 200


def test_a_start_that_fails_says_why(invoke: Invoke, state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke("start", "--backend", "demo", "--no-auth", "--port", str(port))
    assert result.exit_code == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in result.output
    assert invoke("status").exit_code == 1


def test_one_that_was_killed_can_be_started_anew(invoke: Invoke, state: Path) -> None:
    started(invoke, "start", "--backend", "demo", "--port", "0", "--no-auth")
    service = read_service(state / "wireloom.state.json")
    assert service is not None
    process = process_of(service)
    assert process is not None
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], 10)
    assert invoke("status").exit_code == 1
    started(invoke, "restart")


def test_files_elsewhere(invoke: Invoke, tmp_path: Path, state: Path) -> None:
    files = [f"--{name}-file={tmp_path / 'there' / name}" for name in ("pid", "log", "state")]
    started(invoke, "start", "--backend", "demo", "--port", "0", "--no-auth", *files)
    pid = int((tmp_path / "there" / "pid").read_text())
    assert invoke("status", *files).exit_code == 0
    assert invoke("status").exit_code == 1
    assert invoke("stop", *files).output == "Stopped.\n"
    assert not psutil.pid_exists(pid)
    assert not state.exists()


def test_another_process_with_the_number_is_not_ours() -> None:
    born = psutil.Process().create_time()
    assert process_of(Service(pid=os.getpid(), born=born)) is not None
    assert process_of(Service(pid=os.getpid(), born=born - 100)) is None
    assert process_of(Service()) is None


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"a": 1})])
def test_a_state_that_is_none(invoke: Invoke, state: Path, text: str) -> None:
    state.mkdir(parents=True)
    (state / "wireloom.state.json").write_text(text)
    result = invoke("status")
    assert result.exit_code == 2
    assert "--state-file" in result.output


def test_without_a_start_there_is_nothing_to_restart(invoke: Invoke) -> None:
    assert "wireloom start" in invoke("restart").output


def test_tokens(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    assert invoke("token").exit_code == 1
    monkeypatch.setenv("WIRELOOM_TOKEN", "a=k,b=l")
    assert invoke("token").output == "k\n"
    assert invoke("token", "--name", "b").output == "l\n"
    assert "a, b" in invoke("token", "--name", "c").output


def test_in_the_foreground(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[dict[str, object]] = []
    monkeypatch.setattr(
        "wireloom.cli.service.background.serve", lambda given, **files: served.append({**given, **files})
    )
    assert invoke("start", "--foreground", "--backend", "demo", "--pid-file", "p").exit_code == 0
    assert served == [{"backend": "demo", "pid_file": "p", "log_file": None, "state_file": None}]
