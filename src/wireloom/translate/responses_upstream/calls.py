"""The calls in the answer of a Responses upstream, told under the names and in the kinds that the client gave."""

from __future__ import annotations

from typing import Any

import msgspec

from wireloom.errors import UpstreamError
from wireloom.translate.answer.argument_stream import ArgumentStream
from wireloom.translate.answer.meant_call import Meant, arguments_of, report
from wireloom.translate.answer.tool_names import resolve
from wireloom.translate.hub.stream import ResponseStream
from wireloom.translate.responses_upstream.output import Told
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.custom import CustomCall
from wireloom.wire.json import Json

# Type of a call -> the member that holds what it is called with.
SAID = {"function_call": "arguments", "custom_tool_call": "input"}


class UpstreamCalls:
    """Tells the calls of one answer.

    The stream reads free-form input as JSON arguments, which is how most upstreams have to be asked for it; what an
    upstream sends as input itself is put in that form.

    Args:
        stream: hears of the calls.
        tools: the names under which tools were offered that the upstream does not have itself.
        lost: receives what was repaired, and what could not be, in words for the log.
    """

    def __init__(self, stream: ResponseStream, tools: Tools, lost: list[str]) -> None:
        self._stream = stream
        self._tools = tools
        self._lost = lost
        self._readers: dict[Told, tuple[str, ArgumentStream]] = {}
        self._waiting: dict[Told, list[str]] = {}
        self.called: list[str] = []
        """Names of the functions that were called, as upstream knows them."""

    def begin(self, item: Told, json: Json) -> None:
        """A call is announced; without a name it waits for one."""
        if item.kind in SAID and not item.begun:
            self._name(item)
            self._whole(item, json.get(SAID[item.kind]))

    def add(self, call: Meant) -> None:
        """Add a whole call that stood in the text.

        Args:
            call: the call as it is meant.
        """
        item = Told("function_call")
        item.name, item.call_id = call.flat_name, self._stream.new_id("call")
        self.finish(item, {"arguments": call.arguments})

    def more(self, item: Told, event: Json) -> None:
        """More of what a call is called with, or all of it."""
        self._name(item)
        if isinstance(event.get("delta"), str):
            self._say(item, event["delta"])
        else:
            self._whole(item, event.get(SAID[item.kind]))

    def finish(self, item: Told, json: Json, *, cut_short: bool = False) -> None:
        """All of a call.

        Args:
            item: the call.
            json: the item, as far as it is known.
            cut_short: whether the answer was stopped before its end.

        Raises:
            UpstreamError: the call has no name, so it is none.
        """
        item.done = True
        if not item.name and cut_short:
            return
        if not item.name:
            raise UpstreamError("The upstream called a tool without naming it.", code="invalid_tool_call")
        self._name(item)
        self._whole(item, json.get(SAID[item.kind]))
        if item.kind == "custom_tool_call" and not cut_short:
            self._tell(item, '"}')
            return
        if not item.said("call").strip() and not cut_short:
            self._tell(item, "{}")
        if item in self._readers:
            name, reader = self._readers[item]
            self._pass_on(item, reader.close(cut_short=cut_short))
            self._lost += report(self._tools, name, reader)

    def _name(self, item: Told) -> None:
        if item.begun or not item.name:
            return
        item.begun = True
        name = self._meant(item)
        if not self._tools.may_call(name):
            raise UpstreamError(
                f"The model called {item.name[:100]!r}, which the request does not allow.",
                code="invalid_tool_call",
            )
        tool = self._tools.restore(name)
        custom = item.kind == "custom_tool_call"
        if not custom:
            self._readers[item] = name, arguments_of(self._tools, name)
        self._stream.call(
            item,
            item.call_id or item.id or self._stream.new_id("call"),
            tool.name,
            namespace=tool.namespace or item.namespace,
            make=CustomCall if custom else tool.call,
        )
        self.called.append(name)
        if custom:
            self._tell(item, '{"input":"')
        for waiting in self._waiting.pop(item, ()):
            self._tell(item, waiting)

    def _meant(self, item: Told) -> str:
        """The name under which the tool was offered that a call means."""
        if item.namespace is not None:  # the upstream has namespaces itself, so its names are whole
            return item.name
        resolved = resolve(self._tools, item.name)
        if resolved.note:
            self._lost.append(resolved.note)
        return resolved.flat_name

    def _whole(self, item: Told, value: Any) -> None:
        """Everything that a call is called with: tell what has not been told."""
        if value is None:
            return
        whole = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        said = item.said("call")
        if whole.startswith(said):
            self._say(item, whole[len(said) :])

    def _say(self, item: Told, text: str) -> None:
        if not text:
            return
        item.add("call", 0, text)
        if item.kind == "custom_tool_call":
            text = msgspec.json.encode(text).decode()[1:-1]
        if item.begun:
            self._tell(item, text)
        else:
            self._waiting.setdefault(item, []).append(text)

    def _tell(self, item: Told, text: str) -> None:
        if item in self._readers:
            _, reader = self._readers[item]
            text = reader.feed(text)
        self._pass_on(item, text)

    def _pass_on(self, item: Told, text: str) -> None:
        try:
            self._stream.arguments(item, text)
        except ValueError as error:
            raise UpstreamError(
                "The upstream went on with a call that was complete.", code="invalid_tool_call"
            ) from error
