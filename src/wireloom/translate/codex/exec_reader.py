"""What `codex exec --json` writes, read into the verbs of a Responses stream: whole items, since it has no deltas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from wireloom.errors import UpstreamError, UpstreamRefused
from wireloom.translate.codex.errors import incomplete, spoken
from wireloom.translate.hub.endings import INCOMPLETE
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.rules.loss import How, Rule
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies


RETRY = "Reconnecting"
"""How news of another try begins."""


class ExecReader:
    """Reads one run.

    Args:
        stream: what is spoken to.
        codex: whether the client is the Codex CLI.
    """

    def __init__(self, stream: ResponseStream, *, codex: bool = False) -> None:
        self._stream = stream
        self._codex = codex
        self.done = False
        """Whether the turn has ended."""
        self.called: list[str] = []
        """Names of the functions that were called: none."""
        self.lost: list[str] = []
        """What of the answer could not be told, in words for the log."""

    def feed(self, line: bytes) -> None:
        """Take a line; what is no event is passed over.

        Raises:
            GatewayError: the turn failed.
        """
        if self.done:
            return
        try:
            event = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if isinstance(event, dict):
            kind = str(event.get("type"))
            rule = EVENTS.get(kind)
            if rule is None:
                self.lost.append(f"an event of type {kind[:60]}")
            else:
                rule.apply(self, event)

    def close(self, exit_code: int | None) -> None:
        """The run is over.

        Raises:
            UpstreamError: its turn has no end.
        """
        if not self.done:
            raise UpstreamError(
                f"codex exec ended without an answer (exit code {exit_code}).", code="upstream_incomplete"
            )

    # -- events --------------------------------------------------------------------------------------------------

    def _nothing(self, event: Json) -> None:
        """Says nothing of the answer, or nothing that is not said elsewhere."""

    def _item(self, event: Json) -> None:
        item = event.get("item")
        if isinstance(item, dict):
            kind = str(item.get("type"))
            rule = ITEMS.get(kind)
            if rule is None:
                self.lost.append(f"an item of type {kind[:60]}")
            else:
                rule.apply(self, item)

    def _said(self, item: Json) -> None:
        self._stream.next_item()
        self._stream.text(str(item.get("text") or ""))

    def _reasoned(self, item: Json) -> None:
        self._stream.next_item()
        self._stream.summary(str(item.get("text") or ""))

    def _completed(self, event: Json) -> None:
        self.done = True
        self._stream.finish(_usage(event.get("usage")))

    def _failed(self, event: Json) -> None:
        error = event.get("error")
        message = error.get("message") if isinstance(error, dict) else None
        self._ended(str(message or "Codex failed without saying why."))

    def _troubled(self, event: Json) -> None:
        """News of another try, which would say again what has been said, or of an answer that was cut short."""
        said = str(event.get("message") or "")
        if incomplete(said) is not None or (said.startswith(RETRY) and self._stream.has_output):
            self._ended(said)

    def _ended(self, said: str) -> None:
        """The turn is over before its time."""
        self.done = True
        reason = incomplete(said)
        if reason is None:
            raise spoken(said)
        known = INCOMPLETE.get(reason, "max_output_tokens")
        if self._codex and known == "content_filter":
            raise UpstreamRefused("The content filter stopped the answer.", code=known, status=400)
        self._stream.finish(None, known)


def _usage(counted: Any) -> replies.ResponseUsage | None:
    if not isinstance(counted, dict):
        return None
    read, written = _number(counted, "input_tokens"), _number(counted, "output_tokens")
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": _number(counted, "cached_input_tokens"),
            "cache_write_tokens": _number(counted, "cache_write_input_tokens"),
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": _number(counted, "reasoning_output_tokens")},
        "total_tokens": read + written,
    }


def _number(counted: Json, name: str) -> int:
    value = counted.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


# -- events and items, as they were recorded -------------------------------------------------------------------------

EventRule: TypeAlias = Rule[Callable[[ExecReader, Json], None]]
_R = ExecReader


def _ignored(reason: str) -> EventRule:
    return Rule(How.IGNORED, _R._nothing, reason)


_END = _ignored("told when it is complete")
_OWN = _ignored("what Codex does by itself, under --agent alone")

EVENTS: Mapping[str, EventRule] = {
    "thread.started": _ignored("the thread goes with its run"),
    "turn.started": _ignored("the stream that leaves begins by itself"),
    "turn.completed": Rule(How.NATIVE, _R._completed, "the end, and the usage"),
    "turn.failed": Rule(How.NATIVE, _R._failed, "a failure, or an answer that was cut short"),
    "error": Rule(How.NATIVE, _R._troubled, "nothing that was told is told again"),
    "item.started": _END,
    "item.updated": _END,
    "item.completed": Rule(How.NATIVE, _R._item),
}
ITEMS: Mapping[str, EventRule] = {
    "agent_message": Rule(How.NATIVE, _R._said, "a message of its own"),
    "reasoning": Rule(How.NATIVE, _R._reasoned, "a summary"),
    "error": _ignored("a remark for people at a terminal"),
    "command_execution": _OWN,
    "file_change": _OWN,
    "mcp_tool_call": _OWN,
    "collab_tool_call": _OWN,
    "web_search": _OWN,
    "todo_list": _OWN,
}
