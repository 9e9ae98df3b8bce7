"""The stream of a complete Responses upstream passed on as it comes, unknown events and members included.

This is the first of two ways for an answer; `responses_to_responses` is the one for upstreams that need mending. Here
only what is the gateway's own is put in place: the id of the response and what it goes on from (responses are stored
here and not upstream), the name of the model that was asked for, and the seal around what only this upstream can read,
so that it never reaches another model or key. Numbers are the stream's own; they are the upstream's as long as no
sign of life had to be put between. A stream that breaks off is an error, after which the response fails in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wireloom.translate.hub.relay import relay
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.responses_upstream.events import decoded, failure
from wireloom.translate.tools.table import FORMS
from wireloom.translate.upstream_errors import cut_off, upstream_error
from wireloom.wire.json import Json
from wireloom.wire.sse import DONE

OWN = ("id", "model", "store", "previous_response_id", "conversation")
"""Members of a response that say what the gateway has made of it."""


class ResponseRelay:
    """Passes on one stream.

    Args:
        stream: what numbers and keeps the events.
        close: seals what only this upstream can read.
    """

    def __init__(self, stream: ResponseStream, close: Callable[[Json], str]) -> None:
        self._stream = stream
        self._close = close
        opened: Mapping[str, object] = stream.response
        self._own = {name: opened[name] for name in OWN if name in opened}
        self._sealed: dict[str, str] = {}
        self._error: Json | None = None
        self.called: list[str] = []
        """Names of the functions that were called."""
        self.lost: list[str] = []
        """What is not as it was asked for, in words for the log."""

    @property
    def done(self) -> bool:
        """Whether the upstream's last event was passed on."""
        return self._stream.ended

    def feed(self, data: bytes) -> None:
        """Take the data of one event.

        Raises:
            GatewayError: the upstream reports a failure in place of an event, or this is none.
        """
        if data == DONE or self.done:
            return
        event = decoded(data)
        kind = event.get("type")
        if not isinstance(kind, str):
            raise upstream_error(200, data)
        if kind == "error":  # told with the end that has to follow, or else as one of our own
            self._error = event
        elif kind != "response.created" or not self._stream.started:
            self._pass_on(kind, event)

    def close(self) -> None:
        """The upstream's stream has ended.

        Raises:
            GatewayError: before its answer did.
        """
        if self._error is not None:
            raise failure(self._error)
        if not self.done:
            raise cut_off()

    def _pass_on(self, kind: str, event: Json) -> None:
        response, item = event.get("response"), event.get("item")
        if isinstance(response, dict):
            self._claim(kind, response)
        if isinstance(item, dict):
            self._seal(item)
            if kind == "response.output_item.done" and isinstance(item.get("name"), str):
                self.called.append(item["name"])
        if self._error is not None and kind == "response.failed":
            relay(self._stream, self._error)
        self._error = None
        relay(self._stream, event)

    def _claim(self, kind: str, response: Json) -> None:
        response.pop("conversation", None)
        response |= self._own
        given = response.get("output")
        output = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
        foreign = {str(item.get("type")) for item in output if FORMS.get(str(item.get("type"))) is None}
        for item in output:
            self._seal(item)
        if foreign:
            self.lost.append(f"the response is not kept: items of type {', '.join(sorted(foreign))[:200]}")
        if foreign or kind == "response.failed":
            self._stream.lasting = response["store"] = False

    def _seal(self, item: Json) -> None:
        """Close what is encrypted once more: the same text each time it is told."""
        secret = item.get("encrypted_content")
        if isinstance(secret, str) and secret:
            if secret not in self._sealed:
                self._sealed[secret] = self._close({"encrypted": secret})
            item["encrypted_content"] = self._sealed[secret]
