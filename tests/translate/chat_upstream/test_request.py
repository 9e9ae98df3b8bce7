"""Every field of a request is carried, changed, reported or refused, as each upstream needs it."""

import json
from typing import Any

import pytest
from wireloom_protocol import responses as m

from tests.support.requests import (
    ADD,
    GENERIC,
    PLAIN,
    PROFILES,
    SCHEMA,
    SUB,
    Json,
    Lost,
    ask,
    dropped,
    like,
    offered,
)
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile
from wireloom.translate.chat_upstream.draft import SCHEMA as SCHEMA_WISH
from wireloom.translate.chat_upstream.request import FIELDS
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import How, Refuse, Severity

IMMATERIAL = Severity.IMMATERIAL
FORMAT: Json = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True, "description": "d"}


# -- fields that stand for themselves ------------------------------------------------------------------------------

# Profile, field, value, what is added to the plain body, what is lost.
CARRIED: list[tuple[str, str, Any, Json, Lost]] = [
    ("generic", "model", "client-model", {}, []),
    ("generic", "input", "hello", {}, []),
    ("generic", "instructions", None, {}, []),
    ("generic", "stream", True, {}, []),
    ("generic", "stream_options", {"include_obfuscation": False}, {}, dropped("stream_options", IMMATERIAL)),
    ("generic", "tools", [], {}, []),
    ("generic", "tool_choice", "auto", {}, []),
    ("generic", "tool_choice", "none", {}, []),
    ("generic", "parallel_tool_calls", True, {}, []),
    ("zai", "parallel_tool_calls", True, {}, []),
    ("zai", "parallel_tool_calls", False, {}, dropped("parallel_tool_calls")),
    ("generic", "max_output_tokens", 1, {"max_tokens": 1}, []),
    ("openai", "max_output_tokens", 9, {"max_completion_tokens": 9}, []),
    ("groq", "max_output_tokens", 9, {"max_completion_tokens": 9}, []),
    ("generic", "temperature", 0.5, {"temperature": 0.5}, []),
    ("generic", "temperature", 0, {"temperature": 0}, []),
    ("groq", "temperature", 0, {"temperature": 1e-8}, [("temperature", "changed", Severity.DEGRADING)]),
    ("groq", "temperature", 0.5, {"temperature": 0.5}, []),
    ("mistral", "temperature", 2, {"temperature": 1.5}, [("temperature", "changed", Severity.DEGRADING)]),
    ("mistral", "temperature", 1.5, {"temperature": 1.5}, []),
    ("zai", "temperature", 2, {"temperature": 1.0}, [("temperature", "changed", Severity.DEGRADING)]),
    ("kimi", "temperature", 0.5, {}, dropped("temperature")),
    ("generic", "top_p", 0.5, {"top_p": 0.5}, []),
    ("zai", "top_p", 0, {"top_p": 0.01}, [("top_p", "changed", Severity.DEGRADING)]),
    ("kimi", "top_p", 0.5, {}, dropped("top_p")),
    ("generic", "presence_penalty", 1.5, {"presence_penalty": 1.5}, []),
    ("kimi", "presence_penalty", 0, {"presence_penalty": 0}, []),
    ("kimi", "presence_penalty", 1, {}, dropped("presence_penalty")),
    ("xai", "presence_penalty", 1, {}, dropped("presence_penalty")),
    ("generic", "frequency_penalty", -1, {"frequency_penalty": -1}, []),
    ("groq", "frequency_penalty", 1, {}, dropped("frequency_penalty")),
    ("generic", "top_logprobs", 0, {}, []),
    ("kimi", "top_logprobs", 0, {}, []),
    ("generic", "top_logprobs", 3, {"logprobs": True, "top_logprobs": 3}, []),
    ("generic", "service_tier", "auto", {}, []),
    ("generic", "service_tier", "default", {}, []),
    ("generic", "service_tier", "flex", {}, dropped("service_tier")),
    ("openai", "service_tier", "flex", {"service_tier": "flex"}, []),
    (
        "openai",
        "text",
        {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}},
        [],
    ),
    ("generic", "include", [], {}, []),
    (
        "generic",
        "include",
        ["reasoning.encrypted_content", "web_search_call.results"],
        {},
        dropped("include[1]", IMMATERIAL),
    ),
    ("generic", "include", ["message.output_text.logprobs"], {"logprobs": True}, []),
    *(
        ("generic", "include", [name], {}, dropped("include[0]", IMMATERIAL))
        for name in (
            "file_search_call.results",
            "web_search_call.action.sources",
            "message.input_image.image_url",
            "computer_call_output.output.image_url",
            "code_interpreter_call.outputs",
        )
    ),
    ("generic", "user", "me", {"user": "me"}, []),
    ("vllm", "user", "me", {}, dropped("user", IMMATERIAL)),
    ("generic", "metadata", {"a": "b"}, {}, dropped("metadata", IMMATERIAL)),
    ("openai", "metadata", {"a": "b"}, {"metadata": {"a": "b"}}, []),
    ("generic", "safety_identifier", "x", {}, dropped("safety_identifier", IMMATERIAL)),
    ("openai", "safety_identifier", "x", {"safety_identifier": "x"}, []),
    ("generic", "prompt_cache_key", "x", {}, dropped("prompt_cache_key", IMMATERIAL)),
    ("kimi", "prompt_cache_key", "x", {"prompt_cache_key": "x"}, []),
    ("generic", "prompt_cache_retention", "24h", {}, dropped("prompt_cache_retention", IMMATERIAL)),
    ("openai", "prompt_cache_retention", "24h", {"prompt_cache_retention": "24h"}, []),
    ("openai", "prompt_cache_options", {}, {}, dropped("prompt_cache_options", IMMATERIAL)),
    ("generic", "client_metadata", {"a": "b"}, {}, dropped("client_metadata", IMMATERIAL)),
    ("openai", "store", True, {}, []),
    ("openai", "store", False, {}, []),
    ("generic", "previous_response_id", "resp_9", {}, []),
    ("generic", "conversation", "conv_1", {}, []),
    ("generic", "conversation", {"id": "conv_1"}, {}, []),
    ("generic", "truncation", "disabled", {}, []),
    ("generic", "truncation", "auto", {}, dropped("truncation")),
    ("generic", "max_tool_calls", 3, {}, dropped("max_tool_calls", IMMATERIAL)),
    ("openai", "moderation", {"model": "x"}, {}, dropped("moderation")),
    ("openai", "access_programs", {"cyber": "standard"}, {}, dropped("access_programs")),
    ("openai", "image", {"context_compression": "enabled"}, {}, dropped("image")),
    ("generic", "background", False, {}, []),
    ("generic", "text", {}, {}, []),
    ("generic", "text", {"format": {"type": "text"}}, {}, []),
    ("generic", "text", {"verbosity": "low"}, {}, dropped("text.verbosity")),
    ("openai", "text", {"verbosity": "low"}, {"verbosity": "low"}, []),
    (
        "generic",
        "text",
        {"format": {"type": "json_object"}},
        {"response_format": {"type": "json_object"}},
        [],
    ),
    (
        "generic",
        "text",
        {"format": FORMAT},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True, "description": "d"},
            }
        },
        [],
    ),
    ("generic", "reasoning", {}, {}, []),
    ("generic", "reasoning", {"summary": "auto"}, {}, []),
    ("generic", "reasoning", {"mode": "standard", "context": "auto"}, {}, []),
    ("generic", "reasoning", {"mode": "pro"}, {}, dropped("reasoning.mode")),
    ("generic", "reasoning", {"context": "all_turns"}, {}, dropped("reasoning.context")),
    ("generic", "reasoning", {"effort": "high"}, {"reasoning_effort": "high"}, []),
    (
        "generic",
        "reasoning",
        {"effort": "xhigh"},
        {"reasoning_effort": "high"},
        [("reasoning.effort", "changed", Severity.DEGRADING)],
    ),
    ("generic", "reasoning", {"effort": "none"}, {}, dropped("reasoning.effort")),
    ("openai", "reasoning", {"effort": "xhigh"}, {"reasoning_effort": "xhigh"}, []),
    ("openrouter", "reasoning", {"effort": "minimal"}, {"reasoning": {"effort": "minimal"}}, []),
    ("xai", "reasoning", {"effort": "high"}, {}, dropped("reasoning.effort")),
    (
        "deepseek",
        "reasoning",
        {"effort": "high"},
        {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
        [],
    ),
    (
        "kimi",
        "reasoning",
        {"effort": "none"},
        {"thinking": {"type": "disabled"}},
        [("reasoning.effort", "changed", Severity.DEGRADING)],
    ),
    (
        "qwen",
        "reasoning",
        {"effort": "none"},
        {"enable_thinking": False},
        [("reasoning.effort", "changed", Severity.DEGRADING)],
    ),
    (
        "llamacpp",
        "reasoning",
        {"effort": "low"},
        {"chat_template_kwargs": {"enable_thinking": True}},
        [("reasoning.effort", "changed", Severity.DEGRADING)],
    ),
]


