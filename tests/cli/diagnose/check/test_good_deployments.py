"""No deployment that keeps to the contract is accused, whatever its models are like and however it is set up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.breakages.errors import first
from tests.support.breakages.errors import limited as too_many
from tests.support.breakages.spoiling import RESPOND, Breakage, Spoiling, both, events, put
from tests.support.chat_server import API_KEY, ChatServer
from tests.support.chat_server import MODEL as CHAT_MODEL
from tests.support.responses_server import ResponsesServer
from tests.support.threaded import KEY, gateway
from tests.support.word_models import CHAT_MODELS, RESPONSES_MODELS
from wireloom.cli.diagnose.check.bounds import Bounds
from wireloom.cli.diagnose.check.report import Report, as_words
from wireloom.cli.diagnose.check.run import CASES, Check, Plan
from wireloom.cli.options import Failure


class Clock:
    """A clock that goes on when somebody sleeps, and never else."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def check(
    url: str, plan: Plan, key: str | None = KEY, bounds: Bounds | None = None, clock: Clock | None = None
) -> Report:
    clock = clock or Clock()
    with httpx.Client(base_url=url, timeout=30) as client:
        made = Check(client, key, plan, bounds or Bounds(), clock, clock.sleep)
        made.cases()
        return made.close()


def reasons(report: Report) -> set[str]:
    return {result.told for result in report.results if result.state == "skipped"}


@pytest.fixture(scope="module")
def chat_server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture(scope="module")
def in_front_of_chat(chat_server: ChatServer) -> Iterator[str]:
    with gateway(upstream=chat_server.base_url, api_key=API_KEY) as url:
        yield url


@pytest.fixture(scope="module")
def responses_server() -> Iterator[ResponsesServer]:
    with ResponsesServer() as server:
        yield server


@pytest.fixture(scope="module")
def in_front_of_responses(responses_server: ResponsesServer) -> Iterator[str]:
    with gateway(upstream=responses_server.base_url, api_key=API_KEY, backend="responses") as url:
        yield url


# What is skipped, as there is nothing to look at; every other case has to pass.
SKIPPED: dict[str, set[str]] = {
    "without tools": {"no function", "does not take"},
    "talking": {"no function"},
    "refusing": {"no function", "no summary"},
    "counting nothing": {"do not depend on the input"},
}


@pytest.mark.parametrize("name", CHAT_MODELS)
def test_chat_models(name: str, chat_server: ChatServer, in_front_of_chat: str) -> None:
    chat_server.play(CHAT_MODELS[name])
    assert_good(check(in_front_of_chat, Plan()), SKIPPED.get(name, set()))


@pytest.mark.parametrize("name", RESPONSES_MODELS)
def test_responses_models(name: str, responses_server: ResponsesServer, in_front_of_responses: str) -> None:
    responses_server.play(RESPONSES_MODELS[name])
    assert_good(check(in_front_of_responses, Plan()), SKIPPED.get(name, set()))


def assert_good(report: Report, skipped: set[str]) -> None:
    assert report.ok, as_words(report)
    found = reasons(report)
    assert {part for part in skipped if any(part in told for told in found)} == skipped
    assert all(any(part in told for part in skipped) for told in found), found
    assert report.tokens < Bounds().tokens


# -- how a deployment is set up ----------------------------------------------------------------------------------------


def test_a_gateway_that_asks_for_no_key() -> None:
    with gateway(backend="demo", token={}, no_auth=True) as url:
        on_purpose = check(url, Plan(keyless=True), key=None)
        by_mistake = check(url, Plan())
    assert_good(on_purpose, set())
    failed = {result.operation for result in by_mistake.results if result.state == "failed"}
    assert failed == {case.label for case in CASES if case.keyed}


def test_a_store_on_disk(tmp_path: Path) -> None:
    with gateway(backend="demo", history=f"sqlite:{tmp_path / 'history.sqlite3'}") as url:
        assert_good(check(url, Plan()), set())


