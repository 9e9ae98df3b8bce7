"""The stream of a complete Responses upstream passed on as it comes, unknown events and members included.

This is the first of two ways for an answer; `responses_to_responses` is the one for upstreams that need mending. Here
only what is the gateway's own is put in place: the id of the response and what it goes on from (responses are stored
here and not upstream), the name of the model that was asked for, and the seal around what only this upstream can read,
so that it never reaches another model or key. Numbers are the stream's own; they are the upstream's as long as no
sign of life had to be put between. A stream that breaks off is an error, after which the response fails in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wireloom.translate.failures import cut_off, upstream_error
from wireloom.translate.hub.relay import relay
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.responses_upstream.events import CODES, Reason, decoded, failure
from wireloom.translate.tools.table import FORMS
from wireloom.wire.json import Json
from wireloom.wire.sse import DONE

OWN = ("id", "model", "store", "previous_response_id", "conversation")
"""Members of a response that say what the gateway has made of it."""
FAILED = "response.failed"


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
        self._reason = Reason()
        self._failed: Json | None = None  # a failed response of which the reason may still come
        self.called: list[str] = []
        """Names of the functions that were called."""
        self.lost: list[str] = []
        """What is not as it was asked for, in words for the log."""

    @property
    def done(self) -> bool:
        """Whether the upstream's last event was passed on."""
        return self._stream.ended

    @property
    def failing(self) -> bool:
        """Whether the upstream reported a failure, and only the reason of it may follow."""
        return self._reason.awaited

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
        if self.failing:
            self._explain(kind, event)
        elif kind == "error":  # told with the end that has to follow, or else as one of our own
            self._error = event
        elif kind != "response.created" or not self._stream.started:
            self._hold_or_pass_on(kind, event)

    def _hold_or_pass_on(self, kind: str, event: Json) -> None:
        """Pass an event on, save a failed response without a reason: that may be in the next event."""
        if kind == FAILED and self._error is None and failure(event).words is None:
            self._reason.take(event)
            self._failed = event
            return
        if kind == FAILED:
            _put_right(event)
        self._pass_on(kind, event)

    def _explain(self, kind: str, event: Json) -> None:
        """Fail in the words that came after the failed response, if these are any."""
        if (kind in (FAILED, "error") or event.get("error")) and failure(event).words is not None:
            self._reason.take(event)

    def close(self) -> None:
        """The upstream's stream has ended.

        Raises:
            GatewayError: before its answer did.
        """
        if self._failed is not None:
            self._pass_on(FAILED, self._failed)
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
        if self._error is not None and kind == FAILED:
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
        if foreign or kind == FAILED:
            self._stream.lasting = response["store"] = False

    def _seal(self, item: Json) -> None:
        """Close what is encrypted once more: the same text each time it is told."""
        secret = item.get("encrypted_content")
        if isinstance(secret, str) and secret:
            if secret not in self._sealed:
                self._sealed[secret] = self._close({"encrypted": secret})
            item["encrypted_content"] = self._sealed[secret]


def _put_right(event: Json) -> None:
    """Give a failed response its reason in the form of the contract, wherever the upstream has it."""
    response, found = event.get("response"), failure(event)
    if not isinstance(response, dict) or found.words is None:
        return
    error = response.get("error")
    if not isinstance(error, dict) or error.get("message") != found.words:
        code = found.code if found.code in CODES else "server_error"
        response["error"] = {"code": code, "message": found.words}
