"""Tokens as a Chat upstream counts them, told as the Responses contract counts them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import msgspec
from wireloom_protocol import hot

if TYPE_CHECKING:
    from wireloom_protocol import replies


def usage(
    last: hot.CompletionUsage | None, before: Sequence[hot.CompletionUsage | None] = ()
) -> replies.ResponseUsage | None:
    """Token counts as the Responses contract has them, or None when the upstream did not count.

    Args:
        last: of the answer.
        before: of requests that the same response took before.
    """
    counted = [_counted(each) for each in (*before, last) if each is not None]
    known = [each for each in counted if each is not None]
    if not known or last is None:
        return None
    return reduce(_sum, known)


def _sum(one: replies.ResponseUsage, other: replies.ResponseUsage) -> replies.ResponseUsage:
    read, more_read = one["input_tokens_details"], other["input_tokens_details"]
    made, more_made = one["output_tokens_details"], other["output_tokens_details"]
    return {
        "input_tokens": one["input_tokens"] + other["input_tokens"],
        "input_tokens_details": {
            "cached_tokens": read["cached_tokens"] + more_read["cached_tokens"],
            "cache_write_tokens": read["cache_write_tokens"] + more_read["cache_write_tokens"],
        },
        "output_tokens": one["output_tokens"] + other["output_tokens"],
        "output_tokens_details": {
            "reasoning_tokens": made["reasoning_tokens"] + more_made["reasoning_tokens"]
        },
        "total_tokens": one["total_tokens"] + other["total_tokens"],
    }


def _counted(counted: hot.CompletionUsage) -> replies.ResponseUsage | None:
    if counted.prompt_tokens is msgspec.UNSET:
        return None
    read, written = _count(counted.prompt_tokens), _count(counted.completion_tokens)
    prompt = counted.prompt_tokens_details or hot.CompletionUsagePromptTokensDetails()
    answer = counted.completion_tokens_details or hot.CompletionUsageCompletionTokensDetails()
    cached = prompt.cached_tokens or counted.cached_tokens or counted.prompt_cache_hit_tokens
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": _count(cached),
            "cache_write_tokens": _count(prompt.cache_write_tokens),
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": _count(answer.reasoning_tokens)},
        "total_tokens": _count(counted.total_tokens) or read + written,
    }


def _count(value: float | msgspec.UnsetType | None) -> int:
    return int(value) if value else 0
