"""The grammar of a Chat stream: one identity, the role first, one end for each choice, the usage if it was asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from wireloom.cli.diagnose.check.answer import DONE, Frame, frames
from wireloom.cli.diagnose.check.rules import chat, usage
from wireloom.wire.json import Json

CONSTANT = ("id", "object", "created", "model")
"""Members that are the same in every chunk."""
TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


@dataclass(slots=True)
class _Choice:
    begun: bool = False
    wrote: bool = False
    finish: Any = None
    calls: list[Json] = field(default_factory=list)


class Reading:
    """Reads one stream, frame by frame; `found` holds a sentence for each rule that it breaks.

    sent: the request; lost: paths of the request that the deployment declares lost; answers: whether there has to be an
    answer, with its usage if that was asked for. `made` is the head of the completion with its usage.
    """

    def __init__(self, sent: Json, lost: frozenset[str] = frozenset(), *, answers: bool = True) -> None:
        self.found: dict[str, str] = {}
        self.made: Json = {}
        self._sent = sent
        self._lost = lost
        self._answers = answers
        options = sent.get("stream_options") or {}
        self._asked_usage = bool(options.get("include_usage"))
        self._choices: dict[Any, _Choice] = {}
        self._count = 0
        self._done = False
        self._at = ""

    @property
    def calls(self) -> list[Json]:
        """The calls of the first choice, their fragments put together."""
        return self._choices[0].calls if 0 in self._choices else []

    @property
    def wrote(self) -> bool:
        """Whether there was a text, a refusal or a call."""
        return any(choice.wrote for choice in self._choices.values())

    def feed(self, frame: Frame) -> None:
        """Read the next frame."""
        self._at = f"chunk {self._count}: "
        if not frame.whole:
            self._break("frame", "the stream ends within an event")
        if self._done:
            self._break("after done", "a chunk follows [DONE]")
        if frame.name is not None:
            self._break("name", f"it has an event line ({frame.name!r}), which no Chat stream has")
        if frame.data == DONE:
            self._done = True
            return
        self._count += 1
        try:
            self._chunk(json.loads(frame.data))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._break("form", f"it has not the form of a chunk ({type(error).__name__}: {error})")

    def close(self) -> list[str]:
        """The stream is over: return a sentence for each rule that it broke."""
        self._at = ""
        if not self._done:
            self._break("done", "the stream does not end with [DONE]")
        for sentence in chat.indexes([{"index": index} for index in self._choices]):
            self._break("index", sentence)
        for choice in self._choices.values():
            wrote = choice.wrote or not self._answers
            ending = chat.ending(choice.finish, content=wrote, calls=choice.calls)
            for sentence in ending:
                self._break("finish", sentence)
            self._whole_calls(choice)
        self._usage()
        choices: list[Json] = [{"finish_reason": choice.finish} for choice in self._choices.values()]
        for sentence in chat.length(choices, self.made.get("usage"), self._sent, self._lost):
            self._break("length", sentence)
        return list(self.found.values())

    def _break(self, rule: str, text: str) -> None:
        self.found.setdefault(rule, f"{self._at}{text}")

    def _chunk(self, chunk: Json) -> None:
        if "error" in chunk:
            self._break("error", f"the answer failed: {chunk['error'].get('code')!r}")
            return
        for sentence in chat.identity(chunk, "chat.completion.chunk"):
            self._break(sentence, sentence)
        for name in CONSTANT:
            before = self.made.setdefault(name, chunk.get(name))
            if chunk.get(name) != before:
                self._break(f"constant {name}", f"{name} is {chunk.get(name)!r}, and {before!r} before")
        if chunk["choices"] and self.made.get("usage") and chunk.get("usage") is None:
            self._break("after usage", "a choice follows the usage")
        for choice in chunk["choices"]:
            self._choice(choice)
        if chunk.get("usage") is not None:
            self._counted(chunk)

    def _counted(self, chunk: Json) -> None:
        if not chunk["choices"] and not self._asked_usage:
            self._break("unasked usage", "it has a usage and no choice, although no usage was asked for")
        if not chunk["choices"] and any(choice.finish is None for choice in self._choices.values()):
            self._break("early usage", "the usage comes before the finish_reason")
        self.made["usage"] = chunk["usage"]

    def _choice(self, choice: Json) -> None:
        index, delta = choice["index"], choice["delta"]
        known = self._choices.setdefault(index, _Choice())
        if known.finish is not None:
            again = "a second finish_reason" if choice.get("finish_reason") is not None else "a delta"
            self._break("twice", f"choice {index} has {again} after its finish_reason")
        role = delta.get("role")
        if role is None and not known.begun:
            self._break("role", f"the first delta of choice {index} has no role")
        if role not in (None, "assistant"):
            self._break("role", f"the role is {role!r}, not 'assistant'")
        known.begun = True
        known.wrote = known.wrote or chat.answers(delta) or any(delta.get(name) for name in TEXTS)
        for fragment in delta.get("tool_calls") or ():
            self._fragment(known, fragment)
        known.finish = known.finish or choice.get("finish_reason")

    def _fragment(self, choice: _Choice, fragment: Json) -> None:
        """Add a fragment to the call of its index."""
        index = fragment["index"]
        if index == len(choice.calls):
            choice.calls.append({"id": None, "name": None, "arguments": ""})
        if not 0 <= index < len(choice.calls):
            self._break("call index", f"tool_calls has the index {index} after {len(choice.calls)} calls")
            return
        call, function = choice.calls[index], fragment.get("function") or {}
        given = {"id": fragment.get("id"), "name": function.get("name")}
        for name, value in given.items():
            if value and call[name] not in (None, value):
                self._break(
                    "call changed", f"the {name} of call {index} is {value!r}, and {call[name]!r} before"
                )
            call[name] = call[name] or value
        call["arguments"] += function.get("arguments") or ""

    def _whole_calls(self, choice: _Choice) -> None:
        for index, call in enumerate(choice.calls):
            for name in ("id", "name"):
                if not call[name]:
                    self._break("call", f"call {index} has no {name}")

    def _usage(self) -> None:
        used = self.made.get("usage")
        if used is None and not (self._asked_usage and self._answers):
            return
        if used is None and "stream_options" in {path.partition(".")[0] for path in self._lost}:
            return
        for sentence in usage.findings(used, usage.CHAT, wrote=self.wrote):
            self._break(sentence, sentence)


def read(
    text: str, sent: Json, lost: frozenset[str] = frozenset(), *, answers: bool = True
) -> tuple[list[str], Reading]:
    """Return the rules that a stream breaks, a sentence each, and the reading; see `Reading`."""
    reading = Reading(sent, lost, answers=answers)
    for frame in frames(text):
        reading.feed(frame)
    return reading.close(), reading
