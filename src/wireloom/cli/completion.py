"""`wireloom completion`: commands and flags for the Tab key of a shell."""

import click
from click.shell_completion import get_completion_class

from wireloom.cli.options import Failure

_EXAMPLES = """\b
Examples:
  eval "$(wireloom completion bash)"                              in ~/.bashrc
  eval "$(wireloom completion zsh)"                               in ~/.zshrc
  wireloom completion fish > ~/.config/fish/completions/wireloom.fish
"""


@click.command("completion", epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that lets SHELL complete commands and flags."""
    kind = get_completion_class(shell)
    assert kind is not None
    try:
        script = kind(ctx.find_root().command, {}, "wireloom", "_WIRELOOM_COMPLETE").source()
    except RuntimeError as error:  # a bash that is too old, or none
        raise Failure(str(error)) from error
    click.echo(script)
