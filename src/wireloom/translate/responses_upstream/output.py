"""What of an upstream's output items has been told already, whatever ids and indexes its events have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from wireloom_protocol import responses as m

from wireloom.wire.json import Json

_ITEM: TypeAdapter[Any] = TypeAdapter(m.InputItem, config=ConfigDict(hide_input_in_errors=True))

PARTS: Mapping[str, tuple[str, str]] = {
    "output_text": ("message", "text"),
    "refusal": ("message", "refusal"),
    "reasoning_text": ("reasoning", "text"),
    "summary_text": ("reasoning", "text"),
}
"""Every kind of part -> the type of its item, and the member that holds its text."""


def texts_of(parts: Any, kind: str) -> Iterator[str]:
    """The texts of one kind among the parts of an item."""
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("type") == kind:
            text = part.get(PARTS[kind][1])
            if isinstance(text, str):
                yield text


def can_come_back(item: Json) -> bool:
    """Whether an item is understood when a client sends it again."""
    try:
        _ITEM.validate_python(item)
    except ValidationError:
        return False
    return True


class Told:
    """One output item as far as the client knows it.

    Args:
        kind: its type.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.id: str | None = None
        self.index: int | None = None
        self.call_id = ""
        self.name = ""
        self.namespace: str | None = None
        self.begun = False
        """Whether the stream has heard of a call."""
        self.done = False
        self.annotations: list[Any] = []
        self._texts: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))

    def name_it(self, json: Json, index: Any = None) -> None:
        """Take what an event says of where and who it is; what is known stays."""
        found = json.get("id", json.get("item_id"))
        if self.id is None and isinstance(found, str):
            self.id = found
        if self.index is None and isinstance(index, int):
            self.index = index
        for name in ("call_id", "name"):
            value = json.get(name)
            if isinstance(value, str) and not getattr(self, name):
                setattr(self, name, value)
        if isinstance(json.get("namespace"), str):
            self.namespace = json["namespace"]

    def index_of(self, kind: str, event: Json) -> int:
        """The index of a part; without one it is the part that grew last."""
        index = event.get("summary_index" if kind == "summary_text" else "content_index")
        return index if isinstance(index, int) else next(reversed(self._texts[kind]), 0)

    def add(self, kind: str, index: int, text: str) -> None:
        """Note what is told."""
        self._texts[kind][index].append(text)

    def said(self, kind: str) -> str:
        """All of a kind that has been told."""
        return "".join(text for texts in self._texts[kind].values() for text in texts)

    def rest_of_part(self, kind: str, index: int, text: str) -> str:
        """What of a whole part has not been told; the end of the item settles what is unclear here."""
        parts = self._texts[kind]
        if parts and index not in parts:
            return ""
        said = "".join(parts[index])
        return text[len(said) :] if text.startswith(said) else ""

    def rest(self, kind: str, texts: list[str]) -> list[tuple[int, str]] | None:
        """What of the whole parts of an item has not been told, by index; None where they say otherwise."""
        said = self.said(kind)
        if not "".join(texts).startswith(said):
            return None if texts else []
        left, rest = len(said), []
        for index, text in enumerate(texts):
            if len(text) > left:
                rest.append((index, text[left:]))
            left = max(left - len(text), 0)
        return rest


class Ledger:
    """The items of one answer, and the ways in which events name them."""

    def __init__(self) -> None:
        self._items: list[Told] = []
        self._final: set[int] = set()

    def opened(self, json: Json, index: Any) -> Told:
        """The item that is announced: a new one, unless its own events came first."""
        known = self._by_id(json.get("id"), json["type"])
        item = known or self._new(json["type"])
        item.name_it(json, index)
        return item

    def spoken(self, kind: str, event: Json) -> Told:
        """The item of a type that an event adds to: by id, else by index, else the last one that is not done."""
        index = event.get("output_index")
        item = self._by_id(event.get("item_id"), kind) or self._open(kind, index) or self._new(kind)
        item.name_it(event, index)
        return item

    def ended(self, json: Json, index: Any) -> Told:
        """The item that is done: by id, by call, else as in `spoken`."""
        kind = json["type"]
        item = self._by_id(json.get("id"), kind) or self._by_call(json, kind)
        if item is None and not json.get("call_id"):
            item = self._open(kind, index)
        elif item is None:
            item = next((each for each in self._unfinished(kind) if not each.call_id), None)
        item = item or self._new(kind)
        item.name_it(json, index)
        return item

    def final(self, json: Json) -> Told:
        """The item that the final response shows: by id, by call, else the next one of its type."""
        kind = json["type"]
        item = self._by_id(json.get("id"), kind) or self._by_call(json, kind)
        if item is None or id(item) in self._final:
            left = (each for each in self._items if each.kind == kind and id(each) not in self._final)
            nameless = (each for each in left if not (each.call_id and json.get("call_id")))
            item = next(nameless, None) or self._new(kind)
        self._final.add(id(item))
        item.name_it(json)
        return item

    def unfinished(self) -> Iterator[Told]:
        """Calls of which no end was told."""
        for kind in ("function_call", "custom_tool_call"):
            yield from self._unfinished(kind)

    def _unfinished(self, kind: str) -> list[Told]:
        return [item for item in self._items if item.kind == kind and not item.done]

    def _by_id(self, item_id: Any, kind: str) -> Told | None:
        if not isinstance(item_id, str):
            return None
        return next((item for item in self._items if item.id == item_id and item.kind == kind), None)

    def _by_call(self, json: Json, kind: str) -> Told | None:
        call_id = json.get("call_id")
        if not isinstance(call_id, str) or not call_id:
            return None
        return next((item for item in self._items if item.call_id == call_id and item.kind == kind), None)

    def _open(self, kind: str, index: Any) -> Told | None:
        left = self._unfinished(kind)
        placed = (item for item in reversed(left) if isinstance(index, int) and item.index == index)
        return next(placed, left[-1] if left else None)

    def _new(self, kind: str) -> Told:
        item = Told(kind)
        self._items.append(item)
        return item
