"""The Conversations face: fills the stubs of tag Conversations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, final

from pydantic import BaseModel
from wireloom_protocol import replies
from wireloom_protocol import responses as m
from wireloom_protocol.operations import ConversationsApi

from wireloom.archive import Page
from wireloom.backends.base import Caller
from wireloom.gateway import Gateway
from wireloom_runtime.operations import Reply


@final
class Conversations(ConversationsApi[Caller]):
    """Keeps conversations and their items.

    Args:
        gateway: the road to the store.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create_conversation(
        self, caller: Caller, body: m.CreateConversationBody
    ) -> Reply[replies.ConversationResource]:
        """See the contract's createConversation."""
        archive = self._gateway.archive
        return Reply(await archive.begin(caller.principal, body.metadata or {}, _sent(body.items or ())))

    async def get_conversation(
        self, caller: Caller, conversation_id: str
    ) -> Reply[replies.ConversationResource]:
        """See the contract's getConversation."""
        return Reply(await self._gateway.archive.conversation(caller.principal, conversation_id))

    async def update_conversation(
        self, caller: Caller, body: m.UpdateConversationBody, conversation_id: str
    ) -> Reply[replies.ConversationResource]:
        """See the contract's updateConversation."""
        archive = self._gateway.archive
        return Reply(await archive.rename(caller.principal, conversation_id, body.metadata or {}))

    async def delete_conversation(
        self, caller: Caller, conversation_id: str
    ) -> Reply[replies.DeletedConversationResource]:
        """See the contract's deleteConversation."""
        return Reply(await self._gateway.archive.end(caller.principal, conversation_id))

    async def create_conversation_items(
        self,
        caller: Caller,
        body: m.CreateConversationItemsBody,
        conversation_id: str,
        include: list[m.IncludeEnum],
    ) -> Reply[replies.ConversationItemList]:
        """See the contract's createConversationItems."""
        archive = self._gateway.archive
        return Reply(await archive.add(caller.principal, conversation_id, _sent(body.items)))

    async def list_conversation_items(
        self,
        caller: Caller,
        conversation_id: str,
        limit: int,
        order: Literal["asc", "desc"],
        after: str | None,
        include: list[m.IncludeEnum],
    ) -> Reply[replies.ConversationItemList]:
        """See the contract's listConversationItems."""
        page = Page(limit, order, after)
        return Reply(await self._gateway.archive.items(caller.principal, conversation_id, page))

    async def get_conversation_item(
        self, caller: Caller, conversation_id: str, item_id: str, include: list[m.IncludeEnum]
    ) -> Reply[replies.ItemResource]:
        """See the contract's getConversationItem."""
        return Reply(await self._gateway.archive.item(caller.principal, conversation_id, item_id))

    async def delete_conversation_item(
        self, caller: Caller, conversation_id: str, item_id: str
    ) -> Reply[replies.ConversationResource]:
        """See the contract's deleteConversationItem."""
        return Reply(await self._gateway.archive.drop(caller.principal, conversation_id, item_id))


def _sent(items: Iterable[BaseModel]) -> list[dict[str, Any]]:
    """Items as they were sent."""
    return [item.model_dump(mode="json", by_alias=True, exclude_unset=True) for item in items]
