"""What holds for a model at whatever host: sections of a profile, and a table that comes with wireloom."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, TypeAlias

Section: TypeAlias = Mapping[str, Any]
Sections: TypeAlias = Mapping[str, Section]

TABLE = "models.toml"
ADDED = ("accepted", "dropped")
"""Lists that are added to those below."""
MERGED = ("effort_levels", "extra_body", "maximums", "minimums", "pinned", "responses", "schemas")
"""Tables that change those below key by key."""


@cache
def shipped() -> Sections:
    """The table that comes with wireloom: pattern of a model's name -> keys of a profile."""
    text = (files("wireloom.providers") / TABLE).read_text(encoding="utf-8")
    return tomllib.loads(text)


@lru_cache(1024)
def _fits(pattern: str, model: str) -> bool:
    name, wanted = model.lower(), pattern.lower()
    return fnmatchcase(name, wanted) or fnmatchcase(name.rpartition("/")[2], wanted)


def fitting(sections: Sections, model: str) -> tuple[str, ...]:
    """The patterns that a model's name fits, in their order.

    :param sections: by pattern, in which `*` stands for any text; case does not matter.
    :param model: the model's name upstream; what a router writes before it, as in `vendor/model`, may be left out of
        the pattern.
    """
    return tuple(pattern for pattern in sections if _fits(pattern, model))


def over(values: Section, section: Section) -> dict[str, Any]:
    """The keys of a profile with those of a section over them.

    :param values: keys of a profile.
    :param section: wins; lists and tables of `ADDED` and `MERGED` are put together.
    """
    made = {**values, **section}
    for key in ADDED:
        if key in values and key in section:
            made[key] = tuple(dict.fromkeys([*values[key], *section[key]]))
    for key in MERGED:
        if isinstance(values.get(key), Mapping) and isinstance(section.get(key), Mapping):
            made[key] = {**values[key], **section[key]}
    return made


def with_sections(explicit: Section, own: Sections, model: str) -> dict[str, Any] | None:
    """The keys of a profile for one model, or None where no section is about it.

    :param explicit: the keys that the profile sets; they win over the shipped table.
    :param own: the profile's own sections, which win over all.
    :param model: the model's name upstream.
    """
    table = shipped()
    common, special = fitting(table, model), fitting(own, model)
    if not common and not special:
        return None
    made: dict[str, Any] = {}
    for pattern in common:
        made = over(made, table[pattern])
    made = over(made, explicit)
    for pattern in special:
        made = over(made, own[pattern])
    return made
