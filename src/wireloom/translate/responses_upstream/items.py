"""Input items for a Responses upstream: those of kinds it has as they are, the others said in functions and messages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.conversation.hosted_calls import HOSTED
from wireloom.translate.conversation.notes import LATER_INSTRUCTIONS, LOST_SUMMARY, PICTURES_FOLLOW, SUMMARY
from wireloom.translate.conversation.parts import PARTS, WORDS, At, agent_text
from wireloom.translate.options import Unseal
from wireloom.translate.responses_upstream.mend import mended
from wireloom.translate.responses_upstream.tools import native
from wireloom.translate.rules.loss import How, Losses, Rule, Severity, refused
from wireloom.translate.tools.base import HistoryCall, Tools, flat_name
from wireloom.translate.tools.flatten import place
from wireloom.translate.tools.table import CALLS, OUTPUTS, TOOL_OF
from wireloom.wire.json import Json


class Items:
    """The input of one request on its way upstream.

    Args:
        tools: the request's tools as they were flattened, for the names of calls.
        profile: what the upstream takes.
        losses: where what is left out is noted.
        unseal: opens what a client carries for the gateway.
    """

    def __init__(self, tools: Tools, profile: Profile, losses: Losses, unseal: Unseal) -> None:
        self.tools = tools
        self.profile = profile
        self.wire = profile.responses
        self.losses = losses
        self.unseal = unseal
        self.at = At(profile, losses)
        self.native = native(profile)
        self.made: list[Json] = []
        self.instructions: list[str] = []
        """Instructions among the first items, for an upstream that takes them nowhere else."""
        self._pictures: list[Json] = []
        self._paths: list[str] = []
        """Of each translated item, where it stood in the request."""

    def translate(self, items: Sequence[Any], sent: Sequence[Json], recalled: int) -> list[Json]:
        """Say all items.

        Args:
            items: of the request, context included.
            sent: their JSON.
            recalled: how many of them are context.

        Raises:
            InvalidRequest: an item that cannot be carried and must not be left out.
        """
        paths = self._paths
        for index, (item, json) in enumerate(zip(items, sent, strict=True)):
            kind = item.type
            if not kind.endswith("_output"):
                self._show_pictures()
            path = place(index, recalled)
            if kind in ALWAYS or NEEDS.get(kind, kind) not in self.native:
                ITEMS[kind].apply(self, path, item, json)
            else:
                self.made.append(json)
            paths += [path] * (len(self.made) - len(paths))
        self._show_pictures()
        paths += [paths[-1]] * (len(self.made) - len(paths)) if paths else []
        return self.made

    def mended(self) -> list[Json]:
        """The translated items as they keep the rules of the API; see `mend.mended`."""
        return mended(self.made, self._paths, self.losses)

    # -- what items are said in ----------------------------------------------------------------------------------

    def call(self, call: HistoryCall) -> None:
        """Append a call of a function, under its flat name."""
        offered = self.tools.flat_name(call.name, call.namespace)
        name = offered or flat_name(call.name, call.namespace, self.profile)
        self.made.append(
            {"type": "function_call", "call_id": call.call_id, "name": name, "arguments": call.arguments}
        )

    def output(self, path: str, call_id: str | None, output: Any, json: Any = None) -> None:
        """What a call returned: as it is where the upstream reads parts, else its text, and its pictures later.

        Args:
            path: where it stands.
            call_id: of the call.
            output: a text or the parts of one.
            json: the JSON of those parts.
        """
        if not call_id:
            raise InvalidRequest(f"{path}.call_id is missing.", param=f"{path}.call_id")
        said: Any = output
        if not isinstance(output, str):
            said = json if self.wire.output_parts else self._text(f"{path}.output", output, json)
        self.made.append({"type": "function_call_output", "call_id": call_id, "output": said})

    def user(self, parts: list[Json]) -> None:
        """A message of the user's."""
        self.made.append({"type": "message", "role": "user", "content": parts})

    def say(self, text: str) -> None:
        """A message of the user's that is one text."""
        self.user([{"type": "input_text", "text": text}])

    def readable(self, path: str, parts: Sequence[Any], json: list[Json]) -> list[Json]:
        """The parts of a message as the upstream can read them: a note in place of a picture that it cannot see.

        Args:
            path: of the parts.
            parts: of a message or an output.
            json: their JSON; returned where nothing has to be changed.

        Raises:
            InvalidRequest: a part that the upstream cannot read; under `strict` also a picture.
        """
        if self.wire.complete:
            return json
        made = list(json)
        for index, part in enumerate(parts):
            taken = PARTS[part.type].apply(self.at, f"{path}[{index}]", part)
            if "text" in taken and "text" not in json[index]:  # it cannot be shown
                made[index] = {"type": "input_text", "text": taken["text"]}
        return made if made != json else json

    def _text(self, path: str, parts: Sequence[Any], json: list[Json]) -> str:
        said = self.readable(path, parts, json)
        texts = [part["text"] for part in said if "text" in part]
        pictures = [part for part in said if "text" not in part]
        if pictures:
            self._pictures += pictures
            self.losses.add(path, "changed", "pictures follow as a user message", Severity.IMMATERIAL)
            texts.append(PICTURES_FOLLOW)
        return "\n".join(texts)

    def _show_pictures(self) -> None:
        """What calls of one turn have returned besides text, once all of them are told."""
        if self._pictures:
            pictures, self._pictures = self._pictures, []
            self.user(pictures)


