"""Every field of a request is carried, changed, reported or refused, as each upstream needs it."""

import re
from typing import Any, TypeAlias

import pytest
from wireloom_protocol import responses as m

from tests.support import chat_rules
from tests.support import texts as texts_of
from tests.support.captures import CAPTURES, Capture, validated
from wireloom.errors import InvalidRequest
from wireloom.providers import Profile, load, names
from wireloom.translate.items_to_messages import CONTINUE, LATER_INSTRUCTIONS
from wireloom.translate.loss import Losses, Severity
from wireloom.translate.responses_to_chat import FIELDS, ChatRequest, Options, request
from wireloom.translate.tools import Target

Json: TypeAlias = dict[str, Any]
Lost: TypeAlias = list[tuple[str, str, Severity]]
PROFILES = {name: load(name) for name in names()}
GENERIC, OPENAI = PROFILES["generic"], PROFILES["openai"]
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}
ADD: Json = {"type": "function", "name": "add", "parameters": SCHEMA}
SUB: Json = {"type": "function", "name": "sub", "parameters": SCHEMA}
PATCH: Json = {"type": "custom", "name": "patch"}
SPACE: Json = {"type": "namespace", "name": "maths", "description": "d", "tools": [ADD]}
SEARCH: Json = {"type": "web_search"}
PLAIN: Json = {"model": "upstream-model", "messages": [{"role": "user", "content": "hello"}]}


def like(profile: Profile, **differences: Any) -> Profile:
    return profile.model_copy(update=differences)


def ask(
    profile: Profile = GENERIC,
    *,
    strict: bool = False,
    options: Options | None = None,
    streamed: bool = False,
    **fields: Any,
) -> tuple[ChatRequest, Lost]:
    """The Chat request for a greeting with some fields, and what was lost."""
    losses = Losses(strict=strict)
    body = validated({"model": "client-model", "input": "hello", **fields})
    made = request(body, profile, options or Options("upstream-model"), losses, stream=streamed)
    return made, [(loss.path, loss.action, loss.severity) for loss in losses.items]


def offered(made: ChatRequest) -> list[str]:
    return [tool["function"]["name"] for tool in made.body.get("tools", [])]