@pytest.mark.parametrize(("profile", "name", "value", "added", "lost"), CARRIED)
def test_a_field(profile: str, name: str, value: Any, added: Json, lost: Lost) -> None:
    made, losses = ask(PROFILES[profile], **{name: value})
    assert made.body == PLAIN | added
    assert losses == lost


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {"model", "input"}))
def test_a_field_that_is_null_says_nothing(name: str) -> None:
    null: Json = {name: None}
    made, losses = ask(**null)
    assert (made.body, losses) == (PLAIN, [])


# Profile, fields, and the code and the parameter of the error.
REFUSED: list[tuple[str, Json, str, str]] = [
    ("groq", {"top_logprobs": 1}, "unsupported_parameter", "top_logprobs"),
    (
        "deepseek",
        {"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
        "unsupported_parameter",
        "include[1]",
    ),
    ("generic", {"background": True}, "unsupported_parameter", "background"),
    (
        "generic",
        {"background_options": {"completion_window": "2h"}},
        "unsupported_parameter",
        "background_options",
    ),
    ("generic", {"prompt": {"id": "p"}}, "unsupported_parameter", "prompt"),
    (
        "generic",
        {"context_management": [{"type": "compaction"}]},
        "unsupported_parameter",
        "context_management",
    ),
    ("lmstudio", {"text": {"format": {"type": "json_object"}}}, "unsupported_format", "text.format"),
    (
        "generic",
        {"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://x.com"}]},
        "unsupported_tool",
        "tools[0]",
    ),
    (
        "generic",
        {"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]},
        "unsupported_tool",
        "tools[0].environment",
    ),
    ("generic", {"input": [{"type": "compaction_trigger"}]}, "unsupported_item", "input"),
]


