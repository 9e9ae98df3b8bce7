"""The table of the tools that wireloom takes the place of."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from wireloom.config import ConfigError, Settings, load
from wireloom.config.files import other_tools as other_files
from wireloom.config.files.env_file import set_variables
from wireloom.config.tools import (
    CODEX_API_PROXY,
    CODEX_GATEWAY,
    CODEX_OPENAI_PROXY,
    CODEX_RELAY,
    TOOLS,
    heard,
)
from wireloom.config.words import Tool, from_environment, log_filter, names_of_json, truth, upper_level

E2E = Path(__file__).parents[1] / "e2e"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in TOOLS:
        for word in tool.words:
            if word.variable is not None:
                monkeypatch.delenv(word.variable, raising=False)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: str(tool.name))
def test_every_row_is_shown_by_a_test_that_there_is(tool: Tool) -> None:
    tree = ast.parse((E2E / f"test_{tool.name.replace('-', '_')}_features.py").read_text())
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {each.shown for each in tool.features} | {each.shown for each in tool.superseded} <= tests


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: str(tool.name))
def test_words_are_settings(tool: Tool) -> None:
    own = {"history_store", "history_dir", "workers", "*"}
    settings = {word.setting for word in tool.words if word.setting is not None}
    assert settings - own <= Settings.model_fields.keys()
    assert all(word.told for word in tool.words if word.setting is None)


@pytest.mark.parametrize(
    ("tool", "settings"),
    [
        (
            CODEX_RELAY,
            {
                "host": "127.0.0.1",
                "port": 4444,
                "backend": "chat",
                "upstream": "https://openrouter.ai/api/v1",
                "history": "memory",
                "max_sessions": 256,
                "session_ttl_hours": 168,
                "max_session_memory_mb": 512,
            },
        ),
        (
            CODEX_API_PROXY,
            {
                "host": "127.0.0.1",
                "port": 8765,
                "backend": "exec",
                "max_concurrency": 1,
                "max_queue_size": 64,
                "queue_timeout_seconds": 30,
                "timeout_seconds": 300,
                "agent": False,
                "fast": False,
                "ephemeral": True,
            },
        ),
        (CODEX_OPENAI_PROXY, {"host": "127.0.0.1", "port": 8000, "backend": "exec"}),
        (CODEX_GATEWAY, {"host": "127.0.0.1", "port": 8000, "backend": "app-server", "fast": True}),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_defaults(tool: Tool, settings: dict[str, Any]) -> None:
    loaded = load(Settings, tool.settings({}, {}))
    assert {name: getattr(loaded, name) for name in settings} == settings


def test_flag_over_variable_over_file_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    file = {"port": "3", "token": "file"}
    assert CODEX_GATEWAY.settings({}, file)["port"] == "3"
    monkeypatch.setenv("CODEX_GATEWAY_PORT", "2")
    assert CODEX_GATEWAY.settings({}, file)["port"] == "2"
    assert CODEX_GATEWAY.settings({"--port": "1"}, file)["port"] == "1"
    assert CODEX_GATEWAY.settings({"--port": "1"}, file, defaults=False) == {
        "port": "1",
        "token": {"default": "file"},
    }


@pytest.mark.parametrize(
    ("tool", "file", "found"),
    [
        (CODEX_API_PROXY, {"--engine": "app-server", "--workers": "4"}, {"max_concurrency": "4"}),
        (CODEX_API_PROXY, {"--workers": "4", "--max-concurrency": "2"}, {"max_concurrency": "2"}),
        (CODEX_API_PROXY, {"--default-cwd": "/w"}, {"default_cwd": "/w", "allowed_root": ["/w"]}),
        (CODEX_API_PROXY, {"--default-cwd": "/w", "--allowed-root": ("/v",)}, {"allowed_root": ["/v"]}),
        (
            CODEX_RELAY,
            {"--history-store": "disk"},
            {"history": "sqlite:.codex-relay-history/history.sqlite3"},
        ),
        (
            CODEX_RELAY,
            {"--history-store": "disk", "--history-dir": "/h"},
            {"history": "sqlite:/h/history.sqlite3"},
        ),
        (CODEX_RELAY, {"--drop-upstream-params": '["a"]'}, {"drop_params": ["a"]}),
        (CODEX_GATEWAY, {"--reasoning-effort": "low"}, {"fast": True}),
        (
            CODEX_GATEWAY,
            {"--reasoning-effort": "high"},
            {"fast": False, "codex_config": ['model_reasoning_effort="high"']},
        ),
    ],
)
def test_what_flags_come_to(tool: Tool, file: dict[str, Any], found: dict[str, Any]) -> None:
    made = tool.settings(file, {})
    assert {name: made[name] for name in found} == found


def test_what_cannot_be_read_names_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--drop-upstream-params"):
        CODEX_RELAY.settings({"--drop-upstream-params": "[1]"}, {})
    monkeypatch.setenv("CODEX_RELAY_DROP_PARAMS", "[")
    with pytest.raises(ConfigError, match="CODEX_RELAY_DROP_PARAMS"):
        from_environment(TOOLS)


def test_variables_of_all_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CODEX_RELAY_UPSTREAM": "http://a/v1",
        "CODEX_PROXY_PORT": "5",
        "CODEX_GATEWAY_TOKEN": "t",
        "PORT": "6",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load(Settings, {})
    assert (settings.upstream, settings.port) == ("http://a/v1", 5)
    assert settings.token["default"].get_secret_value() == "t"
    monkeypatch.setenv("WIRELOOM_PORT", "7")
    assert load(Settings, {}).port == 7
    assert CODEX_OPENAI_PROXY not in heard()
    monkeypatch.setenv("CODEX_PATH", "codex")
    assert CODEX_OPENAI_PROXY in heard()


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("codex_relay=debug", "debug"),
        ("info", "info"),
        ("a=b=trace", "debug"),
        ("warn", "warning"),
        ("x", "info"),
    ],
)
def test_log_filters(text: str, level: str) -> None:
    assert log_filter(text) == level


def test_readers() -> None:
    assert [truth(text) for text in ("1", "TRUE", "yes", "0", "no", True)] == [
        True,
        True,
        True,
        False,
        False,
        True,
    ]
    assert names_of_json("a, b,") == ["a", "b"]
    assert upper_level("WARN") == "warning"


def test_files_of_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SET_ALREADY", "before")
    monkeypatch.delenv("NEW_ONE", raising=False)
    assert other_files.dot_env() == {}
    file = tmp_path / ".env"
    file.write_text("SET_ALREADY=after\nexport NEW_ONE='a b'\nEMPTY\n")
    set_variables(file)
    assert other_files.dot_env() == {"SET_ALREADY": "after", "NEW_ONE": "a b"}
    monkeypatch.setenv("NEW_ONE", "reset by the fixture at the end")
    with pytest.raises(ConfigError, match="cannot be read"):
        set_variables(tmp_path / "none")
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        set_variables(file)


@pytest.mark.parametrize(("text", "words"), [("[", "not JSON"), ("[]", "no object")])
def test_a_json_file_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.json"
    assert other_files.read_json(file) == {}
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        other_files.read_json(file)
