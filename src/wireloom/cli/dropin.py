"""`wireloom as TOOL`: the command line, variables, files and defaults of another tool."""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from wireloom.cli.client import connect, running
from wireloom.cli.groups import SuggestingGroup
from wireloom.cli.lazy import resolve
from wireloom.cli.options import Misuse, choices_of, tell_failures
from wireloom.cli.service import background
from wireloom.cli.service.codex_program import NAMED_BY
from wireloom.cli.service.serve import serve
from wireloom.config import ConfigError, Endpoint, Settings, flag_name, flag_of, is_loopback, load
from wireloom.config.files import other_tools
from wireloom.config.files.folders import replace_private
from wireloom.config.files.service import ServiceFiles
from wireloom.config.files.token import KEY_BYTES
from wireloom.config.layers import variable
from wireloom.config.tools import CODEX_API_PROXY, TOOLS
from wireloom.config.words import Tool, Word
from wireloom.errors import GatewayError

_SECRET = frozenset({"api_key", "token"})
_EXAMPLES = """\b
Examples:
  wireloom as codex-relay --upstream https://api.deepseek.com/v1 --port 4446
  wireloom as codex-api-proxy start --engine app-server
  wireloom as codex-openai-proxy
  wireloom as codex-gateway init
"""


@click.group("as", cls=SuggestingGroup, epilog=_EXAMPLES)
def group() -> None:
    """Run with the command line, variables, files and defaults of another tool; see docs/migrate.md."""


