"""Each feature of codex-openai-proxy, by `wireloom as codex-openai-proxy`: its `.env`, its variables, the real Codex CLI."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from openai import OpenAI

from tests.support import responses_turns as r
from tests.support.codex import find_codex
from tests.support.codex_backend import MODEL
from tests.support.dropin import AsCodex, run
from tests.support.responses_server import ResponsesServer
from wireloom.config.tools import CODEX_OPENAI_PROXY

pytestmark = pytest.mark.e2e

KEYS = ("sk-local-key1", "sk-local-key2=odd")


@pytest.fixture(scope="module")
def provider() -> Iterator[ResponsesServer]:
    with ResponsesServer() as server:
        yield server


def proxy(
    provider: ResponsesServer, root: Path, *flags: str, key: str = "no-key", **variables: str
) -> AsCodex:
    # On loopback: with keys it would listen everywhere.
    own = {"CODEX_PATH": find_codex(), "PORT": "0", "HOST": "127.0.0.1", **variables}
    return AsCodex("codex-openai-proxy", root, provider.base_url, *flags, key=key, variables=own, traps=True)


def of(gateway: AsCodex, key: str | None = None) -> OpenAI:
    return OpenAI(base_url=gateway.base_url, api_key=key or gateway.token, max_retries=0, timeout=60)


def say(client: OpenAI, text: str = "x", **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="codex-local", messages=messages, **more)


def test_chat_completions(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("Paris"))] * 2)
    with proxy(provider, tmp_path) as gateway, of(gateway) as client:
        made = say(client, "What is the capital of France?")
        chunks = list(say(client, "Tell me a joke", stream=True))
    assert made.choices[0].message.content == "Paris"
    assert (made.usage.prompt_tokens, made.usage.completion_tokens, made.usage.total_tokens) == (11, 7, 18)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Paris"
    assert "clients on this machine need no key" in gateway.stderr


def test_api_keys(provider: ResponsesServer, tmp_path: Path) -> None:
    with proxy(provider, tmp_path, API_KEYS=", ".join(KEYS)) as gateway:
        codes = [
            httpx.get(f"{gateway.base_url}/models", headers={"authorization": f"Bearer {key}"}).status_code
            for key in (*KEYS, "odd", "sk-local-key3")
        ]
        without = httpx.get(f"{gateway.base_url}/models").status_code
    assert (codes, without) == ([200, 200, 401, 401], 401)
    assert "sk-local" not in gateway.stderr


def test_dot_env(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("x"))])
    gateway = proxy(provider, tmp_path, key="from-file", LOG_LEVEL="info")
    (gateway.home / ".env").write_text(
        "# settings\nAPI_KEYS=from-file,other\nCODEX_MODEL='gpt-5.5'\nLOG_LEVEL=debug\nPORT=1\n"
    )
    with gateway, of(gateway) as client:
        say(client)
        assert httpx.get(f"{gateway.base_url}/models").status_code == 401
    assert provider.asked[0]["model"] == "gpt-5.5"


def test_documents(provider: ResponsesServer, tmp_path: Path) -> None:
    with proxy(provider, tmp_path, API_KEYS=KEYS[0]) as gateway:
        pages = [
            httpx.get(f"{gateway.root_url}/{page}") for page in ("docs", "redoc", "openapi.json", "health")
        ]
    assert [page.status_code for page in pages] == [200] * 4


def test_open_webui(provider: ResponsesServer, tmp_path: Path) -> None:
    """The calls of a connection: models, then a stream with the options that it sends."""
    provider.play([r.told(r.message("x"))])
    with proxy(provider, tmp_path, API_KEYS=KEYS[0], key=KEYS[0]) as gateway:
        headers = {"authorization": f"Bearer {KEYS[0]}"}
        listed = httpx.get(f"{gateway.base_url}/models", headers=headers).json()
        assert "codex-local" in [model["id"] for model in listed["data"]]
        body = {
            "model": "codex-local",
            "messages": [{"role": "user", "content": "x"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        response = httpx.post(f"{gateway.base_url}/chat/completions", json=body, headers=headers, timeout=60)
    assert response.text.endswith("data: [DONE]\n\n")
    frames = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    assert frames[-1]["usage"]["total_tokens"] == 18


def test_variables(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("x"))] * 2)
    with (
        proxy(provider, tmp_path, CODEX_MODEL="gpt-5.5", LOG_LEVEL="DEBUG") as gateway,
        of(gateway) as client,
    ):
        say(client)
    assert provider.asked[0]["model"] == "gpt-5.5"
    assert '"level":"DEBUG"' in gateway.stderr
    with proxy(provider, tmp_path / "other") as gateway, of(gateway) as client:
        say(client)
    assert provider.asked[1]["model"] == MODEL


def test_sandbox(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("x"))] * 2)
    offered = {}
    for sandbox in ("read-only", "workspace-write"):
        with proxy(provider, tmp_path / sandbox, CODEX_SANDBOX=sandbox) as gateway, of(gateway) as client:
            say(client)
        offered[sandbox] = bool(provider.asked[-1].get("tools"))
    assert offered == {"read-only": False, "workspace-write": True}
    refused = run(tmp_path, "as", "codex-openai-proxy", variables={"CODEX_SANDBOX": "danger-full-access"})
    assert refused.returncode == 2
    assert "CODEX_SANDBOX" in refused.stderr


def test_it_listens_elsewhere_only_with_keys() -> None:
    for file, host in (({}, None), ({"API_KEYS": "a"}, "0.0.0.0"), ({"API_KEYS": "a", "HOST": "::1"}, "::1")):
        assert CODEX_OPENAI_PROXY.settings({}, file).get("host") == host


def test_prompts_are_not_in_the_process_list(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.Streamed(r.whole(r.message("half")), held=4)])
    with proxy(provider, tmp_path) as gateway, of(gateway) as client:
        chunks = say(client, "canary-prompt", stream=True)
        provider.wait_until(lambda exchanges: len(exchanges) == 1)
        lines = [process.cmdline() for process in psutil.Process(gateway.pid).children(recursive=True)]
        provider.release()
        list(chunks)
    assert any("exec" in line for line in lines)
    assert "canary-prompt" not in str(lines)


def test_more_workers(provider: ResponsesServer, tmp_path: Path) -> None:
    with proxy(provider, tmp_path, "--workers", "4", "--reload", "--port", "0") as gateway:
        assert httpx.get(f"{gateway.root_url}/health").status_code == 200
    assert "Note: --workers has no effect here" in gateway.stderr


def test_plain_serve_hears_its_variables_where_they_are_meant(tmp_path: Path) -> None:
    meant = {"PORT": "abc", "API_KEYS": "k"}
    checked = run(tmp_path, "config", "check", "--backend", "demo", variables=meant)
    assert checked.returncode == 2
    assert "PORT: 'abc'" in checked.stderr
    assert run(tmp_path, "config", "check", "--backend", "demo", variables={"PORT": "abc"}).returncode == 0
