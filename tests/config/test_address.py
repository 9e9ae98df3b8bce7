"""The settings of the way to an upstream: where they come from, and with which upstream they go."""

from __future__ import annotations

from pathlib import Path

import pytest

from wireloom.config import Settings, load
from wireloom.config.backend import BackendEntry
from wireloom.config.values import variables

URL = "https://a.example/openai/v1?api-version=preview"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("WIRELOOM_CONFIG", str(path))
    return path


def test_flags_win_over_variables_and_those_over_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(
        f'upstream = "{URL}"\nupstream-key-header = "api-key"\nupstream_proxy = "http://file.example:1"\n'
        '[upstream_headers]\nx-team = "file"\n'
    )
    told = load(Settings, {})
    assert (told.upstream, told.shown_upstream) == (URL, "https://a.example/openai/v1")
    assert (told.upstream_key_header, told.upstream_proxy) == ("api-key", "http://file.example:1")
    assert told.headers_upstream == {"x-team": "file"}
    monkeypatch.setenv("WIRELOOM_UPSTREAM_HEADERS", '{"x-team": "variable"}')
    monkeypatch.setenv("WIRELOOM_UPSTREAM_KEY_HEADER", "none")
    told = load(Settings, {"upstream_key_header": "x-api-key"})
    assert told.headers_upstream == {"x-team": "variable"}
    assert told.upstream_key_header == "x-api-key"


def test_another_provider_does_not_get_the_headers_of_the_first(config: Path) -> None:
    config.write_text(
        'provider = "openrouter"\nupstream_key_header = "api-key"\n[upstream_headers]\nx-token = "secret"\n'
    )
    told = load(Settings, {"provider": "groq"})
    assert told.headers_upstream == {}
    assert told.upstream_key_header == "authorization"


def test_a_backend_has_its_own_and_not_those_of_the_top(config: Path) -> None:
    config.write_text(
        f'upstream = "{URL}"\n[upstream_headers]\nx-token = "top"\n'
        '[backends.b]\nupstream = "https://b.example/v1"\n[backends.b.upstream_headers]\nx-b = "own"\n'
        '[backends.c]\nupstream = "https://c.example/v1"\n'
    )
    entries = load(Settings, {}).named
    assert {name: entry.headers_upstream for name, entry in entries.items()} == {
        "default": {"x-token": "top"},
        "b": {"x-b": "own"},
        "c": {},
    }
    assert isinstance(entries["b"], BackendEntry)


def test_several_keys(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(f'upstream = "{URL}"\napi_key_env = "ONE, TWO"\n')
    monkeypatch.setenv("ONE", "1")
    monkeypatch.setenv("TWO", "2")
    told = load(Settings, {})
    assert told.upstream_key is not None
    assert told.upstream_key.get_secret_value() == "1"
    assert told.more_keys == [("2", "in TWO")]
    assert "TWO" in str(told.api_key_env)
    assert variables(None) == []
