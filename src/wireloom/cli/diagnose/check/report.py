"""The outcome of a check, for people, for programs and for pipelines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias
from xml.etree import ElementTree

State: TypeAlias = Literal["passed", "failed", "skipped", "not run"]
STATES: tuple[State, ...] = ("passed", "failed", "skipped", "not run")
MOST_SENTENCES = 8
"""Of one result, the sentences that are reported."""


@dataclass(slots=True)
class Result:
    """The outcome of one case.

    operation: id of the operation, with the name of the case; path: with its method; told: the reason, if the case did not
    pass; face: of the case.
    """

    operation: str
    path: str
    state: State = "not run"
    requests: int = 0
    seconds: float = 0.0
    told: str = ""
    face: str = ""


@dataclass(slots=True)
class Report:
    """The outcome of a check.

    url: of the deployment; contract: which contract it is held to; differs: how the contract that the deployment serves
    differs from that of this release; results: of each case, in order; requests, tokens, seconds: that the check used.
    """

    url: str
    contract: str
    results: list[Result] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the deployment passes: something was looked at, nothing failed, and nothing was left out."""
        states = {result.state for result in self.results}
        return "passed" in states and states <= {"passed", "skipped"}

    @property
    def counts(self) -> dict[str, int]:
        """How many results there are of each state."""
        states = [result.state for result in self.results]
        return {state: states.count(state) for state in STATES}


def joined(sentences: Sequence[str]) -> str:
    """Sentences as lines, each once, as many as a reader takes in."""
    once = list(dict.fromkeys(sentences))
    rest = len(once) - MOST_SENTENCES
    return "\n".join([*once[:MOST_SENTENCES], *([f"and {rest} more"] if rest > 0 else [])])


def summary(report: Report) -> str:
    """The report in one line."""
    counted = ", ".join(f"{count} {state}" for state, count in report.counts.items() if count)
    took = f"{report.requests} requests, {report.tokens} tokens, {report.seconds:.1f} s"
    return f"{counted or 'nothing was looked at'}; {took}"


def as_words(report: Report) -> str:
    """The report for people."""
    head = [f"{report.url}: {report.contract}", *(f"  {each}" for each in report.differs)]
    return "\n".join([*head, "", *_lines(report), "", summary(report)])


def _lines(report: Report) -> Iterable[str]:
    width = max((len(result.operation) for result in report.results), default=0)
    for result in report.results:
        requests = f"{result.requests} requests" if result.requests != 1 else "1 request"
        yield f"  {result.state:<8} {result.operation:<{width}}  {requests}, {result.seconds:.2f} s"
        for line in result.told.splitlines():
            yield f"           {line}"


def as_json(report: Report) -> str:
    """The report for programs."""
    return json.dumps({"ok": report.ok, **report.counts, **asdict(report)}, indent=1)


def as_junit(report: Report) -> str:
    """The report for pipelines, in JUnit's XML."""
    counts = report.counts
    suite = ElementTree.Element(
        "testsuite",
        name="wireloom check",
        tests=str(len(report.results)),
        failures=str(counts["failed"]),
        errors=str(counts["not run"]),
        skipped=str(counts["skipped"]),
        time=f"{sum(result.seconds for result in report.results):.3f}",
    )
    marks = {"failed": "failure", "not run": "error", "skipped": "skipped"}
    for result in report.results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=result.path, name=result.operation, time=f"{result.seconds:.3f}"
        )
        if result.state in marks:
            message = (result.told or "It was not reached within the bounds.").partition("\n")[0]
            ElementTree.SubElement(case, marks[result.state], message=message).text = result.told
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


WRITERS: Mapping[str, Callable[[Report], str]] = {"text": as_words, "json": as_json, "junit": as_junit}
