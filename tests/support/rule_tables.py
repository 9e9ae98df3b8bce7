"""Every rule table of the translators, with the part of the contract that it has rules for: what `codegen.review` reads.

A table that is not here is not held to the contract; `tests/contract/test_rule_tables.py` holds every translator that reads
a union to having one here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import get_args

from wireloom_protocol import responses as m

from codegen.review import Members, Rules
from wireloom import archive, gateway
from wireloom.api import failures
from wireloom.providers import profile
from wireloom.translate.chat_face import chunks as responses_to_chat_chunks
from wireloom.translate.chat_face import completion as responses_to_chat_completion
from wireloom.translate.chat_face import members as chat_members
from wireloom.translate.chat_face import messages as chat_request_messages
from wireloom.translate.chat_face import request as chat_request
from wireloom.translate.chat_upstream import chunk as chat_chunk
from wireloom.translate.chat_upstream import fields as chat_fields
from wireloom.translate.chat_upstream import items as items_to_messages
from wireloom.translate.chat_upstream import request as responses_to_chat
from wireloom.translate.chat_upstream import tool_choice
from wireloom.translate.codex import app_server_request as responses_to_app_server
from wireloom.translate.codex import exec_request as responses_to_exec
from wireloom.translate.codex import fields as codex_fields
from wireloom.translate.conversation import hosted_calls as hosted_items
from wireloom.translate.conversation import parts as content_parts
from wireloom.translate.hub import endings
from wireloom.translate.hub import events as response_events
from wireloom.translate.hub import opening as response_object
from wireloom.translate.hub import stored_items as item_resource
from wireloom.translate.responses_upstream import events as upstream_events
from wireloom.translate.responses_upstream import item_writer as upstream_item_writer
from wireloom.translate.responses_upstream import items as upstream_items
from wireloom.translate.responses_upstream import output as upstream_output
from wireloom.translate.responses_upstream import reader as responses_to_responses
from wireloom.translate.responses_upstream import request as upstream_request
from wireloom.translate.responses_upstream import tools as upstream_tools
from wireloom.translate.rules import members
from wireloom.translate.rules.loss import How
from wireloom.translate.tools import apply_patch, custom, namespace, shell
from wireloom.translate.tools import table as tools

ROOT = Path(__file__).parents[2]
OPEN = frozenset({"unknown"})
"""The tag of a member that the contract does not know: the code's own, so it is no word of a contract."""


def file_of(module: ModuleType) -> str:
    """The path of a module, from the root of the project."""
    assert module.__file__ is not None
    return str(Path(module.__file__).relative_to(ROOT))


def tagged(
    place: str,
    module: ModuleType,
    *names: str,
    refused: bool = False,
    partial: bool = False,
    more: bool = False,
    rows_in: ModuleType | None = None,
) -> Rules:
    """One or several tables that together have the members of a union or the words of an enum.

    Args:
        place: of the union or the enum in the contract.
        module: that has the tables.
        names: of the tables.
        refused: whether the served document lacks the members that the tables refuse.
        partial: whether the tables may lack members.
        more: whether the tables may have other members too.
        rows_in: the module that the rows stand in, if it is another one.
    """
    tables: list[Collection[str]] = [getattr(module, name) for name in names]
    known = frozenset(key for table in tables for key in table) - OPEN
    refusing = frozenset(key for table in tables if refused for key in _refused(table)) - OPEN
    file = file_of(rows_in or module)
    return Rules(place, file, " or ".join(names), known, refused=refusing, partial=partial, more=more)


def _refused(table: Collection[str]) -> Iterator[str]:
    assert isinstance(table, Mapping)
    yield from (key for key, rule in table.items() if rule.how is How.REFUSED)


def fielded(place: str, module: ModuleType, *names: str) -> Rules:
    """One or several tables that together have the fields of an object.

    Args:
        place: of the object in the contract.
        module: that has the tables.
        names: of the tables.
    """
    known = frozenset(name for table in names for name in getattr(module, table))
    return Rules(place, file_of(module), " or ".join(names), known, of_fields=True)


