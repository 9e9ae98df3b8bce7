"""`wireloom doctor`: what is set up, and one real round trip through it."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import click

from wireloom.cli.client import running
from wireloom.cli.client.running import Running
from wireloom.cli.lazy import resolve
from wireloom.cli.options import SettingsCommand
from wireloom.config import ConfigError, Endpoint, Settings, config_file, load

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


# Settings that apply to a gateway that runs; any other describes one for this check alone.
_OF_RUNNING = frozenset({"host", "port", "model", "token", "no_auth"})


@click.command("doctor", cls=SettingsCommand, kind=Settings)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(given: Mapping[str, Any], *, as_json: bool) -> None:
    """Check settings, files, keys, upstream and Codex; make one round trip with a tool.

    The gateway that runs is asked. Where none runs, or settings of `wireloom serve` are given here, a gateway of its own
    is, which stores nothing. The round trip asks the model twice. Exit code 1 when something does not work.
    """
    findings = _look(given)
    for line in [as_text(findings)] if as_json else report(findings):
        click.echo(line)
    if any(finding.state == "fail" for finding in findings):
        raise click.exceptions.Exit(1)


def _look(given: Mapping[str, Any]) -> list[Finding]:
    """Look at everything, in the order in which it matters."""
    try:
        endpoint = load(Endpoint, {name: given[name] for name in _OF_RUNNING if name in given})
        alone = given.keys() <= _OF_RUNNING
        named = bool({"host", "port"} & given.keys())
        gateway = running.of(endpoint, named=named) if alone else None
        settings, findings = _settings(given, gateway)
    except ConfigError as error:
        problem, *rest = str(error).splitlines()
        return [Finding("Settings", "settings", "fail", problem, "\n".join(rest))]
    checks = "wireloom.cli.diagnose.doctor_checks"
    if settings is not None:
        findings += resolve(f"{checks}:look")(settings, gateway)
    backend = "wireloom.cli.diagnose.doctor_backend"
    if gateway is not None:
        if settings is None:
            findings += resolve(f"{checks}:answering")(gateway)
        look = resolve(f"{backend}:look_at_running")
        return [*findings, *look(gateway, running.key_for(gateway, endpoint), endpoint.model)]
    if settings is not None and not _lacks_codex(settings, findings):
        findings += resolve(f"{backend}:look")(settings)
    return findings


def _lacks_codex(settings: Settings, findings: Iterable[Finding]) -> bool:
    """Whether no backend can answer without the Codex CLI, which a finding reports already."""
    alone = all(entry.backend in ("app-server", "exec") for entry in settings.named.values())
    return alone and any(each.group == "Codex" and each.state == "fail" for each in findings)


def _settings(given: Mapping[str, Any], gateway: Running | None) -> tuple[Settings | None, list[Finding]]:
    """Return the settings and a finding about them; no settings if they describe no gateway while one runs."""
    try:
        settings = load(Settings, given)
    except ConfigError as error:
        if gateway is None:
            raise
        remedy = "The gateway that runs has settings of its own; what follows is asked of it."
        return None, [Finding("Settings", "settings", "warn", str(error).splitlines()[0], remedy)]
    entries = settings.named.items()
    described = [
        f"{name}: {entry.backend}" + (f", {entry.shown_upstream}" if entry.upstream else "")
        for name, entry in entries
    ]
    return settings, [Finding("Settings", "settings", "ok", "; ".join(described))]


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
