"""The backend for any server that speaks Chat Completions."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from wireloom.backends.base import Ask, Caller, Modality, ModelInfo, Turn
from wireloom.backends.http import model_list
from wireloom.backends.http.answers import LINGER_SECONDS, batches, begun, read_whole, report
from wireloom.backends.http.catalogue import of_profile
from wireloom.backends.http.chat_relay import PATH, Relaying, RelayTurn, outgoing, wants_usage
from wireloom.backends.http.client import Upstream
from wireloom.backends.http.endpoint import Endpoint
from wireloom.backends.http.lessons import Lessons
from wireloom.backends.http.token_count import count
from wireloom.backends.slots import Slots
from wireloom.errors import EmptyAnswer, GatewayError, UpstreamError, UpstreamRefused
from wireloom.providers.profile import ModelProfiles, Profile
from wireloom.translate.answer.asked import asked_of_chat
from wireloom.translate.chat_upstream import request as chat_upstream
from wireloom.translate.chat_upstream.chunk import completion
from wireloom.translate.chat_upstream.reader import ChatReader
from wireloom.translate.hub.sequence import Event
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.options import Options
from wireloom.translate.rules.loss import Losses
from wireloom.wire.json import Json

log = logging.getLogger("wireloom.tools")
backends_log = logging.getLogger("wireloom")

# What is larger is no count of tokens, and would make the Codex CLI refuse the whole catalogue.
LARGEST_WINDOW = 2**53
# How often an upstream that searches by calling is asked within one response.
MAX_ROUNDS = 16
# Names of models for the answer to a request for an unknown one: how long that answer waits for them, how long they are
# believed, and how long a list that could not be had is not asked for again.
NAMES_SECONDS = 2.0
NAMED_SECONDS = 300.0
UNNAMED_SECONDS = 30.0


def new_id(prefix: str) -> str:
    """A fresh id for a call that its upstream gave none."""
    return f"{prefix}_{secrets.token_hex(12)}"


class UpstreamBackend:
    """A server of models: listed, watched and closed in the same way, whatever it is asked in.

    Args:
        upstream: the server.
        profile: what it takes and how it deviates.
        slots: how many requests it gets at once.
        denied_tools: names of tools that are never offered.
        extra_params: members that go into every request.
        drop_params: members that never go upstream.
        pass_key: whether a client may bring the key for it.
        raw_relay: whether Chat requests and their answers are passed on as they are.
        repair_json: whether an answer that is not the JSON that was asked for is asked for once more.
    """

    def __init__(
        self,
        upstream: Upstream,
        profile: Profile,
        slots: Slots,
        *,
        denied_tools: frozenset[str] = frozenset(),
        extra_params: Mapping[str, Any] | None = None,
        drop_params: frozenset[str] = frozenset(),
        pass_key: bool = False,
        raw_relay: bool = False,
        repair_json: bool = False,
    ) -> None:
        self._upstream = upstream
        self._profile = profile
        self._profiles = ModelProfiles(profile)
        self._slots = slots
        self._denied = denied_tools
        self._extra = dict(extra_params or {})
        self._drop = drop_params
        self._pass_key = pass_key
        self._raw_relay = raw_relay
        self._repair_json = repair_json
        self._lessons = Lessons()
        self._names: tuple[str, ...] = ()
        self._names_until = 0.0

    def _for(self, upstream_key: str | None) -> Upstream:
        """The server, asked with a client's own key where that is allowed."""
        if upstream_key is None or not self._pass_key:
            return self._upstream
        return self._upstream.with_key(upstream_key)

    def _endpoint(self, path: str, model: str, caller: Caller) -> Endpoint:
        """An operation, asked with a client's own key where that is allowed."""
        key = caller.upstream_key
        return Endpoint(self._for(key), path, model, partial(self._listed, key), caller.exchange.aside)

    async def _listed(self, upstream_key: str | None) -> Sequence[str]:
        """The names of its models as far as it tells; a list is kept for a while, unless a client's key opens it."""
        own = self._for(upstream_key) is self._upstream
        if own and self._names_until > time.monotonic():
            return self._names
        try:
            async with asyncio.timeout(NAMES_SECONDS):
                return [info.id for info in await self.models(upstream_key)]
        except (GatewayError, TimeoutError):
            if own:
                self._names_until = time.monotonic() + UNNAMED_SECONDS
            return ()

    def route(self, model: str) -> str:
        """See `Backend.route`."""
        return f"{self._profile.name}/{model}"

    async def count(self, ask: Ask) -> tuple[int, str]:
        """See `Backend.count`."""
        profile = self._profiles.of(ask.model)
        found = await count(self._for(ask.caller.upstream_key), profile, self._request(ask).body)
        return found.tokens, found.how

    def _request(self, ask: Ask) -> chat_upstream.ChatRequest:
        profile = self._profiles.of(ask.model)
        request = chat_upstream.request(ask.body, profile, self._options(ask), ask.losses)
        if log.isEnabledFor(logging.DEBUG):
            given, sent = chat_upstream.tool_names(ask.body), list(request.tools.by_flat_name)
            log.debug("%s tools given %s, offered %s", ask.caller.request_id, given, sent)
        return request

    def _options(self, ask: Ask) -> Options:
        return Options(
            model=ask.model,
            lenient=ask.caller.codex,
            denied_tools=self._denied,
            extra_params=self._extra,
            drop_params=self._drop,
            unseal=ask.unseal,
            recalled=ask.recalled,
        )

    async def models(self, upstream_key: str | None = None) -> list[ModelInfo]:
        """See `Backend.models`."""
        upstream, path = self._for(upstream_key), self._profile.models_path
        answered = await upstream.get(path)
        with upstream.failures("GET", path):
            listed = model_list.read(answered)
        if listed.lost is not None:
            backends_log.warning("%s: %s", self._profile.title, listed.lost)
        found = [self._model(name, entry) for name, entry in listed.entries.items()]
        if upstream is self._upstream:
            self._names = tuple(info.id for info in found)
            self._names_until = time.monotonic() + NAMED_SECONDS
        return found

    async def ready(self) -> None:
        """See `Backend.ready`: the upstream answers, and takes the key where it is ours."""
        try:
            await self._upstream.get(self._profile.models_path, seconds=5.0)
        except UpstreamRefused as error:
            if not (self._pass_key and error.status in (401, 403)):
                raise

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        await self._upstream.aclose()

    def _model(self, name: str, entry: Json) -> ModelInfo:
        windows = (_at(entry, path) for path in self._profile.context_fields)
        created, owner = entry.get("created"), entry.get("owned_by")
        unlisted = of_profile(self._profile, name)
        return replace(
            unlisted,
            created=int(created) if isinstance(created, int | float) else 0,
            owned_by=owner if isinstance(owner, str) and owner else unlisted.owned_by,
            context_window=next(filter(_is_size, windows), None),
            modalities=_read(unlisted.modalities, _at(entry, self._profile.modalities_field)),
        )


