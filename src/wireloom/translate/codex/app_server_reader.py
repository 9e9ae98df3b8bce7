"""The messages of the Codex app-server about a turn, read into the verbs of a Responses stream.

Text and reasoning come as deltas. Everything else stands in the raw items: exact argument strings, refusals, sealed
reasoning; and the usage of a model call comes when it is over. A response ends with its turn, or when all calls of a model
call wait for the client: the turn then stays suspended, and the next response goes on with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

from wireloom_protocol import app_server_hot as hot

from wireloom.errors import UpstreamError, UpstreamRefused
from wireloom.translate.codex import app_server_fields
from wireloom.translate.codex.agent_messages import DELTA, DONE, KIND, AgentMessages
from wireloom.translate.codex.app_server_news import (
    ERROR,
    ITEM_COMPLETED,
    ITEM_STARTED,
    RAW_ITEM,
    RAW_RESPONSE,
    SUMMARY_DELTA,
    TEXT_DELTA,
    THOUGHT_DELTA,
    TOOL_CALL,
    TURN_COMPLETED,
    TURN_STARTED,
    Message,
    News,
)
from wireloom.translate.codex.app_server_usage import TurnUsage
from wireloom.translate.codex.errors import failure, incomplete
from wireloom.translate.codex.schemas import Schema
from wireloom.translate.hub.endings import INCOMPLETE, Incomplete
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.responses_upstream.reader import ResponsesReader
from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json
from wireloom.wire.lenient import Lenient

M = TypeVar("M")

# How often Codex may begin a model call anew before it is taken to be lost; it goes on for ever without a network.
RETRIES = 5
FILTERED = "The content filter stopped the answer."

_raw_item = Lenient(hot.ResponseItem)


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that waits for its output.

    Args:
        request: id of the app-server's request, to be answered.
        name: flat name of the tool.
        arguments: JSON as the model wrote it.
    """

    request: str | int
    name: str
    arguments: str


