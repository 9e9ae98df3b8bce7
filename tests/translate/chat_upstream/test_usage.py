"""Tokens in every form in which upstreams count them, also over several requests."""

from typing import Any, TypeAlias

import msgspec
import pytest
from wireloom_protocol import hot

from tests.support.chat_answers import Session, chunk
from wireloom.translate.chat_upstream.usage import usage

Json: TypeAlias = dict[str, Any]


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 8}, (3, 0, 0, 4, 0, 8)),
        ({"prompt_tokens": 3}, (3, 0, 0, 0, 0, 3)),
        ({"prompt_tokens": None, "completion_tokens": 4}, (0, 0, 0, 4, 0, 4)),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1}},
            (3, 2, 1, 0, 0, 3),
        ),
        ({"prompt_tokens": 3, "cached_tokens": 2}, (3, 2, 0, 0, 0, 3)),
        ({"prompt_tokens": 3, "prompt_cache_hit_tokens": 2}, (3, 2, 0, 0, 0, 3)),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            (3, 0, 0, 4, 2, 7),
        ),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": {}},
            (3, 0, 0, 0, 0, 3),
        ),
    ],
)
def test_usage(counted: Json, expected: tuple[int, ...]) -> None:
    read, cached, written, out, thought, total = expected
    assert usage(msgspec.convert(counted, hot.CompletionUsage)) == {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": total,
    }


@pytest.mark.parametrize("counted", [None, hot.CompletionUsage(), hot.CompletionUsage(completion_tokens=3)])
def test_usage_that_was_not_counted(counted: hot.CompletionUsage | None) -> None:
    assert usage(counted) is None


def counted(**counts: Any) -> hot.CompletionUsage:
    return msgspec.convert(counts, hot.CompletionUsage)


FIRST = counted(
    prompt_tokens=10,
    completion_tokens=5,
    total_tokens=15,
    prompt_tokens_details={"cached_tokens": 4},
    completion_tokens_details={"reasoning_tokens": 2},
)
SECOND = counted(prompt_tokens=20, completion_tokens=7, total_tokens=27, cached_tokens=1)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], (20, 1, 7, 0, 27)),
        ([FIRST], (30, 5, 12, 2, 42)),
        ([FIRST, FIRST], (40, 9, 17, 4, 57)),
        ([None, FIRST], (30, 5, 12, 2, 42)),
        ([counted()], (20, 1, 7, 0, 27)),
    ],
)
def test_usage_of_several_requests_is_added_up(
    before: list[hot.CompletionUsage | None], expected: tuple[int, ...]
) -> None:
    found = usage(SECOND, before)
    assert found is not None
    assert (
        found["input_tokens"],
        found["input_tokens_details"]["cached_tokens"],
        found["output_tokens"],
        found["output_tokens_details"]["reasoning_tokens"],
        found["total_tokens"],
    ) == expected


def test_usage_is_unknown_where_the_answer_itself_was_not_counted() -> None:
    assert usage(None, [FIRST]) is None


def test_counts_may_be_floats() -> None:
    counted = {"prompt_tokens": 3.0, "completion_tokens": 2.0, "total_tokens": 5.0}
    session = Session()
    session.read([chunk({"content": "hi"}), chunk(finish="stop", usage=counted)])
    usage = session.events[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (3, 2, 5)
