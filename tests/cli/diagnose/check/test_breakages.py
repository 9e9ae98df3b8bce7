"""Each way to lie is found, by the case that looks at it, in a sentence that points at it; a good gateway passes."""

from __future__ import annotations

import re
from collections import Counter

import httpx
import pytest

from tests.support.breakages import BREAKAGES
from tests.support.breakages.spoiling import Breakage, Spoiling
from tests.support.threaded import KEY
from wireloom.cli.diagnose.check.bounds import Bounds
from wireloom.cli.diagnose.check.report import Report, as_words
from wireloom.cli.diagnose.check.run import Check, Plan

FACES = ("responses stream", "responses state", "chat", "errors and headers")
FOUND = [breakage for breakage in BREAKAGES if not breakage.missed]


def check(url: str, transport: httpx.BaseTransport, plan: Plan) -> Report:
    with httpx.Client(base_url=url, transport=transport, timeout=30) as client:
        made = Check(client, KEY, plan, Bounds(seconds=600), lambda: 0.0, lambda _: None)
        made.cases()
        return made.close()


@pytest.mark.parametrize("breakage", FOUND, ids=str)
def test_it_is_found(breakage: Breakage, good_url: str, transport: httpx.HTTPTransport) -> None:
    report = check(good_url, Spoiling(breakage, transport), Plan(only={breakage.case}))
    result = next(each for each in report.results if each.operation == breakage.case)
    assert result.state == "failed", as_words(report)
    assert re.search(breakage.says, result.told), result.told
    assert not report.ok


@pytest.mark.parametrize("breakage", [each for each in BREAKAGES if each.missed], ids=str)
def test_it_cannot_be_found(breakage: Breakage, good_url: str, transport: httpx.HTTPTransport) -> None:
    """Where it is found one day, its row says so no longer."""
    assert check(good_url, Spoiling(breakage, transport), Plan(only={breakage.case})).ok


@pytest.mark.parametrize("face", FACES)
def test_there_are_enough(face: str) -> None:
    rows = [breakage for breakage in BREAKAGES if breakage.face == face]
    missed = [breakage for breakage in rows if breakage.missed]
    assert len(rows) >= 15
    assert len(missed) <= len(rows) * 0.05


def test_each_is_another() -> None:
    assert len(BREAKAGES) >= 96
    assert max(Counter(map(str, BREAKAGES)).values()) == 1
    assert {breakage.face for breakage in BREAKAGES} == set(FACES)


def test_a_good_gateway_passes(good_url: str, transport: httpx.HTTPTransport) -> None:
    report = check(good_url, transport, Plan())
    assert report.ok, as_words(report)
    assert report.counts == {"passed": len(report.results), "failed": 0, "skipped": 0, "not run": 0}
