"""Provider profiles of the user's own, from tables of the config file or a file of their own, beside the built-in ones."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from wireloom.config.files.excerpt import excerpt
from wireloom.config.files.toml import position_of, syntax_error
from wireloom.config.mistakes import Mistake, Mistakes, did_you_mean, plain
from wireloom.config.table import with_underscores
from wireloom.config.values import json_object
from wireloom.providers import Profile, guess, load, names
from wireloom.providers.derived import BASE, derived

NAME = r"^[a-z0-9][a-z0-9_-]*$"
_GENERIC = "generic"
# The profiles of the settings that are being checked: a backend inside them may name one.
_NONE: Mapping[str, Profile] = MappingProxyType({})
_OWN: ContextVar[Mapping[str, Profile]] = ContextVar("_OWN", default=_NONE)


@contextmanager
def known_profiles(own: Any) -> Iterator[None]:
    """Let names of providers stand for these profiles too.

    own: the setting `profiles` as it was written; the field's own validator reports what is wrong with it.
    """
    try:
        found = _tables(json_object(own))
    except ValueError:
        found = _NONE
    before = _OWN.set(found if isinstance(found, Mapping) else _NONE)
    try:
        yield
    finally:
        _OWN.reset(before)


def provider_names() -> tuple[str, ...]:
    """Return every name that a provider may be given by."""
    return tuple(sorted({*names(), *_OWN.get()}))


def find(name: str) -> Profile:
    """Return the profile of a name: the user's own, else the one that comes with wireloom.

    Raises ``Mistakes`` where there is none.
    """
    own = _OWN.get()
    return own[name] if name in own else _built_in(name, provider_names())


def _built_in(name: str, known: Iterable[str]) -> Profile:
    """The profile of that name that comes with wireloom; `known` are all names that would do."""
    if name in names():
        return load(name)
    hint = did_you_mean(name, known)
    if hint == ".":
        hint = f"; there are {', '.join(known)}."
    raise Mistakes(Mistake((), f"there is no provider {plain(name)}{hint}", word=name))


def suggested(url: str) -> Profile:
    """Return the profile of a server by its URL, the user's own first."""
    return guess(url, tuple(_OWN.get().values()))


def from_file(path: Path) -> Profile:
    """Return the profile in a file, named as the file unless it has a name.

    Raises ``Mistakes``: the file cannot be read, or holds no profile.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise Mistakes(Mistake((), plain(message))) from None
    except UnicodeDecodeError:
        raise Mistakes(Mistake((), plain(f"{path} is not UTF-8."))) from None
    except tomllib.TOMLDecodeError as error:
        reason, position = syntax_error(text, error)
        message = f"{path}:{position.line}: this is not TOML: {reason}.\n{excerpt(text, position)}"
        raise Mistakes(Mistake((), plain(message))) from None
    try:
        return _profile(str(values.get("name", path.stem)), values, find)
    except Mistakes as error:
        raise Mistakes(*(_in_file(path, text, each) for each in error.found)) from None


def _in_file(path: Path, text: str, mistake: Mistake) -> Mistake:
    """Return a mistake of a profile's own file with the line in that file."""
    position = position_of(text, mistake.path, mistake.word)
    where = f"{path}:{position.line}" if position else str(path)
    inner = f"{'.'.join(mistake.path)}: " if mistake.path else ""
    shown = f"\n{excerpt(text, position)}" if position else ""
    return Mistake((), plain(f"{where}: {inner}") + mistake.message + plain(shown))


class _Settled(Mistakes):
    """Mistakes with whole paths. Empty: the check of another table reports them."""


def _tables(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    made: dict[str, Profile] = {name: each for name, each in given.items() if isinstance(each, Profile)}
    mistakes: list[Mistake] = []
    for name in given:
        try:
            _made(name, given, made, ())
        except Mistakes as error:
            mistakes += error.found
    if mistakes:
        raise Mistakes(*mistakes)
    return made


def _made(name: str, tables: Mapping[str, Any], made: dict[str, Profile], above: tuple[str, ...]) -> Profile:
    """The profile of a table, and before it the one that it starts from.

    above: the tables that start from this one.
    """
    if name in made:
        return made[name]
    if name not in tables or name in above[-1:]:  # a table named as a built-in profile may start from that
        return _built_in(name, sorted({*names(), *tables}))
    if name in above:
        message = f"{plain(' -> '.join((*above, name)))} start from each other."
        found = (Mistake((name, BASE), message),) if name == above[0] == min(above) else ()
        raise _Settled(*found)
    start = partial(_made, tables=tables, made=made, above=(*above, name))
    try:
        if not isinstance(tables[name], Mapping):
            raise Mistakes(Mistake((), "this must be a table."))
        made[name] = _profile(name, tables[name], start)
    except _Settled:
        raise
    except Mistakes as error:
        raise _Settled(*(each.within((name,)) for each in error.found if not above)) from None
    return made[name]


def _profile(name: str, values: Mapping[str, Any], start: Callable[[str], Profile]) -> Profile:
    spelled = with_underscores(values, (BASE, *Profile.model_fields))
    try:
        first = start(str(spelled.get(BASE, _GENERIC)))
    except _Settled:
        raise
    except Mistakes as error:
        raise Mistakes(*(replace(each, path=(BASE,)) for each in error.found)) from None
    try:
        return derived(name, spelled, first)
    except ValidationError as error:
        raise Mistakes(*(_mistake(each) for each in error.errors(include_url=False))) from None


def _mistake(problem: Mapping[str, Any]) -> Mistake:
    path = tuple(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(path[-1], Profile.model_fields)
        return Mistake(path, f"a profile has no such key{hint}", unknown=True)
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    return Mistake(path, plain(f"{reason[:1].lower()}{reason[1:]}."), word=str(problem["input"]))


ProfileName = Annotated[str, Field(pattern=NAME)]
Profiles = Annotated[dict[ProfileName, Profile], BeforeValidator(_tables), BeforeValidator(json_object)]
