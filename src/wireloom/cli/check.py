"""`wireloom check URL`: whether what is deployed keeps to its contract."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click

from wireloom.cli.lazy import resolve
from wireloom.cli.options import Failure, SettingsCommand
from wireloom.config import Endpoint, load

_EXAMPLES = """\b
Examples:
  wireloom check https://gateway.example.com --model deepseek-flash
  wireloom check http://127.0.0.1:4444 --report junit --output check.xml
  wireloom check http://127.0.0.1:4444 --wide           where answers cost nothing
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a check may do.

    requests: at most; seconds: after which nothing more is sent; examples: of each operation.
    """

    requests: int
    seconds: float
    examples: int


@dataclass(slots=True)
class Result:
    """What came of an operation.

    operation: its id, with what was varied; path: with its method; state: `passed`, `failed`, `skipped` or `not run`;
    told: why, where it did not pass.
    """

    operation: str
    path: str
    state: str = "not run"
    requests: int = 0
    seconds: float = 0.0
    told: str = ""


@dataclass(slots=True)
class Report:
    """What came of a check.

    url: of the deployment; contract: what its contract is; results: of each operation, in order.
    """

    url: str
    contract: str
    results: list[Result] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether it keeps to its contract, as far as was looked: nothing failed, and nothing was left out."""
        return all(result.state in ("passed", "skipped") for result in self.results)

    @property
    def counts(self) -> dict[str, int]:
        """How many operations there are of each state."""
        states = [result.state for result in self.results]
        return {state: states.count(state) for state in ("passed", "failed", "skipped", "not run")}


@click.command(
    "check", cls=SettingsCommand, kind=Endpoint, names=("model", "token", "no_auth"), epilog=_EXAMPLES
)
@click.argument("url")
@click.option("--max-requests", default=100, show_default=True, help="Requests at most.")
@click.option("--max-seconds", default=120.0, show_default=True, help="Send nothing more after this time.")
@click.option("--examples", default=3, show_default=True, help="Requests to each operation.")
@click.option(
    "--wide",
    is_flag=True,
    help="Ask models all that the contract allows, not only for one word: where that costs nothing.",
)
@click.option("--seed", default=1, show_default=True, help="Another seed makes other requests.")
@click.option("--report", type=click.Choice(["text", "json", "junit"]), default="text", show_default=True)
@click.option("--output", metavar="FILE", help="Write the report there.")
def command(
    given: Mapping[str, Any],
    url: str,
    max_requests: int,
    max_seconds: float,
    examples: int,
    seed: int,
    report: str,
    output: str | None,
    *,
    wide: bool,
) -> None:
    """Check the gateway at URL against the contract that it serves; exit code 1 unless it passes.

    Each operation gets a few valid requests, made from the contract by schemathesis; answers and the events of streams
    are held to it, and refusals to those that are declared. Meant for a live system: models are asked for one word, all
    that is sent is marked (`metadata.wireloom_check`, user agent `wireloom-check`), and only what the check has
    stored is deleted.

    The token is taken from WIRELOOM_TOKEN or the config file. Needs the extra: pip install 'wireloom[check]'.
    """
    endpoint = load(Endpoint, given)
    token = next((key.get_secret_value() for key in endpoint.inbound.values()), None)
    try:
        run = resolve("wireloom.cli.contract_check:run")
    except ModuleNotFoundError as error:
        raise Failure(
            f"{error.name} is not installed. pip install 'wireloom[check]' brings what this needs."
        ) from error
    made: Report = run(
        url.rstrip("/").removesuffix("/v1"),
        token,
        endpoint.model,
        Bounds(max_requests, max_seconds, examples),
        wide=wide,
        keyless=endpoint.no_auth,
        seed=seed,
    )
    text = _WRITERS[report](made)
    if output is None:
        click.echo(text)
    else:
        Path(output).write_text(text + "\n", encoding="utf-8")
        click.echo(_summary(made))
    if not made.ok:
        raise click.exceptions.Exit(1)


def _summary(report: Report) -> str:
    return ", ".join(f"{count} {state}" for state, count in report.counts.items() if count)


def as_words(report: Report) -> str:
    """The report for people."""
    return "\n".join([f"{report.url}: {report.contract}", "", *_lines(report), "", _summary(report)])


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
            message = (result.told or "it was not reached within the bounds").partition("\n")[0]
            ElementTree.SubElement(case, marks[result.state], message=message).text = result.told
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


_WRITERS: Mapping[str, Callable[[Report], str]] = {"text": as_words, "json": as_json, "junit": as_junit}
