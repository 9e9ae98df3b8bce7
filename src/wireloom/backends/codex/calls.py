"""The requests to a Codex app-server: params that fit the contract, and the struct of the result that is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from wireloom_protocol import app_server_hot as hot
from wireloom_protocol import rpc

from wireloom.translate.rules.loss import How, Rule
from wireloom.wire.lenient import Lenient

R = TypeVar("R")


class Call(Generic[R]):
    """A request.

    Args:
        row: its line in the table of methods.
        result: the struct of its result, or None where the result is not read.
    """

    def __init__(self, row: rpc.Request[Any, Any], result: type[R] | None = None) -> None:
        self.row = row
        self.method = row.method
        self.result = result
        self.reader: Lenient[R] | None = None if result is None else Lenient(result)

    def checked(self, params: Mapping[str, Any]) -> Any:
        """The params as they are sent.

        Args:
            params: JSON.

        Raises:
            pydantic.ValidationError: they do not fit the contract; the app-server ignores unknown members.
        """
        return self.row.dump_params(self.row.read_params(dict(params)))


INITIALIZE: Call[None] = Call(rpc.INITIALIZE)
ACCOUNT_READ = Call(rpc.ACCOUNT_READ, hot.GetAccountResponse)
MODEL_LIST = Call(rpc.MODEL_LIST, hot.ModelListResponse)
THREAD_START = Call(rpc.THREAD_START, hot.ThreadStartResponse)
THREAD_INJECT_ITEMS: Call[None] = Call(rpc.THREAD_INJECT_ITEMS)
THREAD_UNSUBSCRIBE: Call[None] = Call(rpc.THREAD_UNSUBSCRIBE)
TURN_START = Call(rpc.TURN_START, hot.TurnStartResponse)
TURN_INTERRUPT: Call[None] = Call(rpc.TURN_INTERRUPT)


def _sent(call: Call[Any], note: str) -> Rule[Call[Any] | None]:
    return Rule(How.NATIVE, call, note)


def _not_sent(note: str) -> Rule[Call[Any] | None]:
    return Rule(How.IGNORED, None, note)


_STORED = "threads are ephemeral: none is opened twice, read back or archived"

METHODS: Mapping[str, Rule[Call[Any] | None]] = {
    "initialize": _sent(INITIALIZE, "the first request of a connection"),
    "account/read": _sent(ACCOUNT_READ, "readiness"),
    "model/list": _sent(MODEL_LIST, "the models and their efforts"),
    "thread/start": _sent(THREAD_START, "a thread for each request"),
    "thread/inject_items": _sent(THREAD_INJECT_ITEMS, "the input, item by item"),
    "thread/unsubscribe": _sent(THREAD_UNSUBSCRIBE, "the end of a thread"),
    "turn/start": _sent(TURN_START, "the one turn of a thread"),
    "turn/interrupt": _sent(TURN_INTERRUPT, "the client left, or the response ended before its turn"),
    "account/rateLimits/read": _not_sent("the app-server sends the limits by itself"),
    "config/read": _not_sent(
        "the configuration is sent with each thread, and tests look at the model's request"
    ),
    "server/diagnostics": _not_sent("the process is measured from outside"),
    "thread/resume": _not_sent(_STORED),
    "thread/read": _not_sent(_STORED),
    "thread/archive": _not_sent(_STORED),
}
"""Every compiled request of a client; those that are not sent are in the published package alone."""
