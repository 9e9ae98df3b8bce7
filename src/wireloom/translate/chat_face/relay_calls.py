"""The calls in a Chat answer that is passed on, as they are meant: names, arguments, whose each fragment is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec
from wireloom_protocol import hot

from wireloom.translate.answer.arguments import encoded
from wireloom.translate.answer.meant_call import arguments_of, meant, takes_free_input
from wireloom.translate.answer.tool_names import resolve
from wireloom.translate.chat_upstream.calls import Finder
from wireloom.translate.tools.base import Target, Tools
from wireloom.translate.tools.custom import CustomCall
from wireloom.wire.json import Json

# Types of tools that take free-form input.
FREE = frozenset({"custom"})


class OfferedTools:
    """The tools that a Chat request offers, by the names that its client knows; read when they are first needed.

    Args:
        body: JSON of the request as it goes upstream.
    """

    def __init__(self, body: Json) -> None:
        self._tools = body.get("tools")
        self._functions = body.get("functions")

    @cached_property
    def tools(self) -> Tools:
        """The tools, each under its own name."""
        tools = Tools()
        for tool in _objects(self._tools):
            kind = tool.get("type")
            _offer(tools, tool.get(kind) if isinstance(kind, str) else None, free=kind in FREE)
        for function in _objects(self._functions):
            _offer(tools, function, free=False)
        return tools


def _offer(tools: Tools, definition: Any, *, free: bool) -> None:
    name = definition.get("name") if isinstance(definition, dict) else None
    if not isinstance(name, str):
        return
    tools.by_flat_name[name] = Target(name, None, CustomCall) if free else Target(name)
    if not free:
        tools.functions.append({"type": "function", "function": definition})


def _objects(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


class RelayCall:
    """One call while its fragments arrive.

    Args:
        index: its place among the calls of the answer.
        tools: the tools of the request.
        lost: receives what was repaired, and what could not be, in words for the log.
    """

    def __init__(self, index: int, tools: Tools, lost: list[str]) -> None:
        self.index = index
        self.call_id = ""
        self.name = ""
        """As the client knows the tool."""
        self.told = False
        self._tools = tools
        self._lost = lost
        self._written = ""
        self.reader = arguments_of(tools, "")
        """Reads the arguments; the one of the tool that is meant, once the call has a name."""
        self._free = False
        self._closed = False

    @property
    def whole(self) -> bool:
        """See `Found.whole`."""
        return self.reader.whole

    def feed(self, chunk: hot.ChatCompletionMessageToolCallChunk) -> Fragment:
        """Take a fragment; return what is passed on of it."""
        self.call_id = self.call_id or chunk.id or ""
        function = chunk.function or hot.ChatCompletionMessageToolCallChunkFunction()
        arguments = _text(function.arguments)
        name = function.name or ""
        repeats = bool(arguments) and name == self._written != "" and self.whole
        if repeats and self.reader.repeats(arguments):
            return Fragment(self, "", "", True)
        begins = bool(name) and not self.name
        if begins:
            self._begin(name)
        passed = self.reader.feed(arguments) if arguments else ""
        shown = self.name if begins or name == self.name else ""
        return Fragment(self, shown, passed, (passed, shown) != (function.arguments or "", name))

    def close(self, *, cut_short: bool) -> str:
        """The call is over, or the answer is: the rest of the arguments.

        Args:
            cut_short: whether the answer was stopped before its end.
        """
        if self._closed:
            return ""
        self._closed = True
        rest = self.reader.close(cut_short=cut_short)
        self._lost += self.reader.report(self.name)
        empty = not cut_short and not self._free and not (self.reader.text + rest).strip()
        return rest + "{}" if empty else rest

    def _begin(self, name: str) -> None:
        resolved = resolve(self._tools, name)
        self._written, self.name = name, resolved.flat_name
        if resolved.note:
            self._lost.append(resolved.note)
        self.reader = arguments_of(self._tools, self.name)
        self._free = takes_free_input(self._tools, self.name)


class Fragment:
    """One fragment of a call as it is passed on.

    Args:
        call: the call that it is of.
        name: the name in it, or an empty text.
        arguments: the arguments in it.
        changed: whether that is not what came.

    Attributes:
        begins: whether it is the first one of its call.
    """

    __slots__ = ("arguments", "begins", "call", "changed", "name")

    def __init__(self, call: RelayCall, name: str, arguments: str, changed: bool) -> None:
        self.call = call
        self.name = name
        self.arguments = arguments
        self.changed = changed
        self.begins = False


class RelayCalls:
    """The calls of one of the answers of a stream.

    Args:
        offered: the tools of the request.
        new_id: makes an id for a prefix.
        lost: see `RelayCall`.
    """

    def __init__(self, offered: OfferedTools, new_id: Callable[[str], str], lost: list[str]) -> None:
        self._offered = offered
        self._new_id = new_id
        self._lost = lost
        self._count = 0
        self._found = Finder(self._new)
        self._fragments: list[Fragment] = []  # of the chunk that is being read

    @property
    def called(self) -> list[str]:
        """Names of the functions that were called."""
        return [call.name for call in dict.fromkeys(self._found.calls)]

    def _new(self) -> RelayCall:
        call = RelayCall(self._count, self._offered.tools, self._lost)
        self._count += 1
        return call

    def begin_chunk(self) -> None:
        """A chunk begins, which may have no fragment of a call."""
        self._fragments = []

    def broken(self, chunks: list[hot.ChatCompletionMessageToolCallChunk], *, last: bool = False) -> bool:
        """Take the fragments of a chunk; whether they cannot be passed on as they came.

        Args:
            chunks: the fragments.
            last: whether the answer ends with the chunk.
        """
        self._fragments = []
        found = False
        if len(chunks) == 1 and not last:
            usual = self._usual(chunks[0])
            if usual is not None:
                return usual
        for chunk in chunks:
            call = self._found.find(chunk)
            fragment = call.feed(chunk)
            fragment.begins, call.told = not call.told, True
            self._fragments.append(fragment)
            if fragment.begins and not call.call_id:
                call.call_id, found = self._new_id("call"), True
            found |= fragment.changed or type(chunk.index) is not int or chunk.index != call.index
        return found

    def _usual(self, chunk: hot.ChatCompletionMessageToolCallChunk) -> bool | None:
        """Take more arguments of the last call, as nearly every chunk has them; None where it is anything else."""
        function = chunk.function
        if chunk.id or not function or function.name or not self._found.calls:
            return None
        call, arguments = self._found.calls[-1], function.arguments
        if type(chunk.index) is not int or chunk.index != call.index or not call.name:
            return None
        if type(arguments) is not str or not arguments:
            return None
        if self._found.find(chunk) is not call:
            return None
        passed = call.reader.feed(arguments)
        if passed == arguments:
            return False
        self._fragments = [Fragment(call, "", passed, True)]
        return True

    def close(self, *, cut_short: bool) -> tuple[bool, list[Json]]:
        """The answer is over.

        Args:
            cut_short: whether it was stopped before its end.

        Returns:
            Whether the fragments of the last chunk have changed by it, and the fragments that have to come before it.
        """
        changed, before = False, []
        last = {fragment.call: fragment for fragment in self._fragments}
        for call in dict.fromkeys(self._found.calls):
            rest = call.close(cut_short=cut_short)
            if rest and call in last:
                last[call].arguments += rest
                last[call].changed = changed = True
            elif rest:
                before.append({"index": call.index, "function": {"arguments": rest}})
        return changed, before

    def mend(self, calls: list[Json]) -> None:
        """Write into the fragments of the last chunk which calls they are of, and what is passed on of them."""
        for fragment, written in zip(self._fragments, calls, strict=False):
            call = fragment.call
            written["index"] = call.index
            if fragment.changed:
                _rewrite(written, fragment)
            if fragment.name:
                written["id"] = call.call_id
            if "id" in written:
                written.setdefault("type", "function")


def _rewrite(written: Json, fragment: Fragment) -> None:
    """Write what is passed on into a fragment; who a call is stands in the first one alone."""
    function = written.get("function")
    others = function if isinstance(function, dict) else {}
    kept = {name: value for name, value in others.items() if name not in ("name", "arguments")}
    named = {"name": fragment.name} if fragment.name else {}
    written["function"] = {**kept, **named, "arguments": fragment.arguments}
    if not fragment.begins:
        written.pop("id", None)
        written.pop("type", None)


def meant_calls(message: Json, offered: OfferedTools, lost: list[str]) -> bool:
    """Put the calls of a message that was not streamed as they are meant; whether that changes any.

    Args:
        message: an assistant message; it is changed.
        offered: the tools of the request.
        lost: receives what was repaired, and what could not be, in words for the log.
    """
    changed = False
    seen: dict[str, Json] = {}
    for call in _objects(message.get("tool_calls")):
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            continue
        written = (function["name"], function.get("arguments"))
        read = meant(offered.tools, function["name"], _text(function.get("arguments")))
        function["name"], function["arguments"] = read.flat_name, read.arguments
        lost += read.notes
        changed |= written != (read.flat_name, read.arguments)
        call_id = str(call.get("id") or "")
        if call_id and seen.setdefault(call_id, function) is not function and seen[call_id] == function:
            message["tool_calls"].remove(call)
            lost.append(f"the call {call_id[:100]!r} came twice")
            changed = True
    return changed


def _text(arguments: Any) -> str:
    """Arguments as text: some upstreams send the object itself, others nothing."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None or arguments is msgspec.UNSET else encoded(arguments)
