"""Tokens as a Chat upstream counts them, told as the Responses contract counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
from wireloom_protocol import hot

Json: TypeAlias = dict[str, Any]


def usage(last: hot.CompletionUsage | None, before: Sequence[hot.CompletionUsage | None] = ()) -> Json | None:
    """Token counts as the Responses contract has them, or None when the upstream did not count.

    Args:
        last: of the answer.
        before: of requests that the same response took before.
    """
    counted = [_counted(each) for each in (*before, last) if each is not None]
    known = [each for each in counted if each is not None]
    if not known or last is None:
        return None
    total = known[0]
    for each in known[1:]:
        total = {
            key: value + each[key]
            if isinstance(value, int)
            else {name: count + each[key][name] for name, count in value.items()}
            for key, value in total.items()
        }
    return total


def _counted(counted: hot.CompletionUsage) -> Json | None:
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
