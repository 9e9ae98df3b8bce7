"""Where the one JSON object of a call ends, found out while its text arrives."""

from __future__ import annotations

import re
from enum import Enum

from wireloom.translate.answer.arguments import escaped


class Found(Enum):
    """What a scan has come to."""

    MORE = "the object goes on"
    END = "the object is complete"
    BROKEN = "no JSON object goes on like this"


# What stands in a string between quotation marks and control characters; what stands between strings and braces.
_IN_STRING = re.compile(r'(?:[^"\\\x00-\x1f]+|\\[^\x00-\x1f])+')
_BETWEEN = re.compile(r"[\s:\[\]0-9+\-.eEtrufalsn]+")
_NEEDLESS_COMMA = re.compile(r",(?=\s*[}\]])")


class ObjectScan:
    """Follows an object through its strings and braces, and puts right on the way what is right without a doubt.

    Only what decides where the object ends is looked at: text that passes may still be no JSON.

    Attributes:
        corrected: what was put right, in words for the log; empty where nothing was.
    """

    def __init__(self) -> None:
        self.corrected = ""
        self._depth = 0
        self._in_string = False
        self._cut_escape = False

    def stays_in_string(self, text: str) -> bool:
        """Whether more of the text goes on with the string that is open, so that nothing of it matters."""
        inside = self._in_string and not self._cut_escape
        return inside and '"' not in text and text[-1:] != "\\" and text.isprintable()

    def take(self, text: str) -> tuple[Found, str, int]:
        """Take more of the text.

        Returns:
            What was found; the text as it is passed on; how much of the text belongs to the object.
        """
        passed: list[str] = []
        at = 0
        if self._cut_escape and text:
            self._cut_escape = False
            passed.append(text[0])
            at = 1
        while at < len(text):
            start = at
            at = self._string(text, at, passed) if self._in_string else self._structure(text, at, passed)
            if at == start:
                return Found.BROKEN, "".join(passed), at
            if self._depth == 0 and text[at - 1] == "}":
                return Found.END, "".join(passed), at
        return Found.MORE, "".join(passed), at

    def _string(self, text: str, at: int, passed: list[str]) -> int:
        plain = _IN_STRING.match(text, at)
        if plain is not None:
            passed.append(plain[0])
            return plain.end()
        letter = text[at]
        if letter == "\\":
            if at + 1 < len(text):
                return at  # an escaped control character is no JSON, and nobody knows what it is
            self._cut_escape = True
        elif letter == '"':
            self._in_string = False
        else:
            self.corrected = "with control characters"
            letter = escaped(letter)
        passed.append(letter)
        return at + 1

    def _structure(self, text: str, at: int, passed: list[str]) -> int:
        between = _BETWEEN.match(text, at)
        if between is not None:
            passed.append(between[0])
            return between.end()
        letter = text[at]
        if _NEEDLESS_COMMA.match(text, at):
            self.corrected = "with a comma too many"
            return at + 1
        if letter not in '",{}':
            return at
        self._in_string = letter == '"'
        self._depth += {"{": 1, "}": -1}.get(letter, 0)
        passed.append(letter)
        return at + 1
