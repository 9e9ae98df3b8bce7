"""Usage: present, whole numbers, sums and parts that fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Names(NamedTuple):
    """How a face spells its counts: tokens read, tokens written, the details of each."""

    read: str
    written: str
    read_details: str
    written_details: str


RESPONSES = Names("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")
CHAT = Names("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")
TOTAL = "total_tokens"
CACHED = ("cached_tokens", "cache_write_tokens")
REASONING = "reasoning_tokens"


def findings(usage: Any, names: Names, *, wrote: bool) -> Iterator[str]:
    """Yield the faults of a finished answer's usage.

    usage: the object, or any value in its place; names: of the face; wrote: whether the answer holds text or a call.
    """
    if not isinstance(usage, Mapping):
        shown = "null" if usage is None else repr(usage)
        yield f"usage is {shown} in a finished answer"
        return
    counts = {name: usage.get(name) for name in (names.read, names.written, TOTAL)}
    wrong = [name for name, count in counts.items() if type(count) is not int or count < 0]
    for name in wrong:
        yield f"usage.{name} is {counts[name]!r}, not a count"
    if wrong:
        return
    read, written, total = usage[names.read], usage[names.written], usage[TOTAL]
    details = [*_details(usage, names.read_details), *_details(usage, names.written_details)]
    for path, count in details:
        if type(count) is not int or count < 0:
            yield f"usage.{path} is {count!r}, not a count"
            return
    reasoning = _detail(usage, names.written_details, REASONING)
    # Some providers count reasoning within the written tokens, others beside them.
    apart = total == read + written + reasoning
    if total != read + written and not apart:
        yield f"usage.total_tokens is {total}, not {read} + {written}"
    for name in CACHED:
        count = _detail(usage, names.read_details, name)
        if count > read:
            yield f"usage.{names.read_details}.{name} is {count}, more than {names.read} ({read})"
    if reasoning > written and not apart:
        yield f"usage.{names.written_details}.{REASONING} is {reasoning}, more than {names.written} ({written})"
    if written == 0 and wrote:
        yield f"usage.{names.written} is 0, although the answer has an output"


def spent(usage: Any, names: Names) -> int | None:
    """Return the tokens that the model wrote, reasoning included; None without a usage."""
    if not isinstance(usage, Mapping):
        return None
    read, written, total = (usage.get(name) for name in (names.read, names.written, TOTAL))
    if type(read) is not int or type(written) is not int or type(total) is not int:
        return None
    return max(written, total - read)


def _details(usage: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    found = usage.get(name)
    if isinstance(found, Mapping):
        for key, count in found.items():
            if key.endswith("_tokens") and count is not None:
                yield f"{name}.{key}", count


def _detail(usage: Mapping[str, Any], name: str, key: str) -> int:
    found = usage.get(name)
    count = found.get(key) if isinstance(found, Mapping) else None
    return count if type(count) is int else 0
