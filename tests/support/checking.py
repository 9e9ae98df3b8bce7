"""`wireloom check` as a process, and how often the tests run it against what is good."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.gateway import Gateway, variables_of
from wireloom.cli.diagnose.check.bounds import Bounds

Json = dict[str, Any]
RUNS = int(os.environ.get("WIRELOOM_CHECK_RUNS", "1"))
# Generated requests cost most of the time: one test of a plain run sends them, and every run of `nox -s false_alarms`.
FUZZ = () if RUNS > 1 else ("--no-fuzz",)


def check(url: str, home: Path, *flags: str, token: str | None) -> subprocess.CompletedProcess[str]:
    """Check the deployment at ``url``."""
    variables = variables_of(home) | ({} if token is None else {"WIRELOOM_TOKEN": token})
    command = [sys.executable, "-m", "wireloom", "check", url, *flags]
    return subprocess.run(
        command, env=variables, cwd=home, capture_output=True, text=True, timeout=300, check=False
    )


def report_of(ran: subprocess.CompletedProcess[str]) -> Json:
    """Return the report of a run with ``--report json``."""
    made: Json = json.loads(ran.stdout)
    return made


def find_good(
    gateway: Gateway, home: Path, *flags: str, skipped: Iterable[str] = (), fuzz: Iterable[str] = FUZZ
) -> Json:
    """Check a good gateway as often as this run of the tests says, each time with another seed.

    ``skipped`` are the cases that have nothing to look at. Returns the last report; raises ``AssertionError`` for the
    first run that accuses the gateway of something, or passes the default bounds.
    """
    for seed in range(1, RUNS + 1):
        ran = check(
            gateway.root_url,
            home,
            "--report",
            "json",
            "--seed",
            str(seed),
            *fuzz,
            *flags,
            token=gateway.token,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        report = report_of(ran)
        assert (report["failed"], report["not run"]) == (0, 0)
        found = {each["operation"] for each in report["results"] if each["state"] == "skipped"}
        assert found == set(skipped)
        assert 0 < report["tokens"] <= Bounds().tokens
        assert report["seconds"] <= Bounds().seconds
        assert report["requests"] <= Bounds().requests
        print(
            f"run {seed}: {report['requests']} requests, {report['tokens']} tokens, {report['seconds']:.1f} s"
        )
    return report
