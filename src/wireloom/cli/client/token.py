"""`wireloom token`: the key that clients send."""

from collections.abc import Mapping
from typing import Any

import click

from wireloom.cli.options import Failure, SettingsCommand
from wireloom.config import Endpoint, config_file, load


@click.command("token", cls=SettingsCommand, kind=Endpoint, names=())
@click.option(
    "--name", default=None, help="Name of the token, where there are several; without this, the first."
)
def command(given: Mapping[str, Any], name: str | None) -> None:
    """Print the token that clients send as their API key: from WIRELOOM_TOKEN or the config file."""
    tokens = load(Endpoint, given).inbound
    if not tokens:
        raise Failure(f"There is no token in WIRELOOM_TOKEN or {config_file()}. `wireloom start` makes one.")
    if name is not None and name not in tokens:
        raise Failure(f"There is no token of that name; there are {', '.join(tokens)}.")
    click.echo(tokens[name or next(iter(tokens))].get_secret_value())
