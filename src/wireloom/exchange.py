"""What becomes known of one request on its way: for its line in the log, and for the counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from wireloom.errors import LONGEST_NAME, SETUP, GatewayError

# Names of the moments that are marked, in the order in which they come.
READ = "read"
QUEUED = "queued"
ADMITTED = "admitted"
UPSTREAM = "upstream"
FIRST_EVENT = "first_event"
FIRST_CONTENT = "first_content"
ENDED = "ended"

BACKEND_HEADER = "x-wireloom-backend"
MODEL_HEADER = "x-wireloom-model"
ATTEMPTS_HEADER = "x-wireloom-attempts"

# Phase -> from which moment to which; None is the beginning.
PHASES: Mapping[str, tuple[str | None, str]] = {
    "read": (None, READ),
    "translate": (READ, QUEUED),
    "queue": (QUEUED, ADMITTED),
    "upstream_first_byte": (ADMITTED, UPSTREAM),
    "first_event": (None, FIRST_EVENT),
    "first_content": (None, FIRST_CONTENT),
    "total": (None, ENDED),
}


class Answer(Protocol):
    """An answer while it is made."""

    @property
    def has_output(self) -> bool:
        """Whether anything of it was said."""
        ...

    @property
    def response(self) -> Mapping[str, Any]:
        """Its `status` and, once that is known, its `usage`, as the Responses contract has them."""
        ...


class Exchange:
    """One request and its answer.

    Args:
        request_id: the gateway's id of it.
        now: tells the time in seconds.
    """

    def __init__(self, request_id: str, now: Callable[[], float] = time.perf_counter) -> None:
        self.request_id = request_id
        self.operation = ""
        """Id of the contract's operation, or nothing where no operation was reached."""
        self.principal = ""
        """Name of the inbound key."""
        self.inside = False
        """Whether the client is on this machine, so that messages may name settings."""
        self.asked: str | None = None
        """Name of the backend that was asked last, or None before one is."""
        self.asked_model: str | None = None
        """The model that it was asked for, under its name there."""
        self.attempts = 0
        """How many backends were asked."""
        self.aside: str | None = None
        """What to tell besides if the backend does not know the model."""
        self.spelled: list[Any] = []
        """What of the request was read in another form than it came, as losses."""
        self.lost_of_answer: list[str] = []
        """What of the answer was changed or could not be emitted, in words for the log and for `x-wireloom-loss`."""
        self.passed_over: list[str] = []
        """Names of the backends that were asked before it, and did not answer."""
        self.model: str | None = None
        """The model that was asked for."""
        self.requested: Mapping[str, Any] = {}
        """What the request sets, where that is to be told: numbers, nothing of what it says."""
        self.streamed = False
        self.status = 0
        """HTTP status, 0 as long as none was sent."""
        self.error: str | None = None
        """Code of the error that the client was told."""
        self.cause: str | None = None
        """A sentence on why a backend failed, fit for the log."""
        self.lost: str | None = None
        """What of the request could not be carried, as the header has it."""
        self.limits: Mapping[str, str] = {}
        """Headers that tell how many requests the inbound key has left, where it has a limit."""
        self.left = False
        """Whether the client left before the end."""
        self.answer: Answer | None = None
        self._answered = False
        self._others = False
        self._now = now
        self._started = now()
        self._moments: dict[str, float] = {}

    def mark(self, moment: str, *, last: bool = False) -> None:
        """Note when something happened, the first time it does, or the last."""
        if moment == UPSTREAM:
            self.answers()
        if last or moment not in self._moments:
            self._moments[moment] = self._now() - self._started

    def ask(self, backend: str, model: str, *, others: bool = False) -> None:
        """Note that a backend is asked.

        Args:
            backend: its name.
            model: the model's name there.
            others: whether another may be asked if this one fails.
        """
        self.asked, self.asked_model = backend, model
        self.attempts += 1
        self._answered, self._others = False, others

    def answers(self) -> None:
        """Note that the backend that was asked last has answered."""
        self._answered = True

    def failed(self, error: GatewayError) -> None:
        """Note the failure that the client is told."""
        self.error = error.code
        self.cause = error.cause
        self._answered = self._answered or error.answered is not None

    @property
    def backend(self) -> str | None:
        """Name of the backend that answered, or None where none did."""
        return self.asked if self._answered else None

    def spoken(self) -> None:
        """Note, after something was written, whether this was the first of the answer itself."""
        if FIRST_CONTENT not in self._moments and (self.answer is None or self.answer.has_output):
            self.mark(FIRST_CONTENT)

    def headers(self, *, begun: bool = False) -> dict[str, str]:
        """The headers of the answer that tell who gave it, and what is left of the key's limits.

        Args:
            begun: whether the answer begins now, so that a backend need not have said anything yet.
        """
        named = self._answered or (begun and not self._others)
        told = dict(self.limits)
        if self.asked is not None:
            told[ATTEMPTS_HEADER] = str(self.attempts)
        if self.asked is not None and self.asked_model is not None and named:
            told[BACKEND_HEADER] = self.asked
            told[MODEL_HEADER] = ascii(self.asked_model[:LONGEST_NAME])[1:-1]
        return told

    @property
    def terminal(self) -> str | None:
        """How the answer ended: the status of its response, if there is one."""
        return None if self.answer is None else str(self.answer.response.get("status"))

    @property
    def outcome(self) -> str:
        """`ok`, `incomplete`, `client_gone`, `refused` (a fault of the request) or `failed` (also of the set-up)."""
        if self.left:
            return "client_gone"
        if self.error in SETUP:
            return "failed"
        if self.error is not None or not 0 < self.status < 400:
            return "refused" if 400 <= self.status < 500 else "failed"
        return {"incomplete": "incomplete", "failed": "failed"}.get(self.terminal or "", "ok")

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens by kind: `input` with `cached` among them, `output` with `reasoning` among them."""
        usage = self.answer.response.get("usage") if self.answer is not None else None
        if not isinstance(usage, Mapping):
            return {}
        read, written = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
        return {
            "input": usage.get("input_tokens") or 0,
            "cached": read.get("cached_tokens") or 0,
            "output": usage.get("output_tokens") or 0,
            "reasoning": written.get("reasoning_tokens") or 0,
        }

    def seconds(self) -> dict[str, float]:
        """How long each phase took, of those that were reached."""
        moments = self._moments
        return {
            phase: moments[until] - (moments[since] if since is not None else 0.0)
            for phase, (since, until) in PHASES.items()
            if until in moments and (since is None or since in moments)
        }
