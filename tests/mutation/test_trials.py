"""Forked jobs end as they end, and a fault takes effect where it is put."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation import trials
from tests.mutation.covering import Map, Ran
from tests.mutation.forks import CRASHED, TIMED_OUT, forked
from tests.mutation.mutants import Mutant, mutants

SOURCE = b"""
def outer(a):
    def inner(b):
        return a + b
    return inner


class Thing:
    @property
    def three(self):
        return 3


made_at_import = outer(1)
"""


def job(number: int) -> int:
    if number == 3:
        raise ValueError
    if number == 4:
        time.sleep(60)
    os.write(1, b"job %d\n" % number)
    return number


def test_forked_jobs_end_as_they_end(tmp_path: Path) -> None:
    ended = dict(forked(range(5), job, tmp_path / "log", seconds=2.0))
    assert ended == {0: 0, 1: 1, 2: 2, 3: CRASHED, 4: TIMED_OUT}
    printed = (tmp_path / "log").read_text()
    assert "job 0\n" in printed
    assert "ValueError" in printed


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that was imported, in a package of its own."""
    (tmp_path / "mutated_example.py").write_bytes(SOURCE)
    monkeypatch.setattr(trials, "PACKAGE", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mutated_example", raising=False)
    return importlib.import_module("mutated_example")


def mutant(becomes: str) -> Mutant:
    (found,) = [one for one in mutants("mutated_example.py", SOURCE) if one.becomes == becomes]
    return found


def test_a_warm_fault_takes_effect_in_what_was_made_before(module: ModuleType) -> None:
    functions = trials.functions()
    assert trials.exchanged(functions, mutant("return a - b"))
    assert module.made_at_import(2) == -1
    assert module.outer(5)(1) == 4
    assert trials.exchanged(functions, mutant("return 4"))
    assert module.Thing().three == 4
    assert not trials.exchanged(functions, mutant("made_at_import = outer(2)"))


def test_a_cold_fault_is_imported(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mutated_example")
    finder = trials._Faulty(mutant("made_at_import = outer(2)"), "mutated_example")
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert importlib.import_module("mutated_example").made_at_import(2) == 4
    assert finder.find_spec("os") is None


def test_the_map_forgets_what_has_changed() -> None:
    tests = {
        "tests/test_a.py::one": Ran(0.1, {"a.py": "2"}),
        "tests/test_b.py::two": Ran(0.1, {"b.py": "2"}),
        "tests/test_c.py::three": Ran(0.1, {"a.py": "4", "c.py": "2"}),
    }
    known = Map(
        "rest", {"a.py": "1", "b.py": "1", "c.py": "1"}, {f"tests/test_{n}.py": "1" for n in "abc"}, tests
    )
    assert known.running("a.py", 2) == ["tests/test_a.py::one"]
    assert known.running("a.py", 6) == ["tests/test_a.py::one", "tests/test_c.py::three"]
    files = {"tests/test_a.py": "1", "tests/test_c.py": "1", "tests/test_d.py": "1"}
    assert known.keep({"a.py": "1", "b.py": "1", "c.py": "2"}, files) == [
        "tests/test_c.py",
        "tests/test_d.py",
    ]
    assert list(known.tests) == ["tests/test_a.py::one"]


def test_a_table_is_tried_by_the_files_that_import_it_and_by_the_reviews() -> None:
    own, other = "tests/translate/rules/test_members.py::test_a", "tests/wire/test_sse.py::test_b"
    review, edit = "tests/contract/test_published.py::test_c", "tests/contract/test_published.py::test_d[1]"
    known = Map(tests={node: Ran(0.1, {}) for node in (own, other, review, edit)})
    assert known.reading("translate/rules/members.py") == [own, review]
    telemetry = "tests/api/observe/test_telemetry.py::test_e"
    known.tests[telemetry] = Ran(0.1, {})
    assert telemetry in known.reading("api/observe/genai.py")
