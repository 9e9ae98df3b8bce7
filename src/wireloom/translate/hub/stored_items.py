"""An input item as it was sent -> the same item as a list of stored items shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel
from wireloom_protocol import responses as m
from wireloom_protocol.operations import KNOWN

from wireloom.wire.json import Json

if TYPE_CHECKING:
    from wireloom_protocol import replies


STATUSES: Final = ("in_progress", "completed", "incomplete")
DONE: Final = {"status": "completed"}
"""Members of an item that has ended, where the contract demands a status."""
# A server says who made an item, so a client's word for it is not repeated; the other is the Codex CLI's bookkeeping.
UNTOLD: Final = frozenset({"created_by", "internal_chat_message_metadata_passthrough"})
PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "input_text": m.InputTextContent,
    "input_image": m.InputImageContent,
    "input_file": m.InputFileContent,
    "input_audio": m.InputAudioContentParam,
    "output_text": m.OutputTextContent,
    "refusal": m.RefusalContent,
}

AGENT_TEXTS: Final[Mapping[str, str]] = {"input_text": "text", "encrypted_content": "encrypted_content"}
"""Type of a part of what agents write to each other -> its member that holds the text.

The CLI takes the text that a model gave a tool of its own for sealed; text that came through here is not.
"""


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of item is shown.

    Args:
        model: its type as a stored item; of what was sent only fields of it are shown.
        missing: what fields hold that were not sent, or sent as null.
        mend: brings what is within the fields into the stored form, in place.
    """

    model: type[BaseModel]
    missing: Mapping[str, Any] = field(default_factory=dict)
    mend: Callable[[Json], None] | None = None

    def shown(self, item: Json) -> Json:
        """The item in its stored form; `item` is not changed."""
        fields = {field.alias or name for name, field in self.model.model_fields.items()} - UNTOLD
        kept = {name: value for name, value in item.items() if name in fields and value is not None}
        kept = {**self.missing, **kept}
        if self.mend:
            self.mend(kept)
        return kept


def _message(item: Json) -> None:
    content = item["content"]
    if isinstance(content, str):
        kind = "output_text" if item["role"] == "assistant" else "input_text"
        content = [{"type": kind, "text": content}]
    item["content"] = [_part(part) for part in content]


def _agent_message(item: Json) -> None:
    """The published contract has no such item, so it is shown as the message that the model got."""
    texts = [part[AGENT_TEXTS[part["type"]]] for part in item["content"]]
    content = [{"type": "input_text", "text": text} for text in texts]
    item |= {"type": "message", "role": "user", "content": content, **DONE}
    item.pop("phase", None)


def _part(part: Json) -> Json:
    fields = PARTS[part["type"]].model_fields
    kept = {name: value for name, value in part.items() if name in fields and value is not None}
    return {"annotations": [], "logprobs": [], **kept} if part["type"] == "output_text" else kept


def output(item: Json) -> None:
    """The stored form of an output of text or content parts, in place."""
    if isinstance(item["output"], list):
        item["output"] = [_part(part) for part in item["output"]]
    _status(item)


def _status(item: Json) -> None:
    """Not every kind of request says what its status is, so anything may stand there."""
    if item["status"] not in STATUSES:
        item["status"] = "completed"


def known_tools(item: Json) -> None:
    """The stored form of an item's tools, in place. A tool of an unknown kind was wrapped when it came in: it has none."""
    item["tools"] = [_tool(tool) for tool in item["tools"] if tool["type"] in KNOWN["Tool"]]


def _tool(tool: Json) -> Json:
    """A tool without nulls: an upstream may write null for a setting that is not set, a stored item may not."""
    kept = _without_nulls(tool)
    if isinstance(kept.get("tools"), list):
        kept["tools"] = [_tool(each) for each in kept["tools"]]
    return kept


def _configuration(item: Json) -> None:
    """The same for the format of an answer; settings of the text without a format are left out."""
    form = (item.get("text") or {}).get("format")
    if form is None:
        item.pop("text", None)
    else:
        item["text"] = {**_without_nulls(item["text"]), "format": _without_nulls(form)}


def _file_search(item: Json) -> None:
    if item.get("results") is not None:
        item["results"] = [_without_nulls(result) for result in item["results"]]


def _web_search(item: Json) -> None:
    item["action"] = _without_nulls(item["action"])


def _without_nulls(value: Json) -> Json:
    """An upstream may write null for what an item does not have; a stored item leaves it out."""
    return {name: member for name, member in value.items() if member is not None}


FORMS: Final[Mapping[str, Form | None]] = {
    "message": Form(m.MessageResource, DONE, _message),
    "agent_message": Form(m.MessageResource, mend=_agent_message),
    "reasoning": Form(m.ReasoningItem),
    "additional_tools": Form(m.AdditionalTools, {"role": "developer"}, known_tools),
    "web_search_call": Form(m.WebSearchToolCall, mend=_web_search),
    "file_search_call": Form(m.FileSearchToolCall, mend=_file_search),
    "code_interpreter_call": Form(m.CodeInterpreterToolCall, {"code": None, "outputs": None}),
    "image_generation_call": Form(m.ImageGenToolCall, {"result": None}),
    "mcp_list_tools": Form(m.MCPListTools),
    "mcp_approval_request": Form(m.MCPApprovalRequest),
    "mcp_call": Form(m.MCPToolCall),
    "compaction": Form(m.CompactionBody),
    "configuration_update": Form(m.ResponseConfigurationUpdateItem, mend=_configuration),
    # They say what to do with other items, and are no part of what was said.
    "compaction_trigger": None,
    "item_reference": None,
    # Of tools that a few Responses upstreams run: kept for what follows, and not listed. Others refuse them.
    "mcp_approval_response": None,
    "computer_call": None,
    "computer_call_output": None,
    "program": None,
    "program_output": None,
}
"""Type of each item that no client tool's kind has -> its stored form, None for those that are not stored."""

PREFIXES: Final[Mapping[str, str]] = {
    "message": "msg",
    "agent_message": "amsg",
    "reasoning": "rs",
    "additional_tools": "at",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "image_generation_call": "ig",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
    "mcp_call": "mcp",
    "compaction": "cmp",
    "compaction_trigger": "cmpt",
    "configuration_update": "cfg",
    "computer_call": "cu",
    "computer_call_output": "cuo",
    "program": "prog",
    "program_output": "progo",
}
"""Type of each item that no client tool's kind has -> how ids of its type begin."""


def shown(item: Any, form: Form) -> replies.ItemResource:
    """An item in its stored form. A form makes it from plain JSON, so this is where it gets its type.

    Args:
        item: JSON of an input or output item with its id; not changed.
        form: that of its type.
    """
    stored: Any = form.shown(item)
    known: replies.ItemResource = stored
    return known
