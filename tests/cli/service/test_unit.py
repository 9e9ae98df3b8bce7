"""`wireloom service unit`: a unit that its supervisor takes."""

from __future__ import annotations

import configparser
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke


class Unit(configparser.ConfigParser):
    """A unit's keys have capital letters."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def section(text: str) -> dict[str, str]:
    parser = Unit(interpolation=None, strict=False)
    parser.read_string(text)
    return dict(parser["Service"])


def test_for_systemd(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/bin:/opt/100%/bin")
    flags = (
        "--backend",
        "demo",
        "--agent",
        "--allowed-root",
        "/a b",
        "--allowed-root",
        "/$c",
        "--drain-seconds",
        "20",
    )
    result = invoke("service", "unit", "--systemd", *flags)
    assert result.exit_code == 0, result.output
    service = section(result.output)
    command = shlex.split(service["ExecStart"].replace("$$", "$").replace("%%", "%"))
    assert command[:4] == [sys.executable, "-m", "wireloom", "serve"]
    assert sorted(command[4:]) == sorted(flags)
    assert command[command.index("/a b") - 1] == "--allowed-root"
    assert service["TimeoutStopSec"] == "27"
    assert service["UMask"] == "0077"
    assert 'Environment="PATH=/bin:/opt/100%%/bin"' in result.output


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there")
def test_systemd_takes_it(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "wireloom.service"
    file.write_text(invoke("service", "unit", "--systemd", "--backend", "demo", "--port", "0").output)
    run = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(file)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in run.stderr.splitlines() if "wireloom.service" in line]
    assert complaints == []


def test_for_launchd(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", "/home/<me>")
    result = invoke("service", "unit", "--launchd", "--backend", "demo", "--no-strict")
    unit = plistlib.loads(result.output.encode())
    assert unit["ProgramArguments"][1:] == ["-m", "wireloom", "serve", "--backend", "demo", "--no-strict"]
    assert unit["EnvironmentVariables"]["CODEX_HOME"] == "/home/<me>"
    assert unit["ExitTimeOut"] == 15


def test_keys_do_not_belong_there(invoke: Invoke) -> None:
    result = invoke("service", "unit", "--backend", "demo", "--token", "canary")
    assert result.exit_code == 2
    assert "wireloom init" in result.output
    assert "canary" not in result.output
