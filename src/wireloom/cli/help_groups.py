"""How the settings are grouped in help: ten everyday ones first, all of them by subject on wish."""

from collections.abc import Iterable

import click

from wireloom.config.backend import BackendFields
from wireloom.config.codex_fields import CodexFields

EVERYDAY = (
    "provider",
    "upstream",
    "api_key_env",
    "backend",
    "model",
    "model_map",
    "host",
    "port",
    "token",
    "no_auth",
)
FILES = "Files"
SUBJECTS = ("Clients", "Upstream", "Codex backend", "Limits", "Storage", "Logging", FILES)
# Settings whose subject does not follow from the class they are in.
_SUBJECTS = {
    **dict.fromkeys(("backends", "profiles"), "Upstream"),
    **dict.fromkeys(
        (
            "max_concurrency",
            "max_queue_size",
            "queue_timeout_seconds",
            "timeout_seconds",
            "idle_timeout_seconds",
            "receive_timeout_seconds",
            "drain_seconds",
            "max_body_mb",
        ),
        "Limits",
    ),
    **dict.fromkeys(
        ("history", "session_ttl_hours", "max_sessions", "max_session_memory_mb", "seal_key_file"), "Storage"
    ),
    **dict.fromkeys(("log_level", "log_content", "otel", "record"), "Logging"),
}
_EVERYTHING = "wireloom.help_all"


class FileOption(click.Option):
    """An option that names a file of the process, which everyday help leaves out."""


def subject(setting: str) -> str:
    """Return the heading under which a setting stands."""
    if setting in _SUBJECTS:
        return _SUBJECTS[setting]
    if setting in CodexFields.model_fields:
        return "Codex backend"
    return "Upstream" if setting in BackendFields.model_fields else "Clients"


def _show_all(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        ctx.meta[_EVERYTHING] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def help_all_option() -> click.Option:
    """Return the option that shows every option."""
    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_all,
        help="Show every option, by subject.",
    )


def write_options(
    ctx: click.Context,
    formatter: click.HelpFormatter,
    params: Iterable[click.Parameter],
    settings: Iterable[str],
) -> None:
    """Write the options of a command that takes all settings.

    params: of the command; settings: names of those that are settings.
    """
    known = {*settings}
    sections: dict[str, list[tuple[str, str]]] = {name: [] for name in SUBJECTS}
    everyday: dict[str, tuple[str, str]] = {}
    own: list[tuple[str, str]] = []
    for param in params:
        record = param.get_help_record(ctx)
        if record is None or param.name is None:
            continue
        if param.name in known:
            sections[subject(param.name)].append(record)
            everyday[param.name] = record
        elif isinstance(param, FileOption):
            sections[FILES].append(record)
        else:
            own.append(record)
    if ctx.meta.get(_EVERYTHING):
        shown = [(name, records) for name, records in sections.items() if records]
    else:
        shown = [("Everyday options", [everyday[name] for name in EVERYDAY])]
        hidden = sum(map(len, sections.values())) - len(EVERYDAY)
        own.append(("", f"{hidden} more: {', '.join(SUBJECTS)}."))
    for name, records in [*shown, ("Options", own)]:
        with formatter.section(name):
            formatter.write_dl(records)
