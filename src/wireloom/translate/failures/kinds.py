"""The kinds of failure that upstreams report, and the form of a row of the table that recognises them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """A kind of failure; its value is the name in the documentation."""

    CONTEXT = "the conversation is too long"
    QUOTA = "the account has no money or no quota left"
    RATE = "too many requests or tokens at once"
    OVERLOAD = "the server has no capacity"
    CONTENT = "a filter stopped the request or the answer"
    KEY = "the key is wrong"
    MODEL = "the model is unknown"


STATUSES: dict[Kind, int] = {
    Kind.CONTEXT: 400,
    Kind.QUOTA: 429,
    Kind.RATE: 429,
    Kind.OVERLOAD: 503,
    Kind.CONTENT: 400,
    Kind.KEY: 401,
    Kind.MODEL: 404,
}
"""Every kind -> the status that the client gets, where the upstream's own is none of `KEPT`."""

KEPT: dict[Kind, Collection[int]] = {
    Kind.CONTEXT: (400, 413, 422),
    Kind.QUOTA: (),
    Kind.RATE: (),
    Kind.OVERLOAD: (503, 529),
    Kind.CONTENT: (400, 403, 404, 406, 422, 451),
    Kind.KEY: (401, 403),
    Kind.MODEL: (),
}
"""Every kind -> the statuses of an upstream that fit it, so that the client gets them too."""

CODES: dict[Kind, str] = {
    Kind.CONTEXT: "context_length_exceeded",
    Kind.QUOTA: "insufficient_quota",
    Kind.RATE: "rate_limit_exceeded",
    Kind.OVERLOAD: "server_is_overloaded",
    Kind.CONTENT: "content_policy_violation",
    Kind.MODEL: "model_not_found",
}
"""The code that the client gets; that of a key depends on the status."""

UNSAID = 0
"""The status of a failure that came inside an answer and names none."""
ANY = frozenset((UNSAID, *range(400, 600)))
REFUSED = frozenset((UNSAID, 400, 413, 422))
"""Statuses of a request that cannot be served as it is."""
BUSY = frozenset((UNSAID, 408, 425, 429, 498, 500, 502, 503, 504, 520, 529))
"""Statuses of a server that may serve later."""


@dataclass(frozen=True, slots=True)
class Row:
    """How an upstream reports a kind of failure.

    Args:
        kind: the kind.
        server: who reports it so.
        source: where that is documented or was seen.
        statuses: HTTP statuses with which it is believed; `UNSAID` for a failure inside an answer.
        codes: pattern of the whole code, in lower case; nothing where only words are known.
        words: pattern in the message, in any case; nothing where the code is enough.
        member: name of the object that has to hold the code, in lower case and without `_`, for codes that other
            servers use otherwise.
        delayed: whether the failure has to name a delay.
    """

    kind: Kind
    server: str
    source: str
    statuses: frozenset[int]
    codes: str = ""
    words: str = ""
    member: str = ""
    delayed: bool = False
    _codes: re.Pattern[str] = field(init=False, repr=False)
    _words: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_codes", re.compile(self.codes))
        object.__setattr__(self, "_words", re.compile(self.words, re.IGNORECASE))

    def fits(
        self, status: int, codes: Collection[tuple[str, str]], message: str, *, delayed: bool = False
    ) -> bool:
        """Whether a failure is reported so.

        Args:
            status: see `statuses`.
            codes: name of the object -> code in lower case, for all that the failure holds.
            message: its words.
            delayed: whether it names a delay.
        """
        if status not in self.statuses or (self.delayed and not delayed):
            return False
        if self.words and not self._words.search(message):
            return False
        return not self.codes or any(
            self._codes.fullmatch(code) and self.member in ("", member) for member, code in codes
        )
