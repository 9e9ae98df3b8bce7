"""The rules that a Chat upstream has for a conversation: which of them messages break, and messages that keep them.

A conversation that breaks none is returned as it is. Else the first broken rule is corrected and all are looked at
again, so that a second pass changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from wireloom.providers.profile import Profile
from wireloom.translate.conversation import chat_calls as calls
from wireloom.translate.conversation import chat_corrections as corrections
from wireloom.translate.conversation import tool_pictures
from wireloom.translate.conversation.arguments import is_object
from wireloom.translate.conversation.chat_clean import is_clean
from wireloom.translate.conversation.chat_work import Work
from wireloom.translate.conversation.content import has_blank_part, is_blank, is_plain_text, unseen
from wireloom.translate.rules.loss import Losses
from wireloom.wire.json import Json

CORRECTIONS: Mapping[str, Callable[[Work], None]] = {
    "arguments": calls.arguments,
    "names": corrections.names,
    "developer": corrections.developer,
    "late": corrections.late_instructions,
    "shown": tool_pictures.shown_by_user,
    "pictures": corrections.pictures,
    "content": corrections.content,
    "blank": corrections.blank,
    "rows": corrections.rows,
    "outputs": calls.outputs,
    "ids": calls.call_ids,
    "reasoning": calls.reasoning,
    "extra": calls.extra,
    "first": corrections.first,
    "between": corrections.between,
    "last": corrections.last,
}
"""Rule -> corrects the messages that break it; a rule stands before those that rely on it."""

# They need the whole conversation, or messages that keep the other rules.
LATER = frozenset({"blank", "ids", "reasoning", "extra"})
# A correction may break another rule, but none breaks one for good: this is only a bound.
MOST_ROUNDS = 4 * len(CORRECTIONS)
# Members of the last message by which a client says that the answer goes on from it.
PREFIXES = ("prefix", "partial")


def keep_rules(
    messages: list[Json], profile: Profile, losses: Losses, place: Callable[[int], str]
) -> list[Json]:
    """The messages as the upstream takes them; the same list where they are so already.

    Args:
        messages: of a Chat request, in the forms of its contract; they are not changed.
        profile: what the upstream takes.
        losses: where each change is noted.
        place: the path of a message in the client's request, by its index.

    Raises:
        InvalidRequest: a change of weight under `strict`.
    """
    if is_clean(messages, profile):
        return messages
    found = broken(messages, profile)
    if not found:
        return messages
    work = Work(messages, profile, losses, place)
    hopeless: set[str] = set()
    made = messages
    for _ in range(MOST_ROUNDS):
        rule = next(name for name in CORRECTIONS if name in found)
        CORRECTIONS[rule](work)
        made = work.messages
        if is_clean(made, profile):
            break
        found = broken(made, profile, hopeless)
        if rule in found:  # as where no id that is made here fits the pattern of a profile
            hopeless.add(rule)
            found = broken(made, profile, hopeless)
        if not found:
            break
    return made


def broken(
    messages: Sequence[Json], profile: Profile, but: AbstractSet[str] = frozenset()
) -> AbstractSet[str]:
    """Rules that messages break, by their names in `CORRECTIONS`: those up to the first message that has to be put right.

    Args:
        messages: of a Chat request.
        profile: what the upstream takes.
        but: rules that are not looked at.
    """
    look = _Look(profile)
    for message in messages:
        _BY_ROLE.get(message.get("role"), _Look.other)(look, message)
        if look.found and (found := look.found - but - LATER):
            return found
    return look.end() - but


class _Look:
    """One look at a conversation, message by message."""

    def __init__(self, profile: Profile) -> None:
        self.found: set[str] = set()
        self._profile = profile
        self._due: list[Any] = []
        """Ids of calls whose outputs come next, the next one last."""
        self._before: Json = {}
        """The message before; empty for the first."""
        self._begun = False
        """Whether a message came that is no instruction."""
        self._said = False
        """Whether one of them is not blank."""
        self._blank = False

    def instructions(self, message: Json) -> None:
        """Look at a system or developer message."""
        profile, role = self._profile, message["role"]
        if role == "developer" and not profile.developer_role:
            self.found.add("developer")
        if not profile.system_anywhere:
            if self._begun:
                self.found.add("late")
            elif self._before.get("role") == role and corrections.joins(self._before, message):
                self.found.add("rows")
        self._blank = self._content(message) or self._blank
        self._next(message)

    def user(self, message: Json) -> None:
        """Look at a message of the user."""
        profile, before = self._profile, self._before.get("role")
        if before == "user":
            if not profile.users_in_a_row and corrections.joins(self._before, message):
                self.found.add("rows")
        elif before == "tool" and not profile.user_after_tool:
            self.found.add("between")
        self._speak(self._content(message))
        self._next(message)

    def assistant(self, message: Json) -> None:
        """Look at a message of the assistant."""
        if self._before.get("role") == "assistant" and corrections.joins(self._before, message):
            self.found.add("rows")
        if self._profile.user_first and not self._begun:
            self.found.add("first")
        blank = self._content(message)
        self._speak(blank and not any(map(message.get, corrections.BESIDE_CONTENT)))
        self._next(message)
        if self._profile.reasoning_replay != "never" and calls.lacks_reasoning(self._profile, message):
            self.found.add("reasoning")
        made = message.get("tool_calls")
        if made:
            self._calls(made)

    def tool(self, message: Json) -> None:
        """Look at an output."""
        if not self._due or message.get("tool_call_id") != self._due.pop():
            self.found.add("outputs")
        if self._profile.user_first and not self._begun:
            self.found.add("first")
        self._content(message)
        if tool_pictures.holds_pictures(message):
            self.found.add("shown")
        self._begun = self._said = True
        self._before = message

    def other(self, message: Json) -> None:
        """Look at a message of a role that has no rules here."""
        self._said = True
        self._next(message)
        self._begun = True

    def end(self) -> set[str]:
        """What was found, once all messages were looked at."""
        found = self.found
        if self._due:
            found.add("outputs")
        if self._blank and self._said:
            found.add("blank")
        last = self._before
        ends_spoken = last.get("role") == "assistant" and not any(map(last.get, PREFIXES))
        if ends_spoken and not self._profile.assistant_last:
            found.add("last")
        return found

    def _speak(self, blank: bool) -> None:
        self._begun = True
        if blank:
            self._blank = True
        else:
            self._said = True

    def _next(self, message: Json) -> None:
        """Go on to the message after one that is no output."""
        if self._due:
            self.found.add("outputs")
            self._due = []
        if "name" in message and not self._profile.message_name and message.get("role") != "function":
            self.found.add("names")
        self._before = message

    def _content(self, message: Json) -> bool:
        """Look at the content of a message, and return whether it is blank."""
        content = message.get("content")
        if content.__class__ is str:
            return not content or content.isspace()
        if content is None:
            return True
        if isinstance(content, list) and content:
            if unseen(self._profile, content):
                self.found.add("pictures")
            if has_blank_part(content) or (not self._profile.text_parts and is_plain_text(content)):
                self.found.add("content")
        return is_blank(content)

    def _calls(self, made: Sequence[Any]) -> None:
        profile = self._profile
        ids = [calls.id_of(call) for call in made]
        self._due = ids[::-1]
        if len(ids) > 1 and len(set(ids)) < len(ids):
            self.found.add("ids")
        pattern = profile.call_id_pattern
        if pattern is not None and not all(re.fullmatch(pattern, call_id) for call_id in ids):
            self.found.add("ids")
        if profile.call_extra and calls.lacks_extra(made[0]):
            self.found.add("extra")
        for call in made:
            given = calls.arguments_of(call)
            if given is not None and given != "{}" and not is_object(given):
                self.found.add("arguments")


_Looker: TypeAlias = Callable[[_Look, Json], None]
_BY_ROLE: Mapping[Any, _Looker] = {
    "system": _Look.instructions,
    "developer": _Look.instructions,
    "user": _Look.user,
    "assistant": _Look.assistant,
    "tool": _Look.tool,
}
