"""A Chat request, said as a request for a response: every field, role, part, call and tool."""

import copy
from typing import Any, TypeAlias, get_args

import pytest
from wireloom_protocol import chat
from wireloom_protocol import responses as m

from tests.support import contract
from wireloom.api.bodies import prepare
from wireloom.errors import InvalidRequest
from wireloom.translate.chat_face.messages import CALLS, MESSAGES, PARTS, SAID
from wireloom.translate.chat_face.request import FIELDS, TOOLS, HubRequest, hub_request
from wireloom.translate.rules.loss import How, Losses, Severity

Json: TypeAlias = dict[str, Any]
HELLO: Json = {"role": "user", "content": "hello"}
ADD: Json = {
    "name": "add",
    "description": "adds",
    "parameters": {"type": "object", "properties": {}},
    "strict": True,
}


def asked(*, strict: bool = False, **fields: Any) -> tuple[HubRequest, Losses]:
    losses = Losses(strict=strict)
    whole = copy.deepcopy({"model": "m", "messages": [HELLO], **fields})
    made = hub_request(chat.CreateChatCompletionRequest.model_validate(whole), losses)
    body = copy.deepcopy(made.body)
    prepare(body)
    m.CreateResponse.model_validate(body)
    return made, losses


def body(**fields: Any) -> Json:
    made = asked(**fields)[0].body
    return {name: value for name, value in made.items() if name not in ("model", "store")}


def items(*messages: Json) -> list[Json]:
    told: list[Json] = asked(messages=list(messages))[0].body["input"]
    return told


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        asked(**fields)
    return caught.value


# -- tables --------------------------------------------------------------------------------------------------------


def tagged(union: Any, tag: str) -> set[str]:
    return {get_args(model.model_fields[tag].annotation)[0] for model in contract.members(union)}


def test_everything_of_the_contract_has_a_rule() -> None:
    assert set(FIELDS) == set(chat.CreateChatCompletionRequest.model_fields)
    assert set(MESSAGES) == tagged(chat.ChatCompletionRequestMessage, "role")
    assert set(PARTS) == tagged(chat.ChatCompletionRequestUserMessageContentPart, "type")
    assert set(SAID) == tagged(chat.ChatCompletionRequestAssistantMessageContentPart, "type")
    assert set(CALLS) == tagged(chat.ChatCompletionRequestToolCall, "type")
    assert set(TOOLS) == tagged(chat.ChatCompletionRequestTool, "type")
    assert all(rule.note for rule in FIELDS.values() if rule.how is not How.NATIVE)


# -- fields --------------------------------------------------------------------------------------------------------


def test_members_that_the_contract_does_not_have_are_reported() -> None:
    answer: Json = {
        "role": "assistant",
        "content": "hi",
        "annotations": [],
        "function_call": None,
        "parsed": None,
    }
    made, losses = asked(strict=True, messages=[HELLO, answer])
    assert made.body["input"][1]["content"][0]["text"] == "hi"
    assert [(loss.path, loss.action, loss.severity) for loss in losses.items] == [
        ("messages[1].annotations", "dropped", Severity.IMMATERIAL)
    ]


def test_a_greeting() -> None:
    made, losses = asked()
    assert made.body == {"model": "m", "store": False, "input": [{"type": "message", **HELLO}]}
    assert losses.items == []


def test_settings() -> None:
    same = {
        "temperature": 0.5,
        "top_p": 0.25,
        "frequency_penalty": 1.0,
        "presence_penalty": -1.0,
        "top_logprobs": 2,
        "parallel_tool_calls": False,
        "service_tier": "flex",
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "stream": True,
    }
    made = body(
        **same,
        logprobs=True,
        max_tokens=1,
        max_completion_tokens=9,
        reasoning_effort="low",
        verbosity="high",
        stream_options={"include_usage": True},
    )
    del made["input"]
    assert made == {
        **same,
        "include": ["message.output_text.logprobs"],
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "high"},
    }
    assert body(max_tokens=5)["max_output_tokens"] == 5


