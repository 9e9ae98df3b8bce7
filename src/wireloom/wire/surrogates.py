"""Halves of surrogate pairs in JSON: joined over the fragments of one text, and a lone one replaced.

A character beyond the basic plane is two escapes in JSON. Servers that cut text between tokens send them in two
fragments, of which neither is JSON by itself to a strict reader; some cut the escapes in the arguments of a call,
which are JSON in a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from wireloom.wire.json import Json

REPLACEMENT = "\ufffd"
LOST = "half of a surrogate pair, which became U+FFFD"
"""The sentence for the log."""
TEXTS_OF_JSON = frozenset({"arguments", "partial_json"})
"""Names of the members whose text is JSON itself."""
_ARGUMENT_EVENTS = "_arguments.delta"

_DONE = b"[DONE]"
# An escape that may be half of a pair, also as an escape in a text of JSON; or a text of JSON that is cut within an escape.
_SUSPECT = re.compile(rb"\\u[dD][89a-fA-F]|\\\\(?:u[0-9a-fA-F]{0,3})?\"")
_PAIR = re.compile(rb"\\+u[dD][89abAB][0-9a-fA-F]{2}\\+u[dD][c-fC-F][0-9a-fA-F]{2}")
_HALF = re.compile("[\ud800-\udfff]")
_WHOLE = re.compile("([\ud800-\udbff])([\udc00-\udfff])")
_TOKEN = re.compile(r"\\(?:u[0-9a-fA-F]{4}|u[0-9a-fA-F]{0,3}$|[^u]|$)", re.DOTALL)
_HIGH = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}")
_LOW = re.compile(r"\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_ESCAPED_REPLACEMENT = "\\ufffd"

Path: TypeAlias = tuple[str | int, ...]


def _loaded(data: bytes) -> Any:
    """The JSON value of data, its lone halves as they are; None where it is no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Held:
    """The end of a fragment.

    Args:
        text: half of a pair, or the beginning of an escape.
        json_text: whether it stands in a text of JSON.
        event: the event in which it came, without anything else that it says.
    """

    text: str
    json_text: bool
    event: Json


class Halves:
    """Joins the halves in the events of one stream.

    Only an event with a backslash can hold a half, so that others need not go through `mended` as long as nothing is
    `held`.
    """

    def __init__(self) -> None:
        self.held: dict[Path, Held] = {}
        """Place of a text -> what of it waits for more; most often empty."""
        self.lost: list[str] = []
        """What could not be kept, in words for the log, once."""

    def mended(self, data: bytes) -> list[bytes]:
        """The events in place of an event: most often itself alone.

        Args:
            data: of an event.
        """
        if not self.held and not _suspicious(data):
            return [data]
        if data == _DONE:
            return [*self.rest(), data]
        value = _loaded(data)
        if not isinstance(value, dict):
            return [data]
        walk = _Walk(self, fragments=True, kind=str(value.get("type", "")))
        changed = walk.value(value, _place_of(value))
        before = self._due(value, walk.seen)
        return [*before, msgspec.json.encode(changed) if walk.changed else data]

    def rest(self) -> list[bytes]:
        """Events with what is still held; the other half will not come."""
        return [self._flushed(path) for path in list(self.held)]

    def whole(self, data: bytes) -> bytes:
        """An answer that was not streamed, its halves joined or replaced.

        Args:
            data: JSON.
        """
        if b"\\" not in data or not _suspicious(data):
            return data
        value = _loaded(data)
        if value is None:
            return data
        walk = _Walk(self, fragments=False)
        changed = walk.value(value, ())
        return msgspec.json.encode(changed) if walk.changed else data

    def replaced(self) -> None:
        """Note that a half was replaced."""
        if not self.lost:
            self.lost.append(LOST)

    def _due(self, value: Json, seen: set[Path]) -> list[bytes]:
        """Events with the halves to which nothing can be joined any more, now that this event follows."""
        over = _is_end(value)
        calls = any(path[-1] in TEXTS_OF_JSON for path in seen)
        due = [
            path
            for path in self.held
            if path not in seen and (over or (calls and path[-1] not in TEXTS_OF_JSON))
        ]
        return [self._flushed(path) for path in due]

    def _flushed(self, path: Path) -> bytes:
        held = self.held.pop(path)
        settled = _settled(held.text, json_text=held.json_text)
        if settled != held.text:
            self.replaced()
        return msgspec.json.encode(_with(held.event, settled))


def _suspicious(data: bytes) -> bool:
    """Whether data may hold a half without its other half."""
    if not (b"\\ud" in data or b"\\uD" in data or b"\\\\" in data):
        return False
    return _SUSPECT.search(data) is not None and _SUSPECT.search(_PAIR.sub(b"", data)) is not None


def _is_end(value: Json) -> bool:
    """Whether nothing is added to a text after an event: an answer or a part of it ends."""
    kind = value.get("type")
    if isinstance(kind, str):
        return not kind.endswith(".delta")
    choices = value.get("choices")
    return any(
        isinstance(choice, dict) and choice.get("finish_reason")
        for choice in (choices if isinstance(choices, list) else ())
    )


def _place_of(value: Json) -> Path:
    """What tells the texts of an event of a response apart from those of other events."""
    names = ("type", "item_id", "output_index", "content_index", "summary_index")
    return tuple(str(value.get(name)) for name in names) if "type" in value else ()


