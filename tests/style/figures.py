"""Measures of source code: lengths, density, names and folders, by syntax tree and by token."""

from __future__ import annotations

import ast
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

# Tokens that the reader does not read as code.
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
NESTED = (
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.IfExp,
    ast.NamedExpr,
    ast.BoolOp,
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MANY_METHODS = 10
# Modules of generated types, by the names under which they are imported.
GENERATED = {"m", "chat", "replies", "hot", "app_server_hot"}


@dataclass(frozen=True, slots=True)
class Module:
    """One source file.

    Args:
        path: of the file.
        tree: its syntax tree.
        tokens: its tokens of code; docstrings are none.
        comments: lines with a comment.
        code_lines: lines with code.
    """

    path: Path
    tree: ast.Module
    tokens: int
    comments: int
    code_lines: int

    @classmethod
    def read(cls, path: Path) -> Module:
        """Read a file."""
        with path.open("rb") as file:
            found = list(tokenize.tokenize(file.readline))
        tree = ast.parse(path.read_bytes())
        docstrings = _docstring_lines(tree)
        code = [token for token in found if token.type not in LAYOUT and token.start[0] not in docstrings]
        lines = {line for token in code for line in range(token.start[0], token.end[0] + 1)}
        comments = sum(token.type == tokenize.COMMENT for token in found)
        return cls(path, tree, len(code), comments, len(lines))


def _docstring_lines(tree: ast.AST) -> set[int]:
    """Lines of texts that stand alone: docstrings of modules, classes, functions and attributes."""
    alone = (
        node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )
    texts = (
        node for node in alone if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )
    return {line for node in texts for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def modules(folder: Path) -> list[Module]:
    """Every module below a folder."""
    return [Module.read(path) for path in sorted(folder.rglob("*.py"))]


def function_lengths(found: Iterable[Module]) -> list[int]:
    """Lines of each function, sorted."""
    functions = (node for module in found for node in ast.walk(module.tree) if isinstance(node, FUNCTIONS))
    return sorted((node.end_lineno or node.lineno) - node.lineno + 1 for node in functions)


def ninetieth(lengths: list[int]) -> int:
    """The length that nine of ten functions keep to."""
    return round(quantiles(lengths, n=10)[-1]) if len(lengths) > 1 else max(lengths, default=0)


def tokens_per_line(found: Iterable[Module]) -> float:
    """Tokens of code per line of code."""
    listed = list(found)
    return sum(module.tokens for module in listed) / max(sum(module.code_lines for module in listed), 1)


def nested_per_line(found: Iterable[Module]) -> float:
    """Comprehensions, conditional expressions, assignments in expressions and boolean operators per function line."""
    listed = list(found)
    outer = [node for module in listed for node in _outer_functions(module.tree)]
    nested = sum(isinstance(each, NESTED) for node in outer for each in ast.walk(node))
    lines = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in outer)
    return nested / max(lines, 1)


def _outer_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods that stand in no other function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, FUNCTIONS):
            yield node
        else:
            yield from _outer_functions(node)


def comments_per_hundred(found: Iterable[Module]) -> float:
    """Comments per hundred lines of code."""
    listed = list(found)
    return (
        100 * sum(module.comments for module in listed) / max(sum(module.code_lines for module in listed), 1)
    )


def repeated_names(found: Iterable[Module]) -> Mapping[str, int]:
    """Top-level names that more than one file defines -> how many files do."""
    files: Counter[str] = Counter()
    for module in found:
        files.update(set(_top_level(module.tree)))
    return {name: count for name, count in files.most_common() if count > 1}


def _top_level(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def large_classes(found: Iterable[Module]) -> tuple[int, int]:
    """Classes with more than ten methods, and all classes."""
    classes = [node for module in found for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    methods = [sum(isinstance(each, FUNCTIONS) for each in node.body) for node in classes]
    return sum(count > MANY_METHODS for count in methods), len(classes)


def slots(found: Iterable[Module]) -> tuple[int, int]:
    """Parameters and results of functions that are `Json` or `Any`, and those that are of a generated type."""
    loose = typed = 0
    for module in found:
        for node in ast.walk(module.tree):
            if not isinstance(node, FUNCTIONS):
                continue
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            for annotation in [node.returns, *(argument.annotation for argument in given)]:
                names = (
                    {each.id for each in ast.walk(annotation) if isinstance(each, ast.Name)}
                    if annotation
                    else set()
                )
                loose += bool(names & {"Json", "Any"})
                typed += bool(names & GENERATED)
    return loose, typed


def folder_sizes(found: Iterable[Module]) -> Mapping[str, int]:
    """Folder -> modules that stand directly in it."""
    sizes: defaultdict[str, int] = defaultdict(int)
    for module in found:
        if module.path.name != "__init__.py":
            sizes["/".join(module.path.parent.parts[-2:])] += 1
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))
