"""The calls in a streamed Chat answer: whose each fragment is, and what has to come back with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from wireloom_protocol import hot

from wireloom.errors import UpstreamError
from wireloom.translate.hub.items import is_json
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.tools.base import Tools
from wireloom.wire.json import Json


class State:
    """What a provider puts on its answer for itself: it has to come back, and nobody else can read it."""

    def __init__(self) -> None:
        self._calls: Json = {}
        self._message: Json = {}
        self._details: list[Json] = []

    def __bool__(self) -> bool:
        return bool(self._calls or self._message) or any(_opaque(part) for part in self._details)

    def call(self, call_id: str, extra: Any) -> None:
        """Data on a call."""
        if isinstance(extra, dict):
            _merge(self._calls.setdefault(call_id, {}), extra)

    def message(self, extra: Any) -> None:
        """Data on the message."""
        if isinstance(extra, dict):
            _merge(self._message, extra)

    def details(self, parts: list[Json]) -> None:
        """Pieces of reasoning: text in fragments, signatures, what is encrypted."""
        for part in parts:
            last = self._details[-1] if self._details else None
            if last is not None and _continues(part, last):
                for name, value in part.items():
                    before = last.get(name)
                    if name in ("text", "summary") and isinstance(value, str) and isinstance(before, str):
                        last[name] = before + value
                    elif value is not None:
                        last[name] = value
            else:
                self._details.append(dict(part))

    def value(self) -> Json:
        """All of it, as it is sealed."""
        found = {"calls": self._calls, "message": self._message, "details": self._details}
        return {name: value for name, value in found.items() if value}


def _merge(into: Json, more: Json) -> None:
    """Add members, those of objects within objects too, so that a later part takes nothing away."""
    for name, value in more.items():
        known = into.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        else:
            into[name] = value


def _continues(part: Json, last: Json) -> bool:
    """Whether a piece of reasoning is more of the last one; what is encrypted comes whole."""
    return not part.get("data") and all(part.get(name) == last.get(name) for name in ("type", "index"))


def _opaque(part: Json) -> bool:
    """Whether a piece of reasoning says more than its text."""
    return bool(part.get("signature") or part.get("data"))


class Found(Protocol):
    """A call while its fragments arrive, as far as it matters to find it."""

    call_id: str
    name: str

    @property
    def whole(self) -> bool:
        """Whether its arguments are a JSON value already."""
        ...


C = TypeVar("C", bound=Found)


class Finder(Generic[C]):
    """Finds out which call a fragment belongs to.

    A known id names its call; a new id begins one, also on an index that is taken; without an id a known index
    counts; with neither, a name begins a call and anything else continues the last one.

    Args:
        new: makes a call.
    """

    def __init__(self, new: Callable[[], C]) -> None:
        self._new = new
        self.calls: list[C] = []
        """In the order in which they went on last, so that one may be there several times."""
        self._by_id: dict[str, C] = {}
        self._by_index: dict[int, C] = {}

    def find(self, chunk: hot.ChatCompletionMessageToolCallChunk) -> C:
        """The call that a fragment is of; it may be a new one."""
        named = bool(chunk.function and chunk.function.name)
        call = self._find(chunk.id or None, chunk.index, named)
        if chunk.id:
            self._by_id[chunk.id] = call
        if isinstance(chunk.index, int):
            self._by_index[chunk.index] = call
        if not self.calls or self.calls[-1] is not call:
            self.calls.append(call)
        return call

    def _find(self, call_id: str | None, index: Any, named: bool) -> C:
        if call_id is not None:
            found = self._by_id.get(call_id)
            if found is None and isinstance(index, int):
                # The id of a call may come after its first fragment.
                other = self._by_index.get(index)
                if other is not None and not other.call_id and not (named and other.name):
                    found = other
            return found or self._new()
        if isinstance(index, int) and (index in self._by_index or named):
            known = self._by_index.get(index)
            # A second whole call on an index that is never counted up.
            again = known is not None and named and known.name and known.whole
            return self._new() if known is None or again else known
        last = self.calls[-1] if self.calls else None
        return self._new() if last is None or (named and last.name) else last


class Calls:
    """Tells the calls of one answer.

    Args:
        stream: hears of the calls.
        tools: the names under which tools were offered.
        state: keeps what has to come back.
        echo: a function of the upstream's own, which gets its arguments back.
    """

    def __init__(self, stream: ResponseStream, tools: Tools, state: State, echo: str | None = None) -> None:
        self._stream = stream
        self._tools = tools
        self._state = state
        self._echo = echo
        self._found = Finder(self._new)
        self._count = 0

    def feed(self, chunk: hot.ChatCompletionMessageToolCallChunk) -> None:
        """Take a fragment.

        Raises:
            UpstreamError: it makes no sense, or calls what may not be called.
        """
        function = chunk.function or hot.ChatCompletionMessageToolCallChunkFunction()
        call = self._found.find(chunk)
        call.feed(chunk.id or "", function.name or "", function.arguments or "")
        if isinstance(chunk.extra_content, dict):
            _merge(call.extra, chunk.extra_content)

    def close(self) -> list[str]:
        """The answer is over. Names the functions that were called, as upstream knows them.

        Raises:
            UpstreamError: a call has no name, so it is none.
        """
        calls = list(dict.fromkeys(self._found.calls))
        if not all(call.name for call in calls):
            raise UpstreamError("The upstream called a tool without naming it.", code="invalid_tool_call")
        for call in calls:
            if call.extra:
                self._state.call(call.told_id, call.extra)
        return [call.name for call in calls]

    def echoes(self) -> list[Json]:
        """The messages with which the upstream's own calls are answered: nothing but their arguments.

        There are none where the client has to answer other calls first; the upstream then calls again.
        """
        calls = list(dict.fromkeys(self._found.calls))
        if not calls or any(call.name != self._echo for call in calls):
            return []
        self._found = Finder(self._new)
        made: list[Json] = [
            {
                "id": call.told_id,
                "type": "builtin_function",
                "function": {"name": call.name, "arguments": call.arguments or "{}"},
            }
            for call in calls
        ]
        answers = [
            {
                "role": "tool",
                "tool_call_id": call["id"],
                "name": self._echo,
                "content": call["function"]["arguments"],
            }
            for call in made
        ]
        return [{"role": "assistant", "content": "", "tool_calls": made}, *answers]

    def _new(self) -> _Call:
        self._count += 1
        return _Call(self._stream, self._tools, self._count, self._echo)


class _Call:
    """One call while its fragments arrive; the stream hears of it as soon as it has a name."""

    def __init__(self, stream: ResponseStream, tools: Tools, number: int, echo: str | None) -> None:
        self._stream = stream
        self._tools = tools
        self._number = number
        self._echo = echo
        self.call_id = ""
        self.told_id = ""
        self.name = ""
        self.arguments = ""
        """Those that the stream has not heard of."""
        self.extra: Json = {}

    @property
    def whole(self) -> bool:
        """Whether the arguments are a JSON value already."""
        return (
            is_json(self.arguments)
            if self.name == self._echo
            else self._stream.arguments_complete(self._number)
        )

    def feed(self, call_id: str, name: str, arguments: Any) -> None:
        """Take a fragment; each of its parts may be empty."""
        self.call_id = self.call_id or call_id
        if not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        if name:
            if self._repeats(name, arguments):
                return
            if not self.name:
                self._begin(name)
        self.arguments += arguments
        if not self.name or self.name == self._echo:
            return
        arguments, self.arguments = self.arguments, ""
        try:
            self._stream.arguments(self._number, arguments)
        except ValueError as error:
            raise UpstreamError(
                "The upstream went on with a call that was complete.", code="invalid_tool_call"
            ) from error

    def _repeats(self, name: str, arguments: str) -> bool:
        """Whether this is the whole call once more, as some upstreams have it at the end of an answer."""
        if not arguments or name != self.name or not self.whole:
            return False
        echo = self.name == self._echo
        return arguments == (self.arguments if echo else self._stream.arguments_of(self._number))

    def _begin(self, name: str) -> None:
        self.name = name
        self.told_id = self.call_id or self._stream.new_id("call")
        if name == self._echo:
            return
        if not self._tools.may_call(name):
            raise UpstreamError(
                f"The model called {name!r}, which the request does not allow.", code="invalid_tool_call"
            )
        tool = self._tools.restore(name)
        self._stream.call(self._number, self.told_id, tool.name, namespace=tool.namespace, make=tool.call)
