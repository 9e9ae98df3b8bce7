"""The SQLite file of a history: its tables, its version, and who may read it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from wireloom.history.base import Unusable

VERSION = 1
APPLICATION = int.from_bytes(b"wlhi", "big")
"""Marks the file as ours, so that another program's database is left alone."""
BUSY_SECONDS = 10.0

# A tombstone (a deleted response that others follow) has no body. Keys grow for ever, so the order of keys is the
# order of writing, and `until` keeps its meaning when items after it are deleted and others written.
_SCHEMA = """
CREATE TABLE sessions (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    principal TEXT NOT NULL,
    id TEXT NOT NULL,         -- the conversation, or the response that began the chain
    metadata TEXT,            -- JSON; NULL: a chain of responses, no conversation
    created_at INTEGER NOT NULL,
    used_at REAL NOT NULL,
    bytes INTEGER NOT NULL    -- of the JSON in it
);
CREATE UNIQUE INDEX conversations_by_id ON sessions (principal, id) WHERE metadata IS NOT NULL;
CREATE INDEX sessions_by_use ON sessions (used_at, key);

CREATE TABLE responses (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    previous INTEGER REFERENCES responses,
    until INTEGER,            -- made in a conversation: its last item so far
    principal TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    body TEXT,                -- JSON without the output; NULL: deleted, but others follow
    UNIQUE (principal, id)
);
CREATE INDEX responses_by_session ON responses (session);
CREATE INDEX responses_by_previous ON responses (previous) WHERE previous IS NOT NULL;

CREATE TABLE items (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER REFERENCES sessions ON DELETE CASCADE,
    response INTEGER REFERENCES responses ON DELETE CASCADE,
    side TEXT NOT NULL CHECK (side IN ('input', 'output')),
    principal TEXT NOT NULL,
    id TEXT NOT NULL,
    item TEXT NOT NULL        -- JSON
);
CREATE INDEX items_by_conversation ON items (conversation, key) WHERE conversation IS NOT NULL;
CREATE INDEX items_by_response ON items (response, key) WHERE response IS NOT NULL;
CREATE INDEX items_by_id ON items (principal, id);

CREATE TABLE totals (sessions INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
CREATE TRIGGER session_begun AFTER INSERT ON sessions BEGIN
    UPDATE totals SET sessions = sessions + 1, bytes = bytes + new.bytes;
END;
CREATE TRIGGER session_changed AFTER UPDATE OF bytes ON sessions BEGIN
    UPDATE totals SET bytes = bytes + new.bytes - old.bytes;
END;
CREATE TRIGGER session_ended AFTER DELETE ON sessions BEGIN
    UPDATE totals SET sessions = sessions - 1, bytes = bytes - old.bytes;
END;
"""


# FULL, because NORMAL would lose acknowledged responses when the power fails; what is deleted is overwritten; 16 MB of
# pages stay in memory, so that a long chain is not read from the file for each of its turns.
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
    "cache_size = -16384",
)


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file of a history, made if need be: only its owner may read it, whatever the umask.

    Transactions are the caller's own (`BEGIN`), and a commit is on the disk when it returns.

    Raises:
        Unusable: the file cannot be used, or is not a history that this version knows.
    """
    path = Path(os.path.abspath(path))
    try:
        _create(path)
        database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        database.row_factory = sqlite3.Row
    except (OSError, sqlite3.Error) as error:
        raise Unusable(f"The history {path} cannot be opened: {reason(error)}.") from error
    try:
        _recognise(database, path)
        _make_private(path)
        for pragma in PRAGMAS:
            database.execute(f"PRAGMA {pragma}")
        _fill(database)
    except (OSError, sqlite3.Error) as error:
        database.close()
        if isinstance(error, Unusable):
            raise
        raise Unusable(f"The history {path} cannot be opened: {reason(error)}.") from error
    return database


def reason(error: OSError | sqlite3.Error) -> str:
    """What went wrong, without content: SQLite names tables and columns, never values."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _create(path: Path) -> None:
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    # Not opened when it is there: closing a descriptor would drop the locks this process holds on the file.
    if not path.exists():
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)


def _recognise(database: sqlite3.Connection, path: Path) -> None:
    empty = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if empty:
        return
    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise Unusable(f"{path} is a database of another program: name another file for the history.")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise Unusable(
            f"The history {path} was written by a newer wireloom (form {version}, this one knows {VERSION}): "
            "use that version, or name another file."
        )


def _make_private(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.chmod(0o600)


def _fill(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")  # of two processes that come at once, one makes the tables
    if not database.execute("PRAGMA user_version").fetchone()[0]:
        for statement in _statements():
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")


def _statements() -> list[str]:
    """The schema in single statements, for `executescript` would end the transaction."""
    statements: list[str] = []
    text = ""
    for line in _SCHEMA.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            statements.append(text)
            text = ""
    return statements
