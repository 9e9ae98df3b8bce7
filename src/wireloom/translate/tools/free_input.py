"""Free-form input inside the JSON arguments of a call: put in, and taken out while they arrive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from wireloom.translate.hub.items import is_json
from wireloom.translate.tools.patch_text import PATCH_TOOLS, PatchText, patch_in_json
from wireloom.wire.json import Json

# The field that carries free-form input, and those that models are known to use in its place.
INPUT = "input"
WRAPPED = (INPUT, "patch", "text", "content", "code", "command")
# `{"input": "`, as far as it has come.
_HEAD = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_PLAIN = re.compile(r'[^"\\]+')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}
_NEXT = re.compile(r"\s*(\S)")
# What is left of the arguments behind the input, where they are no JSON.
_TAIL = re.compile(r'"[\s}]*\Z')
_HEX = re.compile(r"[0-9a-fA-F]{4}")


class FreeInput:
    """Reads the arguments of one call.

    What begins as `{"input": "` is decoded as it comes; what begins as no JSON at all is the input itself; anything
    else waits for its end. A model that forgets to escape a quotation mark is understood: one that no comma and no
    brace follows belongs to the input; from any other one on the end tells, by whether what follows is JSON.

    Args:
        unwrap: finds the input in whole arguments.
    """

    def __init__(self, unwrap: Callable[[str], str]) -> None:
        self._unwrap = unwrap
        self._read: Callable[[], str] = self._begin
        self._rest = ""
        self._over = False

    def feed(self, fragment: str) -> str:
        """Take more of the arguments; return what is known of the input beyond the last return."""
        self._rest += fragment
        return self._read()

    def close(self) -> str:
        """The arguments are complete; return the rest of the input."""
        rest, self._rest = self._rest, ""
        if self._read == self._begin:
            return self._unwrap(rest)
        if not rest or is_json(f'{{"input":"{rest}'):
            return ""
        self._over = True
        self._rest = _TAIL.sub("", rest)
        return self._inside() + self._rest

    def _begin(self) -> str:
        text = self._rest.lstrip()
        head = _HEAD.match(self._rest)
        if head is not None:
            self._rest = self._rest[head.end() :]
            self._read = self._inside
            return self._inside()
        if text and text[0] not in '{"[':
            self._read = self._bare
            return self._bare()
        return ""

    def _bare(self) -> str:
        text, self._rest = self._rest, ""
        return text

    def _inside(self) -> str:
        said, text, at = [], self._rest, 0
        while at < len(text):
            plain = _PLAIN.match(text, at)
            if plain is not None:
                said.append(plain[0])
                at = plain.end()
                continue
            taken = self._escape(text, at) if text[at] == "\\" else self._quote(text, at)
            if taken is None:  # more has to come before this can be read
                break
            piece, at = taken
            said.append(piece)
        self._rest = text[at:]
        return "".join(said)

    def _quote(self, text: str, at: int) -> tuple[str, int] | None:
        after = _NEXT.match(text, at + 1)
        if self._over or (after is not None and after[1] not in ",}"):
            return '"', at + 1
        return None  # this may be the end of the input

    @staticmethod
    def _escape(text: str, at: int) -> tuple[str, int] | None:
        if at + 1 >= len(text):
            return None
        letter = text[at + 1]
        if letter != "u":
            # An escape that JSON does not have is most likely meant as it stands.
            return _ESCAPES.get(letter, f"\\{letter}"), at + 2
        if len(text) < at + 6:
            return None
        return _unicode(text, at)


def _unicode(text: str, at: int) -> tuple[str, int] | None:
    """A `\\uXXXX`, together with its second half where it is one of a pair."""
    digits = _HEX.match(text, at + 2)
    if digits is None:
        return "\\u", at + 2
    code = int(digits[0], 16)
    if not 0xD800 <= code < 0xE000:
        return chr(code), at + 6
    second = text[at + 6 : at + 12]
    if code < 0xDC00 and len(second) < 6 and "\\u".startswith(second[:2]):
        return None
    low = _HEX.match(second, 2) if second.startswith("\\u") else None
    if code >= 0xDC00 or low is None or not 0xDC00 <= int(low[0], 16) < 0xE000:
        return "\ufffd", at + 6
    return chr(0x10000 + ((code - 0xD800) << 10) + int(low[0], 16) - 0xDC00), at + 12


# -- whole arguments ------------------------------------------------------------------------------------------------


def wrap(text: str) -> str:
    """Free-form input as the JSON arguments of the function that stands in for its tool."""
    return msgspec.json.encode({INPUT: text}).decode()


def unwrap(arguments: str, name: str | None = None) -> str:
    """The free-form input in a call's arguments.

    Models that were asked for `{"input": ...}` also send another lone string field, the bare text, the object as a
    JSON string, or a command: a list of the tool's name and the text.

    Args:
        arguments: as the model wrote them.
        name: of the tool, or None where it is not known.
    """
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return arguments
    if name in PATCH_TOOLS:
        patch = patch_in_json(value)
        if patch is not None:
            return patch
    text = _text_of(value, name)
    return arguments if text is None else text


def is_odd(arguments: str, name: str) -> bool:
    """Whether input came in another form than the one that was asked for.

    Args:
        arguments: as the model wrote them.
        name: of the tool.
    """
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return True
    text = value.get(INPUT) if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(text, str):
        return True
    if name not in PATCH_TOOLS:
        return False
    patch = PatchText()
    return patch.feed(text) + patch.close() != text


def _text_of(value: Any, name: str | None) -> str | None:
    if isinstance(value, str):
        inner = _wrapped_again(value)
        return value if inner is None else inner
    if isinstance(value, list):
        is_command = len(value) == 2 and value[0] == name and isinstance(value[1], str)
        return value[1] if is_command else None
    if isinstance(value, dict):
        for member in _candidates(value):
            given = value[member]
            text = given if isinstance(given, str) else _text_of(given, name)
            if text is not None and isinstance(given, str | list):
                return text
    return None


def _wrapped_again(text: str) -> str | None:
    """The input in a text that is itself the object that was asked for."""
    value: Any = None
    with suppress(msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        value = msgspec.json.decode(text)
    inner = value[INPUT] if isinstance(value, dict) and value.keys() == {INPUT} else None
    return inner if isinstance(inner, str) else None


def _candidates(value: Json) -> Iterator[str]:
    yield from (name for name in WRAPPED if name in value)
    if len(value) == 1:
        yield from value
