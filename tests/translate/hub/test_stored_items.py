"""Every kind of item has a stored form, and what is shown of it keeps to the served contract."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.captures import CAPTURES, Capture
from tests.support.items import in_stored_form as shown
from wireloom.api import bodies
from wireloom.translate.hub.stored_items import PARTS, UNTOLD
from wireloom.translate.tools.table import FORMS

Json = dict[str, Any]

DOCUMENT = json.loads(contract.CONTRACT.read_bytes())
STORED = Draft202012Validator(
    {"$ref": "#/components/schemas/ItemResource", "components": DOCUMENT["components"]}
)
ITEMS = TypeAdapter(list[m.InputItem])
KEPT = sorted(kind for kind, form in FORMS.items() if form)

TOOL: Json = {"type": "function", "name": "add"}
PASSED: Json = {"internal_chat_message_metadata_passthrough": {"turn": 1}}

# Kind -> fields that are filled whatever a request says in their place.
MENDED = {"custom_tool_call_output": {"status"}, "agent_message": {"role", "status", "phase"}}

# (what was sent, what is shown beside it)
SENT: list[tuple[Json, Json]] = [
    (
        {
            "type": "agent_message",
            "author": "/root",
            "recipient": "/root/child",
            "content": [
                {"type": "input_text", "text": "Payload:\n"},
                {"type": "encrypted_content", "encrypted_content": "count"},
            ],
            "role": 1,
            "status": "unknown",
            "phase": "other",
            **PASSED,
        },
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Payload:\n"},
                {"type": "input_text", "text": "count"},
            ],
            "status": "completed",
        },
    ),
    (
        {"type": "message", "role": "user", "content": "hi", "phase": None, **PASSED},
        {"content": [{"type": "input_text", "text": "hi"}], "status": "completed"},
    ),
    (
        {"type": "message", "role": "assistant", "content": "hi", "status": None},
        {
            "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}],
            "status": "completed",
        },
    ),
    (
        {
            "type": "message",
            "role": "assistant",
            "content": [],
            "status": "incomplete",
            "phase": "commentary",
        },
        {"content": [], "status": "incomplete", "phase": "commentary"},
    ),
    (
        {
            "type": "message",
            "role": "developer",
            "content": [
                {"type": "input_text", "text": "a", "prompt_cache_breakpoint": None, "other": 1},
                {
                    "type": "input_image",
                    "image_url": "https://a.example/b.png",
                    "file_id": None,
                    "detail": None,
                },
                {"type": "input_file", "file_data": "data:,a", "filename": "a", "file_url": None},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "output_text", "text": "b", "annotations": None, "logprobs": None},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {
            "content": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "https://a.example/b.png"},
                {"type": "input_file", "file_data": "data:,a", "filename": "a"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "output_text", "text": "b", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
            ],
            "status": "completed",
        },
    ),
    (
        {
            "type": "function_call",
            "call_id": "c",
            "name": "add",
            "arguments": "{}",
            "created_by": 5,
            **PASSED,
        },
        {"call_id": "c", "name": "add", "arguments": "{}", "status": "completed"},
    ),
    (
        {"type": "function_call_output", "call_id": "c", "output": "5", "status": None, "caller": None},
        {"call_id": "c", "output": "5", "status": "completed"},
    ),
    (
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": None}]},
        {"call_id": "c", "output": [{"type": "input_file"}], "status": "completed"},
    ),
    (
        {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "x", "namespace": "n"},
        {"call_id": "c", "name": "p", "input": "x", "namespace": "n", "status": "completed"},
    ),
    (
        {"type": "custom_tool_call_output", "call_id": "c", "output": "y", "status": {"odd": 1}},
        {"call_id": "c", "output": "y", "status": "completed"},
    ),
    (
        {"type": "custom_tool_call_output", "call_id": "c", "output": "y", "status": "incomplete"},
        {"call_id": "c", "output": "y", "status": "incomplete"},
    ),
    (
        {"type": "custom_tool_call_output", "call_id": "c", "output": "y", "status": ["odd"]},
        {"call_id": "c", "output": "y", "status": "completed"},
    ),
    (
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "sealed"},
        {"summary": [], "encrypted_content": "sealed"},
    ),
    (
        {"type": "additional_tools", "role": "developer", "tools": [TOOL, {"type": "of_tomorrow", "a": 1}]},
        {"role": "developer", "tools": [TOOL]},
    ),
    (
        {"type": "tool_search_call", "call_id": "c", "arguments": {"query": "add"}},
        {"call_id": "c", "execution": "client", "arguments": {"query": "add"}, "status": "completed"},
    ),
    (
        {"type": "tool_search_call", "arguments": {}},
        {"call_id": None, "execution": "server", "arguments": {}, "status": "completed"},
    ),
    (
        {"type": "tool_search_output", "call_id": "c", "execution": "client", "tools": [TOOL]},
        {"call_id": "c", "execution": "client", "tools": [TOOL], "status": "completed"},
    ),
    (
        {
            "type": "local_shell_call",
            "id": "i",
            "call_id": "c",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
            "status": "completed",
        },
        {
            "call_id": "c",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
            "status": "completed",
        },
    ),
    ({"type": "local_shell_call_output", "id": "i", "output": "a"}, {"call_id": "i", "output": "a"}),
    ({"type": "local_shell_call_output", "call_id": "c", "output": "a"}, {"call_id": "c", "output": "a"}),
    (
        {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}, "status": "in_progress"},
        {
            "call_id": "c",
            "action": {"commands": ["ls"], "timeout_ms": None, "max_output_length": None},
            "environment": None,
            "status": "in_progress",
        },
    ),
    (
        {
            "type": "shell_call_output",
            "call_id": "c",
            "output": [
                {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}, "created_by": 1}
            ],
        },
        {
            "call_id": "c",
            "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
            "max_output_length": None,
            "status": "completed",
        },
    ),
    (
        {
            "type": "apply_patch_call",
            "call_id": "c",
            "status": "completed",
            "operation": {"type": "delete_file", "path": "a"},
        },
        {"call_id": "c", "status": "completed", "operation": {"type": "delete_file", "path": "a"}},
    ),
    (
        {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": None},
        {"call_id": "c", "status": "failed"},
    ),
    (
        {
            "type": "web_search_call",
            "id": "i",
            "status": "completed",
            "action": {"type": "search", "query": "q", "queries": ["q"]},
        },
        {"status": "completed", "action": {"type": "search", "query": "q", "queries": ["q"]}},
    ),
    (
        {"type": "tool_search_output", "call_id": "c", "tools": []},
        {"call_id": "c", "execution": "client", "tools": [], "status": "completed"},
    ),
    (
        {
            "type": "tool_search_output",
            "call_id": "c",
            "execution": "client",
            "tools": [{**TOOL, "defer_loading": None, "description": None}],
        },
        {"call_id": "c", "execution": "client", "tools": [TOOL], "status": "completed"},
    ),
    (
        {
            "type": "file_search_call",
            "id": "i",
            "status": "completed",
            "queries": ["q"],
            "results": [{"file_id": "f", "text": None, "filename": "n"}],
        },
        {"status": "completed", "queries": ["q"], "results": [{"file_id": "f", "filename": "n"}]},
    ),
    (
        {"type": "file_search_call", "id": "i", "status": "completed", "queries": [], "results": None},
        {"status": "completed", "queries": []},
    ),
    (
        {
            "type": "code_interpreter_call",
            "id": "i",
            "status": "completed",
            "container_id": "k",
            "code": None,
            "outputs": None,
        },
        {"status": "completed", "container_id": "k", "code": None, "outputs": None},
    ),
    (
        {"type": "image_generation_call", "id": "i", "status": "completed", "result": None},
        {"status": "completed", "result": None},
    ),
    (
        {"type": "mcp_list_tools", "id": "i", "server_label": "s", "tools": [], "error": None},
        {"server_label": "s", "tools": []},
    ),
    (
        {"type": "mcp_approval_request", "id": "i", "server_label": "s", "name": "n", "arguments": "{}"},
        {"server_label": "s", "name": "n", "arguments": "{}"},
    ),
    (
        {"type": "mcp_call", "id": "i", "server_label": "s", "name": "n", "arguments": "{}", "output": "o"},
        {"server_label": "s", "name": "n", "arguments": "{}", "output": "o"},
    ),
    ({"type": "compaction", "encrypted_content": "sealed", "created_by": 5}, {"encrypted_content": "sealed"}),
    (
        {
            "type": "configuration_update",
            "reasoning": {"effort": "low"},
            "text": {"format": {"type": "text"}},
        },
        {"reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}}},
    ),
    (
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "async": True},
        {"call_id": "c", "name": "f", "arguments": "{}", "async": True, "status": "completed"},
    ),
]


def stored(sent: Json) -> Json:
    """An item as the store has it: through the edge, and with an id."""
    items = bodies.validate(ITEMS, read([sent]))
    (item,) = [each.model_dump(mode="json", by_alias=True, exclude_unset=True) for each in items]
    return {**item, "id": item.get("id") or "item_1"}


def read(items: list[Json]) -> list[Json]:
    """Items as the edge prepares them."""
    body = {"input": copy.deepcopy(items)}
    bodies.prepare(body)
    return body["input"]


@pytest.mark.parametrize(("sent", "rest"), SENT, ids=lambda value: value.get("type"))
def test_items_are_shown_in_their_stored_form(sent: Json, rest: Json) -> None:
    item = stored(sent)
    before = copy.deepcopy(item)
    role = {"role": sent["role"]} if sent["type"] == "message" else {}
    assert shown(item) == {"type": sent["type"], "id": item["id"], **role, **rest}
    STORED.validate(shown(item))
    assert item == before


# Items as an upstream may write them: null for what is not set, at any depth.
SPELLED_OUT: list[Json] = [
    {"type": "additional_tools", "tools": [{**TOOL, "defer_loading": None}]},
    {
        "type": "tool_search_output",
        "tools": [{"type": "namespace", "name": "n", "description": "d", "tools": [{**TOOL, "async": None}]}],
    },
    {"type": "configuration_update", "text": None},
    {"type": "configuration_update", "text": {"format": None, "verbosity": None}},
    {
        "type": "configuration_update",
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {}, "description": None}},
    },
    {
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "q", "queries": None},
    },
    {
        "type": "file_search_call",
        "status": "completed",
        "queries": [],
        "results": [{"text": "a", "score": None, "filename": None}],
    },
]


@pytest.mark.parametrize("item", SPELLED_OUT, ids=lambda item: item["type"])
def test_nulls_of_an_upstream_are_not_shown(item: Json) -> None:
    STORED.validate(shown({**item, "id": "item_1"}))


def test_a_stored_form_is_its_own() -> None:
    for sent, _ in SENT:
        once = shown(stored(sent))
        assert shown(once) == once


def test_every_kind_has_a_rule_and_those_that_are_kept_a_test() -> None:
    assert FORMS.keys() == contract.tags(m.InputItem)
    assert sorted({sent["type"] for sent, _ in SENT}) == KEPT
    assert contract.tags(m.ItemResource) >= set(KEPT) - {"agent_message"}
    assert PARTS.keys() == contract.tags(m.MessageContentParam) == contract.tags(m.MessageResourceContent)


@pytest.mark.parametrize("kind", KEPT)
def test_what_is_shown_was_checked_when_it_came_in(kind: str) -> None:
    """A field that a request may fill with anything must not stand where the contract says what it is."""
    form = FORMS[kind]
    assert form is not None
    (sent,) = [member for member in contract.members(m.InputItem) if kind in contract.types(member)]
    unchecked = form.model.model_fields.keys() - UNTOLD - sent.model_fields.keys()
    assert unchecked == MENDED.get(kind, set())


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_items_of_the_codex_cli(capture: Capture) -> None:
    items = [item for item in capture.body["input"] if FORMS[item.get("type", "message")]]
    for item in items:
        STORED.validate(shown(stored(item)))
