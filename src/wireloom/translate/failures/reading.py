"""An upstream's failure, in whatever form, as one of our errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wireloom.errors import UpstreamError, UpstreamLimited, UpstreamRefused
from wireloom.translate.failures.bodies import is_page, page_title
from wireloom.translate.failures.delays import of_body
from wireloom.translate.failures.kinds import CODES, KEPT, STATUSES, UNSAID, Kind
from wireloom.translate.failures.redact import redacted
from wireloom.translate.failures.table import kind_of
from wireloom.translate.failures.unwrap import Said, read, value_of

LONGEST = 2000
LONGEST_SEARCHED = 4000
"""Characters of a message at most in which words are looked for."""
UNKNOWN_MODEL = CODES[Kind.MODEL]
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,40}")
_PAGES = ("text/html", "application/xhtml+xml")
# Not the upstream's word for it: a client would look for the fault in the key that it has for the gateway.
_KEY_CODES = {401: "upstream_unauthorized", 403: "upstream_forbidden"}
_CODES = {**_KEY_CODES, 404: "upstream_not_found"}
# Statuses of failures that came without one, for codes that name no kind.
_STATUSES = {"invalid_request_error": 400, "not_found_error": 404}
_PACE = re.compile(r"rate|too_many_requests")
_UNSPECIFIC = 502


def upstream_error(
    status: int,
    body: bytes,
    retry_after: float | None = None,
    *,
    secret: str | None = None,
    kind: str = "",
    reported: bool = False,
    now: float | None = None,
) -> UpstreamError:
    """Read an error.

    Args:
        status: HTTP status of the upstream's answer; 200 for an error that came as an answer.
        body: the answer's body, of any form.
        retry_after: seconds the upstream asks to wait, as its headers have it.
        secret: the key used upstream, which its message may repeat.
        kind: content type of the answer, where it has one.
        reported: whether the error came inside an answer, so that the status is the reader's.
        now: seconds since the epoch, for bodies that name a time; without it, such times say nothing.
    """
    said = Said() if kind in _PAGES else read(body)
    answered = None if reported or status < 400 else status
    words = None if said.message is None else redacted(said.message, secret)[:LONGEST]
    searched = (said.message or "")[:LONGEST_SEARCHED]
    wait = retry_after if retry_after is not None else of_body(body, searched, now)
    failure = _Failure(
        fact=_fact(answered, words, redacted(form(body, kind), secret)),
        words=words,
        answered=answered,
        param=said.param,
        wait=wait,
    )
    known = status if status >= 400 else said.status or UNSAID
    found = kind_of(known, said.codes, searched, delayed=wait is not None)
    if found is not None and status != 402:
        return failure.of_kind(found, known)
    return failure.of_status(status if status >= 400 else said.status or _status(said.code), said.code)


@dataclass(frozen=True, slots=True)
class _Failure:
    """What is known of a failure besides its kind.

    Args:
        fact: see `UpstreamError`.
        words: see `UpstreamError`.
        answered: see `GatewayError`.
        param: see `GatewayError`.
        wait: see `GatewayError.retry_after`.
    """

    fact: str
    words: str | None
    answered: int | None
    param: str | None
    wait: float | None

    def of_kind(self, kind: Kind, status: int) -> UpstreamError:
        """The error of a kind.

        Args:
            kind: the kind.
            status: the upstream's, or `UNSAID`.
        """
        status = status if status in KEPT[kind] else STATUSES[kind]
        code = CODES.get(kind) or _KEY_CODES[status]
        if kind in (Kind.QUOTA, Kind.RATE):
            return self._made(UpstreamLimited, code, status)
        if kind is Kind.OVERLOAD:
            return self._made(UpstreamError, code, status)
        param = "model" if kind is Kind.MODEL else self.param
        return self._made(UpstreamRefused, code, status, param)

    def of_status(self, status: int, code: str | None) -> UpstreamError:
        """The error of a status, where no kind is recognised.

        Args:
            status: the upstream's, or the one that its code means.
            code: the upstream's word for the reason.
        """
        if status == 402:
            return self._made(UpstreamLimited, CODES[Kind.QUOTA], 429)
        if status == 429:
            return self._made(UpstreamLimited, code or CODES[Kind.RATE], 429)
        if status >= 500:
            return self._made(UpstreamError, code or "upstream_error", status)
        known = _CODES.get(status) if status in _KEY_CODES or code is None else code
        return self._made(UpstreamRefused, known or "upstream_error", status, self.param)

    def _made(
        self, kind: type[UpstreamError], code: str, status: int, param: str | None = None
    ) -> UpstreamError:
        return kind(
            self.fact,
            words=self.words,
            answered=self.answered,
            code=code,
            param=param,
            status=status,
            retry_after=None if kind is UpstreamRefused else self.wait,
        )


def _status(code: str | None) -> int:
    """The status of a failure that came without one."""
    if code is not None and _PACE.search(code):
        return 429
    return _STATUSES.get(code or "", _UNSPECIFIC)


def form(body: bytes, kind: str) -> str:
    """What a body without a reason is, as it goes after "answered 404".

    Args:
        body: the bytes.
        kind: the content type that came with them.
    """
    text = body.decode(errors="replace").lstrip()
    if kind in _PAGES or text.startswith("<"):
        title = page_title(text) if is_page(text) else None
        return f'with an HTML page titled "{title}"' if title else "with HTML"
    if not text.strip():
        return "with an empty body"
    if value_of(body) is not None:
        return "without saying why"
    return f"with {kind}" if _MEDIA_TYPE.fullmatch(kind) and "json" not in kind else "with no JSON"


def _fact(answered: int | None, words: str | None, shape: str) -> str:
    fact = "The upstream reports an error" if answered is None else f"The upstream answered {answered}"
    return fact if words else f"{fact} {shape}."


def cut_off() -> UpstreamError:
    """The error for a stream that ended before its answer did."""
    return UpstreamError("The upstream's stream ended before its answer did.", code="upstream_incomplete")
