"""Which events and members of the contract a response stream holds, and why the others never come."""

from __future__ import annotations

from collections.abc import Mapping

_AT = "item_id output_index"

EMITTED: Mapping[str, frozenset[str]] = {
    kind: frozenset(("type", "sequence_number", *members.split()))
    for kind, members in {
        "response.created": "response",
        "response.in_progress": "response",
        "response.output_item.added": "output_index item",
        "response.output_item.done": "output_index item",
        "response.content_part.added": f"{_AT} content_index part",
        "response.content_part.done": f"{_AT} content_index part",
        "response.output_text.delta": f"{_AT} content_index delta logprobs",
        "response.output_text.done": f"{_AT} content_index text logprobs",
        "response.output_text.annotation.added": f"{_AT} content_index annotation_index annotation",
        "response.refusal.delta": f"{_AT} content_index delta",
        "response.refusal.done": f"{_AT} content_index refusal",
        "response.reasoning_text.delta": f"{_AT} content_index delta",
        "response.reasoning_text.done": f"{_AT} content_index text",
        "response.reasoning_summary_part.added": f"{_AT} summary_index part",
        "response.reasoning_summary_part.done": f"{_AT} summary_index part",
        "response.reasoning_summary_text.delta": f"{_AT} summary_index delta",
        "response.reasoning_summary_text.done": f"{_AT} summary_index text",
        "response.function_call_arguments.delta": f"{_AT} delta",
        "response.function_call_arguments.done": f"{_AT} name arguments",
        "response.custom_tool_call_input.delta": f"{_AT} delta",
        "response.custom_tool_call_input.done": f"{_AT} input",
        "response.shell_call_command.added": "output_index command_index command",
        "response.shell_call_command.delta": "output_index command_index delta",
        "response.shell_call_command.done": "output_index command_index command",
        "response.completed": "response",
        "response.incomplete": "response",
        "response.failed": "response",
        "error": "code message param error",
    }.items()
}
"""Types of the events this grammar writes, and the members of each."""

OMITTED: Mapping[str, str] = {
    "obfuscation": "no event is padded",
    "status": "a summary that ends early stands in an item that does",
}
"""Other members of these events, and why they are never written."""

NEVER: Mapping[str, str] = {
    "response.queued": "no response waits in the background",
    "response.compaction.compacting": "a compaction is a request of its own, and answers with one item",
    **dict.fromkeys(
        ("response.steer.accepted", "response.steer.pending", "response.steer.failed"),
        "steering takes a WebSocket, which is not served",
    ),
    **dict.fromkeys(
        (
            "response.audio.delta",
            "response.audio.done",
            "response.audio.transcript.delta",
            "response.audio.transcript.done",
        ),
        "no answer is spoken",
    ),
    **dict.fromkeys(
        (
            "response.code_interpreter_call.in_progress",
            "response.code_interpreter_call.interpreting",
            "response.code_interpreter_call.completed",
            "response.code_interpreter_call_code.delta",
            "response.code_interpreter_call_code.done",
            "response.file_search_call.in_progress",
            "response.file_search_call.searching",
            "response.file_search_call.completed",
            "response.image_generation_call.in_progress",
            "response.image_generation_call.generating",
            "response.image_generation_call.partial_image",
            "response.image_generation_call.completed",
            "response.mcp_call.in_progress",
            "response.mcp_call.completed",
            "response.mcp_call.failed",
            "response.mcp_call_arguments.delta",
            "response.mcp_call_arguments.done",
            "response.mcp_list_tools.in_progress",
            "response.mcp_list_tools.completed",
            "response.mcp_list_tools.failed",
            "response.shell_call_output_content.delta",
            "response.shell_call_output_content.done",
            "response.web_search_call.in_progress",
            "response.web_search_call.searching",
            "response.web_search_call.completed",
        ),
        "no tool runs inside the gateway",
    ),
}
"""Types of the contract's other events, and why they are never written."""
