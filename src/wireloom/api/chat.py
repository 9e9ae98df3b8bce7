"""The Chat face: fills the stubs of tag Chat."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, final

from pydantic import TypeAdapter
from wireloom_protocol import chat, replies
from wireloom_protocol import responses as m
from wireloom_protocol.operations import ChatApi

from wireloom.api import bodies, failures
from wireloom.api.replies import folded, loss_header
from wireloom.backends.base import Caller
from wireloom.errors import GatewayError
from wireloom.gateway import Gateway, Run
from wireloom.translate.chat_face.chunks import ChatChunks
from wireloom.translate.chat_face.completion import completion
from wireloom.translate.chat_face.request import HubRequest, hub_request
from wireloom.translate.rules.loss import Losses, Severity, render
from wireloom.wire import sse

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatFrame
from wireloom_runtime.operations import EventStream, Reply

REQUEST: TypeAdapter[m.CreateResponse] = TypeAdapter(m.CreateResponse)

log = logging.getLogger("wireloom.request")


@final
class ChatCompletions(ChatApi[Caller]):
    """Answers requests for chat completions.

    Args:
        gateway: the road to a backend.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create_chat_completion(
        self, caller: Caller, body: chat.CreateChatCompletionRequest
    ) -> Reply[replies.CreateChatCompletionResponse] | EventStream[replies.ChatCompletionStreamEvent]:
        """See the contract's createChatCompletion."""
        losses = Losses(strict=self._gateway.strict)
        relayed = await self._gateway.relay(body, caller, losses)
        if relayed is None:
            return await self._translated(caller, body)
        harmless = render(loss for loss in losses.items if loss.severity is Severity.IMMATERIAL)
        if harmless:  # the others are in the header
            log.info("%s changed: %s", caller.request_id, harmless)
        if body.stream:
            fail = partial(_failed, relayed.left, caller)
            return EventStream(
                relayed.events(), lambda: relayed.queued, _alive, _alive, fail, loss_header(losses.header())
            )
        made = await relayed.whole()
        return Reply.encoded(made, loss_header(losses.header(caller.exchange.lost_of_answer)))

    async def _translated(
        self, caller: Caller, body: chat.CreateChatCompletionRequest
    ) -> Reply[replies.CreateChatCompletionResponse] | EventStream[replies.ChatCompletionStreamEvent]:
        """Through the hub, to a backend that speaks something else."""
        losses = Losses(strict=self._gateway.strict)
        asked = hub_request(body, losses)
        with _told_as(asked):
            run = await self._gateway.respond(bodies.validate(REQUEST, asked.body), caller)
        moved = [replace(loss, path=asked.path(loss.path)) for loss in run.losses.items]
        run.losses.items[:] = [*losses.items, *moved]
        made = f"chatcmpl-{run.stream.response['id'].removeprefix('resp_')}"
        legacy = body.functions is not None
        if body.stream:
            options = body.stream_options
            chunks = ChatChunks(
                made,
                run.stream.response["created_at"],
                body.model,
                include_usage=options is not None and bool(options.include_usage),
                legacy=legacy,
            )
            batches = _chunked(run, chunks, asked, caller)
            fail = partial(_failed, partial(_rest, run, chunks), caller)
            return EventStream(batches, lambda: run.turn.queued, _alive, _alive, fail, run.headers())
        with _told_as(asked):
            response = await folded(run.events())
        headers = run.headers(caller.exchange.lost_of_answer)
        return Reply(completion(response, made, body.model, legacy=legacy), headers)


@contextmanager
def _told_as(asked: HubRequest) -> Iterator[None]:
    """Failures name the parameter at fault as the client knows it."""
    try:
        yield
    except GatewayError as error:
        if error.param is None:
            raise
        raise error.moved(asked.path(error.param)) from error


async def _chunked(
    run: Run, chunks: ChatChunks, asked: HubRequest, caller: Caller
) -> AsyncGenerator[list[ChatFrame], None]:
    with _told_as(asked):
        async with aclosing(run.events()) as batches:
            async for batch in batches:
                frames = chunks.feed(batch)
                if frames:
                    yield frames
    for lost in chunks.lost:
        log.warning("%s lost: %s", caller.request_id, lost)


def _alive() -> list[ChatFrame]:
    return [sse.COMMENT]


def _failed(left: Callable[[], list[ChatFrame]], caller: Caller, error: Exception) -> list[ChatFrame]:
    """What came before a failure, and the failure."""
    known = error if isinstance(error, GatewayError) else failures.internal()
    return [*left(), failures.chunk(known, caller.exchange)]


def _rest(run: Run, chunks: ChatChunks) -> list[ChatFrame]:
    return [*chunks.take(), *chunks.feed(run.stream.take())]
