"""Calls, their outputs and the reasoning before them, brought to keep the rules of a Chat upstream."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from wireloom.providers.profile import Profile
from wireloom.translate.conversation import notes
from wireloom.translate.conversation.arguments import object_of
from wireloom.translate.conversation.chat_work import Entry, Work
from wireloom.translate.conversation.content import as_parts
from wireloom.translate.conversation.pairs import Pairs
from wireloom.translate.rules.loss import Severity
from wireloom.wire.json import Json

# -- calls and their outputs ---------------------------------------------------------------------------------------


def outputs(work: Work) -> None:
    """Let each call have one output, right behind the message with the call and in the order of its calls."""
    pairs = _pairs(work.entries)
    made: list[Entry] = []
    for index, entry in enumerate(work.entries):
        if entry.role != "tool":
            made.append(entry)
            for number, call in enumerate(_calls(entry.message)):
                found = [work.entries[at] for (at, _) in pairs.outputs[index, number]]
                made.append(_answer(work, entry, call, found))
        elif (index, 0) in pairs.strays:
            made.append(_stray(work, entry))
    for before, entry in zip(made, work.entries, strict=False):
        if before is not entry:
            work.note(entry.at, "outputs follow their calls")
            break
    work.entries = made


def _pairs(entries: Sequence[Entry]) -> Pairs[tuple[int, int]]:
    pairs: Pairs[tuple[int, int]] = Pairs()
    for index, entry in enumerate(entries):
        if entry.role == "tool":
            pairs.output((index, 0), str(entry.message.get("tool_call_id")))
        elif entry.role == "assistant":
            for number, call in enumerate(_calls(entry.message)):
                pairs.call((index, number), id_of(call))
        else:
            pairs.turn()
    pairs.close()
    return pairs


def _answer(work: Work, entry: Entry, call: Any, found: Sequence[Entry]) -> Entry:
    if not found:
        work.note(entry.at, "a call had no output", member=".tool_calls")
        return Entry(entry.at, {"role": "tool", "tool_call_id": id_of(call), "content": notes.NO_OUTPUT})
    for earlier in found[:-1]:
        reason = "a later output of the same call takes its place"
        work.note(earlier.at, reason, action="dropped", severity=Severity.DEGRADING)
    return found[-1]


def _stray(work: Work, entry: Entry) -> Entry:
    reason = "no call has this output: sent as a marked user message"
    work.note(entry.at, reason, member=".tool_call_id", severity=Severity.DEGRADING)
    given = entry.message.get("content")
    said = (
        notes.STRAY_OUTPUT + (given or "")
        if given is None or isinstance(given, str)
        else [{"type": "text", "text": notes.STRAY_OUTPUT}, *as_parts(given)]
    )
    return Entry(entry.at, {"role": "user", "content": said})


def call_ids(work: Work) -> None:
    """Give calls ids that the upstream takes and that differ within a message; an id has the same one each time."""
    entries = work.entries
    for index, entry in enumerate(entries):
        calls = _calls(entry.message)
        if not calls:
            continue
        given = [id_of(call) for call in calls]
        taken = _taken_ids(work.profile.call_id_pattern, given)
        if taken == given:
            continue
        renamed = [{**call, "id": new} for call, new in zip(calls, taken, strict=True)]
        entry.message = {**entry.message, "tool_calls": renamed}
        work.note(entry.at, "ids in the form that the upstream takes", member=".tool_calls")
        for answer, new in zip(entries[index + 1 : index + 1 + len(calls)], taken, strict=True):
            answer.message = {**answer.message, "tool_call_id": new}


def _taken_ids(pattern: str | None, given: Sequence[str]) -> list[str]:
    """Ids that differ, each in the form of a pattern."""
    made: list[str] = []
    for call_id in given:
        candidate, number = taken_id(pattern, call_id), 2
        while candidate in made:
            candidate = taken_id(pattern, f"{call_id}_{number}")
            number += 1
        made.append(candidate)
    return made


def taken_id(pattern: str | None, call_id: str) -> str:
    """The id as the upstream takes it; the same id gives the same one each time."""
    if pattern is None or re.fullmatch(pattern, call_id):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]


def arguments(work: Work) -> None:
    """Make the arguments of calls an object, with the text that the model wrote in it."""
    for entry in work.entries:
        calls = _calls(entry.message)
        made = []
        for call in calls:
            given = arguments_of(call)
            taken = given if given is None else object_of(given)
            if taken == given:
                made.append(call)
                continue
            made.append({**call, "function": {**call["function"], "arguments": taken}})
            severity = Severity.IMMATERIAL if taken == "{}" else Severity.DEGRADING
            reason = "the arguments of a call were no JSON object"
            work.note(entry.at, reason, member=".tool_calls", severity=severity)
        if made != calls:
            entry.message = {**entry.message, "tool_calls": made}


def extra(work: Work) -> None:
    """Give the first call of a message what the upstream wants on it."""
    for entry in work.entries:
        calls = _calls(entry.message)
        if calls and lacks_extra(calls[0]):
            first_call = {**calls[0], "extra_content": dict(work.profile.call_extra)}
            entry.message = {**entry.message, "tool_calls": [first_call, *calls[1:]]}
            work.note(entry.at, "a call had no extra_content", member=".tool_calls")


def lacks_extra(call: Any) -> bool:
    """Whether a call has nothing of what a provider keeps on it."""
    return isinstance(call, dict) and not call.get("extra_content")


def id_of(call: Any) -> str:
    """The id of a call."""
    return str(call.get("id", "")) if isinstance(call, dict) else ""


def arguments_of(call: Any) -> str | None:
    """The arguments of a call of a function; None for a call of another kind."""
    function = call.get("function") if isinstance(call, dict) else None
    given = function.get("arguments") if isinstance(function, dict) else None
    return given if isinstance(given, str) else None


def _calls(message: Json) -> list[Any]:
    return (message.get("role") == "assistant" and message.get("tool_calls")) or []


# -- reasoning -----------------------------------------------------------------------------------------------------


def reasoning(work: Work) -> None:
    """Put reasoning into the upstream's own field, or its placeholder where none is known."""
    profile = work.profile
    for entry in work.entries:
        if entry.role != "assistant" or not lacks_reasoning(profile, entry.message):
            continue
        name = _other_reasoning(profile, entry.message)
        text = profile.reasoning_placeholder if name is None else entry.message[name]
        kept = {key: value for key, value in entry.message.items() if key != name}
        entry.message = {**kept, profile.reasoning_replay_field: text}
        work.note(entry.at, f"reasoning was put into {profile.reasoning_replay_field}")


def lacks_reasoning(profile: Profile, message: Json) -> bool:
    """Whether a message of the assistant has no reasoning where the upstream wants it, though some can be sent."""
    calls = message.get("tool_calls")
    if not calls and profile.reasoning_replay != "always":
        return False
    if profile.reasoning_replay_field in message or "reasoning_details" in message:
        return False
    if calls and profile.reasoning_placeholder is not None:
        return True
    return _other_reasoning(profile, message) is not None


def _other_reasoning(profile: Profile, message: Json) -> str | None:
    """The other field of a message that holds reasoning as text."""
    return next((name for name in profile.reasoning_fields if isinstance(message.get(name), str)), None)
