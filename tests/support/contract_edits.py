"""Edits of the published document, each as a newer version might bring it: what changes, and what a review has to name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codegen.review import Contract

Json = Any

TRANSLATE = "src/wireloom/translate/"
REF = "#/components/schemas/"
REVIEWED = "codegen.review --write"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change.

    Args:
        title: what changes, for people.
        change: makes it, on the schemas of the document.
        names: what the sentences have to name.
        files: what they have to point to: paths, or a command.
    """

    title: str
    change: Callable[[Json], None]
    names: tuple[str, ...]
    files: tuple[str, ...]


def edited(contract: Contract, edit: Edit) -> Contract:
    """A contract whose published document has an edit; nothing else of it differs."""
    published = copy.deepcopy(contract.published)
    edit.change(published)
    return replace(contract, published=published)


def _schemas(document: Json) -> Json:
    return document["components"]["schemas"]


def _at(document: Json, path: str) -> Json:
    """A part of the schemas: `CreateResponse.allOf.2.properties`."""
    node = _schemas(document)
    for step in path.split("."):
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def field(path: str, name: str, kind: str = "string") -> Callable[[Json], None]:
    """A new field.

    Args:
        path: of the object's schema.
        name: of the field.
        kind: its type.
    """

    def change(document: Json) -> None:
        _at(document, path)["properties"][name] = {"type": kind}

    return change


def member(schema: str, tag: str, *unions: str, by: str = "type") -> Callable[[Json], None]:
    """A new member of unions.

    Args:
        schema: its name.
        tag: its tag.
        unions: paths of the lists of members.
        by: name of the tag.
    """

    def change(document: Json) -> None:
        properties = {by: {"type": "string", "enum": [tag]}, "steps": {"type": "string"}}
        _schemas(document)[schema] = {"type": "object", "properties": properties, "required": [by]}
        for union in unions:
            _at(document, union).append({"$ref": REF + schema})

    return change


def word(path: str, new: str) -> Callable[[Json], None]:
    """A new word of an enum, by the path of its list."""

    def change(document: Json) -> None:
        _at(document, path).append(new)

    return change


def no_word(path: str, old: str) -> Callable[[Json], None]:
    """A word less in an enum, by the path of its list."""

    def change(document: Json) -> None:
        _at(document, path).remove(old)

    return change


def value(path: str, name: str, new: Any) -> Callable[[Json], None]:
    """Another definition of what stands at a path under a name."""

    def change(document: Json) -> None:
        _at(document, path)[name] = new

    return change


def renamed(path: str, old: str, new: str) -> Callable[[Json], None]:
    """Another name for a field, by the path of its schema."""

    def change(document: Json) -> None:
        schema = _at(document, path)
        schema["properties"][new] = schema["properties"].pop(old)
        required = schema.get("required", [])
        schema["required"] = [new if name == old else name for name in required]

    return change


def _operation(document: Json) -> None:
    responses = {"200": {"content": {"application/json": {"schema": {"$ref": f"{REF}Response"}}}}}
    document["paths"]["/responses/{response_id}/pause"] = {
        "post": {"operationId": "pauseResponse", "tags": ["Responses"], "responses": responses}
    }


def _no_operation(document: Json) -> None:
    del document["paths"]["/responses/{response_id}/cancel"]


def _parameter(document: Json) -> None:
    operation = document["paths"]["/responses/{response_id}/input_items"]["get"]
    operation["parameters"].append({"name": "tempo", "in": "query", "schema": {"type": "string"}})


def _renamed_schema(document: Json) -> None:
    schemas = _schemas(document)
    schemas["EasyMessage"] = schemas.pop("EasyInputMessage")
    schemas["InputItem"]["oneOf"][0]["$ref"] = f"{REF}EasyMessage"


