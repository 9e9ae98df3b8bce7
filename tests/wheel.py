"""What a built wheel holds: `python -m tests.wheel FILE` says what is wrong with it."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator

PACKAGES = ("wireloom/", "wireloom_runtime/", "wireloom_protocol/", "wireloom-")
KINDS = (".py", ".toml", ".json", "py.typed")
NEEDED = (
    "wireloom/py.typed",
    "wireloom_runtime/py.typed",
    "wireloom_protocol/py.typed",
    "wireloom_protocol/contract.json",
    "wireloom_protocol/contract-3.1.json",
    "wireloom/providers/generic.toml",
)


def problems(names: list[str]) -> Iterator[str]:
    """Files that should not be in the wheel, and files that should."""
    for name in names:
        if not name.startswith(PACKAGES):
            yield f"outside the packages: {name}"
        elif ".dist-info/" not in name and not name.endswith(KINDS):
            yield f"of an unexpected kind: {name}"
    yield from (f"missing: {name}" for name in NEEDED if name not in names)
    for name in ("entry_points.txt", "licenses/LICENSE", "licenses/NOTICE"):
        if not any(found.endswith(f".dist-info/{name}") for found in names):
            yield f"missing: {name}"


def main(path: str) -> int:
    """Check a wheel; 0 when nothing is wrong."""
    found = list(problems(zipfile.ZipFile(path).namelist()))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