# -- messages and reasoning: every upstream has them, each in its own way ------------------------------------------


def _message(build: Items, path: str, item: m.MessageItemParam, json: Json) -> None:
    if not isinstance(item.content, str):
        content = build.readable(f"{path}.content", item.content, json["content"])
        json = json if content is json["content"] else {**json, "content": content}
    if build.wire.complete or item.role == "user":
        build.made.append(json)
    elif item.role == "assistant":
        build.made.append(_spoken(path, item, json))
    elif build.wire.instructions_anywhere:
        build.made.append(json)
    else:
        _instruct(build, path, item)


def _spoken(path: str, item: m.MessageItemParam, json: Json) -> Json:
    """A message of the assistant's with all that strict servers insist on; a refusal is part of what was said."""
    return {
        **json,
        "id": item.id or _id("msg", path),
        "status": item.status or "completed",
        "content": [{"type": "output_text", "text": _words(path, item), "annotations": []}],
    }


def _instruct(build: Items, path: str, item: m.MessageItemParam) -> None:
    if build.made:
        build.say(LATER_INSTRUCTIONS + _words(path, item))
    else:
        build.instructions.append(_words(path, item))


def _words(path: str, item: m.MessageItemParam) -> str:
    """All that a message says, which is all it may hold."""
    if isinstance(item.content, str):
        return item.content
    words = []
    for index, part in enumerate(item.content):
        member = WORDS.get(part.type)
        if member is None:
            raise refused(f"{path}.content[{index}]", f"a message of role {item.role} holds text only")
        words.append(getattr(part, member))
    return "".join(words)


def _reasoning(build: Items, path: str, item: m.ReasoningItemParam, json: Json) -> None:
    sealed = build.unseal("reasoning", item.encrypted_content) if item.encrypted_content else None
    state = sealed if isinstance(sealed, dict) else {}
    if build.wire.reasoning == "encrypted" and isinstance(state.get("encrypted"), str):
        given = {name: value for name, value in json.items() if name != "content" or value}
        build.made.append(
            {**given, "id": item.id or _id("rs", path), "encrypted_content": state["encrypted"]}
        )
        return
    thought = state.get("text") or "\n\n".join(part.text for part in item.content or item.summary)
    if build.wire.reasoning != "text" or not isinstance(thought, str) or not thought:
        takes = build.wire.reasoning != "never"
        reason = "sealed elsewhere" if takes else f"{build.profile.title} takes no reasoning back"
        build.losses.add(path, "dropped", reason, Severity.IMMATERIAL)
        return
    told = {"type": "reasoning", "id": item.id or _id("rs", path), "summary": []}
    build.made.append({**told, "content": [{"type": "reasoning_text", "text": thought}]})


def _compaction(build: Items, path: str, item: m.CompactionSummaryItemParam, json: Json) -> None:
    opened = build.unseal("compaction", item.encrypted_content)
    if isinstance(opened, dict) and isinstance(opened.get("summary"), str):
        build.say(SUMMARY + opened["summary"])
        return
    own = build.unseal("reasoning", item.encrypted_content)
    if build.wire.compaction and isinstance(own, dict) and isinstance(own.get("encrypted"), str):
        build.made.append({**json, "encrypted_content": own["encrypted"]})
        return
    reason = "this summary was not made here, or for another key or model, so what it stands for is unknown"
    build.losses.add(f"{path}.encrypted_content", "dropped", reason)
    build.say(LOST_SUMMARY)


def _id(prefix: str, path: str) -> str:
    """An id for an item whose client gave none: the same item has the same one each time."""
    return f"{prefix}_{hashlib.sha256(path.encode()).hexdigest()[:24]}"


# -- calls and outputs of kinds that the upstream does not have ----------------------------------------------------


def _function_call(build: Items, _: str, item: m.FunctionToolCall, json: Json) -> None:
    if build.wire.complete and (item.namespace is None or "namespace" in build.native):
        build.made.append(json)
    else:
        build.call(HistoryCall(item.call_id, item.name, item.namespace, item.arguments or "{}"))


def _plain_output(build: Items, path: str, item: Any, json: Json) -> None:
    if item.type == "function_call_output" and build.wire.complete:
        build.made.append(json)
    else:
        build.output(path, item.call_id, item.output, json["output"])


def _call(build: Items, _: str, item: Any, __: Json) -> None:
    build.call(CALLS[item.type].in_history(item))


