"""Format mistakes in the settings: the place, the problem, and the line with a mark below it."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from wireloom.config.files.excerpt import excerpt
from wireloom.config.files.toml import position_of
from wireloom.config.flags import flag_name
from wireloom.config.layers import config_file, variable, variable_name
from wireloom.config.mistakes import Mistake

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def sentences(mistakes: Sequence[Mistake], given: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """Return the mistakes as text: those of the command line and the environment first, those of the file by line.

    given: settings of the command line; origins: setting -> the variable of another tool that it came from.
    """
    formatted = [_format(mistake, given, origins) for mistake in mistakes]
    ordered = sorted(formatted, key=lambda each: each[0])
    return "\n".join(dict.fromkeys(text for _, text in ordered))


def _format(mistake: Mistake, given: Mapping[str, Any], origins: Mapping[str, str]) -> tuple[int, str]:
    """Return the line of a mistake in the file (0: it is not in the file), and its text."""
    names = _Names(given, origins, nested=bool(mistake.table))
    message = mistake.message.format_map(names)
    if not mistake.path:
        return 0, message
    setting = mistake.path[0]
    if mistake.table and setting not in given and not variable(variable_name(setting)):
        return _in_file(mistake, message)
    if names.of(setting) != setting:
        inner = _dotted(mistake.path[1:])
        where = f"{names.of(setting)}, {inner}" if inner else names.of(setting)
        value = shlex.quote(mistake.example)
        separator = "=" if names.of(setting).isupper() else " "
        example = f" For example: {names.of(setting)}{separator}{value}" if mistake.example else ""
        return 0, f"{where}: {message}{example}"
    return _in_file(mistake, message)


def _in_file(mistake: Mistake, message: str) -> tuple[int, str]:
    path = config_file()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    position = position_of(text, mistake.path, mistake.word) if text else None
    example = f" For example: {mistake.path[-1]} = {_value(mistake.example)}" if mistake.example else ""
    if position is None:
        return 0, f"{path}: {_dotted(mistake.path)}: {message}{example}"
    shown = excerpt(text, position, key_alone=mistake.unknown)
    where = f"{path}:{position.line}: {_dotted(mistake.path)}"
    return position.line, f"{where}: {message}{example}\n{shown}"


def _value(example: str) -> str:
    return example if example.isdecimal() or example in ("true", "false") else json.dumps(example)


def _dotted(path: Sequence[str]) -> str:
    """A path as TOML has it, with the places of lists in brackets."""
    parts = [
        f"[{part}]" if part.isdecimal() else f".{part if _BARE.fullmatch(part) else json.dumps(part)}"
        for part in path
    ]
    return "".join(parts).removeprefix(".")


class _Names(dict[str, str]):
    """Names of settings as the user wrote them: a flag, a variable, or a key of the file."""

    def __init__(self, given: Mapping[str, Any], origins: Mapping[str, str], *, nested: bool) -> None:
        super().__init__()
        self._given = given
        self._origins = origins
        self._nested = nested
        self._file = config_file().exists()

    def __missing__(self, name: str) -> str:
        return name if self._nested else self.of(name)

    def of(self, name: str) -> str:
        if name in self._given:
            return flag_name(name)
        if variable(variable_name(name)):
            return variable_name(name)
        return self._origins.get(name) or (name if self._file else flag_name(name))