class ChatBackend(UpstreamBackend):
    """A Chat Completions upstream.

    Args:
        See `UpstreamBackend`.
    """

    def turn(self, ask: Ask, stream: ResponseStream) -> Turn:
        """See `Backend.turn`."""
        request = self._request(ask)
        inside = self._lessons.begins_inside(ask.model)
        asked = asked_of_chat(request.body, inside=inside, repairs=self._repair_json)
        codex = ask.caller.codex
        profile = self._profiles.of(ask.model)
        read = partial(ChatReader, stream, request.tools, profile, asked, codex=codex)
        endpoint = self._endpoint(PATH, ask.model, ask.caller)
        note = partial(self._lessons.note, ask.model)
        tries = 2 if profile.retry_empty else 1
        return ChatTurn(endpoint, self._slots, request.body, stream, read, ask.caller, note, tries=tries)

    def relay(self, body: dict[str, Any], model: str, caller: Caller, losses: Losses) -> RelayTurn:
        """See `Relays.relay`."""
        sent = outgoing(
            body,
            model,
            denied=self._denied,
            extra=self._extra,
            dropped=self._drop,
            profile=None if self._raw_relay else self._profile,
            losses=losses,
        )
        told = None if model == body["model"] else body["model"]
        endpoint = self._endpoint(PATH, model, caller)
        sends_usage = True
        if not self._raw_relay and sent.get("stream") and self._profile.stream_usage:
            sends_usage = wants_usage(sent)
        relaying = Relaying(told, new_id, sends_usage=sends_usage, raw=self._raw_relay)
        return RelayTurn(endpoint, self._slots, sent, relaying, caller)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value < LARGEST_WINDOW


