"""What of the user's is carried over to the local Codex CLI: the model settings, and no key where others could see it."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from wireloom.config import ConfigError, Settings, load
from wireloom.config.codex import CodexSetup, codex_setup

SECRET = "s3cret-K9Qx"
NO_RETRIES = {"request_max_retries": 0, "stream_max_retries": 0}


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [
        name for name in os.environ if name.startswith(("WIRELOOM_", "CODEX_")) or "proxy" in name.lower()
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("UNRELATED", SECRET)
    (tmp_path / "user").mkdir()


def setup(**given: Any) -> CodexSetup:
    return codex_setup(load(Settings, {"backend": "app-server", **given}))


def user_config(tmp_path: Path, text: str) -> None:
    (tmp_path / "user/config.toml").write_text(text)


def test_without_a_configuration_nothing_is_carried(tmp_path: Path) -> None:
    made = setup()
    assert made.overrides == {}
    assert made.model is None
    assert made.home == tmp_path / "state/wireloom/codex-home"
    assert made.user_home == tmp_path / "user"
    assert made.cwd == tmp_path / "state/wireloom/codex-empty"
    assert list(made.cwd.iterdir()) == []
    assert stat.S_IMODE(made.cwd.stat().st_mode) == 0o700
    assert (made.binary, made.agent, made.fast, made.ephemeral) == ("codex", False, False, True)


def test_the_users_own_home_is_the_usual_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CODEX_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert setup().user_home == tmp_path / ".codex"


def test_models_and_providers_are_carried_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    user_config(
        tmp_path,
        """
        model = "mine"
        model_provider = "my.own"
        notify = ["touch", "/tmp/notified"]
        approval_policy = "never"
        developer_instructions = "leak"
        [mcp_servers.evil]
        command = "evil"
        [model_providers."my.own"]
        name = "Mine"
        base_url = "http://127.0.0.1:1/v1"
        env_key = "MY_KEY"
        request_max_retries = 9
        [features]
        hooks = true
        """,
    )
    made = setup()
    provider = {"name": "Mine", "base_url": "http://127.0.0.1:1/v1", "env_key": "MY_KEY", **NO_RETRIES}
    assert made.overrides == {
        "model": "mine",
        "model_provider": "my.own",
        "model_providers": {"my.own": provider},
    }
    assert made.model == "mine"
    assert made.environment["MY_KEY"] == SECRET
    assert "UNRELATED" not in made.environment


def test_keys_go_into_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORG", "org-1")
    user_config(
        tmp_path,
        f"""
        [model_providers.a]
        experimental_bearer_token = "{SECRET}"
        http_headers = {{ "x-key" = "{SECRET}-2" }}
        env_http_headers = {{ "x-org" = "ORG", "x-none" = "NOT_SET" }}
        """,
    )
    made = setup()
    assert SECRET not in json.dumps(made.overrides)
    provider = made.overrides["model_providers"]["a"]
    assert made.environment[provider["env_key"]] == SECRET
    headers = provider["env_http_headers"]
    assert made.environment[headers["x-key"]] == f"{SECRET}-2"
    assert headers["x-org"] == "ORG"
    assert made.environment["ORG"] == "org-1"
    assert "NOT_SET" not in made.environment
    assert "http_headers" not in provider


def test_settings_of_the_gateway_come_last(tmp_path: Path) -> None:
    user_config(tmp_path, 'model = "mine"')
    made = setup(
        model="other", codex_config=["model_provider=azure", "a.b=[1, 2]", "text = not toml", 'c="q=1"']
    )
    assert made.overrides == {
        "model": "other",
        "model_provider": "azure",
        "a.b": [1, 2],
        "text": "not toml",
        "c": "q=1",
    }
    assert made.model == "other"


def test_the_environment_of_the_child_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://old:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("LANG", "C.UTF-8")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR", "TZ", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    assert setup().environment == {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "https_proxy": "http://old:1",
        "NO_PROXY": "127.0.0.1",
    }
    through = setup(proxy="http://new:2").environment
    assert through["https_proxy"] == through["HTTP_PROXY"] == "http://new:2"
    assert through["NO_PROXY"] == "127.0.0.1"


def test_folders_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    made = setup(default_cwd=str(tmp_path / "work"), allowed_root=[str(tmp_path / "work"), str(tmp_path)])
    assert made.cwd == tmp_path / "work"
    assert made.allowed_roots == (tmp_path / "work", tmp_path)
    for flag in ("default_cwd", "allowed_root"):
        value: Any = str(tmp_path / "none")
        with pytest.raises(ConfigError, match="is no folder"):
            setup(**{flag: [value] if flag == "allowed_root" else value})


@pytest.mark.parametrize("text", ["model =", "\xff"])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "user/config.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="is not TOML"):
        setup()
    (tmp_path / "user/config.toml").unlink()
    (tmp_path / "user/config.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        setup()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(ConfigError, match="--default-cwd"):
        setup()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"app_server_url": "http://h"}, "ws://HOST:PORT"),
        ({"app_server_url": "unix://h/p"}, "ws://HOST:PORT"),
        ({"codex_config": ["novalue"]}, "KEY=VALUE"),
        ({"backend": "demo", "app_server_url": "ws://h:1"}, "needs --backend app-server"),
        ({"upstream": "http://h/v1"}, "needs no server"),
        ({"app_server_token_env": "NOT_SET"}, "is not set"),
    ],
)
def test_settings_that_contradict_each_other(given: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        setup(**given)


@pytest.mark.parametrize(
    ("backend", "running", "seconds"), [("app-server", 64, 0), ("exec", 4, 300), ("demo", 2000, 0)]
)
def test_limits_of_each_backend(
    monkeypatch: pytest.MonkeyPatch, backend: str, running: int, seconds: float
) -> None:
    made = load(Settings, {"backend": backend})
    assert (made.concurrency, made.total_seconds) == (running, seconds)
    chosen = load(Settings, {"backend": backend, "max_concurrency": "7", "timeout_seconds": "9"})
    assert (chosen.concurrency, chosen.total_seconds) == (7, 9)


def test_the_token_of_an_app_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    assert (
        load(Settings, {"backend": "app-server", "app_server_token_env": "TOKEN"}).app_server_token == SECRET
    )
    assert load(Settings, {"backend": "app-server"}).app_server_token is None
