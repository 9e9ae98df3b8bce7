"""What could not be carried from one protocol to another, and what that means for the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from wireloom.errors import InvalidRequest

LOSS_HEADER = "x-wireloom-loss"
HEADER_LIMIT = 1024
F = TypeVar("F")


class How(Enum):
    """What becomes of a field, an item, a tool or an event."""

    NATIVE = "native"
    """The other protocol has the same."""
    EMULATED = "emulated"
    """Said in the other protocol's own means; the note says how."""
    IGNORED = "ignored"
    """Left out; the note says why that is bearable."""
    REFUSED = "refused"
    """A request with it fails, by its name."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[F]):
    """One line of a translator's table.

    Args:
        how: what becomes of it.
        apply: does it.
        note: what a reader of the table has to know.
    """

    how: How
    apply: F
    note: str = ""


class Severity(Enum):
    """How much an answer suffers from what is left out."""

    BREAKING = "breaking"
    """The answer would have another form or meaning than asked: the request is refused."""
    DEGRADING = "degrading"
    """The answer has the right form under other settings: it is given, and the loss reported."""
    IMMATERIAL = "immaterial"
    """The answer is the same."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing not carried.

    Args:
        path: where it stood in the request, such as `tools[2]`.
        action: what was done: `dropped`, `changed`, `emulated`.
        reason: why, in a few words.
        severity: what it means for the answer.
    """

    path: str
    action: str
    reason: str
    severity: Severity = Severity.DEGRADING


@dataclass(slots=True)
class Losses:
    """The losses of one request.

    Args:
        strict: whether a degrading loss refuses the request.
    """

    strict: bool = False
    items: list[Loss] = field(default_factory=list)

    def add(self, path: str, action: str, reason: str, severity: Severity = Severity.DEGRADING) -> None:
        """Note a loss.

        Raises:
            InvalidRequest: a degrading loss under `strict`.
        """
        if severity is Severity.BREAKING or (self.strict and severity is Severity.DEGRADING):
            raise refused(path, reason)
        self.items.append(Loss(path, action, reason, severity))

    def header(self, of_answer: Iterable[str] = ()) -> str | None:
        """The value of `x-wireloom-loss`, or None when nothing of weight was lost.

        Args:
            of_answer: what of the answer was changed, in words.
        """
        asked = [loss for loss in self.items if loss.severity is Severity.DEGRADING]
        return render([*asked, *(Loss("answer", "changed", words) for words in of_answer)])


def refused(path: str, reason: str, code: str = "unsupported_parameter") -> InvalidRequest:
    """The error for something that cannot be carried and must not be left out."""
    return InvalidRequest(f"{path} cannot be served here: {reason}.", code=code, param=path)


@dataclass(frozen=True, slots=True)
class Refuse:
    """A rule that rejects every value but one.

    Args:
        reason: why no value can be served.
        harmless: the value that asks for nothing else than what happens anyway.
    """

    reason: str
    harmless: object = None

    def __call__(self, _: object, path: str, value: Any) -> None:
        """Reject a value; None never comes here."""
        if value != self.harmless:
            raise refused(path, self.reason)


def render(losses: Iterable[Loss]) -> str | None:
    """`path;action;reason` items in ASCII, at most 1 kB, then `more=N`."""
    parts = [_ascii(f"{loss.path};{loss.action};{loss.reason}") for loss in losses]
    value, shown = "", 0
    for part in parts:
        longer = f"{value}, {part}" if value else part
        if len(longer) > HEADER_LIMIT - len(", more=99999"):
            break
        value, shown = longer, shown + 1
    if shown < len(parts):
        value = f"{value}, more={len(parts) - shown}".removeprefix(", ")
    return value or None


def _ascii(text: str) -> str:
    """Commas separate items and a header holds no line ends, so neither may come from a request."""
    return "".join(c if " " <= c <= "~" and c != "," else "_" for c in text)[:240]