@pytest.mark.parametrize(
    "neutral",
    [
        {"n": 1},
        {"stop": None},
        {"seed": None},
        {"logit_bias": {}},
        {"modalities": ["text"]},
        {"store": False},
        {"logprobs": False},
        {"prediction": None},
    ],
)
def test_what_says_nothing_loses_nothing(neutral: Json) -> None:
    made, losses = asked(**neutral)
    assert set(made.body) == {"model", "store", "input"}
    assert losses.items == []


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ({"n": 2}, "n"),
        ({"stop": "x"}, "stop"),
        ({"stop": ["x"]}, "stop"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}, "modalities"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            "response_format.json_schema.schema",
        ),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages[0].audio"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0]"),
    ],
)
def test_what_cannot_be_left_out_is_refused(field: Json, param: str) -> None:
    error = refusal(**field)
    assert (error.status, error.param) == (400, param)


UNKNOWN: Json = {"type": "unknown", "member": {"type": "theirs"}}


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ({"tools": [UNKNOWN]}, "tools[0].type"),
        ({"messages": [HELLO, {"role": "user", "content": [UNKNOWN]}]}, "messages[1].content[0].type"),
        ({"messages": [{"role": "assistant", "tool_calls": [UNKNOWN]}]}, "messages[0].tool_calls[0].type"),
    ],
)
def test_kinds_that_only_one_server_knows_are_refused(field: Json, param: str) -> None:
    assert refusal(**field).param == param


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ({"seed": 3}, "seed"),
        ({"store": True}, "store"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"messages": [{**HELLO, "name": "Ada"}]}, "messages[0].name"),
    ],
)
def test_other_losses_are_told(field: Json, path: str) -> None:
    losses = asked(**field)[1]
    found = [(loss.path, loss.action, loss.severity) for loss in losses.items]
    assert found == [(path, "dropped", Severity.DEGRADING)]
    with pytest.raises(InvalidRequest) as caught:
        asked(strict=True, **field)
    assert caught.value.param == path


def test_what_matters_to_nobody_is_for_the_log() -> None:
    losses = asked(
        prediction={"type": "content", "content": "x"},
        messages=[{"role": "assistant", "content": "a", "reasoning_details": [{"type": "x"}]}],
    )[1]
    assert [(loss.path, loss.action, loss.severity) for loss in losses.items] == [
        ("messages[0].reasoning_details", "dropped", Severity.IMMATERIAL),
        ("prediction", "dropped", Severity.IMMATERIAL),
    ]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "text"}, {"type": "text"}),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "n",
                    "schema": {"type": "object"},
                    "strict": True,
                    "description": "d",
                },
            },
            {
                "type": "json_schema",
                "name": "n",
                "schema": {"type": "object"},
                "strict": True,
                "description": "d",
            },
        ),
    ],
)
def test_formats(given: Json, made: Json) -> None:
    assert body(response_format=given)["text"] == {"format": made}


# -- tools ---------------------------------------------------------------------------------------------------------


def test_tools_of_both_kinds() -> None:
    grammar: Json = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a/"}}
    made = body(
        tools=[
            {"type": "function", "function": ADD},
            {"type": "custom", "custom": {"name": "free", "description": "d", "format": {"type": "text"}}},
            {"type": "custom", "custom": {"name": "bound", "format": grammar}},
        ]
    )
    assert made["tools"] == [
        {"type": "function", **ADD},
        {"type": "custom", "name": "free", "description": "d", "format": {"type": "text"}},
        {"type": "custom", "name": "bound", "format": {"type": "grammar", **grammar["grammar"]}},
    ]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "add"}}, {"type": "function", "name": "add"}),
        ({"type": "custom", "custom": {"name": "free"}}, {"type": "custom", "name": "free"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "add"}}],
                },
            },
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "add"}]},
        ),
    ],
)
def test_choices_of_tools(given: Any, made: Any) -> None:
    tools = [{"type": "function", "function": ADD}, {"type": "custom", "custom": {"name": "free"}}]
    assert body(tools=tools, tool_choice=given)["tool_choice"] == made


def test_the_older_form_of_tools() -> None:
    made = body(
        functions=[ADD],
        function_call={"name": "add"},
        messages=[
            HELLO,
            {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}},
            {"role": "function", "name": "add", "content": "3"},
        ],
    )
    assert made["tools"] == [{"type": "function", **ADD}]
    assert made["tool_choice"] == {"type": "function", "name": "add"}
    call, output = made["input"][1:]
    assert (call["name"], call["arguments"], output["output"]) == ("add", "{}", "3")
    assert call["call_id"] == output["call_id"]
    assert body(functions=[ADD], function_call="none")["tool_choice"] == "none"


