"""All that a conversation says, as Responses items and as Chat messages, for comparing the two."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]


def of_items(items: Iterable[Json]) -> Iterator[str]:
    """Yield the texts of messages, calls and outputs in their order, free-form input as the JSON around it.

    Reasoning is not among them.
    """
    for item in items:
        if "input" in item:
            yield json.dumps({"input": item["input"]}, ensure_ascii=False, separators=(",", ":"))
        for name in ("content", "arguments", "output") if item["type"] != "reasoning" else ():
            value = item.get(name) or ""
            parts = [{"text": value}] if isinstance(value, str) else value
            yield from (part["text"] for part in parts if part.get("text"))


def of_messages(messages: Iterable[Json]) -> Iterator[str]:
    """Yield the texts of messages and the arguments of calls in their order."""
    for message in messages:
        content = message["content"] or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        yield from (part["text"] for part in parts if part["type"] == "text")
        yield from (call["function"]["arguments"] for call in message.get("tool_calls", []))


def added(items: Iterable[Json], messages: Iterable[Json], notes: Iterable[str]) -> str:
    """Return what messages say beyond the items they were made of, and beyond `notes`.

    Raises:
        ValueError: a text of the items is not there, or not in its place.
    """
    whole, rest, position = "".join(of_messages(messages)), "", 0
    for text in of_items(items):
        start = whole.index(text, position)
        rest += whole[position:start]
        position = start + len(text)
    rest += whole[position:]
    for note in notes:
        rest = rest.replace(note, "")
    return rest