def by_schema(module: ModuleType, name: str, places: Mapping[str, str]) -> Iterator[Rules]:
    """A table of schemas with their fields.

    Args:
        module: that has the table.
        name: of the table.
        places: key of the table -> place in the contract, where it is not the key itself.
    """
    table: Mapping[str, Mapping[str, str]] = getattr(module, name)
    for schema, fields in table.items():
        place = places.get(schema, schema)
        yield Rules(place, file_of(module), f"{name}[{schema!r}]", frozenset(fields), of_fields=True)


def translated(place: str) -> Rules:
    """The fields of a request that is translated as a request for a response, with those that have no such home."""
    known = frozenset(responses_to_chat.FIELDS) | gateway.ASIDE.keys()
    return Rules(place, file_of(gateway), "ASIDE", known, of_fields=True, more=True)


def prefixed() -> Rules:
    """Ids by the type of their item; a reference has the id of the item that it stands for."""
    known = frozenset((*tools.PREFIXES, archive.REFERENCE))
    return Rules("InputItem", file_of(item_resource), "PREFIXES", known)


def opened() -> Rules:
    """The fields that a response has at its start, or the reason why not."""
    request = m.CreateResponse.model_validate({"model": "m", "input": "", "user": "u"})
    known = frozenset(response_object.opening(request, "resp_1", 0)) | response_object.ABSENT.keys()
    return Rules("Response", file_of(response_object), "opening or ABSENT", known, of_fields=True)


