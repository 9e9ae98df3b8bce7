"""What a person does with the file of a history: list what is in it, read it, remove it. It works beside a gateway."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from wireloom.history.base import Unusable
from wireloom.history.database import open_database, reason
from wireloom.history.tables import CONTEXT

_SESSIONS = """
SELECT sessions.*,
    (SELECT id FROM responses WHERE session = sessions.key AND body IS NOT NULL ORDER BY key DESC LIMIT 1) AS newest,
    (SELECT json_extract(body, '$.model') FROM responses
     WHERE session = sessions.key AND body IS NOT NULL ORDER BY key DESC LIMIT 1) AS model,
    (SELECT count(*) FROM responses WHERE session = sessions.key AND body IS NOT NULL) AS turns
FROM sessions ORDER BY used_at DESC, key DESC
"""
_FIRST = """
SELECT item FROM items
WHERE side = 'input' AND (conversation = :session OR response IN (SELECT key FROM responses WHERE session = :session))
ORDER BY key LIMIT :most
"""
_NAMED = """
SELECT session, key AS response, principal FROM responses WHERE id = :id AND body IS NOT NULL
UNION ALL
SELECT key AS session, NULL AS response, principal FROM sessions WHERE id = :id AND metadata IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A chain with its branches, or a conversation.

    Args:
        key: its number in the file.
        id: the conversation, or the newest response of the chain.
        principal: the name of the key it belongs to.
        model: of the newest response, or None where there is none.
        turns: responses in it.
        bytes: of the JSON in it.
        created_at: seconds since the epoch.
        used_at: seconds since the epoch, as far as it is written down.
    """

    key: int
    id: str
    principal: str
    model: str | None
    turns: int
    bytes: int
    created_at: float
    used_at: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything up to a response, or in a conversation.

    Args:
        id: the response or the conversation.
        session: the number of its session.
        principal: the name of the key it belongs to.
        items: oldest first.
    """

    id: str
    session: int
    principal: str
    items: Sequence[Mapping[str, Any]]


class Inspection:
    """The file of a history, opened to look into.

    Args:
        rows: the open file.
    """

    def __init__(self, rows: sqlite3.Connection) -> None:
        self._rows = rows

    def sessions(self) -> list[Session]:
        """Every session, the last used first."""
        return [
            Session(
                row["key"],
                row["newest"] if row["metadata"] is None else row["id"],
                row["principal"],
                row["model"],
                row["turns"],
                row["bytes"],
                row["created_at"],
                row["used_at"],
            )
            for row in self._rows.execute(_SESSIONS)
        ]

    def begun(self, session: int, most: int) -> list[Mapping[str, Any]]:
        """The first input items of a session.

        Args:
            session: its number in the file.
            most: items at most.
        """
        rows = self._rows.execute(_FIRST, {"session": session, "most": most})
        return [msgspec.json.decode(row["item"]) for row in rows]

    def named(self, name: str) -> list[Transcript]:
        """What has this id; several where principals share it."""
        return [
            Transcript(name, row["session"], row["principal"], self._items(row["session"], row["response"]))
            for row in self._rows.execute(_NAMED, {"id": name}).fetchall()
        ]

    def remove(self, sessions: Sequence[int]) -> int:
        """Remove sessions with all that is in them; return how many there were."""
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            removed = sum(
                self._rows.execute("DELETE FROM sessions WHERE key = ?", (key,)).rowcount for key in sessions
            )
        # Until then the log beside the file may hold what was removed; a gateway that reads now only delays it.
        self._rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return removed

    def _items(self, session: int, response: int | None) -> list[Mapping[str, Any]]:
        if response is None:
            rows = self._rows.execute(
                "SELECT item FROM items WHERE conversation = ? ORDER BY key", (session,)
            )
        else:
            rows = self._rows.execute(CONTEXT, {"response": response})
        return [msgspec.json.decode(row["item"]) for row in rows]


@contextmanager
def inspecting(path: Path) -> Iterator[Inspection]:
    """Open the file of a history, which must exist.

    Raises:
        Unusable: it cannot be read, or is no history.
    """
    try:
        with closing(open_database(path)) as rows:
            yield Inspection(rows)
    except sqlite3.Error as error:
        raise Unusable(f"The history {path} cannot be used: {reason(error)}.") from error
