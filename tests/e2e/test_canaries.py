"""Keys and what is said: found where they belong, and nowhere else, whatever the backend and the state of the log."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support import responses_turns as r
from tests.support.chat_server import ChatServer
from tests.support.chat_turns import Turn, call, failure
from tests.support.codex_backend import CodexGateway
from tests.support.gateway import Gateway
from tests.support.responses_server import ResponsesServer

pytestmark = pytest.mark.e2e

TOKEN, UPSTREAM_KEY = "canary-token", "canary-upstream-key"
PROMPT, SAID, OUTPUT = "canary-prompt", "canary-said", "canary-output"
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object"}}


class Watch:
    """Everything that a gateway lets out, besides its answers to who asked."""

    def __init__(self, gateway: Gateway, home: Path) -> None:
        self.gateway, self.home = gateway, home
        self.told: list[str] = []

    def ask(self, path: str, body: Any, *, key: str = TOKEN) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        response = httpx.post(f"{self.gateway.base_url}/{path}", json=body, headers=headers, timeout=60)
        if response.status_code >= 400:
            self.told.append(response.text)
        return response

    def look(self) -> None:
        headers = {"authorization": f"Bearer {TOKEN}"}
        for accept in ("text/plain", "application/json"):
            metrics = httpx.get(f"{self.gateway.root_url}/metrics", headers={**headers, "accept": accept})
            self.told.append(metrics.text)
        family = psutil.Process(self.gateway.pid)
        for process in (family, *family.children(recursive=True)):
            self.told.append(" ".join(process.cmdline()[1:]))

    def files(self, text: str) -> set[str]:
        found = [
            path for path in self.home.rglob("*") if path.is_file() and text.encode() in path.read_bytes()
        ]
        return {path.name for path in found}

    def everything(self) -> str:
        return "\n".join([*self.told, self.gateway.stderr])


@pytest.fixture(scope="module")
def upstream() -> Iterator[ChatServer]:
    with ChatServer([], api_key=UPSTREAM_KEY) as server:
        yield server


def exercise(watch: Watch) -> None:
    """Requests of every kind: whole, streamed, stored or not, with tools, refused, failed, with a wrong key."""
    asked = {"model": "scripted-model", "input": PROMPT, "tools": [TOOL]}
    first = watch.ask("responses", {**asked, "store": False}).json()
    output = {"type": "function_call_output", "call_id": "c1", "output": OUTPUT}
    watch.ask("responses", {**asked, "store": False, "input": [*first.get("output", []), output]})
    watch.ask("responses", {**asked, "store": False, "stream": True})
    chat = {"model": "scripted-model", "messages": [{"role": "user", "content": PROMPT}]}
    watch.ask("chat/completions", chat)
    watch.ask("chat/completions", {**chat, "stream": True})
    watch.ask("responses", {**asked, "background": True})
    watch.ask("responses", {**asked, "top_p": "wrong"})
    watch.ask("responses", asked, key="canary-wrong-key")
    httpx.post(f"{watch.gateway.base_url}/responses", content=PROMPT, timeout=60)
    watch.look()


def check(watch: Watch) -> None:
    everything = watch.everything()
    for canary in (TOKEN, UPSTREAM_KEY, "canary-wrong-key", PROMPT, SAID, OUTPUT):
        assert canary not in everything, canary
        assert watch.files(canary) == set(), canary


@pytest.mark.parametrize("level", ["debug", "info"])
def test_a_chat_upstream(upstream: ChatServer, tmp_path: Path, level: str) -> None:
    used = Turn(text=SAID, tool_calls=[call("c1", "look", at=SAID)])
    upstream.play([used, Turn(text=SAID), Turn(text=SAID), Turn(text=SAID), failure(500, "no")])
    variables = {
        "WIRELOOM_TOKEN": TOKEN,
        "WIRELOOM_API_KEY": UPSTREAM_KEY,
        "WIRELOOM_UPSTREAM": upstream.base_url,
    }
    with Gateway(None, tmp_path, "--log-level", level, token=TOKEN, environment=variables) as gateway:
        watch = Watch(gateway, tmp_path)
        exercise(watch)
    check(watch)


@pytest.mark.parametrize("engine", ["app-server", "exec"])
def test_the_codex_cli(tmp_path: Path, engine: str) -> None:
    with ResponsesServer(lambda _: r.told(r.message(SAID))) as provider:
        with CodexGateway(
            engine, tmp_path, provider.base_url, "--log-level", "debug", "--token", TOKEN
        ) as gateway:
            watch = Watch(gateway, gateway.home)
            exercise(watch)
    check(watch)


def test_what_is_stored_is_in_the_store_alone(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text=SAID)])
    with Gateway(upstream.base_url, tmp_path, api_key=UPSTREAM_KEY, token=TOKEN) as gateway:
        watch = Watch(gateway, tmp_path)
        watch.ask("responses", {"model": "scripted-model", "input": PROMPT})
        watch.look()
    assert PROMPT not in watch.everything()
    assert {name.removesuffix("-wal") for name in watch.files(PROMPT)} == {"history.sqlite3"}
    stores = list(tmp_path.rglob("history.sqlite3*"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in stores)


def test_the_log_repeats_what_is_said_only_where_that_is_asked_for(
    upstream: ChatServer, tmp_path: Path
) -> None:
    upstream.play([Turn(text=SAID)] * 2)
    with Gateway(upstream.base_url, tmp_path, "--log-content", api_key=UPSTREAM_KEY, token=TOKEN) as gateway:
        watch = Watch(gateway, tmp_path)
        watch.ask("responses", {"model": "scripted-model", "input": PROMPT, "store": False})
        watch.ask(
            "chat/completions",
            {"model": "scripted-model", "messages": [{"role": "user", "content": PROMPT}], "stream": True},
        )
    lines = [json.loads(text) for text in gateway.stderr.splitlines() if text.startswith("{")]
    kept = [line for line in lines if "request_body" in line]
    assert len(kept) == 2
    assert all(PROMPT in line["request_body"] for line in kept)
    assert SAID in kept[0]["response_body"]
    assert kept[1]["response_body"].endswith("data: [DONE]\n\n")
    assert "Warning: --log-content" in gateway.stderr
    assert TOKEN not in gateway.stderr
    assert UPSTREAM_KEY not in gateway.stderr
