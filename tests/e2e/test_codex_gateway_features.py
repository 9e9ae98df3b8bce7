"""Each feature of codex-gateway, by `wireloom as codex-gateway`: its flags, its config.json, the real Codex CLI."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.support import responses_turns as r
from tests.support.codex import find_codex
from tests.support.codex_backend import MODEL
from tests.support.dropin import AsCodex, run
from tests.support.responses_server import ResponsesServer

pytestmark = pytest.mark.e2e

TOKEN = "canary-gateway-token"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG = "data:image/png;base64," + base64.b64encode(PIXEL).decode()


@pytest.fixture(scope="module")
def provider() -> Iterator[ResponsesServer]:
    with ResponsesServer() as server:
        yield server


def tool(provider: ResponsesServer, root: Path, *flags: str, key: str = TOKEN, **variables: str) -> AsCodex:
    named = {f"CODEX_GATEWAY_{name.upper()}": value for name, value in variables.items()}
    own = {"WIRELOOM_CODEX_BIN": find_codex(), "CODEX_GATEWAY_PORT": "0", **named}
    return AsCodex("codex-gateway", root, provider.base_url, *flags, key=key, variables=own, traps=True)


@pytest.fixture(scope="module")
def gateway(provider: ResponsesServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsCodex]:
    with tool(provider, tmp_path_factory.mktemp("codex-gateway"), token=TOKEN) as process:
        yield process
    assert TOKEN not in process.stderr


@pytest.fixture
def client(gateway: AsCodex) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.base_url, api_key=TOKEN, max_retries=0, timeout=60) as client:
        yield client


def say(client: OpenAI, *messages: Any, **more: Any) -> Any:
    asked: Any = list(messages) or [{"role": "user", "content": "Say pong"}]
    return client.chat.completions.create(model=MODEL, messages=asked, **more)


def test_models(client: OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert "codex-local" in listed
    assert MODEL in listed


def test_chat_completions(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("pong"))] * 2)
    made = say(client)
    chunks = list(say(client, stream=True, stream_options={"include_usage": True}))
    assert made.choices[0].message.content == "pong"
    assert made.usage.prompt_tokens_details.cached_tokens == 2
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "pong"
    assert chunks[-1].usage.total_tokens == 18


def test_history(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("third"))])
    turns = [("system", "be brief"), ("user", "one"), ("assistant", "two"), ("user", "three")]
    say(client, *({"role": role, "content": text} for role, text in turns))
    asked = json.dumps(provider.asked[0])
    assert [asked.index(f'"{text}"') for _, text in turns[1:]] == sorted(
        asked.index(f'"{text}"') for _, text in turns[1:]
    )
    assert "be brief" in asked


@pytest.mark.parametrize("url", [PNG, "https://example.invalid/a.png"])
def test_images(client: OpenAI, provider: ResponsesServer, url: str) -> None:
    provider.play([r.told(r.message("a pixel"))])
    parts: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    message = {"role": "user", "content": parts}
    if url == PNG:
        assert say(client, message).choices[0].message.content == "a pixel"
        assert "data:image/" in json.dumps(provider.asked[0])
    else:
        with pytest.raises(openai.BadRequestError, match="data"):
            say(client, message)
    with pytest.raises(openai.BadRequestError):
        parts[1]["image_url"] = {"url": "file:///etc/passwd"}
        say(client, message)


def test_token(gateway: AsCodex) -> None:
    codes = [
        httpx.get(f"{gateway.base_url}/models", headers=headers).status_code
        for headers in (
            {},
            {"authorization": "Bearer no"},
            {"authorization": f"Bearer {TOKEN}"},
            {"x-api-key": TOKEN},
        )
    ]
    assert codes == [401, 401, 200, 200]


def test_setup(provider: ResponsesServer, tmp_path: Path) -> None:
    """init, show, token and env, and a server that reads what init wrote; under a umask that lets everybody in."""
    file = tmp_path / "gateway" / "config" / "codex-gateway" / "config.json"
    gateway = tool(provider, tmp_path)
    before = os.umask(0)
    try:
        made = run(gateway.home, "as", "codex-gateway", "init", "--reasoning-effort", "high")
    finally:
        os.umask(before)
    assert made.returncode == 0, made.stderr
    config = json.loads(file.read_text())
    token = config["token"]
    assert config | {"token": ""} == {
        "token": "",
        "host": "127.0.0.1",
        "port": 8000,
        "reasoning_effort": "high",
    }
    assert file.stat().st_mode & 0o777 == 0o600
    assert token not in made.stdout + made.stderr
    again = run(gateway.home, "as", "codex-gateway", "init")
    assert "--force" in again.stderr
    assert json.loads(file.read_text()) == config
    shown = run(gateway.home, "as", "codex-gateway", "show").stdout
    assert f'OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="{token}")' in shown
    assert run(gateway.home, "as", "codex-gateway", "token").stdout == f"{token}\n"
    exports = run(gateway.home, "as", "codex-gateway", "env", "--port", "9").stdout.splitlines()
    assert "export CODEX_GATEWAY_BASE_URL=http://127.0.0.1:9/v1" in exports
    assert f"export CODEX_GATEWAY_TOKEN={token}" in exports
    provider.play([r.told(r.message("x"))])
    with gateway, OpenAI(base_url=gateway.base_url, api_key=token, max_retries=0, timeout=60) as client:
        say(client)
    assert provider.asked[0]["reasoning"]["effort"] == "high"
    run(gateway.home, "as", "codex-gateway", "init", "--force", "--token", "other")
    assert json.loads(file.read_text())["token"] == "other"
    elsewhere = tmp_path / "elsewhere.json"
    run(gateway.home, "as", "codex-gateway", "init", "--config", str(elsewhere))
    assert elsewhere.stat().st_mode & 0o777 == 0o600


def test_nothing_is_allowed(gateway: AsCodex, client: OpenAI, provider: ResponsesServer) -> None:
    """A model that asks for commands gets none, and nothing of the user's is started."""
    provider.play([r.told(r.call("exec_command", '{"cmd": "touch trace"}')), r.told(r.message("no"))])
    assert say(client).choices[0].message.content == "no"
    (output,) = [item for item in provider.asked[1]["input"] if item["type"] == "function_call_output"]
    assert "unsupported call" in json.dumps(output)
    assert list(gateway.user.traces.iterdir()) == []
    assert not list(gateway.home.rglob("trace"))


