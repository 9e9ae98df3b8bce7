"""A quick look at Chat messages: whether they plainly keep all rules, as nearly all do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from wireloom.providers.profile import Profile
from wireloom.translate.conversation.arguments import is_object
from wireloom.wire.json import Json


def is_clean(messages: Sequence[Json], profile: Profile) -> bool:
    """Whether messages plainly keep the rules that `chat_rules.broken` knows; in doubt they do not.

    One loop without calls for most messages: this is what every request pays.

    Args:
        messages: of a Chat request.
        profile: what the upstream takes.
    """
    developer_role, system_anywhere = profile.developer_role, profile.system_anywhere
    users_in_a_row, user_after_tool = profile.users_in_a_row, profile.user_after_tool
    names, user_first = profile.message_name, profile.user_first
    before, begun = "", False
    due: list[Any] = []
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role == "tool":
            if not due or message.get("tool_call_id") != due.pop() or content.__class__ is not str:
                return False
            before = "tool"
            continue
        if due or ("name" in message and not names):
            return False
        calls = None
        if role == "user":
            if (before == "user" and not users_in_a_row) or (before == "tool" and not user_after_tool):
                return False
            begun = True
        elif role == "assistant":
            if before == "assistant" or (user_first and not begun):
                return False
            begun = True
            calls = message.get("tool_calls")
        elif role == "system" or (role == "developer" and developer_role):
            if before and not system_anywhere:  # before: these are joined, or stand too late
                return False
        else:
            return False
        if calls:
            if (content is not None and content.__class__ is not str) or not _are_clean(
                calls, message, profile
            ):
                return False
            due = [call["id"] for call in reversed(calls)]
        elif content.__class__ is not str or not content or content.isspace():
            return False
        before = role
    return not due and (before != "assistant" or profile.assistant_last)


def _are_clean(calls: Sequence[Any], message: Json, profile: Profile) -> bool:
    """Whether the calls of a message are functions with arguments and ids as the upstream wants them."""
    if profile.reasoning_replay != "never" and profile.reasoning_replay_field not in message:
        return False
    if profile.call_extra and not calls[0].get("extra_content"):
        return False
    pattern = profile.call_id_pattern
    seen = set()
    for call in calls:
        function = call.get("function")
        if function is None:
            return False
        arguments, call_id = function["arguments"], call["id"]
        if arguments != "{}" and not is_object(arguments):
            return False
        if pattern is not None and not re.fullmatch(pattern, call_id):
            return False
        seen.add(call_id)
    return len(seen) == len(calls)
