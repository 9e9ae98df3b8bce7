"""The calls in a streamed Chat answer: whose each fragment is, and what has to come back with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from wireloom_protocol import hot

from wireloom.errors import UpstreamError
from wireloom.translate.answer.argument_stream import ArgumentStream
from wireloom.translate.answer.arguments import decoded, encoded
from wireloom.translate.answer.meant_call import Meant, arguments_of, meant, report
from wireloom.translate.answer.tool_names import name_in_id, resolve
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
        if not named and not chunk.id and self.calls and isinstance(chunk.index, int):
            last = self.calls[-1]
            if self._by_index.get(chunk.index) is last:
                return last  # nearly every fragment is more of the last call
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
        lost: receives what was repaired, and what could not be, in words for the log.
        echo: a function of the upstream's own, which gets its arguments back.
    """

    def __init__(
        self, stream: ResponseStream, tools: Tools, state: State, lost: list[str], echo: str | None = None
    ) -> None:
        self._stream = stream
        self._tools = tools
        self._state = state
        self._lost = lost
        self._echo = echo
        self._found = Finder(self._new)
        self._count = 0
        self._older = ["", ""]
        """Name and arguments of a call in the older form, beside calls in the newer one."""

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

    def feed_older(self, name: str, arguments: str) -> None:
        """Take a fragment of a call in the older form, which some upstreams send beside the newer one.

        Raises:
            UpstreamError: see `feed`.
        """
        if self._found.calls and not self._found.calls[0].is_older:
            self._older = [self._older[0] or name, self._older[1] + arguments]
            return
        function = hot.ChatCompletionMessageToolCallChunkFunction(name, arguments)
        self.feed(hot.ChatCompletionMessageToolCallChunk(index=0, function=function))
        self._found.calls[-1].is_older = True

    def names(self) -> list[str]:
        """Names of the functions that were called so far, as upstream knows them."""
        calls = [call.name or call.call_id for call in dict.fromkeys(self._found.calls)]
        return [*calls, *filter(None, self._older[:1])]

    def add(self, call: Meant) -> None:
        """Add a whole call that the upstream did not send as one.

        Args:
            call: the call as it is meant.
        """
        function = hot.ChatCompletionMessageToolCallChunkFunction(call.flat_name, call.arguments)
        self.feed(hot.ChatCompletionMessageToolCallChunk(id=self._stream.new_id("call"), function=function))

    def close(self, *, cut_short: bool = False) -> list[str]:
        """The answer is over. Names the functions that were called, as upstream knows them.

        Args:
            cut_short: whether the answer was stopped before its end.

        Raises:
            UpstreamError: a call has no name, so it is none, or goes on behind its end.
        """
        if self._older[0]:
            self._close_older()
        calls = list(dict.fromkeys(self._found.calls))
        for call in calls:
            call.close(cut_short=cut_short)
        if not all(call.name for call in calls):
            raise UpstreamError("The upstream called a tool without naming it.", code="invalid_tool_call")
        for call in calls:
            if call.extra:
                self._state.call(call.told_id, call.extra)
        return [call.name for call in calls]

    def _close_older(self) -> None:
        """Tell a call in the older form, unless it is one of those in the newer form once more."""
        name, arguments = self._older
        self._older = ["", ""]
        call = meant(self._tools, name, arguments)
        if any(other.is_same(call.flat_name, call.arguments) for other in self._found.calls):
            self._lost.append(f"the call of {name[:100]!r} came twice, the second time in the older form")
            return
        function = hot.ChatCompletionMessageToolCallChunkFunction(name, arguments)
        self.feed(hot.ChatCompletionMessageToolCallChunk(function=function))

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
        return _Call(self._stream, self._tools, self._count, self._lost, self._echo)


class _Call:
    """One call while its fragments arrive; the stream hears of it as soon as it has a name."""

    def __init__(
        self, stream: ResponseStream, tools: Tools, number: int, lost: list[str], echo: str | None
    ) -> None:
        self._stream = stream
        self._tools = tools
        self._number = number
        self._lost = lost
        self._echo = echo
        self._written = ""
        """The name as the model wrote it."""
        self._reader: ArgumentStream | None = None
        """Reads the arguments, once the tool is known."""
        self.call_id = ""
        self.told_id = ""
        self.name = ""
        """The flat name of the tool that is meant."""
        self.arguments = ""
        """Those that nobody has read."""
        self.extra: Json = {}
        self.is_older = False
        """Whether the call came in the older form."""

    @property
    def whole(self) -> bool:
        """Whether the arguments are a JSON value already."""
        return is_json(self.arguments) if self._reader is None else self._reader.whole

    def feed(self, call_id: str, name: str, arguments: Any) -> None:
        """Take a fragment; each of its parts may be empty."""
        if call_id and not self.call_id:
            self.call_id = call_id
        if not isinstance(arguments, str):
            arguments = encoded(arguments)
        if name:
            if self._repeats(name, arguments):
                return
            if not self.name:
                self._begin(name)
                arguments, self.arguments = self.arguments + arguments, ""
        reader = self._reader
        if reader is None:
            self.arguments += arguments
            return
        passed = reader.feed(arguments) if arguments else ""
        if passed:
            self._tell(passed)

    def close(self, *, cut_short: bool) -> None:
        """The call is over, or the answer is.

        Args:
            cut_short: whether the answer was stopped before its end.
        """
        if not self.name:
            # Kimi's ids name the tool.
            named = name_in_id(self._tools, self.call_id)
            if named is None:
                return
            self._lost.append(f"the call {self.call_id[:100]!r} has no name and was read as {named}")
            self.feed("", named, "")
        if self._reader is None:
            return
        self._tell(self._reader.close(cut_short=cut_short))
        self._lost += report(self._tools, self.name, self._reader)

    def is_same(self, name: str, arguments: str) -> bool:
        """Whether a whole call is this one once more."""
        said = self.arguments if self._reader is None else self._reader.text
        return self.name == name and decoded(said) == decoded(arguments)

    def _tell(self, arguments: str) -> None:
        try:
            self._stream.arguments(self._number, arguments)
        except ValueError as error:
            raise UpstreamError(
                "The upstream went on with a call that was complete.", code="invalid_tool_call"
            ) from error

    def _repeats(self, name: str, arguments: str) -> bool:
        """Whether this is the whole call once more, as some upstreams have it at the end of an answer."""
        if not arguments or name != self._written or not self.whole:
            return False
        return arguments == self.arguments if self._reader is None else self._reader.repeats(arguments)

    def _begin(self, name: str) -> None:
        self._written = self.name = name
        self.told_id = self.call_id or self._stream.new_id("call")
        if name == self._echo:
            return
        resolved = resolve(self._tools, name)
        self.name = resolved.flat_name
        if resolved.note:
            self._lost.append(resolved.note)
        if not self._tools.may_call(self.name):
            raise UpstreamError(
                f"The model called {name!r}, which the request does not allow.", code="invalid_tool_call"
            )
        tool = self._tools.restore(self.name)
        self._reader = arguments_of(self._tools, self.name)
        self._stream.call(self._number, self.told_id, tool.name, namespace=tool.namespace, make=tool.call)
