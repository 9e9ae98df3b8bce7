"""`wireloom history`: what is stored on this machine, to look into and to remove."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from wireloom.cli.diagnose.models import table
from wireloom.cli.groups import SuggestingGroup
from wireloom.cli.options import Failure, SettingsCommand
from wireloom.config import ConfigError, Settings, load
from wireloom.config.history import history_file
from wireloom.history.inspection import Inspection, Session, Transcript, inspecting

_HEAD = ("ID", "PRINCIPAL", "MODEL", "TURNS", "BYTES", "CREATED", "LAST USED")
_WORDS = "FIRST WORDS"
_MOST_WORDS = 60
# Of so many items one is the user's own: Codex puts its instructions and surroundings in front, in tags.
_FIRST_ITEMS = 12
_SECONDS_OF_AN_HOUR = 3600
_NAMES = ("history",)
# What a terminal would obey instead of showing it.
_CONTROLS = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}

_EXAMPLES = """\b
Examples:
  wireloom history ls
  wireloom history show resp_1f...
  wireloom history rm --older-than 24
"""

_principal = click.option("--principal", metavar="NAME", help="Only what belongs to the key of this name.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("history", cls=SuggestingGroup, epilog=_EXAMPLES)
def group() -> None:
    """Look into what is stored, and remove it.

    A session is a conversation, or a chain of responses with its branches. All commands work while the gateway
    runs and while it does not.
    """


@group.command("ls", cls=SettingsCommand, kind=Settings, names=_NAMES)
@_principal
@_as_json
def ls(given: Mapping[str, Any], principal: str | None, *, as_json: bool) -> None:
    """List the sessions, the last used first.

    The id is that of the conversation, or of the newest response, as is the model. On a terminal each has the first words
    of its input.
    """
    words: dict[int, str] = {}
    with _opened(given) as inspection:
        found = [] if inspection is None else inspection.sessions()
        shown = [session for session in found if principal in (None, session.principal)]
        if inspection is not None and sys.stdout.isatty():
            words = {session.key: _first_words(inspection, session.key) for session in shown}
    if as_json:
        entries = [asdict(session) for session in shown]
        click.echo(
            json.dumps([{k: v for k, v in entry.items() if k != "key"} for entry in entries], indent=2)
        )
        return
    head = (*_HEAD, _WORDS) if words else _HEAD
    rows = [(*_row(session), words[session.key]) if words else _row(session) for session in shown]
    for line in table([head, *rows]):
        click.echo(line)


@group.command("show", cls=SettingsCommand, kind=Settings, names=_NAMES)
@click.argument("id_", metavar="ID")
@_principal
@_as_json
def show(given: Mapping[str, Any], id_: str, principal: str | None, *, as_json: bool) -> None:
    """Show who said what, up to a response or in a conversation."""
    with _opened(given) as inspection:
        found = _named(inspection, [id_], principal)
    if len(found) > 1:
        owners = ", ".join(sorted(each.principal for each in found))
        raise click.UsageError(f"Several have {id_}: choose one of {owners} with --principal.")
    if as_json:
        shown = {"id": id_, "principal": found[0].principal, "items": found[0].items}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for item in found[0].items:
        who, what = told(item)
        click.echo(f"{who}:")
        for line in what.translate(_CONTROLS).split("\n"):
            click.echo(f"  {line}")


@group.command("rm", cls=SettingsCommand, kind=Settings, names=_NAMES)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove every session.")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="HOURS",
    help="Remove what was not used for so long.",
)
@_principal
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm(
    given: Mapping[str, Any],
    ids: Sequence[str],
    principal: str | None,
    older_than: float | None,
    *,
    everything: bool,
    yes: bool,
) -> None:
    """Remove sessions, each with all that is in it.

    ID is a response or a conversation; the session it belongs to is removed, its branches included.
    """
    if [bool(ids), everything, older_than is not None].count(True) != 1:
        raise click.UsageError("Give ids, or --all, or --older-than HOURS.")
    with _opened(given) as inspection:
        if ids:
            chosen = sorted({each.session for each in _named(inspection, ids, principal)})
        else:
            limit = float("inf") if older_than is None else time.time() - older_than * _SECONDS_OF_AN_HOUR
            found = [] if inspection is None else inspection.sessions()
            chosen = [
                session.key
                for session in found
                if session.used_at < limit and principal in (None, session.principal)
            ]
        if inspection is None or not chosen:
            click.echo("There is nothing to remove.")
            return
        if not yes:
            what = "it" if len(chosen) == 1 else "them"
            click.confirm(f"Remove {_sessions(len(chosen))} with all that is in {what}?", abort=True)
        click.echo(f"Removed {_sessions(inspection.remove(chosen))}.")


def told(item: Mapping[str, Any]) -> tuple[str, str]:
    """Who an item is from, and what it says.

    Args:
        item: JSON of any item; what has no short form is given as it is.
    """
    kind = item.get("type", "message")
    if kind == "message":
        return str(item.get("role", kind)), _text(item.get("content"))
    if kind in ("function_call", "custom_tool_call"):
        return "call", f"{item.get('name')} {_text(item.get('arguments', item.get('input')))}"
    if kind in ("function_call_output", "custom_tool_call_output"):
        return "result", _text(item.get("output"))
    if kind == "reasoning" and (item.get("summary") or item.get("content")):
        return "reasoning", _text([*(item.get("summary") or ()), *(item.get("content") or ())])
    return str(kind), json.dumps(item, ensure_ascii=False)


def _first_words(inspection: Inspection, session: int) -> str:
    """The first words that a user wrote in a session, in one line."""
    texts = [told(item)[1] for item in inspection.begun(session, _FIRST_ITEMS) if item.get("role") == "user"]
    own = [text for text in texts if not text.lstrip().startswith("<")]
    line = " ".join((own or texts or [""])[0].translate(_CONTROLS).split())
    return line if len(line) <= _MOST_WORDS else f"{line[: _MOST_WORDS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return json.dumps(content, ensure_ascii=False)
    return "\n".join(map(_part, content))


def _part(part: Any) -> str:
    for name in ("text", "refusal"):
        if isinstance(part, dict) and isinstance(part.get(name), str):
            return str(part[name])
    return json.dumps(part, ensure_ascii=False)


@contextmanager
def _opened(given: Mapping[str, Any]) -> Iterator[Inspection | None]:
    """The history of these settings, or None where nothing was stored yet.

    Raises ``ConfigError`` when it is in memory.
    """
    # The upstream is of no interest here, so none has to be set.
    settings = load(Settings, {**given, "backend": "demo"})
    path = history_file(settings.model_copy(update={"history": settings.history or "sqlite"}))
    if path is None:
        raise ConfigError(
            "The history is kept in memory (--history, WIRELOOM_HISTORY), so there is nothing on disk to look into: "
            "`wireloom serve --history sqlite` stores it, or name another one with --history sqlite:PATH."
        )
    if not path.exists():
        click.echo(f"Nothing is stored yet: there is no {path}.", err=True)
        yield None
        return
    with inspecting(path) as inspection:
        yield inspection


def _named(inspection: Inspection | None, ids: Sequence[str], principal: str | None) -> list[Transcript]:
    found: list[Transcript] = []
    for name in ids:
        those = [] if inspection is None else inspection.named(name)
        mine = [each for each in those if principal in (None, each.principal)]
        if not mine:
            raise Failure(
                f"There is no response and no conversation {name}: `wireloom history ls` lists them."
            )
        found += mine
    return found


def _row(session: Session) -> tuple[str, ...]:
    return (
        session.id,
        session.principal,
        session.model or "-",
        str(session.turns),
        f"{session.bytes:,}",
        _moment(session.created_at),
        _moment(session.used_at),
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _sessions(number: int) -> str:
    return f"{number:,} session{'' if number == 1 else 's'}"