class AppServerReader:
    """Reads one response out of a turn.

    Args:
        stream: takes the answer.
        tools: the names under which tools are offered.
        schemas: flat name of a tool -> the schema that its arguments have to fit.
        close: seals what only this backend can read.
        codex: whether the client is the Codex CLI.
        agent: whether Codex has tools of its own, whose calls are no affair of the client's.
        streamed: whether the client gets deltas; a whole answer waits for the display of each message.
    """

    def __init__(
        self,
        stream: ResponseStream,
        tools: Tools,
        schemas: Mapping[str, Schema],
        close: Callable[[Json], str],
        *,
        codex: bool = False,
        agent: bool = False,
        streamed: bool = True,
    ) -> None:
        self.turn_id: str | None = None
        self.done = False
        """Whether the response has ended."""
        self.over = False
        """Whether the turn has ended."""
        self.pending: dict[str, Pending] = {}
        """Call id as the client knows it -> the call."""
        self._stream = stream
        self._tools = tools
        self._schemas = schemas
        self._codex = codex
        self._agent = agent
        self.called: list[str] = []
        """Names of the functions that were called, as Codex knows them."""
        self.lost: list[str] = []
        """Parts of the answer that were not passed on, in words for the log."""
        self._read = partial(ResponsesReader, stream, tools, close, codex=codex)
        self._messages = AgentMessages(stream.new_id, self.lost, streamed=streamed)
        self._begin_call()
        # Codex's call id -> the client's, and the call.
        self._told: dict[str, tuple[str, hot.ResponseItem]] = {}
        self._asked: dict[str, str | int] = {}  # Codex's call id -> id of the app-server's request
        self._answered = False  # whether the model call is over whose calls are told
        self._used = TurnUsage()
        self._retries = 0

    @property
    def suspended(self) -> bool:
        """Whether the turn waits for the outputs of calls, all of which the client knows."""
        if self.done:
            return False
        return self._answered and bool(self._told) and self._told.keys() == self._asked.keys()

    def feed(self, news: News) -> None:
        """Take a message about the turn's thread.

        Raises:
            GatewayError: the turn failed.
        """
        if news.misfits:
            self.lost += [misfit for misfit in news.misfits if misfit not in self.lost]
        rule = NOTIFICATIONS.get(news.method)
        if news.params is None:
            return
        if news.method == TOOL_CALL.method:
            self._ask(news.params, news.id)
        elif rule is not None and rule.apply is not None:
            rule.apply(self, news.params)

    def close(self) -> None:
        """End the response of a turn that is suspended."""
        for codex_id, (call_id, item) in self._told.items():
            pending = Pending(self._asked[codex_id], item.name or "", item.arguments or "{}")
            self.pending[call_id] = pending
        self._stream.finish(self._used.response())

    def _ask(self, params: hot.DynamicToolCallParams, request_id: str | int | None) -> None:
        """A client's tool is called."""
        if params.callId is not None and request_id is not None:
            self._asked[params.callId] = request_id

    # -- text ----------------------------------------------------------------------------------------------------

    def _text(self, message: hot.AgentMessageDeltaNotification) -> None:
        if message.itemId in self._messages.flowing:
            # Nearly every token comes this way.
            self._reader.take(DELTA, {"item_id": message.itemId, "delta": message.delta})
        else:
            self._messages.delta(message.itemId or "", message.delta)

    def _summary(self, message: hot.ReasoningSummaryTextDeltaNotification) -> None:
        index = message.summaryIndex
        event = {"item_id": message.itemId, "delta": message.delta, "summary_index": index}
        self._reader.take("response.reasoning_summary_text.delta", event)

    def _thought(self, message: hot.ReasoningTextDeltaNotification) -> None:
        index = message.contentIndex
        event = {"item_id": message.itemId, "delta": message.delta, "content_index": index}
        self._reader.take("response.reasoning_text.delta", event)

    # -- items ---------------------------------------------------------------------------------------------------

    def _started(self, message: hot.TurnStartedNotification) -> None:
        if self.turn_id is None and message.turn is not None:
            self.turn_id = message.turn.id

    def _begun(self, message: hot.ItemStartedNotification) -> None:
        item = message.item
        if item is not None and item.type == KIND:
            self._messages.begin(item)

    def _ended(self, message: hot.ItemCompletedNotification) -> None:
        item = message.item
        if item is not None and item.type == KIND:
            self._messages.end(item)

    def _item(self, message: hot.RawResponseItemCompletedNotification) -> None:
        """A raw item; those of another turn are the ones that were injected."""
        if message.turnId != self.turn_id or not isinstance(message.item, dict):
            return
        item = _raw_item.convert(message.item, self.lost)
        if item is None:
            return
        rule = ITEMS.get(item.type or "")
        if rule is None:
            self.lost.append(f"an item of type {str(item.type)[:60]}")
        else:
            rule.apply(self, item, message.item)

    def _said(self, item: hot.ResponseItem, json: Json) -> None:
        if item.role == "assistant":
            self._messages.whole(item.id or "", json)

    def _reasoned(self, item: hot.ResponseItem, json: Json) -> None:
        self._reader.take(DONE, {"item": json})

    def _called(self, item: hot.ResponseItem, json: Json) -> None:
        name = item.name or ""
        if name not in self._tools.by_flat_name:
            if not self._agent:
                self.lost.append(f"a call of {name[:64]}, which is not offered: Codex answers it itself")
            return
        call_id = self._stream.new_id("call")
        self._answered = False
        self._told[item.call_id or ""] = call_id, item
        self.called.append(name)
        renamed = {**json, "call_id": call_id}
        renamed.pop("id", None)
        self._reader.take(DONE, {"item": renamed})
        misfit = self._schemas[name].misfit(item.arguments or "") if name in self._schemas else None
        if misfit is not None:
            self.lost.append(f"the arguments of {name} do not fit its schema: {misfit}")

    # -- ends ----------------------------------------------------------------------------------------------------

    def _begin_call(self) -> None:
        """A model call begins; its items may have the ids of those before."""
        self._reader = self._read()
        self._messages.begin_call(self._reader.take)

    def _counted(self, message: hot.RawResponseCompletedNotification) -> None:
        """A model call is over."""
        self._answered = True
        self._messages.end_call()
        self.lost += self._reader.lost
        self._begin_call()
        self._stream.next_item()
        self._used.add(message.usage)
        if self._messages.filtered is not None:
            self._cut("content_filter")

    def _error(self, message: hot.ErrorNotification) -> None:
        """News of a failure; without another try its turn fails at once."""
        error = message.error
        if not message.willRetry or error is None:
            return
        self._retries += 1
        reason = incomplete(error.message, error.additionalDetails)
        if reason is not None:
            self._cut(reason)
        elif self._stream.has_output or self._retries > RETRIES:
            # The text that was sent cannot be taken back, and would be sent again.
            raise failure(hot.TurnError(error.additionalDetails or error.message, None, error.codexErrorInfo))
        else:
            self._messages.forget()

    def _completed(self, message: hot.TurnCompletedNotification) -> None:
        turn = message.turn or hot.Turn()
        error = turn.error or hot.TurnError()
        self.over = True
        self._messages.end_turn(turn.items or ())
        reason = incomplete(error.message, error.additionalDetails)
        if self._messages.filtered is not None:
            self._cut("content_filter")
        elif reason is not None:
            self._cut(reason)
        elif turn.status == "completed":
            self._finish()
        elif turn.status == "failed":
            raise failure(error)
        else:
            raise UpstreamError("Codex broke the turn off.", code="upstream_incomplete")

    def _cut(self, reason: str) -> None:
        """The model stopped early, or was stopped; the text so far is the answer."""
        known = INCOMPLETE.get(reason, "max_output_tokens")
        if self._codex and known == "content_filter":
            self.done = True
            raise UpstreamRefused(self._messages.filtered or FILTERED, code=known, status=400)
        self._finish(known)

    def _finish(self, incomplete: Incomplete | None = None) -> None:
        self.done = True
        self._messages.release()
        self._stream.finish(self._used.response(), incomplete)


