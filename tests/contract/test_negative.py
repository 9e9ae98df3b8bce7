"""What breaks the contract is refused by name, without a word of what it said, and does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.bad_inputs import (
    ALL,
    CANARY,
    CHAT_ALL,
    CHAT_GOOD,
    GOOD,
    JSON_TYPE,
    LIMIT_MB,
    LONGEST,
    Bad,
)
from tests.contract.varied_upstream import API_KEY, VariedUpstream
from tests.support.gateway import Gateway

pytestmark = pytest.mark.contract

SECONDS = 30.0
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def small_gateway(
    varied_upstream: VariedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that reads small bodies only, so that large ones are cheap to make."""
    home: Path = tmp_path_factory.mktemp("small")
    flags = ("--max-body-mb", str(LIMIT_MB), "--log-level", "debug")
    with Gateway(varied_upstream.base_url, home, *flags, api_key=API_KEY) as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr
    assert CANARY not in process.stderr


@pytest.fixture(scope="module")
def client(small_gateway: Gateway) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {small_gateway.token}"}
    with httpx.Client(base_url=small_gateway.root_url, headers=headers, timeout=SECONDS) as client:
        yield client


@pytest.mark.parametrize("bad", ALL, ids=lambda bad: bad.name)
def test_bad_inputs_are_refused_by_name(bad: Bad, client: httpx.Client) -> None:
    refuse("/v1/responses", bad, client)


@pytest.mark.parametrize("bad", CHAT_ALL, ids=lambda bad: bad.name)
def test_bad_chat_inputs_are_refused_by_name(bad: Bad, client: httpx.Client) -> None:
    refuse(CHAT, bad, client)


def refuse(path: str, bad: Bad, client: httpx.Client) -> None:
    response = client.post(path, content=bad.body, headers=bad.headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (bad.status, bad.code, bad.param), error
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code"}
    assert 0 < len(error["message"]) <= LONGEST
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"].startswith("req_")
    assert CANARY not in response.text
    assert CANARY not in str(response.headers)
    assert client.get("/health").status_code == 200


def test_a_large_body_of_unknown_length_is_refused(client: httpx.Client) -> None:
    parts = (b" " * 2**16 for _ in range(LIMIT_MB * 2**5))
    response = client.post("/v1/responses", content=parts, headers=JSON_TYPE)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")
    assert client.get("/health").status_code == 200


def test_names_of_bad_inputs_differ() -> None:
    assert len({bad.name for bad in ALL}) == len(ALL) >= 60
    assert len({bad.name for bad in CHAT_ALL}) == len(CHAT_ALL) >= 100


@pytest.mark.parametrize(
    "body", [GOOD, b'{"model": "m", "input": "\\ud83d\\ude00", "unheard_of": {"a": [1]}}']
)
def test_good_inputs_are_answered(body: bytes, client: httpx.Client) -> None:
    assert client.post("/v1/responses", content=body, headers=JSON_TYPE).status_code == 200


@pytest.mark.parametrize("more", [b"", b', "unheard_of": {"a": [1]}', b', "tools": [{"type": "vendor"}]'])
def test_good_chat_inputs_are_answered(more: bytes, client: httpx.Client) -> None:
    body = CHAT_GOOD[:-1] + more + b"}"
    assert client.post(CHAT, content=body, headers=JSON_TYPE).status_code == 200


def test_nothing_bad_went_upstream(client: httpx.Client, varied_upstream: VariedUpstream) -> None:
    before = len(varied_upstream.bodies)
    for bad in ALL:
        client.post("/v1/responses", content=bad.body, headers=bad.headers)
    for bad in CHAT_ALL:
        client.post(CHAT, content=bad.body, headers=bad.headers)
    assert len(varied_upstream.bodies) == before
