"""Mistakes in the config file: all of them, each with its line, the place in it, and what was probably meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wireloom.config import ConfigError, Endpoint, Settings, flag_of, load
from wireloom.config.backend import BackendEntry
from wireloom.config.files.excerpt import SHOWN, excerpt
from wireloom.config.files.toml import Position, position_of
from wireloom.config.models import ModelEntry
from wireloom.config.tables import KeyEntry, RouteEntry
from wireloom.providers import Profile

SECRET = "s3cretK9Qx"

Told = Callable[..., str]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Return a function that writes a config file, loads it and returns what is said, without the path."""

    def tell(text: str, kind: type[Endpoint] = Settings, **given: str) -> str:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("WIRELOOM_CONFIG", str(path))
        with pytest.raises(ConfigError) as caught:
            load(kind, given)
        return str(caught.value).replace(str(path), "config.toml")

    return tell


def test_a_route_to_a_backend_that_is_not_there(told: Told) -> None:
    text = '[backends.local]\nbackend = "demo"\n[routes]\nfast = ["local/a", "lcoal/llama3"]\n'
    assert told(text) == (
        "config.toml:4: routes.fast: there is no backend lcoal; did you mean local?\n"
        '  4 | fast = ["local/a", "lcoal/llama3"]\n'
        "    |                     ^^^^^"
    )


def test_the_place_in_a_list_of_several_lines(told: Told) -> None:
    text = '[backends.local]\nbackend = "demo"\n[routes]\nfast = [\n  "local/a",\n\t"lcoal/b",\n]\nlcoal = "local/a"\n'
    assert told(text) == (
        "config.toml:6: routes.fast: there is no backend lcoal; did you mean local?\n"
        '  6 | \t"lcoal/b",\n'
        "    | \t ^^^^^"
    )


def test_keys_in_nested_tables_are_suggested(told: Told) -> None:
    text = '[backends.local]\nprovder = "deepseek"\n[keys.ci]\nkey = "k"\nmodel = ["a"]\n'
    assert told(text) == (
        "config.toml:2: backends.local.provder: a backend has no such setting; did you mean provider?\n"
        "  2 | provder = ...\n"
        "    | ^^^^^^^\n"
        "config.toml:5: keys.ci.model: a key has no such setting; did you mean models?\n"
        "  5 | model = ...\n"
        "    | ^^^^^"
    )


def test_hyphens_are_as_good_as_underscores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        """
        log-level = "debug"
        [backends.local]
        provider = "deepseek"
        api-key-env = "MY_KEY"
        [backends.local.models.a-b]
        context-window = 5
        [keys.c-i]
        key-env = "MY_KEY"
        requests-per-minute = 7
        """
    )
    monkeypatch.setenv("WIRELOOM_CONFIG", str(path))
    monkeypatch.setenv("MY_KEY", "k")
    settings = load(Settings, {})
    assert settings.log_level == "debug"
    assert settings.backends["local"].api_key_env == "MY_KEY"
    assert settings.backends["local"].models["a-b"].context_window == 5
    assert settings.keys["c-i"].requests_per_minute == 7


@pytest.mark.parametrize(("table", "name"), [("", "model"), ("[backends.a]\n", "backends.a.model")])
def test_a_key_in_both_spellings(told: Told, table: str, name: str) -> None:
    text = f'{table}backend = "demo"\nmodel-map = "a:b"\nmodel_map = "c:d"\n'
    said = told(text).splitlines()[0]
    assert said.endswith(f"{name}_map: model_map and model-map are the same setting: leave one out.")


def test_variables_that_are_not_set_are_named(told: Told) -> None:
    text = '[backends.a]\nprovider = "deepseek"\napi-key-env = "NOPE"\n[keys.ci]\nkey_env = "CI_KEYY"\n'
    assert told(text) == (
        "config.toml:3: backends.a.api_key_env: NOPE is not set. Set it, or name another variable.\n"
        '  3 | api-key-env = "NOPE"\n'
        "    |                ^^^^\n"
        "config.toml:5: keys.ci.key_env: CI_KEYY is not set. Set it, or name another variable.\n"
        '  5 | key_env = "CI_KEYY"\n'
        "    |            ^^^^^^^"
    )
    assert told('backend = "demo"\n', backend="app-server", app_server_token_env="NOPE") == (
        "--app-server-token-env: NOPE is not set. Set it, or name another variable."
    )


def test_a_key_where_its_variable_belongs_is_not_shown(told: Told) -> None:
    assert SECRET not in told(f'[backends.a]\nprovider = "deepseek"\napi_key_env = "{SECRET}"\n')


def test_names_of_models_that_no_route_and_no_backend_has(told: Told) -> None:
    text = """
model = "fsat"
[backends.local]
backend = "demo"
model_map = {a = "b"}
[routes]
fast = "local/llama3"
[keys.ci]
key = "k"
models = ["fsat", "fast", "f*", "*", "a", "local/*", "lcoal/x", "gpt"]
"""
    lines = told(text).split("\n")
    assert [line for line in lines if line.startswith("config.toml")] == [
        "config.toml:2: model: no route is called fsat; did you mean fast? A model of a backend is written local/fsat.",
        "config.toml:10: keys.ci.models: no route is called fsat; did you mean fast? A model of a backend is written "
        "local/fsat.",
        "config.toml:10: keys.ci.models: no route is called gpt. A model of a backend is written local/gpt.",
        "config.toml:10: keys.ci.models: there is no backend lcoal; did you mean local?",
    ]


