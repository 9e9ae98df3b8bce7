"""Which commands there are, what help says, and how failures are told."""

import importlib.metadata
import subprocess
import sys
from typing import get_args

import click
import pytest
from click.shell_completion import ShellComplete

from tests.cli.conftest import Invoke
from wireloom.cli import COMMANDS, wireloom
from wireloom.cli.lazy import resolve
from wireloom.cli.options import SettingsCommand
from wireloom.config import Settings, flag_name, flag_of, variable_name

SECRET = "s3cret-K9Qx"
SLOW = {"fastapi", "uvicorn", "starlette", "httpx", "asyncio"}


def python(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def loaded_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a command line loads in a process of its own."""
    code = f"import sys; from wireloom.cli import wireloom; wireloom({arguments!r}, standalone_mode=False)"
    run = python(f"{code}; print(*sys.modules, file=sys.stderr)")
    assert run.returncode == 0, run.stderr
    return {name.partition(".")[0] for name in run.stderr.split()}


def test_version(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", {"wireloom": "1.2.3"}.__getitem__)
    assert invoke("--version").output == "wireloom 1.2.3\n"


def test_help_lists_the_commands_with_examples(invoke: Invoke) -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    listed = result.output[result.output.index("Commands:") :]
    assert [line.split()[0] for line in listed.splitlines()[1:]] == list(COMMANDS)
    assert "wireloom demo" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_are_what_the_table_says(name: str) -> None:
    command = resolve(COMMANDS[name][0])
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help


def test_help_of_serve_lists_exactly_the_settings() -> None:
    command = resolve(COMMANDS["serve"][0])
    assert isinstance(command, SettingsCommand)
    options = {
        param.name: param for param in command.params if isinstance(param, click.Option) and not param.hidden
    }
    files = {"pid_file", "log_file", "state_file", "env_file"}
    assert options.keys() == Settings.model_fields.keys() | {"debug", "help_all"} | files
    for name, field in Settings.model_fields.items():
        option = options[name]
        aliases = flag_of(Settings, name).aliases
        assert option.opts == [flag_name(name), *aliases]
        assert option.help is not None
        assert option.help.startswith(str(field.description))
        assert f"[env: {variable_name(name)}" in option.help
    assert options["strict"].secondary_opts == ["--no-strict"]
    assert options["no_auth"].secondary_opts == []
    assert options["token"].multiple
    wire = options["upstream_wire"].type
    assert isinstance(wire, click.Choice)
    assert tuple(wire.choices) == ("chat", "responses")
    for name in ("backend", "log_level"):
        choice = options[name].type
        assert isinstance(choice, click.Choice)
        assert tuple(choice.choices) == get_args(Settings.model_fields[name].annotation)


def test_help_of_serve_shows_every_flag_and_default(invoke: Invoke) -> None:
    text = " ".join(invoke("serve", "--help-all").output.split())
    assert [name for name in Settings.model_fields if flag_name(name) not in text] == []
    for default in ("127.0.0.1", "4444", "300", "chat", "info"):
        assert f"default: {default}]" in text


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help"), ("config", "codex")])
def test_light_commands_load_nothing_slow(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) & (SLOW - {"asyncio"}) == set()


def test_general_help_loads_no_settings() -> None:
    assert loaded_by("--help") & (SLOW | {"pydantic"}) == set()


@pytest.mark.parametrize("arguments", [(), ("--port", "1"), ("--debug",), ("serve",)])
def test_serve_is_the_default(arguments: tuple[str, ...], invoke: Invoke) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "no upstream is set" in result.stderr
    assert ("Traceback" in result.stderr) is ("--debug" in arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bogus",), "No such command"),
        (("--bogus",), "--bogus"),
        (("serve", "--backend", "other"), "chat"),
        (("serve", "--port", "abc"), "Error: --port: 'abc'"),
        (("models",), "no upstream is set"),
        (("models", "--prot", "1"), "--prot"),
        (("config", "codex", "--port", "0"), "--port: 0"),
    ],
)
def test_misuse_ends_with_2_and_one_message(arguments: tuple[str, ...], words: str, invoke: Invoke) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("Error:") == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serv",), "No such command 'serv'. Did you mean serve?"),
        (("launch", "codx"), "No such command 'codx'. Did you mean codex?"),
        (("launch", "claude"), "No such command 'claude'. There is codex."),
        (("as", "litellm"), "There are codex-api-proxy, codex-gateway, codex-openai-proxy, codex-relay."),
        (("history", "lst"), "Did you mean ls?"),
        (("config", "chek"), "Did you mean check?"),
        (("service", "unti"), "Did you mean unit?"),
        (("xyzzy",), "No such command 'xyzzy'. `wireloom --help` lists those there are."),
    ],
)
def test_commands_that_are_not_there(arguments: tuple[str, ...], said: str, invoke: Invoke) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("name", ["token", "api_key"])
def test_a_key_on_the_command_line_is_warned_of_and_never_shown(name: str, invoke: Invoke) -> None:
    result = invoke("serve", "--port", "abc", "--provider", "deepseek", flag_name(name), SECRET)
    warning, error = result.stderr.splitlines()
    assert warning.startswith("Warning: --")
    assert flag_name(name) in warning
    assert variable_name(name) in warning
    assert error.startswith("Error: --port")
    assert SECRET not in result.output


@pytest.mark.parametrize("debug", [False, True])
def test_a_defect_shows_its_traceback_on_request_only(debug: bool) -> None:
    flags = ["--debug"] if debug else []
    run = python(
        "import sys, wireloom.cli, wireloom.cli.client.codex as codex\n"
        "codex.load = lambda *_: 1 / 0\n"
        f"sys.argv = {['wireloom', 'config', 'codex', *flags]!r}\n"
        "wireloom.cli.main()"
    )
    assert run.returncode == 1
    assert "ZeroDivisionError: division by zero" in run.stderr
    assert ("Traceback" in run.stderr) is debug
    assert ("Run the same command with --debug" in run.stderr) is not debug


def test_the_shell_can_complete_commands_and_flags() -> None:
    completion = ShellComplete(wireloom, {}, "wireloom", "_WIRELOOM_COMPLETE")
    assert [item.value for item in completion.get_completions([], "")] == list(COMMANDS)
    for before in (["serve"], ["--port", "1"]):
        flags = [item.value for item in completion.get_completions(before, "--no")]
        assert flags == [
            "--no-auth",
            "--no-agent",
            "--no-fast",
            "--no-ephemeral",
            "--no-pass-key",
            "--no-otel",
            "--no-log-content",
            "--no-strict",
        ]
