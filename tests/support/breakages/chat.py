"""Breakages of the Chat face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.breakages.spoiling import (
    CHAT,
    Breakage,
    Event,
    Json,
    Reply,
    Spoil,
    asked,
    both,
    cut_out,
    put,
    streamed,
    whole,
)

WHOLE = "createChatCompletion (whole)"
STREAM = "createChatCompletion (stream)"
PLAIN = "createChatCompletion (stream without usage)"
CALL = "createChatCompletion (function call)"
ALIKE = "createChatCompletion (whole and stream)"


def row(name: str, case: str, says: str, spoil: Spoil, **more: Any) -> Breakage:
    return Breakage(name, "chat", case, says, CHAT, spoil, **more)


def choice(edit: Any) -> Spoil:
    """Change the choice of whole completions."""
    return whole(lambda made: edit(made["choices"][0]))


def usage(edit: Any) -> Spoil:
    return whole(lambda made: edit(made["usage"]))


def chunks(edit: Any, of: Any = slice(None)) -> Spoil:
    """Change chunks, all or some of them."""

    def spoil(found: list[Event]) -> None:
        parts = [event.data for event in found if isinstance(event.data, dict)][of]
        for chunk in parts:
            edit(chunk)

    return streamed(spoil)


def choices(edit: Any, of: Any = slice(None)) -> Spoil:
    """Change the choices of chunks."""

    def change(chunk: Json) -> None:
        for each in chunk["choices"]:
            edit(each)

    return chunks(change, of)


def finish(value: str) -> Spoil:
    def edit(each: Json) -> None:
        if each["finish_reason"] is not None:
            each["finish_reason"] = value

    return choices(edit)


def frames(edit: Any) -> Spoil:
    return streamed(edit)


def ends(found: list[Event]) -> int:
    """Where the chunk with the finish_reason is."""
    for number, event in enumerate(found):
        if isinstance(event.data, dict) and any(each["finish_reason"] for each in event.data["choices"]):
            return number
    raise AssertionError("no end")


def usage_chunk(found: list[Event]) -> int:
    for number, event in enumerate(found):
        if isinstance(event.data, dict) and event.data.get("usage"):
            return number
    return -1


def without_usage(found: list[Event]) -> Sequence[Event]:
    return [event for number, event in enumerate(found) if number != usage_chunk(found)]


def early_usage(found: list[Event]) -> Sequence[Event]:
    at = usage_chunk(found)
    if at > 0:
        found.insert(1, found.pop(at))
    return found


def unasked_usage(found: list[Event]) -> Sequence[Event]:
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    chunk = {**found[0].data, "choices": [], "usage": counts}
    return [*found[:-1], Event(None, chunk), found[-1]]


def usage_with_choice(found: list[Event]) -> None:
    at = usage_chunk(found)
    if at > 0:
        found[at].data["choices"] = [{"index": 0, "delta": {}, "finish_reason": "stop"}]


def finish_twice(found: list[Event]) -> Sequence[Event]:
    at = ends(found)
    return [*found[: at + 1], Event(None, found[at].data), *found[at + 1 :]]


def no_finish(found: list[Event]) -> Sequence[Event]:
    at = ends(found)
    return [*found[:at], *found[at + 1 :]]


def late_content(found: list[Event]) -> Sequence[Event]:
    at = ends(found)
    return [*found[:1], *found[2 : at + 1], found[1], *found[at + 1 :]]


def role_later(found: list[Event]) -> None:
    role = found[0].data["choices"][0]["delta"].pop("role")
    found[1].data["choices"][0]["delta"]["role"] = role


def no_content(found: list[Event]) -> Sequence[Event]:
    return [
        event
        for event in found
        if not isinstance(event.data, dict)
        or not any(each["delta"].get("content") for each in event.data["choices"])
    ]


def after_done(found: list[Event]) -> Sequence[Event]:
    return [*found, Event(None, found[1].data)]


def failed_inside(found: list[Event]) -> Sequence[Event]:
    error = {"message": "It failed.", "type": "server_error", "param": None, "code": "server_error"}
    return [*found[:2], Event(None, {"error": error}), *found[2:]]


def named(found: list[Event]) -> None:
    for event in found:
        event.name = "message"


def torn(found: list[Event]) -> None:
    found[1] = Event(None, '{"id": ')


def truncated(reply: Reply) -> None:
    if reply.streamed:
        reply.body = reply.body[: len(reply.body) // 2]


def as_json(reply: Reply) -> None:
    if reply.streamed:
        reply.body = b'{"object": "chat.completion"}'
        reply.headers["content-type"] = "application/json"


def one_id(reply: Reply) -> None:
    both(put(id="chatcmpl-always"), chunks(put(id="chatcmpl-always")))(reply)


def calls(edit: Any) -> Spoil:
    """Change the fragments of calls."""

    def change(each: Json) -> None:
        for fragment in each["delta"].get("tool_calls") or ():
            edit(fragment)

    return choices(change)


def name_of(value: Any) -> Any:
    def edit(fragment: Json) -> None:
        if "name" in fragment.get("function", {}):
            fragment["function"]["name"] = value

    return edit


def another_id(fragment: Json) -> None:
    if "id" not in fragment:
        fragment["id"] = "call_other"


BREAKAGES = (
    row("an empty id", WHOLE, "id is ''", whole(put(id=""))),
    row("no id", WHOLE, "id", whole(cut_out("id"))),
    row("an id that changes", STREAM, "id is 'chatcmpl-o'", chunks(put(id="chatcmpl-o"), slice(2, None))),
    row("an empty id in chunks", STREAM, "id is ''", chunks(put(id=""))),
    row("one id for all completions", ALIKE, "two answers have the id", one_id),
    row("an object of another kind", WHOLE, "object", whole(put(object="text_completion"))),
    row("chunks of another kind", STREAM, "object", chunks(put(object="chat.completion"))),
    row("no time", WHOLE, "created is 0", whole(put(created=0))),
    row("a time that changes", STREAM, "created is", chunks(put(created=7), slice(2, None))),
    row("a model that changes", STREAM, "model is 'other'", chunks(put(model="other"), slice(2, None))),
    row("another model when it is whole", ALIKE, "of model 'other'", whole(put(model="other"))),
    row("no model", WHOLE, "model is ''", whole(put(model=""))),
    row("a choice 1", WHOLE, "indexes", choice(put(index=1))),
    row("a choice 1 in chunks", STREAM, "indexes", choices(put(index=1))),
    row("a choice without index", STREAM, "index", choices(cut_out("index"))),
    row("no choices", WHOLE, "indexes", whole(put(choices=[]))),
    row(
        "two choices",
        WHOLE,
        "indexes",
        whole(lambda made: made["choices"].append({**made["choices"][0], "index": 1})),
    ),
    row("no role", STREAM, "no role", choices(lambda each: each["delta"].pop("role", None))),
    row("the role later", STREAM, "no role", frames(role_later)),
    row(
        "the role of the user",
        STREAM,
        "role",
        choices(lambda each: each["delta"].update(role="user"), slice(0, 1)),
    ),
    row("the message of the user", WHOLE, "role", choice(lambda each: each["message"].update(role="user"))),
    row("no finish_reason", WHOLE, "finish_reason", choice(put(finish_reason=None))),
    row("no finish_reason in chunks", STREAM, "finish_reason", frames(no_finish)),
    row("two finish_reasons", STREAM, "second finish_reason", frames(finish_twice)),
    row("content after the end", STREAM, "after its finish_reason", frames(late_content)),
    row("whole, but said to be cut", WHOLE, "as if the answer was cut", choice(put(finish_reason="length"))),
    row("whole, but said to be cut, in chunks", STREAM, "as if the answer was cut", finish("length")),
    row(
        "cut, but said to be whole",
        "createChatCompletion (cut, whole)",
        "as if the answer was whole",
        choice(put(finish_reason="stop")),
    ),
    row(
        "cut, but said to be whole, in chunks",
        "createChatCompletion (cut)",
        "as if the answer was whole",
        finish("stop"),
    ),
    row("calls without a call", WHOLE, "no call", choice(put(finish_reason="tool_calls"))),
    row("a call that ends as a text", CALL, "has a call", finish("stop")),
    row("no content", WHOLE, "no content", choice(lambda each: each["message"].update(content=None))),
    row("no content in chunks", STREAM, "no content", frames(no_content)),
    row("no usage", WHOLE, "usage is null", whole(cut_out("usage"))),
    row("usage null", WHOLE, "usage", whole(put(usage=None))),
    row("a wrong sum of usage", WHOLE, "total_tokens is", usage(put(total_tokens=999))),
    row("a negative usage", WHOLE, "not a count", usage(put(prompt_tokens=-1))),
    row(
        "nothing written by usage",
        WHOLE,
        "completion_tokens is 0",
        usage(lambda counts: counts.update(completion_tokens=0, total_tokens=counts["prompt_tokens"])),
    ),
    row("no usage in chunks", STREAM, "usage is null", frames(without_usage)),
    row("usage before the end", STREAM, "before the finish_reason", frames(early_usage)),
    row("usage with a choice", STREAM, "second finish_reason", frames(usage_with_choice)),
    row("usage that nobody asked for", PLAIN, "no usage was asked for", frames(unasked_usage)),
    row(
        "a wrong sum in chunks",
        STREAM,
        "total_tokens is",
        chunks(lambda chunk: chunk["usage"].update(total_tokens=0) if chunk.get("usage") else None),
    ),
    row("no [DONE]", STREAM, r"\[DONE\]", frames(lambda found: found[:-1])),
    row("a chunk after [DONE]", STREAM, r"follows \[DONE\]", frames(after_done)),
    row("an error on the way", STREAM, "failed", frames(failed_inside)),
    row("named events", STREAM, "event line", frames(named)),
    row("a chunk of torn JSON", STREAM, "no JSON|form of a chunk", frames(torn)),
    row("a stream that is cut", STREAM, r"\[DONE\]", truncated),
    row("a stream answered whole", STREAM, "content-type", as_json),
    row("calls without id", CALL, "no id", calls(cut_out("id"))),
    row("calls whose id changes", CALL, "id of call", calls(another_id)),
    row("calls without a name", CALL, "no name", calls(name_of(None))),
    row("calls of another function", CALL, "not offered", calls(name_of("other"))),
    row("calls from 3", CALL, "has the index 3", calls(put(index=3))),
    row(
        "all messages but the last are dropped",
        "createChatCompletion (history)",
        "not read",
        lambda reply: None,
        ask=asked(lambda body: body.update(messages=body["messages"][-1:])),
    ),
    row(
        "tools are dropped",
        CALL,
        "tools",
        lambda reply: None,
        ask=asked(lambda body: body.pop("tools", None)),
        missed="A model may answer in words although it is offered a function.",
    ),
    row(
        "another model in every answer",
        WHOLE,
        "model",
        both(put(model="other"), chunks(put(model="other"))),
        missed="An upstream that is relayed names its model itself, and may name another one than was asked for.",
    ),
)
