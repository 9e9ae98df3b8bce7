"""Breakages of Responses streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.breakages.spoiling import (
    RESPOND,
    Breakage,
    Event,
    Json,
    Reply,
    Spoil,
    cut_out,
    events,
    place,
    put,
    renumbered,
    streamed,
    without,
)

STREAM = "createResponse (stream)"
CALL = "createResponse (function call)"
CUT = "createResponse (cut)"
DELTA = r"response\.output_text\.delta"
TEXT_DONE = r"response\.output_text\.done"
PART_ADDED = r"response\.content_part\.added"
PART_DONE = r"response\.content_part\.done"
ITEM_ADDED = r"response\.output_item\.added"
ITEM_DONE = r"response\.output_item\.done"
COMPLETED = r"response\.completed"
TERMINAL = r"response\.(completed|incomplete)"
ARGUMENTS = r"response\.function_call_arguments"
OTHER = "something else"


def row(name: str, says: str, spoil: Spoil, case: str = STREAM) -> Breakage:
    return Breakage(name, "responses stream", case, says, RESPOND, spoil)


def response(edit: Any, kind: str = COMPLETED) -> Spoil:
    """Change the response of events of a kind."""
    return events(kind, lambda event: edit(event["response"]))


def item(edit: Any, kind: str) -> Spoil:
    """Change the item of events of a kind."""
    return events(kind, lambda event: edit(event["item"]))


def usage(edit: Any) -> Spoil:
    return response(lambda made: edit(made["usage"]))


def first_text(made: Json) -> Json:
    part: Json = made["output"][0]["content"][0]
    return part


def gap(found: list[Event]) -> None:
    for event in found[5:-1]:
        event.data["sequence_number"] += 1


def numbers(start: int, step: int) -> Spoil:
    def spoil(found: list[Event]) -> None:
        for at, event in enumerate(found[:-1]):
            event.data["sequence_number"] = start + step * at

    return streamed(spoil)


def repeated(found: list[Event]) -> None:
    found[6].data["sequence_number"] = found[5].data["sequence_number"]


def delta_missing(found: list[Event]) -> Sequence[Event]:
    del found[place(found, DELTA)]
    return renumbered(found)


def delta_doubled(found: list[Event]) -> Sequence[Event]:
    at = place(found, DELTA)
    found.insert(at, Event(found[at].name, dict(found[at].data)))
    return renumbered(found)


def deltas_swapped(found: list[Event]) -> None:
    at = place(found, DELTA)
    first, second = found[at].data, found[at + 1].data
    first["delta"], second["delta"] = second["delta"], first["delta"]


def late_delta(found: list[Event]) -> Sequence[Event]:
    at = place(found, DELTA)
    moved = found.pop(at)
    found.insert(place(found, TEXT_DONE) + 1, moved)
    return renumbered(found)


def names(edit: Any) -> Spoil:
    def spoil(found: list[Event]) -> None:
        for event in found[:-1]:
            event.name = edit(event.name)

    return streamed(spoil)


def only_created(found: list[Event]) -> Sequence[Event]:
    return [found[0], found[-1]]


def two_ends(found: list[Event]) -> Sequence[Event]:
    return renumbered([*found[:-1], Event(found[-2].name, dict(found[-2].data)), found[-1]])


def after_the_end(found: list[Event]) -> Sequence[Event]:
    extra = dict(found[place(found, DELTA)].data)
    return renumbered([*found[:-1], Event(extra["type"], extra), found[-1]])


def early_done(found: list[Event]) -> Sequence[Event]:
    at = place(found, TEXT_DONE)
    return [*found[:at], found[-1], *found[at:]]


def fail(found: list[Event]) -> None:
    end = found[place(found, COMPLETED)]
    end.name = end.data["type"] = "response.failed"
    end.data["response"].update(status="failed", error={"code": "server_error", "message": "It failed."})


def other_kind(found: list[Event]) -> None:
    end = found[place(found, COMPLETED)]
    end.name = end.data["type"] = "response.failed"


def incomplete(found: list[Event]) -> None:
    end = found[place(found, COMPLETED)]
    end.name = end.data["type"] = "response.incomplete"
    details = {"reason": "max_output_tokens"}
    end.data["response"].update(status="incomplete", incomplete_details=details, completed_at=None)


def pretend_whole(found: list[Event]) -> None:
    end = found[place(found, r"response\.incomplete")]
    end.name = end.data["type"] = "response.completed"
    made = end.data["response"]
    made.update(status="completed", incomplete_details=None, completed_at=made["created_at"])
    for event in (end, found[place(found, ITEM_DONE)]):
        for each in event.data.get("response", {}).get("output") or [event.data["item"]]:
            each["status"] = "completed"


def error_inside(found: list[Event]) -> Sequence[Event]:
    at = place(found, TEXT_DONE)
    event: Json = {"type": "error", "code": "server_error", "message": "It failed.", "param": None}
    return renumbered([*found[:at], Event("error", {**event, "sequence_number": 0}), *found[at:]])


def truncated(reply: Reply) -> None:
    if reply.streamed:
        reply.body = reply.body[: reply.body.index(b"response.output_text.done") + 60]


def torn_json(found: list[Event]) -> None:
    at = place(found, TEXT_DONE)
    found[at] = Event(found[at].name, '{"type": "response.output_text.done", ')


def as_json(reply: Reply) -> None:
    if reply.streamed:
        end = next(line for line in reply.body.decode().split("\n") if '"response.completed"' in line[:60])
        reply.body = end.partition('"response":')[2][:-1].encode()
        reply.headers["content-type"] = "application/json"


def plain_text(reply: Reply) -> None:
    if reply.streamed:
        reply.headers["content-type"] = "text/plain"


BREAKAGES = (
    row("a gap in the sequence numbers", "sequence_number", streamed(gap)),
    row("all sequence numbers 0", "sequence_number", numbers(0, 0)),
    row("sequence numbers from 1", "sequence_number", numbers(1, 1)),
    row("a sequence number twice", "sequence_number", streamed(repeated)),
    row("no sequence number", "sequence_number", events(r"response\..*", cut_out("sequence_number"))),
    row("deltas of another item", "item_id", events(DELTA, put(item_id="msg_other"))),
    row("a part of another item", "item_id", events(PART_ADDED, put(item_id="msg_other"))),
    row("deltas without item_id", "item_id", events(DELTA, cut_out("item_id"))),
    row("another output_index in deltas", "output_index", events(DELTA, put(output_index=1))),
    row("another output_index of the item", "output_index", events(ITEM_ADDED, put(output_index=1))),
    row("another content_index in deltas", "content_index", events(DELTA, put(content_index=1))),
    row("another content_index of the part", "content_index", events(PART_ADDED, put(content_index=3))),
    row("no response.created", "response.created", without(r"response\.created")),
    row("no response.in_progress", "response.in_progress", without(r"response\.in_progress")),
    row("no item added", "no item that was added|was not added", without(ITEM_ADDED)),
    row("no item done", "response.output_item.done", without(ITEM_DONE)),
    row("no part added", "no part that was added", without(PART_ADDED)),
    row("no part done", "part of item 0 is not done", without(PART_DONE)),
    row("no text done", "before its text", without(TEXT_DONE)),
    row("no deltas", "text is ", without(DELTA)),
    row("a delta missing", "text is ", streamed(delta_missing)),
    row("a delta twice", "text is ", streamed(delta_doubled)),
    row("two deltas swapped", "text is ", streamed(deltas_swapped)),
    row("a delta after the text", "a delta follows", streamed(late_delta)),
    row("another text when it is done", "text is ", events(TEXT_DONE, put(text=OTHER))),
    row(
        "another text in the part", "part.text is", events(PART_DONE, lambda e: e["part"].update(text=OTHER))
    ),
    row(
        "another text in the item",
        "item.content is",
        item(lambda i: i["content"][0].update(text=OTHER), ITEM_DONE),
    ),
    row(
        "another text in the final output",
        "response.output is",
        response(lambda r: first_text(r).update(text=OTHER)),
    ),
    row("an empty final output", "response.output is", response(put(output=[]))),
    row("event names against the types", "event line", names(lambda name: "response.delta")),
    row("no event names", "event line", names(lambda name: None)),
    row("another response id at the end", "response.id", response(put(id="resp_other"))),
    row(
        "another response id on the way", "response.id", response(put(id="resp_o"), r"response\.in_progress")
    ),
    row("another model at the end", "response.model", response(put(model="other"))),
    row("another time at the end", "response.created_at", response(put(created_at=1))),
    row("failed in place of completed", "status is 'failed'", streamed(fail)),
    row("the event of a failure", "response.status", streamed(other_kind)),
    row("incomplete in place of completed", "as if the answer was cut", streamed(incomplete)),
    row("completed in place of incomplete", "as if the answer was whole", streamed(pretend_whole), CUT),
    row("status in_progress at the end", "status is", response(put(status="in_progress"))),
    row(
        "status completed at the beginning", "status", response(put(status="completed"), r"response\.created")
    ),
    row("created alone", "no terminal event", streamed(only_created)),
    row("no terminal event", "no terminal event", without(COMPLETED)),
    row("two terminal events", "follows the terminal event", streamed(two_ends)),
    row("an event after the end", "follows the terminal event", streamed(after_the_end)),
    row("no [DONE]", r"\[DONE\]", streamed(lambda found: found[:-1])),
    row("[DONE] on the way", r"follows \[DONE\]", streamed(early_done)),
    row("another item id when it is done", "was not added|item.id", item(put(id="msg_other"), ITEM_DONE)),
    row("another role when it is done", "item.role", item(put(role="user"), ITEM_DONE)),
    row("an item done in progress", "item is done with status", item(put(status="in_progress"), ITEM_DONE)),
    row(
        "an item that begins with its text",
        "begins with content",
        item(
            put(content=[{"type": "output_text", "text": "You", "annotations": [], "logprobs": []}]),
            ITEM_ADDED,
        ),
    ),
    row(
        "a part that begins with a text",
        "part begins with",
        events(PART_ADDED, lambda e: e["part"].update(text="You")),
    ),
    row("an error and then success", "terminal|error", streamed(error_inside)),
    row("a stream cut within an event", "within an event|no terminal", truncated),
    row("an event of torn JSON", "no JSON", streamed(torn_json)),
    row("no usage at the end", "usage is null", response(put(usage=None))),
    row("a wrong sum of usage", "total_tokens is", usage(put(total_tokens=1))),
    row("a negative usage", "not a count", usage(put(output_tokens=-3))),
    row(
        "more cached than read",
        "cached_tokens is",
        usage(lambda u: u["input_tokens_details"].update(cached_tokens=999)),
    ),
    row(
        "nothing written by usage",
        "output_tokens is 0",
        usage(lambda u: u.update(output_tokens=0, total_tokens=u["input_tokens"])),
    ),
    row("a text no response has", "metadata is", response(put(metadata={}))),
    row("a stream answered whole", "content-type", as_json),
    row("a stream as plain text", "content-type", plain_text),
    row(
        "another call_id when the call is done", "item.call_id", item(put(call_id="call_o"), ITEM_DONE), CALL
    ),
    row("another name when the call is done", "item.name", item(put(name="other"), ITEM_DONE), CALL),
    row("no deltas of arguments", "arguments is", without(rf"{ARGUMENTS}\.delta"), CALL),
    row(
        "arguments that are not the deltas",
        "arguments is",
        events(rf"{ARGUMENTS}\.done", put(arguments="{}")),
        CALL,
    ),
    row("no arguments done", "no event with its whole arguments", without(rf"{ARGUMENTS}\.done"), CALL),
    row("other arguments in the item", "item.arguments is", item(put(arguments="{}"), ITEM_DONE), CALL),
    row(
        "other arguments in the output",
        "response.output is",
        response(lambda r: r["output"][0].update(arguments="{}")),
        CALL,
    ),
    row(
        "arguments of another item", "item_id", events(rf"{ARGUMENTS}\.delta", put(item_id="fc_other")), CALL
    ),
)
