"""`wireloom models`: the upstream's models as a table."""

import os
import socket
import subprocess
import sys

import pytest

from tests.cli.conftest import Invoke
from wireloom.cli.diagnose import models


def test_the_demo_model_is_listed(invoke: Invoke) -> None:
    result = invoke("models", "--backend", "demo")
    assert result.exit_code == 0, result.output
    head, row = (line.split() for line in result.stdout.splitlines())
    assert head == ["MODEL", "CONTEXT", "READS", "EFFORTS"]
    assert row[:3] == ["demo", "131,072", "text"]


def test_columns_are_aligned() -> None:
    assert list(models.table([("A", "B", "C"), ("long", "", "x"), ("m", "12", "")])) == [
        "A     B   C",
        "long      x",
        "m     12",
    ]


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
    assert "cannot be reached" in result.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "wireloom", "models", "--backend", "demo"]
    try:
        ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
    finally:
        os.close(write)
    assert (ran.returncode, ran.stderr) == (1, "")
