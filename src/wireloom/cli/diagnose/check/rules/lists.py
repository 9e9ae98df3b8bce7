"""Lists: their form, their order, and pages that put together are the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wireloom.cli.diagnose.check.rules.response import content_texts
from wireloom.wire.json import Json


def entries(listed: Json) -> list[Json]:
    """Return the objects of a list's data."""
    data = listed.get("data")
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def ids(listed: Json) -> list[Any]:
    """Return the ids of a list's data, in order."""
    return [entry.get("id") for entry in entries(listed)]


def findings(listed: Json) -> Iterator[str]:
    """Yield the faults of a page of items, whatever the items are."""
    found = ids(listed)
    if any(not each for each in found):
        yield "an item of the list has no id"
    if len(set(map(str, found))) < len(found):
        yield f"two items of the list have one id: {found}"
    first, last = (found[0], found[-1]) if found else (None, None)
    if listed.get("first_id") != first:
        yield f"first_id is {listed.get('first_id')!r}, not {first!r}"
    if listed.get("last_id") != last:
        yield f"last_id is {listed.get('last_id')!r}, not {last!r}"


def whole(listed: Json) -> Iterator[str]:
    """Yield the faults of a list that has no further page."""
    yield from findings(listed)
    if listed.get("has_more") is not False:
        yield f"has_more is {listed.get('has_more')!r}, although nothing follows"


def holds(listed: Json, texts: Sequence[str]) -> Iterator[str]:
    """Yield where a list's messages are not those that were sent.

    texts: of the messages, in order.
    """
    found = ["".join(content_texts(entry)) for entry in entries(listed) if entry.get("type") == "message"]
    if found != list(texts):
        yield f"the messages of the list are {found}, not {list(texts)}"


def pages(found: Sequence[Json], everything: Sequence[Any]) -> Iterator[str]:
    """Yield where pages, put together, are not the whole list.

    found: the pages in order; everything: ids of the whole list.
    """
    together = [each for page in found for each in ids(page)]
    if together != list(everything):
        yield f"the pages hold the items {together}, not {list(everything)}"
    for number, page in enumerate(found):
        yield from findings(page)
        more = number < len(found) - 1
        if page.get("has_more") is not more:
            yield f"has_more is {page.get('has_more')!r} on page {number + 1} of {len(found)}"
