"""Every setting of wireloom in one model; this package alone reads environment variables and files."""

import difflib
from collections.abc import Mapping
from functools import partial
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_core import ErrorDetails

from wireloom.config.agreement import mistakes_of
from wireloom.config.backend import BackendEntry
from wireloom.config.fields import DEFAULT, Endpoint, GatewayFields, layers_of, validate
from wireloom.config.flags import Flag, flag_name, flag_of
from wireloom.config.layers import ConfigError, config_file, stack, state_folder, variable_name
from wireloom.config.mistakes import Mistake, Mistakes, collect, plain
from wireloom.config.models import ModelEntry
from wireloom.config.sentences import sentences
from wireloom.config.tables import KeyEntry, RouteEntry
from wireloom.config.tools import heard
from wireloom.config.values import is_loopback
from wireloom.config.words import from_environment
from wireloom.providers.profile import Profile
from wireloom.providers.responses_wire import ResponsesWire

__all__ = [
    "DEFAULT",
    "BackendEntry",
    "ConfigError",
    "Endpoint",
    "Flag",
    "Settings",
    "config_file",
    "flag_name",
    "flag_of",
    "is_loopback",
    "load",
    "state_folder",
    "variable_name",
]


class Settings(GatewayFields):
    """All settings of a gateway, checked against each other."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if found := mistakes_of(self):
            raise Mistakes(*found)
        return self


# How many names a message lists.
_FEW = 12
# Where tables with names of the user's own are (`*` is such a name), and what one of them is called.
_TABLES: Mapping[tuple[str, ...], tuple[str, type[BaseModel]]] = {
    ("models", "*"): ("a model", ModelEntry),
    ("backends", "*"): ("a backend", BackendEntry),
    ("backends", "*", "models", "*"): ("a model", ModelEntry),
    ("routes", "*"): ("a route", RouteEntry),
    ("keys", "*"): ("a key", KeyEntry),
    ("profiles", "*"): ("a profile", Profile),
    ("profiles", "*", "responses"): ("its table responses", ResponsesWire),
}


AnyEndpoint = TypeVar("AnyEndpoint", bound=Endpoint)


def load(kind: type[AnyEndpoint], given: Mapping[str, Any]) -> AnyEndpoint:
    """Return settings from what was given on the command line, the environment and the config file.

    kind: ``Settings``, or ``Endpoint`` where no upstream is needed.
    given: settings by name, as text or as values.

    Raises ``ConfigError`` when one cannot be used.
    """
    try:
        return kind(**given)
    except Mistakes as error:
        found = list(error.found)
    except ValidationError:
        values = stack(given, *layers_of(kind))
        found = collect(partial(validate, kind), values, partial(_read, kind))
    _, origins = from_environment(heard())
    raise ConfigError(sentences(found, given, origins))


def _read(kind: type[Endpoint], problem: ErrorDetails) -> list[Mistake]:
    """The mistakes behind an error of the model."""
    path = tuple(str(part) for part in problem["loc"] if part != "[key]")
    if path and (path[0], "*") not in _TABLES:
        path = path[:1]  # what is inside may be a key
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, Mistakes):
        return [each.within(path) for each in cause.found]
    table = _table(path[:-1])
    if problem["type"] == "extra_forbidden":
        return [_unknown(path, table)]
    field = None if table is None else table[1].model_fields.get(path[-1])
    if len(path) == 1:
        field = kind.model_fields[path[0]]
    flag = next((each for each in field.metadata if isinstance(each, Flag)), None) if field else None
    top = flag_of(kind, path[0])
    private = top.private if flag is None else flag.private
    value = "the value" if private else repr(problem["input"])
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    message = f"{value} cannot be used: {reason[:1].lower()}{reason[1:]}."
    if problem["type"] == "too_short":
        message = "this needs at least one entry."
    example = "" if flag is None or not flag.metavar else flag.example
    word = "" if private else str(problem["input"])
    return [Mistake(path, plain(message), word=word, table=path[:-1], example=example)]


def _unknown(path: tuple[str, ...], table: tuple[str, type[BaseModel]] | None) -> Mistake:
    """A key that there is not."""
    what, known = (
        ("", list(Settings.model_fields)) if table is None else (table[0], list(table[1].model_fields))
    )
    problem = "there is no such setting" if table is None else f"{what} has no such setting"
    close = difflib.get_close_matches(path[-1].replace("-", "_"), known, 1)
    if close:
        remedy = f"did you mean {close[0]}?"
    elif len(known) <= _FEW:
        remedy = f"it has {', '.join(known)}."
    else:
        remedy = "remove it."
    meant = close[0] if close else ""
    return Mistake(path, f"{problem}; {remedy}", table=path[:-1], unknown=True, meant=meant)


def _table(path: tuple[str, ...]) -> tuple[str, type[BaseModel]] | None:
    """What stands in the table of a path; None at the top level, or where its keys are the user's own."""
    for place, table in _TABLES.items():
        if len(place) == len(path) and all(own in ("*", name) for own, name in zip(place, path, strict=True)):
            return table
    return None
