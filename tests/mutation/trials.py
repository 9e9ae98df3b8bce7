"""Hold mutants to the tests that run their lines.

A mutant inside a function is tried warm: the tests are collected once, and each forked process exchanges the code of
the one function. Anything else has taken effect at import: it is tried cold, in a process that has imported what the
project depends on, and imports the project anew with the faulty module.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.util
import inspect
import math
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from hypothesis import Phase, settings

from tests.mutation.covering import PACKAGE
from tests.mutation.forks import forked, print_to
from tests.mutation.mutants import Mutant

SECONDS = 300.0
TEST_SECONDS = 5.0
TIMES_SLOWER = 10.0
FIRST_FILES = 4
SURVIVED, KILLED, NOT_WARM = 0, 1, 100
DEPENDENCIES = (
    *(
        "fastapi",
        "httptools",
        "httpx",
        "jsonschema",
        "langchain_openai",
        "msgspec",
        "openai",
        "prometheus_client",
    ),
    *("cryptography.fernet", "pydantic", "pydantic_settings", "starlette.testclient", "uvicorn", "uvloop"),
    *(
        "websockets",
        "wireloom_protocol._app_server",
        "wireloom_protocol._responses",
        "wireloom_protocol._routes",
    ),
)


# Path, dotted name and first line of a function.
_Place = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant with the tests that may kill it, in the order in which they run.

    Args:
        mutant: the fault.
        tests: (node id, seconds that the test takes).
        warm: whether no line of it runs at import.
    """

    mutant: Mutant
    tests: Sequence[tuple[str, float]]
    warm: bool


def tried(trials: Sequence[Trial], folder: Path) -> Iterator[tuple[Trial, bool]]:
    """Try each mutant; yields it with whether a test noticed it.

    Args:
        trials: what to try.
        folder: for temporary files; `log` in it is what the tests print.

    Raises:
        RuntimeError: the tests cannot be collected.
    """
    _import_dependencies()
    cold = [trial for trial in trials if not trial.warm]
    warm = [trial for trial in trials if trial.warm]
    if warm:
        for index, status in _in_warm_process(warm, folder):
            if status == NOT_WARM:
                cold.append(warm[index])
            else:
                yield warm[index], status != SURVIVED
    for trial, status in forked(cold, lambda trial: _cold(trial, folder), folder / "log", seconds=SECONDS):
        yield trial, status != SURVIVED


def _import_dependencies() -> None:
    settings.register_profile(
        "mutation", database=None, derandomize=True, phases=[Phase.explicit, Phase.generate]
    )
    settings.load_profile("mutation")
    with warnings.catch_warnings(action="ignore"):
        for name in DEPENDENCIES:
            importlib.import_module(name)


def _options(files: Sequence[str]) -> list[str]:
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "_hypothesis_pytestplugin"]
    return ["-q", "-x", "--capture=sys", "--assert=plain", "--disable-plugin-autoload", *plugins, *files]


def _file(test: tuple[str, float]) -> str:
    return test[0].partition("::")[0]


def _files(tests: Sequence[tuple[str, float]]) -> list[str]:
    return list(dict.fromkeys(map(_file, tests)))


def _own_folder(folder: Path) -> None:
    own = folder / str(os.getpid())
    own.mkdir()
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(own)


# Warm


