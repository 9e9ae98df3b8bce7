"""`apply_patch`: one change of a file on the user's machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wireloom_protocol import responses as m

from wireloom.translate.hub import stored_items as stored
from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.tools.base import (
    CallForm,
    ClientCall,
    HistoryCall,
    OutputForm,
    ToolKind,
    Tools,
    call_arguments,
    offered_as,
    texts,
)
from wireloom.translate.tools.schemas import TEXT
from wireloom.wire.json import Json

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "create_file": ("type", "path", "diff"),
    "update_file": ("type", "path", "diff"),
    "delete_file": ("type", "path"),
}
"""Every change of a file -> its members."""
DEFINITION: Json = {
    "description": "Create, change or delete a file on the user's machine.",
    "parameters": {
        "type": "object",
        "properties": {
            "operation": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "enum": list(OPERATIONS)},
                    "path": TEXT,
                    "diff": {
                        "type": "string",
                        "description": "For create_file the lines, each after a +; for update_file sections "
                        "that begin with @@, lines after a space, - or +. Not for delete_file.",
                    },
                },
                "required": ["type", "path"],
            }
        },
        "required": ["operation"],
    },
}


class ApplyPatchCall(ClientCall):
    """A change of a file on the client's machine."""

    kind = "apply_patch"
    type = "apply_patch_call"
    prefix = "apc"

    @staticmethod
    def fields(arguments: Json) -> Json | None:
        """See `ClientCall.fields`."""
        operation = arguments.get("operation", arguments)
        if not isinstance(operation, dict):
            return None
        kind = operation.get("type")
        if not isinstance(kind, str) or kind not in OPERATIONS:
            return None
        fields = {name: operation.get(name) for name in OPERATIONS[kind]}
        return {"operation": fields} if texts(list(fields.values())) and fields["path"] else None

    def end_as(self, status: str) -> None:
        """See `Item.end_as`: the contract has no incomplete one, and only a whole one is emitted."""
        self.item["status"] = "completed"


def _in_history(item: m.ApplyPatchToolCallItemParam) -> HistoryCall:
    arguments = call_arguments({"operation": item.operation.model_dump(mode="json")})
    return HistoryCall(item.call_id, "apply_patch", None, arguments)


def _output(_: Tools, item: m.ApplyPatchToolCallOutputItemParam) -> tuple[str | None, Any]:
    status = str(item.status)
    return item.call_id, f"{status}: {item.output}" if item.output else status


KIND = ToolKind(
    members={"apply_patch": ""},
    offered=Rule(How.EMULATED, offered_as(ApplyPatchCall, DEFINITION), "a function"),
    chosen_by="type",
    call=CallForm(ApplyPatchCall, _in_history, stored.Form(m.ApplyPatchToolCall), "call_id operation"),
    output=OutputForm(
        "apply_patch_call_output",
        "apco",
        _output,
        stored.Form(m.ApplyPatchToolCallOutput),
        "call_id output status",
    ),
)
