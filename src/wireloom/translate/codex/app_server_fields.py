"""The members, kinds and words of the app-server's messages that are not used, and why.

The members that are used stand in `openapi/app_server_read.toml`, from which the structs of the messages are compiled. A
test compares both lists with the contract: a member that a newer CLI brings has to be in one of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from wireloom.translate.rules.loss import How, Rule

_TIMES = "the gateway has its own clock"
_TURN = "a thread of the gateway has one turn"
_AS_IT_CAME = "the item is passed on as it came, and read as that of any Responses upstream"
_SET = "it repeats the request, or the user's configuration"
_AGENT = "it steers an agent, or a client with a window"
_OWN_THREAD = "a thread of the gateway is known by its id alone"
_DESCRIBES = "it describes the model to people, or holds offers of the service"
_ACCOUNT = "the account is Codex's own affair"
_DEFAULT = "the default is right"

# Schema -> (reason, names of the members that it holds for).
_UNUSED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ErrorNotification": ((_TURN, "turnId"),),
    "ItemStartedNotification": ((_TURN, "turnId"), (_TIMES, "startedAtMs")),
    "ItemCompletedNotification": (
        (_TURN, "turnId"),
        (_TIMES, "completedAtMs"),
        ("usage comes with each model call", "contentTokenCount"),
    ),
    "AgentMessageDeltaNotification": ((_TURN, "turnId"),),
    "ReasoningSummaryTextDeltaNotification": ((_TURN, "turnId"),),
    "ReasoningTextDeltaNotification": ((_TURN, "turnId"),),
    "RawResponseCompletedNotification": (
        (_TURN, "turnId"),
        ("the response has an id of the gateway's own", "responseId"),
        ("its numbers are those of `usage`, in the provider's words", "usageMetadata"),
    ),
    "DynamicToolCallParams": (
        (_TURN, "turnId"),
        ("the raw item has the name, and the arguments as the model wrote them", "tool arguments"),
        ("tools are offered without one", "namespace"),
    ),
    "JSONRPCErrorError": (("every refusal has the same code", "code"), ("it may hold anything", "data")),
    "ThreadStartResponse": (
        (
            _SET,
            "activePermissionProfile approvalPolicy approvalsReviewer cwd disabledPluginIds instructionSources model "
            "modelProvider multiAgentMode reasoningEffort runtimeWorkspaceRoots sandbox serviceTier",
        ),
    ),
    "GetAccountResponse": ((_ACCOUNT, "userId workspaceRouting"),),
    "Thread": (
        (
            _OWN_THREAD,
            "agentNickname agentRole attachedToThreadId canAcceptDirectInput cliVersion createdAt cwd daybreakEnabled "
            "environments ephemeral extra forkedFromId gitInfo historyMode model modelProvider name originator "
            "parentThreadId path preview projectId reasoningEffort recencyAt section sectionEnteredAt sessionId source "
            "status threadSource turns updatedAt",
        ),
    ),
    "Turn": (
        (_TIMES, "startedAt completedAt durationMs"),
        ("only the last message is needed", "itemsView"),
        (_TURN, "rootTurnId"),
    ),
    "TurnError": (("the message and the word of the failure are enough", "misalignment"),),
    "ThreadItem.agentMessage": (
        (_TIMES, "startedAtMs completedAtMs"),
        ("the deltas and the raw item have it", "text phase"),
        ("answers are not delivered later here", "delivery"),
        ("a memory is never used", "memoryCitation"),
        ("nobody is there to answer", "questions"),
    ),
    "AgentMessageModeration": (("the display is the instruction that follows from it", "moderated"),),
    "AgentMessageDisplay.show": (
        ("a note for the provider's own client", "annotation trustedContacts"),
        ("the members are read by their names", "version"),
    ),
    "AgentMessageDisplay.hide": (("the members are read by their names", "version"),),
    "AgentMessageDisplay.block": (("the members are read by their names", "version"),),
    "BlockReason.cyber": (("an offer of the provider's own client", "trustedAccess"),),
    "ResponseItem.message": (
        (_AS_IT_CAME, "content encrypted_content internal_chat_message_metadata_passthrough phase status"),
    ),
    "ResponseItem.reasoning": (
        (_AS_IT_CAME, "content encrypted_content id internal_chat_message_metadata_passthrough summary"),
    ),
    "ResponseItem.function_call": (
        (
            _AS_IT_CAME,
            "encrypted_content encrypted_function_args id internal_chat_message_metadata_passthrough namespace status",
        ),
    ),
    "RateLimitSnapshot": (
        (
            "the headers have the two windows alone",
            "credits individualLimit limitId limitName normalModelSlug planType rateLimitReachedType "
            "spendControlReached",
        ),
    ),
    "Model": (
        (
            _DESCRIBES,
            "id displayName description additionalSpeedTiers availabilityNux availableAccessPrograms "
            "defaultServiceTier modelSpecialty serviceTiers upgrade upgradeInfo",
        ),
        ("Codex takes it where none is asked for", "defaultReasoningEffort"),
        (_AGENT, "multiAgentVersion supportsPersonality"),
    ),
    "ReasoningEffortOption": ((_DESCRIBES, "description"),),
    "InitializeCapabilities": (
        (_DEFAULT, "explicitGatewayOauth extensions requestAttestation"),
        ("nothing is asked of people here", "mcpServerOpenaiFormElicitation requiredHumanApproval"),
    ),
    "ModelListParams": ((_DEFAULT, "includeHidden limit modelProvider"),),
    "ThreadStartParams": (
        (_DEFAULT, "allowProviderModelFallback historyMode modelProvider runtimeWorkspaceRoots serviceName"),
        ("the turn has it", "serviceTier"),
        (
            _AGENT,
            "approvalsReviewer daybreakEnabled multiAgentMode permissions personality projectId "
            "selectedCapabilityRoots sessionStartSource threadSource",
        ),
        ("a test of the protocol", "mockExperimentalField"),
    ),
    "DynamicToolSpec.function": (("every tool is offered at once", "deferLoading"),),
    "TurnStartParams": (
        (
            "the thread has it",
            "approvalPolicy cwd environments model permissions sandboxPolicy runtimeWorkspaceRoots",
        ),
        ("the conversation is in the items of the thread", "additionalContext toolOutput"),
        (_DEFAULT, "serviceTierForTurn disabledPluginIds"),
        (
            "the client's metadata is not the provider's",
            "responsesapiClientMetadata responsesapiClientMetadataPatch",
        ),
        (_TURN, "clientUserMessageId parentTurnId rootTurnId turnTrigger"),
        (_AGENT, "approvalsReviewer collaborationMode cyberAccessProgram multiAgentMode personality"),
    ),
}

UNUSED: Mapping[str, str] = {
    f"{schema}.{name}": reason
    for schema, rows in _UNUSED.items()
    for reason, names in rows
    for name in names.split()
}
"""Member, as `Schema.member`, with branches as `Union.tag.member` -> the reason for which it is not used."""

_RAW = "the raw item holds all of it"
_OWN = "Codex did it by itself, under --agent alone"

THREAD_ITEMS: Mapping[str, Rule[None]] = {
    "agentMessage": Rule(How.NATIVE, None, "its display; its text comes in deltas and in the raw item"),
    **{
        kind: Rule(How.IGNORED, None, reason)
        for kind, reason in {
            "reasoning": _RAW,
            "dynamicToolCall": _RAW,
            "userMessage": "it came from here",
            "functionCallOutput": "it came from here",
            "hookPrompt": "hooks are never used",
            "plan": _OWN,
            "commandExecution": _OWN,
            "fileChange": _OWN,
            "mcpToolCall": _OWN,
            "collabAgentToolCall": _OWN,
            "subAgentActivity": _OWN,
            "webSearch": _OWN,
            "imageView": _OWN,
            "sleep": _OWN,
            "imageGeneration": _OWN,
            "enteredReviewMode": _OWN,
            "exitedReviewMode": _OWN,
            "contextCompaction": _OWN,
        }.items()
    },
}
"""Kind of an item of a thread -> its treatment."""

SENT_KINDS: Mapping[str, Mapping[str, str]] = {
    "DynamicToolSpec": {
        "function": "every tool of the client",
        "namespace": "never sent: the names of a namespace's tools hold it",
    },
    "DynamicToolCallOutputContentItem": {
        "inputText": "text",
        "inputImage": "a picture, as a data URL",
        "inputAudio": "never sent: no output of a tool holds sound",
    },
}
"""Union in a message that is sent -> its kinds."""

WORDS: Mapping[str, Mapping[str, str]] = {
    "TurnStatus": {
        "completed": "the response is complete",
        "failed": "the response fails, or ends as incomplete",
        "interrupted": "the response fails: the turn was broken off",
        "inProgress": "the response fails: a turn that is over does not go on",
    },
    "InputModality": {
        "text": "listed with the model",
        "image": "listed with the model",
        "audio": "not listed: sound cannot be sent",
    },
}
"""Enumeration -> the consequence of each word."""

# -- messages and items that add nothing to an answer, each with the reason ---------------------------------------

_OWN_MESSAGE = "Codex does it by itself, under --agent alone"
_STATE = "describes the thread, not the answer"
_ACCOUNT_MESSAGE = "the login is Codex's own affair"
_REMARK = "a remark for people at a terminal"

NOTIFICATIONS: Mapping[str, str] = {
    "item/reasoning/summaryPartAdded": "a part begins with its first text",
    "thread/tokenUsage/updated": "each model call sends its usage, and earlier",
    "turn/diff/updated": _OWN_MESSAGE,
    "turn/plan/updated": _OWN_MESSAGE,
    "item/plan/delta": _OWN_MESSAGE,
    "item/commandExecution/outputDelta": _OWN_MESSAGE,
    "item/commandExecution/terminalInteraction": _OWN_MESSAGE,
    "item/fileChange/outputDelta": _OWN_MESSAGE,
    "item/fileChange/patchUpdated": _OWN_MESSAGE,
    "item/mcpToolCall/progress": _OWN_MESSAGE,
    "mcpServer/startupStatus/updated": _OWN_MESSAGE,
    "thread/started": _STATE,
    "thread/status/changed": _STATE,
    "thread/settings/updated": _STATE,
    "thread/compacted": _STATE,
    "thread/archived": _STATE,
    "thread/closed": _STATE,
    "serverRequest/resolved": _STATE,
    "model/safetyBuffering/updated": _STATE,
    "turn/moderationMetadata": "its form is the provider's own; the mark of a message stands in its item",
    "account/updated": _ACCOUNT_MESSAGE,
    "modelProvider/authRecoveryStarted": _ACCOUNT_MESSAGE,
    "modelProvider/authRecoveryCompleted": _ACCOUNT_MESSAGE,
    "model/verification": _ACCOUNT_MESSAGE,
    "model/rerouted": "the response names the model that was asked for",
    "warning": _REMARK,
    "guardianWarning": _REMARK,
    "configWarning": _REMARK,
    "deprecationNotice": _REMARK,
    "remoteControl/status/changed": "holds the host's name, which goes nowhere",
}
"""Notification -> the reason for which it is not read."""

_ECHO = "it came from here"
_AGENT_MESSAGE = "Codex ran it itself, under --agent alone"

RAW_ITEMS: Mapping[str, str] = {
    "function_call_output": _ECHO,
    "additional_tools": _ECHO,
    "configuration_update": _ECHO,
    "agent_message": _AGENT_MESSAGE,
    "local_shell_call": _AGENT_MESSAGE,
    "custom_tool_call": _AGENT_MESSAGE,
    "custom_tool_call_output": _AGENT_MESSAGE,
    "tool_search_call": _AGENT_MESSAGE,
    "tool_search_output": _AGENT_MESSAGE,
    "web_search_call": _AGENT_MESSAGE,
    "image_generation_call": _AGENT_MESSAGE,
    "compaction": _AGENT_MESSAGE,
    "compaction_trigger": _AGENT_MESSAGE,
    "context_compaction": _AGENT_MESSAGE,
    "other": "of a kind that Codex does not know itself",
}
"""Kind of a raw item -> the reason for which it is not passed on."""
