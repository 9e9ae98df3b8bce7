"""TOML of single values, and where a key stands in a file."""

import json
import re
from collections.abc import Sequence

_BARE = r"[A-Za-z0-9_-]+"


def toml(value: str | int | bool | Sequence[str]) -> str:
    """Return a text, a number, a truth value or a list of texts as TOML has it."""
    # JSON has the same, but for one character that TOML wants escaped as well.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Return the number of the line in which a key is set, from 1; None where it is not found.

    path: the key, after the tables that it is in. A key inside an inline table has the line of that table.
    """
    lines = text.split("\n")
    for depth in range(len(path) - 1, -1, -1):
        found = _line(lines, path[:depth], path[depth])
        if found is not None:
            return found
    return None


def _line(lines: Sequence[str], table: Sequence[str], key: str) -> int | None:
    """The line of a key directly in a table, or of the head of the table of that name."""
    current: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        head = line.strip()
        if head.startswith("["):
            current = _names(head.strip("[]").split("#")[0])
            if current[: len(table) + 1] == (*table, key):
                return number
        elif (
            not head.startswith("#")
            and current == tuple(table)
            and _names(head.partition("=")[0])[:1] == (key,)
        ):
            return number
    return None


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(rf'"[^"]*"|\'[^\']*\'|{_BARE}', dotted))