def test_nothing_else_is_served(gateway: AsCodex) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    for path in ("files", "shell", "config", "account", "embeddings", "completions"):
        assert httpx.get(f"{gateway.base_url}/{path}", headers=headers).status_code == 404
    paths = httpx.get(f"{gateway.root_url}/openapi.json").json()["paths"]
    assert {path.split("/")[2] for path in paths if path.startswith("/v1/")} == {
        "responses",
        "chat",
        "models",
        "conversations",
    }


@pytest.mark.parametrize(("flags", "effort"), [((), "low"), (("--reasoning-effort", "medium"), "medium")])
def test_reasoning_effort(
    provider: ResponsesServer, tmp_path: Path, flags: tuple[str, ...], effort: str
) -> None:
    provider.play([r.told(r.message("x"))])
    with tool(provider, tmp_path, *flags, token=TOKEN) as gateway:
        with OpenAI(base_url=gateway.base_url, api_key=TOKEN, max_retries=0, timeout=60) as client:
            say(client)
    assert provider.asked[0]["reasoning"]["effort"] == effort


def test_token_made_once(provider: ResponsesServer, tmp_path: Path) -> None:
    with tool(provider, tmp_path) as gateway:
        file = gateway.home / "config" / "wireloom" / "config.toml"
        token = run(gateway.home, "as", "codex-gateway", "token").stdout.strip()
        headers = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{gateway.base_url}/models", headers=headers).status_code == 200
    assert file.stat().st_mode & 0o777 == 0o600
    assert f'token = "{token}"' in file.read_text()
    assert token not in gateway.stderr
    assert "`wireloom token` prints it" in gateway.stderr


def test_tools_and_formats(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(r.call("weather", '{"city":"Bern"}')), r.told(r.message('{"answer": 4}'))])
    function = {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    made = say(client, tools=[{"type": "function", "function": function}])
    assert made.choices[0].message.tool_calls[0].function.name == "weather"
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    formatted = say(client, response_format=form)
    assert json.loads(formatted.choices[0].message.content) == {"answer": 4}
    with pytest.raises(openai.BadRequestError) as caught:
        say(client, n=2)
    assert caught.value.param == "n"