# -- every notification of the contract, and every kind of raw item -------------------------------------------------

NotificationRule: TypeAlias = Rule[Callable[[AppServerReader, Any], None] | None]
ItemRule: TypeAlias = Rule[Callable[[AppServerReader, hot.ResponseItem, Json], None]]
_R = AppServerReader


def _native(
    message: Message[M], then: Callable[[AppServerReader, M], None], note: str = ""
) -> tuple[str, NotificationRule]:
    """The rule of a notification that a method of the reader takes."""
    return message.method, Rule(How.NATIVE, then, note)


def _no_item(reader: AppServerReader, item: hot.ResponseItem, json: Json) -> None:
    """Nothing of the item is the client's."""


NOTIFICATIONS: Mapping[str, NotificationRule] = {
    **dict(
        (
            _native(TURN_STARTED, _R._started, "the turn's id"),
            _native(TURN_COMPLETED, _R._completed, "the only end of a turn"),
            _native(ERROR, _R._error, "a text that was sent is not sent again"),
            _native(ITEM_STARTED, _R._begun, "a message that never comes was a refusal"),
            _native(ITEM_COMPLETED, _R._ended, "whether a message is shown"),
            _native(TEXT_DELTA, _R._text),
            _native(SUMMARY_DELTA, _R._summary),
            _native(THOUGHT_DELTA, _R._thought),
            _native(RAW_ITEM, _R._item, "what the deltas left out"),
            _native(RAW_RESPONSE, _R._counted, "usage; all calls of this answer have come"),
        )
    ),
    "account/rateLimits/updated": Rule(How.NATIVE, None, "by the connection: headers of later answers"),
    **{method: Rule(How.IGNORED, None, reason) for method, reason in app_server_fields.NOTIFICATIONS.items()},
}

ITEMS: Mapping[str, ItemRule] = {
    "message": Rule(How.NATIVE, _R._said, "those of the assistant"),
    "reasoning": Rule(How.NATIVE, _R._reasoned, "what is encrypted is sealed"),
    "function_call": Rule(How.NATIVE, _R._called, "under a call id of the gateway's own"),
    **{kind: Rule(How.IGNORED, _no_item, reason) for kind, reason in app_server_fields.RAW_ITEMS.items()},
}
