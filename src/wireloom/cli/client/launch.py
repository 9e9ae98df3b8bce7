"""`wireloom launch`: start a client against this gateway, without touching its files."""

import difflib
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from wireloom.cli.client import connect, running
from wireloom.cli.client.codex import ENDPOINT, base_url
from wireloom.cli.client.running import Running
from wireloom.cli.groups import SuggestingGroup
from wireloom.cli.options import Failure, SettingsCommand
from wireloom.config import ConfigError, Endpoint, load
from wireloom.config.files.toml import toml

KEY_VARIABLE = "WIRELOOM_CODEX_KEY"
# Python ignores these, and who is started by exec inherits that.
_IGNORED_SIGNALS = ("SIGPIPE", "SIGXFSZ")

_EXAMPLES = """\b
Examples:
  wireloom launch codex --model deepseek-flash
  wireloom launch codex -- exec -s workspace-write -m deepseek-flash "Write a haiku into haiku.txt"
"""


@click.group("launch", cls=SuggestingGroup)
def group() -> None:
    """Start a client against this gateway."""


@group.command(
    "codex",
    cls=SettingsCommand,
    kind=Endpoint,
    names=ENDPOINT,
    connects=True,
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
    gateway = _found(endpoint, url, key)
    model = endpoint.model or named_model(arguments)
    if model is None:
        click.echo(
            "Codex takes its own model; choose another with --model, `wireloom models` lists them.", err=True
        )
    else:
        _check_model(gateway, key, model)
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


def _found(endpoint: Endpoint, url: str, key: str) -> Running:
    """Return the gateway at the address of the settings, which takes the key; Codex itself would wait without end.

    Raises ``Failure`` when there is none, or it does not.
    """
    gateway = running.find(endpoint.host, endpoint.port)
    if gateway is None:
        raise Failure(
            f"No gateway answers at {url}. Start it with `wireloom serve`, and give both the same --host and --port."
        )
    running.check_key(gateway, key)
    return gateway


def _check_model(gateway: Running, key: str, model: str) -> None:
    """Return if a gateway lists a model, or returns no list; raises ``Failure`` with the nearest name otherwise."""
    try:
        names = [str(each["slug"]) for each in running.models(gateway, key)]
    except Failure:
        return  # one whose upstream lists no models can answer all the same
    if not names or model in names:
        return
    close = difflib.get_close_matches(model, names, 1)
    hint = f"; did you mean {close[0]}?" if close else ". `wireloom models` lists them."
    raise Failure(
        f"The gateway lists no model {model}{hint} One that its upstream has all the same can be added to the config file: "
        f"[models.{toml(model)}]."
    )


def named_model(arguments: Sequence[str]) -> str | None:
    """Return the model that arguments for Codex name, None where they name none."""
    found = None
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        following = arguments[position + 1] if position + 1 < len(arguments) else None
        flag, equals, value = argument.partition("=")
        if argument in ("-m", "--model"):
            found = following
        elif flag == "--model" and equals:
            found = value
        elif argument.startswith("-m") and not argument.startswith("--") and len(argument) > 2:
            found = argument[2:].removeprefix("=")
        elif argument in ("-c", "--config") and following is not None and following.startswith("model="):
            found = following.removeprefix("model=").strip("\"'")
    return found


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Go on as another program, which then has this process's terminal, signals and exit code."""
    for name in _IGNORED_SIGNALS:
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, environment)  # noqa: S606 - the program that the user asked for
