"""`wireloom init`, `show` and `env`: the config file with a token of its own, and the settings for clients."""

import difflib
import re
import secrets
import stat
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from wireloom.cli.client import connect, running
from wireloom.cli.client.codex import base_url
from wireloom.cli.options import Failure, SettingsCommand
from wireloom.cli.service import banner
from wireloom.config import ConfigError, Endpoint, Settings, config_file, flag_name, load
from wireloom.config.files import managed_block
from wireloom.config.files.folders import replace_private
from wireloom.config.files.token import KEY_BYTES
from wireloom.config.files.toml import line_of
from wireloom.config.layers import OF_PROVIDERS, parse_toml
from wireloom.config.table import with_underscores

_HIDDEN = re.compile(r"^(?P<name>[+ -](?:token|api_key|keys|backends) = ).*$", re.MULTILINE)

# Settings that choose where answers come from.
_CHOICES = frozenset({"backend", "upstream", "upstream_wire", "provider", "profile", "backends"})

_EXAMPLES = """\b
Examples:
  wireloom init --provider deepseek --dry-run
  wireloom init --upstream http://127.0.0.1:11434/v1
  wireloom init --restore
"""


@click.command("init", cls=SettingsCommand, kind=Settings, epilog=_EXAMPLES)
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--restore", is_flag=True, help="Take out what was written, and leave the rest as it was.")
def init(given: Mapping[str, Any], *, dry_run: bool, restore: bool) -> None:
    """Write the config file: the settings given, and a token for clients where there is none.

    They stand in a block of their own. What else is in the file stays as it is, and a setting that it has
    outside the block is refused. Once more with other settings, the block gets them as well; with another provider,
    upstream or backend, what belonged to the one before goes: its address, keys and models.
    """
    path = config_file().resolve()
    text = _read(path)
    if restore:
        _restore(path, text)
        return
    new, taken_out = _written(path, text, given)
    if dry_run:
        _show_difference(path, text or "", new)
        _print_taken_out(taken_out)
        return
    try:
        replace_private(path, new)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}. Set WIRELOOM_CONFIG.") from None
    click.echo(f"Written to {path}, for you alone.")
    _print_taken_out(taken_out)
    if not _CHOICES & tomllib.loads(new).keys():
        click.echo(
            "Where answers come from is not set yet: `wireloom init --provider NAME`, --upstream or --backend."
        )
        return
    settings = load(Settings, {})
    click.echo("In force now:")
    for line in banner.backends(settings):
        click.echo(f"  {line}")
    click.echo(
        "\n`wireloom start` runs the gateway in the background, `wireloom serve` here. Then start Codex with\n\n"
        "  wireloom launch codex\n\nor use an OpenAI SDK:\n"
    )
    click.echo(_sdk(load(Endpoint, {}), _demo_model(settings), shown=sys.stdout.isatty()))


def _print_taken_out(names: Sequence[str]) -> None:
    if names:
        click.echo(f"Taken out, because it belonged to the provider before: {', '.join(names)}.")


def _demo_model(settings: Settings) -> str | None:
    return "demo" if settings.backend == "demo" and not settings.backends else None


@click.command("show", cls=SettingsCommand, kind=Endpoint, names=("host", "port", "model"), connects=True)
def show(given: Mapping[str, Any]) -> None:
    """Print how to set up an OpenAI SDK: address and token, from the settings."""
    endpoint = load(Endpoint, given)
    click.echo(_sdk(endpoint, running.some_model(endpoint), shown=True))


@click.command("env", cls=SettingsCommand, kind=Endpoint, names=("host", "port"), connects=True)
def env(given: Mapping[str, Any]) -> None:
    """Print exports for a shell: eval "$(wireloom env)"."""
    endpoint = load(Endpoint, given)
    token = _token(endpoint)
    for name, value in (
        ("OPENAI_BASE_URL", base_url(endpoint)),
        ("OPENAI_API_KEY", token or "unused"),
        *((("WIRELOOM_TOKEN", token),) if token else ()),
    ):
        click.echo(f"export {name}={connect.quoted(value)}")


def _token(endpoint: Endpoint) -> str | None:
    """The first token, or None where clients need none."""
    if endpoint.no_auth:
        return None
    if not endpoint.inbound:
        raise Failure(f"There is no token in WIRELOOM_TOKEN or {config_file()}. `wireloom init` makes one.")
    return next(iter(endpoint.inbound.values())).get_secret_value()


def _sdk(endpoint: Endpoint, model: str | None, *, shown: bool) -> str:
    token = _token(endpoint)
    key = token if shown or token is None else None
    return connect.openai_sdk(base_url(endpoint), endpoint.model or model, "unused" if token is None else key)


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8. Correct it there.") from None


def _written(path: Path, text: str | None, given: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The file with what is given, checked, and the settings of the block that are no longer in it."""
    rest = managed_block.outside(text or "")
    # The lines of a mistake are those of the file, so the whole of it is read first.
    parse_toml(path, text or "")
    others = with_underscores(tomllib.loads(rest), Settings.model_fields)
    own = tomllib.loads(managed_block.own(text or ""))
    for name in given:
        if name in others:
            line = line_of(text or "", [name])
            raise ConfigError(f"{flag_name(name)}: {path}:{line} sets {name} itself. Change it there.")
    if {"provider", "profile"} & given.keys() and "upstream" in others:
        line = line_of(text or "", ["upstream"])
        raise ConfigError(
            f"{path}:{line} sets upstream itself, and the key of this provider would go there. Change it there."
        )
    kept = {name: value for name, value in own.items() if name not in _belonging(own, given)}
    values = {**kept, **{name: _value(value) for name, value in given.items()}}
    if values.get("no_auth"):
        values.pop("token", None)
    elif not {"token", "keys", "no_auth"} & {*values, *others}:
        values["token"] = secrets.token_urlsafe(KEY_BYTES)
    load(Settings if _CHOICES & {*values, *others} else Endpoint, values)
    mode = stat.S_IMODE(path.stat().st_mode) if text is not None else 0
    return managed_block.with_block(text, mode, values), sorted(own.keys() - values.keys() - {"token"})


def _belonging(own: Mapping[str, Any], given: Mapping[str, Any]) -> set[str]:
    """Settings that belong to where answers came from so far, where that changes: they change together.

    A key must not go to another server than it was meant for, and names of models mean something at one provider alone.
    """
    choices = ("provider", "profile", "backend")
    changed = any(name in given and own.get(name) != given[name] for name in choices)
    if changed and any(name in own for name in ("upstream", *choices)):
        return {*choices, *OF_PROVIDERS}
    before = own.get("upstream")
    if (
        "upstream" in given
        and before is not None
        and urlsplit(before).netloc != urlsplit(given["upstream"]).netloc
    ):
        return {*OF_PROVIDERS}
    return set()


def _value(given: Any) -> Any:
    if isinstance(given, tuple):
        return list(given)
    return int(given) if isinstance(given, str) and given.isdecimal() else given


def _show_difference(path: Path, old: str, new: str) -> None:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), str(path), str(path), lineterm="")
    click.echo(_HIDDEN.sub(r"\g<name>(hidden)", "\n".join(lines)) or "Nothing would change.")


def _restore(path: Path, text: str | None) -> None:
    try:
        found = managed_block.restore(path, text or "")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None
    click.echo(f"{path} is as it was." if found else f"There is nothing of `wireloom init` in {path}.")
