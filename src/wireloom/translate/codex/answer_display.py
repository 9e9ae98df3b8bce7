"""The provider's instruction for an answer that it hides or blocks, and the words in the answer's place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from wireloom_protocol import app_server_hot as hot

from wireloom.translate.rules.loss import How, Rule

HIDDEN = "The provider hides this answer."
BLOCKED = "The provider blocks this answer"
# The longest name of a reason that is passed on; the provider chooses it.
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Withheld:
    """A message whose text must not be passed on.

    Args:
        words: the text in its place.
        blocked: whether the response ends with it.
    """

    words: str
    blocked: bool


def withheld(item: hot.ThreadItem) -> Withheld | None:
    """The instruction for a message, or None where its text is shown.

    Args:
        item: a message, at its start or its end.
    """
    display = item.moderation.display if item.moderation is not None else None
    rule = DISPLAYS.get(display.mode or "") if display is not None else None
    return rule.apply(display) if rule is not None and display is not None else None


def unknown_mode(item: hot.ThreadItem) -> str | None:
    """The mode of an instruction that has no rule, or None where it has one, or there is no instruction."""
    display = item.moderation.display if item.moderation is not None else None
    if display is None or display.mode in DISPLAYS:
        return None
    return str(display.mode)[:LONGEST_NAME]


def _shown(_: hot.AgentMessageDisplay) -> Withheld | None:
    return None


def _hidden(display: hot.AgentMessageDisplay) -> Withheld | None:
    kind = display.replacement.kind if display.replacement is not None else None
    return Withheld(REPLACEMENTS.get(kind or "", HIDDEN), blocked=False)


def _blocked(display: hot.AgentMessageDisplay) -> Withheld | None:
    reason = display.reason
    name = reason.kind if reason is not None else None
    if reason is None or name is None:
        return Withheld(f"{BLOCKED}.", blocked=True)
    words = REASONS.get(name, name[:LONGEST_NAME])
    if reason.protectionType:
        words = f"{words} ({reason.protectionType[:LONGEST_NAME]})"
    return Withheld(f"{BLOCKED}: {words}.", blocked=True)


Apply: TypeAlias = Callable[[hot.AgentMessageDisplay], Withheld | None]

DISPLAYS: Mapping[str, Rule[Apply]] = {
    "show": Rule(How.NATIVE, _shown, "the text; a note about a helpline is for the provider's own client"),
    "hide": Rule(How.EMULATED, _hidden, "words in place of the text"),
    "block": Rule(How.EMULATED, _blocked, "a refusal with the reason; the response ends with content_filter"),
}
"""Mode of an instruction -> the treatment of the message."""

REPLACEMENTS: Mapping[str, str] = {
    "wellbeingPromptHelpline": (
        f"{HIDDEN} If you are in distress, a helpline in your country or a person whom you trust can help you now."
    ),
}
"""Kind of a replacement -> the text in place of a hidden message."""

REASONS: Mapping[str, str] = {
    "protection": "protection of people",
    "cyber": "cyber safety",
}
"""Kind of a reason -> the words for it."""
