"""The command `wireloom check` and its reports; tests/cli/check has the rules, tests/contract runs the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Invoke
from tests.support.threaded import KEY, gateway
from wireloom.cli.diagnose.check import command
from wireloom.cli.diagnose.check.bounds import Bounds
from wireloom.cli.diagnose.check.report import MOST_SENTENCES, Report, Result, joined, summary
from wireloom.cli.diagnose.check.run import Plan
from wireloom.cli.lazy import resolve
from wireloom.config.extras import install_command

FAILED = Result(
    "createResponse (whole)", "POST /v1/responses", "failed", 1, 0.5, "It is wrong.\nVery <wrong>."
)
RESULTS = [
    Result("health", "GET /health", "passed", 1, 0.25),
    FAILED,
    Result("later", "GET /later", "skipped", told="Not known."),
    Result("metrics", "GET /metrics"),
]
SUMMARY = "1 passed, 1 failed, 1 skipped, 1 not run; 7 requests, 300 tokens, 1.5 s"


class Scripted:
    """In place of a check; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.fuzzed: dict[str, Any] | None = None
        self.results = RESULTS

    def make(self, client: Any, key: str | None, plan: Plan, bounds: Bounds, *_: Any) -> Any:
        self.asked = {"url": str(client.base_url), "key": key, "plan": plan, "bounds": bounds}
        report = Report(str(client.base_url), "the contract", self.results, ["It differs."], 7, 300, 1.5)
        return SimpleNamespace(cases=lambda: None, close=lambda: report)

    def fuzz(self, _: Any, **more: Any) -> None:
        self.fuzzed = more


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    check = Scripted()
    instead = {
        "wireloom.cli.diagnose.check.run:Check": check.make,
        "wireloom.cli.diagnose.check.fuzz:run": check.fuzz,
    }
    monkeypatch.setattr(command, "resolve", lambda path: instead.get(path) or resolve(path))
    return check


def test_words(invoke: Invoke, scripted: Scripted) -> None:
    result = invoke(
        "check", "http://a/v1/", "--token", "k", "--max-requests", "9", "--wide", "--face", "chat"
    )
    assert result.exit_code == 1
    assert "failed   createResponse (whole)" in result.output
    assert "Very <wrong>." in result.output
    assert "  It differs." in result.output
    assert result.output.rstrip().endswith(SUMMARY)
    assert scripted.asked == {
        "url": "http://a",
        "key": "k",
        "plan": Plan(face="chat"),
        "bounds": Bounds(requests=9),
    }
    assert scripted.fuzzed == {"wide": True, "examples": 3, "number": 1}


def test_a_pass(invoke: Invoke, scripted: Scripted) -> None:
    scripted.results = RESULTS[:1]
    flags = (
        "--no-auth",
        "--no-fuzz",
        "--served-contract",
        "--backend",
        "b",
        "--max-tokens",
        "5",
        "--model",
        "m",
    )
    result = invoke("check", "http://a", *flags)
    assert result.exit_code == 0
    assert scripted.asked["plan"] == Plan(model="m", backend="b", served=True, keyless=True)
    assert scripted.asked["bounds"] == Bounds(tokens=5)
    assert scripted.fuzzed is None


@pytest.mark.parametrize("results", [[], [Result("later", "", "skipped")]])
def test_nothing_is_no_pass(results: list[Result], invoke: Invoke, scripted: Scripted) -> None:
    scripted.results = results
    assert invoke("check", "http://a").exit_code == 1


def test_programs(invoke: Invoke, scripted: Scripted) -> None:
    report = json.loads(invoke("check", "http://a", "--report", "json").output)
    assert report["ok"] is False
    assert (report["passed"], report["failed"], report["skipped"], report["not run"]) == (1, 1, 1, 1)
    assert (report["requests"], report["tokens"], report["seconds"]) == (7, 300, 1.5)
    assert report["results"][1]["told"] == FAILED.told


def test_pipelines(invoke: Invoke, scripted: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "check.xml"
    result = invoke("check", "http://a", "--report", "junit", "--output", str(file))
    assert result.output == f"{SUMMARY}\n"
    suite = ElementTree.parse(file).getroot()
    assert {name: suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert (failure.attrib["message"], failure.text) == ("It is wrong.", FAILED.told)


def test_what_is_said_often_is_cut() -> None:
    sentences = [f"{number}" for number in range(MOST_SENTENCES + 3)]
    assert joined([*sentences, *sentences]).splitlines()[-1] == "and 3 more"
    assert joined(["a", "a"]) == "a"
    assert summary(Report("u", "c")).startswith("nothing was looked at")


def test_without_the_extra(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "schemathesis", None)
    monkeypatch.delitem(sys.modules, "wireloom.cli.diagnose.check.fuzz", raising=False)
    result = invoke("check", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Generated requests need the extra check: {install_command('check')}\n"
        "Without it: wireloom check --no-fuzz URL\n"
    )


def test_a_deployment_without_the_extra(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "schemathesis", None)
    monkeypatch.setenv("WIRELOOM_TOKEN", KEY)
    with gateway(backend="demo") as url:
        result = invoke("check", url, "--no-fuzz")
    assert result.exit_code == 0, result.output
    assert "held to the contract of this release" in result.output


def test_nobody_is_there(invoke: Invoke) -> None:
    result = invoke("check", "http://127.0.0.1:9", "--no-fuzz")
    assert result.exit_code == 1
    assert "http://127.0.0.1:9 cannot be reached" in result.output


def test_help_has_examples(invoke: Invoke) -> None:
    shown = " ".join(invoke("check", "--help").output.split())
    for words in (
        "Examples:",
        "--served-contract",
        "--max-tokens",
        "--backend",
        "--face",
        "pip install '.[check]'",
    ):
        assert words in shown
