"""`wireloom demo`: a gateway in front of a scripted model, and one exchange to look at."""

from collections.abc import Mapping
from typing import Any

import click

from wireloom.cli.lazy import resolve
from wireloom.cli.options import SettingsCommand
from wireloom.cli.service.serve import listen
from wireloom.config import Settings, load

# What the demonstration takes from the user; the rest stays at its default, whatever is configured.
_TAKEN = frozenset({"port", "log_level"})


@click.command("demo", cls=SettingsCommand, kind=Settings, names=("port",))
@click.option(
    "--once",
    is_flag=True,
    help="Stop after the exchange, on a free port unless one is given; exit code 0 when it succeeded.",
)
def command(given: Mapping[str, Any], *, once: bool) -> None:
    """Show one exchange through the gateway, without key or network.

    A scripted model is served as a Chat Completions upstream on this machine, with the gateway in front of
    it. A client asks a question that needs a tool; what each side sent and received is printed. The gateway
    then keeps serving, and three ways to connect to it are printed.
    """
    defaults = {
        name: field.get_default() for name, field in Settings.model_fields.items() if name not in _TAKEN
    }
    port = {"port": 0} if once else {}
    settings = load(Settings, {**defaults, "backend": "demo", "no_auth": True, **port, **given})
    with listen(settings.host, settings.port) as listener:
        resolve("wireloom.cli.walkthrough:run")(settings, listener, once=once)
