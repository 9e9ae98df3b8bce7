"""One gateway process and one scripted upstream for all end-to-end tests."""

from collections.abc import Iterator

import pytest

from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.codex import CLASSIC_MODEL, CODE_MODEL
from tests.support.gateway import Gateway


@pytest.fixture(scope="session")
def chat_server() -> Iterator[ChatServer]:
    with ChatServer([]) as server:
        yield server


@pytest.fixture(scope="session")
def gateway(chat_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    with Gateway(chat_server.base_url, home, api_key=API_KEY) as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr


@pytest.fixture(scope="session")
def mapped_gateway(chat_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Yield a gateway that serves the scripted model under names that the Codex CLI knows."""
    home = tmp_path_factory.mktemp("mapped-gateway")
    names = ",".join(f"{name}:{MODEL}" for name in (CLASSIC_MODEL, CODE_MODEL))
    with Gateway(chat_server.base_url, home, "--model-map", names, api_key=API_KEY) as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr


@pytest.fixture
def upstream(chat_server: ChatServer, gateway: Gateway) -> Iterator[ChatServer]:
    """Yield the upstream with an empty script; afterwards it must have nothing to complain about.

    What the gateway logged meanwhile is printed, so that pytest shows it when the test fails.
    """
    logged = len(gateway.stderr)
    chat_server.play([])
    yield chat_server
    print(gateway.stderr[logged:])
    chat_server.verify()
