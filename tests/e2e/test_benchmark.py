"""The benchmark before the local Codex CLI runs, and its report says what was asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.codex import find_codex

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


def test_a_short_run() -> None:
    few = ["--rounds", "1", "--requests", "3", "--bursts", "1", "--memory", "10", "--only", "wireloom"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "codex", "--codex-bin", find_codex(), *few],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "| figure | unit | bare app-server | wireloom | wireloom, certificates read |" in done.stdout
    assert "at most 3 ms above a bare turn" in done.stdout
    assert "Resident memory of wireloom and its app-server after 1, 5 and 10 requests" in done.stdout