class _Walk:
    """Goes through the texts of one JSON value.

    Args:
        halves: where halves of fragments wait for the other one.
        fragments: whether texts may go on in a later event.
        kind: type of the event, where it has one.
    """

    def __init__(self, halves: Halves, *, fragments: bool, kind: str = "") -> None:
        self._halves = halves
        self._fragments = fragments
        self._of_arguments = kind.endswith(_ARGUMENT_EVENTS)
        self._event: Any = None
        self._at: list[str | int] = []  # where in the event
        self.changed = False
        self.seen: set[Path] = set()
        """Places of the fragments in this value."""

    def value(self, value: Any, path: Path) -> Any:
        """The value with whole characters alone.

        Args:
            value: from a reader of JSON that admits halves.
            path: its place.
        """
        self._event = value if self._event is None else self._event
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, dict):
            return {name: self._member(name, each, (*path, name)) for name, each in value.items()}
        if isinstance(value, list):
            return [
                self._member(number, each, (*path, _index(each, number))) for number, each in enumerate(value)
            ]
        return value

    def _member(self, name: str | int, value: Any, path: Path) -> Any:
        self._at.append(name)
        found = self.value(value, path)
        self._at.pop()
        return found

    def _text(self, text: str, path: Path) -> str:
        name = path[-1] if path else ""
        json_text = name in TEXTS_OF_JSON or (self._of_arguments and name == "delta")
        growing = self._fragments and "delta" in path and text != ""
        held = self._halves.held.pop(path, None) if growing else None
        if growing:
            self.seen.add(path)
        joined = text if held is None else held.text + text
        kept, half = _split(joined, json_text=json_text, growing=growing)
        if half:
            self._halves.held[path] = Held(half, json_text, _skeleton(self._event, self._at))
        settled = _settled(kept, json_text=json_text)
        if settled != _WHOLE.sub(_character, kept):
            self._halves.replaced()
        self.changed = self.changed or settled != text
        return settled


def _index(value: Any, number: int) -> str | int:
    """What tells an entry of a list apart: the index that it names, else its position."""
    index = value.get("index") if isinstance(value, dict) else None
    return f"#{int(index)}" if isinstance(index, int | float) else number


def _split(text: str, *, json_text: bool, growing: bool) -> tuple[str, str]:
    """A text that may go on, without the half at its end, and that half."""
    if not growing or not text:
        return text, ""
    if "\ud800" <= text[-1] <= "\udbff":
        return text[:-1], text[-1]
    if not json_text or "\\" not in text[-12:]:
        return text, ""
    cut = len(text)
    for token in reversed(list(_TOKEN.finditer(text))):
        if token.end() != cut:
            break
        if _HIGH.fullmatch(token[0]) or len(token[0]) < 2 or (token[0][1] == "u" and len(token[0]) < 6):
            cut = token.start()
        else:
            break
    return text[:cut], text[cut:]


def _settled(text: str, *, json_text: bool = False) -> str:
    """A text of whole characters: pairs joined, lone halves replaced, also those that a text of JSON has as escapes."""
    if json_text and "\\u" in text:
        text = "".join(_tokens(text))
    if _HALF.search(text) is None:
        return text
    return _HALF.sub(REPLACEMENT, _WHOLE.sub(_character, text))


def _tokens(text: str) -> Iterator[str]:
    """The pieces of a text of JSON, each escape of a lone half replaced."""
    tokens = list(_TOKEN.finditer(text))
    end = 0
    for number, token in enumerate(tokens):
        yield text[end : token.start()]
        end = token.end()
        before = tokens[number - 1] if number else None
        after = tokens[number + 1] if number + 1 < len(tokens) else None
        if _HIGH.fullmatch(token[0]):
            joined = after is not None and after.start() == end and _LOW.fullmatch(after[0]) is not None
        elif _LOW.fullmatch(token[0]):
            joined = (
                before is not None
                and before.end() == token.start()
                and _HIGH.fullmatch(before[0]) is not None
            )
        else:
            joined = True
        yield token[0] if joined else _ESCAPED_REPLACEMENT
    yield text[end:]


def _character(pair: re.Match[str]) -> str:
    return (pair[1] + pair[2]).encode("utf-16", "surrogatepass").decode("utf-16")


# -- an event with nothing but one text ----------------------------------------------------------------------------

_KEPT = frozenset(
    {
        "index",
        "type",
        "item_id",
        "output_index",
        "content_index",
        "summary_index",
        "object",
        "id",
        "created",
        "model",
    }
)


def _skeleton(event: Any, at: list[str | int]) -> Json:
    """An event with what leads to one of its texts, and nothing else that is said in it."""
    if not at:
        return {"": None}
    name, *inner = at
    if isinstance(event, list) and isinstance(name, int):
        return {"list": _skeleton(event[name], inner)}
    kept = {
        key: each
        for key, each in event.items()
        if key in _KEPT and key != name and not isinstance(each, dict | list)
    }
    return {"object": kept, "name": name, "inner": _skeleton(event[name], inner)}


def _with(skeleton: Json, text: str) -> Any:
    """The event of a skeleton with a text in its place."""
    if "list" in skeleton:
        return [_with(skeleton["list"], text)]
    if "name" not in skeleton:
        return text
    return {**skeleton["object"], skeleton["name"]: _with(skeleton["inner"], text)}
