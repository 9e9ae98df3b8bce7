"""The messages of the app-server about a thread: the struct of each that is read, and its decoder, built once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
from wireloom_protocol import app_server_hot as hot

from wireloom.wire.jsonrpc import Frame
from wireloom.wire.lenient import UNREADABLE, Lenient

M = TypeVar("M")


class Message(Generic[M]):
    """A kind of message that is read.

    Args:
        method: of a notification or a request of the server.
        kind: the struct of its params.
    """

    def __init__(self, method: str, kind: type[M]) -> None:
        self.method = method
        self.kind = kind
        self.lenient = Lenient(kind)
        self.decode = self.lenient.decode


TURN_STARTED = Message("turn/started", hot.TurnStartedNotification)
TURN_COMPLETED = Message("turn/completed", hot.TurnCompletedNotification)
ERROR = Message("error", hot.ErrorNotification)
ITEM_STARTED = Message("item/started", hot.ItemStartedNotification)
ITEM_COMPLETED = Message("item/completed", hot.ItemCompletedNotification)
TEXT_DELTA = Message("item/agentMessage/delta", hot.AgentMessageDeltaNotification)
SUMMARY_DELTA = Message("item/reasoning/summaryTextDelta", hot.ReasoningSummaryTextDeltaNotification)
THOUGHT_DELTA = Message("item/reasoning/textDelta", hot.ReasoningTextDeltaNotification)
RAW_ITEM = Message("rawResponseItem/completed", hot.RawResponseItemCompletedNotification)
RAW_RESPONSE = Message("rawResponse/completed", hot.RawResponseCompletedNotification)
TOOL_CALL = Message("item/tool/call", hot.DynamicToolCallParams)

READ: Mapping[str, Message[Any]] = {
    message.method: message
    for message in (
        TURN_STARTED,
        TURN_COMPLETED,
        ERROR,
        ITEM_STARTED,
        ITEM_COMPLETED,
        TEXT_DELTA,
        SUMMARY_DELTA,
        THOUGHT_DELTA,
        RAW_ITEM,
        RAW_RESPONSE,
        TOOL_CALL,
    )
}
"""Method -> the message; of every other message about a thread only the thread is read."""


class Routed(msgspec.Struct, gc=False):
    """The params of a message that is not read.

    Args:
        threadId: the thread that it is about.
    """

    threadId: str | None = None


UNREAD: Message[Any] = Message("", Routed)


class News(msgspec.Struct):
    """A message about a thread.

    Args:
        method: of a notification or a request.
        id: of a request.
        params: the struct of the method, `Routed` for one that is not read, or None where they are no object.
        misfits: values of other types than the contract's, which were dropped.
    """

    method: str
    id: str | int | None
    params: Any
    misfits: list[str] | None = None


def read(frame: Frame) -> News:
    """Decode a notification or a request of the server.

    Args:
        frame: has a method.
    """
    method = frame.method or ""
    message = READ.get(method, UNREAD)
    try:
        return News(method, frame.id, message.decode(frame.params))
    except UNREADABLE:
        misfits: list[str] = []
        params = message.lenient.read(frame.params, misfits)
        return News(method, frame.id, params, misfits)