@pytest.mark.parametrize(("profile", "fields", "code", "param"), REFUSED)
def test_what_is_refused(profile: str, fields: Json, code: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(PROFILES[profile], **fields)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize(("profile", "name", "value", "added", "lost"), [row for row in CARRIED if row[4]])
def test_strict_refuses_what_would_degrade_the_answer(
    profile: str, name: str, value: Any, added: Json, lost: Lost
) -> None:
    heavy = [path for path, _, severity in lost if severity is Severity.DEGRADING]
    if heavy:
        with pytest.raises(InvalidRequest) as caught:
            ask(PROFILES[profile], strict=True, **{name: value})
        assert caught.value.param == heavy[0]
    else:
        assert ask(PROFILES[profile], strict=True, **{name: value}) == ask(PROFILES[profile], **{name: value})


def test_a_field_nobody_knows_is_reported_and_stays_here() -> None:
    made, losses = ask(temprature=1, extra_body={"a": 1})
    assert made.body == PLAIN
    assert losses == [*dropped("extra_body"), *dropped("temprature")]


@pytest.mark.parametrize("name", ["deepseek", "kimi", "zai"])
def test_a_schema_is_described_where_the_upstream_has_none(name: str) -> None:
    """The instructions of the client stay, and lead."""
    profile = PROFILES[name]
    made, losses = ask(profile, text={"format": FORMAT}, instructions="Be brief.")
    system, user = made.body["messages"]
    assert user == PLAIN["messages"][0]
    assert system["role"] == "system"
    instructions, described = system["content"].split("\n\n")
    wish, schema = described.split(":\n")
    assert instructions == "Be brief."
    assert wish == f"{SCHEMA_WISH} (d)"
    assert json.loads(schema) == SCHEMA
    assert made.body["response_format"] == {"type": "json_object"}
    assert losses == [("text.format", "emulated", Severity.DEGRADING)]
    alone, _ = ask(profile, text={"format": {**FORMAT, "description": None}})
    assert alone.body["messages"][0]["content"].startswith(f"{SCHEMA_WISH}:\n")
    with pytest.raises(InvalidRequest) as caught:
        ask(profile, strict=True, text={"format": FORMAT})
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "text.format")


def test_a_schema_is_described_even_where_no_json_can_be_asked_for() -> None:
    made, losses = ask(like(GENERIC, json_schema=False, json_object=False), text={"format": FORMAT})
    assert "response_format" not in made.body
    assert made.body["messages"][0]["content"].startswith(SCHEMA_WISH)
    assert losses == [("text.format", "emulated", Severity.DEGRADING)]


def test_wishes_for_log_probabilities_come_together() -> None:
    made, losses = ask(top_logprobs=2, include=["message.output_text.logprobs"])
    assert made.body == PLAIN | {"logprobs": True, "top_logprobs": 2}
    assert losses == []
    fields: Json = {"top_logprobs": 2, "include": ["message.output_text.logprobs"]}
    for profile in PROFILES.values():
        refuses = "logprobs" in profile.dropped
        assert refuses == ("top_logprobs" in profile.dropped)
        for name, value in fields.items():
            if refuses:
                with pytest.raises(InvalidRequest):
                    ask(profile, **{name: value})
            else:
                assert ask(profile, **{name: value})[0].body["logprobs"] is True