def dropped(path: str, severity: Severity = Severity.DEGRADING) -> Lost:
    return [(path, "dropped", severity)]


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
    ("generic", "service_tier", "auto", {}, []),
    ("generic", "service_tier", "default", {}, []),
    ("generic", "service_tier", "flex", {}, dropped("service_tier")),
    ("openai", "service_tier", "flex", {"service_tier": "flex"}, []),
    ("generic", "include", [], {}, []),
    (
        "generic",
        "include",
        ["reasoning.encrypted_content", "web_search_call.results"],
        {},
        [*dropped("include[0]", IMMATERIAL), *dropped("include[1]", IMMATERIAL)],
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
    ("openai", "store", True, {}, dropped("store", IMMATERIAL)),
    ("generic", "truncation", "disabled", {}, []),
    ("generic", "truncation", "auto", {}, dropped("truncation")),
    ("generic", "max_tool_calls", 3, {}, dropped("max_tool_calls", IMMATERIAL)),
    ("openai", "moderation", {"model": "x"}, {}, dropped("moderation")),
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
    ("generic", {"top_logprobs": 1}, "unsupported_parameter", "top_logprobs"),
    (
        "generic",
        {"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
        "unsupported_parameter",
        "include[1]",
    ),
    ("generic", {"background": True}, "unsupported_parameter", "background"),
    ("generic", {"prompt": {"id": "p"}}, "unsupported_parameter", "prompt"),
    ("generic", {"conversation": "conv_1"}, "unsupported_parameter", "conversation"),
    (
        "generic",
        {"context_management": [{"type": "compaction"}]},
        "unsupported_parameter",
        "context_management",
    ),
    ("generic", {"previous_response_id": "resp_9"}, "previous_response_not_found", "previous_response_id"),
    ("deepseek", {"text": {"format": FORMAT}}, "unsupported_format", "text.format"),
    ("lmstudio", {"text": {"format": {"type": "json_object"}}}, "unsupported_format", "text.format"),
    ("generic", {"tool_choice": "required"}, "unsupported_parameter", "tool_choice"),
    ("generic", {"tools": [SEARCH], "tool_choice": "required"}, "unsupported_parameter", "tool_choice"),
    ("ollama", {"tools": [ADD], "tool_choice": "required"}, "unsupported_parameter", "tool_choice"),
    (
        "llamacpp",
        {"tools": [ADD], "tool_choice": {"type": "function", "name": "add"}},
        "unsupported_parameter",
        "tool_choice",
    ),
    ("generic", {"tool_choice": {"type": "function", "name": "add"}}, "invalid_value", "tool_choice.name"),
    (
        "generic",
        {"tools": [ADD], "tool_choice": {"type": "custom", "name": "x"}},
        "invalid_value",
        "tool_choice.name",
    ),
    (
        "generic",
        {"tools": [SPACE], "tool_choice": {"type": "function", "name": "add"}},
        "invalid_value",
        "tool_choice.name",
    ),
    (
        "generic",
        {"tools": [ADD], "tool_choice": {"type": "web_search_preview"}},
        "unsupported_tool",
        "tool_choice",
    ),
    (
        "generic",
        {"tools": [ADD], "tool_choice": {"type": "mcp", "server_label": "x"}},
        "unsupported_tool",
        "tool_choice",
    ),
    (
        "generic",
        {
            "tools": [ADD],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "add"}, {"type": "mcp", "server_label": "x"}],
            },
        },
        "invalid_value",
        "tool_choice.tools[1]",
    ),
    (
        "generic",
        {"tools": [ADD], "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": []}},
        "unsupported_parameter",
        "tool_choice",
    ),
    (
        "generic",
        {"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://x.com"}]},
        "unsupported_tool",
        "tools[0]",
    ),
    ("generic", {"input": [{"type": "compaction_trigger"}]}, "unsupported_item", "input[0].type"),
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


def test_a_conversation_that_is_not_stored_is_refused_before_its_input_is_read() -> None:
    output = {"type": "function_call_output", "call_id": "call_1", "output": "5"}
    with pytest.raises(InvalidRequest) as caught:
        ask(input=[output], previous_response_id="resp_1")
    assert caught.value.code == "previous_response_not_found"


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


# -- tools and the choice between them -----------------------------------------------------------------------------


