"""Output items while they are written: messages and reasoning in parts, calls of every kind in arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec
from wireloom_protocol import hot

from wireloom.translate.tools import client_tools
from wireloom.translate.tools.free_input import FreeInput, is_json, unwrap

if TYPE_CHECKING:
    from wireloom_protocol import replies

Event: TypeAlias = "replies.ResponseStreamEvent | hot.HotEvent"
Json: TypeAlias = dict[str, Any]


class Part:
    """A stretch of text inside the open item: its deltas and its final form.

    Args:
        kind: name of the content part (`output_text`, `refusal`, `reasoning_text`) or `summary_text`.
        item_id: id of its item.
        output_index: position of its item.
        index: position among its item's parts.
    """

    __slots__ = ("annotations", "chunks", "event", "index", "kind", "logprobs", "stems")

    def __init__(self, kind: str, item_id: str, output_index: int, index: int) -> None:
        self.kind = kind
        self.index = index
        self.chunks: list[str] = []
        self.annotations: list[Json] = []
        self.logprobs: list[Json] = []
        self.stems, make = TEXTS[kind]
        # A delta and its sequence number -> the event that tells it.
        self.event: Callable[..., hot.HotEvent] = partial(make, item_id, output_index, index)

    def content(self, text: str) -> Json:
        """The part as the contract has it."""
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        if self.kind == "output_text":
            return {
                "type": "output_text",
                "text": text,
                "annotations": list(self.annotations),
                "logprobs": list(self.logprobs),
            }
        return {"type": self.kind, "text": text}


class Stems:
    """The names of a part's events.

    Args:
        text: stem of its delta and done events.
        part: stem of its own added and done events.
        index: name of its index.
    """

    __slots__ = ("index", "part", "text")

    def __init__(self, text: str, part: str, index: str) -> None:
        self.text = text
        self.part = part
        self.index = index


_CONTENT = ("response.content_part", "content_index")

# Part kind -> the names of its events, and the struct of its delta.
TEXTS: Mapping[str, tuple[Stems, Any]] = {
    "output_text": (
        Stems("response.output_text", *_CONTENT),
        partial(hot.ResponseTextDeltaEvent, logprobs=[]),
    ),
    "refusal": (Stems("response.refusal", *_CONTENT), hot.ResponseRefusalDeltaEvent),
    "reasoning_text": (Stems("response.reasoning_text", *_CONTENT), hot.ResponseReasoningTextDeltaEvent),
    "summary_text": (
        Stems("response.reasoning_summary_text", "response.reasoning_summary_part", "summary_index"),
        hot.ResponseReasoningSummaryTextDeltaEvent,
    ),
}


class Item:
    """An output item while it is being written: a message or reasoning, which is a sequence of parts.

    Args:
        item: its final form so far, as the contract has it.
    """

    def __init__(self, item: Json) -> None:
        self.item = item
        self.output_index = -1
        self.pending: list[tuple[str, str, list[Json]]] = []
        """Kinds, texts and log probabilities that wait until the item is open."""
        self.closed = False
        """Whether nothing is added to it any more, while it waits."""

    @property
    def complete(self) -> bool:
        """Whether the item may be closed as it stands."""
        return True

    def opening(self) -> Json:
        """The item as it is announced: with nothing in it, whatever it holds by the time this is sent."""
        told = {key: value for key, value in self.item.items() if key != "encrypted_content"}
        return {key: [] if isinstance(value, list) else value for key, value in told.items()}

    def end_as(self, status: str) -> None:
        """Write down how it ended: `completed` or `incomplete`."""
        self.item["status"] = status

    def text(self) -> str:
        """All the text of its parts."""
        parts = [*self.item.get("summary", ()), *self.item.get("content", ())]
        return "".join(part.get("text", "") for part in parts)


class WholeItem(Item):
    """An item that is complete when it is announced."""

    def opening(self) -> Json:
        """See `Item.opening`: all of it."""
        return dict(self.item)

    def end_as(self, status: str) -> None:
        """See `Item.end_as`: one that says itself how it ended keeps that."""
        if self.item["status"] == "in_progress":
            self.item["status"] = status


class CallItem(Item):
    """A call while its arguments arrive.

    Args:
        item: id and name are in it.
    """

    prefix: ClassVar[str]
    type: ClassVar[str]
    told: ClassVar[bool] = True
    """Whether the call is told while it arrives; else it is announced when its arguments are complete."""

    def __init__(self, item_id: str, call_id: str, name: str, namespace: str | None) -> None:
        super().__init__(
            {"id": item_id, "type": self.type, "status": "in_progress", "call_id": call_id, "name": name}
        )
        if namespace is not None:
            self.item["namespace"] = namespace
        self.chunks: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether the arguments so far are a JSON value."""
        return is_json("".join(self.chunks))

    def settled(self) -> CallItem:
        """The call as it can be told now that its arguments have ended."""
        return self

    def feed(self, fragment: str) -> str:
        """What of a fragment of the arguments is told at once."""
        return fragment

    def rest(self, *, whole: bool) -> str:
        """What is told when the arguments have ended; `whole` unless they were cut short."""
        return ""

    def event(self, delta: str, output_index: int, sequence: int) -> hot.HotEvent:
        """The event that tells a delta."""
        raise NotImplementedError

    def end(self) -> list[tuple[str, Json]]:
        """Fill the item and give the events, by type, that come before its last one."""
        raise NotImplementedError


