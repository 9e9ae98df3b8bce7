"""Which tests run which lines, and how long each test takes.

The map is kept in a file. A test file runs again when it, or a module that it runs, has changed; every file does when
anything else has changed that tests read: the contracts, the profiles of providers, what tests share.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "wireloom"
STORED = ROOT / ".coverage.mutation.json"
# Sessions of other programs: they run the gateway in processes of its own.
ELSEWHERE = ("contract", "e2e", "consumers", "sdks", "types", "live", "mutation", "benchmarks")
# Tests of the contract session that need no process of their own: these alone hold the tables of rules to the contracts.
REVIEWS = ("tests/contract/test_published.py", "tests/contract/test_app_server_review.py")
RULES = "tests/support/rule_tables.py"
SETTINGS = """[run]
source_pkgs = wireloom
parallel = true
concurrency = thread
disable_warnings = no-ctracer
"""
TIMES = "MUTATION_TIMES"


class Ran(msgspec.Struct):
    """A test: how long it took in seconds, and the lines it ran of each module, as a number in hex: bit 7 is line 7."""

    seconds: float
    ran: dict[str, str]


class Map(msgspec.Struct):
    """All tests by node id; the lines that run while modules are imported.

    Args:
        rest: digest of everything that is neither a module nor a test file.
        modules: digest of each module.
        files: digest of each test file.
        tests: each test that passes.
        imported: per module, the lines that run when it, or a test file, is imported.
    """

    rest: str = ""
    modules: dict[str, str] = {}
    files: dict[str, str] = {}
    tests: dict[str, Ran] = {}
    imported: dict[str, str] = {}

    def at_import(self, module: str) -> int:
        """The lines of a module that run at import: bit 7 is line 7."""
        return int(self.imported.get(module, "0"), 16)

    def running(self, module: str, lines: int) -> list[str]:
        """The tests that run one of these lines of a module.

        Args:
            module: path below the package.
            lines: bit 7 is line 7; 0 stands for every line that does not run at import.
        """
        wanted = lines or ~self.at_import(module)
        return [node for node, test in self.tests.items() if int(test.ran.get(module, "0"), 16) & wanted]

    def reading(self, module: str) -> list[str]:
        """The tests that may read a table of a module without running a line of it.

        These are the tests of the files that import it. The tables of rules are imported by what the reviews share.

        Args:
            module: path below the package.
        """
        files = importing(module)
        if not self.running(module, 0):  # a module of tables alone serves the modules that import it
            files |= {file for name in _importers(module) for file in importing(name)} | {RULES}
        if RULES in files:
            files |= set(REVIEWS)
        return [
            node
            for node in self.tests
            if _file(node) in files and (_file(node) not in REVIEWS or "[" not in node)
        ]

    def keep(self, modules: dict[str, str], files: dict[str, str]) -> list[str]:
        """Forget the tests of files that have to run again; returns those files.

        Args:
            modules: digest of each module as it is now.
            files: digest of each test file as it is now.
        """
        other = {name for name in {*modules, *self.modules} if modules.get(name) != self.modules.get(name)}
        stale = {name for name in {*files, *self.files} if files.get(name) != self.files.get(name)}
        stale |= {_file(node) for node, test in self.tests.items() if other & test.ran.keys()}
        self.tests = {node: test for node, test in self.tests.items() if _file(node) not in stale}
        self.imported = {name: lines for name, lines in self.imported.items() if name not in other}
        self.modules, self.files = modules, files
        return sorted(stale & files.keys())


def covering() -> Map:
    """The map as it is now, for which test files run again where anything they run has changed."""
    known = msgspec.json.decode(STORED.read_bytes(), type=Map) if STORED.exists() else Map()
    rest = _digest(_everything_else())
    if rest != known.rest:
        known = Map(rest)
    modules = {str(path.relative_to(PACKAGE)): _digest([path]) for path in PACKAGE.rglob("*.py")}
    files = {str(path.relative_to(ROOT)): _digest([path]) for path in _test_files()}
    stale = known.keep(modules, files)
    if stale:
        _run(known, stale)
        STORED.write_bytes(msgspec.json.encode(known))
    return known


def importing(module: str) -> set[str]:
    """The files below `tests/` that import a module, by their paths from the root.

    Args:
        module: path below the package.
    """
    return {file for file, imported in _imports(ROOT / "tests", ROOT).items() if _dotted(module) in imported}


def _importers(module: str) -> set[str]:
    """The modules that import a module, by their paths below the package."""
    return {file for file, imported in _imports(PACKAGE, PACKAGE).items() if _dotted(module) in imported}


def _dotted(module: str) -> str:
    return ".".join(("wireloom", *Path(module).with_suffix("").parts)).removesuffix(".__init__")


@cache
def _imports(folder: Path, root: Path) -> dict[str, set[str]]:
    """File below a folder, from the root -> dotted names of all that it imports."""
    return {str(path.relative_to(root)): set(_imported(path)) for path in folder.rglob("*.py")}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(node: str) -> str:
    return node.partition("::")[0]


def _test_files() -> list[Path]:
    tests = ROOT / "tests"
    files = sorted(tests.rglob("test_*.py"))
    files = [path for path in files if path.relative_to(tests).parts[0] not in ELSEWHERE]
    return [*files, *(ROOT / name for name in REVIEWS)]


def _everything_else() -> list[Path]:
    folders = ("codegen", "generated", "openapi", "tests/support")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    found += PACKAGE.rglob("*.toml")
    shared = [*(ROOT / "tests").rglob("conftest.py"), ROOT / "pyproject.toml"]
    return sorted(path for path in [*found, *shared] if "__pycache__" not in path.parts)


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _run(known: Map, files: list[str]) -> None:
    """Run test files under coverage and add what they ran to the map."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "coveragerc"
        settings.write_text(SETTINGS)
        data = folder / "coverage"
        environment = os.environ | {"COVERAGE_FILE": str(data), TIMES: str(folder / "times.json")}
        options = ["-n", "2", "-q", "-p", "tests.mutation.covering", "-p", "no:cacheprovider"]
        options += ["--cov", "wireloom", "--cov-context", "test", "--cov-report", ""]
        options += ["--cov-config", str(settings)]
        command = [sys.executable, "-m", "pytest", *options, *files]
        subprocess.run(command, cwd=ROOT, env=environment, check=False, stdout=sys.stderr)
        times = msgspec.json.decode((folder / "times.json").read_bytes(), type=dict[str, float])
        _add(known, data, times)


