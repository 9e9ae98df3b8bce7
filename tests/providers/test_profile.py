"""Profiles hold, say only what differs, and are found by name, by URL and in a user's own file."""

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from wireloom_protocol.operations import KNOWN
from wireloom_protocol.responses import CreateResponse, ReasoningEffort

from tests.support import chat_rules
from wireloom.providers import Profile, ProfileError, guess, load, names, parse
from wireloom.providers.profile import OPENAI_ONLY, Effort
from wireloom.providers.responses_wire import ResponsesWire
from wireloom.providers.schemas import PRESETS, SchemaDialect

MINIMAL = 'name = "mine"\ntitle = "Mine"\ndocs = "https://example.com/docs"\n'
TRANSCRIPTS = Path(__file__).parents[1] / "fixtures" / "providers"
IDENTITY = {"name", "title", "docs", "base_url", "hosts", "ports", "api_key_env"}
LEVELS = get_args(Effort)
SAME_LEVELS = {level: level for level in LEVELS}


def dropped(*more: str, but: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(sorted({*OPENAI_ONLY, *more} - {*but}))


def preset(name: str) -> SchemaDialect:
    return SchemaDialect.model_validate(PRESETS[name])


def switch(off: Any, on: Any) -> dict[str, Any]:
    return {"none": off} | dict.fromkeys(LEVELS[1:], on)


# What each upstream does unlike `generic`. A changed profile changes its entry here.
DIFFERENCES: dict[str, dict[str, Any]] = {
    "deepseek": {
        "json_word": True,
        "responses": ResponsesWire(reasoning="text"),
        "message_name": True,
        "thinking_blocks_forced_tools": True,
        "parallel_tool_calls": False,
        "json_schema": False,
        "effort_style": "thinking",
        "effort_levels": {
            "none": "disabled",
            "minimal": "low",
            "low": "low",
            "medium": "high",
            "high": "high",
            "xhigh": "high",
            "max": "max",
        },
        "think_tags": False,
        "reasoning_replay": "always",
        "reasoning_placeholder": "",
        "dropped": dropped("logit_bias", "logprobs", "n", "seed", "top_logprobs", "user"),
    },
    "generic": {"responses": ResponsesWire(output_parts=True)},
    "groq": {
        "json_word": True,
        "schemas": preset("groq"),
        "responses": ResponsesWire(tools=("code_interpreter", "function", "mcp"), instructions_anywhere=True),
        "developer_role": True,
        "max_tokens_field": "max_completion_tokens",
        "tool_strict": True,
        "image_detail": True,
        "reasoning_replay": "tool_calls",
        "reasoning_replay_field": "reasoning",
        "dropped": dropped("frequency_penalty", "logit_bias", "logprobs", "presence_penalty", "top_logprobs"),
        "pinned": {"n": 1},
        "minimums": {"temperature": 1e-8},
        "web_search": {"tools": [{"type": "browser_search"}]},
        "web_search_models": "openai/gpt-oss-",
    },
    "kimi": {
        "max_tokens_field": "max_completion_tokens",
        "thinking_blocks_forced_tools": True,
        "parallel_tool_calls": False,
        "tool_name_pattern": "^[a-zA-Z_][a-zA-Z0-9_-]{2,63}$",
        "json_schema": False,
        "image_urls": False,
        "effort_style": "thinking",
        "effort_levels": switch("disabled", "enabled"),
        "think_tags": False,
        "reasoning_replay": "tool_calls",
        "reasoning_placeholder": "",
        "accepted": ("prompt_cache_key",),
        "dropped": dropped(
            "logit_bias",
            "logprobs",
            "seed",
            "temperature",
            "top_logprobs",
            "top_p",
            "user",
            but=("prompt_cache_key",),
        ),
        "pinned": {"n": 1, "presence_penalty": 0, "frequency_penalty": 0},
        "web_search": {"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]},
        "web_search_echo": "$web_search",
    },
    "llamacpp": {
        "responses": ResponsesWire(reasoning="text", effort=False, text_format=False, counts=True),
        "tool_choice": ("auto", "none", "required"),
        "audio": True,
        "count_tokens": "llamacpp",
        "effort_style": "chat_template_kwargs",
        "effort_levels": switch(False, True),
        "reasoning_replay": "tool_calls",
        "pinned": {"n": 1},
    },
    "lmstudio": {
        "responses": ResponsesWire(tools=("function", "mcp"), reasoning="text"),
        "tool_choice": ("auto", "none", "required"),
        "parallel_tool_calls": False,
        "json_object": False,
        "effort_style": "none",
        "effort_levels": {},
        "dropped": dropped("logprobs", "n", "top_logprobs", "user"),
        "models_path": "/api/v0/models",
    },
    "mistral": {
        "assistant_last": False,
        "schemas": preset("mistral"),
        "user_after_tool": False,
        "stream_usage": False,
        "tool_strict": True,
        "call_id_pattern": "^[a-zA-Z0-9]{9}$",
        "image_detail": True,
        "effort_levels": {"none": "none", "minimal": "none", "high": "high", "xhigh": "high", "max": "high"},
        "think_tags": False,
        "accepted": ("metadata", "prediction", "prompt_cache_key"),
        "dropped": dropped(
            "logit_bias",
            "logprobs",
            "seed",
            "top_logprobs",
            "user",
            but=("metadata", "prediction", "prompt_cache_key"),
        ),
        "maximums": {"temperature": 1.5},
    },
    "ollama": {
        "responses": ResponsesWire(output_parts=True, reasoning="encrypted"),
        "tool_choice": (),
        "parallel_tool_calls": False,
        "image_urls": False,
        "audio": True,
        "effort_levels": {
            "none": "none",
            "minimal": "low",
            "low": "low",
            "medium": "medium",
            "high": "high",
            "xhigh": "high",
            "max": "max",
        },
        "reasoning_replay": "tool_calls",
        "reasoning_replay_field": "reasoning",
        "dropped": dropped("logit_bias", "logprobs", "n", "top_logprobs", "user"),
    },
    "openai": {
        "text_parts": True,
        "json_word": True,
        "schemas": preset("openai-strict"),
        "responses": ResponsesWire(
            complete=True,
            tools=tuple(sorted(KNOWN["Tool"])),
            additional_tools=True,
            compaction=True,
            output_parts=True,
            reasoning="encrypted",
            instructions_anywhere=True,
            counts=True,
            dropped=(),
            minimums={"max_output_tokens": 16},
        ),
        "developer_role": True,
        "system_anywhere": True,
        "message_name": True,
        "max_tokens_field": "max_completion_tokens",
        "tool_choice": ("auto", "none", "required", "function", "allowed_tools"),
        "tool_strict": True,
        "image_detail": True,
        "files": True,
        "audio": True,
        "effort_levels": SAME_LEVELS,
        "think_tags": False,
        "accepted": OPENAI_ONLY,
        "dropped": (),
        "web_search": {"web_search_options": {}},
        "web_search_models": "gpt-[0-9o]+(-mini)?-search",
    },
    "openrouter": {
        "text_parts": True,
        "responses": ResponsesWire(
            tools=("function", "web_search", "web_search_preview"),
            reasoning="encrypted",
            instructions_anywhere=True,
        ),
        "developer_role": True,
        "message_name": True,
        "max_tokens_field": "max_completion_tokens",
        "tool_strict": True,
        "image_detail": True,
        "files": True,
        "audio": True,
        "effort_style": "reasoning",
        "effort_levels": SAME_LEVELS,
        "reasoning_replay": "tool_calls",
        "reasoning_replay_field": "reasoning",
        "accepted": (
            "metadata",
            "modalities",
            "prediction",
            "prompt_cache_key",
            "prompt_cache_options",
            "service_tier",
        ),
        "dropped": (
            "audio",
            "moderation",
            "prompt_cache_retention",
            "safety_identifier",
            "store",
            "verbosity",
            "web_search_options",
        ),
        "web_search": {"tools": [{"type": "openrouter:web_search"}]},
    },
    "qwen": {
        "json_word": True,
        "thinking_blocks_forced_tools": True,
        "effort_style": "enable_thinking",
        "effort_levels": switch(False, True),
        "think_tags": False,
        "dropped": dropped("frequency_penalty", "logit_bias", "user"),
        "maximums": {"temperature": 1.99},
        "web_search": {"enable_search": True},
    },
    "vllm": {
        "responses": ResponsesWire(reasoning="text"),
        "audio": True,
        "count_tokens": "vllm",
        "reasoning_replay": "tool_calls",
        "reasoning_replay_field": "reasoning",
        "dropped": dropped("user"),
    },
    "xai": {
        "responses": ResponsesWire(
            tools=("code_interpreter", "file_search", "function", "mcp", "web_search"),
            reasoning="encrypted",
            instructions_anywhere=True,
        ),
        "system_anywhere": True,
        "max_tokens_field": "max_completion_tokens",
        "image_detail": True,
        "effort_style": "none",
        "effort_levels": {},
        "think_tags": False,
        "dropped": dropped("frequency_penalty", "logit_bias", "presence_penalty", "stop"),
    },
    "zai": {
        "stream_usage": False,
        "tool_choice": ("auto",),
        "parallel_tool_calls": False,
        "json_schema": False,
        "effort_style": "thinking",
        "effort_levels": switch("disabled", "enabled"),
        "think_tags": False,
        "reasoning_replay": "tool_calls",
        "dropped": dropped(
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "n",
            "presence_penalty",
            "seed",
            "top_logprobs",
            "user",
        ),
        "minimums": {"temperature": 0.01, "top_p": 0.01},
        "maximums": {"temperature": 1.0, "top_p": 1.0},
        "web_search": {
            "tools": [{"type": "web_search", "web_search": {"enable": True, "search_result": True}}]
        },
    },
}

UPSTREAMS = [
    ("https://api.deepseek.com", "deepseek"),
    ("https://api.deepseek.com/beta", "deepseek"),
    ("https://api.moonshot.ai/v1", "kimi"),
    ("https://api.moonshot.cn/v1", "kimi"),
    ("https://api.kimi.com/coding/v1", "kimi"),
    ("https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen"),
    ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen"),
    ("https://dashscope-us.aliyuncs.com/compatible-mode/v1", "qwen"),
    ("https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1", "qwen"),
    ("https://api.mistral.ai/v1", "mistral"),
    ("https://api.groq.com/openai/v1", "groq"),
    ("https://api.x.ai/v1", "xai"),
    ("https://us-east-1.api.x.ai/v1", "xai"),
    ("https://openrouter.ai/api/v1", "openrouter"),
    ("https://OpenRouter.AI/api/v1", "openrouter"),
    ("https://api.openai.com/v1", "openai"),
    ("https://eu.api.openai.com./v1", "openai"),
    ("https://api.z.ai/api/paas/v4", "zai"),
    ("https://api.z.ai/api/coding/paas/v4", "zai"),
    ("https://open.bigmodel.cn/api/paas/v4", "zai"),
    ("https://ollama.com/v1", "ollama"),
    ("http://127.0.0.1:11434/v1", "ollama"),
    ("http://localhost:11434", "ollama"),
    ("http://[::1]:11434/v1", "ollama"),
    ("http://127.0.0.1:1234/v1", "lmstudio"),
    ("http://localhost:8080/v1", "llamacpp"),
    ("http://127.0.0.2:9931/v1", "llamacpp"),
    ("http://gpu.localhost:8000/v1", "vllm"),
    ("http://127.0.0.1:8001/v1", "generic"),
    ("http://127.0.0.1/v1", "generic"),
    ("http://192.0.2.7:11434/v1", "generic"),
    ("https://example.com:8080/v1", "generic"),
    ("https://notx.ai/v1", "generic"),
    ("https://api.x.ai.example.com/v1", "generic"),
    ("https://example.com/api.openai.com", "generic"),
    ("https://platform.openai.com/v1", "generic"),
    ("api.openai.com/v1", "generic"),
]


def differences(profile: Profile) -> dict[str, Any]:
    """Return the fields of ``profile`` that do not have their default, without those that only name it."""
    flags = set(Profile.model_fields) - IDENTITY
    return {flag: getattr(profile, flag) for flag in flags if getattr(profile, flag) != default(flag)}


def default(flag: str) -> Any:
    return Profile.model_fields[flag].get_default(call_default_factory=True)


def source(name: str) -> str:
    return (files("wireloom.providers") / f"{name}.toml").read_text(encoding="utf-8")


def test_the_profiles_that_come_with_wireloom() -> None:
    assert names() == tuple(sorted(DIFFERENCES))


@pytest.mark.parametrize("name", names())
def test_a_profile_differs_from_generic_in_these_flags(name: str) -> None:
    assert differences(load(name)) == DIFFERENCES[name]


@pytest.mark.parametrize("name", names())
def test_a_profile_repeats_no_default(name: str) -> None:
    told = tomllib.loads(source(name))
    assert set(told) - IDENTITY <= set(differences(load(name)))
    wire, plain = load(name).responses, ResponsesWire()
    assert all(getattr(wire, flag) != getattr(plain, flag) for flag in told.get("responses", ()))


@pytest.mark.parametrize("name", names())
def test_each_flag_says_why(name: str) -> None:
    lines = source(name).splitlines()
    if "[responses]" in lines:  # the table has one reason for all that is in it
        lines = lines[: lines.index("[responses]") + 1]
    flags = [
        number
        for number, line in enumerate(lines)
        if (key := re.match(r"\[?([a-z_]+)(\]| = )", line))
        and key[1] in Profile.model_fields
        and key[1] not in IDENTITY
    ]
    assert all(lines[number - 1].startswith("# ") for number in flags)
    assert len(flags) == len(set(tomllib.loads(source(name))) - IDENTITY)


@pytest.mark.parametrize("name", names())
def test_a_profile_is_named_after_its_file_and_where_it_points_leads_back_to_it(name: str) -> None:
    profile = load(name)
    assert profile.name == name
    assert profile.docs.startswith("https://")
    assert guess(profile.base_url or "https://example.com/v1") is profile
    assert (profile.base_url is None) == (name == "generic")


def test_upstreams_in_the_cloud_have_a_key_and_local_servers_a_port() -> None:
    for profile in map(load, names()):
        assert (profile.api_key_env is None) == (bool(profile.ports) or profile.name == "generic")


def test_no_host_or_port_belongs_to_two_profiles() -> None:
    hosts = [host for name in names() for host in load(name).hosts]
    ports = [port for name in names() for port in load(name).ports]
    assert len(ports) == len(set(ports))
    assert not [(a, b) for a in hosts for b in hosts if a != b and a.endswith(f".{b}")]
    assert len(hosts) == len(set(hosts))


@pytest.mark.parametrize("name", names())
def test_parameters_are_those_a_chat_request_has(name: str) -> None:
    profile = load(name)
    parameters = {*profile.dropped, *profile.pinned, *profile.minimums, *profile.maximums, *profile.accepted}
    assert parameters <= chat_rules.FIELDS
    assert {*profile.responses.minimums, *profile.responses.maximums} <= set(CreateResponse.model_fields)
    assert set(profile.accepted) <= set(OPENAI_ONLY)


def test_efforts_are_those_of_the_contract() -> None:
    literal, _ = get_args(ReasoningEffort.__value__)
    assert get_args(literal) == LEVELS
    assert all(set(load(name).effort_levels) <= set(LEVELS) for name in names())


def test_every_field_is_described() -> None:
    fields = [
        *Profile.model_fields.values(),
        *ResponsesWire.model_fields.values(),
        *SchemaDialect.model_fields.values(),
    ]
    assert all(field.description for field in fields)


@pytest.mark.parametrize(("url", "name"), UPSTREAMS)
def test_guess(url: str, name: str) -> None:
    assert guess(url).name == name


def test_guess_refuses_a_port_that_is_none() -> None:
    with pytest.raises(ValueError, match="Port"):
        guess("http://localhost:none/v1")


@pytest.mark.parametrize(
    ("name", "level", "body"),
    [
        ("generic", "high", {"reasoning_effort": "high"}),
        ("generic", "xhigh", {"reasoning_effort": "high"}),
        ("generic", "none", None),
        ("openai", "none", {"reasoning_effort": "none"}),
        ("openrouter", "minimal", {"reasoning": {"effort": "minimal"}}),
        ("deepseek", "none", {"thinking": {"type": "disabled"}}),
        ("deepseek", "medium", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ("kimi", "low", {"thinking": {"type": "enabled"}}),
        ("zai", "none", {"thinking": {"type": "disabled"}}),
        ("qwen", "none", {"enable_thinking": False}),
        ("qwen", "max", {"enable_thinking": True}),
        ("llamacpp", "none", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("mistral", "low", None),
        ("xai", "high", None),
        ("lmstudio", "none", None),
    ],
)
def test_effort(name: str, level: Effort, body: dict[str, Any] | None) -> None:
    assert load(name).effort(level) == body


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("generic", ["get-weather", "_", "9lives"], ["get.weather", "wetter ä", ""]),
        ("kimi", ["get_weather", "_ab"], ["9lives", "-abc", "ab"]),
    ],
)
def test_tool_name_pattern(name: str, good: list[str], bad: list[str]) -> None:
    pattern = re.compile(load(name).tool_name_pattern)
    assert all(map(pattern.fullmatch, good))
    assert not any(map(pattern.fullmatch, bad))


def test_mistral_wants_nine_letters_or_digits_as_call_id() -> None:
    pattern = re.compile(load("mistral").call_id_pattern or "")
    assert pattern.fullmatch("aB3dE6gH9")
    assert not any(map(pattern.fullmatch, ["call_abc1", "aB3dE6gH", "aB3dE6gH90"]))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("generic", [], ["", "gpt-4o-search-preview"]),
        ("xai", [], ["grok-4"]),
        ("qwen", ["qwen3-max", ""], []),
        ("openrouter", ["openai/gpt-oss-120b"], []),
        ("groq", ["openai/gpt-oss-20b"], ["gpt-oss-20b", "qwen/openai/gpt-oss-20b"]),
        (
            "openai",
            ["gpt-4o-search-preview", "gpt-4o-mini-search-preview", "gpt-5-search-api"],
            ["gpt-4o", ""],
        ),
    ],
)
def test_models_that_search(name: str, good: list[str], bad: list[str]) -> None:
    profile = load(name)
    assert all(map(profile.searches, good))
    assert not any(map(profile.searches, bad))


