"""How an extra is installed, by where the package came from."""

from __future__ import annotations

import json
from importlib.metadata import Distribution
from typing import Any

import pytest

from wireloom.config import ConfigError, Settings, load
from wireloom.config.extras import install_command


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'wireloom[check]'"),
        ({"url": "file:///a%20b/wireloom", "dir_info": {}}, "pip install '/a b/wireloom[check]'"),
        ({"url": "file:///src", "dir_info": {"editable": True}}, "pip install -e '/src[check]'"),
        (
            {"url": "https://host/wireloom.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "pip install 'wireloom[check] @ git+https://host/wireloom.git@abc'",
        ),
        (
            {"url": "https://host/w.git", "vcs_info": {"vcs": "git"}},
            "pip install 'wireloom[check] @ git+https://host/w.git'",
        ),
        (
            {"url": "file:///wheels/wireloom-0.1.0.whl", "archive_info": {}},
            "pip install 'wireloom[check] @ file:///wheels/wireloom-0.1.0.whl'",
        ),
    ],
)
def test_commands(origin: Any, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return None if origin is None else json.dumps(origin)

    monkeypatch.setattr(Distribution, "from_name", lambda _: Installed())
    assert install_command("check") == command


def test_the_command_of_this_installation_names_where_it_came_from() -> None:
    assert install_command("check") != "pip install 'wireloom[check]'", "no index has it"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"otel": True}, "--otel: needs the extra otel: {command}"),
        (
            {"api_key_keyring": "a/b"},
            "the extra keyring is missing: {command}, then keyring set SERVICE USER.",
        ),
    ],
)
def test_where_one_is_missing(given: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wireloom.config.agreement.find_spec", lambda _: None)
    monkeypatch.setattr("wireloom.config.backend.in_keyring", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        load(Settings, {"upstream": "http://a", **given})
    extra = "otel" if "otel" in given else "keyring"
    assert said.format(command=install_command(extra)) in str(caught.value)
