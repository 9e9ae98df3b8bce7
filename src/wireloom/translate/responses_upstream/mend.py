"""Items of a Responses request that keep the rules of that API: every call has one output, every id one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wireloom.translate.conversation.arguments import object_of
from wireloom.translate.conversation.notes import NO_OUTPUT, STRAY_OUTPUT
from wireloom.translate.conversation.pairs import Pairs
from wireloom.translate.rules.loss import Losses, Severity
from wireloom.wire.json import Json

# Type of a call -> the type of its output; those of other kinds are looked at by the provider that ran them.
ANSWERS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
OUTPUTS = frozenset(ANSWERS.values())


def mended(made: list[Json], paths: Sequence[str], losses: Losses) -> list[Json]:
    """Items as they go upstream, with what is missing, given twice or broken put right.

    Args:
        made: the items; they are not changed.
        paths: where each of them stood in the client's request.
        losses: where each change is noted.

    Returns:
        The same list where nothing had to be done.

    Raises:
        InvalidRequest: a change of weight under `strict`.
    """
    pairs = _pairs(made)
    ids = _ids(made, pairs)
    changed = False
    result: list[Json] = []
    behind: list[Json] = []
    for at, item in enumerate(made):
        kind, path = item.get("type"), paths[at]
        if behind and kind not in ANSWERS and kind != "reasoning":
            result += behind
            behind = []
        if kind in ANSWERS:
            sent = _call(item, ids.get(at), path, losses)
            if not pairs.outputs[at]:
                losses.add(path, "changed", "the call had no output", Severity.IMMATERIAL)
                behind.append({"type": ANSWERS[kind], "call_id": sent["call_id"], "output": NO_OUTPUT})
        elif kind in OUTPUTS:
            if at in pairs.strays:
                reason = "no call has this output: sent as a marked user message"
                losses.add(f"{path}.call_id", "changed", reason)
                sent = _stray(item)
            elif ids.get(at) is None:
                losses.add(path, "dropped", "a later output of the same call takes its place")
                changed = True
                continue
            else:
                sent = item if ids[at] == item["call_id"] else {**item, "call_id": ids[at]}
        elif _is_blank(item):
            losses.add(path, "dropped", "it says nothing", Severity.IMMATERIAL)
            changed = True
            continue
        else:
            sent = item
        changed = changed or sent is not item or bool(behind)
        result.append(sent)
    return [*result, *behind] if changed else made


# The id of a call whose client gave it none.
NAMELESS = "call"


def _pairs(made: Sequence[Json]) -> Pairs[int]:
    pairs: Pairs[int] = Pairs()
    for at, item in enumerate(made):
        kind = item.get("type")
        if kind in ANSWERS:
            pairs.call(at, item["call_id"])
        elif kind in OUTPUTS:
            pairs.output(at, item["call_id"])
        elif item.get("role") == "user":
            pairs.turn()
    pairs.close()
    return pairs


def _ids(made: Sequence[Json], pairs: Pairs[int]) -> dict[int, str]:
    """Position of each call and of the outputs that count -> its id: an id that recurs gets a suffix."""
    ids: dict[int, str] = {}
    taken: set[str] = set()
    for at, outputs in pairs.outputs.items():
        given = str(made[at]["call_id"]) or NAMELESS
        call_id, number = given, 2
        while call_id in taken:
            call_id, number = f"{given}_{number}", number + 1
        taken.add(call_id)
        kept = outputs if made[at]["type"] == "custom_tool_call" else outputs[-1:]
        for position in (at, *kept):
            ids[position] = call_id
    return ids


def _call(item: Json, call_id: str | None, path: str, losses: Losses) -> Json:
    changes: Json = {}
    if call_id is not None and call_id != item["call_id"]:
        changes["call_id"] = call_id
        losses.add(f"{path}.call_id", "changed", "the id of an earlier call", Severity.IMMATERIAL)
    if item["type"] == "function_call":
        given = item.get("arguments") or ""
        taken = object_of(given)
        if taken != given:
            changes["arguments"] = taken
            severity = Severity.IMMATERIAL if taken == "{}" else Severity.DEGRADING
            losses.add(f"{path}.arguments", "changed", "they were no JSON object", severity)
    return {**item, **changes} if changes else item


def _stray(item: Json) -> Json:
    output: Any = item["output"]
    if isinstance(output, str):
        parts: list[Any] = [{"type": "input_text", "text": STRAY_OUTPUT + output}]
    else:
        parts = [{"type": "input_text", "text": STRAY_OUTPUT}, *output]
    return {"type": "message", "role": "user", "content": parts}


def _is_blank(item: Json) -> bool:
    """Whether a message says nothing; one with a part that is no text says something."""
    if item.get("type") != "message":
        return False
    content = item.get("content")
    if isinstance(content, str):
        return not content.strip()
    return all(
        part.get("type") in ("input_text", "output_text") and not str(part.get("text", "")).strip()
        for part in content or ()
    )