RESPONSES: Sequence[Edit] = (
    Edit(
        "a field of an event",
        field("ResponseTextDeltaEvent", "tempo"),
        ("tempo",),
        (f"{TRANSLATE}hub/events.py",),
    ),
    Edit(
        "an event",
        member("ResponseDanceEvent", "response.dance.started", "ResponseStreamEvent.anyOf"),
        ("response.dance.started",),
        tuple(
            f"{TRANSLATE}{name}.py"
            for name in ("responses_upstream/reader", "chat_face/chunks", "hub/events")
        ),
    ),
    Edit("a tool", member("DanceTool", "dance", "Tool.oneOf"), ("dance",), (f"{TRANSLATE}tools/table.py",)),
    Edit(
        "a field of a request",
        field("CreateResponse.allOf.2", "tempo"),
        ("tempo",),
        tuple(
            f"{TRANSLATE}{name}.py"
            for name in (
                "chat_upstream/request",
                "responses_upstream/request",
                "codex/app_server_request",
                "codex/exec_request",
            )
        ),
    ),
    Edit("a field of a tool", field("FunctionTool", "tempo"), ("tempo",), (f"{TRANSLATE}rules/members.py",)),
    Edit(
        "a field of a call", field("FunctionToolCall", "tempo"), ("tempo",), (f"{TRANSLATE}rules/members.py",)
    ),
    Edit(
        "another name for a field of a call",
        renamed("FunctionToolCall", "arguments", "steps"),
        ("arguments", "steps"),
        (f"{TRANSLATE}rules/members.py",),
    ),
    Edit(
        "a value of `include` less",
        no_word("IncludeEnum.enum", "reasoning.encrypted_content"),
        ("reasoning.encrypted_content",),
        (f"{TRANSLATE}chat_upstream/request.py", f"{TRANSLATE}codex/fields.py"),
    ),
    Edit(
        "a value of `include`",
        word("IncludeEnum.enum", "dance_call.steps"),
        ("dance_call.steps",),
        (f"{TRANSLATE}chat_upstream/request.py", f"{TRANSLATE}codex/fields.py"),
    ),
    Edit(
        "an output item",
        member("DanceCall", "dance_call", "OutputItem.oneOf"),
        ("dance_call",),
        tuple(
            f"{TRANSLATE}{name}.py"
            for name in ("responses_upstream/item_writer", "chat_face/completion", "hub/stored_items")
        ),
    ),
    Edit(
        "an output item that is stored",
        member("DanceCall", "dance_call", "OutputItem.oneOf", "ItemResource.oneOf"),
        ("dance_call",),
        (f"{TRANSLATE}responses_upstream/item_writer.py", f"{TRANSLATE}hub/stored_items.py"),
    ),
    Edit(
        "a stored item",
        member("DanceCallResource", "dance_call", "ItemResource.oneOf"),
        ("dance_call",),
        (f"{TRANSLATE}hub/stored_items.py",),
    ),
    Edit(
        "an item of a conversation",
        member("DanceCallResource", "dance_call", "ConversationItem.oneOf"),
        ("dance_call", "ConversationItem"),
        ("openapi/overlays/35-state.overlay.yaml",),
    ),
    Edit(
        "an input item, in the nested union",
        member("DanceCall", "dance_call", "Item.oneOf"),
        ("dance_call",),
        tuple(
            f"{TRANSLATE}{name}.py"
            for name in (
                "chat_upstream/items",
                "responses_upstream/items",
                "codex/exec_request",
                "hub/stored_items",
            )
        ),
    ),
    Edit(
        "an input item",
        member("DanceCall", "dance_call", "InputItem.oneOf"),
        ("dance_call",),
        tuple(
            f"{TRANSLATE}{name}.py"
            for name in (
                "chat_upstream/items",
                "responses_upstream/items",
                "codex/exec_request",
                "hub/stored_items",
            )
        ),
    ),
    Edit(
        "a content part",
        member("InputDanceContent", "input_dance", "InputContent.oneOf"),
        ("input_dance", "MessageContentParam"),
        ("openapi/overlays/20-items.overlay.yaml",),
    ),
    Edit(
        "a field of a message",
        field("EasyInputMessage", "tempo"),
        ("tempo", "MessageItemParam"),
        ("openapi/overlays/20-items.overlay.yaml",),
    ),
    Edit(
        "a value of an enum less",
        no_word("MessagePhase.enum", "final_answer"),
        ("final_answer", "MessagePhase"),
        (REVIEWED,),
    ),
    Edit("a value of an enum", word("MessagePhase.enum", "aside"), ("aside", "MessagePhase"), (REVIEWED,)),
    Edit(
        "another type of a field",
        value("FunctionToolCall.properties", "arguments", {"type": "integer"}),
        ("arguments", "FunctionToolCall"),
        (f"{TRANSLATE}rules/members.py", REVIEWED),
    ),
    Edit(
        "another type of a field that an overlay changes",
        value("FunctionTool.properties", "strict", {"type": "string"}),
        ("strict", "FunctionTool"),
        ("openapi/overlays/30-requests.overlay.yaml", REVIEWED),
    ),
    Edit(
        "a field that an overlay adds",
        field("CreateResponse.allOf.2", "client_metadata"),
        ("client_metadata",),
        ("openapi/overlays/40-codex.overlay.yaml", REVIEWED),
    ),
    Edit(
        "a code that an overlay adds",
        word("ResponseErrorCode.enum", "insufficient_quota"),
        ("insufficient_quota",),
        ("openapi/overlays/40-codex.overlay.yaml",),
    ),
    Edit(
        "another type of one of several fields that an overlay changes",
        value("ResponseProperties.properties", "previous_response_id", {"type": "string"}),
        ("previous_response_id", "ResponseProperties"),
        ("openapi/overlays/37-values.overlay.yaml", REVIEWED),
    ),
    Edit(
        "another bound of a field",
        value("FunctionToolCall.properties", "name", {"type": "string", "maxLength": 8}),
        ("name", "FunctionToolCall"),
        (REVIEWED,),
    ),
    Edit(
        "a field that is required",
        value("FunctionTool", "required", ["type", "name", "strict", "parameters", "description"]),
        ("description", "FunctionTool"),
        (f"{TRANSLATE}rules/members.py", REVIEWED),
    ),
    Edit(
        "a code of a failure",
        word("ResponseErrorCode.enum", "dance_floor_full"),
        ("dance_floor_full",),
        (f"{TRANSLATE}responses_upstream/events.py",),
    ),
    Edit(
        "a status of a response",
        word("Response.allOf.2.properties.status.enum", "paused"),
        ("paused",),
        (f"{TRANSLATE}responses_upstream/events.py",),
    ),
    Edit(
        "a field of a response",
        field("Response.allOf.2", "tempo"),
        ("tempo",),
        (f"{TRANSLATE}hub/opening.py",),
    ),
    Edit(
        "a field of the usage",
        field("ResponseUsage", "steps", "integer"),
        ("steps", "ResponseUsage"),
        (f"{TRANSLATE}responses_upstream/events.py",),
    ),
    Edit(
        "an effort",
        word("ReasoningEffort.anyOf.0.enum", "furious"),
        ("furious",),
        (f"{TRANSLATE}responses_upstream/request.py",),
    ),
    Edit(
        "a choice of tools",
        member("ToolChoiceDance", "dance", "ToolChoiceParam.oneOf"),
        ("dance",),
        (f"{TRANSLATE}chat_upstream/tool_choice.py", f"{TRANSLATE}responses_upstream/tools.py"),
    ),
    Edit(
        "a format of an answer",
        member("TextResponseFormatDance", "dance", "TextResponseFormatConfiguration.oneOf"),
        ("dance",),
        tuple(
            f"{TRANSLATE}{name}.py"
            for name in ("chat_upstream/request", "codex/app_server_request", "codex/exec_request")
        ),
    ),
    Edit(
        "an annotation",
        member("DanceCitationBody", "dance_citation", "Annotation.oneOf"),
        ("dance_citation",),
        (f"{TRANSLATE}chat_face/completion.py",),
    ),
    Edit("an operation", _operation, ("pauseResponse",), ("openapi/operations.toml",)),
    Edit("an operation less", _no_operation, ("cancelResponse",), ("openapi/operations.toml",)),
    Edit("a parameter of an operation", _parameter, ("tempo", "listInputItems"), (REVIEWED,)),
    Edit(
        "another name for a schema that an overlay removes",
        _renamed_schema,
        ("EasyInputMessage", "EasyMessage"),
        ("openapi/overlays/20-items.overlay.yaml",),
    ),
)
"""Edits of the Responses contract."""

