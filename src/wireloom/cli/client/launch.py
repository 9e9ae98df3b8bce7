"""`wireloom launch`: start a client against this gateway, without touching its files."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from wireloom.cli.client import connect
from wireloom.cli.client.codex import ENDPOINT, base_url
from wireloom.cli.lazy import resolve
from wireloom.cli.options import Failure, SettingsCommand
from wireloom.config import ConfigError, Endpoint, load
from wireloom.errors import GatewayError

KEY_VARIABLE = "WIRELOOM_CODEX_KEY"
HEALTH_SECONDS = 2.0
_NOTHING = "responses/resp_none"
# Python ignores these, and who is started by exec inherits that.
_IGNORED_SIGNALS = ("SIGPIPE", "SIGXFSZ")

_EXAMPLES = """\b
Examples:
  wireloom launch codex --model deepseek-flash
  wireloom launch codex -- exec -s workspace-write -m deepseek-flash "Write a haiku into haiku.txt"
"""


@click.group("launch")
def group() -> None:
    """Start a client against this gateway."""


@group.command(
    "codex",
    cls=SettingsCommand,
    kind=Endpoint,
    names=ENDPOINT,
    epilog=_EXAMPLES,
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--codex-bin",
    metavar="FILE",
    default="codex",
    envvar="WIRELOOM_CODEX_BIN",
    help="The Codex CLI, a path or a name to look for.  [env: WIRELOOM_CODEX_BIN; default: codex]",
)
@click.argument("arguments", metavar="[-- ARGS]...", nargs=-1, type=click.UNPROCESSED)
def codex(given: Mapping[str, Any], codex_bin: str, arguments: Sequence[str]) -> None:
    """Start Codex against a gateway that runs, with ARGS for Codex.

    No file of yours is changed: Codex gets the gateway as options of this one run, and the token from
    WIRELOOM_TOKEN or the config file in a variable of its own. All else stays as your configuration says.
    """
    endpoint = load(Endpoint, given)
    url, key = base_url(endpoint), _key(endpoint)
    binary = shutil.which(codex_bin)
    if binary is None:
        raise Failure(
            f"There is no {codex_bin} to start. Install the Codex CLI (npm install -g @openai/codex), or name it with "
            "--codex-bin."
        )
    asyncio.run(_check_gateway(url, key))
    if endpoint.model is None and not _names_model(arguments):
        click.echo(
            "Codex takes its own model; choose another with --model, `wireloom models` lists them.", err=True
        )
    options = connect.codex_options(url, endpoint.model, KEY_VARIABLE)
    _become([binary, *options, *arguments], {**os.environ, KEY_VARIABLE: key})


def _key(endpoint: Endpoint) -> str:
    """Return the first token, or a meaningless one where none is needed: without any Codex asks for no models."""
    for key in endpoint.inbound.values():
        return key.get_secret_value()
    if endpoint.no_auth:
        return "unused"
    raise ConfigError(
        "The gateway asks clients for a token and none is set here: set WIRELOOM_TOKEN as for `wireloom serve`, or "
        "give --no-auth where that has it too."
    )


async def _check_gateway(url: str, key: str) -> None:
    """Return when a gateway answers at ``url`` and takes ``key``; Codex itself would wait without end."""
    server = resolve("wireloom.backends.http.client:Upstream")(url, key)
    try:
        health = await server.get("/health", seconds=HEALTH_SECONDS)
        known = await _takes_key(server)
    except GatewayError as error:
        raise Failure(
            f"No gateway answers at {url}. Start it with `wireloom serve`, and give both the same --host and --port."
        ) from error
    finally:
        await server.aclose()
    if not isinstance(health, dict) or health.get("status") != "ok":
        raise Failure(f"What answers at {url} is no wireloom. Name the gateway with --host and --port.")
    if not known:
        raise Failure(
            f"The gateway at {url} does not know this token. Set WIRELOOM_TOKEN to the one that `wireloom serve` has."
        )


async def _takes_key(server: Any) -> bool:
    """Whether the gateway knows the key: it then says that there is no such response, without asking upstream."""
    try:
        await server.get(_NOTHING, seconds=HEALTH_SECONDS)
    except GatewayError as error:
        return error.status != 401
    return True


def _names_model(arguments: Sequence[str]) -> bool:
    return any(argument.startswith(("-m", "--model", "model=")) for argument in arguments)


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Go on as another program, which then has this process's terminal, signals and exit code."""
    for name in _IGNORED_SIGNALS:
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, environment)  # noqa: S606 - the program that the user asked for
