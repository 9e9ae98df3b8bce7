"""An answer of a Chat upstream that was not streamed, as it is passed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from wireloom.translate.answer.asked import NOTHING, Asked
from wireloom.translate.answer.kept import ignored, says_nothing
from wireloom.translate.chat_face.relay_calls import OfferedTools, meant_calls
from wireloom.translate.chat_face.relay_choice import reason_of
from wireloom.translate.chat_face.relay_fold import folded_choices
from wireloom.translate.chat_face.relay_text import RelayText
from wireloom.translate.chat_upstream.chunk import look_at, read_completion
from wireloom.translate.hub.endings import incomplete
from wireloom.wire.json import Json
from wireloom_runtime.operations import Encoded

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatCompletion

# Members that may be null and have to be there, so that clients made from the contract can read them.
CHOICE: Json = {"logprobs": None}
MESSAGE: Json = {"role": "assistant", "content": None, "refusal": None}
# Members of a message that say something.
SAYING = ("tool_calls", "function_call", "refusal", "audio", "images", "image", "annotations")


class WholeAnswer:
    """One answer on its way.

    Args:
        model: the model's name as the client knows it, or None where it is the upstream's own.
        new_id: makes an id for a prefix.
        offered: the tools of the request.
        asked: what the request asked for.
        lost: receives what was repaired, and what could not be, in words for the log.
    """

    def __init__(
        self,
        model: str | None,
        new_id: Callable[[str], str],
        offered: OfferedTools | None = None,
        asked: Asked = NOTHING,
        lost: list[str] | None = None,
    ) -> None:
        self._model = model
        self._new_id = new_id
        self._offered = offered or OfferedTools({})
        self._asked = asked
        self._given: list[str] = []  # why the model stopped, in the upstream's words
        self._lost = [] if lost is None else lost

    def passed_on(self, data: bytes) -> ChatCompletion:
        """The answer as the client gets it; untouched where nothing is wrong.

        Args:
            data: JSON of a `chat.completion` object.

        Raises:
            UpstreamError: the upstream reports a failure, this is no completion, or it says nothing.
        """
        value = read_completion(data)
        changed = self._model is not None
        if self._model is not None:
            value["model"] = self._model
        if self._asked.n == 1 and len(value["choices"]) > 1:
            value["choices"] = folded_choices(value["choices"])
            self._lost.append("several choices were passed on as one answer")
            changed = True
        for choice in value["choices"]:
            if isinstance(choice, dict):
                changed |= self._choice(choice, value.get("usage"))
        self._check_said(value["choices"])
        self._check_kept(value["choices"])
        return Encoded(msgspec.json.encode(value) if changed else data)

    def _choice(self, choice: Json, counted: Any) -> bool:
        given = choice.get("finish_reason")
        look_at(given)
        self._given.append(str(given))
        changed = complete(choice, CHOICE)
        message = choice.get("message")
        text = choice.get("text") or message
        if isinstance(text, str) and not (isinstance(message, dict) and _says(choice)):
            known = message if isinstance(message, dict) else {}
            message = choice["message"] = {**known, "content": text}
            changed = True
        if not isinstance(message, dict):
            return changed
        changed |= complete(message, MESSAGE)
        changed |= meant_calls(message, self._offered, self._lost)
        for call in message.get("tool_calls") or ():
            if isinstance(call, dict) and not call.get("id"):
                call["id"], changed = self._new_id("call"), True
        changed |= self._without_fence(message)
        reason = self._reason(given, message, counted)
        if reason != given:
            choice["finish_reason"], changed = reason, True
        return changed

    def _without_fence(self, message: Json) -> bool:
        content = message.get("content")
        if not self._asked.json or not isinstance(content, str):
            return False
        text = RelayText(json=True)
        message["content"] = text.feed(content) + text.close(ended=True)
        self._lost += text.repairs()
        return bool(message["content"] != content)

    def _reason(self, given: Any, message: Json, counted: Any) -> str:
        """Why the model stopped, in the words of the contract."""
        reason = reason_of(str(given or "stop"), called=bool(message.get("tool_calls")))
        tokens = counted.get("completion_tokens") if isinstance(counted, dict) else None
        if reason == "stop" and self._asked.is_reached(tokens):
            self._lost.append("an answer as long as was allowed was marked as cut")
            return "length"
        return reason

    def _check_kept(self, choices: list[Any]) -> None:
        """Report what of the request the upstream ignored."""
        if len(choices) < self._asked.n:
            self._lost.append(f"the upstream ignored n: {len(choices)} of {self._asked.n} answers came")
        for choice in choices:
            message = choice.get("message") if isinstance(choice, dict) else None
            if not isinstance(message, dict) or incomplete(choice.get("finish_reason")):
                continue
            calls = [call for call in message.get("tool_calls") or () if isinstance(call, dict)]
            called = [str((call.get("function") or {}).get("name")) for call in calls]
            content = message.get("content")
            text = content if isinstance(content, str) else ""
            logprobs = bool(choice.get("logprobs"))
            self._lost += ignored(self._asked, called, partial(str, text), logprobs=logprobs)

    def _check_said(self, choices: list[Any]) -> None:
        """Make sure that a complete answer says something.

        Raises:
            EmptyAnswer: it does not.
        """
        known = [choice for choice in choices if isinstance(choice, dict)]
        if any(_says(choice) or incomplete(choice.get("finish_reason")) for choice in known):
            return
        raise says_nothing(*self._given)


def _says(choice: Json) -> bool:
    message = choice.get("message")
    if not isinstance(message, dict):
        return False
    content = message.get("content")
    said = content.strip() if isinstance(content, str) else content
    return bool(said) or any(message.get(name) for name in SAYING)


def complete(value: Json, members: Mapping[str, Any]) -> bool:
    """Add what the contract requires and many servers leave out; whether there was any.

    Args:
        value: JSON; it is changed.
        members: name -> value where it is missing.
    """
    missing = members.keys() - value.keys()
    value.update({name: members[name] for name in missing})
    return bool(missing)
