"""How long an upstream asks to wait, in whatever form it says so, as seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from wireloom.translate.failures.unwrap import texts, value_of

LONGEST = 3600.0
"""A longer delay is no advice for a client that waits, so it is none."""
_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e11

UNITS: Mapping[str, float] = {
    "ms": 0.001,
    "msec": 0.001,
    "msecs": 0.001,
    "millisecond": 0.001,
    "milliseconds": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "m": 60.0,
    "min": 60.0,
    "mins": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hrs": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}
"""Every unit of a delay -> its seconds."""


@dataclass(frozen=True, slots=True)
class Form:
    """A place in which a delay is found.

    Args:
        place: the name of a header or a member, or words; as the documentation shows it.
        example: a value.
        server: who sends it.
        unit: seconds of a number without a unit.
        always: whether it counts with every status; else only with 429, or where nothing remains.
    """

    place: str
    example: str
    server: str
    unit: float = 1.0
    always: bool = True


HEADERS: Mapping[str, Form] = {
    "retry-after-ms": Form("retry-after-ms", "7000", "OpenAI, Azure", 0.001),
    "x-ms-retry-after-ms": Form("x-ms-retry-after-ms", "7000", "Azure", 0.001),
    "retry-after": Form("retry-after", "7, 7.5, an HTTP date", "most"),
    "x-retry-after": Form("x-retry-after", "7", "proxies"),
}
"""Every header that names a delay, the best first."""
RESETS: tuple[Form, ...] = (
    Form("x-ratelimit-reset*", "1s, 6m0s, 120ms, epoch, ISO date", "OpenAI, Groq, OpenRouter", always=False),
    Form("anthropic-ratelimit-*-reset", "2026-01-01T00:00:07Z", "Anthropic", always=False),
    Form("ratelimit-reset", "7", "the IETF draft", always=False),
    Form("ratelimit", "limit=9, remaining=0, reset=7; r=0;t=7", "the IETF draft", always=False),
)
"""The headers that say when a limit begins anew."""
MEMBERS: Mapping[str, Form] = {
    "retrydelay": Form("retryDelay", "37s", "Gemini (RetryInfo)"),
    "retryafterms": Form("retry_after_ms", "7000", "proxies", 0.001),
    "retrydelayms": Form("retry_delay_ms", "7000", "proxies", 0.001),
    "retryafter": Form("retry_after, retryAfter", "7", "Cloudflare, proxies"),
    "retryafterseconds": Form("retry_after_seconds", "7", "OpenRouter"),
    "retryaftersecs": Form("retry_after_secs", "7", "proxies"),
    "retryin": Form("retry_in", "7s", "proxies"),
    "resetsinseconds": Form("resets_in_seconds", "7", "ChatGPT"),
    "resetsat": Form("resets_at", "epoch", "ChatGPT"),
    "estimatedtime": Form("estimated_time", "20.0", "Hugging Face"),
}
"""Every member of a body that names a delay; its name in lower case, without `_` and `-`."""

_AMOUNT = r"\d+(?:\.\d+)?"
_UNIT = "|".join(sorted(UNITS, key=len, reverse=True))
_PART = rf"{_AMOUNT}\s*(?:{_UNIT})(?![a-z])"
_SPAN = re.compile(rf"({_AMOUNT})\s*({_UNIT})(?![a-z])", re.IGNORECASE)
_WHOLE_SPAN = re.compile(rf"(?:{_AMOUNT}\s*(?:{_UNIT})(?:\s|,|and)*)+", re.IGNORECASE)
_RUN = rf"{_AMOUNT}\s*(?:{_UNIT})(?:(?:\s|,|and)*{_AMOUNT}\s*(?:{_UNIT}))*(?![a-z])"
WORDS: tuple[tuple[Form, re.Pattern[str]], ...] = (
    (
        Form(
            "in the message",
            "Please try again in 7.66s; retry in 1m30s; resets in 20 ms",
            "OpenAI, Groq, Gemini",
        ),
        re.compile(
            rf"(?:try(?:ing)? again|retry(?:ing)?|available(?: again)?|resets?|wait(?: for| at least| about)*)"
            rf"(?:\s|:|in|after|for|about|approximately|at least|another)*\s({_RUN})",
            re.IGNORECASE,
        ),
    ),
    (
        Form("in the message", "Retry after 7", "Azure, Mistral"),
        re.compile(rf"retry[ -]after:?\s+({_AMOUNT})(?![\w-])", re.IGNORECASE),
    ),
)
"""Ways to name a delay in the words of a failure."""
_RESET = re.compile(r"(?:^|-)(?:rate-?limit)(?:-.+)?-reset(?:-|$)|(?:^|-)rate-?limit-reset")
_IETF = re.compile(r"\b(?:reset|t)=(\d+)")
_IETF_LEFT = re.compile(r"\b(?:remaining|r)=(\d+)")


def of_headers(headers: Mapping[str, str], status: int, now: float | None) -> float | None:
    """Seconds to wait as the headers of an answer have them, or None.

    Args:
        headers: names in lower case -> values.
        status: of the answer.
        now: seconds since the epoch; without it, dates say nothing.
    """
    for name, form in HEADERS.items():
        value = headers.get(name)
        found = seconds(value, now, form.unit) if value else None
        if found is not None:
            return found
    return _of_resets(headers, status, now)


def of_body(body: bytes, message: str, now: float | None) -> float | None:
    """Seconds to wait as the body of a failure has them, or None.

    Args:
        body: the bytes.
        message: the words in it.
        now: see `of_headers`.
    """
    for name, value in texts(value_of(body)):
        plain = str(name).lower().replace("_", "").replace("-", "")
        found = _of_member(plain, value, now)
        if found is not None:
            return found
    return of_words(message)


def of_words(message: str) -> float | None:
    """Seconds to wait as a sentence has them, or None.

    Args:
        message: of any length.
    """
    for _, words in WORDS:
        found = words.search(message)
        if found is not None:
            return seconds(found[1], None)
    return None


def seconds(value: object, now: float | None, unit: float = 1.0) -> float | None:
    """A delay of any form in seconds; None where it is no delay, over, or longer than `LONGEST`.

    Args:
        value: a number, a span such as `6m0s`, a time since the epoch, an HTTP date or an ISO date.
        now: see `of_headers`.
        unit: seconds of a number without a unit.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _sane(_of_number(float(value), now, unit))
    if not isinstance(value, str):
        return None
    text = value.strip().strip('"')
    if re.fullmatch(_AMOUNT, text):
        return _sane(_of_number(float(text), now, unit))
    if _WHOLE_SPAN.fullmatch(text):
        return _sane(sum(float(part[1]) * UNITS[part[2].lower()] for part in _SPAN.finditer(text)))
    moment = _moment(text)
    return None if moment is None or now is None else _sane(moment - now)


