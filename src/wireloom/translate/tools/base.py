"""The form of a tool kind: one row for its whole life, and what the files of the kinds share.

A request's tools become functions (`Offering`); a model's call of one becomes the item that the client expects
(`Tools.restore`); later the client sends call and output back, and a Chat model reads them as a function's again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.hub.items import CallItem, FunctionCall, is_json
from wireloom.translate.hub.stored_items import Form
from wireloom.translate.rules.loss import Losses, Rule, Severity
from wireloom.translate.tools.dialect import fit_definition
from wireloom.wire.json import Json

EMPTY_PARAMETERS: Json = {"type": "object", "properties": {}}


# -- tools of a request --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """The tool that a flat name stands for.

    Args:
        name: the tool's name in the request.
        namespace: its namespace, or None.
        call: the class of item that the client expects for a call.
    """

    name: str
    namespace: str | None = None
    call: type[CallItem] = FunctionCall


@dataclass(slots=True)
class Tools:
    """The functions offered to an upstream, and the way back.

    Args:
        functions: Chat tool definitions, in the order of the request.
        by_flat_name: flat name -> the tool that it stands for.
        by_name: name and namespace of a tool -> its flat name; of several kinds of tools, the first one's.
        search: whether the upstream may search the web by its own means.
        allowed: flat names that may be called, or None for all.
        denied: flat names that may not be called, whatever else holds.
        native: names of tools that the upstream has itself, so that they are not among the functions.
    """

    functions: list[Json] = field(default_factory=list)
    by_flat_name: dict[str, Target] = field(default_factory=dict)
    by_name: dict[tuple[str, str | None], str] = field(default_factory=dict)
    search: bool = False
    allowed: frozenset[str] | None = None
    denied: set[str] = field(default_factory=set)
    native: set[str] = field(default_factory=set)

    def flat_name(self, name: str, namespace: str | None = None, kind: str | None = None) -> str | None:
        """The name under which a tool is offered, or None if it is not.

        Args:
            name: as in the request.
            namespace: as in the request.
            kind: type of the tool. Tools of several kinds may share a name: without a kind the first one counts.
        """
        if kind is None:
            return self.by_name.get((name, namespace))
        for flat, tool in self.by_flat_name.items():
            if (tool.name, tool.namespace, tool.call.kind) == (name, namespace, kind):
                return flat
        return None

    def restore(self, flat_name: str) -> Target:
        """The tool that a model calls by a flat name.

        A name that was never offered becomes a function: the client rejects the call, and the model reads why.
        """
        return self.by_flat_name.get(flat_name) or Target(flat_name)

    def may_call(self, flat_name: str) -> bool:
        """Whether the request lets the model call a tool of that name."""
        return flat_name not in self.denied and (self.allowed is None or flat_name in self.allowed)


class Offering:
    """The tools of one request on their way to functions.

    Args:
        profile: the names and schemas that the upstream takes, whether it takes `strict`, how it searches.
        losses: receives each tool or setting that is dropped or changed.
        model: the model's name upstream.
        denied: flat, qualified (`namespace.name`) or bare names that are never offered.
        lenient: drop a kind of tool that the contract does not know, instead of rejecting the request.
    """

    def __init__(
        self, profile: Profile, losses: Losses, model: str, denied: frozenset[str], lenient: bool
    ) -> None:
        self.profile = profile
        self.losses = losses
        self.model = model
        self.lenient = lenient
        self.tools = Tools()
        self.repeats = False
        """Whether a tool may come again, as it does when two searches find it."""
        self._denied = denied
        self._most = profile.schemas.max_tools
        self._offered: set[Target] = set()

    def offer(self, path: str, tool: Target, definition: Json) -> None:
        """Add a function.

        Args:
            path: where the tool stood in the request.
            tool: the tool that the function stands for.
            definition: description and parameters; it receives its flat name.

        Raises:
            InvalidRequest: the request lists the tool twice.
        """
        flat = flat_name(tool.name, tool.namespace, self.profile)
        if self._denied & {flat, tool.name, f"{tool.namespace}.{tool.name}"}:
            self.tools.denied.add(flat)
            self.losses.add(path, "dropped", "on the list of denied tools", Severity.IMMATERIAL)
            return
        if tool in self._offered:
            if self.repeats:
                return
            raise InvalidRequest(f"{path}: the tool {tool.name} is offered twice.", param=path)
        if len(self.tools.functions) == self._most:
            self.losses.add(path, "dropped", f"{self.profile.title} takes no more tools")
            return
        if flat in self.tools.by_flat_name:  # two names may become one when they are flattened
            flat = _hashed(flat, f"{tool.namespace}.{tool.name}.{tool.call.kind}", self.profile)
        self.tools.by_flat_name[flat] = tool
        self.tools.by_name.setdefault((tool.name, tool.namespace), flat)
        self._offered.add(tool)
        definition = fit_definition(definition, self.profile, path, self.losses)
        definition["name"] = flat
        self.tools.functions.append({"type": "function", "function": definition})


def flat_name(name: str, namespace: str | None, profile: Profile) -> str:
    """`<namespace>-<name>` in the characters and the length that an upstream takes."""
    flat = name if namespace is None else f"{namespace}-{name}"
    if len(flat) <= profile.tool_name_max and re.fullmatch(profile.tool_name_pattern, flat):
        return flat
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", flat)
    if not re.fullmatch(profile.tool_name_pattern, plain):
        plain = f"t_{plain}"
    return _hashed(plain, flat, profile)


def _hashed(plain: str, original: str, profile: Profile) -> str:
    digest = hashlib.sha256(original.encode()).hexdigest()[:8]
    return f"{plain[: profile.tool_name_max - 9]}_{digest}"


# -- a kind of tool ------------------------------------------------------------------------------------------------


ToolRule: TypeAlias = Rule[Callable[[Offering, str, Any], None]]
"""Offers a tool: the request's tools so far, where the tool stood, the tool."""


