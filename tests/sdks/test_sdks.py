"""Clients that generators make of the contract: they compile, they call a gateway, their streams are typed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from docs import sdks
from docs.sdks import PYTHON, RECIPES, RESULTS, STEPS, TOOLS, Tool
from tests.support.gateway import Gateway

pytestmark = pytest.mark.consumers

HERE = Path(__file__).parent
WRITE = "WIRELOOM_WRITE_SDKS"
SECONDS = 300.0
# No tool may report its use.
QUIET = {"DO_NOT_TRACK": "1", "SCARF_ANALYTICS": "false", "NO_COLOR": "1"}
TSC = "tsc --strict --target es2022 --module commonjs --moduleResolution node10 --types node --outDir out"
MYPY = "mypy --strict --follow-imports=silent"

# What each program has to report of the demo backend.
HELLO = "You said: hello"
WANTED: dict[str, Any] = {
    "whole": HELLO,
    "stream": {"deltas": HELLO, "final": HELLO},
    "tool": [["add", '{"a": 1}']],
    "error": [404, "model_not_found"],
}

Seen = dict[str, dict[str, Any]]


class Workspace:
    """A folder as a user of a tool has it: the contract, the recipes, a program, the tool on the search path."""

    def __init__(self, folder: Path, tool: Tool, gateway: Gateway) -> None:
        self._folder = folder
        self._variables = {"BASE_URL": gateway.root_url, "API_KEY": gateway.token}
        contract = httpx.get(f"{gateway.root_url}/openapi-3.1.json", timeout=SECONDS)
        (folder / "openapi-3.1.json").write_bytes(contract.raise_for_status().content)
        for path in (HERE / "programs" / tool.program, *(RECIPES / name for name in tool.recipes)):
            shutil.copy(path, folder)
        (folder / "node_modules").symlink_to(HERE / "node_modules", target_is_directory=True)

    def run(self, command: str) -> str:
        """Run a command, and return what it prints.

        Raises:
            AssertionError: it fails.
        """
        places = (HERE / "node_modules" / ".bin", Path(sys.executable).parent, os.environ["PATH"])
        environment = {"PATH": os.pathsep.join(map(str, places)), "HOME": str(self._folder), **QUIET}
        done = subprocess.run(
            shlex.split(command),
            cwd=self._folder,
            env=environment | self._variables,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {(done.stdout + done.stderr)[-3000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(None, tmp_path_factory.mktemp("gateway"), "--backend", "demo") as gateway:
        yield gateway
    assert "Traceback" not in gateway.stderr


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Tool -> its version and its faults by step: what the table is written from."""
    return {}


@pytest.mark.parametrize("tool", TOOLS, ids=[tool.name for tool in TOOLS])
def test_a_client_works(tool: Tool, gateway: Gateway, seen: Seen, tmp_path: Path) -> None:
    steps: dict[str, str | None] = dict.fromkeys(STEPS, "not reached")
    seen[tool.name] = {"version": version_of(tool), "steps": steps}
    workspace = Workspace(tmp_path, tool, gateway)
    workspace.run(tool.generate)
    steps["generates"] = None
    python = tool.language == PYTHON
    workspace.run(f"{MYPY if python else TSC} {tool.program}")
    steps["compiles"] = None
    run = f"python {tool.program}" if python else f"node out/{Path(tool.program).stem}.js"
    report = json.loads(workspace.run(run))
    types = report["stream"].pop("types")
    for step, wanted in WANTED.items():
        steps[step] = None if report[step] == wanted else f"{report[step]}"
    assert report == WANTED
    assert (types[0], types[-1]) == ("response.created", "response.completed")
    assert types.count("response.output_text.delta") == 3


def version_of(tool: Tool) -> str:
    """The version that is installed."""
    if tool.language == PYTHON:
        return version(tool.package)
    packages = json.loads((HERE / "package.json").read_text())["dependencies"]
    return str(packages[tool.package])


MISTAKES = {
    "openapi_typescript.ts": [
        ("event.delta", "event.text"),
        ("event.response", "event.item"),
        ('"response.output_text.delta"', '"response.output_text.end"'),
    ],
    "datamodel_codegen.py": [
        ("event.delta", "event.text"),
        ("event.response", "event.item"),
        ("models.ResponseTextDeltaEvent", "models.ResponseTextEndEvent"),
    ],
}


@pytest.mark.parametrize("program", MISTAKES)
def test_a_wrong_use_of_a_stream_is_found(program: str, gateway: Gateway, tmp_path: Path) -> None:
    """By the type checker, for one tool of each language."""
    tool = next(tool for tool in TOOLS if tool.program == program)
    workspace = Workspace(tmp_path, tool, gateway)
    workspace.run(tool.generate)
    source = (tmp_path / program).read_text()
    check = MYPY if tool.language == PYTHON else f"{TSC} --noEmit"
    for right, wrong in MISTAKES[program]:
        assert right in source
        (tmp_path / program).write_text(source.replace(right, wrong))
        with pytest.raises(AssertionError, match=r"error( TS\d+)?:"):
            workspace.run(f"{check} {program}")


def test_the_table_has_what_was_seen(seen: Seen) -> None:
    """It runs last; with `nox -s sdks -- --write` it writes."""
    if os.environ.get(WRITE):
        RESULTS.write_text(json.dumps(seen, indent=1) + "\n")
    if seen.keys() == {
        tool.name for tool in TOOLS
    }:  # a run that picks some of the tests says nothing of the others
        assert sdks.results() == seen
