"""How much a check may do, and how much it has done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from wireloom.cli.diagnose.check.answer import Answer, events
from wireloom.wire.json import Json

FIRST_ESTIMATE = 400
"""Tokens that a request to a model is expected to take before any was sent."""
CHARACTERS_PER_TOKEN = 3
"""For answers without a usage; fewer than models have, so that the estimate is rather too high."""
ASKING = frozenset({"createResponse", "createChatCompletion", "compactResponse"})
"""Operations that ask a model."""


class OutOfBounds(Exception):
    """Nothing more may be sent; the message names the option that allows more."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a check may do.

    requests: at most; seconds: after which nothing is sent; tokens: read and written by models, at most.
    """

    requests: int = 200
    seconds: float = 60.0
    tokens: int = 20_000


class Budget:
    """Counts requests, seconds and tokens against the bounds.

    clock: returns seconds that only grow.
    """

    def __init__(self, bounds: Bounds, clock: Callable[[], float]) -> None:
        self.bounds = bounds
        self.requests = 0
        self.tokens = 0
        self._largest = FIRST_ESTIMATE
        self._clock = clock
        self._begun = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the check began."""
        return self._clock() - self._begun

    @property
    def left(self) -> float:
        """Seconds that are left, 0 where none are."""
        return max(self.bounds.seconds - self.seconds, 0.0)

    def take(self, *, asks: bool) -> None:
        """Count a request that is about to be sent.

        asks: whether a model is asked. It is expected to take as many tokens as the largest request before it.

        Raises:
            OutOfBounds: the request may not be sent.
        """
        if self.requests >= self.bounds.requests:
            raise OutOfBounds(f"--max-requests {self.bounds.requests} is reached.")
        if self.left == 0.0:
            raise OutOfBounds(f"--max-seconds {self.bounds.seconds:g} is reached.")
        if asks and self.tokens + self._largest > self.bounds.tokens:
            raise OutOfBounds(
                f"{self.tokens} tokens are used, and the next request may take {self._largest}, "
                f"which passes --max-tokens {self.bounds.tokens}."
            )
        self.requests += 1

    def spend(self, answer: Answer) -> None:
        """Count the tokens of an answer."""
        if answer.operation not in ASKING or not answer.ok:
            return
        used = tokens(answer)
        self.tokens += used
        self._largest = max(self._largest, used)


def tokens(answer: Answer) -> int:
    """Return how many tokens an answer of a model took: by its usage, or an estimate without one."""
    found = events(answer.text) if answer.streamed else [answer.object]
    for each in reversed(found):
        total = _total(each)
        if total is not None:
            return total
    written = [each.get("delta") or each.get("choices") or "" for each in found] if answer.streamed else found
    return len(json.dumps([answer.sent, *written])) // CHARACTERS_PER_TOKEN


def _total(found: Json) -> int | None:
    inner = found.get("response")
    for holder in (inner, found):
        usage = holder.get("usage") if isinstance(holder, dict) else None
        total = usage.get("total_tokens") if isinstance(usage, dict) else None
        if type(total) is int and total >= 0:
            return total
    return None
