"""All that a conversation says, as Responses items and as Chat messages, for comparing the two."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]


def of_items(items: Iterable[Json]) -> Iterator[str]:
    """Yield the texts of messages, calls and outputs in their order; reasoning is not among them."""
    for item in items:
        for name in ("content", "arguments", "input", "output") if item["type"] != "reasoning" else ():
            value = item.get(name) or ""
            parts = [{"text": value}] if isinstance(value, str) else value
            yield from (part["text"] for part in parts if part.get("text"))


def of_messages(messages: Iterable[Json]) -> Iterator[str]:
    """Yield the texts of messages in their order; a text wrapped into arguments is unwrapped."""
    for message in messages:
        content = message["content"] or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        yield from (part["text"] for part in parts if part["type"] == "text")
        for call in message.get("tool_calls", []):
            arguments = call["function"]["arguments"]
            yield json.loads(arguments)["input"] if arguments.startswith('{"input":') else arguments


def between(texts: Iterable[str], whole: str) -> list[str]:
    """Return what stands in `whole` before, between and after `texts`, each of which has to be there, in order.

    Raises:
        ValueError: a text is not there.
    """
    gaps, position = [], 0
    for text in texts:
        start = whole.index(text, position)
        gaps.append(whole[position:start])
        position = start + len(text)
    return [*gaps, whole[position:]]
