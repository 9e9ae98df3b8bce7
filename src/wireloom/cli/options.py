"""Commands whose options are made from the fields of the settings, so that names cannot drift."""

import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, get_args, get_origin

import click
from click.shell_completion import CompletionItem

from wireloom.cli.help_groups import help_all_option, write_options
from wireloom.cli.lazy import resolve
from wireloom.config import ConfigError, Endpoint, Settings, flag_name, flag_of, variable_name
from wireloom.errors import GatewayError
from wireloom.providers import names

# What settings mean in a command that connects to a gateway.
_OF_CLIENTS = {
    "host": "Host of the gateway.",
    "port": "Port of the gateway.",
    "no_auth": "The gateway asks for no key.",
    "model": "Model to use.",
    "token": "Key for the gateway.",
}


class Failure(click.ClickException):
    """Something did not work; the process ends with code 1."""


class Misuse(click.ClickException):
    """A setting cannot be used; the process ends with code 2."""

    exit_code = 2


@contextmanager
def tell_failures(*, debug: bool) -> Iterator[None]:
    """Tell known failures in one message; with ``debug``, and for defects, the traceback as well."""
    if debug:
        sys.excepthook = sys.__excepthook__
    try:
        yield
    except BrokenPipeError:
        # Who reads our output has seen enough; click ends the process without a word.
        raise
    except (ConfigError, GatewayError, OSError) as error:
        if debug:
            traceback.print_exc()
        raise (Misuse if isinstance(error, ConfigError) else Failure)(str(error)) from error


class SettingsCommand(click.Command):
    """A command with options for settings; its function gets those given as one dictionary ``given``.

    kind: the settings model.
    names: the fields of it that the command takes; all of them when None, and help is grouped then.
    connects: the command is a client of a gateway, so its options name that.
    """

    def __init__(
        self,
        *args: Any,
        kind: type[Endpoint],
        names: Iterable[str] | None = None,
        connects: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._kind = kind
        self._names = tuple(kind.model_fields if names is None else names)
        self._grouped = names is None
        words = _OF_CLIENTS if connects else {}
        self.params += [_option(kind, name, words.get(name)) for name in self._names]
        self.params.append(click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."))
        if self._grouped:
            self.params.append(help_all_option())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options: by subject where the command takes all settings."""
        if self._grouped:
            write_options(ctx, formatter, self.get_params(ctx), self._names)
        else:
            super().format_options(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; tell known failures in one message."""
        debug = ctx.params.pop("debug")
        values = {name: ctx.params.pop(name) for name in self._names}
        ctx.params["given"] = {name: value for name, value in values.items() if value not in (None, ())}
        self._hide_keys(ctx.params["given"])
        with tell_failures(debug=debug):
            return super().invoke(ctx)

    def _hide_keys(self, given: Mapping[str, Any]) -> None:
        found = {name: value for name, value in given.items() if flag_of(self._kind, name).secret}
        for name in found:
            click.echo(
                f"Warning: {flag_name(name)} puts a key on the command line, which shells remember and the process list "
                f"shows until now; set {variable_name(name)} instead.",
                err=True,
            )
        keys = [key for value in found.values() for key in ([value] if isinstance(value, str) else value)]
        if any(key in argument for key in keys for argument in sys.argv):
            resolve("wireloom.cli.service.title:hide")(keys)


def warn_without_key(settings: Settings) -> None:
    """Tell which upstreams get no key although their profile names a variable that usually holds one."""
    for entry in settings.named.values():
        profile = entry.upstream_profile
        if profile.api_key_env and entry.upstream_key is None:
            click.echo(
                f"Warning: {profile.api_key_env} is not set, so {profile.title} is asked without a key. "
                "Set it, or name another variable with --api-key-env.",
                err=True,
            )


def described(kind: type[Endpoint], name: str, words: str | None = None) -> str:
    """Return the help of a setting.

    words: in place of its own description.
    """
    field = kind.model_fields[name]
    notes = f"[env: {variable_name(name)}"
    if not isinstance(field.default, bool) and (field.default or field.default == 0):
        notes += f"; default: {field.default}"
    return f"{words or field.description}  {notes}]"


def choices_of(annotation: Any) -> list[str]:
    """Return the texts that a setting takes, none where it takes any."""
    if get_origin(annotation) is Literal:
        return [value for value in get_args(annotation) if isinstance(value, str)]
    return [value for inner in get_args(annotation) for value in choices_of(inner)]


def _complete_provider(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Providers for the shell; a profile of the user's own is one too, so the option takes any name."""
    return [CompletionItem(name) for name in names() if name.startswith(begun)]


def _option(kind: type[Endpoint], name: str, words: str | None) -> click.Option:
    field, flag = kind.model_fields[name], flag_of(kind, name)
    text = described(kind, name, words)
    if field.annotation is bool:
        switch = f"{flag_name(name)}/--no-{flag_name(name)[2:]}" if flag.negatable else flag_name(name)
        return click.Option([switch, name], is_flag=True, default=None, help=text)
    choices = choices_of(field.annotation)
    return click.Option(
        [flag_name(name), *flag.aliases, name],
        type=click.Choice(choices) if choices else click.STRING,
        metavar=None if choices else flag.metavar,
        multiple=flag.repeatable,
        help=text,
        shell_complete=_complete_provider if name == "provider" else None,
    )
