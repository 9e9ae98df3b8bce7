"""CONTRIBUTING.md names files that exist, and the arrow that the layer test holds."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.contract.test_layers import RANKS, WITHIN_TRANSLATE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
BASES = (
    ROOT,
    ROOT / "src" / "wireloom",
    ROOT / "src" / "wireloom" / "translate",
    ROOT / "tests" / "contract",
)
NAMED = re.compile(r"`([\w./-]+\.(?:py|toml|md|yaml|yml|json|txt))`")


def missing() -> Iterator[str]:
    """Files that a row of a table names and that exist nowhere: below a base, or beside one that the row names."""
    for row in TEXT.splitlines():
        folders = list(BASES)
        for name in NAMED.findall(row):
            found = next((folder / name for folder in folders if (folder / name).exists()), None)
            if found is None:
                yield name
            else:
                folders.insert(0, found.parent)


def arrow(begin: str) -> list[set[str]]:
    """The layers of an arrow that is drawn from a name on, lowest first."""
    drawn = re.search(rf"{begin}.*?(?=\n\n|\n  ```)", TEXT, re.DOTALL)
    assert drawn is not None
    return [{name.strip() for name in layer.split(",")} for layer in drawn[0].split("<-")]


def test_every_file_that_is_named_exists() -> None:
    assert list(missing()) == []


def test_the_arrow_is_the_one_that_the_layer_test_holds() -> None:
    drawn = arrow("generated <-")[1:]
    beside = {"config", "__main__", ""}
    ranks = sorted(set(RANKS.values()))
    held = [{name for name, rank in RANKS.items() if rank == each} - beside for each in ranks]
    assert drawn == [layer for layer in held if layer]


def test_the_arrow_inside_translate_is_the_one_that_the_layer_test_holds() -> None:
    assert arrow("rules <-") == [set(layer) for layer in WITHIN_TRANSLATE]
