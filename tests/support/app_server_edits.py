"""Edits of the app-server contract, as newer and older releases of the CLI make them, and the sentences that a maintainer then reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codegen.review_app_server import METHODS_FILE, READ_FILE
from wireloom.translate.codex import app_server_fields

Json = dict[str, Any]
TRANSLATE = "src/wireloom/translate"
READER = f"{TRANSLATE}/codex/app_server_reader.py"
IGNORED = f"{TRANSLATE}/codex/app_server_fields.py"
FIELDS = f"{TRANSLATE}/codex/app_server_fields.py"
ERRORS = f"{TRANSLATE}/codex/errors.py"
DISPLAY = f"{TRANSLATE}/codex/answer_display.py"
HOMES = {
    "client_requests": "METHODS in src/wireloom/backends/codex/calls.py",
    "client_notifications": "Connection.greet in src/wireloom/backends/codex/connection.py",
    "server_requests": f"REQUESTS in {TRANSLATE}/codex/server_requests.py",
    "server_notifications": f"NOTIFICATIONS in {READER}, or in {IGNORED}",
    "ResponseItem": f"ITEMS in {READER}, or RAW_ITEMS in {IGNORED}",
    "ThreadItem": f"THREAD_ITEMS in {FIELDS}",
    "AgentMessageDisplay": f"DISPLAYS in {DISPLAY}",
    "AnswerReplacement": f"REPLACEMENTS in {DISPLAY}",
    "BlockReason": f"REASONS in {DISPLAY}",
    "CodexErrorInfo": f"KINDS, or DETAILED, in {ERRORS}",
    **dict.fromkeys(app_server_fields.SENT_KINDS, f"SENT_KINDS in {FIELDS}"),
    **dict.fromkeys(app_server_fields.WORDS, f"WORDS in {FIELDS}"),
    "unread": f"UNUSED in {FIELDS}",
}

Edit = Callable[[Json], None]


def properties(base: Json, path: str) -> Json:
    """The members of a schema or of a branch of a union."""
    name, _, tag = path.partition(".")
    schema = base["definitions"][name]
    if not tag:
        found: Json = schema["properties"]
        return found
    for branch in schema.get("oneOf") or schema["anyOf"]:
        if is_tagged(branch, tag):
            within: Json = branch["properties"]
            return within
    raise KeyError(path)


def is_tagged(branch: Json, tag: str) -> bool:
    """Return whether a branch of a union has a tag."""
    fields = branch.get("properties", {}).values()
    return any(isinstance(field, dict) and field.get("enum") == [tag] for field in fields)


def new(path: str, member: str, field: Any) -> Edit:
    return lambda base: properties(base, path).update({member: field})


def gone(path: str, member: str) -> Edit:
    return lambda base: properties(base, path).pop(member)


def branch(union: str, **fields: Any) -> Edit:
    added = {"type": "object", "properties": fields, "required": list(fields)}
    return lambda base: base["definitions"][union]["oneOf"].append(added)


def no_branch(union: str, tag: str) -> Edit:
    def edit(base: Json) -> None:
        branches = base["definitions"][union]["oneOf"]
        branches[:] = [each for each in branches if not is_tagged(each, tag)]

    return edit


def word(name: str, added: str) -> Edit:
    def edit(base: Json) -> None:
        schema = base["definitions"][name]
        (schema if "enum" in schema else schema["anyOf"][0])["enum"].append(added)

    return edit


def no_word(name: str, removed: str) -> Edit:
    def edit(base: Json) -> None:
        schema = base["definitions"][name]
        (schema if "enum" in schema else schema["anyOf"][0])["enum"].remove(removed)

    return edit


def other(table: str, method: str) -> Edit:
    return lambda base: base["others"][table].append(method)


def compiled(table: str, method: str) -> Edit:
    return lambda base: base["methods"][table].update({method: {}})


def not_compiled(table: str, method: str) -> Edit:
    return lambda base: base["methods"][table].pop(method)


def redefined(name: str, schema: Any) -> Edit:
    return lambda base: base["definitions"].update({name: schema})


def no_window(base: Json) -> None:
    del base["definitions"]["RateLimitWindow"]
    for member in ("primary", "secondary"):
        del properties(base, "RateLimitSnapshot")[member]


# As it was in 0.169: an object, and no union.
EARLIER_DISPLAY: Json = {
    "type": "object",
    "properties": {"action": {"type": "string"}, "blockType": {"type": ["string", "null"]}},
    "required": ["action"],
}
EDITS: dict[str, tuple[Edit, list[str]]] = {
    "a request of a client": (
        other("client_requests", "turn/replay"),
        [
            f"The client request turn/replay is new. Compile it, or give the reason why it stays out: "
            f"[client_requests] and [left_out.client_requests] in {METHODS_FILE}."
        ],
    ),
    "a notification": (
        other("server_notifications", "turn/refused"),
        [
            f"The server notification turn/refused is new. Compile it, or give the reason why it stays out: "
            f"[server_notifications] and [left_out.server_notifications] in {METHODS_FILE}."
        ],
    ),
    "a compiled notification": (
        compiled("server_notifications", "item/hologram/delta"),
        [
            "The server notification item/hologram/delta has no rule. "
            f"Its rule belongs in {HOMES['server_notifications']}."
        ],
    ),
    "a compiled request of the server": (
        compiled("server_requests", "location/read"),
        [f"The server request location/read has no rule. Its rule belongs in {HOMES['server_requests']}."],
    ),
    "a compiled request of a client": (
        compiled("client_requests", "turn/replay"),
        [f"The client request turn/replay has no rule. Its rule belongs in {HOMES['client_requests']}."],
    ),
    "a notification with other params": (
        lambda base: base["methods"]["server_notifications"]["turn/completed"].update(params="TurnEnded"),
        [
            "The server notification turn/completed has the params TurnEnded now, of which nothing is listed: "
            f"[read.TurnEnded] in {READ_FILE}."
        ],
    ),
    "a request of a client with another result": (
        lambda base: base["methods"]["client_requests"]["thread/start"].update(result="Thread2"),
        [
            "The client request thread/start has the result Thread2 now, of which nothing is listed: "
            f"[read.Thread2] in {READ_FILE}."
        ],
    ),
    "a member that has to be sent": (
        lambda base: base["definitions"]["TurnStartParams"]["required"].append("cwd"),
        [f"TurnStartParams.cwd has to be sent. Send it, and list it in {READ_FILE}."],
    ),
    "a request of the server that is gone": (
        not_compiled("server_requests", "attestation/generate"),
        [
            "The server request attestation/generate is gone from the contract. "
            f"Take its rule out of {HOMES['server_requests']}."
        ],
    ),
    "a method that stays out, gone": (
        lambda base: base["others"]["server_notifications"].remove("hook/started"),
        [
            "No server notification is called hook/started any more. "
            f"Take it out of [left_out.server_notifications] in {METHODS_FILE}."
        ],
    ),
    "a member of a message": (
        new("ThreadItem.agentMessage", "mood", {"type": "string"}),
        [
            f"ThreadItem.agentMessage.mood is new (string). If it is used, list it in {READ_FILE}; "
            f"if not, give the reason in {HOMES['unread']}."
        ],
    ),
    "a member of every item": (
        lambda base: base["definitions"]["ThreadItem"]["properties"].update({"shard": {"type": "integer"}}),
        [
            f"ThreadItem.agentMessage.shard is new (integer). If it is used, list it in {READ_FILE}; "
            f"if not, give the reason in {HOMES['unread']}."
        ],
    ),
    "a member of the end of a turn": (
        new("TurnCompletedNotification", "verdict", {"$ref": "#/definitions/TurnStatus"}),
        [
            f"TurnCompletedNotification.verdict is new (TurnStatus). If it is used, list it in {READ_FILE}; "
            f"if not, give the reason in {HOMES['unread']}."
        ],
    ),
    "a member of an error": (
        new("ErrorNotification", "retryAt", {"type": ["integer", "null"]}),
        [
            f"ErrorNotification.retryAt is new (integer?). If it is used, list it in {READ_FILE}; "
            f"if not, give the reason in {HOMES['unread']}."
        ],
    ),
    "a member of a call": (
        new("DynamicToolCallParams", "deadline", True),
        [
            f"DynamicToolCallParams.deadline is new (any). If it is used, list it in {READ_FILE}; "
            f"if not, give the reason in {HOMES['unread']}."
        ],
    ),
    "a member of a message that is sent": (
        new("TurnStartParams", "maxOutputTokens", {"type": ["integer", "null"]}),
        [
            f"TurnStartParams.maxOutputTokens is new (integer?). If it is used, list it in {READ_FILE}; "
            f"if not, give the reason in {HOMES['unread']}."
        ],
    ),
    "a member that is used, gone": (
        gone("TurnError", "message"),
        [f"TurnError.message is gone. Take it out of {READ_FILE}, and correct its readers."],
    ),
    "a member that is not used, gone": (
        gone("Turn", "durationMs"),
        [f"Turn.durationMs is gone. Take it out of {HOMES['unread']}."],
    ),
    "a member of another type": (
        new("AgentMessageDeltaNotification", "delta", {"type": "array", "items": {"type": "string"}}),
        [
            "AgentMessageDeltaNotification.delta was string and is [string] now. "
            f"Correct its readers, then its type in {READ_FILE}."
        ],
    ),
    "a member that may be null": (
        new("RateLimitWindow", "usedPercent", {"type": ["number", "null"]}),
        [
            "RateLimitWindow.usedPercent was integer and is number? now. "
            f"Correct its readers, then its type in {READ_FILE}."
        ],
    ),
    "a member that holds a schema of which nothing is known": (
        lambda base: (
            properties(base, "Turn").update(status={"$ref": "#/definitions/Verdict"}),
            base["definitions"].update(Verdict={"enum": ["fine"], "type": "string"}),
        )[0],
        [
            f"Turn.status was TurnStatus and is Verdict now. Correct its readers, then its type in {READ_FILE}.",
            "Turn.status holds Verdict, of which nothing is listed: "
            f"[read.Verdict] in {READ_FILE}, or a table of its kinds or words.",
        ],
    ),
    "a plain word that becomes an object": (
        redefined("ReasoningEffort", {"type": "object", "properties": {"level": {"type": "string"}}}),
        [
            "ReasoningEffortOption.reasoningEffort was string and is ReasoningEffort now. "
            f"Correct its readers, then its type in {READ_FILE}.",
            "TurnStartParams.effort was string? and is ReasoningEffort? now. "
            f"Correct its readers, then its type in {READ_FILE}.",
            "ReasoningEffortOption.reasoningEffort holds ReasoningEffort, of which nothing is listed: "
            f"[read.ReasoningEffort] in {READ_FILE}, or a table of its kinds or words.",
        ],
    ),
    "an object that becomes a union": (
        redefined(
            "TokenUsageBreakdown", {"oneOf": [{"type": "string", "enum": ["none"]}, {"type": "integer"}]}
        ),
        [
            "TokenUsageBreakdown is a union now: 'none' | integer. "
            f"Correct the readers of TokenUsageBreakdown, then its lines in {READ_FILE}."
        ],
    ),
    "the display of a message as it was in 0.169": (
        redefined("AgentMessageDisplay", EARLIER_DISPLAY),
        [
            *(
                f"AgentMessageDisplay has the kind {kind} no longer. Take its rule out of {HOMES['AgentMessageDisplay']}."
                for kind in ("block", "hide", "show")
            ),
            *(
                "AgentMessageDisplay is no union any more: its members are action, blockType. "
                f"Correct the readers of AgentMessageDisplay.{kind}, then its lines in {READ_FILE}."
                for kind in ("show", "hide", "block")
            ),
        ],
    ),
    "a schema that is gone": (
        no_window,
        [
            *(
                f"RateLimitSnapshot.{member} is gone. Take it out of {READ_FILE}, and correct its readers."
                for member in ("primary", "secondary")
            ),
            f"The schema RateLimitWindow is gone. Correct the readers of RateLimitWindow, then its lines in {READ_FILE}.",
        ],
    ),
    "a word for a failure": (
        word("CodexErrorInfo", "radioPolicy"),
        [f"CodexErrorInfo has the new word radioPolicy. Its rule belongs in {HOMES['CodexErrorInfo']}."],
    ),
    "a word for a failure, gone": (
        no_word("CodexErrorInfo", "tooManyDenials"),
        [
            f"CodexErrorInfo has the word tooManyDenials no longer. Take its rule out of {HOMES['CodexErrorInfo']}."
        ],
    ),
    "a status of a turn": (
        word("TurnStatus", "refused"),
        [f"TurnStatus has the new word refused. Its rule belongs in {HOMES['TurnStatus']}."],
    ),
    "a failure with details": (
        lambda base: base["definitions"]["CodexErrorInfo"]["anyOf"].insert(
            2, {"properties": {"quotaUsed": {"type": "object"}}, "required": ["quotaUsed"], "type": "object"}
        ),
        [f"CodexErrorInfo has the new kind quotaUsed. Its rule belongs in {HOMES['CodexErrorInfo']}."],
    ),
    "a kind of item": (
        branch("ThreadItem", type={"enum": ["hologram"], "type": "string"}, id={"type": "string"}),
        [f"ThreadItem has the new kind hologram. Its rule belongs in {HOMES['ThreadItem']}."],
    ),
    "a kind of raw item": (
        branch("ResponseItem", type={"enum": ["hologram_call"], "type": "string"}),
        [f"ResponseItem has the new kind hologram_call. Its rule belongs in {HOMES['ResponseItem']}."],
    ),
    "a kind of item, gone": (
        no_branch("ThreadItem", "sleep"),
        [f"ThreadItem has the kind sleep no longer. Take its rule out of {HOMES['ThreadItem']}."],
    ),
    "a kind of item that is read, gone": (
        no_branch("ResponseItem", "function_call"),
        [
            f"ResponseItem has the kind function_call no longer. Take its rule out of {HOMES['ResponseItem']}.",
            "ResponseItem has the kind function_call no longer. "
            f"Correct the readers of ResponseItem.function_call, then its lines in {READ_FILE}.",
        ],
    ),
    "a way to display a message": (
        branch("AgentMessageDisplay", mode={"enum": ["blur"], "type": "string"}, version={"enum": [1]}),
        [f"AgentMessageDisplay has the new kind blur. Its rule belongs in {HOMES['AgentMessageDisplay']}."],
    ),
    "a reason to block a message": (
        branch("BlockReason", kind={"enum": ["bio"], "type": "string"}),
        [f"BlockReason has the new kind bio. Its rule belongs in {HOMES['BlockReason']}."],
    ),
    "a replacement of a message": (
        branch("AnswerReplacement", kind={"enum": ["poem"], "type": "string"}),
        [f"AnswerReplacement has the new kind poem. Its rule belongs in {HOMES['AnswerReplacement']}."],
    ),
    "a kind of tool": (
        branch("DynamicToolSpec", type={"enum": ["custom"], "type": "string"}, name={"type": "string"}),
        [f"DynamicToolSpec has the new kind custom. Its rule belongs in {HOMES['DynamicToolSpec']}."],
    ),
}
