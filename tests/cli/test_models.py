"""`wireloom models`: the upstream's models as a table."""

import socket

from tests.cli.conftest import Invoke
from wireloom.cli import models


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