def _in_warm_process(trials: Sequence[Trial], folder: Path) -> Iterator[tuple[int, int]]:
    """Collect the tests in a forked process that tries the mutants; yields (index, exit status)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.close(reading)
            print_to(folder / "log")
            files = sorted({name for trial in trials for name in _files(trial.tests)})
            status = pytest.main(_options(files), plugins=[_Warm(trials, folder, writing)])
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as lines:
        for line in lines:
            index, outcome = map(int, line.split())
            yield index, outcome
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"The tests cannot be collected:\n{(folder / 'log').read_text()[-4000:]}")


class _Warm:
    """A pytest plugin: in place of running the tests once, it runs those of each mutant in a fork."""

    def __init__(self, trials: Sequence[Trial], folder: Path, writing: int) -> None:
        self._trials = trials
        self._folder = folder
        self._writing = writing
        self._failed = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        alive = functions()
        gc.freeze()  # so that forks share what is there

        def run(index: int) -> int:
            trial = self._trials[index]
            _own_folder(self._folder)
            if not exchanged(alive, trial.mutant):
                return NOT_WARM
            chosen = [(items[node], seconds) for node, seconds in trial.tests]
            return self._run(session, chosen)

        log = self._folder / "log"
        for index, status in forked(range(len(self._trials)), run, log, seconds=SECONDS):
            os.write(self._writing, f"{index} {status}\n".encode())
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed

    def _run(self, session: pytest.Session, chosen: list[tuple[pytest.Item, float]]) -> int:
        following = [item for item, _ in chosen[1:]]
        for (item, seconds), after in zip(chosen, [*following, None], strict=True):
            _limit(seconds)
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self._failed:
                print("killed by", item.nodeid)
                return KILLED
        return SURVIVED


def functions() -> dict[_Place, list[FunctionType]]:
    """Every function of the package that is alive, by path, name and first line."""
    found: dict[_Place, list[FunctionType]] = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename.startswith(str(PACKAGE)):
            code = thing.__code__
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(thing)
    return found


def exchanged(alive: Mapping[_Place, Sequence[FunctionType]], mutant: Mutant) -> bool:
    """Give every function object around a fault its faulty code; returns whether that was possible.

    Args:
        alive: what `functions` found.
        mutant: the fault.
    """
    path = str(PACKAGE / mutant.module)
    any_found = False
    for code in _around(compile(mutant.source, path, "exec", dont_inherit=True), mutant):
        for function in alive.get((path, code.co_qualname, code.co_firstlineno), ()):
            if code.co_freevars != function.__code__.co_freevars:
                return False
            function.__code__ = code
            any_found = True
    return any_found


def _around(code: CodeType, mutant: Mutant) -> Iterator[CodeType]:
    """The functions around a fault, from the outside in; of those that share a name, as a property's, the right one."""
    names = mutant.within.split(".")
    for inner in code.co_consts:
        if not isinstance(inner, CodeType):
            continue
        plain = inner.co_qualname.replace(".<locals>", "").split(".")
        lines = [line for _, _, line in inner.co_lines() if line]
        is_right = len(plain) < len(names) or min(lines) <= mutant.line <= max(lines)
        if plain == names[: len(plain)] and is_right:
            if inner.co_flags & inspect.CO_OPTIMIZED:
                yield inner
            yield from _around(inner, mutant)


def _limit(seconds: float) -> None:
    """Let the process end when a test takes far longer than it does without a fault."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(TEST_SECONDS + TIMES_SLOWER * seconds))


# Cold


def _cold(trial: Trial, folder: Path) -> int:
    """Import the faulty module and run the tests: those of a few files first, which are collected sooner."""
    _own_folder(folder)
    parts = ["wireloom", *Path(trial.mutant.module).with_suffix("").parts]
    sys.meta_path.insert(0, _Faulty(trial.mutant, ".".join(parts).removesuffix(".__init__")))
    first = set(_files(trial.tests)[:FIRST_FILES])
    early = [test for test in trial.tests if _file(test) in first]
    late = [test for test in trial.tests if _file(test) not in first]
    for tests in filter(None, (early, late)):
        status = pytest.main(_options(_files(tests)), plugins=[_Chosen(tests)])
        if status:
            return int(status)
    return SURVIVED


class _Chosen:
    """A pytest plugin: runs the tests that were chosen, in their order, each in its time."""

    def __init__(self, tests: Sequence[tuple[str, float]]) -> None:
        self._seconds = dict(tests)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        found = {item.nodeid: item for item in items}
        items[:] = [found[node] for node in self._seconds]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        _limit(self._seconds[nodeid])

    def pytest_runtest_logfinish(self) -> None:
        signal.alarm(0)


class _Faulty(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads one module, from the source with the fault."""

    def __init__(self, mutant: Mutant, name: str) -> None:
        self._mutant = mutant
        self._name = name
        self._path = PACKAGE / mutant.module

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        where = [str(self._path.parent)] if self._path.stem == "__init__" else None
        return importlib.util.spec_from_file_location(
            name, self._path, loader=self, submodule_search_locations=where
        )

    def get_source(self, fullname: str) -> str:
        return self._mutant.source.decode()

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._mutant.source, str(self._path), "exec", dont_inherit=True)
