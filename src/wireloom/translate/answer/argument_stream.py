"""The arguments of one call while they arrive: passed on as they come, held back where they are not one object."""

from __future__ import annotations

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

# First names after which an object may be a wrapper, and all their beginnings.
_WRAPPERS = BESIDE_WRAPPER.union(WRAPPERS)
_WRAPPING = frozenset(name[:length] for name in _WRAPPERS for length in range(1, len(name) + 1))
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
        free: see above.
        feed: takes a fragment; returns what is passed on of it.
        note: what was repaired, in words for the log; empty where nothing was.
        broken: whether the arguments are not one JSON value in the end, though the answer was not cut short.
    """

    def __init__(self, schema: Any = None, *, free: bool = False) -> None:
        self.note = ""
        self.broken = False
        self.feed: Callable[[str], str] = self._first
        self._schema = schema
        self.free = free
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
        self._known = properties(schema)

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
        self.broken = self.broken and not self.free and not cut_short
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
        if not self.free:
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
        if not self.free and is_litter(held):
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

    def _pass(self, fragment: str, go_on: Callable[[str], str] | None = None) -> str:
        """Pass a fragment on unseen, and all from here on unless something else takes the next one."""
        self._raw.append(fragment)
        self.feed = go_on or self._pass
        return fragment

    def _first(self, fragment: str) -> str:
        """Everything up to the first character that says what the arguments are."""
        text = fragment.lstrip()
        if not text:
            self._held.append(fragment)
            return ""
        if text[0] != "{":
            return self._pass(self._released(fragment)) if self.free else self._hold(fragment)
        return self._second(self._released(fragment))

    def _second(self, fragment: str) -> str:
        """The opening brace, and what follows it up to the first name."""
        self._head = head = (self._head + fragment).strip()
        inside = head[1:].lstrip()
        self.feed = self._second
        if not inside:
            self._raw.append(fragment)
            return fragment
        if self.free:
            return self._go_on(fragment)
        hollow = inside[0] == "}" and not fits_at_top(self._schema, {})
        if hollow or inside[0] not in '"}':
            return self._hold(fragment)
        name, quote, _ = inside[1:].partition('"')
        if inside == '"':
            return self._pass(fragment, self._second)
        if name in _WRAPPING and self._known and self._may_wrap(name, bool(quote)):
            if quote:
                return self._hold(fragment)
            self._held.append(fragment)
            return ""
        return self._go_on(self._released(fragment))

    def _go_on(self, fragment: str) -> str:
        """More of an object, whose first name may stand in it."""
        is_odd = "}" in fragment or not fragment.isprintable()
        return self._look(fragment) if is_odd else self._pass(fragment, self._more)

    def _may_wrap(self, name: str, whole: bool) -> bool:
        """Whether the first name is that of a wrapper, or can become it, and is not that of a member."""
        if whole:
            return name in _WRAPPERS and name not in self._known
        return not any(known.startswith(name) for known in self._known)

    def _released(self, fragment: str) -> str:
        """A fragment, behind what was held back for the moment."""
        released = "".join([*self._held, fragment])
        self._held.clear()
        return released

    def _more(self, fragment: str) -> str:
        """More of an object. Nearly every fragment has nothing in it that an object could end with."""
        if "}" in fragment or not fragment.isprintable() or fragment[:1] == "{":
            return self._look(fragment)
        self._raw.append(fragment)
        if self._passed is not None:
            self._passed.append(fragment)
        return fragment

    def _look(self, fragment: str) -> str:
        """A fragment in which the object may end or break."""
        raw = self._raw
        # A snapshot is as long as all before it, so at least as long as there are fragments.
        if raw and fragment[:1] == "{" and len(fragment) >= len(raw) and fragment.startswith("".join(raw)):
            return self._hold(fragment)  # a snapshot, or the same object within itself
        before = "".join(raw[self._scanned :])
        if not self._scanned and fragment[-1:] == "}" and is_json(before + fragment):
            self._keep(fragment, fragment)
            self.feed = self._behind
            return fragment
        self.feed = self._more
        self._scanned = len(raw) + 1
        if self._scan.stays_in_string(before + fragment):
            self._keep(fragment, fragment)
            return fragment
        found = self._catch_up(before)
        passed, length = "", 0
        if found is Found.MORE:
            found, passed, length = self._scan.take(fragment)
        if self.free:
            passed = fragment[:length]
        if found is Found.BROKEN and self.free:
            return self._pass(fragment)
        if found is not Found.MORE and not raw and not is_json(passed):
            return self._hold(fragment)  # nothing of it was passed on, so any repair can be made
        self._keep(fragment[:length], passed)
        if found is Found.BROKEN:
            return passed + self._hold(fragment[length:])
        return passed if found is Found.MORE else passed + self._behind(fragment[length:])

    def _catch_up(self, before: str) -> Found:
        """Scan the fragments that were passed on unseen."""
        if not before:
            return Found.MORE
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
        self.note = self._scan.corrected if not self.free else ""

    def _behind(self, fragment: str) -> str:
        """What follows a whole object: white space, as some upstreams send it, or more than one object."""
        self.feed = self._behind
        return self._hold(fragment) if fragment.strip() else fragment
