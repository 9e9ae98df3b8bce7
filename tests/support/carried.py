"""Which values of a Responses request are missing in the Chat request that was made of it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

# Pattern of a path, with the type of a member in place of its index -> why the generic profile does not carry it.
NOT_CARRIED: Mapping[str, str] = {
    r"model": "the upstream has a name of its own for it",
    r"client_metadata\..+": "the client's own bookkeeping",
    r"prompt_cache_key": "the upstream has no such parameter",
    r"store": "the gateway stores",
    r"include\[\]": "it says what the answer is to hold",
    r"tool_choice": "auto is what an absent choice means",
    r"previous_response_id": "the history puts in its place what it stands for",
    r"type|generate": "the frame of a WebSocket, which is not there",
    r"text\.verbosity": "reported: the upstream has no such parameter",
    r"reasoning\.(summary|context)": "it says what the answer is to hold; or reported",
    r"(input\[\w+\]|tools\[(?!web_search)).*\.type": "told by the form that the member takes",
    r"input\[\w+\]\.role": "told by the role of the message; developer is system",
    r"input\[\w+\]\.(id|status|execution)": "bookkeeping: calls and outputs are tied by call_id",
    r"input\[\w+\]\.internal_chat_message_metadata_passthrough\..+": "the client's own bookkeeping",
    r"input\[reasoning\]\.encrypted_content": "sealed by another provider",
    r"input\[\w+\]\.(content|output)\[input_image\]\.detail": "reported: the upstream takes none",
    r"tools\[web_search\]\..+": "reported: the upstream does not search",
    r".*tools\[function\]\.(strict|defer_loading)": "the upstream takes no strict; every tool is offered at once",
}

# Characters from which on a text is not found by chance.
DISTINCT = 20
# Members that are compared as a whole.
WHOLE = frozenset({"parameters", "schema", "action"})


def missing(request: Json, chat: Json, opened: Mapping[str, str] | None = None) -> list[str]:
    """Return the paths of all values of a request that are not in the Chat request.

    Args:
        request: JSON of the Responses request.
        chat: JSON of the Chat request.
        opened: sealed text -> the text in it, to be looked for in its place.
    """
    said = _Said(chat)
    return [
        path
        for path, pattern, value in values(request)
        if not left_out(pattern)
        and not said.holds(pattern, (opened or {}).get(value, value) if isinstance(value, str) else value)
    ]


def left_out(pattern: str) -> list[str]:
    """Return the lines of `NOT_CARRIED` that are about a path."""
    return [line for line in NOT_CARRIED if re.fullmatch(line, pattern)]


def _in_plain_words(schema: Any) -> Any:
    """A schema without the vendor's own word for a member that its models read encrypted."""
    if isinstance(schema, list):
        return [_in_plain_words(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: each for name, each in schema.items() if name != "encrypted" or not isinstance(each, bool)}
    return {name: _in_plain_words(each) for name, each in kept.items()}


def values(value: Any, path: str = "", pattern: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield every value that is no container, or compared as a whole, with its path and the pattern of that."""
    name = pattern.rpartition(".")[2]
    if isinstance(value, dict) and (name in WHOLE or name == "arguments"):
        yield path, pattern, value
    elif isinstance(value, dict):
        for key, member in value.items():
            dot = "." if path else ""
            yield from values(member, f"{path}{dot}{key}", f"{pattern}{dot}{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            kind = member.get("type", "") if isinstance(member, dict) else ""
            yield from values(member, f"{path}[{index}]", f"{pattern}[{kind}]")
    elif value is not None:
        yield path, pattern, value


class _Said:
    """All that a Chat request says: its texts and objects, also those inside the arguments of calls."""

    def __init__(self, chat: Json) -> None:
        self._chat = chat
        self._texts: set[str] = set()
        self._objects: list[Json] = []
        self._collect(chat)

    def _collect(self, value: Any, name: str = "") -> None:
        if isinstance(value, str):
            self._texts.add(value)
            if name == "arguments":
                self._decode(value)
        elif isinstance(value, list):
            for member in value:
                self._collect(member)
        elif isinstance(value, dict):
            self._objects.append(value)
            for key, member in value.items():
                self._collect(member, key)

    def _decode(self, arguments: str) -> None:
        try:
            self._collect(json.loads(arguments))
        except ValueError:
            return  # the model made a mistake, which is told as it is

    def holds(self, pattern: str, value: Any) -> bool:
        name = re.split(r"[.\]]", pattern)[-1]
        if isinstance(value, dict):
            return _in_plain_words(value) in self._objects
        if not isinstance(value, str):
            return self._setting(name, value)
        if name in ("name", "namespace"):
            return any(
                text == value or value in (text[: len(value)], text[-len(value) :]) for text in self._names
            )
        if name in ("call_id", "image_url"):
            return value in self._texts
        if len(value) >= DISTINCT:
            return any(value in text for text in self._texts)
        alone = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")  # not by chance, as a part of a word
        return any(alone.search(text) for text in self._texts)

    def _setting(self, name: str, value: Any) -> bool:
        """A setting of the same name; one about tools says nothing where there are none."""
        found = any(name in each and each[name] == value for each in self._objects)
        return found or (name == "parallel_tool_calls" and "tools" not in self._chat)

    @property
    def _names(self) -> Iterator[str]:
        return (each["name"] for each in self._objects if isinstance(each.get("name"), str))
