"""What clients send in the field, played through the gateway: one meaning is served, every other refused by its name."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support import field
from tests.support.field import Json, Outcome
from tests.support.live import answer, gateway, raw

LS: Json = {
    "type": "object",
    "properties": {"cmd": {"type": "string"}},
    "required": ["cmd"],
    "additionalProperties": False,
}
CHUNKS = [
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m1", "choices": [choice]}
    for choice in (
        {"index": 0, "delta": {"role": "assistant", "content": "ok"}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    )
]
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "ok", "annotations": []}],
}
RESPONSE = {"id": "r", "object": "response", "status": "completed", "output": [MESSAGE]}
OK: Json = {
    "status": 200,
    "chunks": [*CHUNKS, "[DONE]"],
    "events": [{"type": "response.completed", "response": RESPONSE}],
}
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def cases(*names: str) -> pytest.MarkDecorator:
    found = [
        pytest.param(case, wire, id=f"{name}, {wire}")
        for each in names
        for name, case in field.load(each)
        for wire in case["wires"]
    ]
    return pytest.mark.parametrize(("case", "wire"), found)


def sent(case: Json, wire: str, **options: Any) -> tuple[Outcome, Json]:
    """The outcome of the only turn of a case, and what the upstream received."""
    (outcome,) = field.run({**case, "upstream": OK}, wire=wire, **options)
    assert outcome.status == 200, outcome.answer
    (request,) = outcome.sent
    return outcome, request


@cases("chat-empty-content-list")
def test_an_empty_list_as_content(case: Json, wire: str) -> None:
    _, request = sent(case, wire)
    if wire == "chat":
        assert request["messages"][1].get("content") is None
        assert request["messages"][1]["tool_calls"][0]["id"] == "call_abc123"
    else:
        kinds = [(item["type"], item.get("call_id")) for item in request["input"]]
        assert ("function_call", "call_abc123") in kinds
        assert all(item.get("content") != [] for item in request["input"])


@cases("chat-flat-tools")
def test_flat_tools_beside_messages(case: Json, wire: str) -> None:
    outcome, request = sent(case, wire)
    if wire == "chat":
        assert request["tools"][0]["function"]["name"] == "exec_command"
        assert request["tools"][1][request["tools"][1]["type"]]["name"] == "ApplyPatch"
    else:
        assert [tool["name"] for tool in request["tools"]] == ["exec_command", "ApplyPatch"]
    assert "tools[0];changed" in outcome.headers["x-wireloom-loss"]


@cases("chat-image-url-string")
def test_the_address_of_a_picture_as_a_string(case: Json, wire: str) -> None:
    _, request = sent(case, wire)
    if wire == "chat":
        assert request["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": PICTURE}}
    else:
        part = request["input"][0]["content"][1]
        assert (part["type"], part["image_url"]) == ("input_image", PICTURE)


@cases("chat-odd-values")
def test_values_that_say_nothing_are_left_out(case: Json, wire: str) -> None:
    _, request = sent(case, wire)
    assert not {"max_tokens", "max_completion_tokens", "max_output_tokens", "stop"} & request.keys()


@cases("chat-responses-body")
def test_a_responses_body_on_the_path_of_chat(case: Json, wire: str) -> None:
    outcome, request = sent(case, wire)
    assert outcome.text == "ok"
    assert {event["object"] for event in outcome.events} == {"chat.completion.chunk"}
    if wire == "chat":
        assert [message["role"] for message in request["messages"]] == ["system", "user"]
        assert request["tools"][0]["function"]["name"] == "exec_command"
    else:
        assert request["tools"][0]["name"] == "exec_command"


@cases("client-tool-output-parts")
def test_parts_of_an_output_of_another_type(case: Json, wire: str) -> None:
    _, request = sent(case, wire)
    (output,) = [message for message in request["messages"] if message["role"] == "tool"]
    assert (output["tool_call_id"], output["content"]) == ("c1", "f")


@cases("codex-image-generation-tool")
def test_a_hosted_tool_of_the_codex_app_is_left_out(case: Json, wire: str) -> None:
    outcome, request = sent(case, wire)
    assert [tool["function"]["name"] for tool in request["tools"]] == ["exec_command"]
    assert "tools[1];dropped" in outcome.headers["x-wireloom-loss"]
    for options, caller in (({}, None), ({"strict": True}, "codex")):
        (refused,) = field.run({**case, "upstream": OK, "caller": caller}, wire=wire, **options)
        assert refused.status == 400


@cases("codex-new-words")
def test_a_newer_word_of_codex_is_left_out(case: Json, wire: str) -> None:
    outcome, request = sent(case, wire)
    assert "x" in json.dumps(request["messages"][-1]["content"])
    assert outcome.answer["status"] == "completed"
    assert "dropped" in outcome.headers["x-wireloom-loss"]
    for options, caller in (({}, None), ({"strict": True}, "codex")):
        (refused,) = field.run({**case, "upstream": OK, "caller": caller}, wire=wire, **options)
        assert refused.status == 400


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"type": "web_search_call", "id": "ws_1", "status": "completed"}, "input[1]"),
        ({"type": "message", "role": "narrator", "content": "x"}, "input[1]"),
        ({"type": "function_call_output", "call_id": "c1", "output": {"a": [1]}}, "input[1].output"),
        ({"type": "message", "role": "user", "content": [{"type": "input_hologram"}]}, "input[1].content[0]"),
        (
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_poem", "text": "x"}]},
            "input[1].summary[0]",
        ),
    ],
)
def test_other_news_of_codex_end_no_turn(item: Json, path: str) -> None:
    user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    called = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    items = [user, item] if item["type"] != "function_call_output" else [called, item, user]
    case: Json = {
        "face": "responses",
        "profile": "generic",
        "caller": "codex",
        "request": {"model": "m1", "input": items},
    }
    outcome, _ = sent(case, "chat")
    assert path in outcome.headers["x-wireloom-loss"]


# -- further spellings ---------------------------------------------------------------------------------------------

USER = {"role": "user", "content": "x"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"messages": [{"role": "user", "content": {"type": "text", "text": "x"}}]},
            {"messages": ["x"]},
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]},
            {"messages": ["x"]},
        ),
        ({"messages": [USER], "tools": [], "tool_choice": "auto"}, {"tools": None, "tool_choice": None}),
        (
            {"messages": [USER], "max_completion_tokens": 0},
            {"max_tokens": None, "max_completion_tokens": None},
        ),
        ({"messages": [USER], "n": 0}, {"n": None}),
        ({"input": "x", "max_output_tokens": 64}, {"messages": ["x"]}),
    ],
)
def test_chat_bodies_of_other_clients(body: Json, expected: Json) -> None:
    _, request = sent({"face": "chat", "profile": "generic", "request": {"model": "m1", **body}}, "chat")
    for name, value in expected.items():
        found = (
            [message["content"] for message in request["messages"]]
            if name == "messages"
            else request.get(name)
        )
        assert found == value


def test_arguments_as_an_object_are_text() -> None:
    history = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": {"b": 2}},
        USER,
    ]
    _, request = sent(
        {"face": "chat", "profile": "generic", "request": {"model": "m1", "messages": history}}, "chat"
    )
    assert json.loads(request["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert json.loads(request["messages"][2]["content"]) == {"b": 2}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": [USER]}, "x"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "x"),
        ({"input": "x", "tools": [{"type": "function", "function": {"name": "f", "parameters": LS}}]}, "x"),
        ({"input": "x", "max_tokens": -1}, "x"),
        ({"input": "x", "response_format": {"type": "json_object"}}, "x"),
        ({"input": "x", "reasoning_effort": "low"}, "x"),
    ],
)
def test_responses_bodies_of_other_clients(body: Json, expected: str) -> None:
    outcome, request = sent(
        {"face": "responses", "profile": "generic", "request": {"model": "m1", **body}}, "chat"
    )
    assert expected in json.dumps(request["messages"][-1]["content"])
    assert "changed" in outcome.headers["x-wireloom-loss"]
    if "tools" in body:
        assert request["tools"][0]["function"]["name"] == "f"
    if "response_format" in body:
        assert request["response_format"] == {"type": "json_object"}


def test_a_clean_body_is_not_touched() -> None:
    body = {"model": "m1", "messages": [USER], "max_tokens": 5, "stop": ["x"]}
    outcome, request = sent({"face": "chat", "profile": "generic", "request": body}, "chat")
    assert (request, "x-wireloom-loss" in outcome.headers) == (body, False)


async def asked(method: str, path: str, body: bytes | None = None, **more: Any) -> httpx.Response:
    async def handler(request: bytes, writer: Any) -> None:
        asks = json.loads(request) if request else None
        if asks is None:
            writer.write(answer(b'{"data": [{"id": "m1"}]}', kind="application/json"))
        else:
            writer.write(field.answered(OK, asks))

    settings = more.pop("settings", {})
    async with (
        raw(handler) as (url, _),
        gateway(url, **settings) as base,
        httpx.AsyncClient(timeout=20) as client,
    ):
        headers = {"content-type": "application/json", **more.get("headers", {})}
        return await client.request(method, f"{base}{path}", content=body, headers=headers)


CHAT_BODY = json.dumps({"model": "m1", "messages": [USER]}).encode()
RESPONSES_BODY = json.dumps({"model": "m1", "input": "x"}).encode()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/chat/completions", CHAT_BODY),
        ("POST", "/v1/chat/completions/", CHAT_BODY),
        ("POST", "/v1/v1/chat/completions", CHAT_BODY),
        ("POST", "//v1//chat/completions", CHAT_BODY),
        ("POST", "/openai/v1/chat/completions", CHAT_BODY),
        ("POST", "/api/v1/chat/completions", CHAT_BODY),
        (
            "POST",
            "/openai/deployments/m1/chat/completions?api-version=2024-10-21",
            b'{"messages": [{"role": "user", "content": "x"}]}',
        ),
        ("POST", "/responses", RESPONSES_BODY),
        ("POST", "/v1/responses/", RESPONSES_BODY),
        ("POST", "/openai/responses?api-version=preview", RESPONSES_BODY),
        ("GET", "/models", None),
        ("GET", "/v1/models/", None),
        ("HEAD", "/v1/models", None),
        ("HEAD", "/health", None),
    ],
)
async def test_the_paths_that_clients_make(method: str, path: str, body: bytes | None) -> None:
    found = await asked(method, path, body)
    assert found.status_code == 200, found.text
    assert (found.content == b"") == (method == "HEAD")


@pytest.mark.parametrize("path", ["/v2/chat/completions", "/chat/complete", "/v1/chat", "/favicon.ico"])
async def test_other_paths_are_not_served(path: str) -> None:
    found = await asked("POST", path, CHAT_BODY)
    assert (found.status_code, found.json()["error"]["code"]) == (404, "not_found")


async def test_a_key_in_azure_s_header() -> None:
    settings = {"token": "inbound"}
    right = await asked(
        "POST", "/v1/chat/completions", CHAT_BODY, headers={"api-key": "inbound"}, settings=settings
    )
    assert right.status_code == 200
    two = {"api-key": "inbound", "authorization": "Bearer other"}
    wrong = await asked("POST", "/v1/chat/completions", CHAT_BODY, headers=two, settings=settings)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "authorization")


async def test_odd_bytes_around_a_body() -> None:
    assert (await asked("POST", "/v1/chat/completions", b"\xef\xbb\xbf" + CHAT_BODY)).status_code == 200
    half = CHAT_BODY.replace(b'"x"', b'"x\\ud83d"')
    assert (await asked("POST", "/v1/chat/completions", half)).status_code == 200


@cases("chat-tool-picture")
def test_a_picture_in_the_content_of_a_tool_message(case: Json, wire: str) -> None:
    _, request = sent(case, wire)
    if wire == "chat":
        tool, user = request["messages"][2:4]
        assert (tool["role"], "f" in json.dumps(tool["content"]), PICTURE in json.dumps(tool["content"])) == (
            "tool",
            True,
            False,
        )
        assert (user["role"], PICTURE in json.dumps(user["content"])) == ("user", True)
    else:
        (output,) = [item for item in request["input"] if item["type"] == "function_call_output"]
        assert [part["type"] for part in output["output"]] == ["input_text", "input_image"]
