"""What a store of history is: responses in chains, conversations, and items, each seen by its principal alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

ItemJson = bytes
"""The JSON of one item, in UTF-8; it has an `id`."""


class Full(Exception):
    """The store cannot do what it was asked: a budget or the disk is used up, or the disk fails.

    The text is a sentence that says why and holds no content; what was asked left nothing behind.
    """


class Gone(Full):
    """What a response was to follow, or the conversation it was to be added to, is no longer here."""


class Unusable(OSError):
    """A store that cannot be opened; the text says why and what to do."""


class _Named(msgspec.Struct):
    id: str


_named = msgspec.json.Decoder(_Named)


def item_id(item: ItemJson) -> str:
    """The id of an item.

    Raises:
        msgspec.DecodeError: it is no JSON object with an id.
    """
    return _named.decode(item).id


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Context:
    """What a turn starts from. While it is held its session is in use, so it is not evicted.

    Args:
        session: the chain with its branches, or the conversation, that the turn belongs to.
        items: every item before the turn, oldest first.
    """

    session: str
    items: Sequence[ItemJson]


@dataclass(frozen=True, slots=True)
class Record:
    """A finished response that is to be kept.

    Args:
        id: the response's id.
        created_at: seconds since the epoch.
        response: JSON of the response object without its `output`.
        inputs: the items this turn added, those of its context left out.
        outputs: the items of the answer.
        previous: the response that came before, or None; not together with a conversation.
        conversation: the conversation that input and output are added to, or None. They are its items from then
            on: what is deleted there is no longer part of the response.
    """

    id: str
    created_at: int
    response: bytes
    inputs: Sequence[ItemJson]
    outputs: Sequence[ItemJson]
    previous: str | None = None
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A response as it was kept.

    Args:
        response: JSON of the response object without its `output`.
        outputs: the items of the answer.
    """

    response: bytes
    outputs: Sequence[ItemJson]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its items.

    Args:
        id: its id.
        created_at: seconds since the epoch.
        metadata: what its owner wrote on it.
    """

    id: str
    created_at: int
    metadata: Mapping[str, str]


class History(Protocol):
    """A store. What belongs to another principal does not exist here: each method answers as for an unknown id.

    Ids are unique for a principal, save those of items: the newest item of an id is the one that counts. A session
    is used by each method that finds something in it; one that was not used for the time to live no longer exists.
    Where the budgets leave no room, whole sessions make room, the least recently used first, never one in use.

    Every method raises `Full` when the disk fails it, and `ValueError` when a new response or conversation has an
    id that is taken. Cancelling a method does not stop what it has begun.
    """

    async def context(self, principal: str, response_id: str) -> Context | None:
        """What a turn after a response starts from: the input and output of it and of all before it."""
        ...

    async def keep(self, principal: str, record: Record) -> None:
        """Keep a response, at a cost that grows with its new items alone.

        Raises:
            Gone: its predecessor or conversation is not here any more; it is not kept.
            Full: it is not kept; nothing else is lost for it.
        """
        ...

    async def response(self, principal: str, response_id: str) -> Kept | None:
        """One response."""
        ...

    async def inputs(self, principal: str, response_id: str) -> list[ItemJson] | None:
        """The items that a response was made from, those of its context included, oldest first."""
        ...

    async def forget(self, principal: str, response_id: str) -> bool:
        """Delete a response. Tells whether it was there.

        Responses that follow it keep their context, and a conversation its items; what no response needs any
        more is erased.
        """
        ...

    async def items(self, principal: str, ids: Sequence[str]) -> dict[str, ItemJson]:
        """The items of these ids, as far as they are part of a response, of its context or of a conversation."""
        ...

    async def begin(self, principal: str, conversation: Conversation, items: Sequence[ItemJson]) -> None:
        """Begin a conversation.

        Raises:
            Full: it is not kept.
        """
        ...

    async def conversation(self, principal: str, conversation_id: str) -> Conversation | None:
        """One conversation."""
        ...

    async def rename(
        self, principal: str, conversation_id: str, metadata: Mapping[str, str]
    ) -> Conversation | None:
        """Write other metadata on a conversation."""
        ...

    async def end(self, principal: str, conversation_id: str) -> bool:
        """Delete a conversation with its items and the responses made from them. Tells whether it was there."""
        ...

    async def dialogue(self, principal: str, conversation_id: str) -> Context | None:
        """What a turn in a conversation starts from: its items."""
        ...

    async def add(self, principal: str, conversation_id: str, items: Sequence[ItemJson]) -> bool:
        """Add items to a conversation. Tells whether it was there.

        Raises:
            Full: they are not kept.
        """
        ...

    async def drop(self, principal: str, conversation_id: str, item_id: str) -> bool:
        """Delete the items of this id from a conversation. Tells whether there was one."""
        ...

    async def aclose(self) -> None:
        """Let go of everything held open."""
        ...