def _of_number(value: float, now: float | None, unit: float) -> float | None:
    """A number: a delay, or a time since the epoch where it is far too large for one."""
    if value >= _EPOCH_MILLISECONDS:
        return None if now is None else value / 1000 - now
    if value >= _EPOCH_SECONDS:
        return None if now is None else value - now
    return value * unit


def _sane(found: float | None) -> float | None:
    return found if found is not None and 0 < found <= LONGEST else None


def _moment(text: str) -> float | None:
    """The time of a date, in seconds since the epoch."""
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
    try:
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


def _of_member(name: str, value: Any, now: float | None) -> float | None:
    form = MEMBERS.get(name)
    if form is not None:
        if isinstance(value, dict):  # a duration of protocol buffers
            value = value.get("seconds")
        return seconds(value, now, form.unit)
    if name == "headers" and isinstance(value, dict):  # of the answer that a router got itself
        headers = {str(key).lower(): str(each) for key, each in value.items()}
        return of_headers(headers, 429, now)
    return None


def _of_resets(headers: Mapping[str, str], status: int, now: float | None) -> float | None:
    """The latest time at which a limit that is used up begins anew; with 429, of any limit if none says that it is."""
    used_up: list[float | None] = []
    others: list[float | None] = []
    for left, reset in _resets(headers):
        found = seconds(reset, now)
        (used_up if left == 0 else others).append(found)
    if used_up:
        return None if None in used_up else max(each for each in used_up if each is not None)
    known = [each for each in others if each is not None]
    return max(known, default=None) if status == 429 else None


def _resets(headers: Mapping[str, str]) -> Iterator[tuple[float | None, str]]:
    """What remains of each limit, where that is said, and when it begins anew."""
    for name, value in headers.items():
        if name == "ratelimit":
            reset, left = _IETF.search(value), _IETF_LEFT.search(value)
            if reset:
                yield float(left[1]) if left else None, reset[1]
        elif _RESET.search(name):
            yield _number(headers.get(name.replace("reset", "remaining"))), value


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