def forced(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


# Profile, tools, choice, the names that are offered, the choice sent.
CHOICES: list[tuple[Profile, list[Json], Any, list[str], Any]] = [
    (GENERIC, [ADD], "auto", ["add"], None),
    (GENERIC, [ADD], "none", ["add"], "none"),
    (GENERIC, [ADD], "required", ["add"], "required"),
    (GENERIC, [ADD, SUB], {"type": "function", "name": "sub"}, ["add", "sub"], forced("sub")),
    (GENERIC, [PATCH], {"type": "custom", "name": "patch"}, ["patch"], forced("patch")),
    (
        GENERIC,
        [SPACE],
        {"type": "function", "name": "add", "namespace": "maths"},
        ["maths-add"],
        forced("maths-add"),
    ),
    (GENERIC, [SEARCH], "none", [], None),
    (GENERIC, [SEARCH], "auto", [], None),
    (PROFILES["ollama"], [ADD], "none", [], None),
    (PROFILES["ollama"], [ADD], "auto", ["add"], None),
    (PROFILES["llamacpp"], [ADD], "required", ["add"], "required"),
]


@pytest.mark.parametrize(("profile", "tools", "choice", "names_offered", "sent"), CHOICES)
def test_the_choice_of_a_tool(
    profile: Profile, tools: list[Json], choice: Any, names_offered: list[str], sent: Any
) -> None:
    made, _ = ask(profile, tools=tools, tool_choice=choice)
    assert (offered(made), made.body.get("tool_choice")) == (names_offered, sent)
    assert ("tools" in made.body) == bool(names_offered)


@pytest.mark.parametrize(("mode", "sent"), [("auto", None), ("required", "required")])
def test_tools_that_are_not_allowed_are_not_offered(mode: str, sent: str | None) -> None:
    allowed = [{"type": "function", "name": "sub"}, {"type": "function", "name": "add", "namespace": "maths"}]
    choice = {"type": "allowed_tools", "mode": mode, "tools": allowed}
    made, losses = ask(tools=[ADD, SUB, PATCH, SPACE], tool_choice=choice)
    assert (offered(made), made.body.get("tool_choice")) == (["sub", "maths-add"], sent)
    assert losses == [("tool_choice", "emulated", IMMATERIAL)]
    assert made.tools.restore("add") == Target("add")


def test_no_tool_is_offered_where_none_is_allowed() -> None:
    choice: Json = {"type": "allowed_tools", "mode": "auto", "tools": []}
    made, _ = ask(tools=[ADD], tool_choice=choice, parallel_tool_calls=False)
    assert made.body == PLAIN


@pytest.mark.parametrize("value", [True, False])
def test_calls_at_once_are_a_matter_of_tools(value: bool) -> None:
    assert ask(tools=[ADD], parallel_tool_calls=value)[0].body["parallel_tool_calls"] is value
    for tools in ([], [SEARCH]):
        assert "parallel_tool_calls" not in ask(tools=tools, parallel_tool_calls=value)[0].body
    silent = like(GENERIC, tool_choice=())
    assert ask(silent, tools=[ADD], tool_choice="none", parallel_tool_calls=value)[0].body == PLAIN


@pytest.mark.parametrize(
    ("profile", "reasoning", "added"),
    [
        ("kimi", None, {"thinking": {"type": "disabled"}}),
        ("kimi", {"effort": "high"}, {"thinking": {"type": "disabled"}}),
        ("deepseek", {"effort": "high"}, {"thinking": {"type": "disabled"}}),
        ("qwen", {"effort": "high"}, {"enable_thinking": False}),
    ],
)
@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "add"}])
def test_a_model_that_must_not_think_when_forced_does_not(
    profile: str, reasoning: Json | None, added: Json, choice: Any
) -> None:
    made, losses = ask(PROFILES[profile], tools=[ADD], tool_choice=choice, reasoning=reasoning)
    sent = forced("add") if isinstance(choice, dict) else choice
    body = {name: value for name, value in made.body.items() if name != "tools"}
    assert body == PLAIN | added | {"tool_choice": sent}
    assert ("reasoning", "dropped", Severity.DEGRADING) in losses
    assert "thinking" not in ask(PROFILES[profile], tools=[ADD], tool_choice="auto")[0].body


def test_a_model_that_thinks_always_cannot_be_forced() -> None:
    profile = like(GENERIC, thinking_blocks_forced_tools=True)
    with pytest.raises(InvalidRequest) as caught:
        ask(profile, tools=[ADD], tool_choice="required")
    assert caught.value.param == "tool_choice"


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


# -- what the Codex CLI sends --------------------------------------------------------------------------------------

UNTRANSLATED = {
    "code-mode-2-after-exec": ("unsupported_item", "input[0].type"),
    "plain-gpt-6.1-sol-responses-lite": ("unsupported_item", "input[0].type"),
    "compaction-remote-2-trigger": ("unsupported_item", "input[6].type"),
    "compaction-remote-3-after": ("unsupported_item", "input[4].type"),
    "tool-search-2-output": ("unsupported_item", "input[4].type"),
    "tool-search-3-after-deferred-call": ("unsupported_item", "input[4].type"),
    "websocket-2-turn": ("previous_response_not_found", "previous_response_id"),
    "websocket-3-tool-output": ("previous_response_not_found", "previous_response_id"),
}
TRANSLATED = [capture for capture in CAPTURES if capture.name not in UNTRANSLATED]
NOTES = (LATER_INSTRUCTIONS, CONTINUE, "[see the next user message]", "\n")
LENIENT = Options("upstream-model", lenient=True)


def by_name(capture: Capture) -> str:
    return capture.name


