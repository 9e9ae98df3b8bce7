"""One answer in several choices, or in members of another form, brought into the one choice that was asked for."""

from __future__ import annotations

from typing import Any

from wireloom.translate.hub.endings import incomplete
from wireloom.wire.json import Json

# What of a choice may hold the answer in place of `delta`, in order.
ELSEWHERE = ("message", "text")


class Folding:
    """Brings the chunks of a stream into one choice.

    Args:
        single: whether one answer was asked for.

    Attributes:
        first: index of the choice that the answer is told in; None until one came.
        several: whether other choices came.
        reason: why the answer ended, where several choices came.
    """

    def __init__(self, *, single: bool) -> None:
        self._single = single
        self._texts: dict[int, list[str]] = {}
        self.first: int | None = None
        self.several = False
        self.reason: str | None = None

    def is_other(self, index: int) -> bool:
        """Whether a choice has to be brought into the first one."""
        if self.first is None:
            self.first = index
        return self._single and (self.several or index != self.first)

    def chunk(self, value: Json, speaks: bool) -> None:
        """Change a chunk with another choice, or with the answer in another member.

        Args:
            value: JSON of the chunk.
            speaks: whether anything was said before, which such a member repeats.
        """
        for choice in value["choices"]:
            if not isinstance(choice, dict):
                continue
            if not speaks:
                say_in_delta(choice)
            index = choice.get("index")
            self._choice(choice, index if type(index) is int else 0)

    def texts(self) -> list[str]:
        """The text of the other choices, in order."""
        return ["".join(self._texts[index]) for index in sorted(self._texts)]

    def _choice(self, choice: Json, index: int) -> None:
        if not self.is_other(index):
            return
        self.several = True
        given = choice.get("finish_reason")
        if given and (self.reason is None or index == self.first or incomplete(str(given))):
            self.reason = str(given)
        choice["finish_reason"] = None
        choice["index"] = self.first
        delta = choice.get("delta")
        if index != self.first and isinstance(delta, dict):
            delta.pop("role", None)
            content = delta.pop("content", None)
            if isinstance(content, str) and content:
                self._texts.setdefault(index, []).append(content)


def say_in_delta(choice: Json) -> None:
    """Put what a choice says in another member where clients read it."""
    for name in ELSEWHERE:
        said = choice.get(name)
        if not said or choice.get("delta"):
            continue
        delta = dict(said) if isinstance(said, dict) else {"content": said}
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
        choice["delta"] = {"role": "assistant", **delta}
        del choice[name]


def folded_choices(choices: list[Any]) -> list[Json]:
    """The choices of a whole answer as the one that was asked for.

    Args:
        choices: of a completion; the message of the first one is changed.
    """
    known = [choice for choice in choices if isinstance(choice, dict)]
    if len(known) < 2:
        return known
    messages = [choice["message"] for choice in known if isinstance(choice.get("message"), dict)]
    whole: Json = dict(messages[0]) if messages else {"role": "assistant"}
    for message in messages[1:]:
        for name, value in message.items():
            whole[name] = _joined(name, whole.get(name), value)
    reasons = [str(choice["finish_reason"]) for choice in known if choice.get("finish_reason")]
    cut = next((reason for reason in reasons if incomplete(reason)), None)
    return [{**known[0], "message": whole, "finish_reason": cut or next(iter(reasons), None)}]


def _joined(name: str, before: Any, value: Any) -> Any:
    """Two values of a member as one."""
    if before in (None, "", []):
        return value
    if isinstance(before, list) and isinstance(value, list):
        return [*before, *value]
    texts = isinstance(before, str) and isinstance(value, str) and name != "role"
    return before + value if texts and value != before else before
