"""The folder of a compiled package: what may be written there, and how it differs from what is compiled now."""

from __future__ import annotations

import difflib
import filecmp
from collections.abc import Iterable
from pathlib import Path

MARK = "manifest.json"
"""A file that every compiled package has."""


def refusal(folder: Path, release: Path) -> str | None:
    """The reason why a user's package must not be written into a folder, or None.

    Args:
        folder: where it would go; it need not exist.
        release: the package of the release.
    """
    if folder.resolve() == release.resolve():
        return f"{folder} has the package of the release. Name another folder."
    if folder.exists() and not folder.is_dir():
        return f"{folder} is a file. Name a folder."
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        return f"{folder} has other files, which would be lost. Name an empty folder, or one that does not exist."
    return None


def replace(target: Path, fresh: Path) -> None:
    """Make `target` hold exactly the files of `fresh`."""
    target.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        if path.is_file():
            path.unlink()
    for path in fresh.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


def differences(old: Path, new: Path) -> Iterable[str]:
    """Lines of a unified diff from the files that are there to the fresh ones."""
    there = [folder for folder in (old, new) if folder.exists()]
    names = sorted({path.name for folder in there for path in folder.iterdir() if path.is_file()})
    _, changed, odd = filecmp.cmpfiles(old, new, names, shallow=False)
    for name in sorted([*changed, *odd]):
        before, after = (_lines(folder / name) for folder in (old, new))
        yield from difflib.unified_diff(before, after, f"committed/{name}", f"fresh/{name}", lineterm="", n=1)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