def members(tools: list[Json]) -> list[tuple[str, str | None, bool]]:
    """Name, namespace and freedom of form of each tool that can be offered."""
    found: list[tuple[str, str | None, bool]] = []
    for tool in tools:
        if tool["type"] == "namespace":
            found += [(name, tool["name"], custom) for name, _, custom in members(tool["tools"])]
        elif tool["type"] in ("function", "custom"):
            found.append((tool["name"], None, tool["type"] == "custom"))
    return found


def test_the_captures_are_there() -> None:
    assert len(TRANSLATED) == 25
    assert {capture.name for capture in CAPTURES} >= UNTRANSLATED.keys()


@pytest.mark.parametrize("profile", [GENERIC, OPENAI, PROFILES["mistral"]], ids=lambda profile: profile.name)
@pytest.mark.parametrize("capture", TRANSLATED, ids=by_name)
def test_all_that_a_codex_request_says_is_told_in_its_order(capture: Capture, profile: Profile) -> None:
    made = request(capture.request, profile, LENIENT, Losses())
    assert texts_of.added(capture.body["input"], made.body["messages"], NOTES) == ""
    pictures = [
        part["image_url"]
        for item in capture.body["input"]
        for parts in (item.get("content"), item.get("output"))
        for part in (parts if isinstance(parts, list) else ())
        if part["type"] == "input_image"
    ]
    shown = [
        part["image_url"]["url"]
        for message in made.body["messages"]
        for part in (message["content"] if isinstance(message["content"], list) else ())
        if part["type"] == "image_url"
    ]
    assert shown == pictures


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_codex_request_becomes_one_that_a_strict_upstream_takes(profile: Profile) -> None:
    rules = chat_rules.Rules(developer=profile.developer_role, unknown_fields=True)
    for capture in TRANSLATED:
        if profile.json_schema or capture.name != "output-schema":
            made = request(capture.request, profile, LENIENT, Losses())
            assert (capture.name, list(chat_rules.problems(made.body, rules))) == (capture.name, [])


@pytest.mark.parametrize(
    "profile", [GENERIC, OPENAI, like(GENERIC, tool_name_max=20)], ids=["generic", "openai", "short"]
)
@pytest.mark.parametrize("capture", TRANSLATED, ids=by_name)
def test_the_tools_of_a_codex_request_are_offered_and_found_again(capture: Capture, profile: Profile) -> None:
    losses = Losses()
    made = request(capture.request, profile, LENIENT, losses)
    wanted = members(capture.body["tools"])
    found = [made.tools.restore(name) for name in offered(made)]
    assert [(tool.name, tool.namespace, tool.custom) for tool in found] == wanted
    pattern = re.compile(profile.tool_name_pattern)
    assert all(pattern.fullmatch(name) and len(name) <= profile.tool_name_max for name in offered(made))
    left_out = [
        f"tools[{i}]"
        for i, tool in enumerate(capture.body["tools"])
        if tool["type"] not in ("function", "custom", "namespace")
    ]
    assert [loss.path for loss in losses.items if re.fullmatch(r"tools\[\d+\]", loss.path)] == left_out


@pytest.mark.parametrize("profile", [GENERIC, OPENAI], ids=lambda profile: profile.name)
@pytest.mark.parametrize("name", UNTRANSLATED)
def test_what_cannot_be_told_of_a_codex_request_is_refused_by_its_place(name: str, profile: Profile) -> None:
    (capture,) = (capture for capture in CAPTURES if capture.name == name)
    with pytest.raises(InvalidRequest) as caught:
        request(capture.request, profile, LENIENT, Losses())
    assert (caught.value.code, caught.value.param) == UNTRANSLATED[name]


# -- the contract --------------------------------------------------------------------------------------------------


def test_every_field_of_a_request_has_a_rule_and_a_test() -> None:
    known = set(m.CreateResponse.model_fields)
    assert sorted(known - FIELDS.keys()) == []
    assert sorted(FIELDS.keys() - known) == []
    tested = {name for _, name, _, _, _ in CARRIED} | {name for _, fields, _, _ in REFUSED for name in fields}
    assert sorted(known - tested) == []
