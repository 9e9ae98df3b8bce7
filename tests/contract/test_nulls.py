"""Null, wrong scalars and empty ids: accepted or refused as the served document says, and no wider in answers than before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openai.types.chat import ChatCompletionMessage
from openai.types.responses import Response
from openai.types.shared import Reasoning
from pydantic import TypeAdapter
from wireloom_protocol import chat, requests
from wireloom_protocol import responses as m

from codegen import nulls
from tests.support.captures import CAPTURES, Capture
from tests.support.items import in_stored_form as shown
from wireloom.api import bodies
from wireloom.api.operations import contract
from wireloom.cli.diagnose.acceptance import _REFUSED_ITEMS, _STORED
from wireloom.errors import InvalidRequest
from wireloom.providers import shipped
from wireloom.translate.hub.opening import opening
from wireloom.translate.refusals import DECLARED, MISSING_STATE
from wireloom.translate.rules.loss import Losses
from wireloom.translate.tools.flatten import flatten

pytestmark = pytest.mark.contract

DOCUMENT: Any = json.loads(contract())
SCHEMAS: Any = DOCUMENT["components"]["schemas"]
BODIES: Mapping[str, Any] = {
    "CreateResponse": m.CreateResponse,
    "TokenCountsBody": m.TokenCountsBody,
    "CompactResponseMethodPublicBody": m.CompactResponseMethodPublicBody,
    "CreateConversationBody": m.CreateConversationBody,
    "CreateChatCompletionRequest": chat.CreateChatCompletionRequest,
}
MESSAGE = {"role": "user", "content": "hi"}
USER = {"model": "m", "messages": [MESSAGE]}


@cache
def validator(name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return Draft202012Validator(schema)


@cache
def adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(BODIES[name])


def accepted(name: str, body: Any) -> bool:
    """Whether the gateway reads a body."""
    try:
        bodies.validate(adapter(name), json.loads(json.dumps(body)))
    except InvalidRequest:
        return False
    return True


def item(**members: Any) -> Any:
    return {"items": [members]}


def asked(**members: Any) -> Any:
    return {"model": "m", "input": "hi", **members}


def chatted(**members: Any) -> Any:
    return {**USER, **members}


FUNCTION = {
    "type": "function",
    "function": {"name": "f", "description": None, "parameters": None, "strict": None},
}
CUSTOM = {"type": "custom", "custom": {"name": "f", "description": None, "format": None}}
CHAT_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "a", "description": None, "schema": None, "strict": None},
}
TOOL = {"type": "function", "name": "f"}
SCHEMA = {"type": "json_schema", "name": "a", "schema": {}}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
MCP = {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "n", "arguments": "{}"}
CODE = {
    "type": "code_interpreter_call",
    "id": "ci_1",
    "status": "completed",
    "container_id": "c",
    "code": None,
}
REFERENCE = {"type": "item_reference", "id": "msg_1"}

# What an optional member that is null, or a value of another scalar type, does to a body.
CASES: list[tuple[str, Any, bool]] = [
    # Settings, of which clients write all.
    ("CreateResponse", asked(tools=None, tool_choice=None, text=None, user=None, top_logprobs=None), True),
    ("CreateResponse", asked(model=None), False),
    ("CreateResponse", asked(input=None), False),
    ("TokenCountsBody", asked(truncation=None, personality=None), True),
    ("CreateChatCompletionRequest", chatted(tools=None, tool_choice=None, functions=None, user=None), True),
    ("CreateChatCompletionRequest", chatted(response_format=None, parallel_tool_calls=None), True),
    ("CreateChatCompletionRequest", chatted(tools=[FUNCTION]), True),
    ("CreateChatCompletionRequest", chatted(messages=None), False),
    ("CreateResponse", asked(tools=[{"type": "web_search", "search_context_size": None}]), True),
    ("CreateResponse", asked(tools=[{"type": "custom", "name": "f", "description": None}]), True),
    ("CreateResponse", asked(tools=[{**TOOL, "parameters": {}, "strict": None, "description": None}]), True),
    ("CreateResponse", asked(tools=[{**TOOL, "defer_loading": None, "allowed_callers": None}]), True),
    ("CreateResponse", asked(tools=[{**TOOL, "name": None}]), False),
    (
        "CreateResponse",
        asked(tools=[{"type": "shell", "environment": {"type": "local", "skills": None}}]),
        True,
    ),
    ("CreateResponse", asked(text={"format": None, "verbosity": None}), True),
    ("CreateResponse", asked(text={"format": {**SCHEMA, "strict": None, "description": None}}), True),
    ("CreateResponse", asked(text={"format": {**SCHEMA, "schema": None}}), False),
    ("CreateResponse", asked(reasoning={"effort": None, "mode": None}), True),
    ("CreateChatCompletionRequest", chatted(tools=[CUSTOM]), True),
    ("CreateChatCompletionRequest", chatted(response_format=CHAT_FORMAT), True),
    ("CreateChatCompletionRequest", chatted(web_search_options={"search_context_size": None}), True),
    # What tunes a request is the client's own choice, so null is a mistake.
    ("CompactResponseMethodPublicBody", asked(prompt_cache_options={"ttl": "30m", "mode": None}), False),
    ("CreateChatCompletionRequest", chatted(stream_options={"include_usage": None}), False),
    # Items and messages, which come back as objects of a client.
    ("CreateConversationBody", item(**CALL, status=None, id=None, namespace=None), True),
    ("CreateConversationBody", item(**MCP, status=None), True),
    ("CreateConversationBody", item(**MESSAGE, status=None), True),
    ("CreateConversationBody", item(**MESSAGE, type=None, status=None), False),
    ("CreateConversationBody", item(**MESSAGE, type=None), False),
    ("CreateConversationBody", item(**{**CALL, "name": None}), False),
    (
        "CreateResponse",
        asked(
            input=[
                {
                    "type": "message",
                    **MESSAGE,
                    "content": [
                        {"type": "input_text", "text": "a"},
                        {"type": "input_file", "filename": None},
                    ],
                }
            ]
        ),
        True,
    ),
    (
        "CreateChatCompletionRequest",
        chatted(
            messages=[MESSAGE, {"role": "assistant", "content": "a", "tool_calls": None, "refusal": None}]
        ),
        True,
    ),
    # Scalars: JSON's own types, and 1.0 is an integer.
    ("CreateResponse", asked(stream=0), False),
    ("CreateResponse", asked(stream="true"), False),
    ("CreateResponse", asked(parallel_tool_calls=1), False),
    ("CreateResponse", asked(temperature="0.5"), False),
    ("CreateResponse", asked(temperature=True), False),
    ("CreateResponse", asked(temperature=1), True),
    ("CreateResponse", asked(max_output_tokens="5"), False),
    ("CreateResponse", asked(max_output_tokens=True), False),
    ("CreateResponse", asked(max_output_tokens=5.5), False),
    ("CreateResponse", asked(max_output_tokens=5.0), True),
    # Ids of what is stored, and URLs, which nobody reads.
    ("CreateResponse", asked(previous_response_id=""), False),
    ("CreateResponse", asked(previous_response_id=None), True),
    ("CreateResponse", asked(conversation=""), False),
    ("CreateResponse", asked(conversation={"id": ""}), False),
    ("TokenCountsBody", asked(conversation=""), False),
    ("CompactResponseMethodPublicBody", asked(previous_response_id=""), False),
    ("CreateConversationBody", {"items": [REFERENCE]}, True),
    ("CreateConversationBody", {"items": [{**REFERENCE, "id": ""}]}, False),
    ("CreateConversationBody", item(**CODE, outputs=[{"type": "image", "url": ""}]), True),
    ("CreateConversationBody", item(**CODE, outputs=[{"type": "image", "url": None}]), False),
]


@pytest.mark.parametrize(("name", "body", "valid"), CASES, ids=lambda value: str(value)[:70])
def test_the_gateway_reads_what_the_document_allows(name: str, body: Any, valid: bool) -> None:
    assert validator(name).is_valid(body) is valid
    assert accepted(name, body) is valid


SETTINGS: list[tuple[str, str]] = [
    (name, field.alias or member)
    for name, model in BODIES.items()
    for member, field in model.model_fields.items()
    if not field.is_required()
]


@pytest.mark.parametrize(("name", "member"), SETTINGS)
def test_every_setting_may_be_null(name: str, member: str) -> None:
    """A client that writes all settings need not know which of them the published document lets be null."""
    required = {"CreateChatCompletionRequest": USER, "CreateConversationBody": {}}.get(name, asked())
    body = {**required, member: None}
    assert accepted(name, body)
    if member in requests_of(name):
        assert validator(name).is_valid(body)


def requests_of(name: str) -> frozenset[str]:
    """Members of a body that are served; what is understood and refused is not in the document."""
    members: Mapping[str, Any] = getattr(requests, name).__annotations__
    return frozenset(members)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_recorded_requests_of_the_codex_cli_are_read(capture: Capture) -> None:
    assert validator("CreateResponse").is_valid(capture.body)
    assert accepted("CreateResponse", capture.body)


# -- what the official SDK sends back --------------------------------------------------------------------------------

ANSWER: Any = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
TEXT = {"type": "output_text", "text": "a", "annotations": [], "logprobs": []}
COMMAND = {"type": "exec", "command": ["ls"], "env": {}}
ITEMS: list[Any] = [
    {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [TEXT]},
    {**CALL, "id": "fc_1", "status": "completed"},
    {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "f", "input": "x"},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    },
    {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "open_page", "url": "x"},
    },
    {
        "type": "file_search_call",
        "id": "fs_1",
        "status": "completed",
        "queries": ["x"],
        "results": [{"text": "a"}],
    },
    {**CODE, "outputs": None},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": None},
    {"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "status": "completed", "action": COMMAND},
    {
        "type": "mcp_list_tools",
        "id": "mcpl_1",
        "server_label": "s",
        "tools": [{"name": "n", "input_schema": {}}],
    },
    {**MCP, "status": "completed"},
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["type"])
def test_items_that_the_sdk_writes_out_in_full_are_read(item: Any) -> None:
    answer = Response.model_validate({**ANSWER, "output": [item]})
    written = [each.model_dump(mode="json") for each in answer.output]
    body = asked(input=[{"type": "message", **MESSAGE}, *written])
    validator("CreateResponse").validate(body)
    assert accepted("CreateResponse", body)


TOOLS: list[Any] = [
    {**TOOL, "parameters": {}, "strict": True},
    {"type": "custom", "name": "f", "format": {"type": "text"}},
    {"type": "namespace", "name": "n", "description": "d", "tools": [TOOL]},
    {"type": "web_search", "filters": {}, "user_location": {"type": "approximate"}},
    {"type": "web_search_preview", "user_location": {"type": "approximate"}},
    {"type": "shell", "environment": {"type": "local"}},
    {"type": "local_shell"},
    {"type": "apply_patch"},
    {"type": "tool_search"},
]
REFUSED: list[Any] = [
    {"type": "mcp", "server_label": "s", "allowed_tools": {"tool_names": ["a"]}},
    {"type": "file_search", "vector_store_ids": ["a"], "ranking_options": {}},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "image_generation", "input_image_mask": {}},
]
FORMATS: list[Any] = [None, {"type": "text"}, {"type": "json_object"}, SCHEMA]


def written_out(tools: list[Any], form: Any) -> Any:
    """A request with the settings of an answer, as the SDK has them."""
    answer = Response.model_validate({**ANSWER, "output": [], "tools": tools, "text": {"format": form}})
    answer.reasoning = Reasoning()
    settings = answer.model_dump(mode="json", by_alias=True, include={"tools", "text", "reasoning"})
    assert settings["reasoning"] == dict.fromkeys(settings["reasoning"])
    return asked(**settings)


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_settings_that_the_sdk_writes_out_in_full_are_read_and_echoed_without_nulls(form: Any) -> None:
    body = written_out(TOOLS, form)
    validator("CreateResponse").validate(body)
    assert accepted("CreateResponse", body)
    request: m.CreateResponse = adapter("CreateResponse").validate_python(body)
    echo = json.loads(msgspec.json.encode(opening(request, "resp_1", 1)))
    validator("Response").validate(echo)


@pytest.mark.parametrize("tool", REFUSED, ids=lambda tool: tool["type"])
def test_a_tool_that_is_refused_is_refused_for_its_kind(tool: Any) -> None:
    body = written_out([tool], None)
    assert None in body["tools"][0].values()
    assert accepted("CreateResponse", body)
    with pytest.raises(InvalidRequest) as refusal:
        flatten(adapter("CreateResponse").validate_python(body), shipped.load("generic"), Losses(), model="m")
    assert refusal.value.code == "unsupported_tool"


UPDATE = {"type": "configuration_update", "reasoning": {"effort": "low"}}
HOLDERS: list[Any] = [
    {"type": "additional_tools", "role": "developer", "tools": TOOLS},
    {"type": "tool_search_output", "call_id": "c", "execution": "client", "tools": TOOLS},
    {**UPDATE, "text": {"format": {"type": "text"}}},
    {**UPDATE, "text": {"format": SCHEMA}},
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: holder["type"])
def test_a_stored_item_has_no_null_that_the_contract_forbids(holder: Any) -> None:
    """Tools and formats within an item, as the SDK writes them out, are stored as the contract has them."""
    tools = written_out(holder.get("tools", []), None)["tools"]
    form = written_out([], (holder.get("text") or {}).get("format"))["text"]["format"]
    item = {**holder, **({"tools": tools} if tools else {"text": {"format": form}, "id": None})}
    body = {"items": [item]}
    validator("CreateConversationBody").validate(body)
    (read,) = adapter("CreateConversationBody").validate_python(body).items
    stored = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    validator("ItemResource").validate(shown({**stored, "id": "item_1"}))


def test_a_message_that_the_sdk_writes_out_in_full_is_read() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for members in ({"content": "a"}, {"content": None, "tool_calls": [call]}):
        written = ChatCompletionMessage.model_validate({"role": "assistant", **members}).model_dump(
            mode="json"
        )
        assert None in written.values()
        body = chatted(messages=[MESSAGE, written])
        validator("CreateChatCompletionRequest").validate(body)
        assert accepted("CreateChatCompletionRequest", body)


# -- answers promise no less -----------------------------------------------------------------------------------------

SENT_BACK = [
    name for name in SCHEMAS if name.endswith(nulls.SUFFIX) and name.removesuffix(nulls.SUFFIX) in SCHEMAS
]


def test_there_are_copies_for_requests() -> None:
    assert {"FunctionToolCallInput", "MCPToolCallInput", "WebSearchToolCallInput"} <= {*SENT_BACK}


@pytest.mark.parametrize("name", ["OutputItem", "ItemResource"])
def test_an_answer_does_not_hold_such_a_null(name: str) -> None:
    call = {**CALL, "id": "fc_1", "status": "completed"}
    assert validator(name).is_valid(call)
    assert not validator(name).is_valid({**call, "status": None})
    assert not validator(name).is_valid({**MCP, "status": None})


def test_no_mark_is_left_in_the_document() -> None:
    assert nulls.MARK not in contract().decode()


# -- what else is refused --------------------------------------------------------------------------------------------


def refusals(path: str) -> str:
    description: str = DOCUMENT["paths"][path]["post"]["requestBody"]["description"]
    return description


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/input_tokens", "/v1/responses/compact"])
def test_the_document_names_every_code_by_which_a_valid_request_is_refused(path: str) -> None:
    codes = {row.code for row in DECLARED} | MISSING_STATE
    assert {code for code in codes if f"`{code}`" not in refusals(path)} == set()


# What is read although the schema does not have it -> the words for it in the description of the body.
NOTICE = {"type": "function_call_output", "name": "f", "output": "x"}
BESIDES: list[tuple[str, str, Any, str]] = [
    ("/v1/responses", "CreateResponse", asked(tools=[{"type": "telepathy"}]), "a kind that is not listed"),
    ("/v1/responses", "CreateResponse", asked(input=[NOTICE]), "without a `call_id`"),
    ("/v1/conversations", "CreateConversationBody", {"items": [NOTICE]}, "without a `call_id`"),
    (
        "/v1/chat/completions",
        "CreateChatCompletionRequest",
        chatted(tools=[{"type": "telepathy"}]),
        "kinds that are not listed",
    ),
]


@pytest.mark.parametrize(("path", "name", "body", "words"), BESIDES)
def test_what_is_read_besides_is_described(path: str, name: str, body: Any, words: str) -> None:
    assert not validator(name).is_valid(body)
    assert accepted(name, body)
    assert words in refusals(path)


def test_the_document_names_every_code_by_which_a_valid_item_is_refused() -> None:
    codes = {code for code, _ in (*_STORED, *_REFUSED_ITEMS)} - {"not_found"}
    for path in ("/v1/conversations", "/v1/conversations/{conversation_id}/items"):
        assert {code for code in codes if f"`{code}`" not in refusals(path)} == set()
