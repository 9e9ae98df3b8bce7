"""What help shows: ten everyday options, all of them by subject on wish, and what an option means."""

from __future__ import annotations

import re

import pytest
from click.shell_completion import ShellComplete

from tests.cli.conftest import Invoke
from wireloom.cli import COMMANDS, wireloom
from wireloom.cli.help_groups import EVERYDAY, FILES, SUBJECTS, subject
from wireloom.cli.lazy import resolve
from wireloom.config import Settings, flag_name
from wireloom.config.tools import TOOLS
from wireloom.config.words import Tool
from wireloom.providers import names

ALL = ("serve", "start", "restart", "doctor", "init")


def sections(text: str) -> dict[str, str]:
    """The sections of a help text by their headings."""
    found = re.split(r"^(\S[^\n]*):\n", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def flags(section: str) -> list[str]:
    return re.findall(r"^  (--[\w-]+)", section, re.MULTILINE)


@pytest.mark.parametrize("command", ALL)
def test_ten_everyday_options_come_first(invoke: Invoke, command: str) -> None:
    text = invoke(command, "--help").output
    found = sections(text)
    assert flags(found["Everyday options"]) == [flag_name(name) for name in EVERYDAY]
    assert len(EVERYDAY) == 10
    assert "--help-all" in found["Options"]
    assert "--heartbeat-seconds" not in text
    assert re.search(
        r"\d+ more: Clients, Upstream, Codex backend, Limits, Storage,\s+Logging, Files\.", found["Options"]
    )


@pytest.mark.parametrize("command", ALL)
def test_all_of_them_by_subject(invoke: Invoke, command: str) -> None:
    result = invoke(command, "--help-all")
    assert result.exit_code == 0
    found = sections(result.output)
    shown = {name: flags(found[name]) for name in SUBJECTS if name in found}
    assert {name for each in shown.values() for name in each} >= {
        flag_name(name) for name in Settings.model_fields
    }
    assert shown["Limits"][:2] == ["--max-concurrency", "--max-queue-size"]
    assert "--history" in shown["Storage"]
    assert "--log-level" in shown["Logging"]
    assert "--codex-bin" in shown["Codex backend"]
    assert ("--env-file" in shown.get(FILES, [])) is (command in ("serve", "start", "restart"))


def test_every_setting_has_a_subject() -> None:
    assert {subject(name) for name in Settings.model_fields} == {*SUBJECTS} - {FILES}
    assert {subject(name) for name in ("profiles", "backends", "pass_key")} == {"Upstream"}
    assert {subject(name) for name in ("strict", "routes", "allowed_host")} == {"Clients"}


def test_providers_are_listed_and_completed(invoke: Invoke) -> None:
    text = " ".join(invoke("serve", "--help").output.split())
    assert f"Provider: {', '.join(names())}, or a profile of yours. Default: guessed from --upstream." in text
    completion = ShellComplete(wireloom, {}, "wireloom", "_WIRELOOM_COMPLETE")
    assert [item.value for item in completion.get_completions(["serve", "--provider"], "open")] == [
        "openai",
        "openrouter",
    ]


@pytest.mark.parametrize(
    "words",
    [
        "Longest time for a request's body, plus a second per 50 kB; 0 is no limit. (The head has 10 seconds.)",
        "File of NAME=VALUE lines; variables already set in the environment win.",
        "JSON fields to add to every upstream request; they override the client's.",
        "API the upstream speaks: chat or responses (same as --backend).",
        "Backend for model names that belong to no backend.",
        "Rename models: ASKED:SENT,... (gpt-5.5:my-model sends my-model).",
        "Reject requests with settings the backend cannot honour. Default: answer, and list them in x-wireloom-loss.",
    ],
)
def test_what_options_mean(invoke: Invoke, words: str) -> None:
    text = re.sub(r"-\s+", "-", invoke("serve", "--help-all").output)  # a word may be divided at its hyphen
    assert words in " ".join(text.split())


@pytest.mark.parametrize(
    "arguments", [("show",), ("env",), ("launch", "codex"), ("models",), ("config", "codex")]
)
def test_commands_that_connect_say_so(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    text = " ".join(invoke(*arguments, "--help").output.split())
    assert "Host of the gateway." in text
    assert "Port of the gateway." in text
    assert "listen on" not in text
    assert "any free one" not in text


def test_models() -> None:
    assert str(resolve(COMMANDS["models"][0]).help).startswith(
        "List the upstream's models with context window, input types and reasoning efforts."
    )


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_options_of_a_tool_have_a_meaning_and_a_default(invoke: Invoke, tool: Tool) -> None:
    text = " ".join(invoke("as", tool.name, "--help").output.split())
    assert "As `" not in text
    for word in tool.words:
        if word.flag is None:
            continue
        assert word.flag in text
        if word.variable is not None:
            assert word.variable in text
        if word.default not in (None, False, True):
            assert f"default: {word.default}]" in text


def test_an_option_of_a_tool(invoke: Invoke) -> None:
    text = " ".join(invoke("as", "codex-api-proxy", "--help").output.split())
    assert (
        "or a scripted model (demo). As --backend of `wireloom serve`. [env: CODEX_PROXY_ENGINE; default: exec]"
        in text
    )
    assert (
        "Longest time for a whole answer. 0: no limit. [env: CODEX_PROXY_TIMEOUT_SECONDS; default: 300]"
        in text
    )
    assert "Keep no record of Codex's threads. [env: CODEX_PROXY_EPHEMERAL; default: on]" in text


def test_a_key_is_asked_for_in_the_words_of_the_tool(invoke: Invoke) -> None:
    result = invoke("as", "codex-api-proxy", "start", "--host", "0.0.0.0")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: 0.0.0.0 lets other machines in, so clients need a key: set --api-key or CODEX_PROXY_API_KEY, or listen on "
        "127.0.0.1.\n"
    )
