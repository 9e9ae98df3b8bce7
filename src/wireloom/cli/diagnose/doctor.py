"""`wireloom doctor`: what is set up, and one real round trip through it."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import click

from wireloom.cli.lazy import resolve
from wireloom.cli.options import SettingsCommand
from wireloom.config import ConfigError, Settings, config_file, load

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}
_PLAIN = {"ok": "ok", "warn": "!!", "fail": "XX"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Args:
        group: the section it belongs to.
        name: what was looked at.
        state: `ok`, `warn` (it works, but), or `fail`.
        told: what was found.
        remedy: what to do about it; empty where there is nothing to do.
    """

    group: str
    name: str
    state: str
    told: str
    remedy: str = ""


@click.command("doctor", cls=SettingsCommand, kind=Settings)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(given: Mapping[str, Any], *, as_json: bool) -> None:
    """Check the settings of `wireloom serve`, files, keys, upstream and Codex; one round trip with a tool.

    The round trip asks the model twice, through a gateway of its own that stores nothing. Exit code 1 when
    something does not work.
    """
    try:
        settings = load(Settings, given)
    except ConfigError as error:
        problem, *rest = str(error).splitlines()
        findings = [Finding("Settings", "settings", "fail", problem, "\n".join(rest))]
    else:
        told = "; ".join(
            f"{name}: {entry.backend}" + (f", {entry.upstream}" if entry.upstream else "")
            for name, entry in settings.named.items()
        )
        findings = [Finding("Settings", "settings", "ok", told)]
        findings += resolve("wireloom.cli.diagnose.doctor_checks:look")(settings)
    for line in [as_text(findings)] if as_json else report(findings):
        click.echo(line)
    if any(finding.state == "fail" for finding in findings):
        raise click.exceptions.Exit(1)


def as_text(findings: Iterable[Finding]) -> str:
    """The findings as JSON."""
    each = [asdict(finding) for finding in findings]
    failed = sum(finding["state"] == "fail" for finding in each)
    return json.dumps({"ok": not failed, "config_file": str(config_file()), "findings": each}, indent=1)


def report(findings: list[Finding]) -> Iterable[str]:
    """The findings as lines for people: in groups, aligned, each with its remedy."""
    width = max(len(finding.name) for finding in findings)
    for group, members in groupby(findings, lambda finding: finding.group):
        yield click.style(group, bold=True)
        for finding in members:
            yield f"  {_mark(finding.state)} {finding.name:<{width}}  {finding.told}"
            for line in finding.remedy.splitlines():
                yield f"  {'':<{width + 4}}{line}"
    counts = {state: sum(finding.state == state for finding in findings) for state in _MARKS}
    yield ""
    yield f"{counts['ok']} well, {counts['warn']} to look at, {counts['fail']} broken"


def _mark(state: str) -> str:
    if "utf" not in (sys.stdout.encoding or "").lower():
        return _PLAIN[state]
    mark, colour = _MARKS[state]
    return click.style(mark, fg=colour)
