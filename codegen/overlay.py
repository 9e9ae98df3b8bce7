"""Corrections to contracts: OpenAPI Overlay documents, each action with a reason and an effect.

An action has one verb. `update` and `remove` are those of the Overlay specification. Three more reach the lists in which
a contract grows (members of unions, words of enums, required fields), so that a newer document's member is never compiled
out together with the old ones:

- `x-remove: [NAME, ...]` takes named members out of the list at the target;
- `x-inline: [NAME, ...]` puts the members of nested unions in the place of the references to them;
- `x-name: NAME` moves the schema at the target to `components.schemas` and leaves a reference.

Beside its verb an action may have `x-stands-for`: a schema that it adds or refers to -> the published schemas that it
takes the place of. `codegen.review` compares the two.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse
from jsonpath_ng.jsonpath import DatumInContext

Json = Any
Steps = tuple[str, ...]
"""The keys and indexes from the root of a document to a place in it."""

SCHEMAS = "#/components/schemas/"
UNIONS = ("oneOf", "anyOf")
LISTS = frozenset({*UNIONS, "allOf", "enum", "required"})
"""Keywords whose members have names. A property may be called like one, but its value is no list."""
NAMING = frozenset({"properties", "parameters", "responses", "schemas", "paths", "content"})
"""Keywords whose children have names, so that removing a child removes something named."""


FILE = "x-file"
"""Where a loaded overlay keeps the name of its file, for messages."""


class OverlayError(ValueError):
    """An overlay that cannot be read, or an action without a reason or an effect, or that removes what it does not name.

    Args:
        message: names the overlay and the action.
        title: of the overlay, where it could be read.
    """

    def __init__(self, message: str, title: str = "") -> None:
        super().__init__(message)
        self.title = title


def load(path: Path) -> Json:
    """Read an overlay file and check that every action has a reason and one verb.

    Raises:
        OverlayError: a file that is not YAML or no overlay, or an action without a target or a description, with no
            verb, or with several.
    """
    try:
        overlay = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise OverlayError(f"{path.name}: not YAML: {error}. Quote texts with `: ` or ` #`.") from error
    if not isinstance(overlay, dict) or not isinstance(overlay.get("actions"), list):
        raise OverlayError(f"{path.name} has no list of `actions`, so it is no OpenAPI Overlay document")
    if not overlay.get("info", {}).get("title"):
        raise OverlayError(f"{path.name} has no `info.title`")
    for number, action in enumerate(overlay["actions"], 1):
        if "target" not in action:
            raise OverlayError(f"{path.name}: action {number} has no `target`")
        place = f"{path.name}: action {number} ({action['target']})"
        if not action.get("description", "").strip():
            raise OverlayError(f"{place} gives no reason")
        verbs = [verb for verb in VERBS if verb in action]
        if len(verbs) != 1:
            raise OverlayError(f"{place} has the verbs {verbs}; an action has one of {', '.join(VERBS)}")
    return {**overlay, FILE: path.name}


def apply(document: Json, *overlays: Json) -> Json:
    """Apply overlays one after the other, action by action.

    Args:
        document: an OpenAPI document; not changed.
        overlays: parsed OpenAPI Overlay documents.

    Raises:
        OverlayError: an action that changes nothing: its target is gone or already has the new value; or one that
            removes a list of members as a whole.
    """
    document = copy.deepcopy(document)
    for overlay in overlays:
        for _ in applied(document, overlay):
            pass
    return document


def applied(document: Json, overlay: Json) -> Iterator[tuple[Json, list[Steps]]]:
    """Apply an overlay in place; yields each action after its effect, with the places of its targets.

    Args:
        document: an OpenAPI document; changed.
        overlay: a parsed OpenAPI Overlay document.

    Raises:
        OverlayError: see `apply`.
    """
    title = overlay["info"]["title"]
    for number, action in enumerate(overlay["actions"], 1):
        place = f"{overlay.get(FILE, title)}: action {number}"
        verb = next(verb for verb in VERBS if verb in action)
        try:
            matches = _parsed(action["target"]).find(document)
        except JSONPathError as error:
            raise OverlayError(f"{place}: {action['target']} is no JSONPath: {error}", title) from error
        if matches and (lacking := _lacking(document, action["target"])):
            raise OverlayError(f"{place} matches nothing at {', '.join(lacking)}: {action['target']}", title)
        try:
            changed = VERBS[verb](document, matches, action[verb])
        except OverlayError as error:
            raise OverlayError(f"{place} ({action['target']}): {error}", title) from error
        if not changed:
            raise OverlayError(f"{place} changes nothing: {action['target']}", title)
        yield action, list(map(_steps, matches))


def _steps(match: DatumInContext) -> Steps:
    """The way to a match; a parameter of an operation stands under its name, since its index may be another one."""
    above = match.context
    if above is None:
        return ()
    listed = _key(above) == "parameters" and isinstance(above.value, list)
    return (*_steps(above), match.value["name"] if listed else _key(match))


_SEVERAL = re.compile(r"\['[^\]]*','[^\]]*'\]")


def _lacking(document: Json, target: str) -> list[str]:
    """Of several names in a target, as in `$.schemas['A','B']`, those at which nothing matches."""
    found = []
    for names in _SEVERAL.finditer(target):
        for name in names[0][2:-2].split("','"):
            alone = f"{target[: names.start()]}['{name}']{target[names.end() :]}"
            if not _parsed(alone).find(document):
                found.append(name)
    return found


_parsed = cache(parse)


def name_of(member: Json) -> str:
    """The name by which an overlay addresses a member of a list.

    Args:
        member: a word of an enum, a required field, or a branch of a union: the last part of its reference, else its
            type, else its one keyword.
    """
    if not isinstance(member, dict):
        return "null" if member is None else str(member)
    if "$ref" in member:
        return str(member["$ref"]).rsplit("/", 1)[-1]
    if "type" in member:
        return str(member["type"])
    return " ".join(sorted(member))


# -- verbs ---------------------------------------------------------------------------------------------------------


def _update(document: Json, matches: list[DatumInContext], value: Json) -> bool:
    changed = False
    for match in matches:
        after, differs = _merged(match.value, copy.deepcopy(value), _key(match))
        if after is not match.value:
            match.full_path.update(document, after)
        changed |= differs
    return changed


def _merged(old: Json, new: Json, place: str) -> tuple[Json, bool]:
    """The Overlay specification's update: objects merge, lists are appended to, anything else is replaced.

    Args:
        old: the value that is there.
        new: the value of the update.
        place: the key at which the value stands.

    Returns:
        The new value, and whether it differs from the old one.

    Raises:
        OverlayError: a list of members gains one that it has.
    """
    changed = False
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in new.items():
            differs = key not in old
            old[key], deeper = _merged(old[key], value, key) if key in old else (value, False)
            changed |= differs or deeper
        return old, changed
    if isinstance(old, list):
        more = new if isinstance(new, list) else [new]
        again = [name_of(member) for member in more if member in old]
        if again and place in LISTS:
            raise OverlayError(f"it adds `{', '.join(again)}` to `{place}`, where it is already")
        old.extend(more)
        return old, bool(more)
    return new, old != new or type(old) is not type(new)


def _remove(document: Json, matches: list[DatumInContext], _: Json) -> bool:
    for match in matches:
        _check_removal(match)
    for match in reversed(matches):  # from the end, so that indexes of a list stay true
        match.full_path.filter(lambda _: True, document)
    return bool(matches)


def _check_removal(match: DatumInContext) -> None:
    """Refuse to remove members that the action does not name.

    Raises:
        OverlayError: a whole list of members, a member by its position, or an inline schema that holds such a list.
    """
    place, around = _key(match), _key(match.context)
    if place in LISTS and isinstance(match.value, list):
        raise OverlayError(
            f"it removes the whole list `{place}`, and with it members that a newer document may add;"
            f" write `x-remove: [{', '.join(map(name_of, match.value))}]`"
        )
    if around in LISTS and place.isdecimal():
        raise OverlayError(
            f"it removes a member of `{around}` by its position, where a newer document may have another;"
            f" write `x-remove: [{name_of(match.value)}]` with the list as target"
        )
    if around not in NAMING and place not in NAMING and _holds_list(match.value):
        raise OverlayError(
            f"it removes the inline schema `{place}` with its list of members; write `x-name: NAME` to refer to it"
        )


def _key(match: DatumInContext | None) -> str:
    """The key or index at which a match stands."""
    return "" if match is None else str(match.path).strip("'[]")


def _holds_list(value: Json) -> bool:
    """Whether a schema itself, or one within it, has members by name."""
    if isinstance(value, dict):
        own = any(isinstance(value.get(key), list) for key in LISTS)
        return own or any(map(_holds_list, value.values()))
    return isinstance(value, list) and any(map(_holds_list, value))


def _remove_members(_: Json, matches: list[DatumInContext], names: list[str]) -> bool:
    for match in matches:
        members, around = _members(match)
        for name in names:
            del members[_place(members, name)]
        if not members:
            del around[str(match.path)]
    return bool(matches and names)


def _inline(document: Json, matches: list[DatumInContext], names: list[str]) -> bool:
    schemas = document["components"]["schemas"]
    for match in matches:
        members, _ = _members(match)
        for name in names:
            place = _place(members, name)
            inner = schemas.get(name, {})
            nested = next((inner[key] for key in UNIONS if key in inner), None)
            if nested is None:
                raise OverlayError(f"{name} is no union, so there is nothing to inline")
            members[place : place + 1] = copy.deepcopy(nested)
    return bool(matches and names)


def _name(document: Json, matches: list[DatumInContext], name: str) -> bool:
    schemas = document["components"]["schemas"]
    if name in schemas:
        raise OverlayError(f"there is a schema {name} already")
    for match in matches:
        if schemas.setdefault(name, match.value) != match.value:
            raise OverlayError(f"the targets differ, so {name} cannot name all of them")
        match.full_path.update(document, {"$ref": SCHEMAS + name})
    return bool(matches)


def _members(match: DatumInContext) -> tuple[list[Json], Json]:
    """The list at a target, and the schema that holds it."""
    if match.context is None or str(match.path) not in LISTS or not isinstance(match.value, list):
        raise OverlayError(f"the target is none of {', '.join(sorted(LISTS))}")
    return match.value, match.context.value


def _place(members: list[Json], name: str) -> int:
    places = [index for index, member in enumerate(members) if name_of(member) == name]
    if len(places) != 1:
        found = list(map(name_of, members))
        alike = get_close_matches(name, found, cutoff=0.4) or found
        raise OverlayError(f"{len(places)} members are called `{name}`; there are {', '.join(alike)}")
    return places[0]


VERBS: Mapping[str, Callable[[Json, list[DatumInContext], Json], bool]] = {
    "update": _update,
    "remove": _remove,
    "x-remove": _remove_members,
    "x-inline": _inline,
    "x-name": _name,
}
