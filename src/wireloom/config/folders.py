"""Folders whose files are for their owner alone."""

import os
import stat
from pathlib import Path

from wireloom.config.layers import ConfigError


def private_folder(path: Path, flag: str) -> Path:
    """Return the folder at ``path``, made for its owner alone where there is none.

    flag: the option that names it. Raises ``ConfigError`` when it cannot be made, or others may look into it.
    """
    try:
        try:
            path.mkdir(parents=True)
            path.chmod(stat.S_IRWXU)
        except FileExistsError:
            pass
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
