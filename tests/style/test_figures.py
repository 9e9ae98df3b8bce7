"""Each figure of the style session counts what its name says."""

from pathlib import Path

import pytest

from tests.style import figures
from tests.style.__main__ import main

SOURCE = '''"""A module."""

from typing import Any

LIMIT = 1  # a comment


class Wide:
    """Eleven methods."""

{methods}


def total(values: Any, table: m.CreateResponse) -> int:
    # why
    return sum(value for value in values if value) or 0
'''


@pytest.fixture
def found(tmp_path: Path) -> list[figures.Module]:
    methods = "\n".join(f"    def m{number}(self): ..." for number in range(11))
    folder = tmp_path / "translate"
    folder.mkdir()
    (folder / "one.py").write_text(SOURCE.format(methods=methods))
    (folder / "two.py").write_text("LIMIT = 2\n")
    return figures.modules(tmp_path)


def test_functions_are_measured_in_lines(found: list[figures.Module]) -> None:
    assert figures.function_lengths(found) == [1] * 11 + [3]
    assert figures.ninetieth([1] * 9 + [9]) == 8


def test_density_counts_tokens_and_nested_expressions(found: list[figures.Module]) -> None:
    two = [module for module in found if module.path.name == "two.py"]
    assert figures.tokens_per_line(two) == 3
    assert figures.nested_per_line(found) == pytest.approx(2 / 14)


def test_comments_are_counted_by_lines_of_code(found: list[figures.Module]) -> None:
    lines = sum(module.code_lines for module in found)
    assert figures.comments_per_hundred(found) == pytest.approx(100 * 2 / lines)


def test_names_of_several_files_and_large_classes_are_found(found: list[figures.Module]) -> None:
    assert figures.repeated_names(found) == {"LIMIT": 2}
    assert figures.large_classes(found) == (1, 1)


def test_loose_and_generated_types_of_signatures_are_counted(found: list[figures.Module]) -> None:
    assert figures.slots(found) == (1, 1)
    assert list(figures.folder_sizes(found).values()) == [2]


def test_the_table_names_each_goal(found: list[figures.Module], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(found[0].path.parent), "--names"]) == 0
    printed = capsys.readouterr().out
    assert "tokens per code line" in printed
    assert printed.rstrip().endswith("2 LIMIT")
