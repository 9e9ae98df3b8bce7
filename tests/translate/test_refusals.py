"""Each declared refusal is one that happens, and says where and why."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import TypeAdapter
from wireloom_protocol import responses as m

from wireloom.api import bodies
from wireloom.errors import InvalidRequest
from wireloom.providers import profile
from wireloom.translate import responses_to_chat
from wireloom.translate.loss import Losses
from wireloom.translate.refusals import DECLARED, MISSING_STATE, Refusal, declared

Json = dict[str, Any]

REQUEST = TypeAdapter(m.CreateResponse)
ADD: Json = {"type": "function", "name": "add"}
FORMAT: Json = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}
PICTURE: Json = {"type": "input_image", "image_url": "https://example.com/a.png"}
SOUND: Json = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
OUTPUT: Json = {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_file"}]}
CALL: Json = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"}


def saying(*parts: Json, role: str = "user") -> list[Json]:
    return [{"role": role, "content": list(parts)}]


# (param, code, what differs from a plain request, provider)
REFUSED: list[tuple[str, str, Json, str]] = [
    ("background", "unsupported_parameter", {"background": True}, "generic"),
    ("prompt", "unsupported_parameter", {"prompt": {"id": "pmpt_1"}}, "generic"),
    ("conversation", "unsupported_parameter", {"conversation": "conv_1"}, "generic"),
    (
        "context_management",
        "unsupported_parameter",
        {"context_management": [{"type": "compaction"}]},
        "generic",
    ),
    ("top_logprobs", "unsupported_parameter", {"top_logprobs": 1}, "generic"),
    ("include[0]", "unsupported_parameter", {"include": ["message.output_text.logprobs"]}, "generic"),
    ("tool_choice", "unsupported_parameter", {"tools": [ADD], "tool_choice": "required"}, "zai"),
    ("input[0].content[0]", "unsupported_parameter", {"input": saying(PICTURE, role="system")}, "generic"),
    ("tools[0]", "unsupported_tool", {"tools": [{"type": "local_shell"}]}, "generic"),
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
    ("input[0].type", "unsupported_item", {"input": [{"type": "compaction_trigger"}]}, "generic"),
    ("input", "unsupported_item", {"input": []}, "generic"),
    ("input[0].call_id", "invalid_value", {"input": [{**OUTPUT, "output": "5"}]}, "generic"),
    ("input[0].content[0]", "unsupported_content", {"input": saying(SOUND)}, "generic"),
    ("input[0].content[0].image_url", "unsupported_content", {"input": saying(PICTURE)}, "kimi"),
    (
        "input[0].content[0].file_id",
        "unsupported_content",
        {"input": saying({"type": "input_image", "file_id": "file_1"})},
        "generic",
    ),
    ("input[1].output[0]", "unsupported_content", {"input": [CALL, OUTPUT]}, "generic"),
    ("text.format", "unsupported_format", {"text": {"format": FORMAT}}, "deepseek"),
]
NOT_HERE: list[tuple[str, str, Json]] = [
    ("previous_response_id", "previous_response_not_found", {"previous_response_id": "resp_1"}),
    ("input[0].id", "item_not_found", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
]


def refuse(changes: Json, provider: str) -> tuple[Json, Json]:
    """A request, and the error it gets."""
    request = {"model": "m", "input": "hello", **changes}
    body = bodies.validate(REQUEST, copy.deepcopy(request))
    with pytest.raises(InvalidRequest) as caught:
        responses_to_chat.request(
            body, profile.load(provider), responses_to_chat.Options(model="m"), Losses()
        )
    assert caught.value.status == 400
    return request, caught.value.body()


def rows(request: Json, error: Json) -> list[Refusal]:
    return [refusal for refusal in DECLARED if refusal.covers(error, request)]


@pytest.mark.parametrize(("param", "code", "changes", "provider"), REFUSED)
def test_one_row_covers_each_refusal(param: str, code: str, changes: Json, provider: str) -> None:
    request, error = refuse(changes, provider)
    assert (error["param"], error["code"]) == (param, code)
    assert len(rows(request, error)) == 1
    assert declared(error, request)


def test_every_row_is_of_use() -> None:
    used = [row for _, _, changes, provider in REFUSED for row in rows(*refuse(changes, provider))]
    assert [row for row in DECLARED if row not in used] == []


@pytest.mark.parametrize(("param", "code", "changes"), NOT_HERE)
def test_what_is_not_here_needs_no_row(param: str, code: str, changes: Json) -> None:
    request, error = refuse(changes, "generic")
    assert (error["param"], error["code"]) == (param, code)
    assert rows(request, error) == []
    assert code in MISSING_STATE
    assert declared(error, request)


@pytest.mark.parametrize(
    ("error", "request_body"),
    [
        ({"code": "invalid_type", "param": "input"}, {"input": 1}),
        ({"code": "unsupported_parameter", "param": "temperature"}, {"temperature": 1}),
        ({"code": "unsupported_tool", "param": "tools[0]"}, {"tools": [ADD]}),
        ({"code": "unsupported_item", "param": "input[0].type"}, {"input": [{"type": "message"}]}),
        ({"code": "internal_error", "param": None}, {}),
    ],
)
def test_any_other_refusal_is_undeclared(error: Json, request_body: Json) -> None:
    assert not declared(error, request_body)