def _output(build: Items, path: str, item: Any, _: Json) -> None:
    build.output(path, *OUTPUTS[item.type].in_history(build.tools, item))


def _agent_message(build: Items, _: str, item: m.AgentMessageItemParam, json: Json) -> None:
    if build.wire.complete:
        build.made.append(json)
    else:
        build.say(agent_text(item))


def _configuration(build: Items, _: str, __: Any, json: Json) -> None:
    if build.wire.complete:
        build.made.append(json)


def _hosted(build: Items, path: str, item: Any, _: Json) -> None:
    trace = HOSTED[item.type](item)
    build.losses.add(path, "emulated", "told as a call with its output", Severity.IMMATERIAL)
    call_id = item.id or _id("call", path)
    build.call(HistoryCall(call_id, trace.name, None, trace.arguments))
    build.output(path, call_id, trace.output)
    if trace.pictures and build.profile.images:
        build.user([{"type": "input_image", "image_url": url, "detail": "auto"} for url in trace.pictures])
    elif trace.pictures:
        build.losses.add(path, "dropped", f"{build.profile.title} takes no images")


def _refused(build: Items, path: str, item: Any, _: Json) -> None:
    reason = f"items of type {item.type} belong to a tool that {build.profile.title} does not run"
    raise refused(f"{path}.type", reason, "unsupported_item")


def _reference(_: Items, path: str, item: m.ItemReferenceParam, __: Json) -> None:
    raise InvalidRequest(
        f"{path}: no item {item.id!r} is stored here.", code="item_not_found", param=f"{path}.id"
    )


def _nothing(_: Items, __: str, ___: Any, ____: Json) -> None:
    """Told elsewhere, or nothing that a model has to be told."""


ItemRule: TypeAlias = Rule[Callable[[Items, str, Any, Json], None]]

_CALL: ItemRule = Rule(
    How.EMULATED, _call, "where the upstream has no such tool, a call of the function that stands for it"
)
_OUTPUT = "where the upstream has no such tool, the output of a function"
_TRACE: ItemRule = Rule(How.EMULATED, _hosted, "where the upstream has no such tool, a call with its output")
_FOREIGN: ItemRule = Rule(How.REFUSED, _refused, "where the upstream has no such tool")

ITEMS: Mapping[str, ItemRule] = {
    "message": Rule(How.NATIVE, _message, "instructions where the profile lets them stand"),
    "configuration_update": Rule(
        How.EMULATED,
        _configuration,
        "where the upstream is not complete, the last one says how much is thought",
    ),
    "agent_message": Rule(How.EMULATED, _agent_message, "as it is where the upstream is complete"),
    **dict.fromkeys(CALLS, _CALL),
    **dict.fromkeys(OUTPUTS, Rule(How.EMULATED, _output, _OUTPUT)),
    "function_call": Rule(
        How.NATIVE, _function_call, "of a namespace that is not known, under its flat name"
    ),
    "function_call_output": Rule(How.NATIVE, _plain_output, "pictures follow where only text is taken"),
    "custom_tool_call_output": Rule(How.EMULATED, _plain_output, _OUTPUT),
    "reasoning": Rule(How.NATIVE, _reasoning, "as the profile demands or forbids it"),
    "tool_search_output": Rule(How.EMULATED, _output, f"{_OUTPUT}, and functions"),
    "additional_tools": Rule(How.EMULATED, _nothing, "where they are not known, functions"),
    **dict.fromkeys(HOSTED, _TRACE),
    "mcp_list_tools": Rule(How.IGNORED, _nothing, "where the upstream has no such tool"),
    "compaction": Rule(
        How.EMULATED, _compaction, "a user message, or the upstream's own; in place of others, a note"
    ),
    "compaction_trigger": Rule(How.EMULATED, _nothing, "it has been answered"),
    "item_reference": Rule(How.EMULATED, _reference, "by the item that is stored"),
    "mcp_approval_response": _FOREIGN,
    "computer_call": _FOREIGN,
    "computer_call_output": _FOREIGN,
    "program": _FOREIGN,
    "program_output": _FOREIGN,
}

# Items that are looked at whatever the upstream has.
ALWAYS = frozenset(
    {
        "message",
        "agent_message",
        "configuration_update",
        "function_call",
        "function_call_output",
        "reasoning",
        "compaction",
        "compaction_trigger",
        "item_reference",
    }
)
# Type of an item -> the kind of tool, or the type of item, that an upstream must have to read it as it is.
NEEDS: Mapping[str, str] = {
    **TOOL_OF,
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "image_generation_call": "image_generation",
    "computer_call": "computer",
    "computer_call_output": "computer",
    "mcp_list_tools": "mcp",
    "mcp_approval_request": "mcp",
    "mcp_approval_response": "mcp",
    "mcp_call": "mcp",
    "program": "programmatic_tool_calling",
    "program_output": "programmatic_tool_calling",
}
