"""TOML of single values, where a key stands in a file, and what a syntax error means."""

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

_BARE = r"[A-Za-z0-9_-]+"
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
# The parser's message, up to its first quotation mark -> what a person has to know.
_MEANINGS = (
    ("Illegal character '\\n'", "the string is not closed"),
    ("Invalid value", "this is no TOML value; texts stand in quotation marks"),
    ("Expected '=' after a key", "a key needs an = and a value"),
    ("Unclosed array", "the array is not closed, or a comma is missing"),
    ("Cannot overwrite a value", "this key stands in the file twice"),
    ("Cannot declare", "this table stands in the file twice"),
    ("Expected newline or end of document", "there is more in this line than one key and its value"),
    ("Expected ']'", "the head of the table is not closed"),
)


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands in a text.

    Args:
        line: from 1.
        column: from 1.
        length: in characters, at least 1.
    """

    line: int
    column: int = 1
    length: int = 1


def toml(value: str | int | bool | Sequence[str]) -> str:
    """Return a text, a number, a truth value or a list of texts as TOML has it."""
    # JSON has the same, but for one character that TOML wants escaped as well.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def syntax_error(text: str, error: tomllib.TOMLDecodeError) -> tuple[str, Position]:
    """Return what is wrong with a text that is no TOML, in words, and where.

    text: the whole file; error: what the parser raised for it.
    """
    lines = text.split("\n")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    message = str(error)
    found = _PLACE.search(message)
    reason = _PLACE.sub("", message)
    for begin, meaning in _MEANINGS:
        if reason.startswith(begin):
            reason = meaning
            break
    else:
        reason = reason[:1].lower() + reason[1:]
    if found is None or found["line"] is None:
        return reason, Position(len(lines), len(lines[-1]) + 1)
    return reason, Position(int(found["line"]), int(found["column"]))


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Return the number of the line in which a key is set, from 1; None where it is not found.

    path: the key, after the tables that it is in; hyphens and underscores are the same. A key inside an inline table has
    the line of that table.
    """
    lines = text.split("\n")
    for depth in range(len(path) - 1, -1, -1):
        found = _line(lines, [_spelled(name) for name in path[:depth]], _spelled(path[depth]))
        if found is not None:
            return found
    return None


def position_of(text: str, path: Sequence[str], word: str = "") -> Position | None:
    """Return where a key stands, or a word of its value; None where the key is not found.

    path: as for `line_of`; word: a text in the value, such as a name in a list.
    """
    number = line_of(text, path)
    if number is None:
        return None
    lines = text.split("\n")
    if word:
        wanted = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        for later, line in enumerate(lines[number - 1 :], number):
            begin = line.find("=") + 1 if later == number else 0
            if later > number and _begins_another(line):
                break
            found = wanted.search(line, begin)
            if found:
                return Position(later, found.start() + 1, len(word))
    line = lines[number - 1]
    for name in reversed(path):
        key = re.compile(rf"(?<![\w-]){re.escape(name).replace('_', '[_-]')}(?![\w-])")
        found = key.search(line)
        if found:
            return Position(number, found.start() + 1, len(name))
    return Position(number, len(line) - len(line.lstrip()) + 1)


def _begins_another(line: str) -> bool:
    """Whether a line begins a table or sets a key, so that the value before it has ended."""
    return (
        line.startswith("[") or re.match(rf"\s*(?:{_BARE}|\"[^\"]*\"|'[^']*')[\w.\"' -]*=", line) is not None
    )


def _line(lines: Sequence[str], table: Sequence[str], key: str) -> int | None:
    """The line of a key directly in a table, or of the head of the table of that name."""
    current: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        head = line.strip()
        if head.startswith("["):
            current = names(head.strip("[]").split("#")[0])
            if current[: len(table) + 1] == (*table, key):
                return number
        elif not head.startswith("#") and "=" in head:
            own = (*current, *names(head.partition("=")[0]))
            if own[: len(table) + 1] == (*table, key):
                return number
    return None


def names(dotted: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, each without quotation marks and with underscores for hyphens."""
    parts = re.findall(rf'"[^"]*"|\'[^\']*\'|{_BARE}', dotted)
    return tuple(_spelled(part.strip("\"'")) for part in parts)


def _spelled(name: str) -> str:
    return name.replace("-", "_")
