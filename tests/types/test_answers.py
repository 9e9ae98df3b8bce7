"""The types of both directions: what mypy accepts of an operation's answer, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 600.0
HEAD = """\
from collections.abc import AsyncGenerator
from typing import Any, final
from wireloom_protocol import hot, replies, requests, responses as m
from wireloom_protocol.operations import ModelsApi, OperationsApi, ResponsesApi
from wireloom_runtime.operations import Encoded, EventStream, Reply

HEALTH: replies.Health = {"status": "ok", "version": "1"}
COUNT: replies.TokenCountsResource = {"object": "response.input_tokens", "input_tokens": 1}
CHUNK: replies.ErrorResponse = {"error": {"code": None, "message": "", "param": None, "type": ""}}
ENCODED: Encoded[replies.Health] = Encoded(b"{}")

async def events() -> AsyncGenerator[list[replies.ResponseStreamEvent | hot.HotEvent], None]:
    yield [{"type": "response.in_progress", "sequence_number": 1, "response": RESPONSE}]

async def chunks() -> AsyncGenerator[list[replies.ChatCompletionStreamEvent], None]:
    yield [CHUNK]

async def frames() -> AsyncGenerator[list[Encoded[replies.ChatCompletionStreamEvent]], None]:
    yield [Encoded(b"data: {}")]

def nothing(*_: Any) -> list[Any]:
    return []

