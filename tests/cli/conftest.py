"""The command line of a user who has configured nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wireloom.cli import wireloom

Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WIRELOOM_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def invoke() -> Invoke:
    """Return a function that runs the command line in this process."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(wireloom, arguments, prog_name="wireloom")

    return run
