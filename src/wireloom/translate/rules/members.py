"""What becomes of each member of an item, a content part or a tool that is not refused: carried, or left out and why."""

from __future__ import annotations

from collections.abc import Mapping

CARRIED: Mapping[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        # items
        "message": "role content",
        "agent_message": "content",
        "reasoning": "content summary encrypted_content",
        "additional_tools": "tools",
        "web_search_call": "id action",
        "file_search_call": "id queries results",
        "code_interpreter_call": "id code outputs",
        "image_generation_call": "id result status output_format revised_prompt error",
        "mcp_call": "id server_label name arguments output error",
        "mcp_approval_request": "id server_label name arguments",
        "mcp_list_tools": "",
        "compaction": "encrypted_content",
        "compaction_trigger": "",
        "configuration_update": "reasoning text",
        "item_reference": "id",
        # content parts
        "input_text": "text",
        "output_text": "text",
        "refusal": "refusal",
        "input_image": "image_url detail file_id",
        "input_file": "file_data filename file_id file_url",
        "input_audio": "input_audio",
    }.items()
}
"""Type of an item or a part -> the members that are translated, or whose value rejects a request.

Those of tools, their calls and outputs stand with their kinds in `translate/tools/`.
"""

LEFT_OUT: Mapping[str, str] = {
    "type": "it chooses the line of the table",
    "id": "a Chat message has none; calls and their outputs are tied together by the call_id",
    "status": "what comes back has ended",
    "phase": "a Chat message has none; it stays in the history",
    "caller": "only the model calls here",
    "internal_chat_message_metadata_passthrough": "the client's own bookkeeping",
    "prompt_cache_breakpoint": "Chat upstreams find by themselves what they have cached",
    "annotations": "they were for the reader of the answer",
    "logprobs": "they were for the reader of the answer",
    "author": "the text of what agents write to each other says it",
    "recipient": "the text of what agents write to each other says it",
    "name": "the call has it",
    "namespace": "the call has it",
    "execution": "what matters is that it has happened",
    "environment": "the client knows where it runs",
    "max_output_length": "the output has been cut to it",
    "container_id": "the container is at the provider that ran it",
    "approval_request_id": "what was approved has been carried out",
    "role": "tools have no speaker",
    "server_label": "none of its tools can be called here",
    "tools": "none of them can be called here",
    "error": "none of its tools can be called here",
    "detail": "a file is sent whole",
    "output_schema": "only programs read it",
    "defer_loading": "every tool is offered at once",
    "allowed_callers": "only the model calls here",
    "async": "the model waits for what a call returns",
    "action": "the picture shows it",
    "background": "the picture shows it",
    "quality": "the picture shows it",
    "size": "the picture shows it",
    "svg_usage": "the provider that made the picture has counted it",
    "filters": "reported: no such setting upstream",
    "user_location": "reported: no such setting upstream",
    "search_context_size": "reported: no such setting upstream",
    "search_content_types": "the upstream's own search decides",
}
"""Member -> why its absence changes nothing, wherever it is not carried."""
