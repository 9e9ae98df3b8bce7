"""How often the Codex CLI asks again after an upstream error, and what it shows."""

from pathlib import Path

import pytest

from tests.support.chat_server import MODEL, ChatServer
from tests.support.chat_turns import Raw, Turn, failure
from tests.support.codex import Codex
from tests.support.gateway import Gateway
from tests.support.tap import Tap

pytestmark = pytest.mark.e2e

STREAM_TRIES = 6

PERMANENT = {
    "400": (failure(400, "reason 4711"), "reason 4711"),
    "401": (failure(401, "reason 4711", code="invalid_api_key"), "reason 4711"),
    "403": (failure(403, "reason 4711", kind="permission_error"), "reason 4711"),
    "404": (failure(404, "reason 4711"), "reason 4711"),
    "404-model": (failure(404, "reason 4711", code="model_not_found"), "reason 4711"),
    "413": (failure(413, "reason 4711"), "reason 4711"),
    "422": (failure(422, "reason 4711"), "reason 4711"),
    "quota": (failure(429, "pay up", code="insufficient_quota", kind="insufficient_quota"), "quota"),
    "context": (failure(400, "too long", code="context_length_exceeded"), "context window"),
}


@pytest.fixture
def codex(tmp_path: Path, gateway: Gateway) -> Codex:
    return Codex(tmp_path, gateway.base_url, gateway.token, MODEL)


@pytest.mark.parametrize("name", PERMANENT)
def test_permanent_error_costs_one_request(name: str, upstream: ChatServer, codex: Codex) -> None:
    reply, shown = PERMANENT[name]
    upstream.play(lambda _: reply)
    run = codex.run("hello")
    assert run.exit_code != 0, run.report
    assert len(upstream.chats) == 1, run.report
    assert shown in run.failure.lower()


def test_wrong_token_is_refused_once(upstream: ChatServer, gateway: Gateway, tmp_path: Path) -> None:
    with Tap(gateway.base_url) as tap:
        run = Codex(tmp_path, tap.base_url, "wrong", MODEL).run("hello")
    assert run.exit_code != 0, run.report
    assert len(tap.posts("/responses")) == 1, run.report
    assert "key" in run.failure
    assert upstream.exchanges == []


def test_server_error_is_retried_within_bounds(upstream: ChatServer, codex: Codex) -> None:
    upstream.play(lambda _: failure(500, "reason 4711", kind="server_error"))
    run = codex.run("hello")
    assert run.exit_code != 0, run.report
    assert 1 <= len(upstream.chats) <= STREAM_TRIES
    assert "reason 4711" in run.failure


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(
            failure(
                429, "slow down", code="rate_limit_exceeded", kind="requests", headers={"retry-after": "1"}
            ),
            id="429",
        ),
        pytest.param(failure(500, "a hiccup", kind="server_error"), id="500"),
        pytest.param(Turn(text="half an ans", ending="reset"), id="torn-stream"),
    ],
)
def test_passing_error_is_overcome(first: Raw | Turn, upstream: ChatServer, codex: Codex) -> None:
    upstream.play([first, Turn(text="here it is")])
    run = codex.run("hello")
    assert (run.exit_code, run.last_message) == (0, "here it is"), run.report