@dataclass(frozen=True, slots=True)
class HistoryCall:
    """A call in a conversation, as the call of a function.

    Args:
        call_id: links the call to its output.
        name: of the tool, as the client gave it.
        namespace: of the tool, or None.
        arguments: JSON.
    """

    call_id: str
    name: str
    namespace: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class CallForm:
    """The calls of a kind.

    Args:
        item: the class of item that is emitted for a model's call; its `type` is also the type in a conversation.
        in_history: reads a call of a conversation.
        stored: its form in a list of stored items.
        members: names of the members that are translated, separated by spaces.
        chat: the type of such a call in Chat Completions, or None if Chat has none.
    """

    item: type[CallItem]
    in_history: Callable[[Any], HistoryCall]
    stored: Form
    members: str
    chat: str | None = None


@dataclass(frozen=True, slots=True)
class OutputForm:
    """The outputs that clients send for calls of a kind.

    Args:
        type: type of the item.
        prefix: how ids of such items begin.
        in_history: reads an output: the id of its call, None if it names none, and its text or content parts.
        stored: its form in a list of stored items.
        members: names of the members that are translated, separated by spaces.
        brings_tools: whether its `tools` can be called from then on.
    """

    type: str
    prefix: str
    in_history: Callable[[Tools, Any], tuple[str | None, Any]]
    stored: Form
    members: str
    brings_tools: bool = False


@dataclass(frozen=True, slots=True)
class ToolKind:
    """A kind of tool: its whole life in one row.

    Args:
        members: each type of the kind -> the members of a definition that are translated, separated by spaces.
        offered: offers a tool to a model.
        chosen_by: how `tool_choice` names such a tool: by its name, by its type, or never.
        call: its calls, or None if the client does not carry them out.
        output: the outputs of its calls, or None.
    """

    members: Mapping[str, str]
    offered: ToolRule
    chosen_by: Literal["name", "type"] | None = None
    call: CallForm | None = None
    output: OutputForm | None = None


class ClientCall(CallItem):
    """A call of a published tool that runs at the client; its fields are made from the whole arguments."""

    streamed = False

    @staticmethod
    def fields(arguments: Json) -> Json | None:
        """The fields of the item, or None if the arguments do not hold them."""
        raise NotImplementedError

    def settled(self) -> CallItem:
        """See `CallItem.settled`: arguments that cannot be read become a call of a function, as the model made it."""
        arguments = _object("".join(self.chunks))
        fields = None if arguments is None else type(self).fields(arguments)
        if fields is None:
            call = FunctionCall(self.item["id"], self.item["call_id"], self.item["name"], None)
            call.chunks = self.chunks
            self.item = call.item  # so that fragments after the end are noticed
            return call
        del self.item["name"]
        self.item.update(fields)
        return self

    def opening(self) -> Json:
        """See `Item.opening`: all of it, since it is whole."""
        return dict(self.item)

    def feed(self, fragment: str) -> str:
        """See `CallItem.feed`: nothing, since its fields hold the arguments."""
        return ""

    def end(self) -> list[tuple[str, Json]]:
        """See `CallItem.end`."""
        return []


def offered_as(call: type[CallItem], definition: Json) -> Callable[[Offering, str, Any], None]:
    """Offer a tool that has one definition and is named by its type."""

    def offer(offering: Offering, path: str, _: Any) -> None:
        offering.offer(path, Target(call.kind, call=call), dict(definition))

    return offer


def call_arguments(value: Any) -> str:
    """A part of an item as the arguments of a function, in JSON."""
    plain = value.model_dump(mode="json", exclude_none=True) if hasattr(value, "model_dump") else value
    return msgspec.json.encode(plain).decode()


def plain_schema(value: Any) -> Any:
    """A JSON Schema of a tool as plain JSON."""
    return value.model_dump(mode="json", exclude_unset=True) if hasattr(value, "model_dump") else value


def plain_output(_: Tools, item: Any) -> tuple[str | None, Any]:
    """An output of text or content parts."""
    return item.call_id, item.output


def texts(value: Any) -> bool:
    """Whether a value is a list of texts that is not empty."""
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def _object(arguments: str) -> Json | None:
    """The object that arguments are; an empty one if there are none, None if they are not an object."""
    if not arguments.strip():
        return {}
    value = msgspec.json.decode(arguments) if is_json(arguments) else None
    return value if isinstance(value, dict) else None