def _read(modalities: tuple[Modality, ...], listed: Any) -> tuple[Modality, ...]:
    """What a model reads, of what its upstream passes on."""
    if not isinstance(listed, list):
        return modalities
    return tuple(name for name in modalities if name == "text" or name in listed)


def _at(entry: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for name in path.split("."):
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry


class ChatTurn:
    """One request to the upstream and its answer; more than one where the upstream has to be asked again.

    Args:
        endpoint: where the request goes.
        slots: how many requests it gets at once.
        body: JSON of the request.
        stream: what the answer is told to.
        read: makes a reader of an answer.
        caller: who asks.
        note: receives whether an answer began inside a thought, or None; returns whether that is news.
        tries: how often the request is sent at most while its answers say nothing.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        slots: Slots,
        body: dict[str, Any],
        stream: ResponseStream,
        read: Callable[[], ChatReader],
        caller: Caller,
        note: Callable[[bool | None], bool],
        *,
        tries: int = 1,
    ) -> None:
        self.queued = True
        self._endpoint = endpoint
        self._slots = slots
        self._body = body
        self._stream = stream
        self._read = read
        self._reader = read()
        self._caller = caller
        self._note = note
        self._tries = tries

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """See `Turn.events`: every read of the upstream is one batch, however many events it brought."""
        async with await self._slots.take(self._caller.exchange):
            self.queued = False
            with self._endpoint.failures():
                for _ in range(MAX_ROUNDS):
                    answer = await self._endpoint.post(msgspec.json.encode(self._body))
                    async with aclosing(answer):
                        streamed, chunk, source = await begun(answer, self._caller.exchange)
                        if streamed:
                            async with aclosing(batches(chunk, source, self._reader, self._stream)) as told:
                                async for events in told:
                                    yield events
                        else:
                            whole = await read_whole(answer, chunk, source, self._reader.lost)
                            self._reader.feed(completion(whole))
                        again = self._closed()
                        yield self._stream.take()
                        await answer.drain(LINGER_SECONDS)
                    if again is None:
                        break
                    self._body["messages"] += again
                else:
                    raise UpstreamError("The upstream does not stop searching.", code="upstream_invalid")

    def _closed(self) -> list[dict[str, Any]] | None:
        """End the answer: messages with which the upstream is asked again, or None where the response has ended."""
        self._tries -= 1
        try:
            again = self._reader.close()
        except EmptyAnswer:
            if not self._tries:
                raise
            self._stream.next_item()
            self._report(["an answer that said nothing; the request was sent again"])
            used = self._reader.used
            self._reader = self._read()
            self._reader.used = used
            return []
        if again:
            return again
        self._report([])  # now: a client may leave with the last batch
        return None

    def _report(self, more: list[str]) -> None:
        self._reader.lost += more
        if self._note(self._reader.starts_inside):
            self._reader.lost.append("noted how answers of this model begin, for those that follow")
        report(self._reader, self._caller)
