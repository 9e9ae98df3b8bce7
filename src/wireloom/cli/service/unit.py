"""`wireloom service unit`: what lets systemd or launchd start the gateway."""

import plistlib
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import click

from wireloom.cli.groups import SuggestingGroup
from wireloom.cli.options import Misuse, SettingsCommand
from wireloom.config import Settings, config_file, flag_name, flag_of, load, state_folder
from wireloom.config.layers import variable

_LABEL = "io.github.wireloom"
# What the gateway may take to close its connections besides the drain.
_MARGIN_SECONDS = 7
_PLACES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "WIRELOOM_CONFIG", "CODEX_HOME", "PATH")

_EXAMPLES = """\b
Examples:
  wireloom service unit > ~/.config/systemd/user/wireloom.service
  systemctl --user enable --now wireloom
  wireloom service unit --launchd > ~/Library/LaunchAgents/io.github.wireloom.plist
"""


@click.group("service", cls=SuggestingGroup)
def group() -> None:
    """Print a unit for systemd or launchd."""


@group.command("unit", cls=SettingsCommand, kind=Settings, epilog=_EXAMPLES)
@click.option(
    "--systemd/--launchd",
    "systemd",
    default=sys.platform != "darwin",
    help="For which of them; without this, the one of this machine.",
)
def unit(given: Mapping[str, Any], *, systemd: bool) -> None:
    """Print a unit that serves with the settings given, for this user.

    The unit names files and no keys: those are best written by `wireloom init`. Variables that say where files are
    (XDG_CONFIG_HOME, WIRELOOM_CONFIG, CODEX_HOME, PATH, ...) stand in it as they are now.
    """
    for name in given:
        if flag_of(Settings, name).secret:
            raise Misuse(f"{flag_name(name)}: a unit is no place for a key. Write it with `wireloom init`.")
    settings = load(Settings, given)
    command = [sys.executable, "-m", "wireloom", "serve", *_flags(given)]
    places = {name: value for name in _PLACES if (value := variable(name))}
    click.echo(
        (_systemd if systemd else _launchd)(command, places, settings.drain_seconds + _MARGIN_SECONDS),
        nl=False,
    )


def _flags(given: Mapping[str, Any]) -> list[str]:
    """Settings as the command line has them."""
    found: list[str] = []
    for name, value in given.items():
        if isinstance(value, bool):
            found.append(flag_name(name) if value else f"--no-{flag_name(name)[2:]}")
        else:
            for each in value if isinstance(value, tuple) else (value,):
                found += [flag_name(name), str(each)]
    return found


def _systemd(command: list[str], places: Mapping[str, str], stop_seconds: float) -> str:
    # A percent sign and a dollar are marks of systemd's own.
    line = shlex.join(command).replace("%", "%%").replace("$", "$$")
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in places.items())
    return f"""[Unit]
Description=wireloom, a gateway between OpenAI Responses, Chat Completions and Codex
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={line}
{environment}UMask=0077
Restart=on-failure
RestartSec=2
TimeoutStopSec={stop_seconds:.0f}
KillMode=mixed
NoNewPrivileges=yes
PrivateTmp=yes
LimitNOFILE=65536

[Install]
WantedBy=default.target
"""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _launchd(command: list[str], places: Mapping[str, str], stop_seconds: float) -> str:
    log = str(state_folder() / "wireloom.log")
    unit = {
        "Label": _LABEL,
        "ProgramArguments": command,
        "EnvironmentVariables": dict(places),
        "KeepAlive": {"SuccessfulExit": False},
        "RunAtLoad": True,
        "Umask": 0o077,
        "ExitTimeOut": round(stop_seconds),
        "StandardErrorPath": log,
        "WorkingDirectory": str(config_file().parent) if config_file().exists() else "/",
    }
    return plistlib.dumps(unit).decode()