class FunctionCall(CallItem):
    """A call of a function."""

    prefix = "fc"
    type = "function_call"

    def __init__(self, *at: Any) -> None:
        super().__init__(*at)
        self.item["arguments"] = ""
        self._said: list[str] = []

    def feed(self, fragment: str) -> str:
        """See `CallItem.feed`: each fragment as it is."""
        self._said.append(fragment)
        return fragment

    def rest(self, *, whole: bool) -> str:
        """See `CallItem.rest`: some upstreams send nothing for no arguments, and clients parse what they get."""
        return self.feed("{}") if whole and not "".join(self._said).strip() else ""

    def event(self, delta: str, output_index: int, sequence: int) -> hot.HotEvent:
        """See `CallItem.event`."""
        return hot.ResponseFunctionCallArgumentsDeltaEvent(self.item["id"], output_index, sequence, delta)

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`."""
        self.item["arguments"] = arguments = "".join(self._said)
        done = {"name": self.item["name"], "arguments": arguments}
        return [("response.function_call_arguments.done", done)]


class CustomCall(CallItem):
    """A call of a tool with free-form input, which stands inside the arguments of a function."""

    prefix = "ctc"
    type = "custom_tool_call"

    def __init__(self, *at: Any) -> None:
        super().__init__(*at)
        self.item["input"] = ""
        self._input = FreeInput(unwrap)
        self._said: list[str] = []

    def feed(self, fragment: str) -> str:
        """See `CallItem.feed`: the input in it."""
        said = self._input.feed(fragment)
        self._said.append(said)
        return said

    def rest(self, *, whole: bool) -> str:
        """See `CallItem.rest`."""
        said = self._input.close()
        self._said.append(said)
        return said

    def event(self, delta: str, output_index: int, sequence: int) -> hot.HotEvent:
        """See `CallItem.event`."""
        return hot.ResponseCustomToolCallInputDeltaEvent(sequence, output_index, self.item["id"], delta)

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`."""
        self.item["input"] = text = "".join(self._said)
        return [("response.custom_tool_call_input.done", {"input": text})]


class ClientCall(CallItem):
    """A call of a published tool that runs at the client; its fields are made from the whole arguments."""

    told = False

    @staticmethod
    def fields(arguments: Json) -> Json | None:
        """The fields of the item, or None where the arguments do not hold them."""
        raise NotImplementedError

    def settled(self) -> CallItem:
        """See `CallItem.settled`: what cannot be read is told as a call of a function, as the model made it."""
        arguments = _object("".join(self.chunks))
        fields = None if arguments is None else type(self).fields(arguments)
        if fields is None:
            call = FunctionCall(self.item["id"], self.item["call_id"], self.item["name"], None)
            call.chunks = self.chunks
            self.item = call.item  # so that what comes after its end is noticed
            return call
        del self.item["name"]
        self.item.update(fields)
        return self

    def opening(self) -> Json:
        """See `Item.opening`: all of it, since it is whole."""
        return dict(self.item)

    def feed(self, fragment: str) -> str:
        """See `CallItem.feed`: its fields tell it."""
        return ""

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`."""
        return []


class ToolSearchCall(ClientCall):
    """A search for tools that the client carries out."""

    prefix = "tsc"
    type = "tool_search_call"
    fields = staticmethod(client_tools.tool_search_fields)


class LocalShellCall(ClientCall):
    """A command for the client's machine."""

    prefix = "lsc"
    type = "local_shell_call"
    fields = staticmethod(client_tools.local_shell_fields)


class ShellCall(ClientCall):
    """Command lines for the client's machine."""

    prefix = "sc"
    type = "shell_call"
    fields = staticmethod(client_tools.shell_fields)

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`: each command is told as a whole."""
        events: list[tuple[str, Json]] = []
        for index, command in enumerate(self.item["action"]["commands"]):
            at = {"command_index": index}
            events += [
                ("response.shell_call_command.added", {**at, "command": ""}),
                ("response.shell_call_command.delta", {**at, "delta": command}),
                ("response.shell_call_command.done", {**at, "command": command}),
            ]
        return events


class ApplyPatchCall(ClientCall):
    """A change of a file on the client's machine."""

    prefix = "apc"
    type = "apply_patch_call"
    fields = staticmethod(client_tools.apply_patch_fields)

    def end_as(self, status: str) -> None:
        """See `Item.end_as`: the contract knows no incomplete one, and only a whole one gets here."""
        self.item["status"] = "completed"


# Kind of a tool -> what its calls are told as.
CALLS: Mapping[str, type[CallItem]] = {
    "function": FunctionCall,
    "custom": CustomCall,
    "tool_search": ToolSearchCall,
    "local_shell": LocalShellCall,
    "shell": ShellCall,
    "apply_patch": ApplyPatchCall,
}


def _object(arguments: str) -> Json | None:
    """The object that arguments are, an empty one where there are none, or None where they cannot be read."""
    if not arguments.strip():
        return {}
    value = msgspec.json.decode(arguments) if is_json(arguments) else None
    return value if isinstance(value, dict) else None
