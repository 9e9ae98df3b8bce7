"""A history in a SQLite file, which outlives the process: one thread of its own does the work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from wireloom.history.base import Context, Conversation, Full, ItemJson, Kept, Record
from wireloom.history.budget import Budget
from wireloom.history.sessions import Sessions
from wireloom.history.tables import Tables

P = ParamSpec("P")
R = TypeVar("R")


class Sqlite:
    """Keeps everything in a file that only its owner may read; what was kept is on the disk.

    Args:
        path: the file; it and its folder are made when they are missing.
        ttl_seconds: how long a session is kept after its last use; 0 is no limit.
        max_sessions: sessions at most, or None.
        max_bytes: bytes of stored JSON at most, or None.
        now: tells the time in seconds since the epoch.

    Raises:
        Unusable: the file cannot be opened.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        ttl_seconds: float = 0,
        max_sessions: int | None = None,
        max_bytes: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        budget = Budget(ttl_seconds, max_sessions, max_bytes)
        self._thread = ThreadPoolExecutor(1, "wireloom-history")
        self._open = True
        try:
            self._tables = self._thread.submit(lambda: Tables(Sessions(Path(path), budget, now))).result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def context(self, principal: str, response_id: str) -> Context | None:
        """What a turn after a response starts from."""
        return await self._do(Tables.context, principal, response_id)

    async def keep(self, principal: str, record: Record) -> None:
        """Keep a response at the end of its chain or conversation."""
        await self._do(Tables.keep, principal, record)

    async def response(self, principal: str, response_id: str) -> Kept | None:
        """One response."""
        return await self._do(Tables.response, principal, response_id)

    async def inputs(self, principal: str, response_id: str) -> list[ItemJson] | None:
        """The items that a response was made from."""
        return await self._do(Tables.inputs, principal, response_id)

    async def forget(self, principal: str, response_id: str) -> bool:
        """Delete a response."""
        return await self._do(Tables.forget, principal, response_id)

    async def items(self, principal: str, ids: Sequence[str]) -> dict[str, ItemJson]:
        """The newest item of each id."""
        return await self._do(Tables.items, principal, ids)

    async def begin(self, principal: str, conversation: Conversation, items: Sequence[ItemJson]) -> None:
        """Begin a conversation."""
        await self._do(Tables.begin, principal, conversation, items)

    async def conversation(self, principal: str, conversation_id: str) -> Conversation | None:
        """One conversation."""
        return await self._do(Tables.conversation, principal, conversation_id)

    async def rename(
        self, principal: str, conversation_id: str, metadata: Mapping[str, str]
    ) -> Conversation | None:
        """Write other metadata on a conversation."""
        return await self._do(Tables.rename, principal, conversation_id, metadata)

    async def end(self, principal: str, conversation_id: str) -> bool:
        """Delete a conversation with all that is in it."""
        return await self._do(Tables.end, principal, conversation_id)

    async def dialogue(self, principal: str, conversation_id: str) -> Context | None:
        """What a turn in a conversation starts from."""
        return await self._do(Tables.dialogue, principal, conversation_id)

    async def add(self, principal: str, conversation_id: str, items: Sequence[ItemJson]) -> bool:
        """Add items to a conversation."""
        return await self._do(Tables.add, principal, conversation_id, items)

    async def drop(self, principal: str, conversation_id: str, item_id: str) -> bool:
        """Delete the items of an id from a conversation."""
        return await self._do(Tables.drop, principal, conversation_id, item_id)

    async def aclose(self) -> None:
        """Finish what has begun, and close the file."""
        if self._open:
            closing = self._thread.submit(self._tables.close)
            self._open = False
            self._thread.shutdown(wait=False)
            await asyncio.wrap_future(closing)

    async def _do(self, work: Callable[Concatenate[Tables, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do one thing in the thread; what has begun there goes on when this is cancelled."""
        if not self._open:
            raise Full("The history is closed.")
        return await asyncio.wrap_future(self._thread.submit(work, self._tables, *args, **kwargs))