def _add(known: Map, data: Path, times: dict[str, float]) -> None:
    """Read coverage's database: its schema is documented, its interface has no way to ask for one test's lines."""
    known.tests |= {node: Ran(seconds, {}) for node, seconds in times.items()}
    query = (
        "select context.context, file.path, numbits from line_bits join context on context.id = context_id"
    )
    with closing(sqlite3.connect(data)) as database:
        for context, path, numbits in database.execute(f"{query} join file on file.id = file_id"):
            module = str(Path(path).relative_to(PACKAGE))
            if not context:
                known.imported[module] = _united(known.imported.get(module, "0"), numbits)
            elif (test := known.tests.get(context.rpartition("|")[0])) is not None:
                test.ran[module] = _united(test.ran.get(module, "0"), numbits)


def _united(one: str, other: bytes) -> str:
    return f"{int(one, 16) | int.from_bytes(other, 'little'):x}"


class _Times:
    """Notes how long each test takes that passes, with what it sets up and takes down."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if not report.passed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        passed = {node: time for node, time in self.seconds.items() if node not in self.failed}
        Path(os.environ[TIMES]).write_bytes(msgspec.json.encode(passed))


def pytest_configure(config: pytest.Config) -> None:
    """Register the clock in the process that gathers the reports."""
    if TIMES in os.environ and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Times())
