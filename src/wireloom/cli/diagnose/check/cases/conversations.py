"""Cases of conversations: metadata, items in order, pages, answers that are added, deletion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wireloom.cli.diagnose.check.cases.base import NOTE, WORD, Case, Probe, Skipped
from wireloom.cli.diagnose.check.cases.responses import CREATE, WHOLE, body, finished, reads_more
from wireloom.cli.diagnose.check.rules import errors, lists, response
from wireloom.wire.json import Json

BEGUN, ADDED, ENDED = "a conversation", "its items", "a deleted conversation"
FIRST_TEXTS = (NOTE, "two, zwei, deux: \u4e8c \U0001f642")
"""The first is longer than the request of the case `whole`, so that it shows in the tokens that are read."""
MORE_TEXTS = ("three", "four", "five")
PAGE = 2
"""Items of a page when pages are looked at."""
MOST_PAGES = 20
OLDEST_FIRST = {"order": "asc", "limit": "100"}


def begun(probe: Probe) -> Iterator[str]:
    """A new conversation with items."""
    asked = {"metadata": probe.metadata, "items": _messages(FIRST_TEXTS)}
    made = probe.obtain("createConversation", asked).object
    probe.keep(BEGUN, made)
    if not made.get("id"):
        yield f"id is {made.get('id')!r}"
    yield from _described(made, probe.metadata)


def _messages(texts: Sequence[str]) -> list[Json]:
    return [{"type": "message", "role": "user", "content": text} for text in texts]


def _described(made: Json, metadata: Json) -> Iterator[str]:
    if made.get("metadata") != metadata:
        yield f"metadata is {made.get('metadata')!r}, not {metadata!r}"
    if made.get("object") != "conversation":
        yield f"object is {made.get('object')!r}, not 'conversation'"


def found(probe: Probe) -> Iterator[str]:
    """The conversation as it was made."""
    made = probe.recall(BEGUN)
    there = probe.obtain("getConversation", path=_of(probe)).object
    if there != made:
        yield f"it is {there}, and {made} when it was made"


def updated(probe: Probe) -> Iterator[str]:
    """The conversation with other metadata."""
    metadata = {**probe.metadata, "topic": "numbers"}
    made = probe.obtain("updateConversation", {"metadata": metadata}, path=_of(probe)).object
    yield from _described(made, metadata)
    yield from _same_id(probe, made)
    there = probe.obtain("getConversation", path=_of(probe)).object
    if there.get("metadata") != metadata:
        yield f"metadata is {there.get('metadata')!r} afterwards, not {metadata!r}"


def added(probe: Probe) -> Iterator[str]:
    """More items for the conversation."""
    asked = {"items": _messages(MORE_TEXTS)}
    made = probe.obtain("createConversationItems", asked, path=_of(probe)).object
    probe.keep(ADDED, lists.entries(made))
    yield from lists.whole(made)
    yield from lists.holds(made, MORE_TEXTS)


def listed(probe: Probe) -> Iterator[str]:
    """The items in order, and in the other order where none is asked for."""
    everything = _items(probe)
    yield from lists.whole(everything)
    probe.recall(ADDED)
    yield from lists.holds(everything, [*FIRST_TEXTS, *MORE_TEXTS])
    newest_first = probe.obtain("listConversationItems", path=_of(probe)).object
    if lists.ids(newest_first) != lists.ids(everything)[::-1]:
        yield "without an order the newest item is not the first"


def paged(probe: Probe) -> Iterator[str]:
    """The items page by page."""
    everything = lists.ids(_items(probe))
    pages: list[Json] = []
    query = {"order": "asc", "limit": str(PAGE)}
    while len(pages) < MOST_PAGES:
        page = probe.obtain("listConversationItems", path=_of(probe), query=query).object
        pages.append(page)
        last = page.get("last_id")
        if page.get("has_more") is not True or not isinstance(last, str):
            break
        query["after"] = last
    yield from lists.pages(pages, everything)
    if any(len(lists.entries(page)) > PAGE for page in pages):
        yield f"a page has more than {PAGE} items, the limit that was asked for"


def one(probe: Probe) -> Iterator[str]:
    """One item, as it is in the list."""
    for item in probe.recall(ADDED)[:1]:
        there = probe.obtain("getConversationItem", path=_of(probe, item)).object
        if there != item:
            yield f"it is {there}, in the list {item}"


def unknown_item(probe: Probe) -> Iterator[str]:
    """An item that is nowhere."""
    path = {**_of(probe), "item_id": f"msg_none{probe.mark}"}
    yield from probe.refused(errors.NO_ITEM, "getConversationItem", path=path)


def dropped(probe: Probe) -> Iterator[str]:
    """Deleting an item: it is gone, the others stay."""
    item = probe.recall(ADDED)[-1]
    before = lists.ids(_items(probe))
    made = probe.obtain("deleteConversationItem", path=_of(probe, item)).object
    yield from _same_id(probe, made)
    after = lists.ids(_items(probe))
    if after != [each for each in before if each != item.get("id")]:
        yield f"the items are {after}, after {item.get('id')!r} of {before} was deleted"
    yield from probe.refused(errors.NO_ITEM, "getConversationItem", path=_of(probe, item))


def bad_limit(probe: Probe) -> Iterator[str]:
    """A page with a limit of 0."""
    answer = probe.send("listConversationItems", path=_of(probe), query={"limit": "0"})
    if answer.status != 400:
        yield f"the status is {answer.status}, not 400"
    if answer.error.get("param") != "limit":
        yield f"error.param is {answer.error.get('param')!r}, not 'limit'"


def bad_after(probe: Probe) -> Iterator[str]:
    """A page after an item that is nowhere."""
    wanted = errors.Refusal(400, "item_not_found", "after")
    query = {"after": f"msg_none{probe.mark}"}
    yield from probe.refused(wanted, "listConversationItems", path=_of(probe), query=query)


def answered(probe: Probe) -> Iterator[str]:
    """A response in the conversation: its input and its output are added to the items."""
    name = _of(probe)["conversation_id"]
    before = _items(probe)
    answer = probe.obtain(CREATE, body(probe, WORD, conversation=name, store=True))
    yield from finished(answer)
    made = answer.object
    if not response.stored(made):
        raise Skipped("The deployment stores nothing (store is false in its answer).")
    given = made.get("conversation")
    if not isinstance(given, dict) or given.get("id") != name:
        yield f"conversation is {given!r}, not that of the request"
    after = lists.entries(_items(probe))
    new = after[len(lists.entries(before)) :]
    texts = ["".join(response.content_texts(item)) for item in new if item.get("type") == "message"]
    expected = [WORD, *response.texts(made)]
    if "".join(texts) != "".join(expected) or texts[:1] != [WORD]:  # the answer may be several messages
        yield f"the messages {texts} were added to the conversation, not {expected}"
    yield from reads_more(probe, made, probe.recall(WHOLE), "the conversation brings no context")


def ended(probe: Probe) -> Iterator[str]:
    """Deleting the conversation."""
    name = _of(probe)["conversation_id"]
    made = probe.obtain("deleteConversation", path=_of(probe)).object
    probe.keep(ENDED, name)
    yield from _same_id(probe, made)
    if made.get("deleted") is not True:
        yield f"deleted is {made.get('deleted')!r}"


def gone(probe: Probe) -> Iterator[str]:
    """The conversation, deleted."""
    yield from probe.refused(errors.NO_CONVERSATION, "getConversation", path=_ended(probe))


def update_gone(probe: Probe) -> Iterator[str]:
    """Writing metadata on the deleted conversation."""
    asked = {"metadata": probe.metadata}
    yield from probe.refused(errors.NO_CONVERSATION, "updateConversation", asked, path=_ended(probe))


def items_gone(probe: Probe) -> Iterator[str]:
    """The items of the deleted conversation."""
    yield from probe.refused(errors.NO_CONVERSATION, "listConversationItems", path=_ended(probe))


def add_gone(probe: Probe) -> Iterator[str]:
    """More items for the deleted conversation."""
    asked = {"items": _messages(MORE_TEXTS)}
    yield from probe.refused(errors.NO_CONVERSATION, "createConversationItems", asked, path=_ended(probe))


def _ended(probe: Probe) -> dict[str, str]:
    return {"conversation_id": probe.recall(ENDED)}


def _of(probe: Probe, item: Any = None) -> dict[str, str]:
    """The path's values for the conversation, and an item of it."""
    path = {"conversation_id": str(probe.recall(BEGUN).get("id"))}
    return path if item is None else {**path, "item_id": str(item.get("id"))}


