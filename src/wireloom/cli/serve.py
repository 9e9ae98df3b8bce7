"""`wireloom serve`: check the settings, take the port, then load the gateway."""

import secrets
import socket
import sys
from collections.abc import Mapping
from typing import Any

import click
from pydantic import SecretStr

from wireloom.cli.lazy import resolve
from wireloom.cli.options import Failure, SettingsCommand, warn_without_key
from wireloom.config import ConfigError, Settings, load

_BACKLOG = 2048
_KEY_BYTES = 24

_EXAMPLES = """\b
Examples:
  wireloom serve --provider openrouter          key from OPENROUTER_API_KEY
  wireloom serve --upstream http://127.0.0.1:8000/v1 --no-auth
  wireloom serve --upstream URL --api-key-env MY_KEY --token laptop=KEY
  wireloom serve --backend demo --port 0
"""


@click.command("serve", cls=SettingsCommand, kind=Settings, epilog=_EXAMPLES)
def command(given: Mapping[str, Any]) -> None:
    """Run the gateway in the foreground until Ctrl-C or SIGTERM.

    Clients authenticate with a token. Without one, a token is made for this run and shown on the terminal.
    """
    settings = with_token(load(Settings, given))
    warn_without_key(settings)
    with listen(settings.host, settings.port) as listener:
        resolve("wireloom.cli.server:run")(settings, listener)


def with_token(settings: Settings) -> Settings:
    """Return the settings with an inbound token, unless none is wanted; a new one is shown on the terminal.

    Raises ``ConfigError`` when nobody would see it.
    """
    if settings.token or settings.no_auth:
        return settings
    if not sys.stderr.isatty():
        raise ConfigError(
            "Clients need a token and none is set. One is made up only where standard error is a terminal, "
            "which could show it. Set WIRELOOM_TOKEN, or serve without keys with --no-auth."
        )
    token = secrets.token_urlsafe(_KEY_BYTES)
    click.echo(
        f"Token for this run: {token}\nClients send it as their API key; WIRELOOM_TOKEN sets another.",
        err=True,
    )
    return settings.model_copy(update={"token": {"default": SecretStr(token)}})


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that already queues connections, so that an early client waits instead of failing.

    host: address or name; port: 0 for a free one. Raises ``Failure`` when the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise Failure(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. "
            "Stop what uses it, or choose another with --port (0 picks a free one) or --host."
        ) from error
