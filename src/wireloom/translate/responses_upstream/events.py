"""What single events of a Responses upstream say, in any of the forms in use: JSON, failures, tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from wireloom.errors import UpstreamError
from wireloom.translate.failures import upstream_error
from wireloom.translate.failures.bodies import page_title
from wireloom.translate.failures.unwrap import complains, within
from wireloom.wire.json import Json
from wireloom.wire.sse import FailureData

if TYPE_CHECKING:
    from wireloom_protocol import replies


def decoded(data: bytes) -> Json:
    """The JSON object in the data of an event; of a failure of any form, an `error` event.

    Raises:
        UpstreamError: it is none.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if not isinstance(data, FailureData):
            raise _no_json(data) from error
        value = None
    if isinstance(data, FailureData):
        return _error_event(value, data)
    if not isinstance(value, dict):
        raise _no_event()
    return value


_FAILURE_EVENT = re.compile(r"error|response\..+")


def _error_event(value: Any, data: bytes) -> Json:
    """The event of a failure, whose type some servers leave out, or use for the kind of the failure."""
    if not isinstance(value, dict):
        return {"type": "error", "error": value or data.decode(errors="replace")}
    kind = value.get("type")
    if isinstance(kind, str) and _FAILURE_EVENT.fullmatch(kind):
        return value
    return {"type": "error", "error": value}


def _no_json(data: bytes) -> UpstreamError:
    kind = "something that is no JSON"
    if data.lstrip()[:1] == b"<":
        title = page_title(data.decode(errors="replace"))
        kind = f'an HTML page titled "{title}"' if title else "an HTML page"
    return UpstreamError(f"The upstream answered with {kind}.", code="upstream_invalid")


def untold(value: Json, data: bytes) -> str:
    """The type of an event that does not say it: a whole response, or an error."""
    if complains(value):
        raise upstream_error(200, data)
    if value.get("object") == "response" or isinstance(value.get("output"), list):
        return "response.completed"
    raise _no_event()


def _no_event() -> UpstreamError:
    return UpstreamError(
        "The upstream answered with JSON that is no event of a response.", code="upstream_invalid"
    )


# Names that other documents and older servers have for events of the contract.
ALIASES: Mapping[str, str] = {
    "response.reasoning.delta": "response.reasoning_text.delta",
    "response.reasoning.done": "response.reasoning_text.done",
    "response.reasoning_summary.delta": "response.reasoning_summary_text.delta",
    "response.reasoning_summary.done": "response.reasoning_summary_text.done",
    "response.done": "response.completed",
}

# Members of a response or an event that may say why it failed; of those of a response, most hold what was asked for.
REASONS = ("code", "message", "param", "detail", "msg", "errors", "last_error", "status_details", "base_resp")


def failure(event: Json) -> UpstreamError:
    """What an event says of a failure, in any of the forms in use.

    Args:
        event: an `error` event, flat or nested, or one with a failed response.
    """
    response = event.get("response")
    holder = response if isinstance(response, dict) else event
    reason = _reason(holder)
    if holder is not event and within(reason).message is None:
        reason = {**_reason(event), **reason}
    reason["error_type"] = holder.get("error_type") or event.get("error_type")
    said = within(reason)
    word = str(said.code)
    alike = (status for words, status in STATUSES if re.search(words, word))
    status = CODES[word] if word in CODES else next(alike, 200)
    # The general status is no word of the server's, so that the message may still say which kind of failure this is.
    status = 200 if status == _UNSPECIFIC else status
    return upstream_error(status, msgspec.json.encode(reason), reported=True)


def _reason(holder: Json) -> Json:
    """What a response or an event says of its failure."""
    if holder.get("error"):
        return {"error": holder["error"]}
    return {name: holder[name] for name in REASONS if holder.get(name)}


class Reason:
    """A failure whose words may still come: some servers send them after the failed response."""

    def __init__(self) -> None:
        self._failure: UpstreamError | None = None

    @property
    def awaited(self) -> bool:
        """Whether there was a failure without words."""
        return self._failure is not None

    def take(self, event: Json) -> None:
        """Take an event of a failure.

        Raises:
            UpstreamError: it has words, or is the second one.
        """
        found = failure(event)
        if self._failure is not None:
            raise _explained(self._failure, found)
        if found.words is not None:
            raise found
        self._failure = found

    def close(self) -> None:
        """Nothing follows.

        Raises:
            UpstreamError: there was a failure, and no words.
        """
        if self._failure is not None:
            raise self._failure


