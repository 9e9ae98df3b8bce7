"""`wireloom logs`: real files, from a gateway that writes them."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Invoke
from tests.cli.process import Wireloom

REQUEST = {
    "level": "INFO",
    "logger": "wireloom.request",
    "message": "words",
    "request_id": "req_1",
    "operation": "listModels",
    "status": 200,
    "outcome": "ok",
    "ms": {"total": 3.2},
    "time": "2026-11-29T06:49:19Z",
}


@pytest.fixture(autouse=True)
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nobody: str) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "state" / "wireloom" / "wireloom.log"
    path.parent.mkdir(parents=True)
    return path


def request(number: int) -> str:
    return json.dumps({**REQUEST, "request_id": f"req_{number}"}) + "\n"


def test_the_last_lines(invoke: Invoke, log: Path) -> None:
    log.write_text("wireloom listening on http://a\n" + "".join(map(request, range(60))) + '{"half')
    shown = invoke("logs").stdout.splitlines()
    assert (len(shown), shown[0].split()[-1], shown[-1].split()[-1]) == (50, "req_10", "req_59")
    assert shown[-1].split()[1:4] == ["200", "GET", "/v1/models"]
    assert "\x1b" not in invoke("logs").stdout
    assert invoke("logs", "-n", "100").stdout.splitlines()[0] == "wireloom listening on http://a"
    assert invoke("logs", "-n", "1", "--json").stdout == request(59)
    assert invoke("logs", "-n", "0").stdout == ""
    elsewhere = log.with_name("other.log")
    elsewhere.write_text("there\n")
    assert invoke("logs", "--log-file", str(elsewhere)).stdout == "there\n"


def test_there_is_none(invoke: Invoke, log: Path) -> None:
    result = invoke("logs")
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: There is no log at {log} yet. `wireloom start` writes one.\n",
    )


def test_a_gateway_in_the_foreground_logs_elsewhere(invoke: Invoke, log: Path, running: str) -> None:
    said = f"The gateway at {running} was not started by `wireloom start`: its log goes to its terminal"
    result = invoke("logs")
    assert (result.exit_code, said in result.stderr) == (1, True)
    log.write_text("old\n")
    result = invoke("logs")
    assert (result.exit_code, result.stdout, said in result.stderr) == (0, "old\n", True)
    assert "the log of the last `wireloom start`" in result.stderr


@pytest.fixture
def following(log: Path) -> Iterator[Wireloom]:
    log.write_text("first\n")
    with Wireloom("logs", "-f", "-n", "1") as process:
        process.wait_for("stdout", "first")
        yield process


def test_it_follows_also_into_the_next_file(log: Path, following: Wireloom) -> None:
    with log.open("a") as file:
        file.write("half ")
        file.flush()
        file.write("a line\n")
    following.wait_for("stdout", "half a line")
    log.rename(log.with_name("wireloom.log.1"))
    log.write_text("anew\n")
    following.wait_for("stdout", "anew")
    log.write_text("")
    log.write_text("cut\n")
    following.wait_for("stdout", "cut")
    assert following.interrupt(signal.SIGINT) == 0
    assert following.stderr == ""


def test_the_log_of_a_gateway(log: Path, following: Wireloom) -> None:
    with Wireloom(
        "serve", "--backend", "demo", "--port", "0", "--no-auth", "--log-file", str(log)
    ) as gateway:
        with urllib.request.urlopen(f"{gateway.url()}/v1/models"):
            pass
        following.wait_for("stdout", "200 GET /v1/models")
    last = following.stdout.splitlines()[-1]
    assert last == click.unstyle(last)
