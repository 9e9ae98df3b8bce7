"""Several backends in one gateway: the real Codex CLI and the OpenAI SDK choose by name, and one answers for another."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from tests.support import responses_turns as r
from tests.support.chat_server import API_KEY, MODEL, ChatServer
from tests.support.chat_turns import Turn, call, failure
from tests.support.codex import Codex, find_codex
from tests.support.codex_backend import KEY_VARIABLE, User
from tests.support.gateway import Gateway
from tests.support.responses_server import API_KEY as PROVIDER_KEY
from tests.support.responses_server import ResponsesServer

pytestmark = pytest.mark.e2e


@pytest.fixture
def servers() -> Iterator[tuple[ChatServer, ChatServer, ResponsesServer]]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(ChatServer([])) for _ in range(2))
        provider = stack.enter_context(ResponsesServer([]))
        yield first, second, provider


@pytest.fixture
def gateway(servers: tuple[ChatServer, ChatServer, ResponsesServer], tmp_path: Path) -> Iterator[Gateway]:
    first, second, provider = servers
    user = User(tmp_path, provider.base_url)
    file = tmp_path / "config.toml"
    file.write_text(f"""
default_backend = "first"
[backends.first]
upstream = "{first.base_url}"
api_key_env = "CHAT_KEY"
[backends.second]
upstream = "{second.base_url}"
api_key_env = "CHAT_KEY"
model_map = {{ aliased = "{MODEL}" }}
[backends.codex]
backend = "app-server"
codex_bin = "{find_codex()}"
[routes]
either = ["first/{MODEL}", "second/{MODEL}"]
""")
    variables = {
        "WIRELOOM_CONFIG": str(file),
        "CHAT_KEY": API_KEY,
        "CODEX_HOME": str(user.home),
        KEY_VARIABLE: PROVIDER_KEY,
    }
    with Gateway(None, tmp_path, environment=variables) as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr


def test_codex_chooses_among_them(
    servers: tuple[ChatServer, ChatServer, ResponsesServer], gateway: Gateway, tmp_path: Path
) -> None:
    first, second, _ = servers
    first.play([Turn(text="from the first")])
    second.play(
        [Turn(tool_calls=[call("c1", "exec_command", cmd="echo here")]), Turn(text="from the second")]
    )
    said = {}
    for model in (f"first/{MODEL}", "second/aliased"):
        root = tmp_path / model.replace("/", "-")
        run = Codex(root, gateway.base_url, gateway.token, model, catalog=True).run("hello")
        assert run.exit_code == 0, run.report
        assert run.items("error") == [], run.report  # its metadata was found
        said[model] = run.last_message
    assert list(said.values()) == ["from the first", "from the second"]
    assert "here" in second.chats[1].outputs["c1"]
    assert [chat.body["model"] for chat in second.chats] == [MODEL, MODEL]


def test_one_answers_for_another(
    servers: tuple[ChatServer, ChatServer, ResponsesServer], gateway: Gateway, tmp_path: Path
) -> None:
    first, second, _ = servers
    first.play([failure(503, "down")])
    used = call("c1", "exec_command", cmd="echo here")
    second.play([Turn(tool_calls=[used]), Turn(text="from the second")])
    run = Codex(tmp_path / "codex", gateway.base_url, gateway.token, "either").run("hello")
    assert (run.exit_code, run.last_message) == (0, "from the second"), run.report
    assert (len(first.chats), len(second.chats)) == (1, 2)
    lines = [json.loads(line) for line in gateway.stderr.splitlines() if line.startswith("{")]
    told = [line["backend"] for line in lines if line.get("operation") == "createResponse"]
    assert told == ["second", "second"]


def test_every_face_of_every_backend(
    servers: tuple[ChatServer, ChatServer, ResponsesServer], gateway: Gateway
) -> None:
    first, _, provider = servers
    first.play([Turn(text="chat")] * 2)
    provider.play([r.told(r.message("codex"))] * 2)
    with OpenAI(base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60) as client:
        listed = [model.id for model in client.models.list()]
        for model, text in ((MODEL, "chat"), ("codex/codex-local", "codex")):
            assert client.responses.create(model=model, input="x").output_text == text
            made = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}])
            assert made.choices[0].message.content == text
    assert {f"first/{MODEL}", f"second/{MODEL}", "second/aliased", "codex/codex-local", "either"} <= set(
        listed
    )
    assert httpx.get(f"{gateway.root_url}/ready").json()["backends"] == dict.fromkeys(
        ("first", "second", "codex"), "ready"
    )