def test_a_search_is_a_tool() -> None:
    where = {"type": "approximate", "approximate": {"city": "Paris"}}
    made = body(web_search_options={"user_location": where, "search_context_size": "low"})
    assert made["tools"] == [
        {
            "type": "web_search",
            "user_location": {"type": "approximate", "city": "Paris"},
            "search_context_size": "low",
        }
    ]
    assert body(web_search_options={})["tools"] == [{"type": "web_search"}]


# -- messages ------------------------------------------------------------------------------------------------------


def test_roles_and_parts() -> None:
    told = items(
        {"role": "system", "content": "S"},
        {"role": "developer", "content": [{"type": "text", "text": "D"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:x", "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "https://x"}},
                {"type": "input_audio", "input_audio": {"data": "d", "format": "wav"}},
                {"type": "file", "file": {"filename": "f", "file_data": "data:y"}},
            ],
        },
    )
    assert [(item["role"], item["content"]) for item in told] == [
        ("system", "S"),
        ("developer", [{"type": "input_text", "text": "D"}]),
        (
            "user",
            [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:x", "detail": "high"},
                {"type": "input_image", "image_url": "https://x", "detail": "auto"},
                {"type": "input_audio", "input_audio": {"data": "d", "format": "wav"}},
                {"type": "input_file", "filename": "f", "file_data": "data:y"},
            ],
        ),
    ]


def test_what_an_assistant_thought_said_and_called() -> None:
    told = items(
        HELLO,
        {
            "role": "assistant",
            "reasoning_content": "hmm",
            "content": "Let me",
            "refusal": "not that",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{ }"}},
                {"id": "c2", "type": "custom", "custom": {"name": "free", "input": "text"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "4"}]},
    )
    assert told[1:] == [
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hmm"}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Let me", "annotations": []},
                {"type": "refusal", "refusal": "not that"},
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{ }"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "free", "input": "text"},
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "4"}]},
    ]


def test_members_of_a_call_are_no_members_of_its_item() -> None:
    own = {"name": "free", "call_id": {}, "type": 1}
    custom = {"id": "c1", "type": "custom", "custom": {**own, "input": ""}}
    function = {"id": "c2", "type": "function", "function": {**own, "arguments": ""}}
    made = items({"role": "assistant", "tool_calls": [custom, function]})
    assert [(item["type"], item["call_id"]) for item in made] == [
        ("custom_tool_call", "c1"),
        ("function_call", "c2"),
    ]


def test_an_assistant_that_only_called_said_nothing() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": ""}}
    said: list[Json] = [{}, {"content": None}, {"content": ""}]
    for content in said:
        made = items({"role": "assistant", "tool_calls": [call], **content})
        assert [item["type"] for item in made] == ["function_call"]


def test_parts_of_what_an_assistant_said() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]
    assert items({"role": "assistant", "content": parts, "reasoning": "r"})[1]["content"] == [
        {"type": "output_text", "text": "a", "annotations": []},
        {"type": "refusal", "refusal": "b"},
    ]


# -- names of places -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("input[0].content[1].image_url", "messages[0].content[1].image_url"),
        ("input[3].call_id", "messages[2].tool_call_id"),
        ("input[3].output", "messages[2].content"),
        ("input[9].content", "messages[9].content"),
        ("input", "messages"),
        ("text.format", "response_format"),
        ("text.format.schema", "response_format.schema"),
        ("text.verbosity", "verbosity"),
        ("reasoning.effort", "reasoning_effort"),
        ("max_output_tokens", "max_tokens"),
        ("tools[1]", "tools[1]"),
        ("tool_choice", "tool_choice"),
        ("temperature", "temperature"),
    ],
)
def test_places_have_the_names_that_the_client_gave(path: str, there: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": ""}}
    messages = [
        HELLO,
        {"role": "assistant", "content": "a", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "3"},
    ]
    made, _ = asked(messages=messages, max_tokens=3)
    assert made.path(path) == there
