"""Folders and files that are for their owner alone."""

import os
import stat
import tempfile
from pathlib import Path

from wireloom.config.layers import ConfigError


def make_private(path: Path) -> None:
    """Make the folder at ``path`` and those above it that are missing, each for its owner alone.

    What is there already stays as it is. Raises ``OSError`` when one cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=stat.S_IRWXU)
            folder.chmod(stat.S_IRWXU)
        except FileExistsError:
            pass


def private_folder(path: Path, flag: str) -> Path:
    """Return the folder at ``path``, made for its owner alone where there is none.

    flag: the option that names it. Raises ``ConfigError`` when it cannot be made, or others may look into it.
    """
    try:
        make_private(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        usable = path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    except OSError as error:
        raise ConfigError(f"{flag}: {path} cannot be made: {error.strerror}. Name another folder.") from None
    if not usable:
        raise ConfigError(f"{flag}: {path} is no folder that can be written to. Name another one.")
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{flag}: others on this machine may look into {path} (its mode is {mode:04o}). Name a folder that is not "
            f"there yet, or make it yours alone: chmod 700 {path}."
        )
    return path


def replace_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, with mode 0600 whatever the umask; its folder is made where it is missing.

    Raises ``OSError`` when it cannot be written.
    """
    make_private(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
