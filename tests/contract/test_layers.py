"""The import arrow, and the other rules of form, held by the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "wireloom"
# Packages below the arrow, lowest first; each imports of this project only itself and the ones before it.
BELOW = {"wireloom_runtime": ROOT / "src", "wireloom_protocol": ROOT / "generated"}

# Each module of the package belongs to the first name here that its dotted path begins with; a module imports only
# layers of a lower rank, or its own.
RANKS = {
    "errors": 1,
    "exchange": 1,
    "seal": 1,
    "wire": 1,
    "providers": 1,
    "translate": 2,
    "backends": 3,
    "history": 3,
    "archive": 4,
    "routing": 4,
    "continuation": 5,
    "gateway": 6,
    "api": 7,
    "config": 8,
    "app": 9,
    "cli": 10,
    "__main__": 11,
    "": 12,  # the package itself, which names its public parts
}
# The arrow inside translate: a module imports only names that stand before its own; those of one row know nothing of
# each other.
WITHIN_TRANSLATE: Sequence[Collection[str]] = (
    ["rules"],
    ["hub"],
    ["tools"],
    ["conversation"],
    ["answer"],
    ["options", "failures", "compaction"],
    ["chat_upstream"],
    ["responses_upstream"],
    ["codex", "chat_face"],
    ["refusals"],
)
# config stands beside the arrow: it knows the profiles, and only the composition root and the command line know it.
MAY_IMPORT_CONFIG = {"config", "app", "cli", ""}
CONFIG_MAY_IMPORT = {"config", "errors", "providers", "seal"}
HTTP_CLIENTS = {"httpx", "aiohttp", "requests", "urllib.request", "http.client"}
HTTP_CLIENT_MODULES = {
    "backends.http.client",
    "backends.http.transport",
    # The demo speaks as a client does, from outside the gateway.
    "cli.client.exchange",
    "cli.walkthrough",
    "cli.diagnose.check.deployment",
    "cli.diagnose.check.fuzz",
}
IMPURE = {"asyncio", "httpx", "fastapi", "time", "uuid", "os", "random", "secrets"}
LOADERS = {"app", "cli.lazy", "config.files.keyring", ""}  # the places that load by path, from a table
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# How long a file may be that is longer than the others; the number only ever goes down.
LONG_FILES = {
    "backends.http.transport": 600,  # one protocol, whose parts know each other
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text())


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "relative imports hide the arrow"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(module: str) -> str:
    return module.split(".")[0]


def against_translate(name: str, tree: ast.Module) -> Iterator[str]:
    """Imports inside translate that go against its own arrow."""
    ranks = {room: rank for rank, rooms in enumerate(WITHIN_TRANSLATE) for room in rooms}
    own = name.split(".")[1] if "." in name else None
    if own is None:
        return
    if own not in ranks:
        yield f"{name} has no place on the arrow inside translate"
        return
    for target in imports(tree):
        other = target.removeprefix("wireloom.translate.").split(".")[0]
        if target.startswith("wireloom.translate.") and other != own and ranks.get(other, -1) >= ranks[own]:
            yield f"{name} imports {target}, against the arrow inside translate"


def violations(name: str, tree: ast.Module) -> Iterator[str]:
    own = layer(name)
    for target in imports(tree):
        foreign = any(target == client or target.startswith(f"{client}.") for client in HTTP_CLIENTS)
        if foreign and name not in HTTP_CLIENT_MODULES:
            yield f"{name} imports the HTTP client {target}"
        if own == "translate" and target.split(".")[0] in IMPURE:
            yield f"{name} imports {target}, which is not pure"
        if not target.startswith("wireloom."):
            continue
        other = layer(target.removeprefix("wireloom."))
        if other == "config":
            if own not in MAY_IMPORT_CONFIG:
                yield f"{name} imports config"
        elif own == "config":
            if other not in CONFIG_MAY_IMPORT:
                yield f"{name} imports {target}"
        elif (own and RANKS[other] > RANKS[own]) or (
            RANKS[other] == RANKS[own] and other != own and other != "errors"
        ):
            yield f"{name} imports {target}, against the arrow"
    if own == "translate":
        yield from against_translate(name, tree)
    for node in ast.walk(tree):
        if own == "translate" and isinstance(node, ast.AsyncFunctionDef):
            yield f"{name}.{node.name} is asynchronous"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(isinstance(inner, ast.Import | ast.ImportFrom) for inner in ast.walk(node)):
                yield f"{name}.{node.name} imports inside a function"
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{name}.{node.name} has {length} lines"
        if isinstance(node, ast.Name | ast.Attribute) and name not in LOADERS:
            called = node.id if isinstance(node, ast.Name) else node.attr
            if called in ("import_module", "__import__"):
                yield f"{name} loads modules by path"
    if set(name.split(".")) & VAGUE:
        yield f"{name} has a vague name"


def test_the_rules_hold() -> None:
    found = [violation for name, tree in modules() for violation in violations(name, tree)]
    assert found == []


@pytest.mark.parametrize("package", BELOW)
def test_what_is_below_the_arrow_imports_nothing_above(package: str) -> None:
    names = [*BELOW]
    forbidden = {"wireloom", *names[names.index(package) + 1 :]}
    trees = {path.name: ast.parse(path.read_text()) for path in (BELOW[package] / package).glob("*.py")}
    assert len(trees) > 3
    found = {name: {target.split(".")[0] for target in absolute(tree)} for name, tree in trees.items()}
    assert {name: targets & forbidden for name, targets in found.items() if targets & forbidden} == {}


def absolute(tree: ast.AST) -> Iterator[str]:
    """Modules that are imported by their whole names; generated code also imports relatively, from itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_files_stay_short() -> None:
    lengths = {
        ".".join(path.relative_to(SRC).with_suffix("").parts): len(path.read_text().splitlines())
        for path in SRC.rglob("*.py")
    }
    assert {
        name: lines for name, lines in lengths.items() if lines > LONG_FILES.get(name, MAX_FILE_LINES)
    } == {}
    assert [name for name in LONG_FILES if lengths[name] <= MAX_FILE_LINES] == [], "no longer needed"


def test_no_cycles() -> None:
    graph: dict[str, set[str]] = {}
    known = {name for name, _ in modules()}
    for name, tree in modules():
        targets = {
            target.removeprefix("wireloom.") for target in imports(tree) if target.startswith("wireloom.")
        }
        graph[name] = (targets & known) - {name}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a cycle: {' -> '.join([*above, name])}"
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("translate.hub.x", "from wireloom.backends import chat"),
        ("translate.hub.x", "from wireloom.translate.tools import table"),
        ("translate.codex.x", "from wireloom.translate.chat_face import relay"),
        ("translate.new.x", "import json"),
        ("translate.rules.x", "import asyncio"),
        ("translate.hub.x", "async def f(): ..."),
        ("backends.x", "from wireloom.api import edge"),
        ("wire.x", "from wireloom.providers import profile"),
        ("backends.http.chat", "import httpx"),
        ("api.x", "from http.client import HTTPConnection"),
        ("gateway", "from wireloom.config import Settings"),
        ("config.x", "from wireloom.gateway import Gateway"),
        ("api.x", "def f():\n    import json"),
        ("api.x", "from importlib import import_module\nimport_module('os')"),
        ("api.utils", "x = 1"),
        ("api.x", "def f():\n" + "    x = 1\n" * 70),
    ],
)
def test_each_rule_can_fail(name: str, source: str) -> None:
    assert list(violations(name, ast.parse(source)))
