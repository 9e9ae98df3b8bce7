"""Looks at every request from outside: counts it, and writes its line in the log when it has ended."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wireloom.api.edge import exchange_of
from wireloom.api.observe.meters import Meters
from wireloom.errors import LONGEST_NAME, GatewayError
from wireloom.exchange import ENDED, Exchange

log = logging.getLogger("wireloom.request")

# Asked for by machines every few seconds: not counted, and their lines would bury the others.
PROBES = frozenset({"/health", "/ready", "/metrics"})
QUIET = frozenset({"", "health", "ready", "metrics"})
FACES = {"createChatCompletion": "chat", "createResponse": "responses", "compactResponse": "responses"}
# Bytes of a body that the log repeats at most, where it repeats any.
LONGEST_CONTENT = 100_000


class Observer:
    """Middleware around all others.

    Args:
        app: what answers.
        meters: what counts.
        content: whether the line also holds what was said.
        told: is told of each request that has ended.
    """

    def __init__(
        self,
        app: ASGIApp,
        meters: Meters,
        *,
        content: bool = False,
        told: Callable[[Exchange, Scope], None] | None = None,
    ) -> None:
        self._app = app
        self._meters = meters
        self._told = told
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = exchange_of(scope)

        def tell(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
            return send(message)

        counted = scope["path"] not in PROBES
        if counted:
            self._meters.begun()
        said = Said() if self._content else None
        try:
            if said is None:
                await self._app(scope, receive, tell)
            else:
                await self._app(scope, said.hears(receive), said.tells(tell))
        except Exception:  # of whatever kind: it is raised on, and the line has to tell of it
            exchange.error = exchange.error or GatewayError.code
            exchange.status = exchange.status or GatewayError.status
            raise
        finally:
            exchange.mark(ENDED)
            if counted:
                self._meters.ended(exchange)
            if self._told is not None:
                self._told(exchange, scope)
            self._write(exchange, said)

    def _write(self, exchange: Exchange, said: Said | None) -> None:
        level = logging.WARNING if exchange.outcome == "failed" else logging.INFO
        if exchange.operation in QUIET and level == logging.INFO:
            level = logging.DEBUG
        if log.isEnabledFor(level):
            told = line(exchange)
            if said is not None:
                told |= said.texts()
            log.log(level, summary(told), extra=told)


class Said:
    """What passes in both directions, as far as the log repeats it."""

    def __init__(self) -> None:
        self._asked = bytearray()
        self._answered = bytearray()

    def hears(self, receive: Receive) -> Receive:
        """The channel from the client, listened to."""

        async def hearing() -> Message:
            message = await receive()
            _keep(self._asked, message.get("body", b""))
            return message

        return hearing

    def tells(self, send: Send) -> Send:
        """The channel to the client, listened to."""

        def telling(message: Message) -> Awaitable[None]:
            _keep(self._answered, message.get("body", b""))
            return send(message)

        return telling

    def texts(self) -> dict[str, str]:
        """Both bodies; what is no text (such as a packed body) is shown as far as it can be."""
        return {
            "request_body": self._asked.decode(errors="replace"),
            "response_body": self._answered.decode(errors="replace"),
        }


def _keep(kept: bytearray, more: bytes) -> None:
    kept += more[: LONGEST_CONTENT - len(kept)]


def line(exchange: Exchange) -> dict[str, Any]:
    """What the log tells of a request: names, numbers and times in milliseconds, nothing that was said.

    Args:
        exchange: a request that has ended.
    """
    told = {
        "request_id": exchange.request_id,
        "operation": exchange.operation or None,
        "key": exchange.principal or None,
        "face": FACES.get(exchange.operation),
        "backend": exchange.backend,
        "passed_over": exchange.passed_over or None,
        "model": None if exchange.model is None else exchange.model[:LONGEST_NAME],
        "upstream_model": None if exchange.asked_model is None else exchange.asked_model[:LONGEST_NAME],
        "stream": exchange.streamed,
        "status": exchange.status,
        "outcome": exchange.outcome,
        "terminal": exchange.terminal,
        "error": None if exchange.error is None else exchange.error[:LONGEST_NAME],
        "cause": exchange.cause,
        "lost": exchange.lost,
        "tokens": exchange.tokens or None,
        "ms": {phase: round(seconds * 1000, 2) for phase, seconds in exchange.seconds().items()},
    }
    return {name: value for name, value in told.items() if value is not None}


def summary(told: dict[str, Any]) -> str:
    """The line for people.

    Args:
        told: see `line`.
    """
    parts = [told["request_id"], told.get("operation", "-"), str(told["status"]), told["outcome"]]
    parts += [ascii(told["model"])] if "model" in told else []
    parts += [f"{told['ms']['total']:.0f} ms"]
    # The code of an error may be an upstream's own.
    parts += [f"{name} {ascii(told[name])[1:-1]}" for name in ("error", "cause", "lost") if name in told]
    return " ".join(parts)
