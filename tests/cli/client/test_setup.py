"""`init`, `show`, `env`, `completion`: the config file, and what clients are told."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from wireloom.config.files import managed_block as setup
from wireloom.config.files.token import make_token
from wireloom.config.files.toml import line_of, toml


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "wireloom" / "config.toml"


def test_a_first_init(invoke: Invoke, file: Path) -> None:
    result = invoke("init", "--provider", "deepseek", "--port", "4555", "--strict")
    assert result.exit_code == 0, result.output
    written = tomllib.loads(file.read_text())
    token = written.pop("token")
    assert written == {"provider": "deepseek", "port": 4555, "strict": True}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert token not in result.output
    assert 'check_output(["wireloom", "token"], text=True)' in result.output
    assert result.output.index("wireloom launch codex") < result.output.index("OpenAI(")
    assert invoke("token").output == f"{token}\n"


def test_another_provider_takes_nothing_of_the_one_before(invoke: Invoke, file: Path) -> None:
    """The key of the new one would go to the server of the old one."""
    old = (
        "--upstream",
        "http://127.0.0.1:23101/v1",
        "--api-key",
        "k",
        "--model",
        "deepseek-chat",
        "--model-map",
        "a:b",
    )
    first = invoke("init", "--provider", "deepseek", *old, "--port", "4555")
    assert (
        "In force now:\n  DeepSeek, chat, http://127.0.0.1:23101/v1, key in api_key (WIRELOOM_API_KEY): found\n"
        in first.output
    )
    token = tomllib.loads(file.read_text())["token"]
    dry = invoke("init", "--provider", "kimi", "--dry-run").output
    result = invoke("init", "--provider", "kimi")
    assert result.exit_code == 0, result.output
    taken = "Taken out, because it belonged to the provider before: api_key, model, model_map, upstream.\n"
    assert taken in dry
    assert taken in result.output
    assert (
        "In force now:\n  Kimi (Moonshot AI), chat, https://api.moonshot.ai/v1, key in MOONSHOT_API_KEY: not set\n"
        in result.output
    )
    assert tomllib.loads(file.read_text()) == {"provider": "kimi", "port": 4555, "token": token}


@pytest.mark.parametrize(
    ("before", "then", "left"),
    [
        # A server that had no provider's name.
        (("--upstream", "http://a/v1"), ("--provider", "kimi"), {"provider": "kimi"}),
        (("--provider", "kimi"), ("--backend", "demo"), {"backend": "demo"}),
        (("--backend", "demo"), ("--provider", "kimi"), {"provider": "kimi"}),
        # Another server: the key was for the one before.
        (
            ("--provider", "vllm", "--upstream", "http://a/v1", "--api-key", "k", "--model", "m"),
            ("--upstream", "http://b/v1"),
            {"provider": "vllm", "upstream": "http://b/v1"},
        ),
        # The same place, described further.
        (
            ("--provider", "kimi", "--model", "m"),
            ("--provider", "kimi", "--strict"),
            {"provider": "kimi", "model": "m", "strict": True},
        ),
        (
            ("--provider", "kimi", "--model", "m"),
            ("--upstream", "http://a/v1"),
            {"provider": "kimi", "model": "m", "upstream": "http://a/v1"},
        ),
        (
            ("--upstream", "http://a/v1", "--model", "m"),
            ("--upstream", "http://a/v2"),
            {"upstream": "http://a/v2", "model": "m"},
        ),
        (("--model", "m"), ("--provider", "kimi"), {"provider": "kimi", "model": "m"}),
    ],
)
def test_what_stays_of_the_settings_before(
    invoke: Invoke, file: Path, before: tuple[str, ...], then: tuple[str, ...], left: dict[str, object]
) -> None:
    for arguments in (before, then):
        result = invoke("init", "--no-auth", *arguments)
        assert result.exit_code == 0, result.output
    assert tomllib.loads(file.read_text()) == {"no_auth": True, **left}


def test_an_upstream_outside_the_block_gets_no_other_key(invoke: Invoke, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('\nupstream = "http://a/v1"\n')
    result = invoke("init", "--provider", "kimi")
    assert result.exit_code == 2
    assert f"{file}:2 sets upstream itself, and the key of this provider would go there." in result.output


def test_a_second_init_changes_its_own_block_alone(invoke: Invoke, file: Path) -> None:
    file.parent.mkdir()
    kept = b'# mine\r\nlog_level = "debug"\n\n[models.m]\ncontext_window = 5\n'
    file.write_bytes(kept)
    file.chmod(0o644)
    invoke("init", "--provider", "deepseek")
    first = tomllib.loads(file.read_text())
    invoke("init", "--provider", "groq", "--model", 'a"b')
    second = tomllib.loads(file.read_text())
    assert second == {**first, "provider": "groq", "model": 'a"b'}
    assert file.read_bytes().endswith(kept)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "as it was" in invoke("init", "--restore").output
    assert file.read_bytes() == kept
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert "nothing of `wireloom init`" in invoke("init", "--restore").output


def test_a_file_that_init_made_goes_when_it_is_undone(invoke: Invoke, file: Path) -> None:
    invoke("init")
    assert file.exists()
    invoke("init", "--restore")
    assert not file.exists()
    assert invoke("init", "--restore").exit_code == 0


def test_an_empty_file_stays_one(invoke: Invoke, file: Path) -> None:
    file.parent.mkdir()
    file.touch(0o640)
    invoke("init")
    invoke("init", "--restore")
    assert file.read_bytes() == b""
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_dry_run_shows_and_does_nothing(invoke: Invoke, file: Path) -> None:
    keys = '{"ci": {"key": "canary-key-2"}}'
    hidden = invoke("init", "--backend", "demo", "--keys", keys, "--dry-run").output
    assert "+keys = (hidden)" in hidden
    assert "canary" not in hidden
    result = invoke("init", "--provider", "groq", "--api-key", "canary-key", "--dry-run")
    assert result.exit_code == 0, result.output
    assert '+provider = "groq"' in result.output
    assert "+token = (hidden)" in result.output
    assert "+api_key = (hidden)" in result.output
    assert "canary-key" not in result.output
    assert not file.exists()


def test_what_the_user_set_is_the_users(invoke: Invoke, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('\nprovider = "groq"\ntoken = "mine"\n')
    result = invoke("init", "--provider", "xai")
    assert result.exit_code == 2
    assert f"--provider: {file}:2 sets provider itself. Change it there." in result.output
    invoke("init", "--model", "m")
    assert tomllib.loads(file.read_text()) == {"provider": "groq", "token": "mine", "model": "m"}


@pytest.mark.parametrize(
    ("content", "flags", "told"),
    [
        (b"a b", (), "not TOML"),
        (b"\xff", (), "not UTF-8"),
        (b"", ("--port", "x"), "--port"),
        (b"", ("--backend", "chat"), "no upstream is set"),
    ],
)
def test_what_cannot_be_written(
    invoke: Invoke, file: Path, content: bytes, flags: tuple[str, ...], told: str
) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    result = invoke("init", *flags)
    assert result.exit_code == 2
    assert told in result.output
    assert file.read_bytes() == content


def test_clients_are_told(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "wireloom init" in invoke("show").output
    assert "not set yet" in invoke("init").output
    token = invoke("token").output.strip()
    shown = invoke("show", "--port", "4666", "--model", "m").output
    assert f'OpenAI(base_url="http://127.0.0.1:4666/v1", api_key="{token}")' in shown
    assert 'model="m"' in shown
    exports = dict(line.removeprefix("export ").split("=", 1) for line in invoke("env").output.splitlines())
    assert shlex.split(exports["OPENAI_API_KEY"]) == [token] == shlex.split(exports["WIRELOOM_TOKEN"])
    assert exports["OPENAI_BASE_URL"] == "http://127.0.0.1:4444/v1"
    monkeypatch.setenv("WIRELOOM_NO_AUTH", "1")
    assert "WIRELOOM_TOKEN" not in invoke("env").output


def test_no_auth_needs_no_token(invoke: Invoke, file: Path) -> None:
    invoke("init", "--no-auth", "--backend", "demo")
    assert tomllib.loads(file.read_text()) == {"no_auth": True, "backend": "demo"}


def test_the_model_that_is_shown_is_one_of_the_gateway(invoke: Invoke, running: str) -> None:
    assert 'model="demo"' in invoke("show").output


def test_the_scripted_model_is_known(invoke: Invoke) -> None:
    assert 'model="demo"' in invoke("init", "--backend", "demo").output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(invoke: Invoke, shell: str) -> None:
    result = invoke("completion", shell)
    assert result.exit_code == 0, result.output
    assert "_WIRELOOM_COMPLETE" in result.output


def test_a_shell_completes_commands_and_flags() -> None:
    def completed(line: str) -> list[str]:
        environment = {
            **os.environ,
            "_WIRELOOM_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - 1),
        }
        run = subprocess.run(
            [sys.executable, "-m", "wireloom"], env=environment, capture_output=True, text=True, check=False
        )
        return [part.partition(",")[2] for part in run.stdout.splitlines()]

    assert completed("wireloom sta") == ["start", "status"]
    assert "--provider" in completed("wireloom start --pro")


@pytest.mark.parametrize("value", ["", 'a"b\\', "\x7f\u20ac", 7, True, ["a", "b"]])
def test_values_as_toml(value: str | int | list[str]) -> None:
    assert tomllib.loads(f"a = {toml(value)}")["a"] == value


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["port"], 2),
        (["host"], 3),
        (["models", "a.b", "context_window"], 6),
        (["models", "a.b", "efforts"], 5),
        (["models", "c", "verbosity"], 8),
        (["context_window"], None),
        (["missing"], None),
    ],
)
def test_lines_of_keys(path: list[str], line: int | None) -> None:
    text = '# port = 1\nport = 4\n"host" = "a"\n\n[models."a.b"]  # two\ncontext_window = 1\n[models]\nc = {verbosity = 1}\n'
    assert line_of(text, path) == line


def test_a_token_that_is_made_later_leaves_the_block_where_it_is(invoke: Invoke, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("[models.m]\nverbosity = true\n")
    invoke("init", "--keys", '{"ci": {"key": "canary"}}', "--backend", "demo")
    text = file.read_text()
    file.write_text(text.replace("keys", "# keys"))
    make_token()
    assert "token" in tomllib.loads(file.read_text())
    assert "as it was" in invoke("init", "--restore").output
    assert file.read_text().endswith("[models.m]\nverbosity = true\n")


def test_blocks() -> None:
    text = setup.with_block(None, 0, {"a": 1})
    assert setup.own(text) == "a = 1\n"
    assert setup.outside(text) == ""
    assert setup.with_block(text, 0o600, {}).startswith("# >>> wireloom init >>> (before: no file;")
    assert setup.own("a = 1\n") == ""


def test_settings_are_checked_without_network(invoke: Invoke, file: Path) -> None:
    assert invoke("config", "check", "--backend", "demo").output == "The settings can be used.\n"
    file.parent.mkdir()
    file.write_text('provider = "deepseek"\n\n[models.m]\ncontext_window = 5\nefforts = ["loud"]\n')
    result = invoke("config", "check")
    assert result.exit_code == 2
    assert f"{file}:5: models.m.efforts[0]: 'loud' cannot be used" in result.output
    file.write_text('provider = "deepseek"\n')
    assert invoke("config", "check").output == f"{file} can be used.\n"


def test_the_upstreams_key_from_a_file(invoke: Invoke, tmp_path: Path) -> None:
    key = tmp_path / "key"
    flags = ("config", "check", "--provider", "deepseek", "--api-key-file", str(key))
    assert "holds no key" in invoke(*flags).output
    key.write_text("two words")
    assert "holds no key" in invoke(*flags).output
    key.write_text("word\n")
    assert invoke(*flags).exit_code == 0