def _explained(failed: UpstreamError, reason: UpstreamError) -> UpstreamError:
    """A failure without words in those that came after it."""
    if failed.code == "upstream_error" or reason.words is None:
        return reason if reason.words is not None else failed
    told = copy(failed)
    told.fact, told.words, told.message = reason.fact, reason.words, reason.message
    told.retry_after = failed.retry_after or reason.retry_after
    return told


_UNSPECIFIC = 502
CODES: Mapping[str, int] = {
    "bio_policy": 400,
    "context_length_exceeded": 400,
    "data_residency_mismatch": 502,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
    "image_content_policy_violation": 400,
    "image_file_not_found": 404,
    "image_file_too_large": 400,
    "image_parse_error": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "insufficient_quota": 429,
    "invalid_base64_image": 400,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_image_mode": 400,
    "invalid_image_url": 400,
    "invalid_prompt": 400,
    "invalid_request": 400,
    "misalignment_policy_violation": 400,
    "rate_limit_exceeded": 429,
    "server_error": 502,
    "server_is_overloaded": 503,
    "unsupported_image_media_type": 400,
    "upstream_error": 502,
    "upstream_invalid": 502,
    "upstream_timeout": 502,
    "upstream_unreachable": 502,
    "vector_store_timeout": 502,
}
"""Every code of a failed response -> the HTTP status of a failure that has none, since it came inside a stream."""

# The same for other servers' codes: a pattern of words in them -> the status.
STATUSES = (
    ("too_many_requests|rate_limit", 429),
    ("overloaded", 503),
    ("not_found", 404),
    ("^(invalid|unsupported|image_|empty_image|failed_to_download_image)|policy|context_length", 400),
)


class End(Enum):
    """How an answer ended."""

    WHOLE = "whole"
    CUT_SHORT = "cut short"
    FAILED = "failed"


ENDS: Mapping[str, End] = {
    "completed": End.WHOLE,
    "incomplete": End.CUT_SHORT,
    "failed": End.FAILED,
    "cancelled": End.FAILED,
    # Some servers leave the status of the last event as it was at the beginning.
    "queued": End.WHOLE,
    "in_progress": End.WHOLE,
}
"""Every status of a response, in its last event -> how the answer ended."""


def end_of(response: Mapping[str, Any]) -> End:
    """How an answer ended, by the response of its last event."""
    return ENDS.get(str(response.get("status")), End.WHOLE)


def counted(usage: Any) -> replies.ResponseUsage | None:
    """Token counts with all members of the contract, or None where the upstream did not count."""
    if not isinstance(usage, dict) or (
        not _number(usage.get("input_tokens")) and "output_tokens" not in usage
    ):
        return None
    counts = {name: _number(usage.get(name)) for name in COUNTS}
    details = {
        name: _details(usage.get(name), names, NESTED.get(name, {})) for name, names in DETAILS.items()
    }
    counts["total_tokens"] = counts["total_tokens"] or counts["input_tokens"] + counts["output_tokens"]
    # Members that the contract does not know survive, so this is the place where the object gets its type.
    whole: Any = {**usage, **counts, **details}
    known: replies.ResponseUsage = whole
    return known


COUNTS = ("input_tokens", "output_tokens", "total_tokens")
"""Every count of the usage."""
DETAILS: Mapping[str, tuple[str, ...]] = {
    "input_tokens_details": ("cached_tokens", "cache_write_tokens"),
    "output_tokens_details": ("reasoning_tokens",),
}
"""Every object of the usage -> its counts."""


NESTED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "input_tokens_details": {"cache_write_tokens_details": ("ttl_12h_tokens", "ttl_30m_tokens")},
}
"""Objects that may be within those, with their counts."""


def _details(given: Any, names: tuple[str, ...], nested: Mapping[str, tuple[str, ...]]) -> Json:
    details = given if isinstance(given, dict) else {}
    kept = {name: value for name, value in details.items() if name not in nested}
    inner = {
        name: {**details[name], **{count: _number(details[name].get(count)) for count in counts}}
        for name, counts in nested.items()
        if isinstance(details.get(name), dict)
    }
    return {**kept, **{name: _number(details.get(name)) for name in names}, **inner}


LARGEST = 2**53
"""What is larger is no count of tokens."""


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < LARGEST else 0
