"""Mistakes in settings, all that there are: a value that cannot be used is taken out, and the rest is checked again."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wireloom.config.flags import flag_name

Path: TypeAlias = tuple[str, ...]

# A backend that cannot be used stands for itself, so that what names it is not at fault as well.
_STAND_IN = {"backend": "demo"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong.

    Args:
        path: the setting, and the keys inside it; empty where no one setting is at fault.
        message: what is wrong and what to do, a sentence or more. `{name}` stands for the name of a setting as the user
            wrote it, so other braces are doubled: see `plain`.
        word: the part of the value that is at fault.
        about: settings of the same table that it follows from; it is none where one of them is wrong by itself.
        table: the table of these settings, empty for the top level.
        example: a value that would do.
        unknown: the key itself is wrong.
        meant: the key that was probably meant.
    """

    path: Path
    message: str
    word: str = ""
    about: frozenset[str] = frozenset()
    table: Path = ()
    example: str = ""
    unknown: bool = False
    meant: str = ""

    def within(self, table: Path) -> "Mistake":
        """Return the same mistake of a table inside the settings."""
        return replace(self, path=(*table, *self.path), table=(*table, *self.table))


class Mistakes(ValueError):
    """What a check of several settings, or of one with a message of its own, has found."""

    def __init__(self, *found: Mistake) -> None:
        super().__init__("\n".join(each.message.format_map(_Flags()) for each in found))
        self.found = found


class _Flags(dict[str, str]):
    """Names of settings as flags."""

    def __missing__(self, name: str) -> str:
        return flag_name(name)


def plain(text: object) -> str:
    """Return a text as it stands in a message."""
    return str(text).replace("{", "{{").replace("}", "}}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the nearest of some names, else those that there are, if they are few."""
    names = list(known)
    close = difflib.get_close_matches(word, names, 1)
    if close:
        return f"; did you mean {plain(close[0])}?"
    if not names or len(names) > _FEW:
        return "."
    return f"; there {'is' if len(names) == 1 else 'are'} {plain(', '.join(names))}."


_FEW = 12


def collect(
    validate: Callable[[dict[str, Any]], object],
    values: dict[str, Any],
    read: Callable[[ErrorDetails], Sequence[Mistake]],
) -> list[Mistake]:
    """Return every mistake in some settings.

    validate: raises ``ValidationError``; values: the settings, as they were written; read: turns one of its errors into
    mistakes.
    """
    values = deepcopy(values)
    found: list[Mistake] = []
    taken: set[Path] = set()
    while True:
        try:
            validate(values)
        except ValidationError as error:
            mistakes = [each for detail in error.errors(include_url=False) for each in read(detail)]
        else:
            return found
        found += [mistake for mistake in mistakes if not _follows(mistake, taken)]
        # Not `any`, which would stop at the first.
        changed = [_take_out(values, mistake, taken) for mistake in mistakes]
        if not any(changed):
            return found


def _follows(mistake: Mistake, taken: set[Path]) -> bool:
    """Whether a mistake is there only because of what was taken out."""
    depth = len(mistake.table) + 1
    for name in mistake.about:
        cause = (*mistake.table, name)
        # What no single setting is at fault for also follows from what was inside one of them.
        if cause in taken or (not mistake.path and any(path[:depth] == cause for path in taken)):
            return True
    return bool(mistake.word) and any(mistake.word.partition("/")[0] in path for path in taken)


def _take_out(values: dict[str, Any], mistake: Mistake, taken: set[Path]) -> bool:
    """Take what a mistake is about out of the settings; return whether anything was there."""
    if mistake.meant:
        taken.add((*mistake.table, mistake.meant))
    if mistake.path != mistake.table:
        return _remove(values, mistake.path, taken)
    causes = [(*mistake.table, name) for name in mistake.about]
    removed = [_remove(values, path, taken) for path in causes if _is_there(values, path)]
    return any(removed) or _remove(values, mistake.path, taken)


def _is_there(values: dict[str, Any], path: Path) -> bool:
    table: Any = values
    for name in path:
        key = _written(table, name) if isinstance(table, dict) else None
        if key is None:
            return False
        table = table[key]
    return True


def _remove(values: dict[str, Any], path: Path, taken: set[Path]) -> bool:
    table = values
    reached: list[str] = []
    for position, name in enumerate(path):
        key = _written(table, name)
        if key is None:
            break
        reached.append(key)
        inner = table[key]
        if position == len(path) - 1 or not isinstance(inner, dict):
            return _drop(table, tuple(reached), taken)
        table = inner
    if not reached:
        return False
    return _remove(values, tuple(reached), taken)  # a key is missing, so the table cannot be used


def _drop(table: dict[str, Any], path: Path, taken: set[Path]) -> bool:
    name = path[-1]
    taken.add((*path[:-1], name.replace("-", "_")))
    if len(path) == 2 and path[0] == "backends" and table[name] != _STAND_IN:
        table[name] = dict(_STAND_IN)
    else:
        del table[name]
    return True


def _written(table: dict[str, Any], name: str) -> str | None:
    """A key as it was written, with hyphens or with underscores."""
    for spelling in (name, name.replace("_", "-")):
        if spelling in table:
            return spelling
    return None
