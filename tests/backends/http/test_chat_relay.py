"""A Chat request for a Chat upstream: unchanged, except for the gateway's own settings."""

import copy
from typing import Any

import pytest

from wireloom.backends.http.chat_relay import outgoing

Json = dict[str, Any]
HELLO: Json = {"role": "user", "content": "hi"}
ADD: Json = {"type": "function", "function": {"name": "add"}}
FREE: Json = {"type": "custom", "custom": {"name": "free"}}
NEWER: Json = {"type": "newer", "newer": {"name": "later"}}
CHOICES: Json = {"tool_choice": "auto", "function_call": "auto", "parallel_tool_calls": False}


def sent(body: Json, *denied: str, extra: Json | None = None, dropped: frozenset[str] = frozenset()) -> Json:
    """Return the members that go upstream, for a request with one message."""
    whole = {"model": "given", "messages": [HELLO], **copy.deepcopy(body)}
    made = outgoing(whole, "sent", denied=frozenset(denied), extra=extra or {}, dropped=dropped)
    assert (made.pop("model"), made.pop("messages")) == ("sent", whole["messages"])
    return made


def test_a_request_goes_as_it_came_under_the_upstreams_name_of_its_model() -> None:
    body = {"vendor": {"deep": [1]}, "tools": [ADD, FREE], "functions": [{"name": "old"}], **CHOICES, "n": 2}
    assert sent(body) == body


@pytest.mark.parametrize(
    ("denied", "left"),
    [
        (["add"], {"tools": [FREE, NEWER], "functions": [{"name": "old"}], **CHOICES}),
        (["free", "old"], {"tools": [ADD, NEWER]}),
        (["later"], {"tools": [ADD, FREE], "functions": [{"name": "old"}], **CHOICES}),
        (["add", "free", "later"], {"functions": [{"name": "old"}]}),
        (["nothing"], {"tools": [ADD, FREE, NEWER], "functions": [{"name": "old"}], **CHOICES}),
    ],
)
def test_a_denied_tool_is_not_offered_and_no_choice_is_left_without_tools(
    denied: list[str], left: Json
) -> None:
    body = {"tools": [ADD, FREE, NEWER], "functions": [{"name": "old"}], **CHOICES}
    assert sent(body, *denied) == left


@pytest.mark.parametrize("tools", [None, "none", ["odd", 5], [{"type": "function", "function": "odd"}]])
def test_tools_of_an_odd_form_are_the_upstreams_affair(tools: Any) -> None:
    assert sent({"tools": tools}, "add") == {"tools": tools}


def test_settings_have_the_last_word() -> None:
    body = {"temperature": 1, "seed": 1, "user": "u"}
    extra = {"temperature": 0.5, "more": True}
    assert sent(body, extra=extra, dropped=frozenset({"user", "more"})) == {"temperature": 0.5, "seed": 1}


def test_unknown_members_go_as_the_client_sent_them() -> None:
    part, call = {"type": "newer", "x": 1}, {"type": "later", "id": "c"}

    def apart(member: Json) -> Json:
        return {"type": "unknown", "member": member}

    messages: list[Json] = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, apart(part)]},
        {"role": "assistant", "content": None, "tool_calls": [apart(call)]},
    ]
    body = {"model": "given", "messages": messages, "tools": [apart(NEWER), ADD]}
    assert outgoing(body, "sent", denied=frozenset(), extra={}, dropped=frozenset()) == {
        "model": "sent",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, part]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ],
        "tools": [NEWER, ADD],
    }
