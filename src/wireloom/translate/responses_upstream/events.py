"""What single events of a Responses upstream say, in any of the forms in use: JSON, failures, tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from wireloom.errors import GatewayError, UpstreamError
from wireloom.translate.upstream_errors import upstream_error
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies


def decoded(data: bytes) -> Json:
    """The JSON object in the data of an event.

    Raises:
        UpstreamError: it is none.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        kind = "an HTML page" if data.lstrip()[:1] == b"<" else "something that is no JSON"
        raise UpstreamError(f"The upstream answered with {kind}.", code="upstream_invalid") from error
    if not isinstance(value, dict):
        raise _no_event()
    return value


def untold(value: Json, data: bytes) -> str:
    """The type of an event that does not say it: a whole response, or an error."""
    if value.get("error"):
        raise upstream_error(200, data)
    if value.get("object") == "response" or isinstance(value.get("output"), list):
        return "response.completed"
    raise _no_event()


def _no_event() -> UpstreamError:
    return UpstreamError(
        "The upstream answered with JSON that is no event of a response.", code="upstream_invalid"
    )


def failure(event: Json) -> GatewayError:
    """What an event says of a failure, in any of the forms in use.

    Args:
        event: an `error` event, flat or nested, or one with a failed response.
    """
    response = event.get("response")
    holder = response if isinstance(response, dict) else event
    found = holder.get("error")
    error = found if isinstance(found, dict) else holder
    said = {name: error.get(name) for name in ("code", "message", "param")}
    if error is found and not said["code"]:
        said["code"] = error.get("type")
    said["code"] = code = said["code"] or holder.get("error_type") or event.get("error_type")
    word = str(code)
    alike = (status for words, status in STATUSES if re.search(words, word))
    status = CODES[word] if word in CODES else next(alike, 200)
    return upstream_error(status, msgspec.json.encode({"error": said}), reported=True)


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
