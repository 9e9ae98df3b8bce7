"""Messages of a Chat request brought to keep one rule of the upstream; `chat_rules` says which are broken."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from wireloom.providers.profile import Profile
from wireloom.translate.conversation import notes
from wireloom.translate.conversation.chat_work import Entry, Work
from wireloom.translate.conversation.content import (
    as_parts,
    has_blank_part,
    is_blank,
    is_plain_text,
    joined,
    with_gaps,
)
from wireloom.translate.rules.loss import Severity
from wireloom.wire.json import Json

INSTRUCTIONS = ("system", "developer")
# Members by which an assistant's message says something, besides its content.
BESIDE_CONTENT = ("tool_calls", "function_call", "refusal", "audio")
# Roles whose messages name what they are about, not who speaks.
KEEP_NAME = ("tool", "function")
# Messages with one of these cannot become one: there is no place for two.
SINGLE = ("function_call", "audio")


# -- roles and names -----------------------------------------------------------------------------------------------


def names(work: Work) -> None:
    """Leave out the names of those who speak."""
    for entry in work.entries:
        if "name" in entry.message and entry.role not in KEEP_NAME:
            entry.message = {key: value for key, value in entry.message.items() if key != "name"}
            work.note(entry.at, f"{work.profile.title} takes no names", action="dropped", member=".name")


def developer(work: Work) -> None:
    """Send the role `developer` as `system`."""
    for entry in work.entries:
        if entry.role == "developer":
            entry.message = {**entry.message, "role": "system"}
            work.note(entry.at, "sent as system", member=".role")


def late_instructions(work: Work) -> None:
    """Send instructions within the conversation as messages of the user that say so."""
    begun = False
    for entry in work.entries:
        if entry.role not in INSTRUCTIONS:
            begun = True
        elif begun:
            given = entry.message.get("content")
            marked = (
                notes.LATER_INSTRUCTIONS + given
                if isinstance(given, str)
                else [{"type": "text", "text": notes.LATER_INSTRUCTIONS}, *as_parts(given)]
            )
            content = given if is_blank(given) else marked
            entry.message = {**entry.message, "role": "user", "content": content}
            work.note(entry.at, "sent as a marked user message", member=".role")


# -- content -------------------------------------------------------------------------------------------------------


def pictures(work: Work) -> None:
    """Put a note in place of each picture that the upstream cannot be shown."""
    for entry in work.entries:
        content = entry.message.get("content")
        if isinstance(content, list):
            made, reasons = with_gaps(work.profile, content)
            for reason in sorted(reasons):
                member = ".content"
                work.note(entry.at, reason, action="dropped", member=member, severity=Severity.DEGRADING)
            if reasons:
                entry.message = {**entry.message, "content": made}


def content(work: Work) -> None:
    """Leave empty texts out, and send what is only text as one string."""
    for entry in work.entries:
        given = entry.message.get("content")
        if not isinstance(given, list):
            continue
        made: Any = given
        if has_blank_part(given):
            made = [part for part in given if not _is_empty_text(part)] or given[:1]
        if is_plain_text(made) and not work.profile.text_parts:
            made = "\n".join(str(part["text"]) for part in made)
        if made is not given:
            entry.message = {**entry.message, "content": made}
            work.note(entry.at, "the same text in another form", member=".content")


def _is_empty_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and not part.get("text")


def blank(work: Work) -> None:
    """Leave out messages that say nothing."""
    for entry in work.entries:
        if says_nothing(entry.message):
            work.note(entry.at, "it says nothing", action="dropped")
    work.entries = [entry for entry in work.entries if not says_nothing(entry.message)]


def says_nothing(message: Json) -> bool:
    """Whether a message of these roles has nothing in it."""
    if message.get("role") not in ("user", "assistant", *INSTRUCTIONS):
        return False
    return is_blank(message.get("content")) and not any(map(message.get, BESIDE_CONTENT))


# -- turns ---------------------------------------------------------------------------------------------------------


def joins(first: Json, second: Json) -> bool:
    """Whether two messages of one role can become one."""
    if first.get("name") != second.get("name"):
        return False
    return not any(first.get(name) or second.get(name) for name in SINGLE)


def rows(work: Work) -> None:
    """Make one message of those of one role that stand in a row, as far as the upstream wants that."""
    made: list[Entry] = []
    for entry in work.entries:
        last = made[-1] if made else None
        if last is not None and _is_row(work.profile, last.message, entry.message):
            last.message = _joined(last.message, entry.message)
            work.note(entry.at, "joined with the message before")
        else:
            made.append(entry)
    work.entries = made


def _is_row(profile: Profile, first: Json, second: Json) -> bool:
    role = second.get("role")
    if first.get("role") != role or not joins(first, second):
        return False
    if role == "user":
        return not profile.users_in_a_row
    return role == "assistant" or (role in INSTRUCTIONS and not profile.system_anywhere)


def _joined(first: Json, second: Json) -> Json:
    made = {**first, "content": joined(first.get("content"), second.get("content"))}
    for name, value in second.items():
        if name in ("role", "content"):
            continue
        before = made.get(name)
        if isinstance(before, str) and isinstance(value, str) and name != "name":
            made[name] = "\n\n".join(filter(None, (before, value)))
        elif isinstance(before, list) and isinstance(value, list):
            made[name] = [*before, *value]
        elif value is not None:
            made[name] = value
    return made


def first(work: Work) -> None:
    """Let the user speak first."""
    for index, entry in enumerate(work.entries):
        if entry.role not in INSTRUCTIONS:
            opening = Entry(entry.at, {"role": "user", "content": notes.BEGINNING})
            work.entries.insert(index, opening)
            work.note(entry.at, "a user message was put before it")
            return


def between(work: Work) -> None:
    """Put a message of the assistant between an output and the user."""
    made = work.entries[:1]
    for before, entry in pairwise(work.entries):
        if before.role == "tool" and entry.role == "user":
            made.append(Entry(entry.at, {"role": "assistant", "content": notes.CONTINUE}))
            work.note(entry.at, "an assistant message was put before it")
        made.append(entry)
    work.entries = made


def last(work: Work) -> None:
    """Let the user speak last."""
    at = work.entries[-1].at
    work.entries.append(Entry(at, {"role": "user", "content": notes.GO_ON}))
    work.note(at, "a user message was put after it")
