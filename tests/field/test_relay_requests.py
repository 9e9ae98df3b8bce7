"""A Chat client at a Chat upstream of another kind: the profile holds for its requests too."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support import field
from tests.support.field import Json, Outcome

OUTPUTS = {"messages": [{"role": "user", "content": "x"}]}

field.RULES |= {
    "no message has the role developer": lambda asked: any(
        message["role"] == "developer" for message in asked["messages"]
    ),
    "a system message is the first message": lambda asked: any(
        message["role"] == "system" for message in asked["messages"][1:]
    ),
    "the id of a call is nine letters and digits": lambda asked: (
        not all(
            re.fullmatch("[a-zA-Z0-9]{9}", call["id"])
            for message in asked["messages"]
            for call in message.get("tool_calls") or ()
        )
    ),
    "an assistant message with calls has the member reasoning_content": lambda asked: any(
        message.get("tool_calls") and "reasoning_content" not in message for message in asked["messages"]
    ),
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in field.load("chat-relay-repairs")]
)
def test_a_request_is_repaired_as_on_the_responses_road(case: Json, stream: bool) -> None:
    (outcome,) = field.run(case, stream=stream)
    assert (outcome.status, outcome.text) == (200, "ok"), outcome.answer
    (asked,) = outcome.sent
    CHECKS[case["profile"], case["request"]["messages"][0]["role"]](asked["messages"])


def _developer(messages: list[Json]) -> None:
    assert messages == [{"role": "system", "content": "s"}, {"role": "user", "content": "x"}]


def _late(messages: list[Json]) -> None:
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "user"]
    assert messages[2]["content"] == "[instructions]\ns"


def _ids(messages: list[Json]) -> None:
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]


def _reasoning(messages: list[Json]) -> None:
    assert messages[1]["reasoning_content"] == ""


CHECKS: dict[tuple[str, str], Any] = {
    ("deepseek", "developer"): _developer,
    ("vllm", "user"): _late,
    ("mistral", "user"): _ids,
    ("deepseek", "user"): _reasoning,
}


def asked_with(profile: str, **members: Any) -> Outcome:
    """What comes of a Chat request at an upstream of a kind."""
    (case, *_) = [case for _, case in field.load("chat-relay-repairs")]
    request = {"model": "m1", "messages": [{"role": "user", "content": "x"}], **members}
    upstream = {name: value for name, value in case["upstream"].items() if name != "refuses"}
    (outcome,) = field.run({**case, "profile": profile, "request": request, "upstream": upstream})
    return outcome


def test_a_loss_of_weight_is_in_the_header() -> None:
    for stream in (True, False):
        outcome = asked_with("zai", temperature=1.5, seed=1, stream=stream)
        assert outcome.sent[0]["temperature"] == 1.0
        assert "seed" not in outcome.sent[0]
        assert outcome.headers["x-wireloom-loss"] == (
            "temperature;changed;sent as 1.0, seed;dropped;Z.AI (GLM) does not take it"
        )


def test_what_an_upstream_cannot_do_is_refused_by_its_name() -> None:
    outcome = asked_with("deepseek", n=2)
    assert (outcome.status, outcome.error["param"], outcome.sent) == (400, "n", [])
