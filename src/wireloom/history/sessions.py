"""The sessions of a SQLite file: which are in use, which have expired, and which make room for others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakKeyDictionary

from wireloom.history.base import Context, Full, ItemJson
from wireloom.history.budget import Budget
from wireloom.history.database import open_database, reason


class Sessions:
    """The sessions of one file, used from the thread that made this.

    Args:
        path: the file.
        budget: the limits.
        now: tells the time in seconds since the epoch.

    Raises:
        Unusable: the file cannot be opened.
    """

    def __init__(self, path: Path, budget: Budget, now: Callable[[], float]) -> None:
        self.rows = open_database(path)
        self._budget = budget
        self._now = now
        # Uses since the last write: a read writes nothing, and a crash loses no more than how recent they were.
        self._used: dict[int, float] = {}
        self._contexts: WeakKeyDictionary[Context, int] = WeakKeyDictionary()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One view of the file, whatever another process writes meanwhile."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written inside, or nothing; before it, what has expired is removed."""
        with self._transaction("BEGIN IMMEDIATE"):
            written = dict(self._used)
            self.rows.executemany(
                "UPDATE sessions SET used_at = max(used_at, ?) WHERE key = ?",
                [(used, session) for session, used in written.items()],
            )
            self._sweep()
            yield
        for session, used in written.items():
            if self._used[session] == used:
                del self._used[session]

    def lives(self, session: int, used: float) -> bool:
        """Whether a session is not past its time; `used` is when it was, as far as the file tells."""
        used = max(used, self._used.get(session, used))
        return not self._budget.expired(used, self._now()) or session in self._in_use()

    def use(self, sessions: Iterable[int]) -> None:
        """Note that sessions were used now."""
        self._used.update(dict.fromkeys(sessions, self._now()))

    def held(self, session: int, name: str, items: list[ItemJson]) -> Context:
        """A context; while it is held its session is in use."""
        context = Context(name, items)
        self._contexts[context] = session
        return context

    def begin(self, principal: str, name: str, created_at: int, metadata: str | None = None) -> int:
        """Write a new session without content; return its key."""
        session = self.rows.execute(
            "INSERT INTO sessions (principal, id, metadata, created_at, used_at, bytes) VALUES (?, ?, ?, ?, ?, 0)",
            (principal, name, metadata, created_at, self._now()),
        ).lastrowid
        assert session is not None
        return session

    def grow(self, session: int, added: int) -> None:
        """Count bytes that are added to a session, and make room for them.

        Raises:
            Full: there is no room.
        """
        self.shrink(session, -added)
        own = self.rows.execute("SELECT bytes FROM sessions WHERE key = ?", (session,)).fetchone()[0]
        sessions, size = self.rows.execute("SELECT sessions, bytes FROM totals").fetchone()
        self.remove(self._budget.evicted(sessions, size, own, self._idle(session)))

    def shrink(self, session: int, freed: int) -> None:
        """Count bytes that a session no longer holds."""
        self.rows.execute(
            "UPDATE sessions SET bytes = bytes - ?, used_at = ? WHERE key = ?", (freed, self._now(), session)
        )

    def remove(self, sessions: Iterable[int]) -> None:
        """Remove sessions with all that is in them."""
        self.rows.executemany("DELETE FROM sessions WHERE key = ?", [(session,) for session in sessions])

    def close(self) -> None:
        """Write down what was used, and close the file."""
        with suppress(Full), self.writing():
            pass  # where it fails the uses are lost, nothing else
        self.rows.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        try:
            self.rows.execute(begin)
            yield
            self.rows.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            raise ValueError("The id is taken.") from error
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            raise Full(f"The history cannot be used now: {reason(error)}.") from error
        finally:
            if self.rows.in_transaction:
                with suppress(sqlite3.DatabaseError):
                    self.rows.execute("ROLLBACK")

    def _in_use(self) -> set[int]:
        return set(self._contexts.values())

    def _sweep(self) -> None:
        """Remove what has expired."""
        if not self._budget.ttl_seconds:
            return
        rows = self.rows.execute(
            "SELECT key, used_at FROM sessions WHERE used_at < ?", (self._now() - self._budget.ttl_seconds,)
        ).fetchall()
        self.remove([key for key, used in rows if not self.lives(key, used)])

    def _idle(self, own: int) -> Iterator[tuple[int, int]]:
        """Sessions that may be evicted, with their bytes, the least recently used first."""
        kept = {own, *self._in_use()}
        for key, size in self.rows.execute("SELECT key, bytes FROM sessions ORDER BY used_at, key"):
            if key not in kept:
                yield key, size
