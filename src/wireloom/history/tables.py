"""A history in the rows of a SQLite file: what each method of a store does there, in one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from wireloom.history.base import Context, Conversation, Gone, ItemJson, Kept, Record, item_id
from wireloom.history.sessions import Sessions

# The chain that ends with a response, then its items. A response made in a conversation begins where it ends: with
# the items that the conversation had by then.
CONTEXT = """
WITH RECURSIVE chain (key, session, previous, until) AS (
    SELECT key, session, previous, until FROM responses WHERE key = :response
    UNION ALL
    SELECT earlier.key, earlier.session, earlier.previous, earlier.until
    FROM chain JOIN responses AS earlier ON earlier.key = chain.previous
)
SELECT items.key, items.item, items.response, items.side
FROM chain CROSS JOIN items ON items.response = chain.key WHERE chain.until IS NULL
UNION ALL
SELECT items.key, items.item, items.response, items.side
FROM chain CROSS JOIN items ON items.conversation = chain.session AND items.key <= chain.until
ORDER BY 1
"""
_ITEM = """
SELECT items.item, sessions.key, sessions.used_at
FROM items LEFT JOIN responses ON responses.key = items.response
JOIN sessions ON sessions.key = coalesce(items.conversation, responses.session)
WHERE items.principal = ? AND items.id = ? ORDER BY items.key DESC
"""

Added = Iterable[tuple[str, ItemJson]]
"""Sides and items."""


class Tables:
    """The rows of one file, used from the thread that made it.

    Args:
        sessions: its sessions.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._rows = sessions.rows

    def context(self, principal: str, response_id: str) -> Context | None:
        """What a turn after a response starts from."""
        with self._sessions.reading():
            response = self._response(principal, response_id)
            if response is None:
                return None
            items = [row["item"].encode() for row in self._context(response["key"])]
            return self._sessions.held(response["session"], response["session_id"], items)

    def keep(self, principal: str, record: Record) -> None:
        """Keep a response at the end of its chain or conversation."""
        if record.previous and record.conversation:
            raise ValueError("A response follows a response or a conversation, not both.")
        added = [*(("input", item) for item in record.inputs), *(("output", item) for item in record.outputs)]
        size = len(record.response) + sum(len(item) for _, item in added)
        with self._sessions.writing():
            previous = self._response(principal, record.previous) if record.previous else None
            conversation = self._conversation(principal, record.conversation) if record.conversation else None
            if (record.previous and not previous) or (record.conversation and not conversation):
                raise Gone("What the response was to follow is not here any more.")
            session = previous["session"] if previous else conversation["key"] if conversation else None
            if session is None:
                session = self._sessions.begin(principal, record.id, record.created_at)
            response = self._rows.execute(
                "INSERT INTO responses (session, previous, principal, id, created_at, body) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    session,
                    previous["key"] if previous else None,
                    principal,
                    record.id,
                    record.created_at,
                    record.response.decode(),
                ),
            ).lastrowid
            # After the id was found free, so that nothing goes for one that is not.
            self._sessions.grow(session, size)
            self._add(principal, added, session if conversation else None, response)
            if conversation:
                self._rows.execute(
                    "UPDATE responses SET until = coalesce((SELECT max(key) FROM items WHERE conversation = ?), 0) "
                    "WHERE key = ?",
                    (session, response),
                )

    def response(self, principal: str, response_id: str) -> Kept | None:
        """One response."""
        with self._sessions.reading():
            response = self._response(principal, response_id)
            if response is None:
                return None
            items = self._rows.execute(
                "SELECT item FROM items WHERE response = ? AND side = 'output' ORDER BY key",
                (response["key"],),
            )
            return Kept(response["body"].encode(), [row["item"].encode() for row in items])

    def inputs(self, principal: str, response_id: str) -> list[ItemJson] | None:
        """The items that a response was made from."""
        with self._sessions.reading():
            response = self._response(principal, response_id)
            if response is None:
                return None
            own_output = response["key"], "output"
            return [
                row["item"].encode()
                for row in self._context(response["key"])
                if (row["response"], row["side"]) != own_output
            ]

    def forget(self, principal: str, response_id: str) -> bool:
        """Delete a response; it stays as a tombstone while others need what it holds."""
        with self._sessions.writing():
            response = self._response(principal, response_id)
            if response is None:
                return False
            self._rows.execute("UPDATE responses SET body = NULL WHERE key = ?", (response["key"],))
            freed = len(response["body"].encode()) + self._prune(response["key"])
            self._sessions.shrink(response["session"], freed)
            self._rows.execute(
                "DELETE FROM sessions WHERE key = ? AND metadata IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM responses WHERE session = sessions.key)",
                (response["session"],),
            )
            return True

    def items(self, principal: str, ids: Sequence[str]) -> dict[str, ItemJson]:
        """The newest item of each id."""
        found: dict[str, ItemJson] = {}
        sessions: set[int] = set()
        with self._sessions.reading():
            for wanted in ids:
                for text, session, used in self._rows.execute(_ITEM, (principal, wanted)):
                    if self._sessions.lives(session, used):
                        found[wanted] = text.encode()
                        sessions.add(session)
                        break
            self._sessions.use(sessions)
        return found

    def begin(self, principal: str, conversation: Conversation, items: Sequence[ItemJson]) -> None:
        """Begin a conversation."""
        metadata = _written(conversation.metadata)
        size = len(metadata) + sum(map(len, items))
        with self._sessions.writing():
            session = self._sessions.begin(
                principal, conversation.id, conversation.created_at, metadata.decode()
            )
            self._sessions.grow(session, size)
            self._add(principal, (("input", item) for item in items), session, None)

    def conversation(self, principal: str, conversation_id: str) -> Conversation | None:
        """One conversation."""
        with self._sessions.reading():
            session = self._conversation(principal, conversation_id)
            return None if session is None else _conversation(session)

    def rename(
        self, principal: str, conversation_id: str, metadata: Mapping[str, str]
    ) -> Conversation | None:
        """Write other metadata on a conversation."""
        written = _written(metadata)
        with self._sessions.writing():
            session = self._conversation(principal, conversation_id)
            if session is None:
                return None
            self._sessions.grow(session["key"], len(written) - len(session["metadata"].encode()))
            self._rows.execute(
                "UPDATE sessions SET metadata = ? WHERE key = ?", (written.decode(), session["key"])
            )
            return Conversation(conversation_id, session["created_at"], dict(metadata))

    def end(self, principal: str, conversation_id: str) -> bool:
        """Delete a conversation with all that is in it."""
        with self._sessions.writing():
            session = self._conversation(principal, conversation_id)
            if session is not None:
                self._sessions.remove([session["key"]])
            return session is not None

    def dialogue(self, principal: str, conversation_id: str) -> Context | None:
        """What a turn in a conversation starts from."""
        with self._sessions.reading():
            session = self._conversation(principal, conversation_id)
            if session is None:
                return None
            rows = self._rows.execute(
                "SELECT item FROM items WHERE conversation = ? ORDER BY key", (session["key"],)
            )
            return self._sessions.held(session["key"], session["id"], [row["item"].encode() for row in rows])

    def add(self, principal: str, conversation_id: str, items: Sequence[ItemJson]) -> bool:
        """Add items to a conversation."""
        with self._sessions.writing():
            session = self._conversation(principal, conversation_id)
            if session is not None:
                self._sessions.grow(session["key"], sum(map(len, items)))
                self._add(principal, (("input", item) for item in items), session["key"], None)
            return session is not None

    def drop(self, principal: str, conversation_id: str, item_id: str) -> bool:
        """Delete the items of an id from a conversation."""
        with self._sessions.writing():
            session = self._conversation(principal, conversation_id)
            if session is None:
                return False
            freed = self._erase("conversation = ? AND id = ?", session["key"], item_id)
            self._sessions.shrink(session["key"], freed)
            return freed > 0

    def close(self) -> None:
        """Close the file."""
        self._sessions.close()

    def _response(self, principal: str, response_id: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._rows.execute(
            "SELECT responses.*, sessions.id AS session_id, sessions.used_at "
            "FROM responses JOIN sessions ON sessions.key = responses.session "
            "WHERE responses.principal = ? AND responses.id = ? AND body IS NOT NULL",
            (principal, response_id),
        ).fetchone()
        return row if row is not None and self._use(row["session"], row["used_at"]) else None

    def _conversation(self, principal: str, conversation_id: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._rows.execute(
            "SELECT * FROM sessions WHERE principal = ? AND id = ? AND metadata IS NOT NULL",
            (principal, conversation_id),
        ).fetchone()
        return row if row is not None and self._use(row["key"], row["used_at"]) else None

    def _context(self, response: int) -> Iterable[sqlite3.Row]:
        return self._rows.execute(CONTEXT, {"response": response})

    def _use(self, session: int, used: float) -> bool:
        lives = self._sessions.lives(session, used)
        if lives:
            self._sessions.use([session])
        return lives

    def _add(self, principal: str, added: Added, conversation: int | None, response: int | None) -> None:
        self._rows.executemany(
            "INSERT INTO items (conversation, response, side, principal, id, item) VALUES (?, ?, ?, ?, ?, ?)",
            [(conversation, response, side, principal, item_id(item), item.decode()) for side, item in added],
        )

    def _prune(self, response: int | None) -> int:
        """Erase a tombstone, and those before it, that nothing follows; return the bytes of their items."""
        freed = 0
        while response is not None:
            row = self._rows.execute(
                "SELECT previous FROM responses WHERE key = ?1 AND body IS NULL AND until IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM responses WHERE previous = ?1)",
                (response,),
            ).fetchone()
            if row is None:
                break
            freed += self._erase("response = ?", response)
            self._rows.execute("DELETE FROM responses WHERE key = ?", (response,))
            response = row["previous"]
        return freed

    def _erase(self, where: str, *values: int | str) -> int:
        """Delete items; return their bytes."""
        items = self._rows.execute(f"SELECT item FROM items WHERE {where}", values)  # noqa: S608 fixed texts
        freed = sum(len(row["item"].encode()) for row in items.fetchall())
        self._rows.execute(f"DELETE FROM items WHERE {where}", values)  # noqa: S608
        return freed


def _conversation(session: sqlite3.Row) -> Conversation:
    metadata = msgspec.json.decode(session["metadata"], type=dict[str, str])
    return Conversation(session["id"], session["created_at"], metadata)


def _written(metadata: Mapping[str, str]) -> bytes:
    return msgspec.json.encode(dict(metadata))
