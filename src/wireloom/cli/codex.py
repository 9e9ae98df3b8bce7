"""`wireloom config codex`: the part of Codex's configuration that points it at this gateway."""

from collections.abc import Mapping
from typing import Any

import click

from wireloom.cli import connect
from wireloom.cli.options import SettingsCommand
from wireloom.config import ConfigError, Endpoint, load

_EXAMPLES = """\b
Examples:
  wireloom config codex --model deepseek-chat
  wireloom config codex --host gateway.lan --port 8080
"""


@click.group("config")
def group() -> None:
    """Print the configuration of a client."""


@group.command(
    "codex", cls=SettingsCommand, kind=Endpoint, names=("host", "port", "model", "no_auth"), epilog=_EXAMPLES
)
def codex(given: Mapping[str, Any]) -> None:
    """Print the block that makes Codex use this gateway.

    It belongs at the top of ~/.codex/config.toml, in front of the first [table]. Codex then reads the token
    from WIRELOOM_TOKEN, and the models and their abilities from the gateway.
    """
    endpoint = load(Endpoint, given)
    if endpoint.port == 0:
        raise ConfigError(
            "--port: 0 is another port at each start, so no client can be told; give a fixed one."
        )
    url = connect.base_url(endpoint.host, endpoint.port)
    click.echo(connect.codex(url, endpoint.model, with_key=not endpoint.no_auth))