def test_another_effort_from_some_item_on_is_the_effort() -> None:
    def update(effort: str) -> Json:
        return {"type": "configuration_update", "reasoning": {"effort": effort}}

    items = [{"role": "user", "content": "hello"}]
    made, losses = ask(input=[*items, update("high"), update("low")], reasoning={"effort": "medium"})
    assert made.body == PLAIN | {"reasoning_effort": "low"}
    assert losses == []
    assert ask(input=[update("low"), *items])[0].body == PLAIN | {"reasoning_effort": "low"}
    _, losses = ask(PROFILES["xai"], input=[*items, update("low")])
    assert [path for path, _, _ in losses] == ["reasoning.effort"]


def test_what_a_client_carries_is_opened_and_what_is_recalled_is_no_part_of_the_request() -> None:
    def unseal(purpose: str, token: str) -> Any:
        return {"summary": f"{purpose} of {token}"}

    options = Options("upstream-model", unseal=unseal, recalled=2)
    search = {"type": "tool_search_output", "call_id": "1", "tools": [{**ADD, "strict": True}]}
    items = [
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "tool_search_call", "call_id": "1", "arguments": {}},
        search,
    ]
    made, losses = ask(options=options, input=items)
    assert made.body["messages"][0]["content"].endswith("compaction of x")
    assert losses == dropped("input[0].tools[0].strict")


def test_every_upstream_takes_what_its_profile_pins_and_bounds() -> None:
    """Whatever a client sets, what goes out is what the profile allows."""
    fields: Json = {
        "temperature": 2,
        "top_p": 0,
        "presence_penalty": 2,
        "frequency_penalty": -2,
        "user": "me",
    }
    for profile in PROFILES.values():
        body = ask(profile, **fields)[0].body
        assert not body.keys() & set(profile.dropped)
        assert all(body.get(name, value) == value for name, value in profile.pinned.items())
        assert all(body.get(name, value) >= value for name, value in profile.minimums.items())
        assert all(body.get(name, value) <= value for name, value in profile.maximums.items())


# -- settings of the gateway ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "streamed", "added"),
    [
        (GENERIC, False, {}),
        (GENERIC, True, {"stream": True, "stream_options": {"include_usage": True}}),
        (PROFILES["mistral"], True, {"stream": True}),
    ],
)
def test_streaming(profile: Profile, streamed: bool, added: Json) -> None:
    assert ask(profile, streamed=streamed)[0].body == PLAIN | added


def test_settings_win_over_the_client_and_the_profile() -> None:
    options = Options(
        "upstream-model",
        denied_tools=frozenset({"sub"}),
        extra_params={"temperature": 0.1, "top_k": 5},
        drop_params=frozenset({"top_p", "seed", "user"}),
    )
    profile = like(GENERIC, extra_body={"top_k": 1, "safe": True, "seed": 7})
    made, losses = ask(profile, options=options, temperature=1, top_p=0.5, user="me", tools=[ADD, SUB])
    body = {name: value for name, value in made.body.items() if name != "tools"}
    assert body == PLAIN | {"temperature": 0.1, "top_k": 5, "safe": True}
    assert offered(made) == ["add"]
    assert losses == dropped("tools[1]", IMMATERIAL)


def test_a_kind_of_tool_nobody_knows_is_left_out_for_the_codex_cli() -> None:
    tools = [{"type": "telepathy", "name": "t"}, ADD]
    made, losses = ask(options=Options("upstream-model", lenient=True), tools=tools)
    assert (offered(made), losses) == (["add"], dropped("tools[0]"))
    with pytest.raises(InvalidRequest) as caught:
        ask(tools=tools)
    assert caught.value.param == "tools[0].type"


# -- the contract --------------------------------------------------------------------------------------------------


# What other tests show: messages, tools, the choice between them, streaming.
ELSEWHERE = {"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "stream"}


def test_every_field_of_a_request_has_a_rule_and_a_test() -> None:
    known = set(m.CreateResponse.model_fields)
    assert sorted(known - FIELDS.keys()) == []
    assert sorted(FIELDS.keys() - known) == []
    tested = {name for _, name, _, _, _ in CARRIED} | {name for _, fields, _, _ in REFUSED for name in fields}
    assert sorted(known - tested) == []


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_rule_that_is_not_the_same_over_there_says_what_it_is(name: str) -> None:
    rule = FIELDS[name]
    assert rule.note or rule.how is How.NATIVE
    assert (rule.how is How.REFUSED) == isinstance(rule.apply, Refuse)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_what_is_ignored_is_reported_and_what_is_native_can_be_carried(name: str) -> None:
    """Of each field there is a row above that shows its rule at work."""
    rows = [(added, lost) for _, field, _, added, lost in CARRIED if field == name]
    if FIELDS[name].how is How.IGNORED:
        assert all(not added for added, _ in rows)
        assert any(lost for _, lost in rows)
    elif FIELDS[name].how is How.NATIVE and name not in ELSEWHERE:
        assert any(added for added, _ in rows)
