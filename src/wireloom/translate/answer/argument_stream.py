"""The arguments of one call while they arrive: passed on as they come, held back where they are not one object."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from wireloom.translate.answer.arguments import (
    BESIDE_WRAPPER,
    MOST_TIMES,
    WRAPPERS,
    Reading,
    decoded,
    encoded,
    is_litter,
    objects_in,
    read_arguments,
    without_tokens,
)
from wireloom.translate.answer.json_scan import Found, ObjectScan
from wireloom.translate.answer.schema_fit import fits_at_top, properties
from wireloom.translate.hub.items import is_json

# A fragment without any of these goes on with a string, a number or a name.
_odd = re.compile(r"[{}\x00-\x1f]").search
# `{"arguments"`, as far as it has come.
_FIRST_NAME = re.compile(r'\{\s*"([^"\\]*)("?)')
# Shorter fragments that begin with all before them are not taken for snapshots.
LEAST_SNAPSHOT = 20
REPAIRED = "the arguments of a call of {} came {}"
NOT_READ = "the arguments of a call of {} are not one JSON object that the tool takes"


class ArgumentStream:
    """Reads the arguments of one call.

    An object is passed on fragment by fragment. Held back and read at the end is what does not begin as an object,
    what does not go on as one, what follows a whole one, and a fragment that begins with all that came before. What
    was passed on is never taken back, so a repair that would change it is not made.

    Args:
        schema: JSON Schema of the tool's parameters, or None where it is not known.
        free: whether the tool takes free-form input: then only an object that is said again is dropped, and
            everything else is passed on as it comes.

    Attributes:
        feed: takes a fragment; returns what is passed on of it.
        note: what was repaired, in words for the log; empty where nothing was.
        broken: whether the arguments are not one JSON value in the end, though the answer was not cut short.
    """

    def __init__(self, schema: Any = None, *, free: bool = False) -> None:
        self.note = ""
        self.broken = False
        self.feed: Callable[[str], str] = self._first
        self._schema = schema
        self._free = free
        self._raw: list[str] = []
        """Fragments that were passed on, as they came."""
        self._passed: list[str] | None = None
        """The same as they were passed on, where that differs."""
        self._held: list[str] = []
        self._head = ""
        """The beginning of the object, up to its first name."""
        self._scan = ObjectScan()
        self._scanned = 0
        """How many of the fragments were scanned."""
        known = properties(schema)
        self._known = tuple(known)
        wrapped = () if free or not known else (*WRAPPERS, *BESIDE_WRAPPER)
        self._wrappers = frozenset(wrapped).difference(known)
        """First names after which the object may be a wrapper."""

    @property
    def whole(self) -> bool:
        """Whether the arguments so far are a JSON value."""
        return is_json(self._so_far()) or is_json(self.text)

    @property
    def text(self) -> str:
        """The arguments so far, as they came."""
        return "".join(self._raw) + "".join(self._held)

    def repeats(self, arguments: str) -> bool:
        """Whether arguments are the same once more, as they came or as they were passed on."""
        return arguments in (self.text, self._so_far())

    def close(self, *, cut_short: bool = False) -> str:
        """The arguments have ended.

        Args:
            cut_short: whether the answer was stopped before its end.

        Returns:
            The rest that is to be passed on.
        """
        self.feed = self._nothing
        held = "".join(self._held)
        passed = self._so_far()
        if held.strip():
            rest = self._rest(passed, held)
        else:
            rest = held
            self.broken = bool(passed.strip()) and not is_json(passed)
        self.broken = self.broken and not self._free and not cut_short
        return rest

    def report(self, name: str) -> list[str]:
        """What was repaired, or could not be, in words for the log.

        Args:
            name: of the tool.
        """
        if self.broken:
            return [NOT_READ.format(name)]
        return [REPAIRED.format(name, self.note)] if self.note else []

    # -- at the end ------------------------------------------------------------------------------------------------

    def _rest(self, passed: str, held: str) -> str:
        value = decoded(passed)
        if isinstance(value, dict):
            return self._behind_object(value, held)
        if not self._free:
            rest = self._read(passed, read_arguments(self.text, self._schema))
            if rest is not None:
                return rest
        rest = self._read(passed, self._last_snapshot())
        self.broken = rest is None
        return held if rest is None else rest

    def _behind_object(self, value: Any, held: str) -> str:
        """What stands behind an object that was passed on, unless it says nothing new."""
        again = objects_in(without_tokens(held))
        if again and len(again) < MOST_TIMES and all(each == value for each in again):
            self.note = "said twice"
            return ""
        if not self._free and is_litter(held):
            self.note = "with more behind the object"
            return ""
        self.broken = True
        return held

    def _read(self, passed: str, reading: Reading | None) -> str | None:
        """The rest of what was meant, if it goes on from what was passed on."""
        if reading is None:
            return None
        begun = passed.lstrip()
        for text in (reading.text, encoded(reading.value)):
            if text.startswith(begun):
                self.note = reading.note
                return text[len(begun) :]
        return None

    def _last_snapshot(self) -> Reading | None:
        """The last fragment, if each one begins with all before it."""
        before = "".join(self._raw)
        fragments = [before, *self._held] if before else self._held
        last = fragments[-1]
        grows = all(more.startswith(less) for less, more in pairwise(fragments))
        if len(fragments) < 2 or not grows or len(last) < LEAST_SNAPSHOT:
            return None
        reading = read_arguments(last, self._schema)
        return reading and Reading(reading.value, reading.text, reading.note or "as snapshots")

    def _so_far(self) -> str:
        return "".join(self._raw if self._passed is None else self._passed)

    # -- fragment by fragment --------------------------------------------------------------------------------------

    def _nothing(self, _: str) -> str:
        return ""

    def _hold(self, fragment: str) -> str:
        """All from here on is read at the end."""
        self._held.append(fragment)
        self.feed = self._hold
        return ""

    def _pass(self, fragment: str) -> str:
        """All from here on is passed on."""
        self._raw.append(fragment)
        self.feed = self._pass
        return fragment

    def _first(self, fragment: str) -> str:
        """Everything up to the first character that says what the arguments are."""
        text = fragment.lstrip()
        if not text:
            self._held.append(fragment)
            return ""
        if text[0] != "{":
            return self._pass(self._released(fragment)) if self._free else self._hold(fragment)
        return self._second(self._released(fragment))

    def _second(self, fragment: str) -> str:
        """The opening brace, and what follows it up to the first name."""
        self._head = (self._head + fragment).strip()
        inside = self._head[1:].lstrip()
        self.feed = self._second
        if not inside:
            self._raw.append(fragment)
            return fragment
        if self._free:
            return self._look(fragment)
        hollow = inside[0] == "}" and not fits_at_top(self._schema, {})
        if hollow or inside[0] not in '"}':
            return self._hold(fragment)
        found = _FIRST_NAME.match(self._head) if self._wrappers else None
        name, end = (found[1], found[2]) if found is not None else ("", '"')
        if end and name in self._wrappers:
            return self._hold(fragment)
        if not end and name and self._may_wrap(name):
            self._held.append(fragment)
            return ""
        fragment = self._released(fragment)
        return self._look(fragment, self._more if end or name else self._second)

    def _may_wrap(self, name: str) -> bool:
        """Whether a name that is not complete can become that of a wrapper, and not that of a member."""
        is_known = any(known.startswith(name) for known in self._known)
        return not is_known and any(wrapper.startswith(name) for wrapper in self._wrappers)

    def _released(self, fragment: str) -> str:
        """A fragment, behind what was held back for the moment."""
        released = "".join([*self._held, fragment])
        self._held.clear()
        return released

    def _more(self, fragment: str) -> str:
        """More of an object. Nearly every fragment has nothing in it that an object could end with."""
        if _odd(fragment):
            return self._look(fragment)
        self._raw.append(fragment)
        if self._passed is not None:
            self._passed.append(fragment)
        return fragment

    def _look(self, fragment: str, go_on: Callable[[str], str] | None = None) -> str:
        """A fragment in which the object may end or break.

        Args:
            fragment: more of the arguments.
            go_on: what takes the next fragment, where the object goes on.
        """
        raw = self._raw
        if raw and fragment.startswith("{") and fragment.startswith("".join(raw)):
            return self._hold(fragment)  # a snapshot, or the same object within itself
        self.feed = go_on or self._more
        found = self._catch_up()
        passed, length = "", 0
        if found is Found.MORE:
            found, passed, length = self._scan.take(fragment)
        if self._free:
            passed = fragment[:length]
        if found is Found.BROKEN and self._free:
            return self._pass(fragment)
        if found is not Found.MORE and not raw and not is_json(passed):
            return self._hold(fragment)  # nothing of it was passed on, so any repair can be made
        self._keep(fragment[:length], passed)
        if found is Found.BROKEN:
            return passed + self._hold(fragment[length:])
        return passed if found is Found.MORE else passed + self._behind(fragment[length:])

    def _catch_up(self) -> Found:
        """Scan the fragments that were passed on unseen."""
        before = "".join(self._raw[self._scanned :])
        self._scanned = len(self._raw) + 1
        corrected = self._scan.corrected
        found, _, _ = self._scan.take(before)
        self._scan.corrected = corrected  # they had been passed on as they were
        return found

    def _keep(self, raw: str, passed: str) -> None:
        """Note what is passed on of a fragment."""
        if self._passed is None and raw != passed:
            self._passed = [*self._raw]
        if self._passed is not None:
            self._passed.append(passed)
        self._raw.append(raw)
        self.note = self._scan.corrected if not self._free else ""

    def _behind(self, fragment: str) -> str:
        """What follows a whole object: white space, as some upstreams send it, or more than one object."""
        self.feed = self._behind
        return self._hold(fragment) if fragment.strip() else fragment