def test_one_of_several_backends(chat_server: ChatServer) -> None:
    chat_server.play(CHAT_MODELS["thinking"])
    backends = {"local": {"upstream": chat_server.base_url, "api_key": API_KEY}, "show": {"backend": "demo"}}
    with gateway(backends=backends) as url:
        assert_good(check(url, Plan(backend="local")), set())
        assert {each.body["model"] for each in chat_server.chats if each.body} >= {CHAT_MODEL}
        asked = len(chat_server.chats)
        assert_good(check(url, Plan(backend="show", model="demo")), set())
        assert len(chat_server.chats) == asked
        with pytest.raises(Failure, match="no model other/"):
            check(url, Plan(backend="other"))


def test_a_key_that_opens_one_model() -> None:
    keys = {"narrow": {"key": KEY, "models": ["demo"]}}
    with gateway(backend="demo", token={}, keys=keys) as url:
        assert_good(check(url, Plan()), set())


def test_a_model_under_another_name(chat_server: ChatServer) -> None:
    chat_server.play(CHAT_MODELS["choosy"])
    with gateway(upstream=chat_server.base_url, api_key=API_KEY, model_map={"alias": CHAT_MODEL}) as url:
        assert_good(check(url, Plan(model="alias")), set())


def test_a_store_that_keeps_nothing(good_url: str, transport: httpx.HTTPTransport) -> None:
    """Where the answers say so, nothing that is stored is looked at."""
    nothing = Breakage(
        "", "", "", "", RESPOND, both(put(store=False), events("response.completed", unstored))
    )
    with httpx.Client(base_url=good_url, transport=Spoiling(nothing, transport)) as client:
        made = Check(client, KEY, Plan(), Bounds(), Clock(), Clock().sleep)
        made.cases()
        report = made.close()
    assert_good(report, {"stores nothing"})


def unstored(event: dict[str, Any]) -> None:
    event["response"]["store"] = False


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_key_with_a_limit_that_is_soon_over(good_url: str, transport: httpx.HTTPTransport) -> None:
    clock = Clock()
    limited = Breakage("", "", "", "", RESPOND, first(too_many("3")))
    with httpx.Client(base_url=good_url, transport=Spoiling(limited, transport)) as client:
        made = Check(client, KEY, Plan(), Bounds(), clock, clock.sleep)
        made.cases()
        report = made.close()
    assert_good(report, set())
    assert clock.slept == [3.0]


def test_a_key_with_a_limit_that_stays() -> None:
    """What could not be looked at is no fault, and no pass."""
    keys = {"limited": {"key": KEY, "requests_per_minute": 20}}
    with gateway(backend="demo", token={}, keys=keys) as url:
        report = check(url, Plan())
    assert not report.ok
    assert report.counts["failed"] == 0
    assert report.counts["passed"] > 10
    assert "refused with 429 (rate_limit_exceeded)" in as_words(report)


def test_the_bound_of_tokens_is_kept(good_url: str) -> None:
    report = check(good_url, Plan(), bounds=Bounds(tokens=700))
    assert not report.ok
    assert report.counts["failed"] == 0
    assert 0 < report.tokens <= 700
    assert "--max-tokens 700" in as_words(report)


def test_the_bound_of_requests_is_kept(good_url: str) -> None:
    report = check(good_url, Plan(), bounds=Bounds(requests=12))
    assert report.requests == 12
    assert not report.ok
    assert "--max-requests 12 is reached" in as_words(report)


def test_the_bound_of_seconds_is_kept(good_url: str) -> None:
    clock = count()
    with httpx.Client(base_url=good_url) as client:
        made = Check(client, KEY, Plan(), Bounds(seconds=100), lambda: float(next(clock)), lambda _: None)
        made.cases()
        report = made.close()
    assert not report.ok
    assert report.counts["failed"] == 0, as_words(report)
    assert report.counts["not run"] > 10
    assert "--max-seconds 100 is reached" in as_words(report)
