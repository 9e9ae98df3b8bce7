"""What Codex says when a turn fails, as one of our errors or as the end of an answer that was cut short."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from wireloom_protocol import app_server_hot as hot

from wireloom.errors import GatewayError, UpstreamAuthentication
from wireloom.translate.failures import redacted, upstream_error

# Codex's word for a failure -> the status and the code that clients know for it.
KINDS: Mapping[str, tuple[int, str]] = {
    "contextWindowExceeded": (400, "context_length_exceeded"),
    "sessionBudgetExceeded": (429, "insufficient_quota"),
    "usageLimitExceeded": (429, "insufficient_quota"),
    "rateLimitExceeded": (429, "rate_limit_exceeded"),
    "flexUnavailable": (429, "resource_unavailable"),
    "serverOverloaded": (503, "server_is_overloaded"),
    "policyCapacityUnavailable": (503, "server_is_overloaded"),
    "modelNotFound": (404, "model_not_found"),
    "cyberPolicy": (400, "invalid_prompt"),
    "bioPolicy": (400, "invalid_prompt"),
    "misalignmentPolicyViolation": (400, "invalid_prompt"),
    "badRequest": (400, "upstream_error"),
    "unauthorized": (502, "upstream_authentication"),
    "inferenceHookDenied": (403, "upstream_forbidden"),
    "internalServerError": (502, "upstream_error"),
    "tooManyDenials": (502, "upstream_error"),
    "threadRollbackFailed": (502, "upstream_error"),
    "sandboxError": (502, "upstream_error"),
}
UNSPECIFIC = (502, "upstream_error")
# Failures that come as an object of one member.
DETAILED: Mapping[str, str] = {
    "httpConnectionFailed": "the provider's status",
    "responseStreamConnectionFailed": "the provider's status",
    "responseStreamDisconnected": "the provider's status",
    "responseTooManyFailedAttempts": "the provider's status",
    "activeTurnNotSteerable": "does not occur: a running turn is never steered",
}
_INCOMPLETE = re.compile(r"Incomplete response returned, reason: (\w+)")
_STATUS = re.compile(r"(?:unexpected status|last status:) (\d{3}) ")
_RATE = re.compile(r"rate limit", re.IGNORECASE)
_CONTEXT = re.compile(r"context window", re.IGNORECASE)
_QUOTA = re.compile(r"quota|usage limit", re.IGNORECASE)
# Where Codex sent its request, which is no affair of the client's.
_ADDRESS = re.compile(r",? ?(?:url: ?|for url \(?)?https?://[^\s,)]+\)?")
# Codex answers a status above 500 with words of its own, so the provider's status is not kept: its gateway failed.
_GATEWAY = 500
# The provider's statuses for a login, or a key of Codex's, that it does not take.
_OF_THE_LOGIN = (401, 403)


def incomplete(*messages: str | None) -> str | None:
    """Why a model stopped early, if that is what a message says: `max_output_tokens`, `content_filter`."""
    found = (_INCOMPLETE.search(message) for message in messages if message)
    return next((match[1] for match in found if match), None)


def failure(error: hot.TurnError) -> GatewayError:
    """The error of a turn that failed.

    Args:
        error: as the app-server sends it.
    """
    message = error.message or "Codex failed without saying why."
    info = error.codexErrorInfo
    if isinstance(info, str) and info in KINDS:
        return _error(message, *KINDS[info])
    return spoken(message, _http_status(info))


def spoken(message: str, status: int | None = None) -> GatewayError:
    """What a failure is of which there are only words.

    Args:
        message: what Codex says; the body of an HTTP 400 is said as it came.
        status: of the provider's answer, where that is known.
    """
    if message.lstrip().startswith("{"):
        error = upstream_error(status or 400, message.encode(), reported=True)
        return _login_refused(error.words) if status in _OF_THE_LOGIN else error
    if status is None and (found := _STATUS.search(message)):
        status = int(found[1])
    if status is not None and status != _GATEWAY:
        return _error(message, status, None)
    for words, kind in WORDS:
        if words.search(message):
            return _error(message, *KINDS[kind])
    return _error(message, *UNSPECIFIC)


# Words of a message -> Codex's word for the failure.
WORDS = ((_CONTEXT, "contextWindowExceeded"), (_QUOTA, "usageLimitExceeded"), (_RATE, "rateLimitExceeded"))


def _http_status(info: Any) -> int | None:
    """The provider's status in a failure of one member, such as `{"httpConnectionFailed": {...}}`."""
    for detail in info.values() if isinstance(info, dict) else ():
        status = detail.get("httpStatusCode") if isinstance(detail, dict) else None
        if isinstance(status, int) and 400 <= status <= 599:
            return status
    return None


def _error(message: str, status: int, code: str | None) -> GatewayError:
    words = _ADDRESS.sub("", message)
    if code == UpstreamAuthentication.code or (code is None and status in _OF_THE_LOGIN):
        return _login_refused(redacted(words))
    said = {"message": words, "code": code}
    return upstream_error(status, msgspec.json.encode({"error": said}), reported=True)


def _login_refused(words: str | None) -> UpstreamAuthentication:
    """The error for a login that only the operator can renew; a client would take a 401 for its own key's."""
    fact = "Codex's provider refuses its login"
    hint = "Run `codex login`, or set the key of the provider in Codex's configuration."
    return UpstreamAuthentication(fact, inside_fact=fact, words=words, hint=hint)
