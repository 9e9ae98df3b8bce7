"""Each feature of codex-relay, by `wireloom as codex-relay`: its flags, variables and files, the real Codex CLI."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import APIError, OpenAI

from tests.support import mcp_server
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import Turn, Usage, call
from tests.support.codex import Codex
from tests.support.dropin import As, free_port, run
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

TOOL: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture(scope="module")
def upstream_server() -> Iterator[ChatServer]:
    with ChatServer([]) as server:
        yield server


@pytest.fixture
def upstream(upstream_server: ChatServer) -> Iterator[ChatServer]:
    upstream_server.play([])
    yield upstream_server
    upstream_server.verify()


def relay(upstream: ChatServer, home: Path, *flags: str, provider: str = "generic", **variables: str) -> As:
    own = {
        "CODEX_RELAY_UPSTREAM": upstream.base_url,
        "CODEX_RELAY_API_KEY": API_KEY,
        "WIRELOOM_PROVIDER": provider,
    }
    named = {f"CODEX_RELAY_{name.upper()}": value for name, value in variables.items()}
    return As("codex-relay", home, "--port", "0", *flags, variables={**own, **named})


def of(gateway: As) -> OpenAI:
    return OpenAI(base_url=gateway.base_url, api_key="unused", max_retries=0, timeout=60)


def test_streaming(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="one two three")])
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        with client.responses.stream(model=MODEL, input="x") as events:
            seen = list(events)
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert (
        "".join(event.delta for event in seen if event.type == "response.output_text.delta")
        == "one two three"
    )
    assert "clients on this machine need no key" in gateway.stderr
    assert API_KEY not in gateway.stderr


def test_tool_calls(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(tool_calls=[call("c1", "exec_command", cmd="echo hello")]), Turn(text="done")])
    with relay(upstream, tmp_path) as gateway:
        ran = Codex(tmp_path / "codex", gateway.base_url, "unused", MODEL, catalog=True).run("hello")
    assert (ran.exit_code, ran.last_message) == (0, "done"), ran.report
    assert "hello" in upstream.chats[1].outputs["c1"]


def test_parallel_tool_calls(upstream: ChatServer, tmp_path: Path) -> None:
    calls = [call(f"c{n}", "weather", city=f"city {n}") for n in range(2)]
    upstream.play([Turn(tool_calls=calls), Turn(text="done")])
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        first = client.responses.create(model=MODEL, input="x", tools=[TOOL])
        answers: Any = [
            {"type": "function_call_output", "call_id": item.call_id, "output": "sun"}
            for item in first.output
            if item.type == "function_call"
        ]
        client.responses.create(model=MODEL, input=answers, previous_response_id=first.id, tools=[TOOL])
    (message,) = [each for each in upstream.chats[1].messages if each["role"] == "assistant"]
    assert len(message["tool_calls"]) == 2


def test_reasoning_across_turns(upstream: ChatServer, tmp_path: Path) -> None:
    used = call("c1", "exec_command", cmd="true")
    upstream.play([Turn(reasoning="hm", tool_calls=[used]), Turn(text="done")])
    with relay(upstream, tmp_path, provider="deepseek") as gateway:
        ran = Codex(tmp_path / "codex", gateway.base_url, "unused", MODEL).run("hello")
    assert ran.exit_code == 0, ran.report
    (message,) = [each for each in upstream.chats[1].messages if each["role"] == "assistant"]
    assert message["reasoning_content"] == "hm"


def test_history_on_disk(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="first"), Turn(text="second")])
    folder = tmp_path / "kept"
    disk = {"history_store": "disk", "history_dir": str(folder)}
    with relay(upstream, tmp_path, **disk) as gateway, of(gateway) as client:
        first = client.responses.create(model=MODEL, input="one")
    with relay(upstream, tmp_path, **disk) as gateway, of(gateway) as client:
        second = client.responses.create(model=MODEL, input="two", previous_response_id=first.id)
    assert second.output_text == "second"
    assert upstream.chats[1].texts("user") == ["one", "two"]
    files = sorted(path.name for path in folder.iterdir())
    assert "history.sqlite3" in files
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    with relay(upstream, tmp_path, "--history-store", "memory") as gateway, of(gateway) as client:
        with pytest.raises(Exception, match="is stored here"):
            client.responses.create(model=MODEL, input="x", previous_response_id=first.id)


def test_the_upstreams_models_at_the_start(upstream: ChatServer, tmp_path: Path) -> None:
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        assert [model.id for model in client.models.list()] == [MODEL]
        for _ in range(200):
            if f"Models of the upstream: {MODEL}" in gateway.stderr:
                break
            httpx.get(f"{gateway.root_url}/health")
    assert f"Models of the upstream: {MODEL}" in gateway.stderr
    port = gateway.root_url.rpartition(":")[2]
    assert f"`wireloom as codex-relay --print-config --port {port}" in gateway.stderr


def test_model_map(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="x")])
    with relay(upstream, tmp_path, model_map=f"gpt-5.5:{MODEL},other:x") as gateway, of(gateway) as client:
        made = client.responses.create(model="gpt-5.5", input="x")
    assert made.model == "gpt-5.5"
    assert upstream.chats[0].body["model"] == MODEL


def test_tool_denylist(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="x")])
    denied = "view_image,multi_agent_v1-spawn_agent"
    with relay(upstream, tmp_path, tool_denylist=denied) as gateway:
        ran = Codex(tmp_path / "codex", gateway.base_url, "unused", MODEL).run("hello")
    assert ran.exit_code == 0, ran.report
    offered = set(upstream.chats[0].tool_names)
    assert "exec_command" in offered
    assert not offered & set(denied.split(","))


@pytest.mark.parametrize("dropped", ['["top_p", "metadata"]', "top_p,metadata"])
def test_parameters(upstream: ChatServer, tmp_path: Path, dropped: str) -> None:
    upstream.play([Turn(text="x")])
    flags = ("--upstream-extra-params", '{"temperature": 0.1}', "--drop-upstream-params", dropped)
    with relay(upstream, tmp_path, *flags) as gateway, of(gateway) as client:
        client.responses.create(model=MODEL, input="x", temperature=0.9, top_p=0.5)
    body = upstream.chats[0].body
    assert body["temperature"] == 0.1
    assert "top_p" not in body


def test_print_config(upstream: ChatServer, tmp_path: Path) -> None:
    flags = ("--print-config", "--upstream", upstream.base_url, "--port", "4446")
    printed = run(tmp_path, "as", "codex-relay", *flags, variables={"CODEX_RELAY_API_KEY": API_KEY})
    assert printed.returncode == 0, printed.stderr
    config = tomllib.loads(printed.stdout)
    assert config["model"] == MODEL
    (provider,) = config["model_providers"].values()
    assert provider["base_url"] == "http://127.0.0.1:4446/v1"
    assert provider["model_catalog_url"] == "http://127.0.0.1:4446/v1/models"
    assert "model_properties" not in config
    assert upstream.base_url not in printed.stdout


def test_model_catalog(upstream: ChatServer, tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    own = {"CODEX_RELAY_UPSTREAM": upstream.base_url, "CODEX_RELAY_API_KEY": API_KEY}
    printed = run(
        tmp_path, "as", "codex-relay", "--print-config", "--model-catalog", str(file), variables=own
    )
    assert printed.returncode == 0, printed.stderr
    assert tomllib.loads(printed.stdout)["model_catalog_json"] == str(file)
    (model,) = json.loads(file.read_text())["models"]
    assert model["slug"] == MODEL
    assert "GPT" not in model["base_instructions"]
    assert run(tmp_path, "as", "codex-relay", "--model-catalog", str(file)).returncode == 2


def test_bounds_of_sessions(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text=str(n)) for n in range(4)])
    bounds = {"max_sessions": "2", "session_ttl_hours": "1", "max_session_memory_mb": "1"}
    with relay(upstream, tmp_path, **bounds) as gateway, of(gateway) as client:
        made = [client.responses.create(model=MODEL, input=str(n)) for n in range(3)]
        with pytest.raises(Exception, match="is stored here"):
            client.responses.create(model=MODEL, input="x", previous_response_id=made[0].id)
        client.responses.create(model=MODEL, input="x", previous_response_id=made[2].id)


def test_debug_log(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="CANARY-answer", tool_calls=[call("c1", "weather", city="CANARY-city")])])
    own = {
        "RUST_LOG": "codex_relay=debug",
        "CODEX_RELAY_UPSTREAM": upstream.base_url,
        "CODEX_RELAY_API_KEY": API_KEY,
    }
    with As("codex-relay", tmp_path, "--port", "0", variables=own) as gateway, of(gateway) as client:
        client.responses.create(model=MODEL, input="CANARY-prompt", tools=[TOOL])
    assert "tools given ['weather']" in gateway.stderr
    assert "tools called ['weather']" in gateway.stderr
    assert "CANARY" not in gateway.stderr


def test_python_start(upstream: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, urllib.request\n"
        "from wireloom import start\n"
        "proc = start(port=int(sys.argv[1]), upstream=sys.argv[2], api_key='upstream-key')\n"
        "print(proc.url, flush=True)\n"
        "print(urllib.request.urlopen(proc.url + '/v1/models').read().decode(), flush=True)\n"
        "proc.terminate()\n"
        "proc.wait()\n"
    )
    port = free_port()
    ran = subprocess.run(
        [sys.executable, str(program), str(port), upstream.base_url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    url, listed = ran.stdout.splitlines()
    assert url == f"http://127.0.0.1:{port}"
    assert MODEL in listed


def test_sub_agent_tools(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="x")])
    with relay(upstream, tmp_path) as gateway:
        Codex(tmp_path / "codex", gateway.base_url, "unused", MODEL).run("hello")
    assert any(name.endswith("spawn_agent") for name in upstream.chats[0].tool_names)


def test_namespaces(upstream: ChatServer, tmp_path: Path) -> None:
    """Tools of an MCP server: flattened for the model, called by the real CLI."""
    upstream.play([Turn(tool_calls=[call("c1", "mcp__tiny-add", a=2, b=40)]), Turn(text="done")])
    servers = {"tiny": [sys.executable, mcp_server.__file__]}
    with relay(upstream, tmp_path) as gateway:
        codex = Codex(tmp_path / "codex", gateway.base_url, "unused", MODEL, mcp_servers=servers)
        ran = codex.run("hello")
    assert (ran.exit_code, ran.last_message) == (0, "done"), ran.report
    assert "42" in upstream.chats[1].outputs["c1"]


def test_custom_tools(upstream: ChatServer, tmp_path: Path) -> None:
    """apply_patch, which is no function for the CLI and is one for the model."""
    patch = "*** Begin Patch\n*** Add File: made.txt\n+by a patch\n*** End Patch\n"
    upstream.play([Turn(tool_calls=[call("c1", "apply_patch", input=patch)]), Turn(text="done")])
    with relay(upstream, tmp_path) as gateway:
        codex = Codex(tmp_path / "codex", gateway.base_url, "unused", MODEL, catalog=True)
        ran = codex.run("hello", "-s", "workspace-write")
    assert (ran.exit_code, ran.last_message) == (0, "done"), ran.report
    assert (codex.workspace / "made.txt").read_text() == "by a patch\n"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_shown(upstream: ChatServer, tmp_path: Path, field: str) -> None:
    upstream.play([Turn(reasoning="step by step", text="so", reasoning_field=field)])
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        made = client.responses.create(model=MODEL, input="x", reasoning={"summary": "auto"})
    thought = made.output[0]
    assert thought.type == "reasoning"
    assert thought.summary[0].text == "step by step"


def test_thinking_in_tags(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="<think>step by step</think>so")])
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        made = client.responses.create(model=MODEL, input="x")
    assert (made.output_text, made.output[0].type) == ("so", "reasoning")


def test_usage(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="x", usage=Usage(11, 7, cached=5, reasoning=3))])
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        used = client.responses.create(model=MODEL, input="x").usage
    assert used is not None
    assert (used.input_tokens, used.output_tokens) == (11, 7)
    assert (used.input_tokens_details.cached_tokens, used.output_tokens_details.reasoning_tokens) == (5, 3)


def test_effort_and_images(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="x")])
    url = "data:image/png;base64,iVBORw0KGgo="
    parts = [
        {"type": "input_text", "text": "what?"},
        {"type": "input_image", "image_url": url, "detail": "low"},
    ]
    asked: Any = [{"role": "user", "content": parts}]
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        client.responses.create(model=MODEL, input=asked, reasoning={"effort": "high"})
    assert upstream.chats[0].body["reasoning_effort"] == "high"
    assert upstream.chats[0].image_urls == [url]


def test_calls_without_a_name_are_refused(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(tool_calls=[call("c1", "")])])
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        with pytest.raises(APIError):
            client.responses.create(model=MODEL, input="x", tools=[TOOL])


def test_calls_of_no_tool_are_told(upstream: ChatServer, tmp_path: Path) -> None:
    """The CLI itself tells the model that there is no such tool, and the model goes on."""
    upstream.play([Turn(tool_calls=[call("c1", "undeclared", at="x")]), Turn(text="then without")])
    with relay(upstream, tmp_path) as gateway:
        ran = Codex(tmp_path / "codex", gateway.base_url, "unused", MODEL).run("hello")
    assert (ran.exit_code, ran.last_message) == (0, "then without"), ran.report
    assert "unsupported call" in upstream.chats[1].outputs["c1"]


def test_a_missing_end_is_mended(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="all of it", ending="no_done")])
    with relay(upstream, tmp_path) as gateway, of(gateway) as client:
        assert client.responses.create(model=MODEL, input="x").status == "completed"


def test_record_corpus(upstream: ChatServer, tmp_path: Path) -> None:
    upstream.play([Turn(text="x")])
    folder = tmp_path / "corpus"
    with relay(upstream, tmp_path, "--record-corpus", str(folder)) as gateway, of(gateway) as client:
        client.responses.create(model=MODEL, input="said")
    (file,) = folder.glob("*-post-responses.json")
    assert json.loads(file.read_text())["body"]["input"] == "said"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_bind(upstream: ChatServer, tmp_path: Path) -> None:
    with relay(upstream, tmp_path, "--bind", "127.0.0.1") as gateway:
        assert gateway.root_url.startswith("http://127.0.0.1:")


def test_other_schemes_are_refused(tmp_path: Path) -> None:
    ran = run(tmp_path, "as", "codex-relay", "--upstream", "ftp://example.com")
    assert ran.returncode == 2
    assert "http or https" in ran.stderr


def test_other_addresses_need_a_token(upstream: ChatServer, tmp_path: Path) -> None:
    ran = run(tmp_path, "as", "codex-relay", "--upstream", upstream.base_url, "--bind", "0.0.0.0")
    assert ran.returncode == 2
    assert "clients need a key" in ran.stderr


def test_what_has_no_effect_is_said(upstream: ChatServer, tmp_path: Path) -> None:
    with relay(upstream, tmp_path, "--model-template", "gpt-5.5", disable_quirks="dsml_heal") as gateway:
        pass
    assert "Note: --model-template has no effect here" in gateway.stderr
    assert "Note: CODEX_RELAY_DISABLE_QUIRKS has no effect here" in gateway.stderr


def test_plain_serve_hears_its_variables(upstream: ChatServer, tmp_path: Path) -> None:
    variables = {
        "CODEX_RELAY_UPSTREAM": upstream.base_url,
        "CODEX_RELAY_API_KEY": API_KEY,
        "CODEX_RELAY_MODEL_MAP": f"mapped:{MODEL}",
    }
    upstream.play([Turn(text="x")])
    with Gateway(None, tmp_path, environment=variables) as gateway:
        with OpenAI(base_url=gateway.base_url, api_key=gateway.token) as client:
            client.responses.create(model="mapped", input="x")
    assert upstream.chats[0].body["model"] == MODEL
    checked = run(tmp_path, "config", "check", variables={**variables, "CODEX_RELAY_PORT": "abc"})
    assert checked.returncode == 2
    assert "CODEX_RELAY_PORT: 'abc' cannot be used" in checked.stderr
