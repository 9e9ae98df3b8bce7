"""Stamps inside the streamed text, by which any protocol's bytes can be counted and timed."""

import re

_STAMP = re.compile(rb"@(\d+)@")
_LONGEST = 24


def stamp(number: int) -> str:
    """Write a number as text that survives every translation and JSON escaping.

    number: zero or more; within one stream each stamp is larger than the one before.
    """
    return f"@{number}@"


class StampReader:
    """Finds each stamp of one stream once, whatever surrounds it.

    Protocols repeat the whole text in their closing events; since stamps only grow, a repeated one is
    recognised by its value and skipped.
    """

    def __init__(self) -> None:
        self.count = 0
        self._last = -1
        self._tail = b""

    def feed(self, data: bytes) -> list[int]:
        """Return the stamps that are new in the next piece of the stream, in order.

        data: bytes as they came off the socket; a stamp may be cut anywhere.
        """
        text = self._tail + data
        self._tail = text[-_LONGEST:]
        new = []
        for found in _STAMP.finditer(text):
            number = int(found[1])
            if number > self._last:
                self._last = number
                new.append(number)
        self.count += len(new)
        return new
