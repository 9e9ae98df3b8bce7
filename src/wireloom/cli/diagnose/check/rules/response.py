"""A finished response: its status, its output, its usage, and the settings that it repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wireloom.cli.diagnose.check.rules import usage
from wireloom.wire.json import Json

FINISHED = ("completed", "incomplete")
LIMIT = "max_output_tokens"
# Members of a request that its response repeats.
REPEATED = ("model", "metadata", "instructions", "previous_response_id", LIMIT)
CUT_TOKENS = 32
"""An answer that is cut without a limit in the request has at least so many tokens. A limit up to this is one that no
whole answer to a request of the check reaches."""
# Members that every item of a kind has or has not, however the model answers.
COMPARED = ("message",)


def findings(response: Json, sent: Json, lost: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the faults of a finished response.

    response: the object; sent: the request; lost: paths of the request that the deployment declares lost.
    """
    status = response.get("status")
    if status not in FINISHED:
        failure = response.get("error")
        code = failure.get("code") if isinstance(failure, Mapping) else failure
        yield f"status is {status!r} in a finished answer (error: {code!r})"
        return
    if not response.get("id"):
        yield f"id is {response.get('id')!r}"
    yield from _ending(response, status)
    yield from _output(response, status)
    wrote = bool(texts(response) or calls(response))
    if status == "completed" and not wrote:
        yield "output holds no text, no refusal and no call, although status is 'completed'"
    yield from usage.findings(response.get("usage"), usage.RESPONSES, wrote=wrote)
    yield from _repeated(response, sent, lost)
    yield from _limit(response, sent, lost)


def texts(response: Json) -> list[str]:
    """Return the texts and refusals of a response's messages, in order, empty ones left out."""
    found = []
    for item in items(response):
        if item.get("type") == "message":
            found += content_texts(item)
    return found


def content_texts(item: Json) -> list[str]:
    """Return the texts and refusals of a message, in order, empty ones left out."""
    found = []
    content = item.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            text = part.get("text") or part.get("refusal")
            if isinstance(text, str) and text:
                found.append(text)
    return found


def calls(response: Json) -> list[Json]:
    """Return the calls of a response's output."""
    return [item for item in items(response) if str(item.get("type", "")).endswith("_call")]


def items(response: Json) -> list[Json]:
    """Return the items of a response's output, other values left out."""
    output = response.get("output")
    return [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []


def stored(response: Json) -> bool:
    """Whether a response is declared stored."""
    return response.get("store") is True


def differences(whole: Json, streamed: Json) -> Iterator[str]:
    """Yield how the structure of a whole answer differs from that of a streamed one.

    Texts and reasoning are not compared: models answer differently from one time to the next.
    """
    for name in sorted(whole.keys() ^ streamed.keys()):
        where, other = ("whole", "streamed") if name in whole else ("streamed", "whole")
        yield f"the {where} answer has the member {name}, the {other} one has not"
    for kind in COMPARED:
        yield from _members(kind, whole, streamed)
    if whole.get("model") != streamed.get("model"):
        yield f"the whole answer is of model {whole.get('model')!r}, the streamed one of {streamed.get('model')!r}"
    if whole.get("id") == streamed.get("id"):
        yield f"two answers have the id {whole.get('id')!r}"


def _members(kind: str, whole: Json, streamed: Json) -> Iterator[str]:
    found = [[item for item in items(each) if item.get("type") == kind] for each in (whole, streamed)]
    if not all(found):
        return
    ours, theirs = (set(each[0]) for each in found)
    for name in sorted(ours ^ theirs):
        where = "whole" if name in ours else "streamed"
        yield f"only the {where} answer has {name} in an item of type {kind}"


def _ending(response: Json, status: str) -> Iterator[str]:
    if response.get("error") is not None:
        yield f"error is {response['error']!r}, although status is {status!r}"
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    if (status == "incomplete") != (reason is not None):
        yield f"incomplete_details is {details!r}, although status is {status!r}"
    begun, ended = response.get("created_at"), response.get("completed_at")
    if isinstance(begun, int | float) and isinstance(ended, int | float) and ended < begun:
        yield f"completed_at is {ended}, before created_at ({begun})"


def _output(response: Json, status: str) -> Iterator[str]:
    found = items(response)
    ids = [item.get("id") for item in found]
    for item in found:
        if not item.get("id"):
            yield f"an item of type {item.get('type')} has no id"
        if item.get("type") == "message" and item.get("role") != "assistant":
            yield f"a message of the output has the role {item.get('role')!r}"
    if len(set(ids)) < len(ids):
        yield f"two items of the output have one id: {ids}"
    for place, item in enumerate(found):
        state = item.get("status") or "completed"
        last = place == len(found) - 1
        if state == "incomplete" and status == "incomplete" and last:
            continue
        if state not in ("completed", "failed"):
            yield f"output[{place}].status is {state!r}, although the response is {status!r}"
    whole_text = response.get("output_text")
    if isinstance(whole_text, str) and whole_text != "".join(texts(response)):
        yield f"output_text is {whole_text!r}, which is not the text of the output"


def _repeated(response: Json, sent: Json, lost: frozenset[str]) -> Iterator[str]:
    for name in REPEATED:
        if name in sent and name not in lost and response.get(name) != sent[name]:
            yield f"{name} is {response.get(name)!r}, although the request has {sent[name]!r}"
    tools = [tool.get("name") for tool in response.get("tools") or ()]
    offered = [tool.get("name") for tool in sent.get("tools") or ()]
    if tools != offered and not any(path.startswith("tools") for path in lost):
        yield f"tools are {tools}, although the request offers {offered}"
    if sent.get("store") is False and response.get("store") is True:
        yield "store is true, although the request has false"


def _limit(response: Json, sent: Json, lost: frozenset[str]) -> Iterator[str]:
    """Yield where the status and the tokens of a response disagree on whether it was cut."""
    if LIMIT in lost:
        return
    written = usage.spent(response.get("usage"), usage.RESPONSES)
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    yield from cut(
        sent.get(LIMIT), written, is_cut=reason == LIMIT, shown=f"status is {response['status']!r}"
    )


def cut(limit: int | None, written: int | None, *, is_cut: bool, shown: str) -> Iterator[str]:
    """Yield where an answer is marked as cut and is not, or is cut and not marked.

    limit: tokens at most, None without one; written: tokens of the answer, None where unknown; is_cut: whether the
    answer is marked as cut; shown: the mark, in words. A model that ignores the limit is not at fault here.
    """
    if written is None:
        return
    # A server may have a lower ceiling of its own, so a cut is in doubt only after a handful of tokens.
    least = CUT_TOKENS if limit is None else min(CUT_TOKENS, limit / 2)
    expected = limit is not None and limit <= CUT_TOKENS
    if is_cut and not expected and written < least:
        at_most = "no limit" if limit is None else f"a limit of {limit}"
        yield f"{shown} as if the answer was cut, after {written} tokens with {at_most}"
    if not is_cut and expected and written == limit:
        yield f"{shown} as if the answer was whole, although it has exactly the {limit} tokens of the limit"
