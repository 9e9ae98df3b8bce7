"""Between HTTP and the operations: who calls, what the body says, and the answer while the client is there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response
from pydantic import TypeAdapter
from starlette.types import Scope

from wireloom.api import bodies
from wireloom.api.auth import ANONYMOUS, Keys
from wireloom.api.drain import Drain, stopping
from wireloom.api.event_response import EventResponse
from wireloom.api.news import without_news
from wireloom.api.presence import Presence
from wireloom.api.spellings import ROWS, spelled
from wireloom.backends.base import Caller
from wireloom.errors import InvalidRequest
from wireloom.exchange import READ, Exchange
from wireloom.translate.rules.loss import LOSS_HEADER, render
from wireloom_runtime.operations import Edge, EventStream, Reply

T = TypeVar("T")

CLIENT_GONE = 499
# Operations that are served to the end, for those who watch it.
WHILE_CLOSING = frozenset({"health", "ready", "metrics"})
# What the collectors of Prometheus ask for.
PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8"
NEVER = 10.0**9
# Headers by which a proxy says for whom it asks.
FORWARDED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"})


class HttpEdge(Edge[Caller]):
    """The edge of every operation.

    Args:
        keys: who may call.
        max_body_bytes: the largest body read, also after unpacking.
        heartbeat_seconds: silence after which a stream shows that it lives, 0 for never.
        default_model: what a request without a model asks for.
        body_seconds: how long a body may take to arrive, with more time for what is long; 0 for any time.
        drain: knows the requests that run.
        note: what is noted of a validated request, or None where nothing is.
        strict: whether what the contract does not know refuses a request of the Codex CLI too.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        max_body_bytes: int,
        heartbeat_seconds: float,
        default_model: str | None = None,
        body_seconds: float = 0,
        drain: Drain | None = None,
        note: Callable[[Any], Mapping[str, Any]] | None = None,
        strict: bool = False,
    ) -> None:
        self._keys = keys
        self._max_body = max_body_bytes
        self._heartbeat = heartbeat_seconds or NEVER
        self._default_model = default_model
        self._body_seconds = body_seconds
        self._drain = drain or Drain()
        self._note = note
        self._strict = strict

    def admit(self, request: Request, *, operation: str, secured: bool) -> Caller:
        """Tell who calls.

        Raises:
            Unauthorized: the operation needs a key and there is none that is known.
            Unavailable: the gateway is stopping.
        """
        exchange = exchange_of(request.scope)
        exchange.operation = operation
        if operation not in WHILE_CLOSING:
            self._drain.refuse()
        exchange.principal = self._keys.principal(request.headers) if secured else ANONYMOUS
        upstream_key = self._keys.upstream_key(request.headers)
        return Caller(exchange.principal, exchange.request_id, is_codex(request), upstream_key, exchange)

    async def read(self, request: Request, adapter: TypeAdapter[T], *, optional_body: bool = False) -> T:
        """Read and validate the body once.

        Args:
            request: what was sent.
            adapter: the body's type.
            optional_body: accept a missing body as `{}`.

        Raises:
            InvalidRequest: what is wrong with it, by its path.
        """
        if optional_body and _without_body(request):
            return bodies.validate(adapter, {})
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise InvalidRequest(
                "Send the body as content-type application/json.", param="content-type", status=415
            )
        encoding = request.headers.get("content-encoding", "")
        body = await bodies.read(request.stream(), encoding, self._max_body, self._body_seconds)
        value = bodies.parse(body)
        default = request.scope.get("state", {}).get("model_of_path", self._default_model)
        if default is not None and isinstance(value, dict) and value.get("model") is None:
            value["model"] = default
        exchange = exchange_of(request.scope)
        exchange.spelled += spelled(value, ROWS.get(exchange.operation, ()))
        forgiving = not self._strict and is_codex(request)
        read = (
            without_news(adapter, value, exchange.spelled) if forgiving else bodies.validate(adapter, value)
        )
        if self._note is not None:
            exchange.requested = self._note(read)
        exchange.model = getattr(read, "model", None)
        exchange.streamed = bool(getattr(read, "stream", None))
        exchange.mark(READ)
        return read

    def query(self, request: Request, name: str, adapter: TypeAdapter[T], default: T) -> T:
        """Read and validate a query parameter.

        Raises:
            InvalidRequest: it is there twice, or its value is none of those there are.
        """
        values = request.query_params.getlist(name)
        if len(values) > 1:
            raise InvalidRequest(f"{name} is given more than once.", param=name)
        return bodies.parameter(adapter, name, values[0]) if values else default

    def queries(self, request: Request, name: str, adapter: TypeAdapter[T]) -> T:
        """Read and validate a query parameter that may be there several times, in either form that SDKs write.

        Raises:
            InvalidRequest: one of its values is none of those there are.
        """
        found = request.query_params
        return bodies.parameter(adapter, name, found.getlist(name) + found.getlist(f"{name}[]"))

    def refuse(self, request: Request, names: tuple[str, ...]) -> None:
        """Make sure that a query asks for nothing that is not served.

        Raises:
            InvalidRequest: it asks for something of these names.
        """
        for name in names:
            if request.query_params.get(name, "false").lower() != "false":
                raise InvalidRequest(
                    f"{name} is not supported here; leave it out.", code="unsupported_parameter", param=name
                )

    async def write(
        self, request: Request, caller: Caller, answer: Awaitable[Reply[Any] | EventStream[Any]]
    ) -> Response:
        """Run an operation while its client is there, and write its answer.

        A client that leaves ends the operation, streamed or not: what it awaits is cancelled.

        Raises:
            GatewayError: what the operation raised, as long as its status can still be sent.
        """
        presence = Presence(request.receive, self._drain)
        handed_over = False
        try:
            result = _with_spelled(await answer, caller.exchange)
            caller.exchange.lost = result.headers.get(LOSS_HEADER)
            if isinstance(result, EventStream):
                handed_over = True
                return EventResponse(result, caller, presence, self._heartbeat)
            headers = {"x-request-id": caller.request_id, **caller.exchange.headers(), **result.headers}
            accept = request.headers.get("accept", "")
            if result.page is not None and "text/html" in accept:
                return Response(result.page, media_type="text/html", headers=headers)
            if result.text is not None and "application/json" not in accept:
                return Response(result.text, media_type=PLAIN_TEXT, headers=headers)
            return Response(_json(result.body), media_type="application/json", headers=headers)
        except asyncio.CancelledError:
            if presence.stopped():
                raise stopping() from None
            if not presence.left():
                raise
            caller.exchange.left = True
            return Response(status_code=CLIENT_GONE)
        finally:
            if not handed_over:
                presence.close()


