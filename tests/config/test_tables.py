"""The tables of the config file: backends, routes and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wireloom.config import ConfigError, Endpoint, Settings, load

Write = Callable[[str], Path]

TWO = """
timeout_seconds = 7
[backends.far]
provider = "deepseek"
[backends.near]
upstream = "http://127.0.0.1:8000/v1"
timeout_seconds = 9
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        monkeypatch.setenv("WIRELOOM_CONFIG", str(path))
        return path

    return written


def refused(**given: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(Settings, given)
    return str(caught.value)


def test_backends_have_what_the_top_level_says(write: Write) -> None:
    write(TWO)
    settings = load(Settings, {})
    assert list(settings.named) == ["far", "near"]
    assert [entry.total_seconds for entry in settings.named.values()] == [7, 9]
    assert settings.first_backend == "far"


def test_one_of_the_command_line_beside_them(write: Write) -> None:
    write(TWO)
    settings = load(Settings, {"backend": "demo", "default_backend": "near"})
    assert list(settings.named) == ["default", "far", "near"]
    assert settings.first_backend == "near"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            '[backends.a]\nprovider = "deepseek"\nport = 1',
            3,
            "backends.a.port: a backend has no such setting; remove it.",
        ),
        (
            '[backends.a]\nprovider = "nonesuch"',
            2,
            "backends.a.provider: there is no provider nonesuch; there are deepseek",
        ),
        (
            '[backends.a]\nstrict = true\nbackend = "demo"',
            2,
            "backends.a.strict: a backend has no such setting",
        ),
        ("[backends.a]\ntimeout_seconds = 1", 1, "backends.a: this has neither upstream nor provider"),
        ('[backends."a/b"]\nbackend = "demo"', 1, 'backends."a/b"'),
        ('[backends.default]\nbackend = "demo"', None, ""),
        (
            'backend = "demo"\n[backends.default]\nbackend = "demo"',
            2,
            "none of backends can have that name",
        ),
        ('default_backend = "b"\n[backends.a]\nbackend = "demo"', 1, "there is no backend b; there is a."),
        ('model_map = "a:b"\n[backends.a]\nbackend = "demo"', 1, "model_map: put this under [backends.NAME]"),
        ('[backends.a]\nbackend = "demo"\n[routes]\nfast = "b/c"', 4, "routes.fast: there is no backend b"),
        ('[backends.a]\nbackend = "demo"\n[routes]\nfast = "c"', 4, "c must be backend/model"),
        ('[backends.a]\nbackend = "demo"\n[routes]\nfast = []', 4, "routes.fast"),
        (
            'backend = "demo"\n[keys.k]\nkey = "a"\nbackends = ["x"]',
            4,
            "keys.k.backends: there is no backend x",
        ),
        ('backend = "demo"\n[keys.k]\nrequests_per_minute = 1', 2, "one of key, key_env and key_file"),
        ('backend = "demo"\n[keys.k]\nkey_env = "NONESUCH"', 3, "keys.k.key_env: NONESUCH is not set"),
        ('backend = "demo"\n[keys.k]\nkey_file = "/nonesuch"', 3, "keys.k.key_file: /nonesuch holds no key"),
        (
            'backend = "demo"\n[keys.k]\nkey = "a"\nquota = 1',
            4,
            "a key has no such setting; it has key, key_env",
        ),
        (
            'backend = "demo"\ntoken = "a"\n[keys.k]\nkey = "a"',
            4,
            "the token default and keys.k are the same key",
        ),
        ('backend = "demo"\ntoken = "k=b"\n[keys.k]\nkey = "a"', 3, "both have a key called k"),
    ],
)
def test_what_is_wrong_in_them(write: Write, text: str, line: int | None, words: str) -> None:
    path = write(text)
    if not words:
        load(Settings, {})
        return
    message = refused()
    assert words in message
    assert message.count(str(path)) == 1
    assert message.startswith(f"{path}:{line}: ")


def test_where_the_keys_are(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    monkeypatch.setenv("MY_KEY", "from-variable")
    write(
        f'backend = "demo"\ntoken = "t"\n[keys]\na = {{key = "k"}}\nb = {{key_env = "MY_KEY"}}\nc = {{key_file = "{file}"}}\n'
    )
    found = {name: key.get_secret_value() for name, key in load(Settings, {}).inbound.items()}
    assert found == {"default": "t", "a": "k", "b": "from-variable", "c": "from-file"}


def test_keys_do_for_other_hosts_and_contradict_no_auth(write: Write) -> None:
    write('backend = "demo"\n[keys]\na = {key = "k"}')
    assert load(Settings, {"host": "0.0.0.0"}).inbound
    # A flag takes back what the file says.
    assert not load(Settings, {"no_auth": "true"}).inbound


def test_tables_as_json() -> None:
    backends = '{"a": {"backend": "demo"}, "b": {"backend": "exec"}}'
    settings = load(
        Settings, {"backends": backends, "routes": '{"r": {"to": ["a/x", "b/y"], "spread": true}}'}
    )
    assert settings.routes["r"].to == ("a/x", "b/y")
    assert settings.routes["r"].spread


def test_a_key_that_is_elsewhere_is_no_matter_of_a_client(write: Write) -> None:
    write('token = "t"\n[keys.ci]\nkey_env = "NONESUCH"')
    assert list(load(Endpoint, {}).inbound) == ["default"]
