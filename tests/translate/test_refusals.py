"""Each declared refusal is one that happens, and says where and why."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter
from wireloom_protocol import replies
from wireloom_protocol import responses as m

from wireloom.api import bodies
from wireloom.errors import InvalidRequest
from wireloom.providers import shipped
from wireloom.translate.chat_upstream import request as responses_to_chat
from wireloom.translate.options import Options
from wireloom.translate.refusals import DECLARED, MISSING_STATE, Refusal, declared
from wireloom.translate.rules.loss import Losses

Json = dict[str, Any]

REQUEST = TypeAdapter(m.CreateResponse)
ADD: Json = {"type": "function", "name": "add"}
PICTURE: Json = {"type": "input_image", "image_url": "https://example.com/a.png"}
SOUND: Json = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
OUTPUT: Json = {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_file"}]}
CALL: Json = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"}


HOSTED: Json = {"type": "file_search", "vector_store_ids": ["vs_1"]}
CONTAINER: Json = {"type": "shell", "environment": {"type": "container_auto"}}
APPROVAL: Json = {"type": "mcp_approval_response", "approval_request_id": "x", "approve": True}
NAMELESS: Json = {"type": "custom_tool_call_output", "call_id": "", "output": "5"}


def brought(*tools: Json) -> Json:
    return {"type": "additional_tools", "role": "developer", "tools": list(tools)}


def saying(*parts: Json, role: str = "user") -> list[Json]:
    return [{"role": role, "content": list(parts)}]


# (param, code, what differs from a plain request, provider)
REFUSED: list[tuple[str, str, Json, str]] = [
    ("background", "unsupported_parameter", {"background": True}, "generic"),
    (
        "background_options",
        "unsupported_parameter",
        {"background_options": {"completion_window": "soonest"}},
        "generic",
    ),
    ("prompt", "unsupported_parameter", {"prompt": {"id": "pmpt_1"}}, "generic"),
    (
        "context_management",
        "unsupported_parameter",
        {"context_management": [{"type": "compaction"}]},
        "generic",
    ),
    ("top_logprobs", "unsupported_parameter", {"top_logprobs": 1}, "groq"),
    ("include[0]", "unsupported_parameter", {"include": ["message.output_text.logprobs"]}, "kimi"),
    ("tool_choice", "unsupported_parameter", {"tools": [ADD], "tool_choice": "required"}, "zai"),
    ("input[0].content[0]", "unsupported_parameter", {"input": saying(PICTURE, role="system")}, "generic"),
    ("tools[0]", "unsupported_tool", {"tools": [HOSTED]}, "generic"),
    ("input[0].tools[1]", "unsupported_tool", {"input": [brought(ADD, HOSTED)]}, "generic"),
    ("tools[0].environment", "unsupported_tool", {"tools": [CONTAINER]}, "generic"),
    ("input[0].tools[0].environment", "unsupported_tool", {"input": [brought(CONTAINER)]}, "generic"),
    ("tool_choice", "unsupported_tool", {"tool_choice": {"type": "file_search"}}, "generic"),
    ("tool_choice.name", "invalid_value", {"tool_choice": {"type": "function", "name": "add"}}, "generic"),
    (
        "tool_choice.tools[0]",
        "invalid_value",
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [ADD]}},
        "generic",
    ),
    ("tools[1]", "invalid_value", {"tools": [ADD, ADD]}, "generic"),
    (
        "tools[0].tools[1]",
        "invalid_value",
        {"tools": [{"type": "namespace", "name": "n", "description": "d", "tools": [ADD, ADD]}]},
        "generic",
    ),
    ("input[0].type", "unsupported_item", {"input": [APPROVAL]}, "generic"),
    ("input", "unsupported_item", {"input": []}, "generic"),
    ("input", "unsupported_item", {"input": [{"type": "compaction_trigger"}]}, "generic"),
    ("input[0].call_id", "invalid_value", {"input": [NAMELESS]}, "generic"),
    ("input[0].content[0]", "unsupported_content", {"input": saying(SOUND)}, "generic"),
    ("input[0].content[0].image_url", "unsupported_content", {"input": saying(PICTURE)}, "kimi"),
    (
        "input[0].content[0].file_id",
        "unsupported_content",
        {"input": saying({"type": "input_image", "file_id": "file_1"})},
        "generic",
    ),
    ("input[1].output[0]", "unsupported_content", {"input": [CALL, OUTPUT]}, "generic"),
    ("text.format", "unsupported_format", {"text": {"format": {"type": "json_object"}}}, "lmstudio"),
]
# The same where the item comes from history; the request then does not hold it.
RECALLED: list[tuple[str, str, list[Json], str]] = [
    ("history.type", "unsupported_item", [APPROVAL], "generic"),
    ("history.call_id", "invalid_value", [NAMELESS], "generic"),
    ("history.content[0]", "unsupported_content", saying(SOUND), "generic"),
    ("history.content[0]", "unsupported_parameter", saying(PICTURE, role="system"), "generic"),
    ("history.content[0].image_url", "unsupported_content", saying(PICTURE), "kimi"),
    ("history.output[0]", "unsupported_content", [CALL, OUTPUT], "generic"),
    ("history.tools[0]", "unsupported_tool", [brought(HOSTED)], "generic"),
    ("history.tools[0].environment", "unsupported_tool", [brought(CONTAINER)], "generic"),
]
NOT_HERE: list[tuple[str, str, Json]] = [
    ("input[0].id", "item_not_found", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
]
# Refused by the gateway before there is anything to translate.
BEFORE: list[tuple[Json, Json]] = [
    (
        {"code": "invalid_value", "param": "conversation"},
        {"conversation": "conv_1", "previous_response_id": "resp_1"},
    ),
]


def refuse(changes: Json, provider: str, recalled: int = 0) -> tuple[Json, replies.Error]:
    """A request, and the error it gets."""
    request = {"model": "m", "input": "hello", **changes}
    body = bodies.validate(REQUEST, copy.deepcopy(request))
    options = Options(model="m", recalled=recalled)
    with pytest.raises(InvalidRequest) as caught:
        responses_to_chat.request(body, shipped.load(provider), options, Losses())
    assert caught.value.status == 400
    return request, caught.value.body()


def rows(request: Json, error: Mapping[str, Any]) -> list[Refusal]:
    return [refusal for refusal in DECLARED if refusal.covers(error, request)]


@pytest.mark.parametrize(("param", "code", "changes", "provider"), REFUSED)
def test_one_row_covers_each_refusal(param: str, code: str, changes: Json, provider: str) -> None:
    request, error = refuse(changes, provider)
    assert (error["param"], error["code"]) == (param, code)
    assert len(rows(request, error)) == 1
    assert declared(error, request)


def test_every_row_is_of_use() -> None:
    used = [row for _, _, changes, provider in REFUSED for row in rows(*refuse(changes, provider))]
    used += [row for error, request in BEFORE for row in rows(request, error)]
    assert [row for row in DECLARED if row not in used] == []


@pytest.mark.parametrize(("param", "code", "items", "provider"), RECALLED)
def test_what_history_holds_is_refused_by_the_same_row(
    param: str, code: str, items: list[Json], provider: str
) -> None:
    _, error = refuse({"input": items}, provider, recalled=len(items))
    assert (error["param"], error["code"]) == (param, code)
    assert len(rows({"input": "hello", "conversation": "conv_1"}, error)) == 1


@pytest.mark.parametrize(("error", "request_body"), BEFORE)
def test_one_row_covers_what_is_refused_before(error: Json, request_body: Json) -> None:
    assert len(rows(request_body, error)) == 1


@pytest.mark.parametrize(("param", "code", "changes"), NOT_HERE)
def test_what_is_not_here_needs_no_row(param: str, code: str, changes: Json) -> None:
    request, error = refuse(changes, "generic")
    assert (error["param"], error["code"]) == (param, code)
    assert rows(request, error) == []
    assert code in MISSING_STATE
    assert declared(error, request)


@pytest.mark.parametrize("code", sorted(MISSING_STATE))
def test_names_of_what_is_not_here_need_no_row(code: str) -> None:
    assert code.endswith("_not_found")
    assert declared({"code": code, "param": None}, {})


@pytest.mark.parametrize(
    ("error", "request_body"),
    [
        ({"code": "invalid_type", "param": "input"}, {"input": 1}),
        ({"code": "unsupported_parameter", "param": "temperature"}, {"temperature": 1}),
        ({"code": "unsupported_tool", "param": "tools[0]"}, {"tools": [ADD]}),
        ({"code": "unsupported_item", "param": "input[0].type"}, {"input": [{"type": "message"}]}),
        ({"code": "unsupported_item", "param": "history"}, {"input": "hello"}),
        ({"code": "unsupported_parameter", "param": "conversation"}, {"conversation": "conv_1"}),
        ({"code": "internal_error", "param": None}, {}),
    ],
)
def test_any_other_refusal_is_undeclared(error: Json, request_body: Json) -> None:
    assert not declared(error, request_body)
