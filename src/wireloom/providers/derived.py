"""Profiles of the user's own: what differs from another profile."""

from collections.abc import Mapping
from typing import Any

from wireloom.providers.profile import Profile

BASE = "base"
"""Key that names the profile to start from."""
_IDENTITY = frozenset({"name", "title", "hosts", "ports"})
# What is listed is added to the list of the profile that it starts from.
_ADDED = ("accepted", "dropped")


def derived(name: str, values: Mapping[str, Any], base: Profile) -> Profile:
    """Return a profile that is another one but for some values.

    The tables `responses`, `schemas` and `models` are changed key by key; what is listed in `accepted` and `dropped` is
    added. Another `base_url` leaves the variable of the key behind: a key never goes to a server that it was not meant
    for.

    :param name: what `--provider` is given.
    :param values: keys of a profile, as in its TOML file; `base` and `name` are ignored.
    :param base: where it is silent.
    :raises pydantic.ValidationError: a key is unknown or has a wrong value.
    """
    own = {key: value for key, value in values.items() if key not in (BASE, "name")}
    # What no one has set stays unset: it gives way to what is known of single models.
    start = base.model_dump(exclude=set(_IDENTITY), exclude_unset=True)
    if own.get("base_url", base.base_url) != base.base_url:
        start["api_key_env"] = None
    for key in _ADDED:
        if isinstance(own.get(key), list):
            own[key] = [*start.get(key, ()), *own[key]]
    if isinstance(own.get("responses"), Mapping):
        own["responses"] = {**start.get("responses", {}), **own["responses"]}
    if isinstance(own.get("schemas"), Mapping) and BASE not in own["schemas"]:
        own["schemas"] = {**start.get("schemas", {}), **own["schemas"]}
    if isinstance(own.get("models"), Mapping):
        own["models"] = {**start.get("models", {}), **own["models"]}
    return Profile.model_validate({"title": name, **start, **own, "name": name})
