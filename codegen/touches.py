"""The places that overlays change, so that a new definition of one names the overlays to read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codegen import overlay, select, walk
from codegen.facts import Fact

Json = Any

SCHEMAS = ("components", "schemas")
# Kinds of facts that overlays change by name: one that no longer fits is an error of the overlay.
BY_NAME = frozenset({"member", "word", "operation"})


class Touches:
    """The overlays that change each place.

    Args:
        document: the document before any overlay; not changed.
    """

    def __init__(self, document: Json) -> None:
        self._operations = {
            (path, method): operation["operationId"]
            for path, method, operation in select.operations(document)
        }
        self._overlays: dict[str, dict[str, None]] = {}

    def note(self, path: str, actions: Iterator[tuple[Json, list[overlay.Steps]]]) -> None:
        """Note what an overlay changes.

        Args:
            path: of the overlay.
            actions: each action with the places of its targets, as `overlay.applied` yields them.

        Raises:
            overlay.OverlayError: the overlay does not fit.
        """
        for action, targets in actions:
            for target in targets:
                for steps in _changed(target, action):
                    self._overlays.setdefault(self._place(steps), {})[path] = None

    def of(self, fact: Fact) -> Sequence[str]:
        """Paths of the overlays that change the subject of a fact, or something within it."""
        if fact.kind in BY_NAME:
            return []
        place = _subject(fact)
        within = (f"{place}.", f"{place}[")
        found: dict[str, None] = {}
        for known, paths in self._overlays.items():
            if known == place or known.startswith(within):
                found |= paths
        return sorted(found)

    def _place(self, steps: overlay.Steps) -> str:
        """A way through the document as one name: `Response.error`, `Tools[]`, `createResponse.request`."""
        if steps[0] == "paths" and len(steps) > 2:
            operation = self._operations.get((steps[1], steps[2]), "")
            return ".".join([operation, *_part(steps[3:])])
        return _schema_place(steps[2:]) if steps[:2] == SCHEMAS else ""


def _subject(fact: Fact) -> str:
    """The place that a fact is about."""
    if fact.kind == "parameter":
        return f"{fact.place}.parameters.{fact.name}"
    if fact.kind == "content":
        return f"{fact.place}.{fact.name.split()[0]}"
    return f"{fact.place}.{fact.name}" if fact.name else fact.place


def _part(steps: overlay.Steps) -> Sequence[str]:
    """The part of an operation that a way leads to, as `facts` names it."""
    if steps[:1] == ("responses",):
        return steps[1:2]
    if steps[:1] == ("requestBody",):
        return ["request"]
    return steps[:2] if steps[:1] == ("parameters",) else steps[:1]


def _schema_place(steps: overlay.Steps) -> str:
    place, rest = "".join(steps[:1]), list(steps[1:])
    while rest:
        step = rest.pop(0)
        if step in walk.MAPS and rest:
            place += f".{rest.pop(0)}"
        elif step == "items":
            place += "[]"
        elif step in walk.LISTS and rest:
            rest.pop(0)
        else:  # a keyword of the schema itself
            break
    return place


def _changed(target: overlay.Steps, action: Mapping[str, Json]) -> Iterator[overlay.Steps]:
    """The ways to all that an action changes at one target."""
    yield from _set(target, action.get("update"))
    if target[-1:] == ("required",):
        yield from ((*target[:-1], "properties", name) for name in action.get("x-remove", ()))


def _set(steps: overlay.Steps, value: Json) -> Iterator[overlay.Steps]:
    """The ways to all that an update sets. A required field is changed where it stands."""
    if steps[-1:] == ("required",) and isinstance(value, list):
        yield from ((*steps[:-1], "properties", name) for name in value)
    elif steps[-1:] == ("parameters",) and isinstance(value, list):
        yield from ((*steps, parameter["name"]) for parameter in value)
    elif isinstance(value, dict) and value:
        for key, member in value.items():
            yield from _set((*steps, key), member)
    else:
        yield steps
