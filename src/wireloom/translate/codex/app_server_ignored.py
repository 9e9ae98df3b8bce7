"""The messages and items of the app-server that add nothing to an answer, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

_OWN = "Codex does it by itself, under --agent alone"
_STATE = "describes the thread, not the answer"
_ACCOUNT = "the login is Codex's own affair"
_REMARK = "a remark for people at a terminal"

NOTIFICATIONS: Mapping[str, str] = {
    "item/reasoning/summaryPartAdded": "a part begins with its first text",
    "thread/tokenUsage/updated": "each model call sends its usage, and earlier",
    "turn/diff/updated": _OWN,
    "turn/plan/updated": _OWN,
    "item/plan/delta": _OWN,
    "item/commandExecution/outputDelta": _OWN,
    "item/commandExecution/terminalInteraction": _OWN,
    "item/fileChange/outputDelta": _OWN,
    "item/fileChange/patchUpdated": _OWN,
    "item/mcpToolCall/progress": _OWN,
    "mcpServer/startupStatus/updated": _OWN,
    "thread/started": _STATE,
    "thread/status/changed": _STATE,
    "thread/settings/updated": _STATE,
    "thread/compacted": _STATE,
    "thread/archived": _STATE,
    "thread/closed": _STATE,
    "serverRequest/resolved": _STATE,
    "model/safetyBuffering/updated": _STATE,
    "turn/moderationMetadata": "its form is the provider's own; the mark of a message stands in its item",
    "account/updated": _ACCOUNT,
    "modelProvider/authRecoveryStarted": _ACCOUNT,
    "modelProvider/authRecoveryCompleted": _ACCOUNT,
    "model/verification": _ACCOUNT,
    "model/rerouted": "the response names the model that was asked for",
    "warning": _REMARK,
    "guardianWarning": _REMARK,
    "configWarning": _REMARK,
    "deprecationNotice": _REMARK,
    "remoteControl/status/changed": "holds the host's name, which goes nowhere",
}
"""Notification -> the reason for which it is not read."""

_ECHO = "it came from here"
_AGENT = "Codex ran it itself, under --agent alone"

RAW_ITEMS: Mapping[str, str] = {
    "function_call_output": _ECHO,
    "additional_tools": _ECHO,
    "configuration_update": _ECHO,
    "agent_message": _AGENT,
    "local_shell_call": _AGENT,
    "custom_tool_call": _AGENT,
    "custom_tool_call_output": _AGENT,
    "tool_search_call": _AGENT,
    "tool_search_output": _AGENT,
    "web_search_call": _AGENT,
    "image_generation_call": _AGENT,
    "compaction": _AGENT,
    "compaction_trigger": _AGENT,
    "context_compaction": _AGENT,
    "other": "of a kind that Codex does not know itself",
}
"""Kind of a raw item -> the reason for which it is not passed on."""
