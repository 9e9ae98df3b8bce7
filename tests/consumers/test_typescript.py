"""A TypeScript client made from the served contract: it type-checks, it runs, and wrong use of it does not compile."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

pytestmark = pytest.mark.consumers

HERE = Path(__file__).parent
RECIPES = HERE.parents[1] / "docs" / "recipes"
TOKEN = "inbound-token"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
TOOL_SECONDS = 180.0
TSC = ("tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--pretty", "false")

_READY = re.compile(r"wireloom listening on (http://127\.0\.0\.1:\d+)\n")
_DIAGNOSTIC = re.compile(r"^(\S+)\.ts\(\d+,\d+\): error (TS\d+):", re.MULTILINE)


class Mistake(NamedTuple):
    """One wrong edit of ``client.ts`` and the errors the compiler has for it, in order."""

    right: str
    wrong: str
    errors: str


MISTAKES = {
    "unknown_path": Mistake('GET("/v1/models/{model}"', 'GET("/v1/model/{model}"', "TS2345"),
    "unknown_parameter": Mistake('path: { model: "unknown" }', 'path: { name: "unknown" }', "TS2353"),
    "missing_input": Mistake('{ model: "demo", input: "hello" };', '{ model: "demo" };', "TS2322"),
    "wrong_temperature": Mistake("temperature: 9", 'temperature: "warm"', "TS2322"),
    "unknown_answer_field": Mistake("response.usage?.total_tokens", "response.usage?.tokens", "TS2339"),
    "usage_may_be_null": Mistake("response.usage?.total", "response.usage.total", "TS18047"),
    "unknown_event": Mistake('"response.output_text.done"', '"response.output_text.end"', "TS2367 TS2339"),
    "field_of_another_event": Mistake("event.delta", "event.text", "TS2339"),
    "field_before_narrowing": Mistake(
        "seen.types.push(event.type)", "seen.types.push(event.delta)", "TS2339"
    ),
    "field_of_another_item": Mistake("item.arguments]", "item.content]", "TS2339"),
    "missing_messages": Mistake('{ model: "demo", messages };', '{ model: "demo" };', "TS2322 TS2322 TS2345"),
    "unknown_role": Mistake('role: "user"', 'role: "guest"', "TS2322"),
    "unknown_error_field": Mistake(
        "const { type, code, param }", "const { type, code, params: param }", "TS2339"
    ),
}


class Workspace:
    """A folder where the tools of ``package.json`` run as they would in a user's own project."""

    def __init__(self, folder: Path) -> None:
        node = shutil.which("node")
        if node is None or not (HERE / "node_modules" / ".bin" / "tsc").exists():
            pytest.fail("no TypeScript tools: install Node 20 or later and run `npm ci` in tests/consumers")
        self._node = node
        self.folder = folder
        (folder / "node_modules").symlink_to(HERE / "node_modules", target_is_directory=True)
        for path in (HERE / "package.json", HERE / "client.ts", RECIPES / "events.ts"):
            shutil.copy(path, folder)

    def node(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run node in the folder, with ``variables`` and the search path as its environment."""
        return subprocess.run(
            [self._node, *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
            check=False,
        )

    def tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the installed packages."""
        return self.node(str(HERE / "node_modules" / ".bin" / name), *arguments)


def wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if match := _READY.search(log.read_text()):
            return match[1]
        time.sleep(0.05)
    raise AssertionError(f"the gateway did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the demo backend behind a token; yields the address without the version."""
    home = tmp_path_factory.mktemp("gateway")
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)}
    command = [sys.executable, "-m", "wireloom", "serve", "--backend", "demo", "--port", "0"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env={**kept, **own, "WIRELOOM_TOKEN": TOKEN}, stdout=log, stderr=log
        )
    try:
        yield wait_until_ready(process, home / "log")
        process.terminate()
        process.wait(STOP_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in (home / "log").read_text()


@pytest.fixture(scope="module")
def workspace(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a folder with ``client.ts`` and the types made from what the gateway serves."""
    workspace = Workspace(tmp_path_factory.mktemp("client"))
    served = httpx.get(f"{gateway}/openapi.json", timeout=START_SECONDS).raise_for_status()
    (workspace.folder / "contract.json").write_bytes(served.content)
    done = workspace.tool("openapi-typescript", "contract.json", "--output", "schema.d.ts")
    assert done.returncode == 0, done.stderr
    return workspace


@pytest.fixture(scope="module")
def errors(workspace: Workspace) -> dict[str, list[str]]:
    """Return the compiler's errors by mistake; all are compiled in one run, which is what takes the time."""
    source = (HERE / "client.ts").read_text()
    for name, mistake in MISTAKES.items():
        assert source.count(mistake.right) == 1, mistake
        (workspace.folder / f"{name}.ts").write_text(source.replace(mistake.right, mistake.wrong))
    done = workspace.tool(*TSC, "--noEmit", *(f"{name}.ts" for name in MISTAKES))
    found = defaultdict[str, list[str]](list)
    for program, error in _DIAGNOSTIC.findall(done.stdout):
        found[program].append(error)
    assert found.keys() <= MISTAKES.keys(), done.stdout
    print(done.stdout, done.stderr)
    return found


@pytest.fixture(scope="module")
def report(gateway: str, workspace: Workspace) -> Any:
    """Return what the program, which must type-check, says of its conversation with the gateway."""
    checked = workspace.tool(*TSC, "--noEmit", "client.ts")
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout
    compiled = workspace.tool(*TSC, "--noCheck", "--outDir", "compiled", "client.ts")
    assert compiled.returncode == 0, compiled.stdout
    done = workspace.node("compiled/client.js", BASE_URL=gateway, API_KEY=TOKEN)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", MISTAKES)
def test_wrong_program_does_not_type_check(name: str, errors: dict[str, list[str]]) -> None:
    assert errors.get(name) == MISTAKES[name].errors.split()


def test_models(report: Any) -> None:
    assert report["models"] == {"ids": ["demo"], "slugs": ["demo"]}


def test_create(report: Any) -> None:
    assert report["create"]["status"] == "completed"
    assert report["create"]["text"] == "You said: hello"
    assert report["create"]["total"] > 0


def test_function_call(report: Any) -> None:
    assert report["call"] == [["add", '{"a": 1}']]


def test_stream(report: Any) -> None:
    stream = report["stream"]
    assert stream["deltas"] == stream["text"] == stream["final"] == "You said: hello"
    assert (stream["types"][0], stream["types"][-1]) == ("response.created", "response.completed")
    assert stream["types"].count("response.output_text.delta") > 1
    assert stream["numbers"] == list(range(len(stream["types"])))


def test_chat(report: Any) -> None:
    chat = report["chat"]
    assert chat["deltas"] == chat["text"] == "You said: hello"
    assert chat["finish"] == "stop"
    assert chat["total"] > 0


def test_errors(report: Any) -> None:
    bad_request, unknown_model, wrong_key = report["failures"]
    assert (bad_request["status"], bad_request["type"]) == (400, "invalid_request_error")
    assert bad_request["param"] == "temperature"
    assert (unknown_model["status"], unknown_model["code"]) == (404, "model_not_found")
    assert (wrong_key["status"], wrong_key["type"]) == (401, "authentication_error")
