"""What belongs to a model holds at a host that no profile knows."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support import field
from tests.support.field import Json


def without_reasoning(asked: Json) -> bool:
    """Whether an assistant message with calls has no reasoning."""
    calling = [message for message in asked["messages"] if message.get("tool_calls")]
    return any(not message.get("reasoning_content") for message in calling)


field.RULES["each assistant message with calls has a reasoning_content that is not empty"] = without_reasoning
CASES = list(field.load("model-reasoning-at-unknown-host"))


def whole(case: Json, output: list[Json]) -> list[Json]:
    """The input of a second turn, with the output of the first in its place."""
    given: list[Any] = case["more_turns"][0]["request"]["input"]
    return [item for each in given for item in (output if each == "<output of turn 1>" else [each])]


def two_turns(case: Json, **settings: Any) -> list[field.Outcome]:
    """Both turns of a case, the second with what the first returned."""
    (first,) = field.run({**case, "more_turns": []}, **settings)
    turn = case["more_turns"][0]
    request = {**turn["request"], "input": whole(case, first.items)}
    second = {**case, "request": request, "upstream": turn["upstream"], "more_turns": []}
    return [first, *field.run(second, **settings)]


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_reasoning_goes_back_by_the_models_name(case: Json) -> None:
    _, second = two_turns(case)
    assert (second.status, second.answer["status"]) == (200, "completed")
    (message,) = [each for each in second.sent[0]["messages"] if each.get("tool_calls")]
    assert message["reasoning_content"] == "think"


@pytest.mark.parametrize(
    "model",
    [
        "deepseek/deepseek-v3.2:free",
        "moonshotai/Kimi-K2-Thinking",
        "zai-org/GLM-4.7",
        "minimax-m2.5",
        "gpt-oss-20b",
    ],
)
def test_other_models_whose_reasoning_goes_back(model: str) -> None:
    case = copy.deepcopy(CASES[0][1])
    case["request"]["model"] = case["more_turns"][0]["request"]["model"] = model
    assert two_turns(case)[1].answer["status"] == "completed"


def test_the_reasoning_of_other_models_stays_here() -> None:
    case = copy.deepcopy(CASES[0][1])
    case["request"]["model"] = case["more_turns"][0]["request"]["model"] = "qwen3-max"
    assert two_turns(case)[1].answer["status"] == "failed"


def test_a_temperature_that_a_thinking_model_refuses_is_not_sent() -> None:
    case = copy.deepcopy(CASES[1][1])
    case["request"] |= {"temperature": 0.2}
    (outcome,) = field.run({**case, "more_turns": []})
    assert "temperature" not in outcome.sent[0]
