"""The command line of a user who has configured nothing."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.threaded import KEY, gateway
from wireloom.cli import wireloom

Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WIRELOOM_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the settings name an address at which no gateway is; return it."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("WIRELOOM_PORT", str(port))
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A gateway with the scripted model, at the address and with the token of the settings; yields its address."""
    with gateway(backend="demo") as url:
        monkeypatch.setenv("WIRELOOM_PORT", url.rpartition(":")[2])
        monkeypatch.setenv("WIRELOOM_TOKEN", KEY)
        yield url


@pytest.fixture
def invoke() -> Invoke:
    """Return a function that runs the command line in this process."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(wireloom, arguments, prog_name="wireloom")

    return run
