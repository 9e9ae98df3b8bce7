"""The backend for any server that speaks the Responses API: passed on where it is complete, mended where it is not.

State is the gateway's in both cases: each request holds its whole context, and nothing is stored upstream. An answer
is passed on as it comes (`response_relay`) if the profile calls the upstream complete, and if nothing in the request
had to be said in other words. Any other answer is read and written anew (`responses_to_responses`), which gives a
well-formed stream whatever the upstream leaves out.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import msgspec

from wireloom.backends.base import Ask, Caller, Turn
from wireloom.backends.http.answers import LINGER_SECONDS, batches, begun, read_whole, report
from wireloom.backends.http.chat import UpstreamBackend
from wireloom.backends.http.endpoint import Endpoint
from wireloom.backends.http.token_count import post_for_count
from wireloom.backends.slots import Slots
from wireloom.errors import GatewayError, UpstreamError
from wireloom.translate.answer.asked import asked_of_responses, markup_rules
from wireloom.translate.compaction import CompactionStream
from wireloom.translate.hub.sequence import Event
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.responses_upstream import request as responses_upstream
from wireloom.translate.responses_upstream.reader import ResponsesReader
from wireloom.translate.responses_upstream.relay import ResponseRelay
from wireloom.translate.rules.loss import Losses
from wireloom.translate.tools.table import REFUSED

log = logging.getLogger("wireloom.tools")

PATH = "responses"
COUNT_PATH = "responses/input_tokens"
# What the count of an input does not take, of all that asks for an answer.
NOT_COUNTED = ("include", "max_output_tokens", "metadata", "store", "stream", "stream_options")

Reader: TypeAlias = ResponseRelay | ResponsesReader


class ResponsesBackend(UpstreamBackend):
    """A Responses upstream.

    Args:
        See `UpstreamBackend`.
    """

    def route(self, model: str) -> str:
        """See `Backend.route`; what this endpoint has sealed, the same server's Chat endpoint does not read."""
        return f"responses/{super().route(model)}"

    def turn(self, ask: Ask, stream: ResponseStream) -> Turn:
        """See `Backend.turn`."""
        request = self._upstream_request(ask)
        profile = self._profiles.of(ask.model)
        complete = profile.responses.complete and not request.tools.by_flat_name
        close = partial(ask.seals["reasoning"].close, "reasoning")
        asked = asked_of_responses(request.body, inside=self._lessons.begins_inside(ask.model))
        rules = markup_rules(profile, asked, request.tools)
        mending = ResponsesReader(stream, request.tools, close, rules, asked, codex=ask.caller.codex)
        relay = (
            ResponseRelay(stream, close) if complete and not isinstance(stream, CompactionStream) else None
        )
        endpoint = self._endpoint(PATH, ask.model, ask.caller)
        note = partial(self._lessons.note, ask.model)
        return ResponsesTurn(endpoint, self._slots, request.body, stream, mending, relay, ask.caller, note)

    async def count(self, ask: Ask) -> tuple[int, str]:
        """See `Backend.count`: by the upstream where it can, else as for a request to a Chat endpoint."""
        body = self._upstream_request(ask).body
        if self._profiles.of(ask.model).responses.counts:
            asked = {name: value for name, value in body.items() if name not in NOT_COUNTED}
            with suppress(GatewayError):
                return await self._asked(asked, ask.caller.upstream_key), "upstream"
        # What Chat Completions would lose, or has no tool for, is no matter of this upstream's.
        tools = [tool for tool in ask.body.tools or () if tool.type not in REFUSED]
        body_counted = ask.body.model_copy(update={"tools": tools})
        return await super().count(replace(ask, body=body_counted, losses=Losses()))

    async def _asked(self, body: dict[str, Any], key: str | None) -> int:
        tokens = (await post_for_count(self._for(key), COUNT_PATH, body)).get("input_tokens")
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
            raise UpstreamError("The upstream's answer holds no count.", code="upstream_invalid")
        return tokens

    def _upstream_request(self, ask: Ask) -> responses_upstream.UpstreamRequest:
        profile = self._profiles.of(ask.model)
        request = responses_upstream.request(ask.body, profile, self._options(ask), ask.losses)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s tools offered %s", ask.caller.request_id, _names(request.body))
        return request


def _names(body: dict[str, Any]) -> list[str]:
    return [str(tool.get("name", tool.get("type"))) for tool in body.get("tools", ())]


class ResponsesTurn:
    """One request to the upstream and its answer.

    Args:
        endpoint: where the request goes.
        slots: how many requests it gets at once.
        body: JSON of the request.
        stream: what the answer is told to.
        reader: reads an answer and mends it.
        relay: passes a stream on, or None where it has to be mended.
        caller: who asks.
        note: receives whether an answer began inside a thought, or None; returns whether that is news.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        slots: Slots,
        body: dict[str, Any],
        stream: ResponseStream,
        reader: ResponsesReader,
        relay: ResponseRelay | None,
        caller: Caller,
        note: Callable[[bool | None], bool],
    ) -> None:
        self.queued = True
        self._endpoint = endpoint
        self._slots = slots
        self._body = body
        self._stream = stream
        self._reader = reader
        self._relay = relay
        self._caller = caller
        self._note = note

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """See `Turn.events`: every read of the upstream is one batch, however many events it brought."""
        async with await self._slots.take(self._caller.exchange):
            self.queued = False
            with self._endpoint.failures():
                async with aclosing(await self._endpoint.post(msgspec.json.encode(self._body))) as answer:
                    streamed, chunk, source = await begun(answer, self._caller.exchange)
                    # A whole response in place of a stream has to be told as one.
                    reader: Reader = self._relay if streamed and self._relay is not None else self._reader
                    if streamed:
                        async with aclosing(batches(chunk, source, reader, self._stream)) as told:
                            async for events in told:
                                yield events
                    else:
                        reader.feed(await read_whole(answer, chunk, source, reader.lost))
                    reader.close()
                    self._note(self._reader.starts_inside)
                    report(reader, self._caller)  # now: a client may leave with the last batch
                    yield self._stream.take()
                    await answer.drain(LINGER_SECONDS)