RESPONSE: replies.Response
"""

# What mypy finds in a body of lines after HEAD: the code of each error, in order; none where the lines are right.
SNIPPETS: dict[str, tuple[list[str], str]] = {
    "a body of the contract": (
        [],
        'a: Reply[replies.Health] = Reply({"status": "ok", "version": "1"})',
    ),
    "a body that is typed already": ([], "a: Reply[replies.Health] = Reply(HEALTH)"),
    "encoded bytes of the right type": ([], "a: Reply[replies.Health] = Reply.encoded(ENCODED)"),
    "an answer for which any body of a union will do": (
        [],
        "a: Reply[replies.Health | replies.TokenCountsResource] = Reply(COUNT)",
    ),
    "nonsense alone": (["type-var"], 'Reply({"nonsense": 1})'),
    "nonsense for an operation": (
        ["typeddict-item", "typeddict-unknown-key"],
        'a: Reply[replies.Health] = Reply({"nonsense": 1})',
    ),
    "a required member is missing": (
        ["typeddict-item"],
        'a: Reply[replies.Health] = Reply({"status": "ok"})',
    ),
    "a member of a wrong type": (
        ["typeddict-item"],
        'a: Reply[replies.TokenCountsResource] = Reply({"object": "response.input_tokens", "input_tokens": "1"})',
    ),
    "a word that is not in the enumeration": (
        ["typeddict-item"],
        'a: Reply[replies.Health] = Reply({"status": "fine", "version": "1"})',
    ),
    "a member that the contract does not have": (
        ["typeddict-unknown-key"],
        'a: Reply[replies.Health] = Reply({"status": "ok", "version": "1", "mood": "good"})',
    ),
    "the body of another operation": (["arg-type"], "a: Reply[replies.Health] = Reply(COUNT)"),
    "a plain dict": (
        ["arg-type"],
        "def body() -> dict[str, Any]: return {}\na: Reply[replies.Health] = Reply(body())",
    ),
    "encoded bytes of another operation": (
        ["arg-type"],
        "a: Reply[replies.TokenCountsResource] = Reply.encoded(ENCODED)",
    ),
    "bytes of no type": (["arg-type"], 'a: Reply[replies.Health] = Reply.encoded(b"{}")'),
    "a model in place of its JSON": (
        ["arg-type"],
        'a: Reply[replies.Health] = Reply(m.Health(status="ok", version="1"))',
    ),
    "events of the contract": (
        [],
        "a: EventStream[replies.ResponseStreamEvent | hot.HotEvent] = "
        "EventStream(events(), lambda: False, nothing, nothing, nothing)",
    ),
    "frames of the contract": (
        [],
        "a: EventStream[replies.ChatCompletionStreamEvent] = "
        "EventStream(frames(), lambda: False, nothing, nothing, nothing)",
    ),
    "events of another union": (
        ["arg-type"],
        "a: EventStream[replies.ResponseStreamEvent | hot.HotEvent] = "
        "EventStream(chunks(), lambda: False, nothing, nothing, nothing)",
    ),
    "frames of another union": (
        ["arg-type"],
        "a: EventStream[replies.ResponseStreamEvent | hot.HotEvent] = "
        "EventStream(frames(), lambda: False, nothing, nothing, nothing)",
    ),
    "an event that the union does not have": (
        ["misc", "list-item"],
        "async def wrong() -> AsyncGenerator[list[replies.ResponseStreamEvent], None]:\n"
        '    yield [{"type": "response.unheard_of", "sequence_number": 1}]',
    ),
    "a type tells what else an event has": (
        [],
        "def text(event: replies.ResponseStreamEvent) -> str:\n"
        '    return event["delta"] if event["type"] == "response.output_text.delta" else ""',
    ),
    "a member that an event of this type does not have": (
        ["typeddict-item"],
        "def text(event: replies.ResponseStreamEvent) -> str:\n"
        '    return event["delta"] if event["type"] == "response.output_text.done" else ""',
    ),
    "a request of the contract": (
        [],
        'a: requests.CreateResponse = {"model": "m", "input": [{"type": "message", "role": "user", "content": "hi"}]}',
    ),
    "a request with a member that nobody knows": (
        ["typeddict-unknown-key"],
        'a: requests.CreateResponse = {"model": "m", "input": "hi", "max_tokens": 5}',
    ),
    "a handler that fills its interface": (
        [],
        "@final\n"
        "class Models(ModelsApi[str]):\n"
        "    async def list_models(\n"
        "        self, caller: str, client_version: str | None\n"
        "    ) -> Reply[replies.ListModelsResponse]:\n"
        '        return Reply({"object": "list", "data": [], "models": []})\n'
        "    async def retrieve_model(self, caller: str, model: str) -> Reply[replies.Model]:\n"
        '        return Reply({"object": "model", "id": "m", "created": 0, "owned_by": "me"})',
    ),
    "a handler without one of its operations": (
        ["misc"],
        "@final\n"
        "class Models(ModelsApi[str]):\n"
        "    async def retrieve_model(self, caller: str, model: str) -> Reply[replies.Model]:\n"
        '        return Reply({"object": "model", "id": "m", "created": 0, "owned_by": "me"})',
    ),
    "a handler that answers with the body of another operation": (
        ["override"],
        "class Operations(OperationsApi[str]):\n"
        "    async def health(self, caller: str) -> Reply[replies.Readiness]:\n"
        '        return Reply({"status": "ready", "backends": {}})',
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Name of a snippet -> the codes of the errors that mypy reports in it.

    One run checks all of them, with the cache of the project's own check, so that it takes seconds.
    """
    folder = tmp_path_factory.mktemp("snippets")
    files = {f"snippet_{number}": name for number, name in enumerate(SNIPPETS)}
    for module, name in files.items():
        (folder / f"{module}.py").write_text(HEAD + SNIPPETS[name][1] + "\n")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--no-error-summary", "--show-error-codes", "--hide-error-context"]
    command += [str(folder / f"{module}.py") for module in files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stderr == ""
    codes: dict[str, list[str]] = {name: [] for name in SNIPPETS}
    for line in done.stdout.splitlines():
        path, _, text = line.partition(":")
        assert Path(path).stem in files, line
        if ": error: " in text:
            codes[files[Path(path).stem]].append(text.rpartition("[")[2].rstrip("]"))
    return codes


@pytest.mark.parametrize("name", SNIPPETS)
def test_what_mypy_says(name: str, found: dict[str, list[str]]) -> None:
    expected, _ = SNIPPETS[name]
    assert found[name] == expected
