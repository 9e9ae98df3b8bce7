"""The page of the cases of `wireloom check`, from their table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from wireloom.cli.diagnose.check.cases.base import Case
from wireloom.cli.diagnose.check.run import CASES

Table: TypeAlias = Callable[[tuple[str, ...], Iterator[tuple[str, ...]]], str]

INTRODUCTION = """\
# Cases of `wireloom check`

{count} cases, in the order in which they run; generated requests to each operation follow. [checking.md](checking.md) has
the rules that every answer is held to, and those that no deployment is held to. `--face responses` and `--face chat` run the
cases of that face and the shared ones.

"""


def page(table: Table) -> str:
    """The page.

    table: writes a table of Markdown.
    """
    head = ("operation", "case", "face", "looked at")
    return INTRODUCTION.format(count=len(CASES)) + table(head, _rows())


def _rows() -> Iterator[tuple[str, ...]]:
    for case in CASES:
        yield f"`{case.operation}`", case.name, case.face, _purpose(case)


def _purpose(case: Case) -> str:
    first = (case.run.__doc__ or "").partition("\n")[0]
    return f"{first} Not with `--no-auth`." if case.keyed else first
