"""The file of the keys that seal: read, or made at the first start."""

import os
import stat
import tempfile
from pathlib import Path

from wireloom.config import Settings
from wireloom.config.files.folders import make_private
from wireloom.config.layers import ConfigError
from wireloom.seal import new_key, parse_keys

# A file of keys is small; what is larger was named by mistake.
_MAX_BYTES = 2**16
_HEAD = "# Seals what clients carry for wireloom. The first key seals, all open: put a new one on top, drop old ones last."


def seal_keys(settings: Settings) -> list[bytes]:
    """Return the keys of these settings, the one that seals first.

    The scripted model needs no file: unless one is named, its key lives as long as the process.

    Raises ``ConfigError`` when the file cannot be used.
    """
    if settings.backend == "demo" and settings.seal_key_file is None:
        return parse_keys(new_key())
    return read_or_make(settings.seal_key_path)


def read_or_make(path: Path) -> list[bytes]:
    """Return the keys in the file at ``path``; where there is none, make it with one new key.

    Of processes that start at the same time one makes the file, and all have its key. The file is readable by
    its owner alone, and so is each folder that is made for it. Raises ``ConfigError`` when the file cannot
    be read or made, others could read it, or a line is no key.
    """
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            _make(path)
            return _read(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: the key file cannot be used: {error.strerror}. Correct that, or name another place with "
            "--seal-key-file (WIRELOOM_SEAL_KEY_FILE)."
        ) from None


def _read(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        mode = stat.S_IMODE(found.st_mode)
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO) & ~_lent(found):
            raise ConfigError(
                f"{path}: others on this machine may use this key file (its mode is {mode:04o}). Make it yours "
                f"alone: chmod 600 {path}. If somebody may have read it, delete it: a new one is made."
            )
        content = file.read(_MAX_BYTES)
    try:
        return parse_keys(content.decode("utf-8", "replace"))
    except ValueError as error:
        raise ConfigError(
            f"{path}: {error}. Correct the key file, or delete it: a new one is made, and what was sealed before "
            "is no longer read."
        ) from None


def _lent(found: os.stat_result) -> int:
    """The bits that are as they should be: a file of root's that this user's group may read was put there for it.

    So come the secrets of Kubernetes.
    """
    return stat.S_IRGRP if found.st_uid == 0 and os.getuid() != 0 else 0


def _make(path: Path) -> None:
    """Write the file under another name, then give it its own, which fails where there is one by now."""
    make_private(path.parent)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)
            file.write(f"{_HEAD}\n{new_key()}\n")
            file.flush()
            os.fsync(descriptor)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
