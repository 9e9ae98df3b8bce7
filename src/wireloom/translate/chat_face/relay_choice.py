"""One choice of a Chat answer that is passed on: its text, its calls, its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wireloom_protocol import hot

from wireloom.translate.chat_face.relay_calls import OfferedTools, RelayCalls
from wireloom.translate.chat_face.relay_text import RelayText
from wireloom.translate.hub.endings import incomplete
from wireloom.wire.json import Json

Delta = hot.ChatCompletionStreamResponseDelta

_OF_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}


def reason_of(given: str, *, called: bool) -> str:
    """Why a model stopped, in the words of the contract.

    Args:
        given: the upstream's word.
        called: whether the answer has calls, after which some servers say `stop`.
    """
    cut = incomplete(given)
    if cut is not None:
        return _OF_INCOMPLETE[cut]
    if given == "function_call":
        return given
    return "tool_calls" if called else "stop"


class RelayChoice(RelayCalls):
    """One choice.

    Args:
        offered: see `RelayCalls`.
        new_id: see `RelayCalls`.
        lost: see `RelayCalls`.
        json: whether the answer was asked for as JSON.
    """

    def __init__(
        self, offered: OfferedTools, new_id: Callable[[str], str], lost: list[str], *, json: bool
    ) -> None:
        super().__init__(offered, new_id, lost)
        self.text = RelayText(json=json)
        self.finish_reason: str | None = None
        """Why the model stopped, as the client receives it."""
        self.given: str | None = None
        """The same in the upstream's word."""
        self.speaks = False
        """Whether there is anything but thoughts and white space."""
        self.probabilities = False
        """Whether the probabilities of any token came."""
        self._role = False
        self._changes: Json = {}  # members of the delta that is being read, as they go on

    def begin(self) -> None:
        """A chunk begins."""
        self.begin_chunk()
        self._changes = {}

    def reads(self, delta: Delta, *, ends: bool) -> bool:
        """Take a delta; whether it cannot be passed on as it came.

        Args:
            delta: the delta.
            ends: whether the choice ends with it.
        """
        changed = False
        content = delta.content
        if content.__class__ is str and content:
            passed = self.text.feed(content)
            self.speaks = self.speaks or bool(passed.strip())
            if passed != content:
                self._changes["content"] = passed
                changed = True
        elif content:
            self.speaks = True
        if delta.role:
            if self._role:
                self._changes["role"] = None
                changed = True
            self._role = True
        if delta.refusal or delta.function_call or delta.audio:
            self.speaks = True
        calls = delta.tool_calls
        if not calls:
            return changed
        self.speaks = True
        rest = self.text.close(ended=False)
        if rest:
            self._changes["content"] = self._changes.get("content", content or "") + rest
            changed = True
        return self.broken(calls, last=ends) or changed

    def ends(self, given: str, delta: Delta | Any) -> bool:
        """Take the reason of the end; whether its chunk cannot be passed on as it came.

        Args:
            given: the upstream's word.
            delta: the delta of the same chunk.
        """
        self.given = given
        rest = self.text.close(ended=True)
        if rest:
            content = self._changes.get("content", getattr(delta, "content", None) or "")
            self._changes["content"] = content + rest
        self.finish_reason = reason_of(given, called=bool(self.called))
        return bool(rest) or self.finish_reason != given

    @property
    def is_cut(self) -> bool:
        """Whether the choice was stopped before its end."""
        return self.finish_reason in _OF_INCOMPLETE.values()

    def rewrite(self, choice: Json) -> None:
        """Write into a choice of the chunk that is being read what goes on of it."""
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice["delta"] = {}
        for name, value in self._changes.items():
            if value is None:
                delta.pop(name, None)
            else:
                delta[name] = value
        if delta.get("tool_calls"):
            self.mend(delta["tool_calls"])
        if choice.get("finish_reason"):
            choice["finish_reason"] = self.finish_reason
        elif choice.get("finish_reason") == "":
            choice["finish_reason"] = None
