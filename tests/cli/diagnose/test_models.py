"""`wireloom models`: the upstream's models as a table."""

import os
import socket
import subprocess
import sys

import pytest

from tests.cli.conftest import Invoke
from tests.support.chat_server import API_KEY, ChatServer
from wireloom.cli.diagnose import models


def test_the_demo_model_is_listed(invoke: Invoke) -> None:
    result = invoke("models", "--backend", "demo")
    assert result.exit_code == 0, result.output
    head, row = (line.split() for line in result.stdout.splitlines())
    assert head == ["MODEL", "CONTEXT", "INPUT", "EFFORTS"]
    assert row[:3] == ["demo", "131,072", "text"]


def test_columns_are_aligned() -> None:
    assert list(models.table([("A", "B", "C"), ("long", "", "x"), ("m", "12", "")])) == [
        "A     B   C",
        "long      x",
        "m     12",
    ]


def test_the_gateway_that_runs_is_asked(invoke: Invoke, running: str) -> None:
    result = invoke("models")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1].split()[:2] == ["demo", "131,072"]


def test_its_token_is_needed(invoke: Invoke, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRELOOM_TOKEN", "another")
    assert invoke("models").stderr == (
        f"Error: The gateway at {running} does not know this token. Set WIRELOOM_TOKEN to the one that it has.\n"
    )
    monkeypatch.delenv("WIRELOOM_TOKEN")
    said = invoke("models")
    assert said.exit_code == 1
    assert f"The gateway at {running} asks clients for a token, and none is set here" in said.stderr


def test_an_upstream_that_is_named_is_asked_itself(invoke: Invoke, running: str) -> None:
    with ChatServer(models=["mine"]) as upstream:
        result = invoke("models", "--upstream", upstream.base_url, "--api-key", API_KEY)
    assert "mine" in result.stdout
    assert "demo" not in result.stdout


def test_without_a_gateway_the_upstream_is_asked(
    invoke: Invoke, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("models").stderr.startswith(
        f"Error: No gateway answers at {nobody}.\nThere is nothing to answer"
    )
    monkeypatch.setenv("WIRELOOM_BACKEND", "demo")
    result = invoke("models")
    assert (result.exit_code, "demo" in result.stdout) == (0, True)
    assert result.stderr == f"No gateway answers at {nobody}. The upstream itself was asked.\n"
    assert invoke("models", "--port", "0").stderr.startswith("No gateway has a fixed port here.")


def test_a_provider_that_lists_no_models(invoke: Invoke) -> None:
    with ChatServer(models=None) as upstream:
        result = invoke("models", "--upstream", upstream.base_url, "--api-key", API_KEY)
    assert result.exit_code == 1
    assert result.stderr.rstrip().endswith("This provider lists no models; name one with --model.")


def test_an_upstream_that_is_not_there(invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    result = invoke("models", "--upstream", f"http://127.0.0.1:{port}/v1")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("variables", "warned"),
    [({}, True), ({"DEEPSEEK_API_KEY": "k"}, False), ({"WIRELOOM_API_KEY": "k"}, False)],
)
def test_a_key_that_is_missing_is_told(
    variables: dict[str, str], invoke: Invoke, monkeypatch: pytest.MonkeyPatch, *, warned: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    result = invoke("models", "--provider", "deepseek", "--upstream", f"http://127.0.0.1:{port}/v1")
    assert ("Warning: DEEPSEEK_API_KEY is not set" in result.stderr) is warned
    assert result.exit_code == 1


def test_a_reader_that_leaves_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "wireloom", "models", "--backend", "demo"]
    try:
        ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
    finally:
        os.close(write)
    assert (ran.returncode, ran.stderr) == (1, "")
