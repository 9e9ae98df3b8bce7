"""Headers of every answer: the id of the request, the times to wait, the losses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableSet

from wireloom.cli.diagnose.check.answer import LOSS_HEADER, Answer

REQUEST_ID = "x-request-id"
RETRY_AFTER = "retry-after"
LONGEST_WAIT = 86_400
"""Seconds that a server may ask a client to wait: a day."""
_LOSS = re.compile(r"[^;,]+;[a-z_]+;[^,]*|more=\d+")


def findings(headers: Mapping[str, str], seen: MutableSet[str]) -> Iterator[str]:
    """Yield the faults of an answer's headers.

    headers: names in lower case; seen: ids of the answers before, to which this one's is added.
    """
    request_id = headers.get(REQUEST_ID, "").strip()
    if not request_id:
        yield f"the header {REQUEST_ID} is missing"
    elif request_id in seen:
        yield f"the header {REQUEST_ID} is {request_id!r}, which another answer had before"
    seen.add(request_id)
    wait = headers.get(RETRY_AFTER)
    if wait is not None and seconds(wait) is None:
        yield f"the header {RETRY_AFTER} is {wait!r}, not a number of seconds from 0 to {LONGEST_WAIT}"
    lost = headers.get(LOSS_HEADER)
    if lost is not None and not all(_LOSS.fullmatch(item.strip()) for item in lost.split(",")):
        yield f"the header {LOSS_HEADER} is {lost!r}, not items path;action;reason"


def streaming(answer: Answer) -> Iterator[str]:
    """Yield where a stream is answered whole, or a whole answer as a stream."""
    asked = isinstance(answer.sent, dict) and answer.sent.get("stream") is True
    if answer.ok and answer.streamed is not asked:
        wanted = "a stream" if asked else "no stream"
        yield f"the content-type is {answer.headers.get('content-type')!r}, although the request asks for {wanted}"


def seconds(wait: str | None) -> int | None:
    """Return the seconds of a `retry-after` header, None where it is missing or no sane number."""
    if wait is None or not re.fullmatch(r"\d{1,9}", wait.strip()):
        return None
    found = int(wait)
    return found if found <= LONGEST_WAIT else None
