"""Mutants of a module: its source with one small fault, for tests to notice."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from tests.mutation.faults import Edit, Finder


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault.

    Args:
        module: path of the module below the package, such as `translate/tools/table.py`.
        line: number of the first changed line.
        first: number of the first line of the statement.
        last: number of its last line; of a compound statement, the last changed one.
        within: dotted name of the class or function around it, empty at the module's level.
        was: the changed lines, without the whitespace around them.
        becomes: the same lines with the fault.
        source: the whole module with the fault.
    """

    module: str
    line: int
    first: int
    last: int
    within: str
    was: str
    becomes: str
    source: bytes

    def compiles(self) -> bool:
        """Whether it is a module at all: a removed entry may take a bracket with it."""
        try:
            compile(self.source, self.module, "exec", dont_inherit=True)
        except SyntaxError:
            return False
        return True


def mutants(module: str, source: bytes) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines.

    Args:
        module: path below the package.
        source: its text.
    """
    finder = Finder(source)
    finder.visit(ast.parse(source))
    made = [_mutant(module, source, edit) for edit in sorted(finder.edits)]
    return list({mutant.source: mutant for mutant in made if mutant is not None}.values())


def _mutant(module: str, source: bytes, edit: Edit) -> Mutant | None:
    begin = source.rfind(b"\n", 0, edit.start) + 1
    after = source.find(b"\n", edit.end)
    after = len(source) if after < 0 else after
    was = source[begin:after]
    becomes = source[begin : edit.start] + edit.new + source[edit.end : after]
    if was == becomes:
        return None
    line = source.count(b"\n", 0, edit.start) + 1
    last = max(edit.last, source.count(b"\n", 0, edit.end) + 1)
    whole = source[:begin] + becomes + source[after:]
    return Mutant(module, line, edit.first, last, edit.within, _one_line(was), _one_line(becomes), whole)


def _one_line(text: bytes) -> str:
    return " ".join(text.decode().split())
