"""What is stored, as its owner asks for it: responses with their input, conversations with their items."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from wireloom.errors import InvalidRequest, NotFound, Unavailable
from wireloom.history.base import Conversation, Full, History, ItemJson
from wireloom.translate.hub.stored_items import shown
from wireloom.translate.tools.table import FORMS, PREFIXES
from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies

T = TypeVar("T")

REFERENCE = "item_reference"


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for.

    Args:
        limit: items at most.
        order: `asc` for the oldest first, `desc` for the newest.
        after: id of the item that comes before the page, or None for the beginning.
    """

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None


class _Head(msgspec.Struct):
    """As much of an item as it takes to place it."""

    id: str
    type: str


_HEAD = msgspec.json.Decoder(_Head)


def with_ids(items: Sequence[Json], new_id: Callable[[str], str]) -> list[Json]:
    """Items that each have an id of their own: a fresh one where there is none, or where it is another item's.

    Args:
        items: JSON of input items; not changed.
        new_id: makes an id of a prefix.
    """
    taken: set[str] = set()
    named = []
    for item in items:
        given = item.get("id")
        # Not every kind of item has an id in the contract, so anything may stand there.
        own = given if isinstance(given, str) else None
        if item["type"] != REFERENCE and (not own or own in taken):
            own = new_id(PREFIXES[item["type"]])
        if own:
            taken.add(own)
        named.append({**item, "id": own})
    return named


class Archive:
    """Answers for what is stored; what belongs to another principal is as unknown as what never was.

    Every method raises `Unavailable` when the store has no room or fails.

    Args:
        history: the store.
        new_id: makes an id of a prefix.
        now: tells the time in seconds since the epoch.
    """

    def __init__(self, history: History, new_id: Callable[[str], str], now: Callable[[], float]) -> None:
        self._history = history
        self._new_id = new_id
        self._now = now

    # -- responses -----------------------------------------------------------------------------------------------------

    async def response(self, principal: str, response_id: str) -> replies.Response:
        """A response as it was answered.

        Raises:
            NotFound: there is none of that id.
        """
        kept = await _done(self._history.response(principal, response_id))
        if kept is None:
            raise _no_response(response_id)
        found: replies.Response = _stored(kept.response)
        found["output"] = [_stored(item) for item in kept.outputs]
        return found

    async def forget(self, principal: str, response_id: str) -> replies.DeletedResponse:
        """Delete a response.

        Raises:
            NotFound: there is none of that id.
        """
        if not await _done(self._history.forget(principal, response_id)):
            raise _no_response(response_id)
        return {"id": response_id, "object": "response", "deleted": True}

    async def inputs(self, principal: str, response_id: str, page: Page) -> replies.ResponseItemList:
        """A page of what a response was made from.

        Raises:
            NotFound: there is none of that id.
            InvalidRequest: the page comes after an item that is not in the list.
        """
        found = await _done(self._history.inputs(principal, response_id))
        if found is None:
            raise _no_response(response_id)
        return _paged(found, page)

    # -- conversations -------------------------------------------------------------------------------------------------

    async def begin(
        self, principal: str, metadata: Mapping[str, str], items: Sequence[Json]
    ) -> replies.ConversationResource:
        """Begin a conversation.

        Raises:
            InvalidRequest: an item that cannot be kept, by its place.
        """
        fresh = Conversation(self._new_id("conv"), int(self._now()), dict(metadata))
        stored = await self._stored(principal, items, ())
        await _done(self._history.begin(principal, fresh, stored))
        return _conversation(fresh)

    async def conversation(self, principal: str, conversation_id: str) -> replies.ConversationResource:
        """A conversation without its items.

        Raises:
            NotFound: there is none of that id.
        """
        return _conversation(
            await _done(self._history.conversation(principal, conversation_id)), conversation_id
        )

    async def rename(
        self, principal: str, conversation_id: str, metadata: Mapping[str, str]
    ) -> replies.ConversationResource:
        """Write other metadata on a conversation.

        Raises:
            NotFound: there is none of that id.
        """
        return _conversation(
            await _done(self._history.rename(principal, conversation_id, metadata)), conversation_id
        )

    async def end(self, principal: str, conversation_id: str) -> replies.DeletedConversationResource:
        """Delete a conversation with its items.

        Raises:
            NotFound: there is none of that id.
        """
        if not await _done(self._history.end(principal, conversation_id)):
            raise _no_conversation(conversation_id)
        return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}

    # -- items of conversations ----------------------------------------------------------------------------------------

    async def add(
        self, principal: str, conversation_id: str, items: Sequence[Json]
    ) -> replies.ConversationItemList:
        """Add items to a conversation, and list them.

        Raises:
            NotFound: there is no conversation of that id.
            InvalidRequest: an item that cannot be kept, by its place.
        """
        there = [_HEAD.decode(item).id for item in await self._items(principal, conversation_id)]
        stored = await self._stored(principal, items, there)
        if not await _done(self._history.add(principal, conversation_id, stored)):  # it went away meanwhile
            raise _no_conversation(conversation_id)
        return _listed(stored, more=False)

    async def items(self, principal: str, conversation_id: str, page: Page) -> replies.ConversationItemList:
        """A page of a conversation's items.

        Raises:
            NotFound: there is no conversation of that id.
            InvalidRequest: the page comes after an item that is not in the list.
        """
        return _paged(await self._items(principal, conversation_id), page)

    async def item(self, principal: str, conversation_id: str, item_id: str) -> replies.ItemResource:
        """An item of a conversation.

        Raises:
            NotFound: there is no conversation, or no item in it, of that id.
        """
        for item in reversed(await self._items(principal, conversation_id)):
            head = _HEAD.decode(item)
            if head.id == item_id and FORMS.get(head.type):
                return _shown(item)
        raise _no_item(item_id)

    async def drop(self, principal: str, conversation_id: str, item_id: str) -> replies.ConversationResource:
        """Delete an item of a conversation, and tell what the conversation is.

        Raises:
            NotFound: there is no conversation, or no item in it, of that id.
        """
        found = await self.conversation(principal, conversation_id)
        if not await _done(self._history.drop(principal, conversation_id, item_id)):
            raise _no_item(item_id)
        return found

    async def _items(self, principal: str, conversation_id: str) -> Sequence[ItemJson]:
        context = await _done(self._history.dialogue(principal, conversation_id))
        if context is None:
            raise _no_conversation(conversation_id)
        return context.items

    async def _stored(self, principal: str, items: Sequence[Json], there: Sequence[str]) -> list[ItemJson]:
        """Items of a request as the store keeps them.

        Args:
            principal: whose store.
            items: JSON of input items.
            there: ids that the conversation has already.
        """
        resolved = await self._resolved(principal, items)
        taken = set(there)
        for index, item in enumerate(resolved):
            if not FORMS.get(item["type"]):
                raise InvalidRequest(
                    f"items[{index}] is of a kind that conversations do not hold.",
                    code="unsupported_item",
                    param=f"items[{index}].type",
                )
            if item.get("id") in taken:
                raise InvalidRequest(
                    f"items[{index}] has the id of another item of the conversation.",
                    param=f"items[{index}].id",
                )
            if item.get("id"):
                taken.add(item["id"])
        return [msgspec.json.encode(item) for item in with_ids(resolved, self._new_id)]

    async def _resolved(self, principal: str, items: Sequence[Json]) -> list[Json]:
        """Items with what they refer to in the place of references."""
        wanted = [item["id"] for item in items if item["type"] == REFERENCE]
        known = await _done(self._history.items(principal, wanted)) if wanted else {}
        resolved = []
        for index, item in enumerate(items):
            if item["type"] == REFERENCE and item["id"] not in known:
                raise InvalidRequest(
                    f"There is no item {item['id']!r} here.",
                    code="item_not_found",
                    param=f"items[{index}].id",
                )
            resolved.append(_stored(known[item["id"]]) if item["type"] == REFERENCE else item)
        return resolved


