"""The transcript in the README, run as it stands there."""

import doctest
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dropin import free_port
from tests.support.gateway import variables_of

pytestmark = pytest.mark.e2e

README = Path(__file__).parents[2] / "README.md"
# Both are there already, from the same files: the session `build` of nox installs the wheel alone.
INSTALLED = "pip install"


def transcript() -> list[tuple[str, str]]:
    """Commands of the README's console, each with what it prints."""
    (block,) = re.findall(r"^```console\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    found: list[tuple[str, str]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def test_the_transcript(tmp_path: Path) -> None:
    port, scripts = free_port(), Path(sys.executable).parent
    environment = {
        name: value for name, value in variables_of(tmp_path).items() if not name.startswith("XDG_")
    }
    environment |= {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "WIRELOOM_PORT": str(port),
        "LANG": "C.UTF-8",
    }
    ran = []
    try:
        for command, expected in transcript():
            if command.startswith(INSTALLED):
                continue
            run = subprocess.run(
                ["/bin/bash", "-c", command.replace("4444", str(port))],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            told = run.stdout.replace(str(port), "4444").replace(str(tmp_path), "~")
            assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
            assert run.stderr == "", command
            checker = doctest.OutputChecker()
            assert checker.check_output(expected, told, doctest.ELLIPSIS), f"{command}\n{told}"
            ran.append(command.split()[:2])
    finally:
        left = tmp_path / ".local" / "state" / "wireloom" / "wireloom.pid"
        if left.exists():  # where a command failed, the last one was not reached
            os.kill(int(left.read_text()), signal.SIGKILL)
    assert ["wireloom", "start"] in ran
    assert ["wireloom", "stop"] in ran
