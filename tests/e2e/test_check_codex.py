"""`wireloom check` accuses no gateway in front of the real Codex CLI, app-server and exec."""

from pathlib import Path

import pytest

from tests.support.checking import find_good
from tests.support.codex_backend import CodexGateway
from tests.support.responses_server import ResponsesServer
from tests.support.word_models import respond

pytestmark = pytest.mark.e2e

# Codex takes no limit of an answer, and its runs take no tools of the client.
LIMITS = {
    f"{face} ({cut})" for face in ("createResponse", "createChatCompletion") for cut in ("cut", "cut, whole")
}
TOOLS = {
    f"{face} ({what})"
    for face in ("createResponse", "createChatCompletion")
    for what in ("function call", "function output")
}


@pytest.mark.parametrize(("engine", "skipped"), [("app-server", LIMITS), ("exec", LIMITS | TOOLS)])
def test_a_good_gateway(engine: str, skipped: set[str], tmp_path: Path) -> None:
    with ResponsesServer(respond) as provider, CodexGateway(engine, tmp_path, provider.base_url) as gateway:
        find_good(gateway, gateway.home, skipped=skipped)
    assert provider.complaints == []
