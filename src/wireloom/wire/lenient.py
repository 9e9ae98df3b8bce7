"""JSON into a struct of the members that are read; a value of another type than expected is dropped, not the message."""

from __future__ import annotations

import copy
import re
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

# A message with more misfits than this is no message of its kind.
MOST_MISFITS = 32
# The decoder's errors end with the place of the misfit: ``Expected `int`, got `str` - at `$.usage.total` ``.
_PLACE = re.compile(r" - at `\$(?P<place>[^`]*)`$")
_STEP = re.compile(r"\.(?P<member>[^.\[\]]+)|\[(?P<index>\d+)\]")
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Lenient(Generic[T]):
    """Decodes JSON of one kind of message.

    Args:
        kind: a struct, each member of which has a default.
    """

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self.decode = msgspec.json.Decoder(kind).decode
        """Decodes a message that fits, for those who read one for each token; raises as msgspec does."""

    def read(self, data: bytes | msgspec.Raw, misfits: list[str]) -> T | None:
        """Decode a message.

        Args:
            data: JSON; empty where a message has no such part.
            misfits: takes a sentence for each value that is dropped, once: its place and types, never the value.

        Returns:
            None where the data is no JSON object.
        """
        try:
            return self.decode(data)
        except msgspec.ValidationError:
            pass
        except UNREADABLE:
            return None
        try:
            value = msgspec.json.decode(data)
        except UNREADABLE:
            return None
        return self._forced(value, misfits)

    def convert(self, value: object, misfits: list[str]) -> T | None:
        """Turn decoded JSON into the struct; see `read`.

        Args:
            value: not changed.
            misfits: see `read`.
        """
        try:
            return msgspec.convert(value, self._kind)
        except msgspec.ValidationError:
            return self._forced(copy.deepcopy(value), misfits)

    def _forced(self, value: Any, misfits: list[str]) -> T | None:
        """Drop one misfit after the other until the rest is a message."""
        for _ in range(MOST_MISFITS):
            try:
                return msgspec.convert(value, self._kind)
            except msgspec.ValidationError as error:
                found = _PLACE.search(str(error))
                if found is None or not _drop(value, found["place"]):
                    return None
                misfit = f"{self._kind.__name__}: {error}"
                if misfit not in misfits:
                    misfits.append(misfit)
        return None


def _drop(value: Any, place: str) -> bool:
    """Take the value at a place out of decoded JSON; False where there is none."""
    steps: list[str | int] = [
        step["member"] if step["index"] is None else int(step["index"]) for step in _STEP.finditer(place)
    ]
    if not steps:
        return False
    *outer, last = steps
    try:
        for step in outer:
            value = value[step]
        del value[last]
    except (KeyError, IndexError, TypeError):
        return False
    return True