@pytest.mark.parametrize("name", names())
def test_what_is_said_of_a_search_needs_a_search(name: str) -> None:
    profile = load(name)
    assert profile.web_search or not (profile.web_search_models or profile.web_search_echo)
    assert not set(profile.web_search) & set(profile.dropped)
    if profile.web_search_echo:
        assert profile.web_search_echo in json.dumps(profile.web_search)


def test_an_unknown_profile_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ProfileError, match=r"'../pyproject'.*deepseek.*zai"):
        load("../pyproject")


def test_a_users_own_file_needs_only_its_differences() -> None:
    profile = parse(
        MINIMAL + 'hosts = ["example.com"]\nports = [9]\n'
        'tool_choice = []\nminimums = {top_p = 0.5}\ndropped = ["seed"]\n'
    )
    assert (profile.hosts, profile.ports) == (("example.com",), (9,))
    assert differences(profile) == {
        "tool_choice": (),
        "minimums": {"top_p": 0.5},
        "dropped": dropped("seed"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "temprature = 1", r"^temprature: no such key in a profile$"),
        (MINIMAL + "effort_levels = {lots = 'high'}", r"^effort_levels\.lots"),
        (MINIMAL + "developer_role = 1", r"^developer_role: .*boolean"),
        (MINIMAL + "ports = ['1234']", r"^ports\.0: .*integer"),
        (MINIMAL + "tool_choice = ['any']", r"^tool_choice\.0: "),
        (MINIMAL + "tool_name_max = 0", r"^tool_name_max: "),
        (MINIMAL + "call_id_pattern = '['", r"^call_id_pattern: .*not a regular expression"),
        (MINIMAL + "web_search_models = '('", r"^web_search_models: .*not a regular expression"),
        (MINIMAL + "web_search = true", r"^web_search: "),
        (MINIMAL + "web_search = {since = 2020-01-01}", r"^web_search\.since"),
        (MINIMAL + "effort_style = 'enable_thinking'", r"effort_levels\.minimal must be true or false"),
        (MINIMAL + "effort_levels = {high = true}", r"effort_levels\.high must be a word"),
        ('name = "Mine"\ntitle = "Mine"', r"^name: .*; docs: "),
        ("name =", r"^not a TOML document: "),
    ],
)
def test_a_profile_that_does_not_hold_is_an_error_that_names_the_key(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        parse(text)


def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load("generic").developer_role = True  # type: ignore[misc]


def test_each_transcript_is_explained_and_says_what_is_read_from_it() -> None:
    explained = re.findall(r"^(?:## (\w+)|\| (\w+) \| [^|]+ \| (\w+(?::\w+)?) \|)$", _readme(), re.MULTILINE)
    folder = ""
    listed = {}
    for heading, case, ending in explained:
        folder = heading or folder
        if case not in ("", "case"):
            listed[f"{folder}/{case}"] = ending
    found = {
        f"{body.parent.name}/{body.stem}": json.loads(body.with_suffix(".json").read_bytes())["ending"]
        for body in TRANSCRIPTS.rglob("*.sse")
    }
    assert listed == found


def _readme() -> str:
    return (TRANSCRIPTS / "README.md").read_text(encoding="utf-8")
