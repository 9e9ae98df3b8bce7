"""The reports of `wireloom check`; tests/contract runs it against deployments."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Invoke
from wireloom.cli import check
from wireloom.cli.check import Bounds, Report, Result

FAILED = Result(
    "createResponse (whole)", "POST /v1/responses", "failed", 1, 0.5, "It is wrong.\nVery <wrong>."
)
RESULTS = [
    Result("health", "GET /health", "passed", 1, 0.25),
    FAILED,
    Result("later", "GET /later", "skipped", told="Not known."),
    Result("metrics", "GET /metrics"),
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def run(*arguments: Any, **more: Any) -> Report:
        calls.append((arguments, more))
        return Report(arguments[0], "the contract", RESULTS if arguments[2] != "good" else RESULTS[:1])

    monkeypatch.setattr(check, "resolve", lambda _: run)
    return calls


def test_words(invoke: Invoke, asked: list[Any]) -> None:
    result = invoke("check", "http://a/v1/", "--token", "k", "--max-requests", "9", "--wide")
    assert result.exit_code == 1
    assert "failed   createResponse (whole)" in result.output
    assert "Very <wrong>." in result.output
    assert result.output.rstrip().endswith("1 passed, 1 failed, 1 skipped, 1 not run")
    (((url, token, model, bounds), more),) = asked
    assert (url, token, model, bounds) == ("http://a", "k", None, Bounds(9, 120.0, 3))
    assert more == {"wide": True, "keyless": False, "seed": 1}


def test_a_pass(invoke: Invoke, asked: list[Any]) -> None:
    result = invoke("check", "http://a", "--model", "good", "--no-auth")
    assert result.exit_code == 0
    assert asked[0][1]["keyless"] is True


def test_programs(invoke: Invoke, asked: list[Any]) -> None:
    report = json.loads(invoke("check", "http://a", "--report", "json").output)
    assert report["ok"] is False
    assert (report["passed"], report["failed"], report["skipped"], report["not run"]) == (1, 1, 1, 1)
    assert report["results"][1]["told"] == FAILED.told


def test_pipelines(invoke: Invoke, asked: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "check.xml"
    result = invoke("check", "http://a", "--report", "junit", "--output", str(file))
    assert result.output == "1 passed, 1 failed, 1 skipped, 1 not run\n"
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


def test_without_the_extra(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "schemathesis", None)
    monkeypatch.delitem(sys.modules, "wireloom.cli.contract_check", raising=False)
    result = invoke("check", "http://a")
    assert result.exit_code == 1
    assert "wireloom[check]" in result.output
