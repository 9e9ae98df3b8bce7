"""Chat Completions answers on their way from the bytes of an upstream to the events of a client."""

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from tests.support.grammar import Call, Told, check, decode
from tests.support.streams import new_stream
from wireloom.errors import GatewayError, UpstreamError
from wireloom.providers import Profile, load
from wireloom.translate.chat_upstream.reader import ChatReader
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.tools.base import Tools
from wireloom.wire.sse import EventReader, encode
from wireloom.wire.surrogates import Halves

Json: TypeAlias = dict[str, Any]
GENERIC = load("generic")


class Session:
    """One answer on its way."""

    def __init__(
        self,
        profile: Profile = GENERIC,
        tools: Tools | None = None,
        stream: ResponseStream | None = None,
        **options: Any,
    ) -> None:
        self.stream = stream or new_stream()
        self.reader = ChatReader(self.stream, tools or Tools(), profile, **options)
        self.failure: GatewayError | None = None
        self.again: list[Json] = []
        """The messages with which the upstream would be asked again; only then the stream goes on."""
        self._sent = b""

    def read(self, payloads: Iterable[bytes]) -> Told:
        """Feed the data of events, to the end or to the first failure; return what the client was told.

        Raises:
            BrokenStream: what it was told is no stream; there is none yet where the upstream is asked again.
        """
        self.feed(payloads)
        return check(self.events)

    def feed(self, payloads: Iterable[bytes]) -> list[Json]:
        """Feed the data of events; return the messages with which the upstream is asked again."""
        self.again = []
        try:
            for payload in payloads:
                self.reader.feed(payload)
                self._sent += encode(self.stream.take())
            self.again = self.reader.close()
        except UpstreamError as error:
            self.failure = error
            self.stream.fail(error.body(), "upstream_error")
        self._sent += encode(self.stream.take())
        return self.again

    @property
    def events(self) -> list[Json]:
        """All that was sent."""
        return decode(self._sent)


def payloads(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Yield the data of the events in a body that comes in pieces."""
    wire, halves = EventReader(), Halves()
    for piece in pieces:
        for data in wire.feed(piece):
            yield from halves.mended(data)
    for data in wire.close():
        yield from halves.mended(data)
    yield from halves.rest()


def chunk(delta: Json | None = None, finish: str | None = None, **more: Any) -> bytes:
    """Return a chunk; `more` stands beside its choices."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return json.dumps({"choices": [choice], **more}).encode()


def call(
    index: int | None, call_id: str | None, name: str | None, arguments: Any = None, **more: Any
) -> Json:
    """Return a delta with one fragment of a call; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    fragment = {"index": index, "id": call_id, "function": function, **more}
    return {"tool_calls": [{key: value for key, value in fragment.items() if value is not None}]}


def said(calls: list[Call]) -> list[tuple[str, str]]:
    """Return names and arguments of calls."""
    return [(one.item["name"], one.said) for one in calls]


STOP = chunk(finish="stop")
