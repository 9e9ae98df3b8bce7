"""`wireloom launch codex`: what it hands to the program, and what it says when something is not there."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke
from tests.cli.process import Wireloom
from tests.support.chat_server import API_KEY, ChatServer
from tests.support.live import answer, raw
from wireloom.cli.client import connect
from wireloom.cli.client.launch import named_model

TOKEN = "t0ken-K9Qx"
PROGRAM = """#!{python}
import json, os, sys
print(json.dumps([sys.argv[1:], os.environ.get("WIRELOOM_CODEX_KEY")]))
sys.exit(int(os.environ.get("CODE", 0)))
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A program in place of Codex that tells how it was started."""
    path = tmp_path / "codex"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(stat.S_IRWXU)
    return str(path)


def launch(port: str, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wireloom", "launch", "codex", "--port", port, "--codex-bin", program]
    environment = {**os.environ, **variables}
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def told(ran: subprocess.CompletedProcess[str]) -> tuple[list[str], str]:
    arguments, key = json.loads(ran.stdout)
    return arguments, key


def settings(arguments: list[str]) -> Mapping[str, Any]:
    """What the leading `-c` options say, each a line of TOML."""
    values = [value for flag, value in zip(arguments[::2], arguments[1::2], strict=False) if flag == "-c"]
    return tomllib.loads("\n".join(values))


def test_it_hands_over_options_arguments_key_and_exit_code(program: str) -> None:
    with Wireloom("serve", "--backend", "demo", "--no-auth", "--port", "0") as gateway:
        port = gateway.url().rpartition(":")[2]
        variables = {"WIRELOOM_TOKEN": f"laptop={TOKEN},other=x", "CODE": "7"}
        ran = launch(port, program, "--model", "demo", "--", "exec", "--json", "--", "-x", **variables)
        assert ran.returncode == 7, ran.stderr
        arguments, key = told(ran)
        assert arguments[-4:] == ["exec", "--json", "--", "-x"]
        assert settings(arguments[:-4]) == {
            "model": "demo",
            "model_provider": "wireloom",
            "model_providers": {
                "wireloom": {
                    "name": "wireloom",
                    "base_url": f"http://127.0.0.1:{port}/v1",
                    "wire_api": "responses",
                    "env_key": "WIRELOOM_CODEX_KEY",
                    "model_catalog_url": f"http://127.0.0.1:{port}/v1/models",
                }
            },
        }
        assert key == TOKEN
        assert TOKEN not in " ".join(arguments)
        assert (ran.stderr, "--model" in launch(port, program, "--no-auth").stderr) == ("", True)
        own = launch(port, program, "--no-auth", "exec", "-m", "demo")
        assert (own.stderr, told(own)[1], "model" in settings(told(own)[0][:-3])) == ("", "unused", False)
        # Nothing of it looks like a failure in the log.
        logged = [json.loads(line) for line in gateway.stderr.splitlines()[1:]]
        assert {(line["operation"], line["status"]) for line in logged} == {("listModels", 200)}


@pytest.mark.parametrize("arguments", [("--model", "dmeo"), ("--", "exec", "-m", "dmeo", "hello")])
def test_a_model_that_the_gateway_does_not_list(program: str, arguments: tuple[str, ...]) -> None:
    with Wireloom("serve", "--backend", "demo", "--no-auth", "--port", "0") as gateway:
        port = gateway.url().rpartition(":")[2]
        ran = launch(port, program, "--no-auth", *arguments)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr == (
            "Error: The gateway lists no model dmeo; did you mean demo? One that its upstream has all the same can be added "
            'to the config file: [models."dmeo"].\n'
        )
        far = launch(port, program, "--no-auth", "--model", "gpt-9")
    assert "The gateway lists no model gpt-9. `wireloom models` lists them." in far.stderr


def test_where_no_models_are_listed_every_name_goes(program: str) -> None:
    environment = {"WIRELOOM_API_KEY": API_KEY}
    with ChatServer(models=None) as upstream:
        flags = ("--upstream", upstream.base_url, "--no-auth", "--port", "0")
        with Wireloom("serve", *flags, environment=environment) as gateway:
            ran = launch(gateway.url().rpartition(":")[2], program, "--no-auth", "--model", "any")
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        (("exec", "-m", "a", "hello"), "a"),
        (("-ma",), "a"),
        (("-m=a",), "a"),
        (("--model=a=b",), "a=b"),
        (("exec", "--model", "a"), "a"),
        (("-c", 'model="a"'), "a"),
        (("--config", "model=a"), "a"),
        (("-c", "model_provider=a"), None),
        (("exec", "--", "-m", "a"), None),
        (("-m",), None),
        (("--mode", "x"), None),
        (("hello",), None),
    ],
)
def test_the_model_that_arguments_name(arguments: tuple[str, ...], model: str | None) -> None:
    assert named_model(arguments) == model


def test_the_program_gets_signals_as_any_other_does(tmp_path: Path) -> None:
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\nkill -s PIPE $$\n")
    program.chmod(stat.S_IRWXU)
    with Wireloom("serve", "--backend", "demo", "--no-auth", "--port", "0") as gateway:
        ran = launch(gateway.url().rpartition(":")[2], str(program), "--no-auth", "--model", "demo")
    assert ran.returncode == -signal.SIGPIPE, ran.stderr


def test_no_gateway_is_told_at_once(program: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = str(unused.getsockname()[1])
    ran = launch(port, program, "--no-auth")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"http://127.0.0.1:{port}/v1" in ran.stderr
    assert "wireloom serve" in ran.stderr
    assert "upstream" not in ran.stderr
    assert "Traceback" not in ran.stderr


def test_one_that_never_answers_is_given_up(program: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ran = launch(str(silent.getsockname()[1]), program, "--no-auth")
    assert (ran.returncode, "No gateway answers" in ran.stderr) == (1, True), ran.stderr


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"no JSON"])
async def test_another_server_is_not_taken_for_the_gateway(body: bytes, program: str) -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(body, kind="application/json"))

    async with raw(handler) as (url, _):
        port = url.removesuffix("/v1").rpartition(":")[2]
        ran = await asyncio.to_thread(launch, port, program, "--no-auth")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "gateway" in ran.stderr


def test_a_program_that_is_not_there_is_told(invoke: Invoke) -> None:
    result = invoke("launch", "codex", "--no-auth", "--codex-bin", "/nowhere/codex")
    assert (result.exit_code, "--codex-bin" in result.stderr) == (1, True)


def test_a_token_is_asked_for_before_codex_would_fail_for_it(invoke: Invoke) -> None:
    result = invoke("launch", "codex")
    assert (result.exit_code, "WIRELOOM_TOKEN" in result.stderr) == (2, True)


def test_a_port_that_changes_is_refused(invoke: Invoke) -> None:
    assert "--port" in invoke("launch", "codex", "--no-auth", "--port", "0").stderr


@pytest.mark.parametrize("model", ["plain", 'a"b\\c', "größe/模型", "it's", "a\x7fb\nc"])
def test_options_are_toml(model: str) -> None:
    assert settings(connect.codex_options("http://a/v1", model, "KEY"))["model"] == model
