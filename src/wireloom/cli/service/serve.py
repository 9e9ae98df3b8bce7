"""`wireloom serve`: check the settings, take the port, then load the gateway."""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from wireloom.cli.client import running
from wireloom.cli.client.running import Running
from wireloom.cli.help_groups import FileOption
from wireloom.cli.lazy import resolve
from wireloom.cli.options import Failure, SettingsCommand, warn_without_key
from wireloom.cli.service.codex_program import NAMED_BY, check_program
from wireloom.config import Settings, config_file, load
from wireloom.config.files.env_file import set_variables
from wireloom.config.files.service import read_service
from wireloom.config.files.token import make_token

_BACKLOG = 2048

_EXAMPLES = """\b
Examples:
  wireloom serve --provider openrouter          key from OPENROUTER_API_KEY
  wireloom serve --upstream http://127.0.0.1:8000/v1 --no-auth
  wireloom serve --upstream URL --api-key-env MY_KEY --token laptop=KEY
  wireloom serve --backend demo --port 0
"""


def files_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name the files of a service; the function gets them as texts."""
    for name, content in (("state", "settings and address"), ("log", "log"), ("pid", "process id")):
        flag, variable = f"--{name}-file", f"WIRELOOM_{name.upper()}_FILE"
        words = f"File for the {content}, for its owner alone.  [env: {variable}]"
        command = click.option(flag, cls=FileOption, metavar="FILE", envvar=variable, help=words)(command)
    return command


def read_env_file(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    """Set the variables of a file, save those that are set."""
    if value is not None:
        set_variables(Path(value))


env_file_option = click.option(
    "--env-file",
    cls=FileOption,
    metavar="FILE",
    envvar="WIRELOOM_ENV_FILE",
    is_eager=True,
    expose_value=False,
    callback=read_env_file,
    help="File of NAME=VALUE lines; variables already set in the environment win.  [env: WIRELOOM_ENV_FILE]",
)


@click.command("serve", cls=SettingsCommand, kind=Settings, epilog=_EXAMPLES)
@env_file_option
@files_options
@click.option("--resume", is_flag=True, hidden=True, help="Take the settings from the state file.")
def command(
    given: Mapping[str, Any],
    pid_file: str | None,
    log_file: str | None,
    state_file: str | None,
    *,
    resume: bool,
) -> None:
    """Run the gateway in the foreground until Ctrl-C or SIGTERM.

    Clients authenticate with a token. Where none is set, one is made and kept in the config file.
    """
    if resume:
        kept = read_service(Path(state_file or ""))
        given = {} if kept is None else kept.given
    serve(given, pid_file=pid_file, log_file=log_file, state_file=state_file)


def serve(
    given: Mapping[str, Any],
    *,
    pid_file: str | None = None,
    log_file: str | None = None,
    state_file: str | None = None,
    name_models: bool = False,
    next_command: str | None = None,
    codex_named_by: str = NAMED_BY,
) -> None:
    """Serve with these settings until a signal ends it.

    name_models: print the upstream's models once it serves; next_command: see `run`; codex_named_by: how the Codex CLI is
    named, for messages; the files are as for `wireloom serve`.
    """
    settings = load(Settings, given)
    check_program(settings, codex_named_by)
    settings = with_token(settings)
    warn_without_key(settings)
    if settings.log_content:
        click.echo("Warning: --log-content writes prompts and answers into the log.", err=True)
    with listen(settings.host, settings.port) as listener:
        run = resolve("wireloom.cli.service.listener:run")
        run(
            settings,
            listener,
            pid_file=pid_file,
            log_file=log_file,
            state_file=state_file,
            name_models=name_models,
            next_command=next_command,
        )


def with_token(settings: Settings) -> Settings:
    """Return the settings with an inbound token, unless none is wanted; a new one goes into the config file.

    It is shown on a terminal alone. Raises ``ConfigError`` when it cannot be kept.
    """
    if settings.inbound or settings.no_auth:
        return settings
    token = make_token()
    shown = token if sys.stderr.isatty() else "`wireloom token` prints it"
    click.echo(f"A token was made for your clients: {shown}\nIt is kept in {config_file()}.", err=True)
    return settings.model_copy(update={"token": {"default": SecretStr(token)}})


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that already queues connections, so that an early client waits instead of failing.

    host: address or name; port: 0 for a free one. Raises ``Failure`` when the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        gateway = running.find(host, port)
        if gateway is not None:
            raise Failure(holds(gateway)) from error
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise Failure(
            f"Cannot listen on {host} port {port}: {reason}. "
            "Stop what uses it, or choose another with --port (0 picks a free one) or --host."
        ) from error


def holds(gateway: Running) -> str:
    """Return the error for an address that a gateway has already."""
    return (
        f"A gateway answers at {gateway.root} already: {gateway}. Stop it (`wireloom stop`, or Ctrl-C where it runs), or "
        "choose another port with --port (0 picks a free one)."
    )