CHAT: Sequence[Edit] = (
    Edit(
        "a field of a request",
        field("CreateChatCompletionRequest.allOf.1", "tempo"),
        ("tempo",),
        (f"{TRANSLATE}chat_face/request.py",),
    ),
    Edit(
        "a role",
        member(
            "ChatCompletionRequestDancerMessage", "dancer", "ChatCompletionRequestMessage.oneOf", by="role"
        ),
        ("dancer",),
        (f"{TRANSLATE}chat_face/messages.py",),
    ),
    Edit(
        "a field of a message",
        field("ChatCompletionRequestAssistantMessage", "tempo"),
        ("tempo",),
        (f"{TRANSLATE}chat_face/members.py",),
    ),
    Edit(
        "a content part",
        member(
            "ChatCompletionRequestMessageContentPartDance",
            "dance",
            "ChatCompletionRequestUserMessageContentPart.oneOf",
        ),
        ("dance",),
        (f"{TRANSLATE}chat_face/messages.py",),
    ),
    Edit(
        "a tool, in the inline union",
        member(
            "DanceToolChatCompletions",
            "dance",
            "CreateChatCompletionRequest.allOf.1.properties.tools.items.oneOf",
        ),
        ("dance",),
        (f"{TRANSLATE}chat_face/request.py",),
    ),
    Edit(
        "a field of a function",
        field("FunctionObject", "tempo"),
        ("tempo", "FunctionObject"),
        (f"{TRANSLATE}chat_face/members.py", REVIEWED),
    ),
    Edit(
        "a call, in the inline union",
        member("ChatCompletionMessageDanceCall", "dance", "ChatCompletionMessageToolCalls.items.oneOf"),
        ("dance",),
        (f"{TRANSLATE}chat_face/messages.py",),
    ),
    Edit(
        "a field of a call",
        field("ChatCompletionMessageToolCall", "tempo"),
        ("tempo",),
        (f"{TRANSLATE}chat_face/members.py",),
    ),
    Edit(
        "a choice of tools",
        member("ChatCompletionDanceChoice", "dance", "ChatCompletionToolChoiceOption.oneOf"),
        ("dance",),
        (f"{TRANSLATE}chat_face/request.py",),
    ),
    Edit(
        "a format of an answer",
        member(
            "ResponseFormatDance",
            "dance",
            "CreateChatCompletionRequest.allOf.1.properties.response_format.oneOf",
        ),
        ("dance",),
        (f"{TRANSLATE}chat_face/request.py",),
    ),
    Edit(
        "a field of a chunk",
        field("ChatCompletionStreamResponseDelta", "tempo"),
        ("tempo",),
        (f"{TRANSLATE}chat_upstream/fields.py",),
    ),
    Edit(
        "another name for a field of a chunk",
        renamed("ChatCompletionStreamResponseDelta", "refusal", "steps"),
        ("refusal", "steps"),
        (f"{TRANSLATE}chat_upstream/fields.py",),
    ),
    Edit(
        "a field of a completion",
        field("ChatCompletionResponseMessage", "tempo"),
        ("tempo",),
        (f"{TRANSLATE}chat_upstream/chunk.py",),
    ),
    Edit(
        "a finish reason",
        word(
            "CreateChatCompletionStreamResponse.properties.choices.items.properties.finish_reason.enum",
            "tired",
        ),
        ("tired",),
        (f"{TRANSLATE}hub/endings.py",),
    ),
    Edit(
        "a count of tokens",
        field("CompletionUsage.properties.prompt_tokens_details", "step_tokens", "integer"),
        ("step_tokens",),
        (f"{TRANSLATE}chat_upstream/fields.py",),
    ),
    Edit(
        "another type of a field",
        value("ChatCompletionMessageToolCall.properties", "id", {"type": "integer"}),
        ("id", "ChatCompletionMessageToolCall"),
        (f"{TRANSLATE}chat_face/members.py", REVIEWED),
    ),
)
"""Edits of the Chat contract."""
