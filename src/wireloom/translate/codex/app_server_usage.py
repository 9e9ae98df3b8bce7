"""The tokens of a turn: those of its model calls, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wireloom_protocol import app_server_hot as hot

if TYPE_CHECKING:
    from wireloom_protocol import replies


class TurnUsage:
    """Adds up the usage of model calls."""

    def __init__(self) -> None:
        self._known = False
        self._input = self._cached = self._cache_write = 0
        self._output = self._reasoning = self._total = 0

    def add(self, call: hot.TokenUsageBreakdown | None) -> None:
        """Take the usage of one model call, None where the provider sends none."""
        if call is None:
            return
        self._known = True
        self._input += _number(call.inputTokens)
        self._cached += _number(call.cachedInputTokens)
        self._cache_write += _number(call.cacheWriteInputTokens)
        self._output += _number(call.outputTokens)
        self._reasoning += _number(call.reasoningOutputTokens)
        self._total += _number(call.totalTokens)

    def response(self) -> replies.ResponseUsage | None:
        """The usage of a response, or None where no call had one."""
        if not self._known:
            return None
        return {
            "input_tokens": self._input,
            "input_tokens_details": {
                "cached_tokens": self._cached,
                "cache_write_tokens": self._cache_write,
            },
            "output_tokens": self._output,
            "output_tokens_details": {"reasoning_tokens": self._reasoning},
            "total_tokens": self._total,
        }


def _number(value: int | float | None) -> int:
    return value if isinstance(value, int) else 0
