"""The Responses face: fills the stubs of tag Responses."""

from __future__ import annotations

from typing import Literal, final

from wireloom_protocol import hot, replies
from wireloom_protocol import responses as m
from wireloom_protocol.operations import ResponsesApi

from wireloom.api import failures
from wireloom.api.replies import folded, loss_header
from wireloom.archive import Page
from wireloom.backends.base import Caller
from wireloom.errors import GatewayError
from wireloom.gateway import Gateway, Run
from wireloom.translate.hub.relay import heartbeat
from wireloom.translate.hub.sequence import Event
from wireloom_runtime.operations import EventStream, Reply


@final
class Responses(ResponsesApi[Caller]):
    """Answers requests for responses, and for those that are stored.

    Args:
        gateway: the road to a backend.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create_response(
        self, caller: Caller, body: m.CreateResponse
    ) -> Reply[replies.Response] | EventStream[replies.ResponseStreamEvent | hot.HotEvent]:
        """See the contract's createResponse."""
        run = await self._gateway.respond(body, caller)
        if body.stream:
            return _stream(run, caller, run.headers())
        response = await folded(run.events())
        return Reply(response, run.headers(caller.exchange.lost_of_answer))

    async def get_response(
        self,
        caller: Caller,
        response_id: str,
        include: list[m.IncludeEnum],
        include_obfuscation: bool | None,
    ) -> Reply[replies.Response]:
        """See the contract's getResponse."""
        return Reply(await self._gateway.archive.response(caller.principal, response_id))

    async def delete_response(self, caller: Caller, response_id: str) -> Reply[replies.DeletedResponse]:
        """See the contract's deleteResponse."""
        return Reply(await self._gateway.archive.forget(caller.principal, response_id))

    async def list_input_items(
        self,
        caller: Caller,
        response_id: str,
        limit: int,
        order: Literal["asc", "desc"],
        after: str | None,
        include: list[m.IncludeEnum],
    ) -> Reply[replies.ResponseItemList]:
        """See the contract's listInputItems."""
        page = Page(limit, order, after)
        return Reply(await self._gateway.archive.inputs(caller.principal, response_id, page))

    async def count_input_tokens(
        self, caller: Caller, body: m.TokenCountsBody
    ) -> Reply[replies.TokenCountsResource]:
        """See the contract's countInputTokens."""
        tokens, lost = await self._gateway.count_input_tokens(body, caller)
        return Reply({"object": "response.input_tokens", "input_tokens": tokens}, loss_header(lost))

    async def compact_response(
        self, caller: Caller, body: m.CompactResponseMethodPublicBody
    ) -> Reply[replies.CompactResource]:
        """See the contract's compactResponse."""
        made, lost = await self._gateway.compact(body, caller)
        return Reply(made, loss_header(lost))


def _stream(
    run: Run, caller: Caller, headers: dict[str, str]
) -> EventStream[replies.ResponseStreamEvent | hot.HotEvent]:
    stream = run.stream

    def start() -> list[Event]:
        stream.start()
        return stream.take()

    def beat() -> list[Event]:
        heartbeat(stream)
        return stream.take()

    def fail(error: Exception) -> list[Event]:
        known = error if isinstance(error, GatewayError) else failures.internal()
        stream.fail(*failures.event(known, codex=caller.codex, inside=caller.exchange.inside))
        return stream.take()

    return EventStream(run.events(), lambda: run.turn.queued, start, beat, fail, headers)