def test_with_one_backend_every_name_may_be_its_upstreams(told: Told) -> None:
    assert (
        told('provider = "deepseek"\nport = "x"\n[keys.ci]\nkey = "k"\nmodels = ["a", "b/c"]\n').count(
            "config.toml"
        )
        == 1
    )


def test_both_of_two_equal_keys_are_named(told: Told) -> None:
    text = (
        f'backend = "demo"\ntoken = "{SECRET}"\n[keys.ci]\nkey = "{SECRET}"\n[keys.dev]\nkey = "{SECRET}"\n'
    )
    said = told(text)
    assert "config.toml:4: keys.ci.key: the token default and keys.ci are the same key" in said
    assert "config.toml:6: keys.dev.key: the token default and keys.dev are the same key" in said
    assert "  4 | key = ..." in said
    assert SECRET not in said
    assert "a and b are two names of one key" in told("", backend="demo", token="a=k,b=k")


@pytest.mark.parametrize(
    ("text", "said", "shown"),
    [
        ('port = 1\nprovider = "deepseek\n', "2: the string is not closed", 'provider = "deepseek'),
        (
            f"api_key = {SECRET}\n",
            "1: this is no TOML value; texts stand in quotation marks",
            "api_key = ...",
        ),
        (f'token "{SECRET}"\n', "1: a key needs an = and a value", "..."),
        (f'tokn = "{SECRET}\n', "1: the string is not closed", "tokn = ..."),
        (f'[token]\nme = "{SECRET}\n', "2: the string is not closed", "me = ..."),
        (f'token = [\n"{SECRET}\n]', "2: the string is not closed", "..."),
        (
            '[routes]\nfast = ["a/b" "c/d"]\n',
            "2: the array is not closed, or a comma is missing",
            'fast = ["a/b" "c/d"]',
        ),
        ("port = 1\nport = 2\n", "2: this key stands in the file twice", "port = 2"),
        ("[keys]\n[keys]\n", "2: this table stands in the file twice", "[keys]"),
        ('upstream = "http://u:p@h\n', "1: the string is not closed", "upstream = ..."),
        ("port = 1 2\n", "1: there is more in this line than one key and its value", "port = 1 2"),
    ],
)
def test_a_file_that_is_no_toml(told: Told, text: str, said: str, shown: str) -> None:
    message = told(text)
    line, _, reason = said.partition(": ")
    assert message.startswith(
        f"config.toml:{line}: the config file is not TOML: {reason}.\n  {line} | {shown}\n"
    )
    assert message.endswith("^")
    assert SECRET not in message


def test_all_mistakes_are_told_at_once_and_no_consequences(told: Told) -> None:
    text = """port = "abc"
keyz = 3
[backends.x]
backend = "dmeo"
[backends.y]
timeout_seconds = -1
provider = "deepseek"
[routes]
f = ["x/m", "z/m"]
empty = []
[keys.ci]
key_env = "CI_KEYY"
models = ["f", "empty"]
"""
    lines = [line for line in told(text).split("\n") if line.startswith("config.toml")]
    assert [line.split(":")[1] for line in lines] == ["1", "2", "4", "6", "9", "10", "12"]


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ('api_key = "k"\nprovider = "deepseek"\nupstream = "x"\n', {}),
        ('provider = "deepseek"\napi_key_env = "NOPE"\n', {}),
        ("", {"backend": "demo", "host": "0.0.0.0"}),
        ("", {"backend": "demo", "upstream": "http://a"}),
        ("", {"backend": "demo", "keys": '{"a": {}}'}),
    ],
)
def test_one_full_stop(told: Told, text: str, given: dict[str, str]) -> None:
    assert ".." not in told(text, **given).replace("...", "")


def test_the_top_level_names_its_settings_as_they_were_written(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    contradiction = "contradicts backend demo, which needs no server: leave one out."
    assert told('backend = "demo"\nupstream = "http://a"\n').startswith(
        f"config.toml:2: upstream: {contradiction}"
    )
    assert (
        told("", backend="demo", upstream="http://a")
        == f"--upstream: {contradiction.replace('backend', '--backend', 1)}"
    )
    monkeypatch.setenv("WIRELOOM_NO_AUTH", "1")
    monkeypatch.setenv("WIRELOOM_TOKEN", "k")
    assert "WIRELOOM_NO_AUTH: contradicts WIRELOOM_TOKEN: leave one out." in told("", backend="demo")


def test_values_that_are_shown_are_no_keys() -> None:
    models = (Settings, BackendEntry, KeyEntry, RouteEntry, ModelEntry, Profile)
    fields = {name for model in models for name in model.model_fields}
    secret = {name for name in Settings.model_fields if flag_of(Settings, name).secret} | {"key"}
    assert fields | {"base"} >= SHOWN
    assert SHOWN & secret == set()


@pytest.mark.parametrize(
    ("path", "word", "position"),
    [
        (["port"], "", Position(1, 1, 4)),
        (["keys", "ci", "key_env"], "X", Position(3, 12, 1)),
        (["keys", "ci", "key_env"], "Y", Position(3, 1, 7)),
        (["keys", "ci"], "", Position(2, 7, 2)),
        (["key", "dev"], "", None),
        (["routes", "a", "to"], "", Position(5, 1, 1)),
    ],
)
def test_positions(path: list[str], word: str, position: Position | None) -> None:
    text = 'port = 1\n[keys.ci]\nkey-env = "X"\n[routes]\na = "b/c"\n'
    assert position_of(text, path, word) == position


def test_a_mark_below_a_value_that_is_hidden_is_below_its_key() -> None:
    assert excerpt(f'  token = "{SECRET}"', Position(1, 12, 3)) == "  1 |   token = ...\n    |   ^^^^^"