class ToolCommand(click.Command):
    """The command of a tool, with its options made from the table."""

    def __init__(self, tool: Tool) -> None:
        flags = [word for word in tool.words if word.flag is not None]
        options: list[click.Parameter] = [
            click.Option(
                [f"{word.flag}/--no-{word.flag[2:]}" if word.no else word.flag, _name(word.flag)],
                is_flag=word.switch,
                default=None,
                multiple=word.repeatable,
                type=None if word.switch else click.STRING,
                metavar=_metavar(word),
                help=_meaning(word),
            )
            for word in flags
            if word.flag is not None
        ]
        actions = [name for name in tool.actions if name not in ("serve", "print-config")]
        if actions:
            options.append(click.Argument(["action"], type=click.Choice(actions), required=False))
        super().__init__(
            tool.name,
            params=[*options, *_MORE.get(tool.name, ()), _DEBUG],
            callback=partial(_run, tool),
            help=f"Run as {tool.name} does ({tool.version}).",
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; tell known failures in one message."""
        with tell_failures(debug=ctx.params.pop("debug")):
            return super().invoke(ctx)


_DEBUG = click.Option(["--debug"], is_flag=True, help="Show the traceback of an error.")
# What a tool has besides its settings.
_MORE: Mapping[str, tuple[click.Option, ...]] = {
    "codex-relay": (
        click.Option(["--print-config"], is_flag=True, help="Print the block for Codex, and end."),
        click.Option(
            ["--model-catalog"], metavar="FILE", help="With --print-config: write the models there."
        ),
    ),
    "codex-api-proxy": (
        click.Option(["--foreground"], is_flag=True, help="With start: stay here."),
        click.Option(["--verbose"], is_flag=True, help="With status: show the settings."),
        *(
            click.Option(
                [f"--{name}-file"],
                metavar="FILE",
                help=f"File for the {what}.  [default: {CODEX_API_PROXY.files[name]}]",
            )
            for name, what in (("pid", "process id"), ("log", "log"), ("state", "settings and address"))
        ),
    ),
    "codex-gateway": (
        click.Option(["--config"], metavar="FILE", help="Its config.json."),
        click.Option(["--force"], is_flag=True, help="With init: write over one that is there."),
    ),
}


def _metavar(word: Word) -> str | None:
    """What stands for the value of an option in help: what the setting takes."""
    if word.switch or word.setting not in Settings.model_fields:
        return None
    choices = choices_of(Settings.model_fields[word.setting].annotation)
    return f"[{'|'.join(choices)}]" if choices else flag_of(Settings, word.setting).metavar


def _meaning(word: Word) -> str:
    """Return the help of an option of a tool: its meaning, the setting it is here, its variable and its default."""
    if word.setting is None:
        return f"No effect here: {word.told}."
    meaning = f"{word.told[:1].upper()}{word.told[1:]}." if word.told else _description(word)
    if word.setting in Settings.model_fields and flag_name(word.setting) != word.flag:
        meaning += f" As {flag_name(word.setting)} of `wireloom serve`."
    notes = [f"env: {word.variable}"] if word.variable else []
    if word.default not in (None, False):
        notes.append(f"default: {'on' if word.default is True else word.default}")
    return f"{meaning}  [{'; '.join(notes)}]" if notes else meaning


def _description(word: Word) -> str:
    """The description of a setting, without what is otherwise for the tool."""
    text = str(Settings.model_fields[str(word.setting)].description)
    if not word.repeatable:
        text = text.removesuffix(" Repeatable.")
    return text.partition(" Default: ")[0] if word.default is not None else text


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _run(tool: Tool, action: str | None = None, **params: Any) -> None:
    flags = {word.flag: params.pop(_name(word.flag)) for word in tool.words if word.flag is not None}
    _hide_keys(tool, flags)
    _ACTIONS[tool.name](tool, action, flags, params)


def _hide_keys(tool: Tool, flags: Mapping[str, Any]) -> None:
    secret = [word.flag for word in tool.words if word.flag is not None and word.setting in _SECRET]
    found = [flags[flag] for flag in secret if flags.get(flag)]
    if found:
        click.echo(
            "Warning: a key on the command line is remembered by shells, and the process list shows it until now; the "
            "tool's variable keeps it to yourself.",
            err=True,
        )
        if any(key in argument for key in found for argument in sys.argv):
            resolve("wireloom.cli.service.title:hide")(found)


def _given(tool: Tool, flags: Mapping[str, Any], file: Mapping[str, Any]) -> dict[str, Any]:
    """What the tool is set to, as settings; without a key where it needed none and nobody else gets in."""
    for word in tool.words:
        if word.setting is None and (flags.get(word.flag or "") or variable(word.variable or "")):
            click.echo(f"Note: {word.name} has no effect here: {word.told}.", err=True)
    given = tool.settings(flags, file)
    alone = is_loopback(str(given.get("host", "127.0.0.1")))
    if tool.keyless and alone and "token" not in given and not load(Endpoint, {}).inbound:
        click.echo(
            "Warning: clients on this machine need no key, as with that tool; WIRELOOM_TOKEN asks for one.",
            err=True,
        )
        given["no_auth"] = True
    named_by = _word(tool, "token")
    if named_by and not alone and "token" not in given and not load(Endpoint, {}).inbound:
        raise ConfigError(
            f"{given['host']} lets other machines in, so clients need a key: set {named_by}, or listen on 127.0.0.1."
        )
    return given


def _word(tool: Tool, setting: str) -> str:
    """What sets something on the command line or in the variables of a tool; empty where the tool has no word for it."""
    for word in tool.words:
        if word.setting == setting:
            return " or ".join(name for name in (word.flag, word.variable) if name)
    return ""


def _codex_word(tool: Tool) -> str:
    return _word(tool, "codex_bin") or NAMED_BY


# -- codex-relay -----------------------------------------------------------------------------------------------


def _relay(tool: Tool, _: str | None, flags: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    given = _given(tool, flags, {})
    if more["model_catalog"] and not more["print_config"]:
        raise Misuse("--model-catalog goes with --print-config.")
    if not more["print_config"]:
        upstream = f" --upstream {connect.quoted(flags['--upstream'])}" if flags.get("--upstream") else ""
        bind = f" --bind {connect.quoted(flags['--bind'])}" if flags.get("--bind") else ""
        following = f"wireloom as codex-relay --print-config --port PORT{bind}{upstream}"
        serve(given, name_models=True, next_command=following)
        return
    _print_config(load(Settings, given), more["model_catalog"])


def _print_config(settings: Settings, catalog: str | None) -> None:
    """Print the block for Codex, with a model of the relay that runs or of the upstream, if one of them lists it."""
    setup = "wireloom.cli.client.codex"
    model, file = settings.model, None
    if catalog:
        models = resolve(f"{setup}:upstream_models")(settings)
        path = Path(os.path.abspath(os.path.expanduser(catalog)))
        file = resolve(f"{setup}:write_catalogue")(path, models)
        model = model or str(models[0]["slug"])
    elif model is None:
        model = running.some_model(settings) or _listed_upstream(settings)
    url = connect.base_url(settings.host, settings.port)
    click.echo(connect.codex(url, model, with_key=not settings.no_auth, catalog=file))


def _listed_upstream(settings: Settings) -> str | None:
    """The first model that the upstream lists, None if it lists none."""
    try:
        models = resolve("wireloom.cli.client.codex:upstream_models")(settings)
    except GatewayError:
        return None
    return str(models[0]["slug"]) if models else None


# -- codex-api-proxy -------------------------------------------------------------------------------------------


def _api_proxy(tool: Tool, action: str | None, flags: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    named = {kind: more[f"{kind}_file"] for kind in tool.files}
    places = {kind: os.path.expanduser(named[kind] or tool.files[kind]) for kind in tool.files}
    files = ServiceFiles.chosen(**places)
    if action is None or (action == "start" and more["foreground"]):
        serve(
            _given(tool, flags, {}),
            pid_file=named["pid"],
            log_file=named["log"],
            state_file=named["state"],
            codex_named_by=_codex_word(tool),
        )
    elif action == "start":
        given = _given(tool, flags, {})
        background.begin(given, files, _codex_word(tool))
        click.echo(f"Its settings are kept in {files.state}.")
        for name, value in background.shown(given).items():
            click.echo(f"  {name} {value}")
    elif action == "restart":
        background.begin_anew(tool.settings(flags, {}, defaults=False), files, _codex_word(tool))
    elif action == "stop":
        background.end(files)
    else:
        given = tool.settings(flags, {})
        endpoint = load(Endpoint, {name: given[name] for name in ("host", "port")})
        background.report(
            files, verbose=more["verbose"], endpoint=endpoint, starts="wireloom as codex-api-proxy start"
        )


# -- codex-openai-proxy ----------------------------------------------------------------------------------------


def _openai_proxy(tool: Tool, _: str | None, flags: Mapping[str, Any], __: Mapping[str, Any]) -> None:
    serve(_given(tool, flags, other_tools.dot_env()), codex_named_by=_codex_word(tool))


# -- codex-gateway ---------------------------------------------------------------------------------------------


def _gateway(tool: Tool, action: str | None, flags: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    path = other_tools.gateway_config(more["config"])
    file = other_tools.read_json(path)
    if action == "init":
        _write_gateway_config(path, file, flags, force=more["force"])
        file = other_tools.read_json(path)
    given = _given(tool, flags, file)
    if action is None:
        serve(given)
        return
    endpoint = load(Endpoint, {name: given[name] for name in ("host", "port", "token") if name in given})
    token = next(iter(endpoint.inbound.values()), None)
    if token is None:
        raise ConfigError(
            f"There is no token in CODEX_GATEWAY_TOKEN or {path}. `wireloom as codex-gateway init` makes one."
        )
    url = connect.base_url(endpoint.host, endpoint.port)
    key = token.get_secret_value()
    if action == "token":
        click.echo(key)
    elif action == "env":
        exports = {"HOST": endpoint.host, "PORT": str(endpoint.port), "BASE_URL": url, "TOKEN": key}
        for name, value in exports.items():
            click.echo(f"export CODEX_GATEWAY_{name}={connect.quoted(value)}")
    else:
        shown = action == "show" or sys.stdout.isatty()
        click.echo(
            connect.openai_sdk(
                url,
                running.some_model(endpoint),
                key if shown else None,
                command="wireloom as codex-gateway token",
            )
        )


def _write_gateway_config(
    path: Path, file: Mapping[str, Any], flags: Mapping[str, Any], *, force: bool
) -> None:
    if file and not force:
        click.echo(f"{path} is there already; --force writes it anew.", err=True)
        return
    words = {
        "host": "--host",
        "port": "--port",
        "token": "--token",
        "cwd": "--cwd",
        "reasoning_effort": "--reasoning-effort",
    }
    said = {key: flags[flag] for key, flag in words.items() if flags.get(flag)}
    made = {
        "token": secrets.token_urlsafe(KEY_BYTES),
        "host": "127.0.0.1",
        "port": 8000,
        "reasoning_effort": "low",
    }
    try:
        replace_private(path, other_tools.json_text({**made, **said}))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}. Name another with --config."
        ) from None
    click.echo(f"Written to {path}, for you alone.\n")


_ACTIONS: Mapping[str, Callable[[Tool, str | None, Mapping[str, Any], Mapping[str, Any]], None]] = {
    "codex-relay": _relay,
    "codex-api-proxy": _api_proxy,
    "codex-openai-proxy": _openai_proxy,
    "codex-gateway": _gateway,
}
for _tool in TOOLS:
    group.add_command(ToolCommand(_tool))
