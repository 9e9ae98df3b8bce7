"""The answer of an imperfect Responses upstream read into the verbs of a Responses stream, so that a whole one leaves.

There are two ways for an answer. What an upstream of a complete profile streams is passed on by `response_relay`. This
is the other one, for all the rest: nothing is taken for granted, neither events nor ids nor indexes nor an end. Each
event, the end of a part or an item and the final response say more of the same answer; what of it has not been told is
told, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from wireloom.errors import UpstreamRefused
from wireloom.translate.answer.asked import NOTHING, Asked
from wireloom.translate.answer.kept import ignored, says_nothing
from wireloom.translate.answer.markup_tokens import NO_RULES, MarkupRules
from wireloom.translate.answer.speech import Speech
from wireloom.translate.failures import cut_off
from wireloom.translate.hub.endings import INCOMPLETE, Incomplete
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.responses_upstream.calls import UpstreamCalls
from wireloom.translate.responses_upstream.events import (
    ALIASES,
    End,
    Reason,
    counted,
    decoded,
    end_of,
    untold,
)
from wireloom.translate.responses_upstream.item_writer import ItemWriter
from wireloom.translate.responses_upstream.output import PARTS, Ledger
from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json
from wireloom.wire.sse import DONE

if TYPE_CHECKING:
    from wireloom_protocol import replies


class ResponsesReader:
    """Reads one answer.

    Args:
        stream: what is spoken to.
        tools: the names under which tools were offered that the upstream does not have itself.
        close: seals what only this upstream can read.
        rules: what counts as markup in the text.
        asked: what the request asked for.
        codex: whether the client is the Codex CLI, which shows a refusal only as text, and which repeats an answer
            that a filter stopped.
    """

    def __init__(
        self,
        stream: ResponseStream,
        tools: Tools,
        close: Callable[[Json], str],
        rules: MarkupRules = NO_RULES,
        asked: Asked = NOTHING,
        *,
        codex: bool = False,
    ) -> None:
        self._stream = stream
        self._asked = asked
        self._codex = codex
        self._ledger = Ledger()
        self.lost: list[str] = []
        """What of the answer could not be told, in words for the log."""
        self._calls = UpstreamCalls(stream, tools, self.lost)
        self._speech = speech = Speech(stream, tools, rules, self.lost, json=asked.json)
        self._items = ItemWriter(stream, speech, self._calls, close, self.lost, codex=codex)
        self._over = False
        self._reason = Reason()
        self._end: tuple[replies.ResponseUsage | None, Incomplete | None] | None = None

    @property
    def called(self) -> list[str]:
        """Names of the functions that were called, as upstream knows them."""
        return self._calls.called

    @property
    def starts_inside(self) -> bool | None:
        """See `Speech`."""
        return self._speech.starts_inside

    @property
    def done(self) -> bool:
        """Whether the upstream said that nothing follows."""
        return self._over or self._end is not None

    @property
    def failing(self) -> bool:
        """Whether the upstream reported a failure, and only the reason of it may follow."""
        return self._reason.awaited

    def feed(self, data: bytes) -> None:
        """Take the data of one event, or of an answer that was not streamed.

        Raises:
            GatewayError: the upstream reports a failure, or this is no part of an answer.
        """
        if data == DONE or self.done:
            self._over = True
            return
        event = decoded(data)
        kind = event.get("type")
        if not isinstance(kind, str):
            kind = untold(event, data)
            event = {"response": event}
        self.take(kind, event)

    def take(self, kind: str, event: Json) -> None:
        """Take an event.

        Args:
            kind: its type.
            event: its members.

        Raises:
            GatewayError: the upstream reports a failure.
        """
        rule = EVENTS.get(ALIASES.get(kind, kind))
        if rule is None and event.get("error"):
            self._failed(event)
        elif rule is None:
            self.lost.append(f"an event of type {kind[:60]}")
        else:
            rule.apply(self, event)

    def close(self) -> None:
        """The upstream's answer has ended; end the response.

        Raises:
            GatewayError: it ended before its answer did, or was stopped.
        """
        self._reason.close()
        if self._end is None and not (self._over and self._stream.started):
            raise cut_off()
        usage, incomplete = self._end or (None, None)
        if self._codex and incomplete == "content_filter":
            raise UpstreamRefused(
                "The upstream's content filter stopped the answer.", code=incomplete, status=400
            )
        incomplete = incomplete or self._at_limit(usage)
        for call in self._speech.close(self.called, whole=incomplete is None):
            self._calls.add(call)
        for item in self._ledger.unfinished():
            self._calls.finish(item, {}, cut_short=incomplete is not None)
        if incomplete is None:
            self.lost += ignored(self._asked, self.called, self._stream.answer_text, logprobs=True)
        if incomplete is None and not self._stream.says_something():
            raise says_nothing()
        self._stream.finish(usage, incomplete)

    def _at_limit(self, usage: replies.ResponseUsage | None) -> Incomplete | None:
        """Why an answer is incomplete that is as long as was allowed; None for a shorter one."""
        tokens = None if usage is None or self.called else usage["output_tokens"]
        return "max_output_tokens" if self._asked.is_reached(tokens) else None

    # -- events --------------------------------------------------------------------------------------------------

    def _nothing(self, event: Json) -> None:
        """Says nothing that is not said elsewhere."""

    def _item_added(self, event: Json) -> None:
        json = event.get("item")
        if isinstance(json, dict) and isinstance(json.get("type"), str):
            item = self._ledger.opened(json, event.get("output_index"))
            self._items.before_call(item)
            self._calls.begin(item, json)

    def _item_done(self, event: Json) -> None:
        json = event.get("item")
        if isinstance(json, dict) and isinstance(json.get("type"), str):
            self._items.whole(self._ledger.ended(json, event.get("output_index")), json)

    def _text(self, kind: str, event: Json) -> None:
        item = self._ledger.spoken(PARTS[kind][0], event)
        delta, logprobs = event.get("delta"), event.get("logprobs")
        if isinstance(delta, str):
            self._items.say(item, kind, item.index_of(kind, event), delta, logprobs)

    def _text_done(self, kind: str, event: Json) -> None:
        item = self._ledger.spoken(PARTS[kind][0], event)
        part = event.get("part")
        content = part if isinstance(part, dict) else event
        text = content.get(PARTS[kind][1])
        if isinstance(text, str):
            index = item.index_of(kind, event)
            self._items.say(item, kind, index, item.rest_of_part(kind, index, text))
        self._items.cite(item, content.get("annotations"))

    def _part_done(self, event: Json) -> None:
        part = event.get("part")
        if isinstance(part, dict) and str(part.get("type")) in PARTS:
            self._text_done(part["type"], event)

    def _annotation(self, event: Json) -> None:
        item = self._ledger.spoken("message", event)
        self._items.cite(item, [*item.annotations, event.get("annotation")])

    def _arguments(self, event: Json) -> None:
        self._more_of_call("function_call", event)

    def _input(self, event: Json) -> None:
        self._more_of_call("custom_tool_call", event)

    def _more_of_call(self, kind: str, event: Json) -> None:
        item = self._ledger.spoken(kind, event)
        self._items.before_call(item)
        self._calls.more(item, event)

    def _completed(self, event: Json) -> None:
        response = event.get("response")
        response = response if isinstance(response, dict) else {}
        self._settle(event, response)
        if self.failing:
            return
        details = response.get("incomplete_details")
        stopped = event.get("type") == "response.incomplete" or end_of(response) is End.CUT_SHORT
        reason = details.get("reason") if isinstance(details, dict) else None
        incomplete = (INCOMPLETE.get(str(reason)) or "max_output_tokens") if stopped else None
        self._end = (counted(response.get("usage")), incomplete)

    def _settle(self, event: Json, response: Json) -> None:
        """Tell what only the final response says."""
        if response.get("error") or end_of(response) is End.FAILED:
            self._failed(event)
            return
        output = response.get("output")
        for json in output if isinstance(output, list) else ():
            if isinstance(json, dict) and isinstance(json.get("type"), str):
                item = self._ledger.final(json)
                if not item.done:
                    self._items.whole(item, json)

    def _failed(self, event: Json) -> None:
        self._reason.take(event)


# -- events of the contract ----------------------------------------------------------------------------------------

EventRule: TypeAlias = Rule[Callable[[ResponsesReader, Json], None]]
_R = ResponsesReader


def _texted(kind: str) -> tuple[EventRule, EventRule]:
    """The rules for more of a text and for all of it."""
    return (
        Rule(How.NATIVE, lambda reader, event: reader._text(kind, event)),
        Rule(How.NATIVE, lambda reader, event: reader._text_done(kind, event), "what its deltas left out"),
    )


_BY_ITSELF: EventRule = Rule(How.IGNORED, _R._nothing, "the stream that leaves begins by itself")
_PART: EventRule = Rule(How.IGNORED, _R._nothing, "a part begins with its first text")
_END: EventRule = Rule(How.NATIVE, _R._completed, "with all that only the final response says")
_FAILURE: EventRule = Rule(How.NATIVE, _R._failed, "an error, and the response fails")
_ITS_ITEM: EventRule = Rule(How.IGNORED, _R._nothing, "the item says it all when it is done")
_STEERED: EventRule = Rule(
    How.IGNORED, _R._nothing, "steering takes a WebSocket, and no upstream is asked over one"
)
_SOUND: EventRule = Rule(How.IGNORED, _R._nothing, "no answer is spoken")

EVENTS: Mapping[str, EventRule] = {
    "response.created": _BY_ITSELF,
    "response.queued": _BY_ITSELF,
    "response.in_progress": _BY_ITSELF,
    "response.output_item.added": Rule(How.NATIVE, _R._item_added, "a call begins"),
    "response.output_item.done": Rule(How.NATIVE, _R._item_done, "what its deltas left out"),
    "response.content_part.added": _PART,
    "response.content_part.done": Rule(How.NATIVE, _R._part_done, "what its deltas left out"),
    "response.reasoning_summary_part.added": _PART,
    "response.reasoning_summary_part.done": Rule(How.NATIVE, _R._part_done, "what its deltas left out"),
    **{
        f"response.{name}.{end}": rule
        for name, kind in (
            ("output_text", "output_text"),
            ("refusal", "refusal"),
            ("reasoning_text", "reasoning_text"),
            ("reasoning_summary_text", "summary_text"),
        )
        for end, rule in zip(("delta", "done"), _texted(kind), strict=True)
    },
    "response.output_text.annotation.added": Rule(How.NATIVE, _R._annotation),
    "response.function_call_arguments.delta": Rule(How.NATIVE, _R._arguments),
    "response.function_call_arguments.done": Rule(How.NATIVE, _R._arguments, "what its deltas left out"),
    "response.custom_tool_call_input.delta": Rule(How.NATIVE, _R._input),
    "response.custom_tool_call_input.done": Rule(How.NATIVE, _R._input, "what its deltas left out"),
    "response.completed": _END,
    "response.incomplete": _END,
    "response.failed": _FAILURE,
    "error": _FAILURE,
    **{
        f"response.{call}.{event}": _ITS_ITEM
        for call, events in {
            "code_interpreter_call": "in_progress interpreting completed",
            "code_interpreter_call_code": "delta done",
            "compaction": "compacting",
            "file_search_call": "in_progress searching completed",
            "image_generation_call": "in_progress generating partial_image completed",
            "mcp_call": "in_progress completed failed",
            "mcp_call_arguments": "delta done",
            "mcp_list_tools": "in_progress completed failed",
            "shell_call_command": "added delta done",
            "shell_call_output_content": "delta done",
            "web_search_call": "in_progress searching completed",
        }.items()
        for event in events.split()
    },
    **{f"response.steer.{event}": _STEERED for event in ("accepted", "pending", "failed")},
    "response.audio.delta": _SOUND,
    "response.audio.done": _SOUND,
    "response.audio.transcript.delta": _SOUND,
    "response.audio.transcript.done": _SOUND,
}
"""Every event of the contract. One that is not here, such as an extension's, can be left out by its nature."""
