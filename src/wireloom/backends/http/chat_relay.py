"""A Chat request passed on to a Chat upstream, and its answer passed back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from wireloom.backends.base import Caller
from wireloom.backends.http.answers import LINGER_SECONDS, batches, begun, read_whole, report
from wireloom.backends.http.endpoint import Endpoint
from wireloom.backends.slots import Slots
from wireloom.providers.profile import Profile
from wireloom.translate.answer.asked import asked_of_chat
from wireloom.translate.chat_face.relay import ChatRelay, RawRelay, folded, raw_whole
from wireloom.translate.chat_face.relay_calls import OfferedTools
from wireloom.translate.chat_face.relay_whole import WholeAnswer
from wireloom.translate.chat_upstream.chunk import completion
from wireloom.translate.chat_upstream.relayed import fitted
from wireloom.translate.rules.loss import Losses
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom.translate.chat_upstream.chunk import ChatCompletion, ChatFrame


PATH = "chat/completions"
# What means nothing where no tool is offered, and is refused there.
WITH_TOOLS = ("tool_choice", "function_call", "parallel_tool_calls")


def outgoing(
    body: Json,
    model: str,
    *,
    denied: frozenset[str],
    extra: Mapping[str, Any],
    dropped: frozenset[str],
    profile: Profile | None = None,
    losses: Losses | None = None,
) -> Json:
    """A request as it goes upstream: as it came, save what the profile and the gateway's own settings say.

    Args:
        body: JSON of the request.
        model: the model's name upstream.
        denied: names of tools that are never offered.
        extra: members that go into every request and win over the client's.
        dropped: members that never go upstream.
        profile: what the upstream takes, or None for a request that is passed on raw.
        losses: where is noted what the profile changes.

    Raises:
        InvalidRequest: see `fitted`.
    """
    sent = _unwrapped(body) | {"model": model}
    for name in ("tools", "functions"):
        tools = sent.get(name)
        if denied and isinstance(tools, list):
            sent[name] = [tool for tool in tools if _name(tool) not in denied]
            if not sent[name]:
                for member in (name, *WITH_TOOLS):
                    sent.pop(member, None)
    if profile is not None:
        sent = fitted(sent, profile, Losses() if losses is None else losses)
    return {name: value for name, value in {**sent, **extra}.items() if name not in dropped}


def _unwrapped(body: Json) -> Json:
    """The request with what the contract does not know as the client sent it."""
    messages = [{name: _members(member) for name, member in message.items()} for message in body["messages"]]
    return {name: _members(member) for name, member in body.items()} | {"messages": messages}


def _members(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        each["member"] if isinstance(each, dict) and each.get("type") == "unknown" else each for each in value
    ]


def _name(tool: Any) -> Any:
    inner = tool.get(tool.get("type"), tool) if isinstance(tool, dict) else None
    return inner.get("name") if isinstance(inner, dict) else None


def wants_usage(body: Json) -> bool:
    """Ask for the usage of a stream, for the log, the counters and the limits; whether the client asked for it itself.

    Args:
        body: JSON of a request for a stream; it is changed.
    """
    options = body.get("stream_options")
    options = options if isinstance(options, dict) else {}
    if options.get("include_usage") is not None:
        return bool(options["include_usage"])
    body["stream_options"] = {**options, "include_usage": True}
    return False


@dataclass(frozen=True, slots=True)
class Relaying:
    """How an answer is passed on.

    Args:
        model: the model's name as the client knows it, or None where it is the upstream's own.
        new_id: makes an id for a prefix.
        sends_usage: whether the client gets the chunk with the usage.
        raw: whether the answer goes through as it is.
    """

    model: str | None
    new_id: Callable[[str], str]
    sends_usage: bool = True
    raw: bool = False


class RelayTurn:
    """One request and its answer.

    Args:
        endpoint: where the request goes.
        slots: how many requests it gets at once.
        body: JSON of the request.
        relaying: how the answer is passed on.
        caller: who asks.
    """

    def __init__(
        self, endpoint: Endpoint, slots: Slots, body: Json, relaying: Relaying, caller: Caller
    ) -> None:
        self.queued = True
        self._endpoint = endpoint
        self._slots = slots
        self._body = msgspec.json.encode(body)
        self._caller = caller
        if relaying.raw:
            self._relay: ChatRelay = RawRelay(relaying.model, relaying.new_id)
            self._whole = raw_whole
        else:
            asked, offered = asked_of_chat(body), OfferedTools(body)
            self._relay = ChatRelay(
                relaying.model, relaying.new_id, offered, asked, sends_usage=relaying.sends_usage
            )
            whole = WholeAnswer(relaying.model, relaying.new_id, offered, asked, self._relay.lost)
            self._whole = whole.passed_on
        caller.exchange.answer = self._relay

    def left(self) -> list[ChatFrame]:
        """See `Relayed.left`."""
        return self._relay.take()

    async def events(self) -> AsyncGenerator[list[ChatFrame], None]:
        """See `Relayed.events`: every read of the upstream is one batch."""
        async with await self._slots.take(self._caller.exchange):
            self.queued = False
            with self._endpoint.failures():
                async with aclosing(await self._endpoint.post(self._body)) as answer:
                    streamed, chunk, source = await begun(answer, self._caller.exchange)
                    relay = self._relay
                    if streamed:
                        async with aclosing(batches(chunk, source, relay, relay)) as told:
                            async for frames in told:
                                yield frames
                    else:
                        relay.feed(completion(await read_whole(answer, chunk, source, relay.lost)))
                    relay.close()
                    report(relay, self._caller)
                    yield relay.take()
                    await answer.drain(LINGER_SECONDS)

    async def whole(self) -> ChatCompletion:
        """See `Relayed.whole`."""
        async with await self._slots.take(self._caller.exchange):
            self.queued = False
            with self._endpoint.failures():
                async with aclosing(await self._endpoint.post(self._body)) as answer:
                    streamed, chunk, source = await begun(answer, self._caller.exchange)
                    if not streamed:
                        data = await read_whole(answer, chunk, source, self._relay.lost)
                        made = self._whole(data)
                        self._relay.count(made)
                    else:
                        made = await self._folded(chunk, source)
                    report(self._relay, self._caller)
                    await answer.drain(LINGER_SECONDS)
                    return made

    async def _folded(self, chunk: bytes, source: Any) -> ChatCompletion:
        """One object out of a stream that nobody asked for."""
        relay, frames = self._relay, []
        async with aclosing(batches(chunk, source, relay, relay)) as told:
            async for some in told:
                frames += some
        relay.close()
        return folded([*frames, *relay.take()])
