"""Settings: where they come from, what they mean, and how a bad one is told."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from wireloom.config import (
    ConfigError,
    Endpoint,
    Settings,
    config_file,
    flag_name,
    flag_of,
    load,
    variable_name,
)
from wireloom.config.address import AddressFields
from wireloom.config.models import ModelEntry
from wireloom.providers import load as profile

SECRET = "s3cret-K9Qx"
DEMO = {"backend": "demo"}

WriteConfig = Callable[[str], Path]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WIRELOOM_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    def write(text: str) -> Path:
        path = tmp_path / "wireloom" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(given: dict[str, Any], kind: type[Endpoint] = Settings) -> str:
    with pytest.raises(ConfigError) as caught:
        load(kind, given)
    return str(caught.value)


# Setting: flag, variable, TOML, and what each of the three means.
LAYERS: dict[str, tuple[Any, str, str, tuple[Any, Any, Any]]] = {
    "host": ("localhost", "::1", '"127.0.0.2"', ("localhost", "::1", "127.0.0.2")),
    "port": ("1", "2", "3", (1, 2, 3)),
    "model": ("a", "b", '"c"', ("a", "b", "c")),
    "log_level": ("debug", "warning", '"error"', ("debug", "warning", "error")),
    "upstream": ("http://a/", "https://b/v1", '"http://c"', ("http://a", "https://b/v1", "http://c")),
    "api_key": ("ka", "kb", '"kc"', (SecretStr("ka"), SecretStr("kb"), SecretStr("kc"))),
    "api_key_env": ("PATH", "HOME", '"XDG_CONFIG_HOME"', ("PATH", "HOME", "XDG_CONFIG_HOME")),
    "provider": ("deepseek", "openai", '"vllm"', ("deepseek", "openai", "vllm")),
    "model_map": ("a:b:c, d:e", "f:g", '{"x:y" = "z"}', ({"a": "b:c", "d": "e"}, {"f": "g"}, {"x:y": "z"})),
    "models": (
        '{"a/b:c": {"context_window": 1}}',
        '{"b": {"modalities": ["text"], "efforts": []}}',
        '{"c" = {web_search = true}}',
        (
            {"a/b:c": ModelEntry(context_window=1)},
            {"b": ModelEntry(modalities=("text",), efforts=())},
            {"c": ModelEntry(web_search=True)},
        ),
    ),
    "otel": ("true", "false", "true", (True, False, True)),
    "log_content": ("true", "false", "true", (True, False, True)),
    "pass_key": ("true", "false", "true", (True, False, True)),
    "tool_denylist": ("a, b", "c", '["d"]', ({"a", "b"}, {"c"}, {"d"})),
    "extra_params": ('{"a": [1]}', '{"b": 2}', "{c = 3}", ({"a": [1]}, {"b": 2}, {"c": 3})),
    "relay": ("raw", "repair", '"raw"', ("raw", "repair", "raw")),
    "repair_json": (False, "true", "true", (False, True, True)),
    "drop_params": ("a,b,", "c", '"d,e"', ({"a", "b"}, {"c"}, {"d", "e"})),
    "strict": (False, "true", "true", (False, True, True)),
    "seal_key_file": ("a", "~/b", '"/c"', (Path("a"), Path("/nowhere/b"), Path("/c"))),
    "history": ("memory", "sqlite", '"sqlite:~/h"', ("memory", "sqlite", "sqlite:~/h")),
    "session_ttl_hours": ("0.5", "0", "3", (0.5, 0, 3)),
    "max_sessions": ("1", "2", "3", (1, 2, 3)),
    "max_session_memory_mb": ("1", "2", "3", (1, 2, 3)),
    "codex_bin": ("a", "b", '"/c"', ("a", "b", "/c")),
    "codex_home": ("a", "~/b", '"/c"', (Path("a"), Path("/nowhere/b"), Path("/c"))),
    "codex_config": (
        ["a=1", 'b.c="x"'],
        "d=e",
        "{f = [true]}",
        ({"a": 1, "b.c": "x"}, {"d": "e"}, {"f": [True]}),
    ),
    "agent": (False, "true", "true", (False, True, True)),
    "fast": (False, "true", "true", (False, True, True)),
    "ephemeral": (True, "false", "false", (True, False, False)),
    "default_cwd": ("a", "~/b", '"/c"', (Path("a"), Path("/nowhere/b"), Path("/c"))),
    "allowed_root": (
        ["a"],
        "~/b,/d",
        '["/c"]',
        ((Path("a"),), (Path("/nowhere/b"), Path("/d")), (Path("/c"),)),
    ),
    "proxy": ("http://a", "http://b", '"http://c"', ("http://a", "http://b", "http://c")),
    "max_concurrency": ("1", "2", "3", (1, 2, 3)),
    "max_queue_size": ("0", "2", "3", (0, 2, 3)),
    "queue_timeout_seconds": ("0.5", "2", "3.5", (0.5, 2, 3.5)),
    "timeout_seconds": ("1", "2", "3", (1, 2, 3)),
    "idle_timeout_seconds": ("1", "2", "3", (1, 2, 3)),
    "heartbeat_seconds": ("1", "2", "0", (1, 2, 0)),
    "max_body_mb": ("1", "2", "3", (1, 2, 3)),
    "allowed_host": (["a"], "b,c", '"d"', (frozenset("a"), frozenset("bc"), frozenset("d"))),
    "allowed_origin": (["http://a"], "*", '"d"', (frozenset({"http://a"}), frozenset("*"), frozenset("d"))),
    "receive_timeout_seconds": ("1", "2", "0", (1, 2, 0)),
    "drain_seconds": ("1", "2", "0", (1, 2, 0)),
    "record": ("a", "~/b", '"/c"', (Path("a"), Path("/nowhere/b"), Path("/c"))),
    "token": (
        ["a=ka", "kb"],
        "kc,d=kd",
        '{e = "ke"}',
        (
            {"a": SecretStr("ka"), "default": SecretStr("kb")},
            {"default": SecretStr("kc"), "d": SecretStr("kd")},
            {"e": SecretStr("ke")},
        ),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_flag_wins_over_variable_over_file_over_default(
    name: str, monkeypatch: pytest.MonkeyPatch, write_config: WriteConfig
) -> None:
    flag, variable, toml, meanings = LAYERS[name]
    monkeypatch.setenv("HOME", "/nowhere")
    base = {} if name in ("upstream", "provider") else {"upstream": "http://127.0.0.1:1"}
    default = Settings.model_fields[name].get_default()
    if base:
        assert getattr(load(Settings, base), name) == default
    write_config(f"{name} = {toml}")
    assert getattr(load(Settings, base), name) == meanings[2]
    monkeypatch.setenv(f"WIRELOOM_{name.upper()}", variable)
    assert getattr(load(Settings, base), name) == meanings[1]
    assert getattr(load(Settings, {**base, name: flag}), name) == meanings[0]


def test_every_setting_is_in_the_table_of_layers() -> None:
    elsewhere = {
        "backend",
        "no_auth",
        "upstream_wire",
        "app_server_url",
        "app_server_token_env",
        "api_key_file",
        "api_key_keyring",
        # Those of config/test_address.py.
        *AddressFields.model_fields,
        # Those of test_profiles.py.
        "profile",
        "profiles",
        # Tables, which test_tables.py is about.
        "backends",
        "default_backend",
        "routes",
        "keys",
    }
    assert LAYERS.keys() | elsewhere == Settings.model_fields.keys()


def test_an_app_server_that_runs_already(monkeypatch: pytest.MonkeyPatch, write_config: WriteConfig) -> None:
    base = {"backend": "app-server"}
    write_config('app_server_url = "ws://a:1"\napp_server_token_env = "HOME"')
    assert load(Settings, base).app_server_url == "ws://a:1"
    monkeypatch.setenv("WIRELOOM_APP_SERVER_URL", "unix:///b")
    assert load(Settings, base).app_server_url == "unix:///b"
    monkeypatch.setenv("WIRELOOM_APP_SERVER_TOKEN_ENV", "PATH")
    assert load(Settings, base).app_server_token == os.environ["PATH"]
    assert load(Settings, {**base, "app_server_url": "wss://c:2"}).app_server_url == "wss://c:2"


def test_defaults() -> None:
    expected = {
        "host": "127.0.0.1",
        "port": 4444,
        "backend": "chat",
        "max_concurrency": None,
        "max_queue_size": 64,
        "queue_timeout_seconds": 30,
        "timeout_seconds": None,
        "idle_timeout_seconds": 300,
        "heartbeat_seconds": 10,
        "max_body_mb": 50,
        "session_ttl_hours": 168,
        "max_sessions": None,
        "max_session_memory_mb": 512,
    }
    settings = load(Settings, {"upstream": "http://127.0.0.1:1"})
    assert settings.model_dump(include=set(expected)) == expected


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRELOOM_PORT", "")
    assert load(Settings, DEMO).port == 4444


@pytest.mark.parametrize(
    ("given", "variables", "toml", "expected"),
    [
        (
            DEMO,
            {"WIRELOOM_UPSTREAM": "http://a"},
            'provider = "openai"',
            {"upstream": None, "provider": None},
        ),
        ({"upstream": "http://a"}, {"WIRELOOM_BACKEND": "demo"}, "", {"backend": "chat"}),
        ({"provider": "openai"}, {}, 'backend = "demo"', {"backend": "chat"}),
        ({"upstream": "http://a"}, {}, 'backend = "responses"', {"backend": "responses"}),
        ({"upstream": "http://a"}, {"WIRELOOM_UPSTREAM_WIRE": "responses"}, "", {"backend": "responses"}),
        (
            {"upstream": "http://a", "backend": "chat"},
            {"WIRELOOM_UPSTREAM_WIRE": "responses"},
            "",
            {"backend": "chat", "upstream_wire": None},
        ),
        (
            {"upstream": "http://a", "upstream_wire": "responses"},
            {},
            'backend = "chat"',
            {"backend": "responses"},
        ),
        (DEMO, {"WIRELOOM_UPSTREAM_WIRE": "responses"}, "", {"upstream_wire": None}),
        ({**DEMO, "no_auth": True}, {"WIRELOOM_TOKEN": "k"}, 'token = "l"', {"token": {}, "no_auth": True}),
        (DEMO, {"WIRELOOM_TOKEN": "k"}, "no_auth = true", {"no_auth": False}),
        (DEMO, {"WIRELOOM_NO_AUTH": "false"}, 'token = "l"', {"token": {"default": SecretStr("l")}}),
        ({"upstream": "http://a", "api_key_env": "PATH"}, {"WIRELOOM_API_KEY": "k"}, "", {"api_key": None}),
        (
            {"provider": "groq"},
            {},
            'provider = "xai"\nupstream = "http://a"\napi_key = "k"\nmodel = "m"\nmodel_map = "a:b"\nstrict = true',
            {
                "upstream": "https://api.groq.com/openai/v1",
                "api_key": None,
                "model": None,
                "model_map": {},
                "strict": True,
            },
        ),
        (
            {"provider": "groq"},
            {},
            'upstream = "http://a"\nmodel = "m"',
            {"upstream": "http://a", "model": "m"},
        ),
        (
            {"provider": "groq", "model": "n"},
            {},
            'provider = "groq"\nupstream = "http://a"',
            {"upstream": "http://a"},
        ),
        ({"upstream": "http://a"}, {"WIRELOOM_API_KEY": "k"}, 'api_key_env = "NONE"', {"api_key_env": None}),
        (
            {"upstream": "http://a", "token": {"a": "k"}},
            {},
            'token = {b = "l"}',
            {"token": {"a": SecretStr("k")}},
        ),
    ],
)
def test_a_choice_takes_back_its_rivals_below(
    given: dict[str, Any],
    variables: dict[str, str],
    toml: str,
    expected: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    write_config: WriteConfig,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    write_config(toml)
    settings = load(Settings, given)
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("key", {"default": "key"}),
        (
            "one,two,default-9=three,four",
            {"default": "one", "default-2": "two", "default-9": "three", "default-3": "four"},
        ),
        ("YWJj=", {"default": "YWJj="}),
        ("YWI==", {"default": "YWI=="}),
        ("a=YWI==", {"a": "YWI=="}),
        ("a==b", {"a": "=b"}),
        ("not a name=x".replace(" ", "/"), {"default": "not/a/name=x"}),
        (["with,comma"], {"default": "with,comma"}),
        ({"a": "k"}, {"a": "k"}),
    ],
)
def test_tokens(written: Any, meant: dict[str, str]) -> None:
    tokens = load(Settings, {**DEMO, "token": written}).token
    assert {name: key.get_secret_value() for name, key in tokens.items()} == meant


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"api_key": "given", "api_key_env": "OTHER_KEY"}, "given"),
        ({"api_key_env": "OTHER_KEY"}, "other"),
        ({"provider": "deepseek"}, "usual"),
        ({"upstream": "https://api.deepseek.com/v1"}, "usual"),
        ({"upstream": "http://127.0.0.1:1", "provider": "generic"}, None),
    ],
)
def test_upstream_key(given: dict[str, Any], expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "other")
    monkeypatch.setenv("DEEPSEEK_API_KEY", "usual")
    key = load(Settings, {"upstream": "https://api.deepseek.com", **given}).upstream_key
    assert (key.get_secret_value() if key else None) == expected


def test_provider_brings_its_upstream_and_profile() -> None:
    settings = load(Settings, {"provider": "deepseek"})
    assert settings.upstream == settings.upstream_profile.base_url
    assert settings.upstream_profile.name == "deepseek"
    assert load(Settings, {"upstream": "http://127.0.0.1:1"}).upstream_profile.name == "generic"
    assert load(Settings, DEMO).upstream_profile.name == "generic"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ["--upstream URL", "--backend demo", "wireloom demo", "config.toml", "WIRELOOM_UPSTREAM"]),
        ({"provider": "generic"}, ["--upstream URL"]),
        ({"upstream": "ftp://a"}, ["--upstream:", "http or https", "--upstream http://"]),
        ({"upstream": "https://"}, ["--upstream:", "with a host"]),
        ({"upstream": "http://a:99999"}, ["--upstream:", "out of range"]),
        ({"upstream": "http://a/v1#x"}, ["--upstream:", "no fragment"]),
        ({"upstream": f"http://u:{SECRET}@a"}, ["--upstream:", "--api-key-env"]),
        ({**DEMO, "port": "abc"}, ["--port:", "'abc'", "integer", "--port 4444"]),
        ({**DEMO, "port": "70000"}, ["--port:", "'70000'", "65535"]),
        ({**DEMO, "host": ""}, ["--host:", "at least 1"]),
        ({**DEMO, "max_concurrency": "0"}, ["--max-concurrency:", "greater than or equal to 1"]),
        ({**DEMO, "timeout_seconds": "-1"}, ["--timeout-seconds:", "greater than or equal to 0"]),
        ({**DEMO, "timeout_seconds": "inf"}, ["--timeout-seconds:", "finite"]),
        ({**DEMO, "model_map": "a"}, ["--model-map:", "ASKED:SENT"]),
        ({**DEMO, "extra_params": "{"}, ["--extra-params:", "not JSON", "character 2"]),
        ({**DEMO, "extra_params": f'["{SECRET}"]'}, ["--extra-params:", "dictionary"]),
        ({**DEMO, "strict": "maybe"}, ["--strict:", "'maybe'", "boolean"]),
        (
            {"backend": "other"},
            ["--backend:", "'other'", "'chat', 'responses', 'app-server', 'exec' or 'demo'"],
        ),
        ({"upstream_wire": "other"}, ["--upstream-wire:", "'other'", "'chat' or 'responses'"]),
        ({"backend": "responses"}, ["no upstream is set", "--upstream URL"]),
        (
            {"upstream": "http://a", "backend": "chat", "upstream_wire": "responses"},
            ["--backend", "--upstream-wire", "leave one out"],
        ),
        ({"provider": "nobody"}, ["--provider: there is no provider nobody; there are deepseek"]),
        ({"provider": "deepsek"}, ["--provider: there is no provider deepsek; did you mean deepseek?"]),
        ({**DEMO, "upstream": "http://a"}, ["--upstream: contradicts --backend demo", "leave one out"]),
        ({**DEMO, "no_auth": True, "host": "0.0.0.0"}, ["--no-auth", "WIRELOOM_TOKEN", "--host 127.0.0.1"]),
        ({**DEMO, "host": "0.0.0.0"}, ["--host", "WIRELOOM_TOKEN"]),
        ({**DEMO, "host": "gateway.lan"}, ["--host", "WIRELOOM_TOKEN"]),
        ({**DEMO, "no_auth": True, "token": [SECRET]}, ["--no-auth", "--token", "leave one out"]),
        ({**DEMO, "token": [f"{SECRET} x"]}, ["--token:", "visible ASCII"]),
        ({**DEMO, "token": [""]}, ["--token:", "visible ASCII"]),
        ({**DEMO, "token": ["a=1", f"a={SECRET}"]}, ["--token:", "'a'", "two keys"]),
        ({**DEMO, "token": [f"a={SECRET}", f"b={SECRET}"]}, ["--token:", "two names"]),
        ({**DEMO, "token": {"a b": SECRET}}, ["--token:", "pattern"]),
        ({**DEMO, "token": [7]}, ["--token:", "string"]),
        ({**DEMO, "api_key": f"{SECRET}\n"}, ["--api-key:", "visible ASCII", "--api-key KEY"]),
        ({**DEMO, "api_key_env": SECRET}, ["--api-key-env:", "not the key itself"]),
        ({**DEMO, "api_key_env": "NOT_SET_ANYWHERE"}, ["--api-key-env: NOT_SET_ANYWHERE is not set"]),
        ({**DEMO, "api_key_env": SECRET.replace("-", "_")}, ["--api-key-env: the variable that it names"]),
        ({**DEMO, "history": f"redis://u:{SECRET}@a"}, ["--history:", "not there yet", "sqlite:PATH"]),
        ({**DEMO, "history": f"postgresql://u:{SECRET}@a"}, ["--history:", "not there yet"]),
        ({**DEMO, "history": "memory:a"}, ["--history:", "memory, sqlite or sqlite:PATH"]),
        ({**DEMO, "history": "sqlite:"}, ["--history:", "memory, sqlite or sqlite:PATH"]),
        ({**DEMO, "history": "mysql"}, ["--history:", "memory, sqlite or sqlite:PATH"]),
        ({**DEMO, "max_sessions": "0"}, ["--max-sessions:", "greater than or equal to 1"]),
        ({**DEMO, "session_ttl_hours": "-1"}, ["--session-ttl-hours:", "greater than or equal to 0"]),
        ({**DEMO, "prot": "1"}, ["--prot:", "no such setting", "did you mean port?"]),
    ],
)
def test_errors_name_the_setting_and_the_remedy_but_no_key(given: dict[str, Any], words: list[str]) -> None:
    message = refusal(given)
    assert [word for word in words if word not in message] == []
    assert SECRET not in message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_loopback_needs_no_token(host: str) -> None:
    assert load(Settings, {**DEMO, "host": host, "no_auth": True}).no_auth


def test_other_hosts_do_with_a_token() -> None:
    assert load(Settings, {**DEMO, "host": "0.0.0.0", "token": "k"}).host == "0.0.0.0"


def test_errors_name_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRELOOM_PORT", "abc")
    message = refusal(DEMO)
    assert "WIRELOOM_PORT: 'abc'" in message
    assert "WIRELOOM_PORT=4444" in message


def test_errors_name_the_key_and_the_file(write_config: WriteConfig) -> None:
    path = write_config(f'port = "abc"\napi_key = "{SECRET} "\nhost = 5\n')
    lines = refusal({"upstream": "http://a"}).splitlines()
    assert [line.partition(": ")[0] for line in lines[::3]] == [f"{path}:{line}" for line in (1, 2, 3)]
    assert "port: 'abc' cannot be used" in lines[0]
    assert "For example: port = 4444" in lines[0]
    assert lines[1:3] == ['  1 | port = "abc"', "    |         ^^^"]
    assert lines[4:6] == ["  2 | api_key = ...", "    | ^^^^^^^"]
    assert 'For example: host = "127.0.0.1"' in lines[6]
    assert SECRET not in "".join(lines)


def test_unknown_key_in_the_file(write_config: WriteConfig) -> None:
    path = write_config('api-kye = "k"\nzzz = 1')
    for kind in (Settings, Endpoint):
        message = refusal(DEMO if kind is Settings else {}, kind)
        assert f"{path}:1: api-kye: there is no such setting; did you mean api_key?" in message
        assert f"{path}:2: zzz: there is no such setting; remove it." in message


def test_broken_file(write_config: WriteConfig) -> None:
    path = write_config(f"api_key = {SECRET}\n")
    message = refusal(DEMO)
    assert f"{path}:1: the config file is not TOML: this is no TOML value" in message
    assert SECRET not in message


def test_unreadable_file(write_config: WriteConfig) -> None:
    path = write_config("")
    path.unlink()
    path.mkdir()
    assert f"{path}: the config file cannot be read" in refusal(DEMO)


def test_named_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    monkeypatch.setenv("WIRELOOM_CONFIG", str(path))
    assert "WIRELOOM_CONFIG: there is no file" in refusal(DEMO)
    path.write_text("port = 7", encoding="utf-8")
    assert load(Settings, DEMO).port == 7


def test_file_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert config_file() == Path("/home/someone/.config/wireloom/config.toml")


def test_endpoint_needs_no_upstream_and_ignores_settings_of_others(write_config: WriteConfig) -> None:
    write_config('port = 7\nlog_level = "debug"\nno_auth = true')
    assert load(Endpoint, {}) == Endpoint(port=7, no_auth=True)


def test_keys_are_in_no_text() -> None:
    given = {
        "upstream": "http://a",
        "api_key": SECRET,
        "token": [f"a={SECRET}"],
        "extra_params": {"k": SECRET},
    }
    settings = load(Settings, given)
    assert SECRET not in f"{settings!r} {settings!s} {settings.model_dump_json(exclude={'extra_params'})}"
    with pytest.raises(ValidationError) as caught:
        Settings(upstream="ftp://a", token={"a b": SecretStr(SECRET)}, api_key=SecretStr(f"{SECRET} "))
    assert SECRET not in str(caught.value)


def test_settings_cannot_be_changed() -> None:
    settings = load(Settings, DEMO)
    with pytest.raises(ValidationError, match="frozen"):
        settings.__setattr__("port", 1)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_names_are_derived_and_examples_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flag_name(name) == f"--{name}".replace("_", "-")
    assert variable_name(name) == f"WIRELOOM_{name}".upper()
    flag = flag_of(Settings, name)
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    monkeypatch.setenv("APP_SERVER_TOKEN", "k")
    monkeypatch.setenv("TOKEN", "k")
    monkeypatch.setattr("ssl.SSLContext.load_verify_locations", lambda *_: None)
    monkeypatch.setattr("wireloom.config.backend.read_key", lambda _: SecretStr("k"))
    monkeypatch.setattr("wireloom.config.backend.from_file", lambda _: profile("generic"))
    monkeypatch.setattr("wireloom.config.backend.in_keyring", lambda _: SecretStr("k"))
    own: dict[str, dict[str, Any]] = {"backend": {}, "app_server_url": {"backend": "app-server"}}
    base = own.get(name, {"upstream": "http://127.0.0.1:1"})
    assert getattr(load(Settings, {**base, name: flag.example}), name) is not None
    assert flag.secret is (name in ("api_key", "token", "keys"))
    assert bool(flag.metavar) is (Settings.model_fields[name].annotation is not bool)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (
            '{"a": {"contextwindow": 1}}',
            ["a.contextwindow", "a model has no such setting; did you mean context_window?"],
        ),
        ('{"a": {"context_window": 0}}', ["a.context_window", "greater"]),
        ('{"a": {"efforts": ["low", "huge"]}}', ["a.efforts[1]", "'huge'", "'high'"]),
        ('{"a": {"modalities": []}}', ["a.modalities"]),
        (
            '{"a": {"base_instructions_file": "/nowhere/at-all"}}',
            ["a.base_instructions_file", "No such file"],
        ),
        ('{"a": 3}', ["--models, a: 3"]),
        ("{a", ["--models", "JSON"]),
    ],
)
def test_errors_name_the_key_of_a_model(models: str, words: list[str]) -> None:
    said = refusal({**DEMO, "models": models})
    assert [word for word in words if word not in said] == [], said


def test_a_model_is_a_table_of_the_file_and_has_what_is_set(
    write_config: WriteConfig, tmp_path: Path
) -> None:
    (tmp_path / "base.md").write_text("Be kind: größe.\n", encoding="utf-8")
    write_config(
        f"""
        [models."qwen3:30b"]
        context_window = 32_768
        base_instructions_file = "{tmp_path}/base.md"
        [models.other]
        """
    )
    models = load(Settings, DEMO).models
    assert models["qwen3:30b"].fields() == {"context_window": 32768, "instructions": "Be kind: größe.\n"}
    assert models["other"].fields() == {}