CHOICES = "CreateChatCompletionStreamResponse.choices[]"
TABLES: Sequence[Rules] = (
    # requests
    fielded("CreateResponse", responses_to_chat, "FIELDS"),
    fielded("CreateResponse", upstream_request, "FIELDS"),
    fielded("CreateResponse", responses_to_app_server, "FIELDS"),
    fielded("CreateResponse", responses_to_exec, "FIELDS"),
    fielded("CreateChatCompletionRequest", chat_request, "FIELDS"),
    translated("TokenCountsBody"),
    translated("CompactResponseMethodPublicBody"),
    tagged("IncludeEnum", responses_to_chat, "INCLUDE"),
    tagged("IncludeEnum", codex_fields, "INCLUDE"),
    tagged("TextResponseFormatConfiguration", responses_to_chat, "FORMATS"),
    tagged("TextResponseFormatConfiguration", responses_to_app_server, "FORMATS"),
    tagged("TextResponseFormatConfiguration", responses_to_exec, "FORMATS"),
    tagged("CreateChatCompletionRequest.response_format", chat_request, "FORMATS"),
    tagged("ReasoningEffort", upstream_request, "EFFORTS"),
    Rules("ReasoningEffort", file_of(profile), "Effort", frozenset(get_args(profile.Effort))),
    tagged("Reasoning.summary", codex_fields, "SUMMARIES"),
    tagged("ToolChoiceParam", tool_choice, "CHOICES", refused=True),
    tagged("ToolChoiceParam", upstream_tools, "CHOICES"),
    tagged("ChatCompletionToolChoiceOption", chat_request, "CHOICES"),
    # items and their parts
    tagged("InputItem", items_to_messages, "ITEMS", refused=True),
    tagged("InputItem", upstream_items, "ITEMS"),
    tagged("InputItem", responses_to_exec, "ITEMS"),
    tagged("InputItem", tools, "FORMS", rows_in=item_resource),
    tagged("InputItem", tools, "OUTPUTS", partial=True),
    prefixed(),
    tagged("MessageContentParam", content_parts, "PARTS"),
    tagged("FunctionAndCustomToolCallOutput", content_parts, "PARTS", more=True),
    tagged("AgentMessageContentParam", content_parts, "AGENT_TEXTS"),
    tagged("MessageContentParam", content_parts, "WORDS", partial=True),
    tagged("MessageContentParam", item_resource, "PARTS"),
    tagged("MessageResourceContent", item_resource, "PARTS"),
    tagged("MessageResource.status", item_resource, "STATUSES"),
    tagged("DetailEnum", content_parts, "DETAILS"),
    tagged("ImageDetail", content_parts, "DETAILS"),
    tagged("CodeInterpreterToolCall.outputs[]", hosted_items, "CODE_OUTPUTS"),
    tagged("FunctionShellCallOutputOutcomeParam", shell, "OUTCOMES"),
    tagged("ApplyPatchOperationParam", apply_patch, "OPERATIONS"),
    tagged("ChatCompletionRequestMessage", chat_request_messages, "MESSAGES"),
    tagged("ChatCompletionRequestUserMessageContentPart", chat_request_messages, "PARTS"),
    tagged("ChatCompletionRequestAssistantMessageContentPart", chat_request_messages, "SAID"),
    tagged("ChatCompletionRequestToolCall", chat_request_messages, "CALLS"),
    # tools
    tagged("Tool", tools, "TOOLS", refused=True),
    tagged("NamespaceToolParam.tools[]", namespace, "MEMBERS"),
    tagged("CustomToolParam.format", custom, "FORMATS"),
    tagged("FunctionShellToolParam.environment", shell, "ENVIRONMENTS", refused=True),
    tagged("ChatCompletionRequestTool", chat_request, "TOOLS"),
    tagged("CustomToolChatCompletions.custom.format", chat_request, "INPUT_FORMATS"),
    # answers
    tagged("ResponseStreamEvent", responses_to_responses, "EVENTS"),
    tagged("ResponseStreamEvent", responses_to_chat_chunks, "EVENTS"),
    tagged("ResponseStreamEvent", response_events, "EMITTED", "NEVER"),
    tagged("ResponseStreamEvent", endings, "TERMINAL", partial=True),
    tagged("OutputItem", upstream_item_writer, "OUTPUT"),
    tagged("OutputItem", responses_to_chat_completion, "OUTPUT"),
    tagged("OutputItem", tools, "FORMS", more=True, rows_in=item_resource),
    tagged("OutputContent", upstream_output, "PARTS", more=True),
    tagged("Annotation", responses_to_chat_completion, "ANNOTATIONS"),
    tagged("Response.status", upstream_events, "ENDS"),
    tagged("Response.incomplete_details.reason", responses_to_chat_completion, "FINISHED"),
    tagged("ResponseErrorCode", upstream_events, "CODES"),
    fielded("ResponseUsage", upstream_events, "COUNTS", "DETAILS"),
    *(
        Rules(
            f"ResponseUsage.{name}",
            file_of(upstream_events),
            "DETAILS or NESTED",
            frozenset({*counts, *upstream_events.NESTED.get(name, ())}),
            of_fields=True,
        )
        for name, counts in upstream_events.DETAILS.items()
    ),
    tagged("ResponseErrorCode", failures, "RESPONSE_CODES", partial=True),
    tagged("ItemResource", tools, "FORMS", more=True, rows_in=item_resource),
    opened(),
    tagged(f"{CHOICES}.finish_reason", endings, "INCOMPLETE", more=True),
    *by_schema(
        chat_fields,
        "CHUNK_FIELDS",
        {
            "CreateChatCompletionStreamResponseChoice": CHOICES,
            "CompletionUsagePromptTokensDetails": "CompletionUsage.prompt_tokens_details",
            "CompletionUsageCompletionTokensDetails": "CompletionUsage.completion_tokens_details",
        },
    ),
    *by_schema(chat_chunk, "COMPLETION_FIELDS", {}),
)
"""Tables with one rule a name."""

OF_MEMBERS = f"{file_of(members)}, or to the members of its kind in src/wireloom/translate/tools"

MEMBERS: Sequence[Members] = (
    *(
        Members(union, OF_MEMBERS, "CARRIED or LEFT_OUT", tools.CARRIED, frozenset(members.LEFT_OUT))
        for union in ("InputItem", "MessageContentParam", "Tool")
    ),
    *(
        Members(
            union,
            file_of(chat_members),
            f"{name} or LEFT_OUT",
            getattr(chat_members, name),
            frozenset(chat_members.LEFT_OUT),
        )
        for union, name in (
            ("ChatCompletionRequestMessage", "MESSAGES"),
            ("ChatCompletionRequestUserMessageContentPart", "PARTS"),
            ("ChatCompletionRequestAssistantMessageContentPart", "PARTS"),
            ("ChatCompletionRequestToolCall", "CALLS"),
            ("ChatCompletionRequestTool", "TOOLS"),
        )
    ),
    Members(
        "ResponseStreamEvent",
        file_of(response_events),
        "EMITTED or OMITTED",
        response_events.EMITTED,
        frozenset(response_events.OMITTED),
    ),
)
"""Tables of the fields of each member of a union."""
