"""The examples of docs/protocol.md: each runs as it stands on the page, and the page has all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from wireloom_protocol import hot, responses

from benchmarks import imports
from docs import protocol
from tests.support.gateway import Gateway
from wireloom.translate.hub.opening import opening

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in protocol.FOLDER.iterdir() if path.is_file())
SESSION = ROOT / "tests/fixtures/app_server_0_169_0/01-default-text-turn.jsonl"
SECONDS = 60.0


def run(name: str, given: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run an example on an input, and check how it ends."""
    command = [sys.executable, str(protocol.FOLDER / name)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, done.stderr
    return done


def lines(*values: Any) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


# -- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_page_has_each_example(path: Path) -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    assert path.read_text() in page
    assert f"examples/{path.name}" in page


def test_the_page_has_each_module_with_its_cost() -> None:
    measured = json.loads(imports.RESULTS.read_text())
    assert sorted(protocol.MODULES) == sorted(measured) == imports.modules()
    assert {name for name, cost in measured.items() if cost["use_ms"] is not None} == imports.USES.keys()
    assert [name for name, cost in measured.items() if cost["import_ms"] > 100] == []


# -- events ----------------------------------------------------------------------------------------------------------


def test_events_of_a_gateway_are_read(tmp_path: Path) -> None:
    body = {"model": "demo", "input": "Hello", "stream": True}
    headers = {"accept": "text/event-stream"}
    with Gateway(None, tmp_path, "--backend", "demo") as gateway:
        headers["authorization"] = f"Bearer {gateway.token}"
        answer = httpx.post(f"{gateway.base_url}/responses", json=body, headers=headers, timeout=SECONDS)
    done = run("read_events.py", answer.text)
    text, end = done.stdout.splitlines()
    assert text == "You said: Hello"
    assert end.startswith("resp_")
    assert "1 items" in end
    assert done.stderr == ""


CALL = {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}", "status": "completed"}


def test_calls_failures_and_events_of_tomorrow() -> None:
    request = responses.CreateResponse(model="m", input="Hello")
    failed = opening(request, "resp_1", 1) | {"error": {"code": "server_error", "message": "No luck."}}
    events = [
        {"type": "response.output_item.done", "sequence_number": 1, "output_index": 0, "item": CALL},
        {"type": "response.dance.started", "sequence_number": 2},
        {"type": "response.failed", "sequence_number": 3, "response": failed},
    ]
    stream = "".join(f": alive\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    done = run("read_events.py", f"{stream}data: [DONE]\n\n")
    assert done.stdout == "call of add with {}\n\nresp_1 failed: No luck.\n"
    assert done.stderr.startswith('left out: {"type": "response.dance.started"')


# -- items, JSON, the app-server ---------------------------------------------------------------------------------------


def test_items_are_held_to_the_contract() -> None:
    message = {"role": "user", "content": "Hello"}
    output = {"type": "function_call_output", "call_id": "c", "output": "5"}
    assert run("validate_items.py", lines(message, output)).stdout == ""
    faulty = lines(message, {"type": "function_call_output", "output": "5"}, {**output, "status": "lost"})
    found = run("validate_items.py", faulty, code=1).stdout
    assert found.startswith("line 2: call_id: Field required\nline 3: status")


def test_what_is_written_keeps_to_the_contract() -> None:
    request, event, text = run("write_json.py").stdout.splitlines()
    body = responses.CreateResponse.model_validate_json(request)
    assert body.model_dump(mode="json", by_alias=True, exclude_unset=True) == json.loads(request)
    kinds: TypeAdapter[responses.ResponseStreamEvent] = TypeAdapter(responses.ResponseStreamEvent)
    assert isinstance(kinds.validate_json(event), responses.ResponseTextDeltaEvent)
    assert json.loads(event)["delta"] == text == "Yes"
    assert hot.ResponseTextDeltaEvent.__struct_config__.tag == json.loads(event)["type"]


def test_a_recorded_session_is_read() -> None:
    messages = [json.loads(line) for line in SESSION.read_text().splitlines()]
    sent = [each["msg"] for each in messages if each["dir"] == "server->client"]
    greeting, *told = run("read_app_server.py", lines(*sent, {"method": "dance"})).stdout.splitlines()
    assert json.loads(greeting)["method"] == "initialize"
    assert [line for line in told if line.startswith("item/agentMessage/delta")] == [
        "item/agentMessage/delta: po",
        "item/agentMessage/delta: ng",
    ]
    assert told[-2:] == ["turn/completed: completed", "dance: unknown"]
