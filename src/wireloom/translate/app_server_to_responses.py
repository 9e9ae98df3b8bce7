"""What the Codex app-server tells of a turn, read into the verbs of a Responses stream.

Text and reasoning come as deltas. Everything else stands in the raw items: exact argument strings, refusals, sealed
reasoning; and how many tokens a model call cost comes when it is over. A response ends with its turn, or when all calls of
a model call wait for the client: the turn then stays suspended, and the next response goes on with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from wireloom.errors import UpstreamError, UpstreamRefused
from wireloom.translate import tools as t
from wireloom.translate.chat_to_responses import INCOMPLETE
from wireloom.translate.codex_errors import failure, incomplete
from wireloom.translate.codex_schemas import Schema
from wireloom.translate.loss import How, Rule
from wireloom.translate.response_stream import ResponseStream
from wireloom.translate.responses_to_responses import ResponsesReader
from wireloom.wire.jsonrpc import Frame

if TYPE_CHECKING:
    from wireloom_protocol import replies

Json: TypeAlias = dict[str, Any]

# How often Codex may begin a model call anew before it is taken to be lost; it goes on for ever without a network.
RETRIES = 5
# Codex passes over parts of a kind that it does not know, so that a message which refuses never comes.
REFUSED = "The model refused. Codex does not pass on its words."
SUMMARY_DELTA = "response.reasoning_summary_text.delta"


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
        stream: what is spoken to.
        tools: the names under which tools are offered.
        schemas: flat name of a tool -> what its arguments have to fit.
        close: seals what only this backend can read.
        codex: whether the client is the Codex CLI.
        agent: whether Codex has tools of its own, whose calls are no affair of the client's.
    """

    def __init__(
        self,
        stream: ResponseStream,
        tools: t.Tools,
        schemas: Mapping[str, Schema],
        close: Callable[[Json], str],
        *,
        codex: bool = False,
        agent: bool = False,
    ) -> None:
        self.turn_id: str | None = None
        self.done = False
        """Whether the response has ended."""
        self.over = False
        """Whether the turn has."""
        self.pending: dict[str, Pending] = {}
        """Call id as the client knows it -> the call."""
        self._stream = stream
        self._tools = tools
        self._schemas = schemas
        self._codex = codex
        self._agent = agent
        self._read = partial(ResponsesReader, stream, tools, close, codex=codex)
        self._reader = self._read()
        self.called: list[str] = []
        """Names of the functions that were called, as Codex knows them."""
        self.lost: list[str] = []
        """What of the answer could not be told, in words for the log."""
        self._told: dict[str, tuple[str, Json]] = {}  # Codex's call id -> the client's, and the raw item
        self._asked: dict[str, str | int] = {}  # Codex's call id -> id of the app-server's request
        self._answered = False  # whether the model call is over whose calls are told
        self._unsaid: set[str] = set()  # messages that have begun
        self._used: Json | None = None
        self._retries = 0

    @property
    def suspended(self) -> bool:
        """Whether the turn waits for the outputs of calls, all of which have been told."""
        return self._answered and bool(self._told) and self._told.keys() == self._asked.keys()

    def feed(self, frame: Frame) -> None:
        """Take a notification of the turn's thread, or a request that is about it.

        Raises:
            GatewayError: the turn failed.
        """
        rule = NOTIFICATIONS.get(frame.method or "")
        params = frame.params
        if not isinstance(params, dict):
            return
        if frame.method == "item/tool/call":
            self._asked[str(params.get("callId"))] = frame.id if frame.id is not None else ""
        elif rule is not None:
            rule.apply(self, params)

    def close(self) -> None:
        """End the response of a turn that is suspended."""
        for codex_id, (call_id, item) in self._told.items():
            pending = Pending(self._asked[codex_id], item["name"], item.get("arguments") or "{}")
            self.pending[call_id] = pending
        self._stream.finish(self._usage())

    # -- what is told --------------------------------------------------------------------------------------------

    def _nothing(self, params: Json) -> None:
        """Says nothing of the answer, or nothing that is not said elsewhere."""

    def _text(self, params: Json) -> None:
        self._reader.take("response.output_text.delta", _delta(params))

    def _summary(self, params: Json) -> None:
        event = {**_delta(params), "summary_index": params.get("summaryIndex")}
        self._reader.take(SUMMARY_DELTA, event)

    def _thought(self, params: Json) -> None:
        event = {**_delta(params), "content_index": params.get("contentIndex")}
        self._reader.take("response.reasoning_text.delta", event)

    def _started(self, params: Json) -> None:
        turn = params.get("turn")
        self.turn_id = self.turn_id or (str(turn.get("id")) if isinstance(turn, dict) else None)

    def _begun(self, params: Json) -> None:
        item = params.get("item")
        if isinstance(item, dict) and item.get("type") == "agentMessage":
            self._unsaid.add(str(item.get("id")))

    def _item(self, params: Json) -> None:
        """A raw item; those of another turn are the ones that were injected."""
        item = params.get("item")
        if isinstance(item, dict) and params.get("turnId") == self.turn_id:
            rule = ITEMS.get(str(item.get("type")))
            if rule is None:
                self.lost.append(f"an item of type {str(item.get('type'))[:60]}")
            else:
                rule.apply(self, item)

    def _said(self, item: Json) -> None:
        if item.get("role") == "assistant":
            self._unsaid.discard(str(item.get("id")))
            self._reader.take("response.output_item.done", {"item": item})

    def _reasoned(self, item: Json) -> None:
        self._reader.take("response.output_item.done", {"item": item})

    def _called(self, item: Json) -> None:
        name, codex_id = str(item.get("name")), str(item.get("call_id"))
        if name not in self._tools.by_flat_name:
            if not self._agent:
                self.lost.append(f"a call of {name[:64]}, which is not offered: Codex answers it itself")
            return
        call_id = self._stream.new_id("call")
        self._answered = False
        self._told[codex_id] = call_id, item
        self.called.append(name)
        told = {**item, "call_id": call_id}
        told.pop("id", None)
        self._reader.take("response.output_item.done", {"item": told})
        misfit = self._schemas[name].misfit(item.get("arguments") or "") if name in self._schemas else None
        if misfit is not None:
            self.lost.append(f"the arguments of {name} do not fit its schema: {misfit}")

    def _counted(self, params: Json) -> None:
        """A model call is over; items of the next one may have the same ids."""
        self._answered = True
        if self._unsaid:
            self._unsaid.clear()
            self._stream.refusal(REFUSED)
            self.lost.append("the words of a refusal")
        self.lost += self._reader.lost
        self._reader = self._read()
        self._stream.next_item()
        usage = params.get("usage")
        if isinstance(usage, dict):
            used = self._used or dict.fromkeys(USAGE, 0)
            self._used = {name: used[name] + _number(usage.get(name)) for name in USAGE}

    def _error(self, params: Json) -> None:
        """News of a failure; without another try its turn fails at once."""
        error = params.get("error")
        if not params.get("willRetry") or not isinstance(error, dict):
            return
        self._retries += 1
        reason = incomplete(error.get("message"), error.get("additionalDetails"))
        if reason is not None:
            self._cut(reason)
        elif self._stream.spoke or self._retries > RETRIES:
            # What was told cannot be taken back, and would be told again.
            raise failure({**error, "message": error.get("additionalDetails") or error.get("message")})

    def _completed(self, params: Json) -> None:
        turn = params.get("turn")
        turn = turn if isinstance(turn, dict) else {}
        self.over = True
        error = turn.get("error")
        error = error if isinstance(error, dict) else {}
        reason = incomplete(error.get("message"), error.get("additionalDetails"))
        if reason is not None:
            self._cut(reason)
        elif turn.get("status") == "completed":
            self.done = True
            self._stream.finish(self._usage())
        elif turn.get("status") == "failed":
            raise failure(error)
        else:
            raise UpstreamError("Codex broke the turn off.", code="upstream_incomplete")

    def _cut(self, reason: str) -> None:
        """The model stopped early; what it said so far is the answer."""
        self.done = True
        known = INCOMPLETE.get(reason, "max_output_tokens")
        if self._codex and known == "content_filter":
            raise UpstreamRefused("The content filter stopped the answer.", code=known, status=400)
        self._stream.finish(self._usage(), known)

    def _usage(self) -> replies.ResponseUsage | None:
        used = self._used
        if used is None:
            return None
        return {
            "input_tokens": used["inputTokens"],
            "input_tokens_details": {
                "cached_tokens": used["cachedInputTokens"],
                "cache_write_tokens": used["cacheWriteInputTokens"],
            },
            "output_tokens": used["outputTokens"],
            "output_tokens_details": {"reasoning_tokens": used["reasoningOutputTokens"]},
            "total_tokens": used["totalTokens"],
        }


