"""The upstream's key in the system's keyring."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from wireloom.config import ConfigError, Settings, load


class KeyringError(Exception):
    """What the library raises."""


BASE = {"upstream": "http://127.0.0.1:1/v1", "api_key_keyring": "wireloom/deep/seek"}


def fake(
    monkeypatch: pytest.MonkeyPatch, key: str | None = None, failure: type[Exception] | None = None
) -> None:
    def get_password(service: str, user: str) -> str | None:
        if failure is not None:
            raise failure
        return key if (service, user) == ("wireloom", "deep/seek") else None

    monkeypatch.setitem(
        sys.modules,
        "keyring",
        SimpleNamespace(get_password=get_password, errors=SimpleNamespace(KeyringError=KeyringError)),
    )


def test_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, "from-keyring")
    key = load(Settings, BASE).upstream_key
    assert key is not None
    assert key.get_secret_value() == "from-keyring"


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for failure in (None, KeyringError):
        fake(monkeypatch, None, failure)
        with pytest.raises(ConfigError, match="--api-key-keyring"):
            load(Settings, BASE)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"the extra keyring is missing"):
        load(Settings, BASE)
    with pytest.raises(ConfigError, match="--api-key-keyring: 'alone' cannot be used"):
        load(Settings, {**BASE, "api_key_keyring": "alone"})
