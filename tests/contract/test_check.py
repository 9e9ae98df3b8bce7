"""`wireloom check` as a pipeline runs it: against real deployments that keep to the contract, and against some that lie."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from wireloom_protocol.operations import OPERATIONS as SERVED

from tests.contract.varied_upstream import API_KEY, MODEL, VariedUpstream, turn_for
from tests.support import breakages, chat_server, responses_server
from tests.support.breakages.proxy import spoiling
from tests.support.breakages.spoiling import Breakage
from tests.support.chat_turns import Json, Turn
from tests.support.checking import check, find_good, report_of
from tests.support.gateway import Gateway, variables_of
from tests.support.word_models import plain, respond
from wireloom.cli.diagnose.acceptance import acceptable
from wireloom.cli.diagnose.check.cases import base, responses

pytestmark = pytest.mark.contract


def test_good_demonstration(tmp_path: Path) -> None:
    """Everything is looked at, with generated requests too, and nothing stays behind in the store."""
    with Gateway(None, tmp_path, "--backend", "demo", "--history", "sqlite") as gateway:
        report = find_good(gateway, tmp_path, fuzz=())
        listed = subprocess.run(
            [sys.executable, "-m", "wireloom", "history", "ls"],
            env=variables_of(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
    assert {result["operation"].partition(" ")[0] for result in report["results"]} == {
        operation for _, _, operation, _ in SERVED
    }
    assert report["contract"].startswith("held to the contract of this release")
    assert report["differs"] == []
    assert "resp_" not in listed.stdout
    assert "conv_" not in listed.stdout


def test_good_chat_upstream(tmp_path: Path) -> None:
    with chat_server.ChatServer(plain) as upstream:
        with Gateway(upstream.base_url, tmp_path, api_key=chat_server.API_KEY) as gateway:
            find_good(gateway, tmp_path)
            served = ("--served-contract", "--face", "chat", "--no-fuzz")
            assert check(gateway.root_url, tmp_path, *served, token=gateway.token).returncode == 0


def test_good_responses_upstream(tmp_path: Path) -> None:
    with responses_server.ResponsesServer(respond) as upstream:
        flags = ("--upstream-wire", "responses")
        key = responses_server.API_KEY
        with Gateway(upstream.base_url, tmp_path, *flags, api_key=key) as gateway:
            find_good(gateway, tmp_path)


QUESTIONS = (base.WORD, base.LONG, base.TOOL_TASK, responses.QUESTION)


def sober(body: Json, number: int) -> Turn:
    """Answer the cases' own questions as a model does, and generated requests in every form there is."""
    asked = json.dumps(body["messages"])
    if any(question in asked for question in QUESTIONS):
        return plain(body)
    turn = turn_for(body, number)
    # A turn that is cut after a few words contradicts the high limits that generated requests set.
    return replace(turn, finish_reason="stop") if turn.finish_reason == "length" else turn


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with VariedUpstream(sober) as upstream:
        home = tmp_path_factory.mktemp("varied")
        with Gateway(upstream.base_url, home, "--log-level", "warning", api_key=API_KEY) as gateway:
            yield gateway


def test_all_that_the_contract_allows(varied: Gateway, tmp_path: Path) -> None:
    bounds = ("--max-requests", "1000", "--max-seconds", "300", "--max-tokens", "1000000")
    written = ("--report", "junit", "--output", "check.xml")
    flags = ("--wide", "--examples", "8", "--model", MODEL, *bounds, *written)
    ran = check(varied.root_url, tmp_path, *flags, token=varied.token)
    assert ran.returncode == 0, (tmp_path / "check.xml").read_text()
    suite = ElementTree.parse(tmp_path / "check.xml").getroot()
    assert suite.attrib["failures"] == suite.attrib["errors"] == "0"
    assert int(suite.attrib["tests"]) == len(suite) > 90


def test_bounds(varied: Gateway, tmp_path: Path) -> None:
    ran = check(
        varied.root_url, tmp_path, "--max-requests", "4", "--no-fuzz", "--model", MODEL, token=varied.token
    )
    assert ran.returncode == 1
    assert "not run" in ran.stdout
    assert "--max-requests" in ran.stdout


def test_a_wrong_key_is_a_failure(varied: Gateway, tmp_path: Path) -> None:
    ran = check(varied.root_url, tmp_path, "--no-fuzz", "--model", MODEL, token="other")
    assert ran.returncode == 1
    assert "refused with 401" in ran.stdout
    assert "failed   createResponse (whole)" in ran.stdout


def test_a_gateway_that_lets_everybody_in(tmp_path: Path) -> None:
    with Gateway(None, tmp_path, "--backend", "demo", token=None) as gateway:
        open_by_mistake = check(gateway.root_url, tmp_path, "--face", "chat", token="k")
        on_purpose = check(gateway.root_url, tmp_path, "--no-auth", "--no-fuzz", token=None)
    assert open_by_mistake.returncode == 1
    assert "failed   listModels (no key)" in open_by_mistake.stdout
    assert "without authentication" in open_by_mistake.stdout
    assert on_purpose.returncode == 0, on_purpose.stdout


def named(name: str) -> Breakage:
    return next(each for each in breakages.BREAKAGES if str(each) == name)


@pytest.mark.parametrize(
    "name",
    [
        "responses stream: deltas of another item",
        "responses state: a stored response is lost",
        "chat: two finish_reasons",
        "errors and headers: 404 becomes 500",
    ],
)
def test_a_deployment_that_lies(name: str, varied: Gateway, tmp_path: Path) -> None:
    """The whole check, over sockets: the case that looks at it fails, and what has nothing to do with it passes."""
    breakage = named(name)
    with spoiling(varied.root_url, breakage) as url:
        flags = ("--no-fuzz", "--report", "json", "--model", MODEL)
        ran = check(url, tmp_path, *flags, token=varied.token)
    assert ran.returncode == 1, ran.stdout
    results = {result["operation"]: result for result in report_of(ran)["results"]}
    assert results[breakage.case]["state"] == "failed"
    assert results["health"]["state"] == results["listModels (no key)"]["state"] == "passed"
    assert report_of(ran)["passed"] > len(results) * 0.6


def test_generated_requests_find_it_too(varied: Gateway, tmp_path: Path) -> None:
    flags = ("--face", "chat", "--report", "json", "--model", MODEL)
    with spoiling(varied.root_url, named("chat: no [DONE]")) as url:
        ran = check(url, tmp_path, *flags, token=varied.token)
    states = {result["operation"]: result["state"] for result in report_of(ran)["results"]}
    assert states["createChatCompletion (fuzzed, streamed)"] == "failed"
    assert states["createChatCompletion (fuzzed, whole)"] == "passed"


def test_nobody_is_there(tmp_path: Path) -> None:
    ran = check("http://127.0.0.1:9", tmp_path, "--no-fuzz", token="k")
    assert ran.returncode == 1
    assert "cannot be reached" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_what_may_be_refused() -> None:
    assert acceptable(404, {"code": "not_found", "param": "response_id"}, {})
    assert acceptable(400, {"code": "unsupported_parameter", "param": "background"}, {})
    assert not acceptable(500, {"code": "not_found", "param": "response_id"}, {})
    assert not acceptable(400, {"code": "invalid_value", "param": "input"}, {})
