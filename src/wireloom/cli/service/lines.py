"""A line of the log as people read it: short, and in colour on a terminal."""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
from wireloom_protocol.operations import OPERATIONS

from wireloom.config.layers import variable

_PLACES = {operation: f"{method} {path}" for method, path, operation, _ in OPERATIONS}
_COLOURS = {
    "ok": "green",
    "incomplete": "yellow",
    "client_gone": "yellow",
    "refused": "yellow",
    "failed": "red",
}
_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_REQUEST = "wireloom.request"
_NOBODY = "anonymous"
# How many losses are remembered of all keys together, so that a long run does not remember without end.
_MOST_LOSSES = 10_000
# What a terminal would obey instead of showing it.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "�")


class Losses:
    """The losses that were shown for each key, so that each is shown once."""

    def __init__(self) -> None:
        self._shown: set[tuple[str, str]] = set()

    def new(self, key: str, lost: str) -> list[str]:
        """Return the losses of a request that were not shown yet.

        key: name of the inbound key; lost: as in the header, `path;action;reason` with commas between.
        """
        found = [each for each in lost.split(", ") if (key, each) not in self._shown]
        if len(self._shown) < _MOST_LOSSES:
            self._shown.update((key, each) for each in found)
        return found


def request_line(fields: Mapping[str, Any], moment: datetime, losses: Losses) -> str:
    """Return the line of a request, with colours.

    fields: of its record in the log; moment: when it ended.
    """
    place = _PLACES.get(fields.get("operation", ""), fields.get("operation", "-"))
    parts = [
        click.style(f"{moment:%H:%M:%S}", dim=True),
        click.style(str(fields["status"]), fg=_COLOURS.get(fields["outcome"]), bold=True),
        f"{place} {_models(fields)}".rstrip() + " ",
        f"{fields['ms']['total']:.0f}ms ",
    ]
    if tokens := fields.get("tokens"):
        cached = f"{tokens['cached']}c" if tokens.get("cached") else ""
        fresh = tokens.get("input", 0) - tokens.get("cached", 0)
        counted = "+".join(part for part in (str(fresh) if fresh or not cached else "", cached) if part)
        parts.append(f"{counted}\N{RIGHTWARDS ARROW}{tokens.get('output', 0)} tok ")
    if fields.get("key", _NOBODY) != _NOBODY:
        parts.append(f"{fields['key']} ")
    if fields["outcome"] != "ok":
        problem = ": ".join(str(fields[name]) for name in ("error", "cause") if name in fields)
        parts.append(
            click.style(_plain(problem or fields["outcome"]), fg=_COLOURS.get(fields["outcome"])) + " "
        )
    for loss in losses.new(fields.get("key", ""), fields["lost"]) if fields.get("lost") else ():
        path, _, action = _plain(loss).partition(";")
        parts.append(click.style(f"({path} {action.partition(';')[0]})", fg="yellow"))
    parts.append(click.style(fields["request_id"], dim=True))
    return " ".join(parts)


def _models(fields: Mapping[str, Any]) -> str:
    """The model that was asked for, and the backend that answered with its name for it, where that is another."""
    asked, backend = _plain(fields.get("model", "")), fields.get("backend", "")
    if not asked or not backend:
        return asked
    there = _plain(fields.get("upstream_model", asked))
    passed = "".join(f"{name}\N{MULTIPLICATION SIGN} " for name in fields.get("passed_over", ()))
    place = backend if there == asked else f"{backend}/{there}"
    return asked if place == asked and not passed else f"{asked}\N{RIGHTWARDS ARROW}{passed}{place}"


def other_line(level: str, message: str, moment: datetime) -> str:
    """Return a line of anything else."""
    shown = click.style(level.lower(), fg=_LEVELS.get(level))
    return f"{click.style(f'{moment:%H:%M:%S}', dim=True)} {shown} {message}"


def _plain(text: Any) -> str:
    return str(text).translate(_CONTROLS)


def wants_colour() -> bool:
    """Return whether a terminal is to show colours, by what programs agree on."""
    return variable("NO_COLOR") is None and variable("TERM") != "dumb"


class TerminalFormatter(logging.Formatter):
    """Formats what is logged while somebody looks on."""

    def __init__(self) -> None:
        super().__init__()
        self._losses = Losses()

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line, or as several where it has a traceback."""
        line = self._line(record)
        return line if wants_colour() else click.unstyle(line)

    def _line(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created)
        if record.name == _REQUEST and hasattr(record, "request_id"):
            return request_line(vars(record), moment, self._losses)
        line = other_line(record.levelname, record.getMessage(), moment)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class LogReader:
    """Turns lines of a log file into lines for people; what is no JSON stays as it is."""

    def __init__(self) -> None:
        self._losses = Losses()

    def read(self, line: str) -> str:
        """Return a line for people."""
        try:
            fields = json.loads(line)
            moment = datetime.fromisoformat(fields["time"]).astimezone()
            if fields["logger"] == _REQUEST and "request_id" in fields:
                return request_line(fields, moment, self._losses)
            extra = f"\n{fields['exc_info']}" if fields.get("exc_info") else ""
            return other_line(fields["level"], fields["message"], moment) + extra
        except (ValueError, LookupError, TypeError):
            return line
