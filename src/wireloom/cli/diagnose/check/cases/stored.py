"""Cases of the store: answers and inputs are there unchanged, and gone once they are deleted."""

from __future__ import annotations

from collections.abc import Iterator

from wireloom.cli.diagnose.check.cases.base import WORD, Case, Probe
from wireloom.cli.diagnose.check.cases.responses import (
    CONTINUED,
    CREATE,
    QUESTION,
    STREAMED,
    UNSTORED,
    WHOLE,
    body,
    stored,
    task,
)
from wireloom.cli.diagnose.check.rules import errors, lists, response
from wireloom.wire.json import Json

DELETED = "a deleted response"
OLDEST_FIRST = {"order": "asc"}


def whole(probe: Probe) -> Iterator[str]:
    """A response that was answered whole."""
    yield from _as_answered(probe, WHOLE)


def streamed(probe: Probe) -> Iterator[str]:
    """A response that was streamed: as it was in the terminal event."""
    yield from _as_answered(probe, STREAMED)


def _as_answered(probe: Probe, name: str) -> Iterator[str]:
    answered = stored(probe, name)
    found = probe.obtain("getResponse", path={"response_id": answered["id"]}).object
    for member in sorted(answered.keys() | found.keys()):
        if answered.get(member) != found.get(member):
            yield f"{member} is {found.get(member)!r}, and {answered.get(member)!r} when it was answered"


def inputs(probe: Probe) -> Iterator[str]:
    """The input of a response."""
    listed = _inputs(probe, stored(probe, WHOLE))
    yield from lists.whole(listed)
    yield from lists.holds(listed, [task(probe)])


def continued_inputs(probe: Probe) -> Iterator[str]:
    """The input of a response that goes on from another one: with its context, oldest first."""
    first, second = stored(probe, WHOLE), stored(probe, CONTINUED)
    listed = _inputs(probe, second)
    yield from lists.whole(listed)
    answered = [item for item in response.items(first) if item.get("type") == "message"]
    texts = ["".join(response.content_texts(item)) for item in answered]
    yield from lists.holds(listed, [task(probe), *texts, QUESTION])


def _inputs(probe: Probe, of: Json) -> Json:
    return probe.obtain("listInputItems", path={"response_id": of["id"]}, query=OLDEST_FIRST).object


def unstored(probe: Probe) -> Iterator[str]:
    """A response that was asked for with store false."""
    path = {"response_id": str(probe.recall(UNSTORED).get("id"))}
    yield from probe.refused(errors.NO_RESPONSE, "getResponse", path=path)


def unknown(probe: Probe) -> Iterator[str]:
    """A response that is nowhere."""
    yield from probe.refused(errors.NO_RESPONSE, "getResponse", path=_nowhere(probe))


def unknown_inputs(probe: Probe) -> Iterator[str]:
    """The input of a response that is nowhere."""
    yield from probe.refused(errors.NO_RESPONSE, "listInputItems", path=_nowhere(probe))


def unknown_deleted(probe: Probe) -> Iterator[str]:
    """Deleting a response that is nowhere."""
    yield from probe.refused(errors.NO_RESPONSE, "deleteResponse", path=_nowhere(probe))


def _nowhere(probe: Probe) -> dict[str, str]:
    return {"response_id": f"resp_none{probe.mark}"}


def no_key(probe: Probe) -> Iterator[str]:
    """A stored response, asked for without a key."""
    path = {"response_id": stored(probe, WHOLE)["id"]}
    yield from probe.refused(errors.NO_KEY, "getResponse", path=path, key="")


def deleted(probe: Probe) -> Iterator[str]:
    """Deleting a response."""
    name = stored(probe, WHOLE)["id"]
    found = probe.obtain("deleteResponse", path={"response_id": name}).object
    probe.keep(DELETED, name)
    if found.get("id") != name:
        yield f"id is {found.get('id')!r}, not {name!r}"
    if found.get("deleted") is not True:
        yield f"deleted is {found.get('deleted')!r}"


def gone(probe: Probe) -> Iterator[str]:
    """A deleted response."""
    yield from probe.refused(errors.NO_RESPONSE, "getResponse", path=_deleted(probe))


def inputs_gone(probe: Probe) -> Iterator[str]:
    """The input of a deleted response."""
    yield from probe.refused(errors.NO_RESPONSE, "listInputItems", path=_deleted(probe))


def deleted_again(probe: Probe) -> Iterator[str]:
    """Deleting a deleted response."""
    yield from probe.refused(errors.NO_RESPONSE, "deleteResponse", path=_deleted(probe))


def previous_gone(probe: Probe) -> Iterator[str]:
    """Going on from a deleted response."""
    asked = body(probe, WORD, previous_response_id=_deleted(probe)["response_id"])
    yield from probe.refused(errors.NO_PREVIOUS, CREATE, asked)


def _deleted(probe: Probe) -> dict[str, str]:
    stored(probe, WHOLE)
    return {"response_id": probe.recall(DELETED)}


CASES = (
    Case("getResponse", "stored", "responses", whole, needs=(WHOLE,)),
    Case("getResponse", "stored stream", "responses", streamed, needs=(STREAMED,)),
    Case("getResponse", "not stored", "responses", unstored, needs=(UNSTORED,)),
    Case("getResponse", "no key", "responses", no_key, needs=(WHOLE,), keyed=True),
    Case("getResponse", "unknown", "responses", unknown),
    Case("listInputItems", "stored", "responses", inputs, needs=(WHOLE,)),
    Case("listInputItems", "continued", "responses", continued_inputs, needs=(WHOLE, CONTINUED)),
    Case("listInputItems", "unknown", "responses", unknown_inputs),
    Case("deleteResponse", "stored", "responses", deleted, needs=(WHOLE,), keeps=(DELETED,)),
    Case("deleteResponse", "deleted", "responses", deleted_again, needs=(DELETED,)),
    Case("deleteResponse", "unknown", "responses", unknown_deleted),
    Case("getResponse", "deleted", "responses", gone, needs=(DELETED,)),
    Case("listInputItems", "deleted", "responses", inputs_gone, needs=(DELETED,)),
    Case(CREATE, "deleted previous response", "responses", previous_gone, needs=(DELETED,)),
)
