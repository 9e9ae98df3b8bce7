"""What an upstream says when it fails, in whatever form, as one of our errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wireloom.errors import UpstreamError, UpstreamLimited, UpstreamRefused

LONGEST = 2000
UNKNOWN_MODEL = "model_not_found"
# A bearer token or a key that an upstream repeats in its message, also one of which it shows only a part.
_SECRET = re.compile(
    r"\b(?:sk|pk|gsk|xai|key)[-_][A-Za-z0-9_\-*.]{6,}|Bearer\s+\S+|[A-Za-z0-9_\-]*\*{3,}[A-Za-z0-9_\-*]*"
)
# What is shorter is a placeholder, which may be a part of any word.
_SHORTEST_KEY = 4
# Some show the end of a key: this many letters of one so long are taken for a part of it.
_SHORTEST_END = 4
_LONG_KEY = 16
_WORD = re.compile(r"[A-Za-z0-9_\-]+")
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
_UNKNOWN_CODES = frozenset({UNKNOWN_MODEL, "model_not_available", "modelnotfound", "invalid_model"})
# DeepSeek, Z.AI, Mistral, OpenRouter (twice), Kimi, Fireworks; then OpenAI, Groq, xAI, vLLM, Ollama and Google, which
# all put the name in the middle.
_UNKNOWN_WORDS = re.compile(
    r"\bmodel not exist|\bunknown model\b|\binvalid model(?: identifier)?\b|is not a valid model|no endpoints found for"
    r"|not found the model|\bmodel not found"
    r"|\bmodels?[ /:]+[\"'`]?\S+?[\"'`]?,? (?:does not exist|(?:is |was )?not found)",
    re.IGNORECASE,
)
# A refusal of what was asked, although its status is that of a key.
_MODERATED = re.compile(r"moderation|flagged|content policy", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,40}")
_PAGES = ("text/html", "application/xhtml+xml")


def upstream_error(
    status: int,
    body: bytes,
    retry_after: float | None = None,
    *,
    secret: str | None = None,
    kind: str = "",
    reported: bool = False,
) -> UpstreamError:
    """Read an error.

    Args:
        status: HTTP status of the upstream's answer; 200 for an error that came as an answer.
        body: the answer's body, of any form.
        retry_after: seconds the upstream asks to wait.
        secret: the key used upstream, which its message may repeat.
        kind: content type of the answer, where it has one.
        reported: whether the error came inside an answer, so that the status is the reader's.
    """
    words, code, param = _parts(body)
    answered = None if reported or status < 400 else status
    if status < 400:
        status = _status(code)
    if _is_status(code):
        code = None  # the status once more, which is no reason
    words = None if words is None else redacted(words, secret)[:LONGEST]
    fact = _fact(answered, words, form(body, kind))
    found = f"{code or ''} {words or ''}"

    def error(
        kind_of: type[UpstreamError], code: str, status: int, param: str | None = None
    ) -> UpstreamError:
        wait = None if kind_of is UpstreamRefused else retry_after
        return kind_of(
            fact, words=words, answered=answered, code=code, param=param, status=status, retry_after=wait
        )

    if status in (400, 413, 422) and (code == "context_length_exceeded" or _CONTEXT.search(found)):
        return error(UpstreamRefused, "context_length_exceeded", status, param)
    if status == 402 or code in _QUOTA:
        return error(UpstreamLimited, "insufficient_quota", 429)
    if status == 429:
        return error(UpstreamLimited, code or "rate_limit_exceeded", 429)
    if status in (400, 403, 404, 422) and _names_no_model(code, words):
        return error(UpstreamRefused, UNKNOWN_MODEL, 404, "model")
    if status < 500:
        # Not the upstream's word for it: a client would look for the fault in the key that it has for the gateway.
        known = _CODES.get(status) if status in (401, 403) or code is None else code
        if status == 403 and _MODERATED.search(found):
            known = "content_policy_violation"
        return error(UpstreamRefused, known or "upstream_error", status, param)
    return error(UpstreamError, code or "upstream_error", status)


def redacted(words: str, secret: str | None = None) -> str:
    """Words of an upstream without the keys in them.

    Args:
        words: what it said.
        secret: the key that it was sent, of which it may show the whole, or the end.
    """
    if secret is not None and len(secret) >= _SHORTEST_KEY:
        words = words.replace(secret, "***")
    words = _SECRET.sub("***", words)
    if secret is None or len(secret) < _LONG_KEY:
        return words

    def hidden(word: re.Match[str]) -> str:
        part = len(word[0]) >= _SHORTEST_END and secret.endswith(word[0])
        return "***" if part else word[0]

    return _WORD.sub(hidden, words)


def form(body: bytes, kind: str) -> str:
    """What a body without a reason is, as it goes after "answered 404".

    Args:
        body: the bytes.
        kind: the content type that came with them.
    """
    if kind in _PAGES or body.lstrip()[:1] == b"<":
        return "with HTML"
    if not body.strip():
        return "with an empty body"
    if _value(body) is not None:
        return "without saying why"
    return f"with {kind}" if _MEDIA_TYPE.fullmatch(kind) and "json" not in kind else "with no JSON"


def _fact(answered: int | None, words: str | None, shape: str) -> str:
    fact = "The upstream reports an error" if answered is None else f"The upstream answered {answered}"
    return fact if words else f"{fact} {shape}."


def _names_no_model(code: str | None, words: str | None) -> bool:
    """Whether an upstream says that it does not have the model."""
    return (code or "").lower() in _UNKNOWN_CODES or bool(words and _UNKNOWN_WORDS.search(words))


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


def _value(body: bytes) -> Any:
    """The JSON value of a body, or None where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _parts(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Message, code and parameter, each None where there is none, from the forms in use.

    `{"error": {...}}` (OpenAI), `{"error": "..."}` (Ollama), the bare object (Mistral), `{"detail": ...}`
    (FastAPI), `{"message": ...}`; a page or a text is not repeated to the client.
    """
    value = _value(body)
    if isinstance(value, list) and value:
        value = value[0]  # Google's endpoint wraps the object in a list
    found = (value.get("error") or value) if isinstance(value, dict) else value
    if isinstance(found, Mapping):
        return (
            _message(found),
            _word(found.get("code")) or _word(found.get("type")),
            _word(found.get("param")),
        )
    return found if isinstance(found, str) and found else None, None, None


def _message(error: Mapping[str, Any]) -> str | None:
    for name in ("message", "detail", "msg"):
        said = error.get(name)
        if isinstance(said, str) and said:
            return said
        if said:
            return msgspec.json.encode(said).decode()
    return None


def _word(value: Any) -> str | None:
    return (
        str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
    )
