"""Where a fault can be put into a module: what stands there, and what stands there instead.

Prose (text with spaces), annotations, decorators and assertions are left alone: a fault there changes no behaviour
that a caller may rely on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
# Comparisons of which the swap is the negation.
OPPOSITES = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "//"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: (r"\*\*", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}
SEQUENCES = (ast.List, ast.Tuple, ast.Set)


class Edit(NamedTuple):
    """Bytes to replace, and the statement that they are in."""

    start: int
    end: int
    new: bytes
    within: str
    first: int
    last: int


class Finder(ast.NodeVisitor):
    """Collects the edits that make mutants."""

    def __init__(self, source: bytes) -> None:
        self.edits: list[Edit] = []
        self._source = source
        self._lines = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
        self._place: list[str] = []
        self._functions = 0
        self._statement = (1, 1)

    def visit(self, node: ast.AST) -> None:
        """Visit a node; a statement is the place of what is in it."""
        around = self._statement
        if isinstance(node, ast.stmt):
            is_compound = hasattr(node, "body")
            self._statement = node.lineno, node.lineno if is_compound else node.end_lineno or node.lineno
        super().visit(node)
        self._statement = around

    # Positions

    def _start(self, node: ast.AST) -> int:
        return self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined, no-any-return]

    def _end(self, node: ast.AST) -> int:
        return self._lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined, no-any-return]

    def _edit(self, start: int, end: int, new: str) -> None:
        self.edits.append(Edit(start, end, new.encode(), ".".join(self._place), *self._statement))

    def _replace(self, node: ast.AST, new: str) -> None:
        self._edit(self._start(node), self._end(node), new)

    def _text(self, node: ast.AST) -> str:
        return self._source[self._start(node) : self._end(node)].decode()

    def _swap(self, left: ast.AST, right: ast.AST, pattern: str, new: str) -> None:
        """Replace the operator between two operands."""
        begin = self._end(left)
        found = re.search(pattern.encode(), self._source[begin : self._start(right)])
        if found is not None:
            self._edit(begin + found.start(), begin + found.end(), new)

    # Places, and what is left alone

    def _within(self, name: str, nodes: Sequence[ast.AST]) -> None:
        self._place.append(name)
        for node in nodes:
            self.visit(node)
        self._place.pop()

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions += 1
        self._within(node.name, [node.args, *node.body])
        self._functions -= 1

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._within(node.name, node.body)

    def visit_arg(self, node: ast.arg) -> None:
        """An annotation."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """It only states what always holds."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Prose, and Python 3.11 does not know the places inside."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and ast.unparse(node.annotation) != "TypeAlias":  # only annotations name it
            self._assigned(node, [node.target])
            self.visit(node.value)

    # Statements

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Call):
            self._replace(node, "pass")
            if isinstance(value.func, ast.Attribute) and ast.unparse(value.func.value) == "log":
                return
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._assigned(node, node.targets)
        if not (self._functions == 0 and _is_type(node.value)):
            self.visit(node.value)

    def _assigned(self, node: ast.stmt, targets: Sequence[ast.expr]) -> None:
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
            self._replace(node, "pass")

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(node, "pass")
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._replace(node, "pass")

    def visit_Raise(self, node: ast.Raise) -> None:
        if node.exc is not None and ast.unparse(node.exc) == "NotImplementedError":
            return  # an abstract method, which is never called
        self._replace(node, "pass")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._replace(node, "pass")
        elif not isinstance(node.value, ast.Constant):
            self._replace(node, "return None")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "break")

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self._negate(node.test)
            self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_match_case(self, node: ast.match_case) -> None:
        if node.guard is not None:
            self._negate(node.guard)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if isinstance(node.type, ast.Tuple):
            self._shorten(node.type)
        self.generic_visit(node)

    # Expressions

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        is_not = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        is_swapped = isinstance(test, ast.Compare) and isinstance(test.ops[0], OPPOSITES)
        if not is_not and not is_swapped:
            self._replace(test, f"(not ({self._text(test)}))")

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for (left, right), operator in zip(pairwise(operands), node.ops, strict=True):
            self._swap(left, right, *COMPARISONS[type(operator)])
            if isinstance(right, SEQUENCES):
                self._shorten(right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in pairwise(node.values):
            self._swap(left, right, rf"\b{old}\b", new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            start = self._start(node)
            self._edit(start, start + len("not "), "")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        joined = isinstance(node.op, ast.BitOr) or any(map(_is_sequence, (node.left, node.right)))
        if joined:
            self._replace(node, self._text(node.left))
        elif type(node.op) in ARITHMETIC:
            self._swap(node.left, node.right, *ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        starts = [
            self._source.rfind(b"**", 0, self._start(value)) if key is None else self._start(key)
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        self._remove(starts, self._end(node) - 1)
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant | None):
                self.visit(key)
            self.visit(value)

    def visit_List(self, node: ast.List) -> None:
        self._sequence(node)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        self._sequence(node)

    def visit_Set(self, node: ast.Set) -> None:
        self._sequence(node)

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> None:
        kinds = {type(element) for element in node.elts}
        if self._functions == 0 and len(kinds) == 1:
            self._shorten(node)
        self.generic_visit(node)

    def _shorten(self, node: ast.List | ast.Tuple | ast.Set) -> None:
        """Remove each entry; one that is left of a tuple keeps its comma."""
        if len(node.elts) == 2:
            first, second = node.elts
            self._edit(self._start(first), self._end(second), f"{self._text(first)},")
            self._edit(self._start(first), self._end(second), f"{self._text(second)},")
        elif len(node.elts) > 2:
            is_bare = not self._text(node).startswith(("(", "[", "{"))
            self._remove(list(map(self._start, node.elts)), self._end(node) - (not is_bare))

    def _remove(self, starts: Sequence[int], end: int) -> None:
        """Remove each entry of a display: from where it starts to where the next one starts, or the display ends."""
        for start, after in pairwise([*starts, end]):
            self._edit(start, after, "")

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        if name == "Rule":  # the third argument is a note for who reads the table
            for argument in node.args[:2]:
                self.visit(argument)
        elif name not in ("cast", "TypeVar", "NewType"):
            self.generic_visit(node)
        elif name == "cast":
            self.visit(node.args[1])

    def visit_Constant(self, node: ast.Constant) -> None:
        for new in _other(node.value):
            self._replace(node, new)


def _other(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield repr(not value)
        case int() | float():
            yield repr(value + 1)
        case str() if not re.search(r"\s", value.strip()):
            yield repr(value + "XX")
        case bytes():
            yield repr(value + b"XX")


def _is_sequence(node: ast.expr) -> bool:
    """Whether `+` joins here: a literal of text or a display stands on one side."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    return is_text or isinstance(node, (ast.JoinedStr, *SEQUENCES))


def _is_type(node: ast.expr) -> bool:
    """Whether an expression at the module's level can only name a type, as `Json = dict[str, Any]` does."""
    match node:
        case ast.BinOp(op=ast.BitOr()):
            return _is_type(node.left) and _is_type(node.right)
        case ast.Subscript():
            return _is_type(node.value)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return (name[:1].isupper() and not name.isupper()) or name in (
                "dict",
                "list",
                "tuple",
                "str",
                "set",
            )
        case ast.Constant(value=None):
            return True
    return False
