"""What of an upstream's output items is new, emitted: parts, whole items, sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from wireloom.translate.answer.speech import SUMMARY, Speech
from wireloom.translate.hub.logprobs import logprob
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.responses_upstream.calls import SAID, UpstreamCalls
from wireloom.translate.responses_upstream.output import Told, can_come_back, texts_of
from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.tools.table import CALLS, OUTPUTS
from wireloom.wire.json import Json


class ItemWriter:
    """Emits the items of one answer.

    Args:
        stream: receives items and sources.
        speech: receives text and thoughts.
        calls: receives calls.
        close: seals what only this upstream can read.
        lost: receives what could not be emitted, in words for the log.
        codex: see `ResponsesReader`.
    """

    def __init__(
        self,
        stream: ResponseStream,
        speech: Speech,
        calls: UpstreamCalls,
        close: Callable[[Json], str],
        lost: list[str],
        *,
        codex: bool,
    ) -> None:
        self._stream = stream
        self._speech = speech
        self._calls = calls
        self._close = close
        self._lost = lost
        self._verbs: Mapping[str, Callable[[str], None]] = {
            "output_text": speech.text,
            "refusal": stream.text if codex else stream.refusal,
            "reasoning_text": lambda text: speech.thought(text, "reasoning_text"),
            "summary_text": lambda text: speech.thought(text, SUMMARY),
        }
        self._place: tuple[Told, str, int] | None = None  # item, kind and index of the part that grew last

    def before_call(self, item: Told) -> None:
        """Let go of what is held, if an item is a call that begins.

        Args:
            item: the item.
        """
        if item.kind in SAID and not item.begun:
            self._speech.interrupt()

    def whole(self, item: Told, json: Json) -> None:
        """Take all of an item: emit what of it is new.

        Args:
            item: what is known of it.
            json: the item.
        """
        if item.done:
            return
        item.done = True
        OUTPUT.get(item.kind, _UNKNOWN).apply(self, item, json)

    def _call(self, item: Told, json: Json) -> None:
        self.before_call(item)
        self._calls.finish(item, json)

    def _thought(self, item: Told, json: Json) -> None:
        summary, thought = "summary_text", "reasoning_text"
        for kind, other, key in ((summary, thought, "summary"), (thought, summary, "content")):
            texts = list(texts_of(json.get(key), kind))
            if "".join(texts) != item.said(other):  # some say the same in both places
                self._rest(item, kind, texts)
        secret = json.get("encrypted_content")
        if isinstance(secret, str) and secret:
            self._speech.release()
            self._stream.attach_state({"encrypted": secret})

    def _message(self, item: Told, json: Json) -> None:
        content = json.get("content")
        content = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
        for kind in ("output_text", "refusal"):
            self._rest(item, kind, list(texts_of(content, kind)))
        parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        cited = [part["annotations"] for part in parts if isinstance(part.get("annotations"), list)]
        self.cite(item, [each for annotations in cited for each in annotations])

    def _rest(self, item: Told, kind: str, texts: list[str]) -> None:
        rest = item.rest(kind, texts)
        if rest is None:
            self._lost.append("an item that differs from its deltas")
        for index, text in rest or ():
            self.say(item, kind, index, text)

    def say(self, item: Told, kind: str, index: int, text: str, logprobs: Any = None) -> None:
        """Emit more of a part.

        Args:
            item: what the part is of.
            kind: of the part, a key of `PARTS`.
            index: of the part among those of its kind.
            text: what is new in it.
            logprobs: what the upstream sent of the tokens, or nothing.
        """
        known = [logprob(each) for each in logprobs or () if isinstance(each, dict)]
        if not text and not known:
            return
        place = (item, kind, index)
        if self._place is not None and self._place != place:
            self._speech.release()
            if self._place[0] is item:
                self._stream.next_part()
            else:
                self._stream.next_item()
        self._place = place
        item.add(kind, index, text)
        if known and kind == "output_text":
            self._speech.text_with_logprobs(text, known)
        else:
            self._verbs[kind](text)

    def cite(self, item: Told, annotations: Any) -> None:
        """Emit the sources of a text that are new.

        Args:
            item: the message.
            annotations: all of its sources so far.
        """
        if annotations:
            self._speech.settle()
        for annotation in annotations[len(item.annotations) :] if isinstance(annotations, list) else ():
            item.annotations.append(annotation)
            if not isinstance(annotation, dict) or not self._stream.annotate(annotation):
                self._lost.append("a source came after its text")

    def _leave_out(self, _: Told, json: Json) -> None:
        self._lost.append(f"an item of type {str(json['type'])[:60]}")

    def _pass_on(self, told: Told, json: Json) -> None:
        """An item of a tool that ran upstream, as it is."""
        item = {**json, "id": json.get("id") or self._stream.new_id("item")}
        if not can_come_back(item):
            self._leave_out(told, json)
            return
        if isinstance(item.get("encrypted_content"), str):
            item["encrypted_content"] = self._close({"encrypted": item["encrypted_content"]})
        self._place = None
        self._speech.release()
        self._stream.whole_item(item)


# -- items of the contract -----------------------------------------------------------------------------------------

OutputRule: TypeAlias = Rule[Callable[[ItemWriter, Told, Json], None]]

_UNKNOWN: OutputRule = Rule(How.IGNORED, ItemWriter._leave_out, "the log has its type")
_ALIEN: OutputRule = Rule(
    How.IGNORED, ItemWriter._leave_out, "the gateway does not keep it; the log has its type"
)
_CALLED: OutputRule = Rule(
    How.NATIVE, ItemWriter._call, "in the name and the kind that the client gave its tool"
)
_WHOLE: OutputRule = Rule(How.NATIVE, ItemWriter._pass_on, "as it is, where a client can send it back")

OUTPUT: Mapping[str, OutputRule] = {
    "message": Rule(How.NATIVE, ItemWriter._message, "what its deltas left out"),
    "reasoning": Rule(
        How.NATIVE, ItemWriter._thought, "what its deltas left out; encrypted content is sealed"
    ),
    **dict.fromkeys((*CALLS, *OUTPUTS), _WHOLE),
    "function_call": _CALLED,
    "custom_tool_call": _CALLED,
    "additional_tools": _WHOLE,
    "web_search_call": _WHOLE,
    "file_search_call": _WHOLE,
    "code_interpreter_call": _WHOLE,
    "image_generation_call": _WHOLE,
    "mcp_call": _WHOLE,
    "mcp_list_tools": _WHOLE,
    "mcp_approval_request": _WHOLE,
    "compaction": _WHOLE,
    "mcp_approval_response": _ALIEN,
    "computer_call": _ALIEN,
    "computer_call_output": _ALIEN,
    "program": _ALIEN,
    "program_output": _ALIEN,
}
"""Every type of output item, when all of it is known. One that is not here is left out."""
