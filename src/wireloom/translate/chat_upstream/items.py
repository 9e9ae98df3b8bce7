"""Input items of a Responses request as the messages of a Chat request: every text kept, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from wireloom_protocol import responses as m

from wireloom.errors import InvalidRequest
from wireloom.providers.profile import Profile
from wireloom.translate.chat_upstream.messages import ChatMessages
from wireloom.translate.conversation.chat_rules import keep_rules
from wireloom.translate.conversation.hosted_calls import HOSTED
from wireloom.translate.conversation.notes import LOST_SUMMARY, SUMMARY
from wireloom.translate.conversation.parts import PARTS, agent_text
from wireloom.translate.options import Unseal
from wireloom.translate.rules.loss import How, Losses, Rule, Severity, refused
from wireloom.translate.tools.base import Tools
from wireloom.translate.tools.flatten import place
from wireloom.translate.tools.table import CALLS, OUTPUTS
from wireloom.wire.json import Json


def messages(
    instructions: str | None,
    items: str | Sequence[Any],
    tools: Tools,
    profile: Profile,
    losses: Losses,
    *,
    unseal: Unseal = lambda *_: None,
    recalled: int = 0,
) -> list[Json]:
    """Translate the conversation.

    Args:
        instructions: the request's instructions, which lead.
        items: the request's input, a text or a list of items.
        tools: the request's tools as they were flattened, for the names of calls.
        profile: what the upstream takes.
        losses: where what is left out is noted.
        unseal: opens what a client carries for the gateway.
        recalled: how many of the items come from history, so that they are not in the request.

    Raises:
        InvalidRequest: an item that cannot be carried and must not be left out.
    """
    build = ChatMessages(tools, profile, losses, unseal)
    if instructions:
        build.system("system", instructions)
    if isinstance(items, str):
        build.user([{"type": "text", "text": items}])
        return build.messages
    paths = [place(index, recalled) for index in range(len(items))]
    build.collect_outputs(paths, items)
    for position, (path, item) in enumerate(zip(paths, items, strict=True)):
        build.position = position
        ITEMS[item.type].apply(build, path, item)
    build.flush()
    if not build.messages:
        raise refused("input", "it holds nothing that can be said in Chat Completions", "unsupported_item")
    return keep_rules(build.messages, profile, losses, _input)


def _input(_: int) -> str:
    """The place of a message in the request: items and messages do not match one by one."""
    return "input"


# -- items ---------------------------------------------------------------------------------------------------------


def _message(build: ChatMessages, path: str, item: m.MessageItemParam) -> None:
    content = item.content
    parts: list[Json]
    if isinstance(content, str):
        parts = [{"type": "text", "text": content}]
    elif len(content) == 1 and content[0].type in ("input_text", "output_text"):  # nearly every message
        parts = [{"type": "text", "text": content[0].text}]
    else:
        at = f"{path}.content"
        parts = [PARTS[part.type].apply(build.at, f"{at}[{i}]", part) for i, part in enumerate(content)]
    if item.role == "user":
        build.user(parts)
        return
    for index, part in enumerate(parts):
        if part["type"] != "text":
            raise refused(f"{path}.content[{index}]", f"a message of role {item.role} holds text only")
    text = "".join(part["text"] for part in parts)
    if item.role == "assistant":
        build.say(text)
    else:
        build.system(item.role, text)


def _agent_message(build: ChatMessages, _: str, item: m.AgentMessageItemParam) -> None:
    build.user([{"type": "text", "text": agent_text(item)}])


def _call(build: ChatMessages, _: str, __: Any) -> None:
    build.recorded()


def _output(build: ChatMessages, path: str, _: Any) -> None:
    """Placed behind its call; calls that come after it were made in the light of it, so not at the same time."""
    build.flush()
    if build.position in build.strays:
        build.stray(path)


def _reasoning(build: ChatMessages, path: str, item: m.ReasoningItemParam) -> None:
    sealed = build.unseal("reasoning", item.encrypted_content) if item.encrypted_content else None
    state = sealed if isinstance(sealed, dict) else {}
    if state.keys() - {"text"}:
        build.restore_state(path, state)
        return
    # A seal that does not open is as good as none: what the client says openly is what is left.
    thought = state.get("text") or "\n\n".join(part.text for part in item.content or item.summary)
    if thought and build.profile.reasoning_replay == "never":
        reason = f"{build.profile.title} takes no reasoning back"
        build.losses.add(path, "dropped", reason, Severity.IMMATERIAL)
    build.think(thought)
    if not thought:
        build.losses.add(path, "dropped", "sealed elsewhere", Severity.IMMATERIAL)


def _hosted(build: ChatMessages, path: str, item: Any) -> None:
    reason = "told as a call with its output"
    build.losses.add(path, "emulated", reason, Severity.IMMATERIAL)
    call_id = item.id or f"call_{hashlib.sha256(path.encode()).hexdigest()[:12]}"
    build.happened(path, call_id, HOSTED[item.type](item))


def _compaction(build: ChatMessages, path: str, item: m.CompactionSummaryItemParam) -> None:
    opened = build.unseal("compaction", item.encrypted_content)
    if not isinstance(opened, dict) or not isinstance(opened.get("summary"), str):
        reason = "this summary was not made here, or for another key, so what it stands for is unknown"
        build.losses.add(f"{path}.encrypted_content", "dropped", reason)
        build.user([{"type": "text", "text": LOST_SUMMARY}])
        return
    build.user([{"type": "text", "text": SUMMARY + opened["summary"]}])


def _refused(_: ChatMessages, path: str, item: Any) -> None:
    raise refused(f"{path}.type", f"items of type {item.type} are not translated", "unsupported_item")


def _reference(_: ChatMessages, path: str, item: m.ItemReferenceParam) -> None:
    raise InvalidRequest(
        f"{path}: no item {item.id!r} is stored here.", code="item_not_found", param=f"{path}.id"
    )


def _uncallable(build: ChatMessages, path: str, _: m.MCPListTools) -> None:
    build.losses.add(path, "dropped", "none of them can be called here", Severity.IMMATERIAL)


def _nothing(_: ChatMessages, __: str, ___: Any) -> None:
    """Told elsewhere, or nothing that a model has to be told."""


ItemRule: TypeAlias = Rule[Callable[[ChatMessages, str, Any], None]]

_TRACE: ItemRule = Rule(How.EMULATED, _hosted, "a call with its output")
_CALL: ItemRule = Rule(How.EMULATED, _call, "a call of the function that stands for the tool")
_ANSWER = "a tool message"
_REFUSED: ItemRule = Rule(How.REFUSED, _refused, "it belongs to a tool that runs inside a provider")

ITEMS: Mapping[str, ItemRule] = {
    "message": Rule(How.NATIVE, _message),
    "agent_message": Rule(How.EMULATED, _agent_message, "a user message; who speaks to whom is in its text"),
    **dict.fromkeys(CALLS, _CALL),
    **dict.fromkeys(OUTPUTS, Rule(How.EMULATED, _output, _ANSWER)),
    "function_call": Rule(How.NATIVE, _call),
    "function_call_output": Rule(How.NATIVE, _output, "pictures follow as a user message"),
    "reasoning": Rule(How.NATIVE, _reasoning, "as the profile demands or forbids it"),
    "tool_search_output": Rule(How.EMULATED, _output, f"{_ANSWER}, and functions that can be called"),
    "additional_tools": Rule(How.EMULATED, _nothing, "functions that can be called"),
    **dict.fromkeys(HOSTED, _TRACE),
    "mcp_list_tools": Rule(How.IGNORED, _uncallable, "none of them can be called here"),
    "compaction": Rule(
        How.EMULATED, _compaction, "a user message with the summary; in place of a foreign one, a note"
    ),
    "compaction_trigger": Rule(
        How.EMULATED, _nothing, "the last item: the answer is a compaction; elsewhere it has been answered"
    ),
    "configuration_update": Rule(How.EMULATED, _nothing, "the last one says how much is thought"),
    "item_reference": Rule(How.EMULATED, _reference, "by the item that is stored; an unknown one is refused"),
    "mcp_approval_response": _REFUSED,
    "computer_call": _REFUSED,
    "computer_call_output": _REFUSED,
    "program": _REFUSED,
    "program_output": _REFUSED,
}
REFUSED = frozenset(kind for kind, rule in ITEMS.items() if rule is _REFUSED)
"""Types of items that refuse a request."""
