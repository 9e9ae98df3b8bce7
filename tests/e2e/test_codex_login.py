"""The real Codex CLI as a backend without a login: said at the start, and to each request at once."""

import json
import time
from pathlib import Path

import httpx
import pytest

from tests.support.codex import find_codex
from tests.support.codex_backend import wait
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

WORDS = "Codex is not logged in. Run `codex login`."
API_KEY_LOGIN = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-none", "tokens": None, "last_refresh": None}


def asked(gateway: Gateway, path: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {gateway.token}"}
    if path == "ready":
        return httpx.get(f"{gateway.root_url}/ready", timeout=30)
    body = {"model": "codex-local", "messages": [{"role": "user", "content": "x"}], "input": "x"}
    body.pop("input" if path == "chat/completions" else "messages")
    return httpx.post(f"{gateway.base_url}/{path}", json=body, headers=headers, timeout=30)


@pytest.mark.parametrize("engine", ["app-server", "exec"])
def test_codex_that_never_logged_in(engine: str, tmp_path: Path) -> None:
    user = tmp_path / "user"
    user.mkdir()
    command = ["--backend", engine, "--codex-bin", find_codex()]
    with Gateway(None, tmp_path, *command, environment={"CODEX_HOME": str(user)}) as gateway:
        for _ in wait():
            if WORDS in gateway.stderr:
                break
        assert WORDS in gateway.stderr
        for path in ("chat/completions", "responses", "ready"):
            begun = time.monotonic()
            refused = asked(gateway, path)
            assert time.monotonic() - begun < 5
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["message"]) == (503, "not_logged_in", WORDS)
            assert refused.headers["x-should-retry"] == "false"
        (user / "auth.json").write_text(json.dumps(API_KEY_LOGIN))
        for _ in wait():
            if asked(gateway, "ready").status_code == 200:
                break
        assert asked(gateway, "ready").status_code == 200
