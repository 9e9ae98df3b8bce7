"""A server's list of models, in any of the forms in use, as names with what the list says of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wireloom.errors import LONGEST_NAME, UpstreamError
from wireloom.translate.failures import upstream_error
from wireloom.translate.failures.unwrap import complains
from wireloom.wire.json import Json

HOLDERS = (
    "data",
    "models",
    "result",
    "results",
    "items",
    "model_list",
    "list",
    "response",
    "resources",
    "modelSummaries",
    "deployments",
)
"""Names of the members that hold a list of models, or what holds it, the best first."""
NAMES = ("id", "model", "name", "slug", "model_id", "model_name", "modelId", "modelName", "key")
"""Names of the members of an entry that name the model, the best first."""
DEEPEST = 4
"""Objects within each other in which a list is looked for."""
MOST_FORMS = 5
"""Forms of unreadable entries that are named in the log."""
# A number of the server's own for a model, which it does not take in a request; the name stands beside it.
_INTERNAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|azureml://.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of models.

    Args:
        entries: name -> what the list says of the model, in the order of the list; each name once.
        unread: form of an entry -> how many entries of that form cannot be read.
    """

    entries: dict[str, Json] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> str | None:
        """A sentence for the log on the entries that cannot be read, or None where there are none."""
        if not self.unread:
            return None
        forms = ", ".join(f"{count} {form}" for form, count in self.unread.most_common(MOST_FORMS))
        return f"{self.unread.total()} entries of the list of models cannot be read: {forms}"


def read(value: Any) -> Listed:
    """The models in the JSON of a list.

    Args:
        value: a list of objects or names, an object of names, or an object that holds one of these.

    Raises:
        UpstreamError: there is no list in it, none of its entries can be read, or it is a failure.
    """
    if complains(value):
        raise upstream_error(200, msgspec.json.encode(value))
    found = _list_in(value, 0)
    if found is None:
        raise UpstreamError("The upstream's answer is no list of models", code="upstream_invalid")
    listed = Listed()
    names_alone = not any(isinstance(entry, dict) for entry in found)
    for entry in found:
        name, info = _entry(entry, names_alone=names_alone)
        if name is None:
            listed.unread[_form(entry)] += 1
        else:
            listed.entries.setdefault(name, info)
    if listed.unread and not listed.entries:
        raise UpstreamError(
            f"The upstream's list of models names no model: {listed.lost}", code="upstream_invalid"
        )
    return listed


def _list_in(value: Any, depth: int) -> list[Any] | None:
    """The entries of the first list in a value, or None where it holds none."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or depth > DEEPEST:
        return None
    held = [value[name] for name in HOLDERS if name in value]
    if held:
        return _held_list(held, depth)
    if depth and any(isinstance(value.get(name), str) for name in NAMES):
        return [value]  # the only model, without a list around it
    return _by_name(value, depth)


def _held_list(held: list[Any], depth: int) -> list[Any] | None:
    """The first list with entries, else an empty one; a server without models may write null for its list."""
    found = [entries for each in held if (entries := _list_in(each, depth + 1)) is not None]
    if found:
        return next(filter(None, found), [])
    return [] if all(each is None for each in held) else None


def _by_name(value: Json, depth: int) -> list[Any] | None:
    """The entries of an object of name -> what is known of the model."""
    if not value:
        return [] if depth else None
    if not all(each is None or isinstance(each, dict) for each in value.values()):
        return None
    return list(_named(value))


def _named(value: Json) -> Iterator[Json]:
    for name, info in value.items():
        yield {**(info or {}), "id": name}


def _entry(entry: Any, *, names_alone: bool) -> tuple[str | None, Json]:
    """The name of a model, or None, and what is said of it.

    A text is a name in a list of names; among objects nobody knows what it is.
    """
    if isinstance(entry, str) and names_alone:
        return entry.strip() or None, {}
    if not isinstance(entry, dict):
        return None, {}
    names = [name.strip() for key in NAMES if isinstance(name := entry.get(key), str) and name.strip()]
    spoken = (name for name in names if _INTERNAL.fullmatch(name) is None)
    return next(spoken, names[0] if names else None), entry


def _form(entry: Any) -> str:
    """An entry's form, without its values."""
    if isinstance(entry, dict):
        members = ", ".join(map(str, entry))[:LONGEST_NAME]
        return f"object with the members {members}" if entry else "empty object"
    return {bool: "boolean", int: "number", float: "number", list: "list", str: "text"}.get(
        type(entry), "null"
    )
