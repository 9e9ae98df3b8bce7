"""The fields of generated pydantic models in the forms of `wireloom_runtime.models`.

The model generator writes `T | MISSING = MISSING` for a member that may be left out and `T | None | MISSING = MISSING`
for one that may be null besides. Code that reads requests wants None for what is left out, so the first becomes
`Omittable[T] = None`, which refuses null, and the second `T | None = None`. A member that `nulls` has made nullable has
its mark in the metadata of its field, and becomes `NullIsAbsent[T]`, which reads null and never writes it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping

from codegen.nulls import MARK

RUNTIME = "from wireloom_runtime.models import Deferred"
MISSING = "MISSING"
SENTINEL = "from pydantic.experimental.missing_sentinel import MISSING\n"
# JSON Schema's scalars, which pydantic's own types read out of strings and of each other too.
SCALARS: Mapping[str, str] = {"bool": "Boolean", "int": "Integer", "float": "Number"}
FORMS = ("Boolean", "Integer", "Many", "Map", "NullIsAbsent", "Number", "Omittable")
# How the model generator writes the mark of a member.
EXTRA = "json_schema_extra"


def written(source: str) -> str:
    """The source of a module of models with its fields in our forms; the source of any other module as it is.

    Args:
        source: what the model generator wrote with `--use-missing-sentinel`.
    """
    if RUNTIME not in source:
        return source
    # Names that are defined further down are resolved when a model is used; built now, all models would be.
    source = re.sub(r"^\w+\.model_rebuild\(\)\n", "", source, flags=re.MULTILINE)
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    nullable = _nullable_names(tree)
    for node in reversed(list(_definitions(tree))):
        again = _rewritten(node, nullable)
        if again is not None:
            end = node.end_lineno or node.lineno
            lines[node.lineno - 1 : end] = [" " * node.col_offset + again + "\n"]
    text = "".join(lines).replace(SENTINEL, "")
    text = re.sub(r"\blist\[", "Many[", text)
    text = re.sub(r"\bdict\[(?!str, Any\])", "Map[", text)
    for plain, strict in SCALARS.items():
        text = re.sub(rf"(?<![\w.\"'-]){plain}(?![\w\"'-])", strict, text)
    used = [name for name in FORMS if re.search(rf"\b{name}\b", text)]
    return text.replace(RUNTIME, ", ".join([RUNTIME, *used]), 1)


def _definitions(tree: ast.Module) -> Iterator[ast.AnnAssign | ast.Assign]:
    """Type aliases and fields, in the order of the source."""
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else (node,):
            if isinstance(inner, ast.AnnAssign | ast.Assign):
                yield inner


def _rewritten(node: ast.AnnAssign | ast.Assign, nullable: frozenset[str]) -> str | None:
    """The source of a definition in our forms; None where it stays as it is."""
    marked = any(isinstance(part, ast.Constant) and part.value == MARK for part in ast.walk(node))
    plain = _Unmarked().visit(node) if marked else node
    if isinstance(plain, ast.AnnAssign):
        if marked and plain.value is not None:
            return _field(plain, _null_is_absent)
        if _is(plain.value, MISSING):
            return _field(plain, _nullable if _admits_null(plain.annotation, nullable) else _omittable)
    # A member that is required in an answer, or the type of one: the mark is about requests.
    return ast.unparse(plain) if marked else None


class _Unmarked(ast.NodeTransformer):
    """Takes the mark of `nulls` out of the metadata of a field, and metadata that are empty without it."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != EXTRA]
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if not _is(node.value, "Annotated") or not isinstance(node.slice, ast.Tuple):
            return node
        kind, *metadata = node.slice.elts
        kept = [each for each in metadata if not isinstance(each, ast.Call) or each.args or each.keywords]
        return ast.Subscript(node.value, ast.Tuple([kind, *kept])) if kept else kind


def _is(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _field(field: ast.AnnAssign, form: Callable[[ast.expr], ast.expr]) -> str:
    """A field that may be left out, in one of our forms; None stands for what is left out and has no default."""
    kind = _within(_without(_without(field.annotation, MISSING), "None"), form)
    default = "None" if field.value is None or _is(field.value, MISSING) else ast.unparse(field.value)
    return f"{ast.unparse(field.target)}: {ast.unparse(kind)} = {default}"


def _without(node: ast.expr, name: str) -> ast.expr:
    """A type without one branch of its union, which for a type with constraints stands within these."""
    if isinstance(node, ast.BinOp):
        branches = [_without(branch, name) for branch in (node.left, node.right) if not _called(branch, name)]
        return branches[0] if len(branches) == 1 else ast.BinOp(branches[0], ast.BitOr(), branches[1])
    if isinstance(node, ast.Subscript) and _is(node.value, "Annotated"):
        return _within(node, lambda inner: _without(inner, name))
    return node


def _within(kind: ast.expr, change: Callable[[ast.expr], ast.expr]) -> ast.expr:
    """A type with a change of what stands within `Annotated`: a field's own metadata, such as its alias, stays outermost."""
    if isinstance(kind, ast.Subscript) and _is(kind.value, "Annotated") and isinstance(kind.slice, ast.Tuple):
        inner, *metadata = kind.slice.elts
        return ast.Subscript(kind.value, ast.Tuple([_within(inner, change), *metadata]))
    return change(kind)


def _omittable(kind: ast.expr) -> ast.expr:
    return ast.Subscript(ast.Name("Omittable"), kind)


def _nullable(kind: ast.expr) -> ast.expr:
    return ast.BinOp(kind, ast.BitOr(), ast.Constant(None))


def _null_is_absent(kind: ast.expr) -> ast.expr:
    return ast.Subscript(ast.Name("NullIsAbsent"), kind)


def _called(node: ast.expr, name: str) -> bool:
    return _is(node, name) or (isinstance(node, ast.Constant) and str(node.value) == name)


def _admits_null(node: ast.expr, nullable: frozenset[str]) -> bool:
    if isinstance(node, ast.BinOp):
        return _admits_null(node.left, nullable) or _admits_null(node.right, nullable)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if node.value.id == "Annotated":
            return _admits_null(parts[0], nullable)
        return node.value.id == "Union" and any(_admits_null(part, nullable) for part in parts)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value in nullable
    return _called(node, "None") or (isinstance(node, ast.Name) and node.id in nullable)


def _nullable_names(tree: ast.Module) -> frozenset[str]:
    """Names of the type aliases that admit null."""
    aliases = {
        node.targets[0].id: node.value.args[1]
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and _is(node.value.func, "TypeAliasType")
    }
    known: frozenset[str] = frozenset()
    while True:
        found = frozenset(name for name, kind in aliases.items() if _admits_null(kind, known))
        if found == known:
            return known
        known = found
