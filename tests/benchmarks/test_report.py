"""The report of a benchmark run: medians, ratios, targets, and what did not run."""

import pytest

from benchmarks.figures import FIGURES, TARGETS, Target
from benchmarks.measure import MEASURES
from benchmarks.report import Outcome, ratio, render, verdict

CONTESTANTS = ("wireloom", "codex-relay", "nginx")


def outcome(**samples: dict[str, list[float]]) -> Outcome:
    """Build an outcome from figure=contestant -> samples."""
    built = Outcome()
    for figure, by_contestant in samples.items():
        for contestant, values in by_contestant.items():
            for value in values:
                built.add(contestant, figure, value)
    return built


def cells(report: str, title: str) -> list[str]:
    """Return the cells of the first table row with this title, without the title."""
    row = next(line for line in report.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def test_median_of_rounds() -> None:
    run = outcome(burst={"wireloom": [900.0, 100.0, 300.0]})
    assert run.median("wireloom", "burst") == 300.0
    assert run.median("nginx", "burst") is None


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [(6.0, 2.0, 3.0), (0.0, 2.0, 0.0), (None, 2.0, None), (6.0, None, None), (6.0, 0.0, None)],
)
def test_ratio(ours: float | None, theirs: float | None, expected: float | None) -> None:
    assert ratio(ours, theirs) == expected


@pytest.mark.parametrize(
    ("target", "ours", "theirs", "word"),
    [
        (Target("burst", 3.0, against="codex-relay"), 300.0, 100.0, "met"),
        (Target("burst", 3.0, against="codex-relay"), 299.0, 100.0, "missed"),
        (Target("paced_cpu", 1.6, against="codex-relay"), 16.0, 10.0, "met"),
        (Target("paced_cpu", 1.6, against="codex-relay"), 16.1, 10.0, "missed"),
        (Target("start", 1.0), 1.0, 50.0, "met"),
        (Target("start", 1.0), 1.1, 50.0, "missed"),
    ],
)
def test_verdict_on_each_side_of_the_bound(target: Target, ours: float, theirs: float, word: str) -> None:
    run = outcome(**{target.figure: {"wireloom": [ours], "codex-relay": [theirs]}})
    assert verdict(target, run)[1] == word


def test_target_against_a_peer_that_did_not_run_is_not_measured() -> None:
    target = Target("burst", 3.0, against="codex-relay")
    assert verdict(target, outcome(burst={"wireloom": [300.0]})) == (None, "not measured")


def test_row_has_medians_then_our_ratio_to_each_peer() -> None:
    run = outcome(burst={"wireloom": [1_200.0, 1_400.0], "codex-relay": [650.0], "nginx": [2_600.0]})
    report = render(run, ["burst"], CONTESTANTS, ["4 cores"])
    expected = ["requests/s", "more", "1,300", "650", "2,600", "2.00", "0.50"]
    assert cells(report, FIGURES["burst"].title) == expected
    assert "4 cores" in report
    assert "Did not run" not in report


def test_every_row_is_as_wide_as_its_head() -> None:
    report = render(outcome(idle={"nginx": [7.0]}), FIGURES, CONTESTANTS, [])
    tables = [block.splitlines() for block in report.split("\n\n") if block.startswith("|")]
    assert [len(table) - 2 for table in tables] == [len(FIGURES), len(TARGETS)]
    for table in tables:
        assert {line.count("|") for line in table} == {table[0].count("|")}


def test_missing_tool_leaves_dashes_and_a_remark() -> None:
    run = outcome(start={"wireloom": [0.5], "nginx": [0.01]})
    for name in CONTESTANTS:
        run.miss(f"{name} burst", "wrk is not installed")
    report = render(run, ["burst", "start"], CONTESTANTS, [])
    assert cells(report, FIGURES["burst"].title)[2:] == ["-"] * 5
    assert cells(report, FIGURES["start"].title)[2:] == ["0.500", "-", "0.010", "-", "50.00"]
    assert "- wireloom burst, codex-relay burst, nginx burst: wrk is not installed" in report.splitlines()


def test_the_same_miss_is_noted_once() -> None:
    run = Outcome()
    for _ in range(3):
        run.miss("nginx", "nginx is not installed")
    assert run.missing == {"nginx is not installed": ["nginx"]}


def test_figures_without_a_target_say_so() -> None:
    assert "None of these figures has one." in render(Outcome(), ["held_50"], CONTESTANTS, [])


def test_each_figure_comes_from_one_measure_and_each_target_has_a_figure() -> None:
    measured = [figure for measure in MEASURES for figure in measure.figures]
    assert sorted(measured) == sorted(FIGURES)
    assert {target.figure for target in TARGETS} <= set(FIGURES)
