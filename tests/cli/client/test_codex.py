"""`wireloom config codex` and the texts for other clients."""

import ast
import json
import os
import shlex
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke
from tests.support.threaded import KEY
from wireloom.cli.client import connect


def block(invoke: Invoke, *arguments: str) -> dict[str, Any]:
    result = invoke("config", "codex", *arguments)
    assert result.exit_code == 0, result.output
    return tomllib.loads(result.stdout)


def test_block(invoke: Invoke) -> None:
    assert block(invoke, "--model", "m") == {
        "model": "m",
        "model_provider": "wireloom",
        "model_providers": {
            "wireloom": {
                "name": "wireloom",
                "base_url": "http://127.0.0.1:4444/v1",
                "wire_api": "responses",
                "model_catalog_url": "http://127.0.0.1:4444/v1/models",
                "auth": {"command": connect.program(), "args": ["token"]},
            }
        },
    }


def test_wireloom_is_named_as_it_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "wireloom"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert connect.program() == str(Path(sys.executable).with_name("wireloom"))
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert connect.program() == "wireloom"


def test_the_model_is_one_of_the_gateway_that_runs(invoke: Invoke, running: str) -> None:
    assert block(invoke)["model"] == "demo"
    assert block(invoke, "--model", "m")["model"] == "m"


def test_without_a_model_the_user_is_told_where_to_find_one(invoke: Invoke, nobody: str) -> None:
    result = invoke("config", "codex")
    assert "model" not in tomllib.loads(result.stdout)
    assert "wireloom models" in result.stdout.splitlines()[0]


def test_without_keys_codex_gets_a_meaningless_one(invoke: Invoke) -> None:
    provider = block(invoke, "--no-auth")["model_providers"]["wireloom"]
    assert provider["experimental_bearer_token"] == "unused"
    assert "auth" not in provider


def test_it_follows_the_configuration_and_never_shows_the_upstream(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "wireloom"
    folder.mkdir()
    text = 'port = 7\nmodel = "from file"\nupstream = "http://up/v1"\napi_key = "k"\nno_auth = true'
    (folder / "config.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("WIRELOOM_TOKEN", "t0ken")
    result = invoke("config", "codex")
    read = tomllib.loads(result.stdout)
    assert read["model"] == "from file"
    assert read["model_providers"]["wireloom"]["base_url"] == "http://127.0.0.1:7/v1"
    assert read["model_providers"]["wireloom"]["auth"]["args"] == ["token"]
    assert "http://up" not in result.output
    assert "t0ken" not in result.output


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/v1"),
        ("0.0.0.0", "http://127.0.0.1:80/v1"),
        ("::", "http://[::1]:80/v1"),
        ("::1", "http://[::1]:80/v1"),
        ("10.1.2.3", "http://10.1.2.3:80/v1"),
        ("gateway.lan", "http://gateway.lan:80/v1"),
    ],
)
def test_base_url_is_one_a_client_can_reach(host: str, url: str) -> None:
    assert connect.base_url(host, 80) == url


@pytest.mark.parametrize("model", ["plain", 'a"b\\c', "größe/模型", "it's"])
def test_names_survive_quoting(model: str) -> None:
    assert tomllib.loads(connect.codex("http://a/v1", model, with_key=True))["model"] == model
    program = ast.parse(connect.openai_sdk("http://a/v1", model))
    assert model in {node.value for node in ast.walk(program) if isinstance(node, ast.Constant)}
    command = shlex.split(connect.curl("http://a/v1", model))
    assert command[:3] == ["curl", "-N", "http://a/v1/responses"]
    assert json.loads(command[-1])["model"] == model


def test_the_program_for_an_sdk_runs_as_it_is(
    running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    program = connect.openai_sdk(f"{running}/v1", None, None)
    assert KEY not in program
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "You said: Hello\n"), ran.stderr


def test_a_catalogue_is_written_from_what_the_upstream_lists_and_the_settings_say(
    invoke: Invoke, tmp_path: Path
) -> None:
    file = tmp_path / "with space.json"
    said = '{"more": {"context_window": 5}}'
    result = invoke("config", "codex", "--backend", "demo", "--models", said, "--catalog", str(file))
    assert result.exit_code == 0, result.output
    read = tomllib.loads(result.stdout)
    assert read["model_catalog_json"] == str(file)
    assert "model_catalog_url" not in read["model_providers"]["wireloom"]
    models = json.loads(file.read_text(encoding="utf-8"))["models"]
    assert [(model["slug"], model["context_window"]) for model in models] == [("demo", 131_072), ("more", 5)]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_catalogue_is_for_its_owner_alone(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    before = os.umask(0)
    try:
        result = invoke("config", "codex", "--backend", "demo", "--catalog", str(file))
    finally:
        os.umask(before)
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_settings_of_the_upstream_are_for_a_catalogue(invoke: Invoke) -> None:
    result = invoke("config", "codex", "--provider", "deepseek")
    assert (result.exit_code, "--catalog" in result.stderr) == (2, True)


def test_a_catalogue_that_cannot_be_written_is_told(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "models.json"
    result = invoke("config", "codex", "--backend", "demo", "--catalog", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--catalog: {file} cannot be written: No such file or directory" in result.stderr
