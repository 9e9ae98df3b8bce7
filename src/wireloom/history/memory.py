"""A history in the memory of this process: it ends with it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from weakref import WeakSet

import msgspec

from wireloom.history.base import Context, Conversation, Gone, ItemJson, Kept, Record, item_id
from wireloom.history.budget import Budget


@dataclass(slots=True, eq=False)
class _Item:
    """An item in its place: `key` is its number in the order of writing."""

    key: int
    session: _Session
    response: _Response | None
    output: bool
    id: str
    json: ItemJson


@dataclass(slots=True, eq=False)
class _Response:
    """A response; one without body was deleted, but others follow it.

    `until` is the last item of its conversation so far, for one that was made there.
    """

    session: _Session
    id: str
    body: bytes | None
    previous: _Response | None
    until: int | None = None
    followers: int = 0
    own: list[_Item] = field(default_factory=list)

    def items(self) -> list[_Item]:
        if self.until is None:
            return self.own
        return [item for item in self.session.items if item.response is self]

    def context(self) -> list[_Item]:
        """Every item up to the end of this response, oldest first."""
        turns: list[_Response] = []
        turn: _Response | None = self
        while turn is not None and turn.until is None:
            turns.append(turn)
            turn = turn.previous
        begin = (
            []
            if turn is None or turn.until is None
            else [item for item in self.session.items if item.key <= turn.until]
        )
        return [*begin, *(item for turn in reversed(turns) for item in turn.own)]


@dataclass(slots=True, eq=False)
class _Session:
    """A chain with its branches, or a conversation with the responses made in it."""

    key: int
    principal: str
    id: str
    used: float
    conversation: Conversation | None = None
    size: int = 0
    items: list[_Item] = field(default_factory=list)
    responses: dict[str, _Response] = field(default_factory=dict)
    contexts: WeakSet[Context] = field(default_factory=WeakSet)

    def every_item(self) -> Iterator[_Item]:
        yield from self.items
        for response in self.responses.values():
            yield from response.own


class Memory:
    """Keeps everything in this process.

    Args:
        ttl_seconds: how long a session is kept after its last use; 0 is no limit.
        max_sessions: sessions at most, or None.
        max_bytes: bytes of stored JSON at most, or None.
        now: tells the time in seconds since the epoch.
    """

    def __init__(
        self,
        *,
        ttl_seconds: float = 0,
        max_sessions: int | None = None,
        max_bytes: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._budget = Budget(ttl_seconds, max_sessions, max_bytes)
        self._now = now
        self._keys = count(1)
        self._size = 0
        self._sessions: OrderedDict[_Session, None] = OrderedDict()  # the least recently used first
        self._responses: dict[tuple[str, str], _Response] = {}
        self._conversations: dict[tuple[str, str], _Session] = {}
        self._items: dict[tuple[str, str], list[_Item]] = {}

    async def context(self, principal: str, response_id: str) -> Context | None:
        """What a turn after a response starts from."""
        response = self._response(principal, response_id)
        return None if response is None else _held(response.session, response.context())

    async def keep(self, principal: str, record: Record) -> None:
        """Keep a response at the end of its chain or conversation."""
        self._sweep()
        previous = record.previous and self._response(principal, record.previous)
        conversation = record.conversation and self._conversation(principal, record.conversation)
        if (record.previous and not previous) or (record.conversation and not conversation):
            raise Gone("What the response was to follow is not here any more.")
        if (principal, record.id) in self._responses or (previous and conversation):
            raise ValueError("The id is taken, or the response follows both a response and a conversation.")
        session = previous.session if previous else conversation or self._session(principal, record.id)
        added = [(item, False) for item in record.inputs] + [(item, True) for item in record.outputs]
        named = [(item_id(item), item, output) for item, output in added]
        self._grow(session, len(record.response) + sum(len(item) for item, _ in added))
        response = _Response(session, record.id, record.response, previous or None)
        self._write(session.items if conversation else response.own, session, response, named)
        if conversation:
            response.until = session.items[-1].key if session.items else 0
        if previous:
            previous.followers += 1
        session.responses[record.id] = self._responses[principal, record.id] = response

    async def response(self, principal: str, response_id: str) -> Kept | None:
        """One response."""
        response = self._response(principal, response_id)
        if response is None or response.body is None:
            return None
        return Kept(response.body, [item.json for item in response.items() if item.output])

    async def inputs(self, principal: str, response_id: str) -> list[ItemJson] | None:
        """The items that a response was made from."""
        response = self._response(principal, response_id)
        if response is None:
            return None
        return [item.json for item in response.context() if not (item.output and item.response is response)]

    async def forget(self, principal: str, response_id: str) -> bool:
        """Delete a response; it stays as a tombstone while others need what it holds."""
        response = self._response(principal, response_id)
        if response is None or response.body is None:
            return False
        session = response.session
        self._resize(session, -len(response.body))
        response.body = None
        turn: _Response | None = response
        while turn and turn.body is None and turn.until is None and not turn.followers:
            self._erase(turn.own)
            self._resize(session, -sum(len(item.json) for item in turn.own))
            del session.responses[turn.id], self._responses[principal, turn.id]
            turn = turn.previous
            if turn:
                turn.followers -= 1
        if not session.responses and session.conversation is None:
            self._end(session)
        return True

    async def items(self, principal: str, ids: Sequence[str]) -> dict[str, ItemJson]:
        """The newest item of each id."""
        found: dict[str, _Item] = {}
        for wanted in ids:
            there = (item for item in self._items.get((principal, wanted), ()) if self._lives(item.session))
            if item := max(there, key=lambda item: item.key, default=None):
                found[wanted] = item
        for session in sorted({item.session for item in found.values()}, key=lambda session: session.key):
            self._use(session)
        return {wanted: item.json for wanted, item in found.items()}

    async def begin(self, principal: str, conversation: Conversation, items: Sequence[ItemJson]) -> None:
        """Begin a conversation."""
        self._sweep()
        if (principal, conversation.id) in self._conversations:
            raise ValueError("The id is taken.")
        session = self._session(principal, conversation.id)
        session.conversation = replace(conversation, metadata=dict(conversation.metadata))
        named = [(item_id(item), item, False) for item in items]
        self._grow(session, _size_of(conversation.metadata) + sum(map(len, items)))
        self._write(session.items, session, None, named)
        self._conversations[principal, conversation.id] = session

    async def conversation(self, principal: str, conversation_id: str) -> Conversation | None:
        """One conversation."""
        session = self._conversation(principal, conversation_id)
        return None if session is None else session.conversation

    async def rename(
        self, principal: str, conversation_id: str, metadata: Mapping[str, str]
    ) -> Conversation | None:
        """Write other metadata on a conversation."""
        self._sweep()
        session = self._conversation(principal, conversation_id)
        if session is None or session.conversation is None:
            return None
        old = session.conversation
        self._grow(session, _size_of(metadata) - _size_of(old.metadata))
        session.conversation = replace(old, metadata=dict(metadata))
        return session.conversation

    async def end(self, principal: str, conversation_id: str) -> bool:
        """Delete a conversation with all that is in it."""
        session = self._conversation(principal, conversation_id)
        if session is not None:
            self._end(session)
        return session is not None

    async def dialogue(self, principal: str, conversation_id: str) -> Context | None:
        """What a turn in a conversation starts from."""
        session = self._conversation(principal, conversation_id)
        return None if session is None else _held(session, session.items)

    async def add(self, principal: str, conversation_id: str, items: Sequence[ItemJson]) -> bool:
        """Add items to a conversation."""
        self._sweep()
        session = self._conversation(principal, conversation_id)
        if session is None:
            return False
        named = [(item_id(item), item, False) for item in items]
        self._grow(session, sum(map(len, items)))
        self._write(session.items, session, None, named)
        return True

    async def drop(self, principal: str, conversation_id: str, item_id: str) -> bool:
        """Delete the items of an id from a conversation."""
        session = self._conversation(principal, conversation_id)
        dropped = [] if session is None else [item for item in session.items if item.id == item_id]
        if session is None or not dropped:
            return False
        session.items = [item for item in session.items if item.id != item_id]
        self._erase(dropped)
        self._resize(session, -sum(len(item.json) for item in dropped))
        return True

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _response(self, principal: str, response_id: str) -> _Response | None:
        response = self._responses.get((principal, response_id))
        if response is None or response.body is None or not self._lives(response.session):
            return None
        self._use(response.session)
        return response

    def _conversation(self, principal: str, conversation_id: str) -> _Session | None:
        session = self._conversations.get((principal, conversation_id))
        if session is None or not self._lives(session):
            return None
        self._use(session)
        return session

    def _session(self, principal: str, name: str) -> _Session:
        """A session that is not among the others yet."""
        return _Session(next(self._keys), principal, name, self._now())

    def _lives(self, session: _Session) -> bool:
        return not self._budget.expired(session.used, self._now()) or bool(session.contexts)

    def _use(self, session: _Session) -> None:
        session.used = self._now()
        self._sessions.move_to_end(session)

    def _sweep(self) -> None:
        """Remove what has expired."""
        for session in list(self._expired()):
            self._end(session)

    def _expired(self) -> Iterator[_Session]:
        now = self._now()
        for session in self._sessions:
            if not self._budget.expired(session.used, now):
                return
            if not session.contexts:
                yield session

    def _grow(self, session: _Session, added: int) -> None:
        """Make room and count what is added.

        Raises:
            Full: there is no room; nothing was changed.
        """
        new = session not in self._sessions
        others = (
            (other, other.size) for other in self._sessions if other is not session and not other.contexts
        )
        sessions = len(self._sessions) + new
        for other in self._budget.evicted(sessions, self._size + added, session.size + added, others):
            self._end(other)
        self._sessions[session] = None
        self._resize(session, added)

    def _resize(self, session: _Session, added: int) -> None:
        session.size += added
        self._size += added

    def _write(
        self,
        place: list[_Item],
        session: _Session,
        response: _Response | None,
        named: Iterable[tuple[str, ItemJson, bool]],
    ) -> None:
        for name, json, output in named:
            item = _Item(next(self._keys), session, response, output, name, json)
            place.append(item)
            self._items.setdefault((session.principal, name), []).append(item)

    def _end(self, session: _Session) -> None:
        del self._sessions[session]
        self._size -= session.size
        self._erase(session.every_item())
        for name in session.responses:
            del self._responses[session.principal, name]
        if session.conversation is not None:
            del self._conversations[session.principal, session.id]

    def _erase(self, items: Iterable[_Item]) -> None:
        for item in items:
            name = item.session.principal, item.id
            self._items[name].remove(item)
            if not self._items[name]:
                del self._items[name]


def _held(session: _Session, items: Sequence[_Item]) -> Context:
    context = Context(session.id, [item.json for item in items])
    session.contexts.add(context)
    return context


def _size_of(metadata: Mapping[str, str]) -> int:
    return len(msgspec.json.encode(dict(metadata)))
