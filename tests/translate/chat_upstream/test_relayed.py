"""Parameters of a Chat request that is passed on: as far as the upstream takes them, the rest as the client sent it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.items import GENERIC, Json, like, user
from wireloom.errors import InvalidRequest
from wireloom.providers import load, names
from wireloom.translate.chat_upstream.draft import schema_in_words
from wireloom.translate.chat_upstream.relayed import fitted
from wireloom.translate.rules.loss import Losses, Severity

ADD: Json = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
SUB: Json = {"type": "function", "function": {"name": "sub", "parameters": {"type": "object"}}}
STRICT_ADD: Json = {"type": "function", "function": {**ADD["function"], "strict": True}}
LOOSE_ADD: Json = {"type": "function", "function": {**ADD["function"], "strict": False}}
FORCED: Json = {"type": "function", "function": {"name": "add"}}
ALLOWED: Json = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "sub"}}]},
}
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}}
JSON_SCHEMA: Json = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
HEAVY, LIGHT = Severity.DEGRADING, Severity.IMMATERIAL


def sent(profile: Any, **members: Any) -> tuple[Json, list[Any]]:
    body = {"model": "m", "messages": [user("a")], **members}
    before, losses = copy.deepcopy(body), Losses()
    made = fitted(body, profile if not isinstance(profile, str) else load(profile), losses)
    assert body == before
    assert made.pop("model") == "m"
    messages = made.pop("messages")
    if messages != before["messages"]:
        made["messages"] = messages
    return made, [(loss.path, loss.action, loss.severity) for loss in losses.items]


@pytest.mark.parametrize("name", names())
def test_what_every_upstream_takes_goes_as_it_came(name: str) -> None:
    body: Json = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "json"},
            user("a"),
            {"role": "assistant", "content": "b"},
            user("c"),
        ],
        "stream": True,
        "tools": [ADD],
        "x_extension": {"deep": [1, None]},
    }
    losses = Losses(strict=True)
    made = fitted(body, load(name), losses)
    assert made == body | dict(load(name).extra_body)
    assert made["messages"] is body["messages"]
    assert losses.items == []


ROWS: dict[str, tuple[Any, Json, Json, list[Any]]] = {
    "the limit's other name": ("openai", {"max_tokens": 5}, {"max_completion_tokens": 5}, []),
    "the limit's older name": ("generic", {"max_completion_tokens": 5}, {"max_tokens": 5}, []),
    "both limits": ("generic", {"max_completion_tokens": 5, "max_tokens": 6}, {"max_tokens": 6}, []),
    "no limit": ("generic", {"max_completion_tokens": None}, {}, []),
    "a temperature above the bound": (
        "zai",
        {"temperature": 2},
        {"temperature": 1.0},
        [("temperature", "changed", HEAVY)],
    ),
    "a temperature below the bound": (
        "groq",
        {"temperature": 0},
        {"temperature": 1e-8},
        [("temperature", "changed", HEAVY)],
    ),
    "a fixed value": ("kimi", {"presence_penalty": 1}, {}, [("presence_penalty", "dropped", HEAVY)]),
    "the fixed value itself": ("kimi", {"presence_penalty": 0, "n": 1}, {"presence_penalty": 0, "n": 1}, []),
    "a seed": ("mistral", {"seed": 1}, {}, [("seed", "dropped", HEAVY)]),
    "no seed": ("mistral", {"seed": None}, {}, []),
    "a user": ("vllm", {"user": "u"}, {}, [("user", "dropped", LIGHT)]),
    "no log probabilities": ("groq", {"logprobs": False}, {}, [("logprobs", "dropped", LIGHT)]),
    "the plain tier": ("generic", {"service_tier": "auto"}, {}, []),
    "another tier": ("generic", {"service_tier": "flex"}, {}, [("service_tier", "dropped", HEAVY)]),
    "a tier where there are some": ("openai", {"service_tier": "flex"}, {"service_tier": "flex"}, []),
    "options of the stream": (
        "mistral",
        {"stream_options": {"include_usage": True}},
        {},
        [("stream_options", "dropped", LIGHT)],
    ),
    "an effort": (
        "qwen",
        {"reasoning_effort": "none"},
        {"enable_thinking": False},
        [("reasoning_effort", "changed", HEAVY)],
    ),
    "an effort by the same name": ("generic", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}, []),
    "an effort that there is not": (
        "generic",
        {"reasoning_effort": "none"},
        {},
        [("reasoning_effort", "dropped", HEAVY)],
    ),
    "an effort in the upstream's words": (
        "generic",
        {"reasoning_effort": "ultra"},
        {"reasoning_effort": "ultra"},
        [],
    ),
    "the client's own switch": (
        "qwen",
        {"reasoning_effort": "high", "enable_thinking": False},
        {"enable_thinking": False},
        [("reasoning_effort", "changed", HEAVY)],
    ),
    "no tools": (
        "generic",
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True},
        {},
        [],
    ),
    "strict tools": (
        "generic",
        {"tools": [STRICT_ADD]},
        {"tools": [ADD]},
        [("tools[0].function.strict", "dropped", HEAVY)],
    ),
    "tools that are not strict": ("generic", {"tools": [LOOSE_ADD]}, {"tools": [ADD]}, []),
    "strict where it is taken": ("openai", {"tools": [STRICT_ADD]}, {"tools": [STRICT_ADD]}, []),
    "one call after the other": (
        "deepseek",
        {"tools": [ADD], "parallel_tool_calls": False},
        {"tools": [ADD]},
        [("parallel_tool_calls", "dropped", HEAVY)],
    ),
    "calls at once": ("deepseek", {"tools": [ADD], "parallel_tool_calls": True}, {"tools": [ADD]}, []),
    "any choice": ("ollama", {"tools": [ADD], "tool_choice": "auto"}, {"tools": [ADD]}, []),
    "no choice": ("ollama", {"tools": [ADD], "tool_choice": "none"}, {}, []),
    "a forced tool": (
        "generic",
        {"tools": [ADD], "tool_choice": FORCED},
        {"tools": [ADD], "tool_choice": FORCED},
        [],
    ),
    "a forced tool where that excludes thoughts": (
        "qwen",
        {"tools": [ADD], "tool_choice": FORCED, "reasoning_effort": "high"},
        {"tools": [ADD], "tool_choice": FORCED, "enable_thinking": False},
        [("reasoning_effort", "changed", HEAVY), ("reasoning_effort", "dropped", HEAVY)],
    ),
    "allowed tools": (
        "generic",
        {"tools": [ADD, SUB], "tool_choice": ALLOWED},
        {"tools": [SUB], "tool_choice": "required"},
        [("tool_choice", "emulated", LIGHT)],
    ),
    "allowed tools where they are known": (
        "openai",
        {"tools": [ADD, SUB], "tool_choice": ALLOWED},
        {"tools": [ADD, SUB], "tool_choice": ALLOWED},
        [],
    ),
    "a schema": ("generic", {"response_format": JSON_SCHEMA}, {"response_format": JSON_SCHEMA}, []),
    "a schema in words": (
        "kimi",
        {"response_format": JSON_SCHEMA},
        {
            "response_format": {"type": "json_object"},
            "messages": [{"role": "system", "content": schema_in_words(SCHEMA, None)}, user("a")],
        },
        [("response_format", "emulated", HEAVY)],
    ),
    "a schema in words behind the instructions": (
        "kimi",
        {"response_format": JSON_SCHEMA, "messages": [{"role": "system", "content": "s"}, user("a")]},
        {
            "response_format": {"type": "json_object"},
            "messages": [{"role": "system", "content": f"s\n\n{schema_in_words(SCHEMA, None)}"}, user("a")],
        },
        [("response_format", "emulated", HEAVY)],
    ),
    "members of the profile": (like(GENERIC, extra_body={"x": 1}), {"seed": 2}, {"seed": 2, "x": 1}, []),
}
"""Name -> profile, members of the request, members that are sent, and the losses."""


@pytest.mark.parametrize("name", ROWS)
def test_parameters(name: str) -> None:
    profile, members, expected, lost = ROWS[name]
    assert sent(profile, **members) == (expected, lost)


@pytest.mark.parametrize(
    ("profile", "members", "param"),
    [
        ("deepseek", {"n": 2}, "n"),
        ("groq", {"logprobs": True}, "logprobs"),
        ("kimi", {"n": 2}, "n"),
        ("ollama", {"tools": [ADD], "tool_choice": "required"}, "tool_choice"),
        ("llamacpp", {"tools": [ADD], "tool_choice": FORCED}, "tool_choice"),
        ("lmstudio", {"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name(profile: str, members: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(profile, **members)
    assert caught.value.param == param


def test_a_spoken_answer_is_for_the_upstream_to_refuse() -> None:
    spoken = {"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "wav"}}
    body, lost = sent("generic", **spoken)
    assert (body, lost) == (spoken, [])