USAGE = (
    "inputTokens",
    "cachedInputTokens",
    "cacheWriteInputTokens",
    "outputTokens",
    "reasoningOutputTokens",
    "totalTokens",
)


def _delta(params: Json) -> Json:
    return {"item_id": params.get("itemId"), "delta": params.get("delta")}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


# -- every notification of the contract, and every kind of raw item -------------------------------------------------

NotificationRule: TypeAlias = Rule[Callable[[AppServerReader, Json], None]]
_R = AppServerReader


def _ignored(reason: str) -> NotificationRule:
    return Rule(How.IGNORED, _R._nothing, reason)


_RAW = _ignored("the raw item says it all")
_OWN = _ignored("what Codex does by itself, under --agent alone")
_STATE = _ignored("says how the thread is, not what the answer is")
_ACCOUNT = _ignored("the login is Codex's own affair")

NOTIFICATIONS: Mapping[str, NotificationRule] = {
    "turn/started": Rule(How.NATIVE, _R._started, "the turn's id"),
    "turn/completed": Rule(How.NATIVE, _R._completed, "the only end of a turn"),
    "error": Rule(How.NATIVE, _R._error, "nothing that was told is told again"),
    "item/agentMessage/delta": Rule(How.NATIVE, _R._text),
    "item/reasoning/summaryTextDelta": Rule(How.NATIVE, _R._summary),
    "item/reasoning/textDelta": Rule(How.NATIVE, _R._thought),
    "rawResponseItem/completed": Rule(How.NATIVE, _R._item, "what the deltas left out"),
    "rawResponse/completed": Rule(How.NATIVE, _R._counted, "usage; the calls of this answer are all told"),
    "account/rateLimits/updated": Rule(How.NATIVE, _R._nothing, "headers of later answers"),
    "item/reasoning/summaryPartAdded": _ignored("a part begins with its first text"),
    "item/started": Rule(How.NATIVE, _R._begun, "a message that never comes was a refusal"),
    "item/completed": _RAW,
    "thread/tokenUsage/updated": _ignored("each model call tells its usage itself, and earlier"),
    "turn/diff/updated": _OWN,
    "turn/plan/updated": _OWN,
    "item/plan/delta": _OWN,
    "item/commandExecution/outputDelta": _OWN,
    "item/commandExecution/terminalInteraction": _OWN,
    "item/fileChange/outputDelta": _OWN,
    "item/fileChange/patchUpdated": _OWN,
    "item/mcpToolCall/progress": _OWN,
    "mcpServer/startupStatus/updated": _OWN,
    "thread/started": _STATE,
    "thread/status/changed": _STATE,
    "thread/settings/updated": _STATE,
    "thread/compacted": _STATE,
    "thread/archived": _STATE,
    "thread/closed": _STATE,
    "serverRequest/resolved": _STATE,
    "turn/moderationMetadata": _STATE,
    "account/updated": _ACCOUNT,
    "modelProvider/authRecoveryStarted": _ACCOUNT,
    "modelProvider/authRecoveryCompleted": _ACCOUNT,
    "model/verification": _ACCOUNT,
    "model/rerouted": _ignored("the response names the model that was asked for"),
    "model/safetyBuffering/updated": _STATE,
    "warning": _ignored("a remark for people at a terminal"),
    "guardianWarning": _ignored("a remark for people at a terminal"),
    "configWarning": _ignored("a remark for people at a terminal"),
    "deprecationNotice": _ignored("a remark for people at a terminal"),
    "remoteControl/status/changed": _ignored("holds the host's name, which goes nowhere"),
}

_ECHO = _ignored("it came from here")
_AGENT = _ignored("Codex ran it itself, under --agent alone")

ITEMS: Mapping[str, NotificationRule] = {
    "message": Rule(How.NATIVE, _R._said, "those of the assistant"),
    "reasoning": Rule(How.NATIVE, _R._reasoned, "what is encrypted is sealed"),
    "function_call": Rule(How.NATIVE, _R._called, "under a call id of the gateway's own"),
    "function_call_output": _ECHO,
    "additional_tools": _ECHO,
    "agent_message": _AGENT,
    "local_shell_call": _AGENT,
    "custom_tool_call": _AGENT,
    "custom_tool_call_output": _AGENT,
    "tool_search_call": _AGENT,
    "tool_search_output": _AGENT,
    "web_search_call": _AGENT,
    "image_generation_call": _AGENT,
    "compaction": _AGENT,
    "compaction_trigger": _AGENT,
    "context_compaction": _AGENT,
    "configuration_update": _ECHO,
    "other": _ignored("of a kind that Codex does not know itself"),
}
