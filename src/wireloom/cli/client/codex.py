"""`wireloom config codex`: the part of Codex's configuration that points it at this gateway."""

import asyncio
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from wireloom.cli.client import connect, running
from wireloom.cli.groups import SuggestingGroup
from wireloom.cli.lazy import resolve
from wireloom.cli.options import Failure, SettingsCommand, warn_without_key
from wireloom.config import ConfigError, Endpoint, Settings, config_file, flag_name, load
from wireloom.config.layers import OF_UPSTREAMS

ENDPOINT = ("host", "port", "model", "no_auth")
_UPSTREAM = ("backend", *OF_UPSTREAMS, "model_map", "models")

_EXAMPLES = """\b
Examples:
  wireloom config codex --model deepseek-flash
  wireloom config codex --host gateway.lan --port 8080
  wireloom config codex --provider deepseek --catalog ~/.codex/wireloom-models.json
"""


@click.group("config", cls=SuggestingGroup)
def group() -> None:
    """Check the settings, or print the configuration of a client."""


@group.command("check", cls=SettingsCommand, kind=Settings)
def check(given: Mapping[str, Any]) -> None:
    """Check the config file, the variables and the flags, without network; exit code 2 for what cannot be used."""
    load(Settings, given)
    click.echo(f"{config_file()} can be used." if config_file().exists() else "The settings can be used.")


@group.command(
    "codex",
    cls=SettingsCommand,
    kind=Settings,
    names=(*ENDPOINT, *_UPSTREAM),
    connects=True,
    epilog=_EXAMPLES,
)
@click.option(
    "--catalog",
    metavar="FILE",
    help="Write the models to FILE, for a Codex that is not to ask the gateway for them.",
)
def codex(given: Mapping[str, Any], catalog: str | None) -> None:
    """Print the block that makes Codex use this gateway.

    It belongs at the top of ~/.codex/config.toml, in front of the first [table]. Codex then gets the token from
    `wireloom token`, and the models and their abilities from the gateway.

    With --catalog it reads the models from a file instead, which is made from what the upstream lists and what
    the settings say; write it again when they change.
    """
    endpoint = load(Endpoint, {name: value for name, value in given.items() if name in ENDPOINT})
    url = base_url(endpoint)
    upstream = {name: value for name, value in given.items() if name in _UPSTREAM}
    file = None
    if catalog is not None:
        path = Path(os.path.abspath(os.path.expanduser(catalog)))
        file = write_catalogue(path, upstream_models(load(Settings, upstream)))
    elif upstream:
        raise ConfigError(
            f"{flag_name(next(iter(upstream)))}: this is for --catalog FILE; give both or neither."
        )
    model = running.some_model(endpoint)
    click.echo(connect.codex(url, model, with_key=not endpoint.no_auth, catalog=file))


def base_url(endpoint: Endpoint) -> str:
    """Return the base URL for clients of this endpoint.

    Raises ``ConfigError`` when its port is another at each start.
    """
    if endpoint.port == 0:
        raise ConfigError(
            "--port: 0 is another port at each start, so no client can be told; give a fixed one."
        )
    return connect.base_url(endpoint.host, endpoint.port)


def upstream_models(settings: Settings) -> list[dict[str, Any]]:
    """Return the models of the upstream as Codex reads them.

    Raises ``GatewayError`` when it does not tell.
    """
    warn_without_key(settings)
    listed: list[dict[str, Any]] = asyncio.run(resolve("wireloom.app:list_models")(settings))
    return listed


def write_catalogue(path: Path, models: Sequence[Mapping[str, Any]]) -> str:
    """Write models as Codex reads them; return the file's path.

    Raises ``Failure`` when there are none, ``ConfigError`` when the file cannot be written.
    """
    if not models:
        raise Failure(
            "The upstream lists no models; name yours in the setting `models`, or leave out --catalog."
        )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Codex may read the file at any time, so it is never there in part.
        # It holds instructions that Codex follows, so nobody else may read or change it.
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, stat.S_IRUSR | stat.S_IWUSR)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"models": models}, file, indent=1, ensure_ascii=False)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(
            f"--catalog: {path} cannot be written: {error.strerror}. Name another place."
        ) from None
    click.echo(f"Models written to {path}: {len(models)}.", err=True)
    return str(path)
