"""Each request that the Codex CLI sends reaches the upstream with nothing missing, in its order, under names it takes."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support import carried, chat_rules
from tests.support import texts as texts_of
from tests.support.captures import CAPTURES, Capture, validated
from tests.support.requests import GENERIC, OPENAI, PROFILES, Json, like, offered
from wireloom.providers import Profile
from wireloom.translate.chat_upstream.request import ChatRequest, request
from wireloom.translate.conversation.arguments import object_of
from wireloom.translate.conversation.notes import CONTINUE, LATER_INSTRUCTIONS, SUMMARY
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses, Severity

BY_NAME = {capture.name: capture for capture in CAPTURES}
NOTES = (LATER_INSTRUCTIONS, CONTINUE, SUMMARY, "[see the next user message]", "\n")
LENIENT = Options("upstream-model", lenient=True)
SUMMED_UP = "They agreed on everything."
SEALED = "ENC_COMPACTED"


def unseal(purpose: str, token: str) -> Any:
    return {"summary": SUMMED_UP} if (purpose, token) == ("compaction", SEALED) else None


def recalled(capture: Capture) -> list[Json]:
    """The items that a request goes on from."""
    first = BY_NAME["websocket-1-warmup"].body["input"]
    if capture.name == "websocket-2-turn":
        return [*first]
    if capture.name == "websocket-3-tool-output":
        (output,) = capture.body["input"]
        call = {
            "type": "function_call",
            "call_id": output["call_id"],
            "name": "exec_command",
            "arguments": "{}",
        }
        return [*first, *BY_NAME["websocket-2-turn"].body["input"], call]
    return []


def whole(capture: Capture) -> Json:
    """The body of a request, with what it goes on from."""
    return {**capture.body, "input": [*recalled(capture), *capture.body["input"]]}


def made(capture: Capture, profile: Profile = GENERIC, losses: Losses | None = None) -> ChatRequest:
    options = replace(LENIENT, unseal=unseal, recalled=len(recalled(capture)))
    return request(validated(whole(capture)), profile, options, losses or Losses())


def by_name(capture: Capture) -> str:
    return capture.name


EACH = pytest.mark.parametrize("capture", CAPTURES, ids=by_name)


def test_the_captures_are_there() -> None:
    assert len(CAPTURES) == 33
    assert BY_NAME["compaction-remote-3-after"].body["input"][-1]["encrypted_content"] == SEALED


# -- nothing is missing --------------------------------------------------------------------------------------------


REPLAYING = like(GENERIC, reasoning_replay="always")
SAID_IN_FULL = {"reasoning-content-2": ["input[4].summary[0].text"]}
"""Where reasoning is told by its content, of which the summary is a shorter form."""


@EACH
def test_nothing_is_missing(capture: Capture) -> None:
    chat = made(capture, REPLAYING).body
    missing = carried.missing(whole(capture), chat, {SEALED: SUMMED_UP})
    assert missing == SAID_IN_FULL.get(capture.name, [])


def test_what_need_not_be_carried_is_something_that_is_sent() -> None:
    patterns = {pattern for capture in CAPTURES for _, pattern, _ in carried.values(capture.body)}
    used = {line for pattern in patterns for line in carried.left_out(pattern)}
    assert sorted(carried.NOT_CARRIED.keys() - used) == []
    assert all(len(carried.left_out(pattern)) <= 1 for pattern in patterns)


# A capture, what is taken out of the Chat request, and the paths that are missed.
SPOILT: list[tuple[str, str, Any, str]] = [
    ("shell-2-after-tool", "messages", lambda value: value[:-1], r"input\[5\]\.output"),
    ("shell-2-after-tool", "messages", lambda value: value[1:], r"input\[[01]\]\.content\[\d\]\.text"),
    ("parallel-2-after-tools", "messages", lambda value: [*value[:-3], *value[-2:]], r"input\[[45]\]\.\w+"),
    ("apply-patch-2-after-custom-tool", "tools", lambda value: value[:3] + value[4:], r"tools\[3\]\..+"),
    ("plain-unknown-model", "tools", lambda value: value[1:], r"tools\[0\]\..+"),
    ("plain-gpt-6.1-sol-responses-lite", "tools", lambda value: value[1:], r"input\[0\]\.tools\[0\]\..+"),
    ("tool-search-3-after-deferred-call", "tools", lambda value: value[:-1], r"input\[[56]\]\..+"),
    ("image-input", "messages", lambda value: value[:-1], r"input\[3\]\.content\[\d\]\.\w+"),
    ("output-schema", "response_format", lambda _: {}, r"text\.format\.\w+"),
    ("plain-gpt-5.5", "reasoning_effort", lambda _: "high", r"reasoning\.effort"),
    ("plain-gpt-5.5", "parallel_tool_calls", lambda _: False, r"parallel_tool_calls"),
    ("plain-gpt-5.5", "stream", lambda _: False, r"stream"),
]


@pytest.mark.parametrize(("name", "field", "spoil", "pattern"), SPOILT)
def test_what_is_missing_is_noticed(name: str, field: str, spoil: Any, pattern: str) -> None:
    """The judge itself: a request with something left out is one with something missing."""
    chat = made(BY_NAME[name]).body
    missed = carried.missing(BY_NAME[name].body, {**chat, field: spoil(chat[field])})
    assert missed
    assert [path for path in missed if re.fullmatch(pattern, path) is None] == []


# -- what is there is in its order, and in forms that upstreams take -----------------------------------------------


def told(items: list[Json]) -> list[Json]:
    """The items as `texts` knows them: those of other kinds say what follows from their fields."""
    known = []
    for item in items:
        if item["type"] == "compaction":
            known.append({"type": "message", "content": SUMMED_UP})
        elif item["type"] == "function_call":
            known.append({**item, "arguments": object_of(item["arguments"])})
        elif item["type"] == "message" or item["type"].startswith(("function_call", "custom_tool_call")):
            known.append(item)
    return known


@pytest.mark.parametrize("profile", [GENERIC, OPENAI, PROFILES["mistral"]], ids=lambda profile: profile.name)
@EACH
def test_all_that_a_codex_request_says_is_told_in_its_order(capture: Capture, profile: Profile) -> None:
    messages = made(capture, profile).body["messages"]
    added = texts_of.added(told(whole(capture)["input"]), messages, NOTES)
    beyond = {item["type"] for item in capture.body["input"]} & {"tool_search_call", "web_search_call"}
    assert beyond or added in ("", "{}")  # the call that the history of the third frame was given
    shown = [
        part["image_url"]["url"]
        for message in messages
        for part in (message["content"] if isinstance(message["content"], list) else ())
        if part["type"] == "image_url"
    ]
    assert shown == [
        part["image_url"]
        for item in capture.body["input"]
        for parts in (item.get("content"), item.get("output"))
        for part in (parts if isinstance(parts, list) else ())
        if part["type"] == "input_image"
    ]


def added_tools(profile: Profile) -> list[Json]:
    """The tools with which an upstream is told to search."""
    added: Any = profile.web_search.get("tools", [])
    return list(added)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_codex_request_becomes_one_that_a_strict_upstream_takes(profile: Profile) -> None:
    own = frozenset(tool["type"] for tool in added_tools(profile))
    rules = chat_rules.Rules(developer=profile.developer_role, unknown_fields=True, own_tools=own)
    for capture in CAPTURES:
        body = made(capture, profile).body
        assert (capture.name, list(chat_rules.problems(body, rules))) == (capture.name, [])


def members(tools: list[Json]) -> list[tuple[str, str | None, str]]:
    """Name, namespace and kind of each tool that is offered."""
    found: list[tuple[str, str | None, str]] = []
    for tool in tools:
        if tool["type"] == "namespace":
            found += [(name, tool["name"], kind) for name, _, kind in members(tool["tools"])]
        elif tool["type"] in ("function", "custom"):
            found.append((tool["name"], None, tool["type"]))
        elif tool["type"] == "tool_search":
            found.append(("tool_search", None, "tool_search"))
    return found


@pytest.mark.parametrize(
    "profile", [GENERIC, OPENAI, like(GENERIC, tool_name_max=20)], ids=["generic", "openai", "short"]
)
@EACH
def test_the_tools_of_a_codex_request_are_offered_and_found_again(capture: Capture, profile: Profile) -> None:
    losses = Losses()
    chat = made(capture, profile, losses)
    brought = [tool for item in capture.body["input"] for tool in item.get("tools", ())]
    found = [chat.tools.restore(name) for name in offered(chat)]
    wanted = members([*capture.body.get("tools", ()), *brought])
    assert [(tool.name, tool.namespace, tool.call.kind) for tool in found] == wanted
    pattern = re.compile(profile.tool_name_pattern)
    assert all(pattern.fullmatch(name) and len(name) <= profile.tool_name_max for name in offered(chat))
    left_out = [
        f"tools[{i}]" for i, tool in enumerate(capture.body.get("tools", ())) if tool["type"] == "web_search"
    ]
    assert [loss.path for loss in losses.items if re.fullmatch(r"tools\[\d+\]", loss.path)] == left_out


@EACH
def test_calls_of_a_codex_request_have_the_names_that_are_offered(capture: Capture) -> None:
    """But for those of tools that are not, and of one whose tool another capture has."""
    chat = made(capture)
    called = {
        call["function"]["name"]
        for message in chat.body["messages"]
        for call in message.get("tool_calls", ())
    }
    gone = {"unknown-tool-2", "apply-patch-unknown-model-unsupported", "mcp-flat-name-rejected-2"}
    searched = {"web_search"} if capture.name == "web-search-2-call-replayed" else set()
    without_tools = not offered(chat)
    assert without_tools or capture.name in gone or called - searched <= set(offered(chat))


# -- the few that need what is not in them -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "param"),
    [
        ("compaction-remote-3-after", "input[4].encrypted_content"),
        ("websocket-3-tool-output", "input[0].call_id"),
    ],
)
def test_a_codex_request_without_what_it_goes_on_from_has_a_gap_that_is_reported(
    name: str, param: str
) -> None:
    losses = Losses()
    request(BY_NAME[name].request, GENERIC, LENIENT, losses)
    assert [loss.path for loss in losses.items if loss.severity is Severity.DEGRADING and loss.path == param]
