"""The Responses face: fills the stubs of tag Responses."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from wireloom_protocol import responses as m
from wireloom_protocol.routes import EventStream, Reply

from wireloom.api import failures
from wireloom.backends.base import Caller
from wireloom.errors import GatewayError
from wireloom.gateway import Gateway, Run
from wireloom.translate.response_fold import fold


class Responses:
    """Answers requests for responses.

    Args:
        gateway: the road to a backend.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create_response(
        self, caller: Caller, body: m.CreateResponse
    ) -> Reply[m.Response] | EventStream[m.ResponseStreamEvent]:
        """See the contract's createResponse."""
        run = self._gateway.respond(body, caller)
        lost = run.losses.header()
        headers = {"x-wireloom-loss": lost} if lost else {}
        if body.stream:
            return _stream(run, caller, headers)
        return Reply(await _folded(run.turn.events()), headers)


def _stream(run: Run, caller: Caller, headers: dict[str, str]) -> EventStream[m.ResponseStreamEvent]:
    stream = run.stream

    def start() -> list[Any]:
        stream.start()
        return stream.take()

    def heartbeat() -> list[Any]:
        stream.heartbeat()
        return stream.take()

    def fail(error: Exception) -> list[Any]:
        known = error if isinstance(error, GatewayError) else failures.internal()
        stream.fail(*failures.event(known, codex=caller.codex))
        return stream.take()

    return EventStream(run.turn.events(), lambda: run.turn.queued, start, heartbeat, fail, headers)


async def _folded(batches: AsyncGenerator[list[Any], None]) -> dict[str, Any]:
    response = None
    async with aclosing(batches):
        async for batch in batches:
            response = fold(batch, response)
    if response is None:
        raise failures.internal()
    return response
