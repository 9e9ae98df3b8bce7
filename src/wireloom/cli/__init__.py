"""The command line: which commands there are, imported when one is used."""

import gc
import sys
from collections.abc import Mapping
from types import TracebackType

import click

from wireloom.cli.groups import SuggestingGroup
from wireloom.cli.lazy import resolve

DEFAULT_COMMAND = "serve"
# Name: where the command is, what help says of it.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("wireloom.cli.service.serve:command", "Run the gateway; the same without a command."),
    "start": ("wireloom.cli.service.background:start", "Run the gateway in the background."),
    "stop": ("wireloom.cli.service.background:stop", "Stop the gateway in the background."),
    "restart": ("wireloom.cli.service.background:restart", "Start it anew with its last settings."),
    "status": (
        "wireloom.cli.service.background:status",
        "Show the gateway that runs, and whether it is that of `start`.",
    ),
    "logs": ("wireloom.cli.service.logs:command", "Show the log of the gateway in the background."),
    "init": ("wireloom.cli.client.setup:init", "Write the config file, with a token for clients."),
    "show": ("wireloom.cli.client.setup:show", "Print how to set up an OpenAI SDK."),
    "token": ("wireloom.cli.client.token:command", "Print the token that clients send."),
    "env": ("wireloom.cli.client.setup:env", "Print exports for a shell."),
    "doctor": ("wireloom.cli.diagnose.doctor:command", "Check the setup, with one round trip through it."),
    "demo": ("wireloom.cli.demo:command", "Show one exchange, without key or network, then serve."),
    "config": ("wireloom.cli.client.codex:group", "Check the settings, print those of a client."),
    "launch": ("wireloom.cli.client.launch:group", "Start a client against this gateway."),
    "models": ("wireloom.cli.diagnose.models:command", "List the models with what they take."),
    "history": ("wireloom.cli.diagnose.history:group", "Look into what is stored, and remove it."),
    "check": (
        "wireloom.cli.diagnose.check.command:command",
        "Test a running gateway against the contract of this release.",
    ),
    "as": ("wireloom.cli.dropin:group", "Run with the command line of another tool."),
    "service": ("wireloom.cli.service.unit:group", "Print a unit for systemd or launchd."),
    "completion": ("wireloom.cli.completion:command", "Print the completion for a shell."),
}
_OWN_OPTIONS = frozenset({"--help", "--version"})

_HELP = """A gateway between OpenAI Responses, Chat Completions and Codex.

\b
Examples:
  wireloom demo
  wireloom serve --provider openrouter
  wireloom serve --upstream http://127.0.0.1:11434/v1 --no-auth
  wireloom config codex

`wireloom serve --help` lists the everyday settings, `--help-all` every one. Each is a flag, a variable
WIRELOOM_<NAME> and a key of the config file ($WIRELOOM_CONFIG, else $XDG_CONFIG_HOME/wireloom/config.toml); the
flag wins over the variable, the variable over the file.
"""


class _Wireloom(SuggestingGroup):
    """The commands of the table."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = resolve(COMMANDS[cmd_name][0])
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command before options that are not the group's own."""
        completing = ctx.resilient_parsing
        if (args[0].startswith("-") and args[0] not in _OWN_OPTIONS) if args else not completing:
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Wireloom, help=_HELP)
@click.version_option(package_name="wireloom", message="%(prog)s %(version)s")
def wireloom() -> None:
    """Run the chosen command; there is nothing to do before it."""


def _tell_defect(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    click.echo(
        f"Error: {kind.__name__}: {error}\n"
        "This is a defect in wireloom. Run the same command with --debug and report what it prints.",
        err=True,
    )


def main() -> None:
    """Run the command line of this process; a defect shows its traceback with ``--debug`` only."""
    # Starting makes many objects and no garbage; the server switches the collector on when it is ready.
    gc.disable()
    sys.excepthook = _tell_defect
    wireloom(prog_name="wireloom")
