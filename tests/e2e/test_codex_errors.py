"""How often the Codex CLI asks again after an upstream error, and what it shows."""

from pathlib import Path

import httpx
import pytest

from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import Raw, Reply, Turn, failure
from tests.support.codex import Codex
from tests.support.gateway import Gateway
from tests.support.tap import Tap

pytestmark = pytest.mark.e2e

STREAM_TRIES = 6
FEWER_TRIES = ("-c", "model_providers.gateway.stream_max_retries=1")
HTML = {"content-type": "text/html"}
EVENTS = {"content-type": "text/event-stream"}

PERMANENT: dict[str, tuple[Reply, str]] = {
    "400": (failure(400, "reason 4711"), "reason 4711"),
    "401": (failure(401, "reason 4711", code="invalid_api_key"), "reason 4711"),
    "403": (failure(403, "reason 4711", kind="permission_error"), "reason 4711"),
    "404": (failure(404, "reason 4711"), "reason 4711"),
    "404-model": (failure(404, "reason 4711", code="model_not_found"), "reason 4711"),
    "413": (failure(413, "reason 4711"), "reason 4711"),
    "422": (failure(422, "reason 4711"), "reason 4711"),
    "quota": (failure(429, "pay up", code="insufficient_quota", kind="insufficient_quota"), "quota"),
    "balance": (failure(402, "pay up"), "quota"),
    "context": (failure(400, "too long", code="context_length_exceeded"), "context window"),
    "context-in-words": (failure(400, "this model's maximum context length is 8 tokens"), "context window"),
    "overloaded": (failure(503, "busy", kind="server_error"), "at capacity"),
    "overloaded-529": (failure(529, "busy", kind="overloaded_error"), "at capacity"),
    "page": (Raw(b"<html>reason 4711</html>", 404, HTML), "upstream"),
    "page-as-answer": (Raw(b"<html>reason 4711</html>", 200, HTML), "upstream"),
    "garbage": (Raw(b"data: {broken\n\ndata: [DONE]\n\n", 200, EVENTS), "no json"),
    "redirect": (Raw(b"", 307, {"location": "http://127.0.0.1:9/elsewhere"}), "redirect"),
    "filter": (Turn(text="half an ans", finish_reason="content_filter"), "filter"),
    "context-in-stream": (
        Turn(text="half", error={"message": "too long", "code": "context_length_exceeded"}),
        "context window",
    ),
    "quota-in-stream": (
        Turn(text="half", error={"message": "pay up", "code": "insufficient_quota"}),
        "quota",
    ),
}
# Failures that may pass, and a word of what is shown when they do not.
PASSING: dict[str, tuple[Reply, str]] = {
    "429": (
        failure(429, "reason 4711", code="rate_limit_exceeded", headers={"retry-after": "1"}),
        "reason 4711",
    ),
    "429-without-delay": (failure(429, "reason 4711"), "reason 4711"),
    "500": (failure(500, "reason 4711", kind="server_error"), "reason 4711"),
    "502": (failure(502, "reason 4711", kind="server_error"), "reason 4711"),
    "504": (failure(504, "reason 4711", kind="server_error"), "reason 4711"),
    "error-in-stream": (Turn(text="half", error={"message": "reason 4711", "code": 502}), "reason 4711"),
    "cut": (Turn(text="half", ending="cut"), "ended before"),
    "torn": (Turn(text="half", ending="reset"), "connection"),
    "torn-at-once": (Raw(b"", 200, EVENTS, reset=True), "connection"),
    "empty": (Raw(b"data: [DONE]\n\n", 200, EVENTS), "ended before"),
    "page": (Raw(b"<html>reason 4711</html>", 502, HTML), "upstream"),
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


def test_a_wrong_key_of_the_gateway_s_costs_one_request(tmp_path: Path) -> None:
    with ChatServer([]) as server, Gateway(server.base_url, tmp_path, api_key="wrong-key") as gateway:
        with Tap(gateway.base_url) as tap:
            run = Codex(tmp_path / "codex", tap.base_url, gateway.token, MODEL).run("hello")
        asked = httpx.get(
            f"{gateway.base_url}/models",
            headers={"authorization": f"Bearer {gateway.token}", "originator": "codex_exec"},
        )
        chats = len(server.chats)
    assert run.exit_code != 0, run.report
    assert (len(tap.posts("/responses")), chats) == (1, 1), run.report
    assert "refuses the key of --api-key" in run.failure
    assert "wrong-key" not in run.failure
    assert (asked.status_code, asked.headers["x-should-retry"]) == (400, "false")
    assert asked.json()["error"]["code"] == "upstream_authentication"
    assert "upstream_authentication" in gateway.stderr
    assert "wrong-key" not in gateway.stderr


def test_server_error_is_retried_within_bounds(upstream: ChatServer, codex: Codex) -> None:
    upstream.play(lambda _: failure(500, "reason 4711", kind="server_error"))
    run = codex.run("hello")
    assert run.exit_code != 0, run.report
    assert len(upstream.chats) == STREAM_TRIES
    assert "reason 4711" in run.failure


@pytest.mark.parametrize("name", PASSING)
def test_each_try_costs_one_request(name: str, upstream: ChatServer, codex: Codex) -> None:
    """A failure told by its status would be repeated five times within each try."""
    reply, shown = PASSING[name]
    upstream.play(lambda _: reply)
    run = codex.run("hello", *FEWER_TRIES)
    assert run.exit_code != 0, run.report
    assert len(upstream.chats) == 2, run.report
    assert shown in run.failure.lower()


def test_the_delay_is_kept(upstream: ChatServer, codex: Codex) -> None:
    limit = failure(429, "slow down", code="rate_limit_exceeded", headers={"retry-after": "2"})
    upstream.play([limit, Turn(text="here it is")])
    run = codex.run("hello")
    assert (run.exit_code, run.last_message) == (0, "here it is"), run.report
    first, second = upstream.chats
    assert second.started_at - first.started_at >= 2


def test_silent_upstream(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play(lambda _: Turn(text="half", held=True))
    with Gateway(upstream.base_url, tmp_path, "--idle-timeout-seconds", "1", api_key=API_KEY) as gateway:
        codex = Codex(tmp_path / "codex", gateway.base_url, gateway.token, MODEL)
        run = codex.run("hello", *FEWER_TRIES)
    assert run.exit_code != 0, run.report
    assert len(upstream.chats) == 2, run.report
    assert all(exchange.closed_early for exchange in upstream.chats)


def test_unreachable_upstream(tmp_path: Path) -> None:
    with ChatServer([]) as server:
        gone = server.base_url
    with Gateway(gone, tmp_path, api_key=API_KEY) as gateway, Tap(gateway.base_url) as tap:
        run = Codex(tmp_path / "codex", tap.base_url, gateway.token, MODEL).run("hello", *FEWER_TRIES)
    assert run.exit_code != 0, run.report
    assert len(tap.posts("/responses")) == 2, run.report
    assert f"{gone}: connection refused" in run.failure


def test_heartbeats_keep_a_slow_answer_alive(upstream: ChatServer, tmp_path: Path) -> None:
    """The CLI gives a stream up after a second without an event; comments do not count as such."""
    upstream.play([Turn(text="slow but whole", first_byte_seconds=4)])
    with Gateway(upstream.base_url, tmp_path, "--heartbeat-seconds", "0.3", api_key=API_KEY) as gateway:
        codex = Codex(tmp_path / "codex", gateway.base_url, gateway.token, MODEL)
        run = codex.run("hello", "-c", "model_providers.gateway.stream_idle_timeout_ms=1000", *FEWER_TRIES)
    assert (run.exit_code, run.last_message) == (0, "slow but whole"), run.report
    assert len(upstream.chats) == 1


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
