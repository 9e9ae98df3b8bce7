"""How a profile is found: by name among those that come with wireloom, by the URL of its upstream, in a text."""

import ipaddress
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from pydantic import ValidationError

from wireloom.providers.by_model import TABLE
from wireloom.providers.problems import problem
from wireloom.providers.profile import Profile

_FOLDER = files("wireloom.providers")


class ProfileError(ValueError):
    """A profile that does not exist or does not hold; the message names each offending key."""


def parse(text: str) -> Profile:
    """Return the profile written in ``text``.

    :param text: a TOML document whose keys are the fields of :class:`Profile`.
    :raises ProfileError: the text is no TOML, or a key is unknown, missing or has a wrong value.
    """
    try:
        return Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"not a TOML document: {error}") from error
    except ValidationError as error:
        raise ProfileError("; ".join(map(problem, error.errors()))) from error


@cache
def names() -> tuple[str, ...]:
    """Return the names of the profiles that come with wireloom, sorted."""
    entries = {entry.name for entry in _FOLDER.iterdir()} - {TABLE}
    return tuple(sorted(name.removesuffix(".toml") for name in entries if name.endswith(".toml")))


@cache
def load(name: str) -> Profile:
    """Return the profile of that name.

    :raises ProfileError: there is none; the message lists those there are.
    """
    if name not in names():
        raise ProfileError(f"no profile {name!r}; there are {', '.join(names())}")
    return parse((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def guess(url: str, own: Sequence[Profile] = ()) -> Profile:
    """Return the profile of the upstream at ``url``: by domain, loopback port, else ``generic``.

    :param url: an absolute URL, as given to ``--upstream``.
    :param own: profiles that are asked before those that come with wireloom.
    :raises ValueError: the port in the URL is not one.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port if _is_loopback(host) else None
    for profile in (*own, *map(load, names())):
        if port in profile.ports or any(f".{host}".endswith(f".{suffix}") for suffix in profile.hosts):
            return profile
    return load("generic")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