def _conversation(found: Conversation | None, conversation_id: str = "") -> replies.ConversationResource:
    if found is None:
        raise _no_conversation(conversation_id)
    return {
        "id": found.id,
        "object": "conversation",
        "created_at": found.created_at,
        "metadata": dict(found.metadata),
    }


def _paged(items: Sequence[ItemJson], page: Page) -> replies.ResponseItemList:
    """A page of items, given oldest first. What has no stored form, such as a trigger, is not in the list."""
    heads = [(_HEAD.decode(item), item) for item in items]
    placed = [(head.id, item) for head, item in heads if FORMS.get(head.type)]
    if page.order == "desc":
        placed.reverse()
    start = 0
    if page.after is not None:
        # The last of several, where a client gave one id twice, so that page after page comes to an end.
        start = max((place for place, (id, _) in enumerate(placed, 1) if id == page.after), default=0)
        if start == 0:
            raise InvalidRequest("There is no such item in the list.", code="item_not_found", param="after")
    rest = placed[start:]
    return _listed([item for _, item in rest[: page.limit]], more=len(rest) > page.limit)


def _listed(items: Sequence[ItemJson], *, more: bool) -> replies.ResponseItemList:
    data = [_shown(item) for item in items]
    return {
        "object": "list",
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _stored(value: bytes) -> Any:
    """Decode stored JSON. The gateway stores responses and items of the contract only, so callers may name the type."""
    return msgspec.json.decode(value)


def _shown(value: ItemJson) -> replies.ItemResource:
    """Decode a stored item that has a stored form."""
    item = _stored(value)
    form = FORMS[item["type"]]
    assert form is not None
    return shown(item, form)


def _no_response(response_id: str) -> NotFound:
    return NotFound(f"There is no response {response_id!r} here.", param="response_id")


def _no_conversation(conversation_id: str) -> NotFound:
    return NotFound(f"There is no conversation {conversation_id!r} here.", param="conversation_id")


def _no_item(item_id: str) -> NotFound:
    return NotFound(f"There is no item {item_id!r} in this conversation.", param="item_id")


async def _done(work: Awaitable[T]) -> T:
    """What the store answers.

    Raises:
        Unavailable: it cannot do it now.
    """
    try:
        return await work
    except Full as error:
        raise Unavailable(str(error), code="store_full") from error
