"""What an upstream says when it fails, in whatever form, as one of our errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wireloom.errors import GatewayError, UpstreamError, UpstreamLimited, UpstreamRefused

LONGEST = 2000
# A bearer token or a key that an upstream repeats in its message.
_SECRET = re.compile(r"\b(?:sk|pk|gsk|xai|key)[-_][A-Za-z0-9_\-*.]{6,}|Bearer\s+\S+")
_CONTEXT = re.compile(
    r"context[ _](?:length|window|size)|maximum context|too many (?:input )?tokens|prompt is too long"
    r"|exceeds? the (?:model|available context)",
    re.IGNORECASE,
)
_QUOTA = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "insufficient_balance",
        "exceeded_current_quota_error",
    }
)


def upstream_error(
    status: int, body: bytes, retry_after: float | None = None, *, secret: str | None = None
) -> GatewayError:
    """Read an error.

    Args:
        status: HTTP status of the upstream's answer; 200 for an error that came as an answer.
        body: the answer's body, of any form.
        retry_after: seconds the upstream asks to wait.
        secret: the key used upstream, which its message may repeat.
    """
    message, code, param = _parts(body)
    if status < 400:
        status = _status(code)
    if _is_status(code):
        code = None  # said once more, which is no reason
    if secret:
        message = message.replace(secret, "***")
    message = _SECRET.sub("***", message)[:LONGEST]
    words = f"{code or ''} {message}"
    if status in (400, 413, 422) and (code == "context_length_exceeded" or _CONTEXT.search(words)):
        return UpstreamRefused(message, code="context_length_exceeded", param=param, status=status)
    if status == 402 or code in _QUOTA:
        return UpstreamLimited(message, code="insufficient_quota", status=429, retry_after=retry_after)
    if status == 429:
        return UpstreamLimited(message, code=code or "rate_limit_exceeded", retry_after=retry_after)
    if status < 500:
        # Not the upstream's word for it: a client would look for the fault in the key that it has for the gateway.
        known = _CODES.get(status) if status in (401, 403) or code is None else code
        return UpstreamRefused(message, code=known or "upstream_error", param=param, status=status)
    return UpstreamError(message, code=code or "upstream_error", status=status, retry_after=retry_after)


def cut_off() -> UpstreamError:
    """The error for a stream that ended before its answer did."""
    return UpstreamError("The upstream's stream ended before its answer did.", code="upstream_incomplete")


_CODES = {401: "upstream_unauthorized", 403: "upstream_forbidden", 404: "upstream_not_found"}


def _status(code: str | None) -> int:
    """The status of an error that came without one."""
    if code is not None and _is_status(code):
        return int(code)
    if code is not None and ("rate" in code or code in _QUOTA):
        return 429
    return _STATUSES.get(code or "", 502)


def _is_status(code: str | None) -> bool:
    return code is not None and code.isdecimal() and 400 <= int(code) <= 599


_STATUSES = {"context_length_exceeded": 400, "invalid_request_error": 400, "model_not_found": 404}


def _parts(body: bytes) -> tuple[str, str | None, str | None]:
    """Message, code and parameter, from the forms in use.

    `{"error": {...}}` (OpenAI), `{"error": "..."}` (Ollama), the bare object (Mistral), `{"detail": ...}`
    (FastAPI), `{"message": ...}`; a page or a text is not repeated to the client.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "The upstream failed without saying why in JSON.", None, None
    if isinstance(value, list) and value:
        value = value[0]  # Google's endpoint wraps the object in a list
    found = (value.get("error") or value) if isinstance(value, dict) else value
    if isinstance(found, Mapping):
        return (
            _message(found),
            _word(found.get("code")) or _word(found.get("type")),
            _word(found.get("param")),
        )
    return str(found) if isinstance(found, str) else "The upstream failed.", None, None


def _message(error: Mapping[str, Any]) -> str:
    for name in ("message", "detail", "msg"):
        said = error.get(name)
        if isinstance(said, str) and said:
            return said
        if said:
            return msgspec.json.encode(said).decode()
    return "The upstream failed without saying why."


def _word(value: Any) -> str | None:
    return (
        str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
    )
