"""Run the real ``codex exec`` against a gateway, with a home and a workspace to throw away."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

BINARY_VARIABLE = "WIRELOOM_TEST_CODEX"
KEY_VARIABLE = "GATEWAY_KEY"
TURN_SECONDS = 120.0
# Models that the CLI knows: one with a tool of each kind, one that writes scripts and gets its tools in an item.
CLASSIC_MODEL = "gpt-5.5"
CODE_MODEL = "gpt-6.1-sol"

_NODE = Path(__file__).parents[1] / "e2e" / "node" / "node_modules" / ".bin"

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CodexRun:
    """The outcome of one ``codex exec``: its exit code, JSON events in order and standard error."""

    exit_code: int
    events: Sequence[Event]
    stderr: str

    def items(self, kind: str) -> list[Event]:
        """Return the completed items of type ``kind``."""
        items = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return [item for item in items if item["type"] == kind]

    @property
    def last_message(self) -> str:
        """Return the text of the last agent message, empty without one."""
        return "".join(item["text"] for item in self.items("agent_message")[-1:])

    @property
    def report(self) -> str:
        """Return all of it as text for the message of a failed assertion."""
        return "\n".join([f"exit code {self.exit_code}", *map(json.dumps, self.events), self.stderr])

    @property
    def usage(self) -> Event:
        """Return the usage of the completed turn."""
        return next(event["usage"] for event in self.events if event["type"] == "turn.completed")

    @property
    def failure(self) -> str:
        """Return the message of the failed turn, empty when none failed."""
        return "".join(event["error"]["message"] for event in self.events if event["type"] == "turn.failed")


class Codex:
    """A Codex CLI whose only model provider is the gateway at ``base_url``.

    ``root`` gets a ``home`` and a ``workspace`` folder. ``catalog`` lets the CLI fetch model metadata from
    the gateway. ``provider`` is the name it knows the gateway by. ``mcp_servers`` maps a name to the command
    line of a stdio server. ``settings`` are further top-level keys of its configuration.
    """

    def __init__(
        self,
        root: Path,
        base_url: str,
        key: str,
        model: str,
        *,
        catalog: bool = False,
        provider: str = "gateway",
        mcp_servers: Mapping[str, Sequence[str]] | None = None,
        settings: Mapping[str, str | int | bool] | None = None,
    ) -> None:
        self._binary = find_codex()
        self.home = root / "home"
        self.workspace = root / "workspace"
        for folder in (self.home, self.workspace):
            folder.mkdir(parents=True)
        self._catalog = catalog
        self._provider = {"name": provider, "wire_api": "responses", "env_key": KEY_VARIABLE}
        self._tables: dict[str, Mapping[str, Any]] = {
            "": {"model": model, "model_provider": "gateway", **(settings or {})},
            "analytics": {"enabled": False},
        }
        for name, (command, *arguments) in (mcp_servers or {}).items():
            self._tables[f"mcp_servers.{name}"] = {"command": command, "args": arguments}
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "CODEX_HOME": str(self.home),
            "LANG": "C.UTF-8",
        }
        self.connect(base_url, key)

    def connect(self, base_url: str, key: str) -> None:
        """Use the gateway at ``base_url`` with ``key`` from now on; sessions are kept."""
        provider = {**self._provider, "base_url": base_url}
        if self._catalog:
            provider["model_catalog_url"] = f"{base_url}/models"
        tables = {**self._tables, "model_providers.gateway": provider}
        (self.home / "config.toml").write_text(_toml(tables))
        self._environment[KEY_VARIABLE] = key

    def run(self, prompt: str, *flags: str, timeout: float = TURN_SECONDS) -> CodexRun:
        """Run one turn of a new session; ``flags`` go before the prompt."""
        return self._exec([*flags, "--", prompt], timeout)

    def resume(self, prompt: str, *flags: str, timeout: float = TURN_SECONDS) -> CodexRun:
        """Run another turn of the last session; ``flags`` go before the prompt."""
        return self._exec(["resume", "--last", *flags, "--", prompt], timeout)

    def _exec(self, arguments: list[str], timeout: float) -> CodexRun:
        command = [self._binary, "exec", "--json", "--skip-git-repo-check"]
        command += ["--dangerously-bypass-approvals-and-sandbox", *arguments]
        with subprocess.Popen(
            command,
            cwd=self.workspace,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                stdout, stderr = process.communicate()
                raise AssertionError(f"codex ran longer than {timeout} s:\n{stdout}\n{stderr}") from None
        events = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
        return CodexRun(process.returncode, events, stderr)


def find_codex() -> str:
    """Return the CLI to test with; a missing one fails the test."""
    wanted = os.environ.get(BINARY_VARIABLE)
    found = shutil.which(wanted) if wanted else shutil.which("codex", path=_NODE)
    if found is None:
        pytest.fail(f"no Codex CLI: run `npm ci` in tests/e2e/node or set {BINARY_VARIABLE}")
    return found


@cache
def codex_version() -> tuple[int, ...]:
    """Return the numbers of the release of the CLI to test with, such as ``(0, 171, 0)``."""
    printed = subprocess.run([find_codex(), "--version"], capture_output=True, text=True, check=True).stdout
    release = printed.split()[-1].partition("-")[0]
    return tuple(int(number) for number in release.split("."))


def _toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Write tables of strings, numbers, booleans and string lists, whose JSON form is TOML as well."""
    lines: list[str] = []
    for name, table in tables.items():
        lines += [f"[{name}]"] if name else []
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"