def _with_spelled(result: Reply[Any] | EventStream[Any], exchange: Exchange) -> Reply[Any] | EventStream[Any]:
    """An answer whose header reports what of the request was read in another form than it came."""
    if not exchange.spelled:
        return result
    lost = [render(exchange.spelled), result.headers.get(LOSS_HEADER)]
    return replace(result, headers={**result.headers, LOSS_HEADER: ", ".join(filter(None, lost))})


def _without_body(request: Request) -> bool:
    headers = request.headers
    return headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers


def _json(body: object) -> bytes:
    """The JSON of a reply; see `Reply.encoded` for bodies that are bytes."""
    return body if isinstance(body, bytes) else msgspec.json.encode(body)


def exchange_of(scope: Scope) -> Exchange:
    """What is noted of a request; its id is the gateway's own, never one that a client gave."""
    state = scope.setdefault("state", {})
    if "exchange" not in state:
        state["exchange"] = Exchange(f"req_{secrets.token_hex(12)}")
        state["exchange"].inside = _is_inside(scope)
    found: Exchange = state["exchange"]
    return found


def _is_inside(scope: Scope) -> bool:
    """Whether a client is on this machine; what a proxy on this machine passes on may come from anywhere."""
    host = (scope.get("client") or ("",))[0]
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        return False
    return loopback and not any(name in FORWARDED for name, _ in scope["headers"])


def is_codex(request: Request) -> bool:
    """Whether the Codex CLI calls."""
    originator = request.headers.get("originator", "")
    return originator.startswith("codex") or request.headers.get("user-agent", "").startswith("codex_")
