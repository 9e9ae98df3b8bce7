"""The backend for any server that speaks Chat Completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import msgspec
from wireloom_protocol import responses as m

from wireloom.backends.base import Caller, ModelInfo
from wireloom.backends.http import MAX_ANSWER_BYTES, Upstream, map_exceptions
from wireloom.backends.slots import Slots
from wireloom.errors import UpstreamError
from wireloom.providers.profile import Profile
from wireloom.translate import responses_to_chat
from wireloom.translate.chat_to_responses import ChatReader, completion
from wireloom.translate.loss import Losses
from wireloom.translate.response_stream import Event, ResponseStream
from wireloom.wire.sse import EventReader, EventTooLarge

PATH = "chat/completions"
EVENT_STREAM = "text/event-stream"
# How long the end of the HTTP message may lag behind the end of the answer before the connection is given up.
LINGER_SECONDS = 0.25


class ChatBackend:
    """A Chat Completions upstream.

    Args:
        upstream: the server.
        profile: what it takes and how it deviates.
        slots: how many requests it gets at once.
        denied_tools: names of tools that are never offered.
        extra_params: members that go into every request.
        drop_params: members that never go upstream.
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
    ) -> None:
        self._upstream = upstream
        self._profile = profile
        self._slots = slots
        self._denied = denied_tools
        self._extra = dict(extra_params or {})
        self._drop = drop_params

    def turn(
        self, body: m.CreateResponse, model: str, caller: Caller, stream: ResponseStream, losses: Losses
    ) -> ChatTurn:
        """See `Backend.turn`."""
        options = responses_to_chat.Options(
            model=model,
            lenient=caller.codex,
            denied_tools=self._denied,
            extra_params=self._extra,
            drop_params=self._drop,
        )
        request = responses_to_chat.request(body, self._profile, options, losses)
        reader = ChatReader(stream, request.tools, self._profile, codex=caller.codex)
        return ChatTurn(self._upstream, self._slots, msgspec.json.encode(request.body), stream, reader)

    async def models(self) -> list[ModelInfo]:
        """See `Backend.models`."""
        listed = await self._upstream.get(self._profile.models_path)
        data = listed.get("data", listed.get("models")) if isinstance(listed, dict) else listed
        if not isinstance(data, list):
            raise UpstreamError("The upstream's list of models is none.", code="upstream_invalid")
        return [info for entry in data if (info := self._model(entry)) is not None]

    async def ready(self) -> None:
        """See `Backend.ready`: the upstream answers, and takes the key."""
        await self._upstream.get(self._profile.models_path, seconds=5.0)

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        await self._upstream.aclose()

    def _model(self, entry: Any) -> ModelInfo | None:
        if not isinstance(entry, dict):
            return None
        name = entry.get("id") or entry.get("name")
        if not isinstance(name, str):
            return None
        windows = (_at(entry, path) for path in self._profile.context_fields)
        modalities = _at(entry, self._profile.modalities_field)
        created, owner = entry.get("created"), entry.get("owned_by")
        return ModelInfo(
            id=name,
            created=int(created) if isinstance(created, int | float) else 0,
            owned_by=owner if isinstance(owner, str) and owner else self._profile.name,
            context_window=next((window for window in windows if isinstance(window, int)), None),
            modalities=self._modalities(modalities),
            efforts=tuple(self._profile.effort_levels),
        )

    def _modalities(self, listed: Any) -> tuple[str, ...]:
        known = ("text", "image") if self._profile.images else ("text",)
        if not isinstance(listed, list):
            return known
        return tuple(name for name in known if name == "text" or name in listed)


def _at(entry: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for name in path.split("."):
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry


class ChatTurn:
    """One request to the upstream and its answer."""

    def __init__(
        self, upstream: Upstream, slots: Slots, body: bytes, stream: ResponseStream, reader: ChatReader
    ) -> None:
        self.queued = True
        self._upstream = upstream
        self._slots = slots
        self._body = body
        self._stream = stream
        self._reader = reader

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """See `Turn.events`: every read of the upstream is one batch, however many events it brought."""
        wire, reader, stream = EventReader(), self._reader, self._stream
        async with await self._slots.take():
            self.queued = False
            async with aclosing(await self._upstream.post(PATH, self._body)) as answer:
                if answer.content_type == EVENT_STREAM:
                    with map_exceptions():
                        async for chunk in answer:
                            _feed(reader, wire, chunk)
                            if reader.done:
                                break
                            events = stream.take()
                            if events:
                                yield events
                    for data in wire.close():
                        reader.feed(data)
                else:
                    reader.feed(completion(await answer.read(MAX_ANSWER_BYTES)))
                reader.close()
                yield stream.take()
                await answer.drain(LINGER_SECONDS)


def _feed(reader: ChatReader, wire: EventReader, chunk: bytes) -> None:
    try:
        for data in wire.feed(chunk):
            reader.feed(data)
    except EventTooLarge as error:
        raise UpstreamError(f"The upstream sent {error}.", code="upstream_invalid") from error
