"""`wireloom models`: what the upstream offers, as a table."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from wireloom.cli.lazy import resolve
from wireloom.cli.options import SettingsCommand, warn_without_key
from wireloom.config import Settings, load
from wireloom.config.layers import OF_UPSTREAMS

_HEAD = ("MODEL", "CONTEXT", "READS", "EFFORTS")
_NAMES = ("backend", *OF_UPSTREAMS)
_UNKNOWN = "?"


@click.command("models", cls=SettingsCommand, kind=Settings, names=_NAMES)
def command(given: Mapping[str, Any]) -> None:
    """List the models of the upstream: context window in tokens, what they read, reasoning efforts."""
    settings = load(Settings, given)
    warn_without_key(settings)
    models = asyncio.run(resolve("wireloom.app:list_models")(settings))
    for line in table([_HEAD, *map(_row, models)]):
        click.echo(line)


def table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Yield the rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(model: Mapping[str, Any]) -> tuple[str, ...]:
    window = model.get("context_window")
    efforts = (level["effort"] for level in model.get("supported_reasoning_levels") or ())
    return (
        model["slug"],
        _UNKNOWN if window is None else f"{window:,}",
        ",".join(model.get("input_modalities") or ()) or _UNKNOWN,
        ",".join(efforts) or "-",
    )
