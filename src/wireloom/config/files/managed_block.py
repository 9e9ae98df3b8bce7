"""The block that `wireloom init` keeps in the config file: put in, changed and taken out, all else left as it is."""

import re
from collections.abc import Mapping
from pathlib import Path

from wireloom.config.files.toml import toml

_NO_FILE = "no file"
_BEGIN = "# >>> wireloom init >>> (before: {before}; `wireloom init --restore` takes this block out)\n"
_END = "# <<< wireloom init <<<\n"
_BLOCK = re.compile(
    r"\A# >>> wireloom init >>> \(before: (?P<before>no file|mode [0-7]{4});[^\n]*\n(?P<own>.*?)^# <<< wireloom init <<<\n",
    re.DOTALL | re.MULTILINE,
)


def outside(text: str) -> str:
    """Return a config file without the block."""
    return _BLOCK.sub("", text)


def own(text: str) -> str:
    """Return what the block of a config file says, empty where there is none."""
    found = _BLOCK.match(text)
    return found["own"] if found else ""


def with_block(text: str | None, mode: int, values: Mapping[str, str | int | bool | list[str]]) -> str:
    """Return a config file with these values in the block.

    text: the file, or None where there is none; mode: its permissions.
    """
    # The keys of the top level have to stand before every table.
    found = _BLOCK.match(text or "")
    before = found["before"] if found else _NO_FILE if text is None else f"mode {mode:04o}"
    lines = [f"{name} = {toml(value)}\n" for name, value in values.items()]
    return "".join([_BEGIN.format(before=before), *lines, _END, outside(text or "")])


def beside_block(text: str, lines: str) -> str:
    """Return a config file with lines of the top level put before all that is not the block."""
    found = _BLOCK.match(text)
    end = found.end() if found else 0
    return text[:end] + lines + text[end:]


def restore(path: Path, text: str) -> bool:
    """Take the block out of a file, whose bytes and mode are then those from before; True if there was one."""
    found = _BLOCK.match(text)
    if found is None:
        return False
    rest = outside(text)
    if found["before"] == _NO_FILE and not rest:
        path.unlink()
        return True
    path.write_bytes(rest.encode())
    if found["before"] != _NO_FILE:
        path.chmod(int(found["before"].removeprefix("mode "), 8))
    return True
