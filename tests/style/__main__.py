"""`nox -s style`: print the figures of src beside their goals; `-- --names` lists the repeated names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.style import figures

SRC = Path(__file__).parents[2] / "src"


def main(arguments: Sequence[str]) -> int:
    """Print the table; nothing fails by it."""
    parser = argparse.ArgumentParser(prog="nox -s style --", description=__doc__)
    parser.add_argument("--names", action="store_true", help="list the top-level names of more than one file")
    parser.add_argument("folder", nargs="?", type=Path, default=SRC, help="src of this project by default")
    given = parser.parse_args(arguments)
    found = figures.modules(given.folder)
    lengths = figures.function_lengths(found)
    large, classes = figures.large_classes(found)
    loose, typed = figures.slots(module for module in found if "translate" in module.path.parts)
    sizes = figures.folder_sizes(found)
    repeated = figures.repeated_names(found)
    largest = ", ".join(f"{name} {count}" for name, count in list(sizes.items())[:3])
    rows = [
        ("function p90 / longest", f"{figures.ninetieth(lengths)} / {lengths[-1]}", "22 / 70"),
        ("tokens per code line", f"{figures.tokens_per_line(found):.1f}", "<= 7.5"),
        ("nested expressions per function line", f"{figures.nested_per_line(found):.3f}", "<= 0.07"),
        ("comments per 100 code lines", f"{figures.comments_per_hundred(found):.1f}", ">= 8"),
        ("top-level names in more than one file", str(len(repeated)), "<= 40"),
        ("classes with more than 10 methods", f"{100 * large / max(classes, 1):.1f} %", "<= 5 %"),
        ("Json/Any : generated types, in translate", f"{loose} : {typed}", "1 : 1"),
        ("largest folders", largest, "<= 15"),
        ("tokens of code", f"{sum(module.tokens for module in found):,}", ""),
    ]
    for label, value, goal in rows:
        print(f"{label:42} {value:>34}  {goal}")
    if given.names:
        print(*(f"{count:3} {name}" for name, count in repeated.items()), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
