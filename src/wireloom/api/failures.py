"""How failures look on the wire: HTTP errors before the first byte, error events after it, and the Codex CLI's own needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from fastapi.responses import Response

from wireloom.errors import SETUP, GatewayError
from wireloom.exchange import Exchange
from wireloom.wire import sse

if TYPE_CHECKING:
    from wireloom_protocol import replies

    from wireloom_runtime.operations import Encoded

# Codes of errors that a response object may carry, in the contract's words; any other becomes the general one.
_RESPONSE_CODES: tuple[replies.ResponseErrorCode, ...] = (
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "context_length_exceeded",
    "insufficient_quota",
    "server_is_overloaded",
    "upstream_error",
    "upstream_timeout",
    "upstream_unreachable",
    "upstream_invalid",
)
RESPONSE_CODES: Mapping[str, replies.ResponseErrorCode] = {code: code for code in _RESPONSE_CODES}
# Codes at which the Codex CLI stops; it shows the message of `invalid_prompt` as it is.
FINAL_CODES = frozenset({"context_length_exceeded", "insufficient_quota", "server_is_overloaded"})
OVERLOADED = frozenset({503, 529})
# Soon over, although the status says overloaded: a gateway that starts anew answers the next try.
PASSING = frozenset({"shutting_down"})


def internal() -> GatewayError:
    """The error for a fault of our own; what happened is in the log, not in the answer."""
    return GatewayError("The gateway failed. The log has the details under the request's id.")


def response(error: GatewayError, exchange: Exchange, *, codex: bool = False) -> Response:
    """The failure as an HTTP answer.

    Args:
        error: what went wrong.
        exchange: the request, of which it is noted.
        codex: whether the client is the Codex CLI, which repeats most statuses however hopeless.
    """
    exchange.failed(error)
    headers = {"x-request-id": exchange.request_id, **exchange.headers()}
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
    status = _codex_status(error) if codex else error.status
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.code in SETUP:
        headers["x-should-retry"] = "false"
    return Response(
        msgspec.json.encode({"error": error.body(inside=exchange.inside)}),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )


def chunk(error: GatewayError, exchange: Exchange) -> Encoded[replies.ChatCompletionStreamEvent]:
    """The failure as the last event of a chat completion.

    Args:
        error: what went wrong.
        exchange: the request.
    """
    return sse.data_only({"error": error.body(inside=exchange.inside)})


def _codex_status(error: GatewayError) -> int:
    """Another try cannot help where the request is refused; 400 is the status that says so to the CLI.

    Of a 404 the CLI believes only that the model is unknown.
    """
    passing = error.status >= 500 or error.status == 429
    if (passing and error.code not in SETUP) or error.code == "model_not_found":
        return error.status
    return 400


def event(
    error: GatewayError, *, codex: bool, inside: bool = False
) -> tuple[replies.Error, replies.ResponseErrorCode]:
    """The failure as the error object of an `error` event and the code of `response.failed`.

    Args:
        error: what went wrong.
        codex: whether the client is the Codex CLI.
        inside: whether the client is on this machine.
    """
    body = error.body(inside=inside)
    code = RESPONSE_CODES.get(error.code, "server_error")
    if not codex or code in FINAL_CODES:
        return body, code
    if error.status == 429:
        if error.retry_after is not None:
            # The CLI reads the delay from the message.
            body["message"] += f" Please try again in {math.ceil(error.retry_after)}s."
        return body, "rate_limit_exceeded"
    if error.status in OVERLOADED and error.code not in PASSING | SETUP:
        return body, "server_is_overloaded"
    passing = error.status >= 500 and error.code not in SETUP
    return body, "server_error" if passing else "invalid_prompt"
