"""`wireloom models`: what clients may ask for, as a table."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from wireloom.cli.client import running
from wireloom.cli.diagnose.tried import UNLISTED, lists_none, sentence
from wireloom.cli.lazy import resolve
from wireloom.cli.options import Failure, SettingsCommand, warn_without_key
from wireloom.config import ConfigError, Endpoint, Settings, load
from wireloom.config.layers import OF_UPSTREAMS
from wireloom.errors import GatewayError

_HEAD = ("MODEL", "CONTEXT", "INPUT", "EFFORTS")
_ENDPOINT = ("host", "port")
_NAMES = (*_ENDPOINT, "backend", *OF_UPSTREAMS)
_UNKNOWN = "?"


@click.command("models", cls=SettingsCommand, kind=Settings, names=_NAMES, connects=True)
def command(given: Mapping[str, Any]) -> None:
    """List the upstream's models with context window, input types and reasoning efforts.

    The gateway that runs is asked. Where none runs, or an upstream is named here, that is asked itself.
    """
    for line in table([_HEAD, *map(_row, _listed(given))]):
        click.echo(line)


def _listed(given: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    endpoint = load(Endpoint, {name: value for name, value in given.items() if name in _ENDPOINT})
    names_upstream = bool(given.keys() - {*_ENDPOINT})
    gateway = None if names_upstream else running.of(endpoint, named=bool(given))
    if gateway is not None:
        return running.models(gateway, running.key_for(gateway, endpoint))
    try:
        settings = load(Settings, given)
    except ConfigError as error:
        raise ConfigError(f"{_nobody(endpoint)}\n{error}") from None
    if not names_upstream:
        click.echo(f"{_nobody(endpoint)} The upstream itself was asked.", err=True)
    warn_without_key(settings)
    try:
        listed: list[Mapping[str, Any]] = asyncio.run(resolve("wireloom.app:list_models")(settings))
    except GatewayError as error:
        message = f"{sentence(str(error))} {UNLISTED}" if lists_none(error) else str(error)
        raise Failure(message) from error
    return listed


def _nobody(endpoint: Endpoint) -> str:
    if not endpoint.port:
        return "No gateway has a fixed port here."
    url = running.address(endpoint.host, endpoint.port)
    return f"No gateway answers at {url}."


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