def _items(probe: Probe) -> Json:
    return probe.obtain("listConversationItems", path=_of(probe), query=OLDEST_FIRST).object


def _same_id(probe: Probe, made: Json) -> Iterator[str]:
    name = _of(probe)["conversation_id"]
    if made.get("id") != name:
        yield f"id is {made.get('id')!r}, not {name!r}"


CASES = (
    Case("createConversation", "", "responses", begun, keeps=(BEGUN,)),
    Case("getConversation", "", "responses", found, needs=(BEGUN,)),
    Case("updateConversation", "", "responses", updated, needs=(BEGUN,)),
    Case("createConversationItems", "", "responses", added, needs=(BEGUN,), keeps=(ADDED,)),
    Case("listConversationItems", "order", "responses", listed, needs=(BEGUN, ADDED)),
    Case("listConversationItems", "pages", "responses", paged, needs=(BEGUN, ADDED)),
    Case("listConversationItems", "wrong limit", "responses", bad_limit, needs=(BEGUN,)),
    Case("listConversationItems", "wrong after", "responses", bad_after, needs=(BEGUN,)),
    Case("getConversationItem", "", "responses", one, needs=(BEGUN, ADDED)),
    Case("getConversationItem", "unknown", "responses", unknown_item, needs=(BEGUN,)),
    Case("deleteConversationItem", "", "responses", dropped, needs=(BEGUN, ADDED)),
    Case(CREATE, "conversation", "responses", answered, needs=(BEGUN, WHOLE)),
    Case("deleteConversation", "", "responses", ended, needs=(BEGUN,), keeps=(ENDED,)),
    Case("getConversation", "deleted", "responses", gone, needs=(ENDED,)),
    Case("updateConversation", "deleted", "responses", update_gone, needs=(ENDED,)),
    Case("listConversationItems", "deleted", "responses", items_gone, needs=(ENDED,)),
    Case("createConversationItems", "deleted", "responses", add_gone, needs=(ENDED,)),
)
