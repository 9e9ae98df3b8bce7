"""Each feature of codex-api-proxy, by `wireloom as codex-api-proxy`: its flags, variables, files and the real Codex CLI."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from openai import OpenAI

from tests.support import responses_turns as r
from tests.support.codex import find_codex
from tests.support.codex_backend import MODEL
from tests.support.dropin import AsCodex, free_port, run
from tests.support.responses_server import ResponsesServer

pytestmark = pytest.mark.e2e

KEY = "canary-inbound-key"


@pytest.fixture(scope="module")
def provider() -> Iterator[ResponsesServer]:
    with ResponsesServer() as server:
        yield server


def proxy(
    provider: ResponsesServer, root: Path, *flags: str, key: str = "no-key", **variables: str
) -> AsCodex:
    named = {f"CODEX_PROXY_{name.upper()}": value for name, value in variables.items()}
    own = {"CODEX_PROXY_CODEX_BIN": find_codex(), "CODEX_PROXY_PORT": "0", **named}
    return AsCodex("codex-api-proxy", root, provider.base_url, *flags, key=key, variables=own, traps=True)


def of(gateway: AsCodex) -> OpenAI:
    return OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60)


def say(client: OpenAI, text: str = "x", **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="codex-local", messages=messages, **more)


def test_chat_completions(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("pong"))] * 2)
    with proxy(provider, tmp_path) as gateway, of(gateway) as client:
        assert [model.id for model in client.models.list()][0] == "codex-local"
        made = say(client, "Reply with exactly: pong")
        chunks = list(say(client, stream=True))
    assert made.choices[0].message.content == "pong"
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (11, 7)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "pong"
    assert provider.asked[0]["model"] == MODEL


def test_endpoints(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("pong"))])
    with proxy(provider, tmp_path) as gateway, of(gateway) as client:
        say(client)
        health = httpx.get(f"{gateway.root_url}/health").json()
        ready = httpx.get(f"{gateway.root_url}/ready").json()
        counters = httpx.get(f"{gateway.root_url}/metrics", headers={"accept": "application/json"}).json()
    assert (health["status"], ready["status"]) == ("ok", "ready")
    assert counters["engine"] == "exec"
    assert (counters["requests_total"], counters["requests_ok"], counters["requests_error"]) == (1, 1, 0)
    assert counters["errors_by_status"] == {}
    assert counters["app_server_pool_started"] is False
    assert counters["uptime_seconds"] > 0


def test_api_key(provider: ResponsesServer, tmp_path: Path) -> None:
    with proxy(provider, tmp_path, api_key=KEY) as gateway:
        codes = [
            httpx.get(f"{gateway.base_url}/models", headers=headers).status_code
            for headers in ({}, {"authorization": "Bearer other"}, {"authorization": f"Bearer {KEY}"})
        ]
    assert codes == [401, 401, 200]
    assert KEY not in gateway.stderr


def test_engine_app_server(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("a b c d e"), pause=0.05)])
    flags = ("--engine", "app-server", "--workers", "2")
    with proxy(provider, tmp_path, *flags) as gateway, of(gateway) as client:
        chunks = [chunk.choices[0].delta.content for chunk in say(client, stream=True) if chunk.choices]
        assert len(gateway.children()) == 1
        counters = httpx.get(f"{gateway.root_url}/metrics", headers={"accept": "application/json"}).json()
    assert len([text for text in chunks if text]) > 1
    assert counters["app_server_pool_started"] is True


@pytest.mark.parametrize("engine", ["exec", "app-server"])
def test_fast(provider: ResponsesServer, tmp_path: Path, engine: str) -> None:
    provider.play([r.told(r.message("x"))])
    with proxy(provider, tmp_path, "--fast", "--engine", engine, "--model", "gpt-5.5") as gateway:
        with of(gateway) as client:
            say(client)
    assert provider.asked[0]["reasoning"]["effort"] == "low"
    assert provider.asked[0]["model"] == "gpt-5.5"


def test_codex_config(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("x"))])
    flags = ("--codex-config", 'model_reasoning_effort="high"', "--codex-config", 'model_verbosity="low"')
    with proxy(provider, tmp_path, *flags, model="gpt-5.5") as gateway, of(gateway) as client:
        say(client)
    assert provider.asked[0]["reasoning"]["effort"] == "high"
    assert provider.asked[0]["text"]["verbosity"] == "low"


@pytest.mark.parametrize("agent", [True, False])
def test_agent(provider: ResponsesServer, tmp_path: Path, agent: bool) -> None:
    work = tmp_path / "work"
    work.mkdir()
    provider.play([r.told(r.message("x"))])
    flags = ("--agent" if agent else "--no-agent", "--default-cwd", str(work))
    with proxy(provider, tmp_path, *flags) as gateway, of(gateway) as client:
        say(client)
    offered = [tool.get("name", tool["type"]) for tool in provider.asked[0].get("tools", [])]
    assert bool(offered) is agent, offered


def test_allowed_roots(provider: ResponsesServer, tmp_path: Path) -> None:
    allowed, inside, outside = tmp_path / "allowed", tmp_path / "allowed" / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
    provider.play([r.told(r.message("x"))])
    with proxy(provider, tmp_path, allowed_roots=f"{allowed}:{tmp_path / 'allowed'}") as gateway:
        with of(gateway) as client:
            say(client, metadata={"cwd": str(inside)})
            with pytest.raises(Exception, match="no folder within an --allowed-root"):
                say(client, metadata={"cwd": str(outside)})
            with pytest.raises(Exception, match="no folder within an --allowed-root"):
                say(client, metadata={"cwd": f"{allowed}/../out"})


def test_proxy(provider: ResponsesServer, tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.write_text('#!/bin/sh\nenv > "$0.env"\nprintf \'%s\\n\' "$@" > "$0.args"\nexit 3\n')
    stub.chmod(0o755)
    with proxy(provider, tmp_path, "--proxy", "http://127.0.0.1:9", codex_bin=str(stub)) as gateway:
        response = httpx.get(f"{gateway.root_url}/ready", timeout=30)
    assert response.status_code == 503
    seen = Path(f"{stub}.env").read_text().splitlines()
    assert {"http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9"} <= set(seen)
    assert not any("canary-secret" in line for line in seen)


def test_queue_overflow(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.Streamed(r.whole(r.message("half")), held=4)] * 2)
    flags = ("--max-queue-size", "1", "--queue-timeout-seconds", "30")  # one runs, one waits
    with proxy(provider, tmp_path, *flags) as gateway, ThreadPoolExecutor(3) as pool:
        body = {"model": "codex-local", "messages": [{"role": "user", "content": "x"}]}

        def ask() -> httpx.Response:
            return httpx.post(f"{gateway.base_url}/chat/completions", json=body, timeout=60)

        running = pool.submit(ask)
        provider.wait_until(lambda exchanges: len(exchanges) == 1)
        waiting = pool.submit(ask)
        time.sleep(0.3)
        refused = ask()
        provider.release()
        codes = [each.result().status_code for each in (running, waiting)]
    assert codes == [200, 200]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
    assert int(refused.headers["retry-after"]) >= 1


def test_timeout(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.Streamed(r.whole(r.message("half")), held=4)])
    with proxy(provider, tmp_path, "--timeout-seconds", "2") as gateway:
        body = {"model": "codex-local", "messages": [{"role": "user", "content": "x"}]}
        response = httpx.post(f"{gateway.base_url}/chat/completions", json=body, timeout=60)
        end = time.monotonic() + 10
        while gateway.children() and time.monotonic() < end:
            time.sleep(0.05)
        assert gateway.children() == []
    assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout")


@pytest.mark.parametrize(("flags", "at_once"), [((), 1), (("--max-concurrency", "2"), 2)])
def test_concurrency(provider: ResponsesServer, tmp_path: Path, flags: tuple[str, ...], at_once: int) -> None:
    provider.play([r.Streamed(r.whole(r.message("half")), held=4)] * 2)
    with proxy(provider, tmp_path, *flags) as gateway, ThreadPoolExecutor(2) as pool:
        body = {"model": "codex-local", "messages": [{"role": "user", "content": "x"}]}
        asking = [
            pool.submit(httpx.post, f"{gateway.base_url}/chat/completions", json=body, timeout=60)
            for _ in range(2)
        ]
        provider.wait_until(lambda exchanges: len(exchanges) == at_once)
        time.sleep(0.5)
        assert len(provider.exchanges) == at_once
        provider.release()
        assert [each.result().status_code for each in asking] == [200, 200]


def test_ephemeral(provider: ResponsesServer, tmp_path: Path) -> None:
    kept = {}
    for value in ("true", "false"):
        provider.play([r.told(r.message("x"))])
        with proxy(provider, tmp_path / value, ephemeral=value) as gateway, of(gateway) as client:
            say(client)
        kept[value] = bool(list((gateway.home / "state").rglob("rollout-*.jsonl")))
    assert kept == {"true": False, "false": True}


def test_files_elsewhere(provider: ResponsesServer, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    files = {name: folder / name for name in ("pid", "log", "state")}
    flags = [f"--{name}-file={path}" for name, path in files.items()]
    gateway = proxy(provider, tmp_path)
    variables = {**gateway.own(), "CODEX_PROXY_CODEX_BIN": find_codex()}
    started = run(gateway.home, "as", "codex-api-proxy", "start", "--port", "0", *flags, variables=variables)
    try:
        assert started.returncode == 0, started.stderr
        assert {path.name for path in folder.iterdir()} == set(files)
        assert run(gateway.home, "as", "codex-api-proxy", "status", *flags).returncode == 0
        assert run(gateway.home, "as", "codex-api-proxy", "status").returncode == 1
    finally:
        run(gateway.home, "as", "codex-api-proxy", "stop", *flags)


def test_tools_and_formats(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.call("weather", '{"city":"Bern"}')), r.told(r.message('{"answer": 4}'))])
    function = {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    with proxy(provider, tmp_path, "--engine", "app-server") as gateway, of(gateway) as client:
        made = say(client, tools=[{"type": "function", "function": function}])
        assert made.choices[0].message.tool_calls[0].function.name == "weather"
        assert json.loads(say(client, response_format=form).choices[0].message.content) == {"answer": 4}


def test_service(provider: ResponsesServer, tmp_path: Path) -> None:
    """The whole life of a service, under a umask that lets everybody in, with the files where that tool has them."""
    gateway = proxy(provider, tmp_path)
    home, port = gateway.home, free_port()
    variables = {**gateway.own(), "CODEX_PROXY_CODEX_BIN": find_codex()}
    before = os.umask(0)
    try:
        started = run(
            home,
            *("as", "codex-api-proxy", "start", "--port", str(port), "--api-key", KEY, "--fast"),
            variables=variables,
        )
        assert started.returncode == 0, started.stderr
        folder = home / ".codex-api-proxy"
        state = folder / "wireloom.state.json"
        assert str(state) in started.stdout
        assert "--token (hidden)" in started.stdout
        status = run(home, "as", "codex-api-proxy", "status", "--verbose", variables=variables)
        assert status.returncode == 0
        assert f"http://127.0.0.1:{port}" in status.stdout
        assert "--fast" in status.stdout
        assert {path.name for path in folder.iterdir()} == {
            "codex-api-proxy.pid",
            "codex-api-proxy.log",
            "wireloom.state.json",
        }
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
        pid = int((folder / "codex-api-proxy.pid").read_text())
        shown = [*psutil.Process(pid).cmdline(), started.stdout, started.stderr, status.stdout]
        assert not [text for text in shown if KEY in text]
        headers = {"authorization": f"Bearer {KEY}"}
        assert httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=headers).status_code == 200

        again = run(
            home, "as", "codex-api-proxy", "restart", "--proxy=http://127.0.0.1:9", variables=variables
        )
        assert again.returncode == 0, again.stderr
        kept = json.loads(state.read_text())["given"]
        assert (kept["proxy"], kept["fast"], kept["port"]) == ("http://127.0.0.1:9", True, str(port))
        assert httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=headers).status_code == 200
    finally:
        os.umask(before)
        stopped = run(home, "as", "codex-api-proxy", "stop", variables=variables)
    assert "Stopped." in stopped.stdout
    assert run(home, "as", "codex-api-proxy", "status", variables=variables).returncode == 1
    assert KEY not in (folder / "codex-api-proxy.log").read_text()


def test_foreground(provider: ResponsesServer, tmp_path: Path) -> None:
    with proxy(provider, tmp_path, "start", "--foreground") as gateway:
        assert httpx.get(f"{gateway.root_url}/health").status_code == 200


def test_latency_log(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("canary-answer"))])
    with proxy(provider, tmp_path, log_level="info") as gateway, of(gateway) as client:
        list(say(client, "canary-prompt", stream=True))
    (line,) = [
        record
        for text in gateway.stderr.splitlines()
        if text.startswith("{") and (record := json.loads(text)).get("operation") == "createChatCompletion"
    ]
    assert line["stream"] is True
    assert line["backend"] == "default"
    assert line["request_id"].startswith("req_")
    assert {"read", "translate", "queue", "first_event", "first_content", "total"} <= line["ms"].keys()
    assert "canary" not in gateway.stderr


def test_isolation(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("x"))])
    with proxy(provider, tmp_path) as gateway, of(gateway) as client:
        say(client)
    assert list(gateway.user.traces.iterdir()) == []
    assert "TRAP" not in json.dumps(provider.asked)
    folder = gateway.home / "state" / "wireloom" / "codex-empty"
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_other_addresses_need_a_key(tmp_path: Path) -> None:
    ran = run(tmp_path, "as", "codex-api-proxy", "--host", "0.0.0.0")
    assert ran.returncode == 2
    assert "clients need a key" in ran.stderr


def test_ignored_parameters_are_reported(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(r.message("x"))])
    with proxy(provider, tmp_path) as gateway:
        body = {
            "model": "codex-local",
            "messages": [{"role": "user", "content": "x"}],
            "temperature": 0.1,
            "presence_penalty": 1,
        }
        response = httpx.post(f"{gateway.base_url}/chat/completions", json=body, timeout=60)
    lost = response.headers["x-wireloom-loss"]
    assert "temperature;" in lost
    assert "presence_penalty;" in lost
