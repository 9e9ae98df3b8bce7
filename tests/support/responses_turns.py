"""What a scripted Responses upstream answers: whole streams as the contract describes them, to be damaged at will."""

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Ending = Literal["done", "no_done", "cut", "reset"]

UPSTREAM_ID = "resp_upstream"
UPSTREAM_MODEL = "upstream-model-2025-01-01"
USAGE: Json = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 18,
}


def message(text: str, *, item_id: str = "msg_1", annotations: Sequence[Json] = (), **more: Any) -> Json:
    """Return a message as it stands in an output."""
    part = {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}
    return {
        "type": "message",
        "id": item_id,
        "status": "completed",
        "role": "assistant",
        "content": [part],
        **more,
    }


def refusal(text: str, *, item_id: str = "msg_1") -> Json:
    """Return a message that refuses."""
    return {**message("", item_id=item_id), "content": [{"type": "refusal", "refusal": text}]}


def reasoning(
    text: str = "", *, summary: Sequence[str] = (), encrypted: str | None = None, item_id: str = "rs_1"
) -> Json:
    """Return a reasoning item."""
    item: Json = {"type": "reasoning", "id": item_id}
    item["summary"] = [{"type": "summary_text", "text": each} for each in summary]
    if text:
        item["content"] = [{"type": "reasoning_text", "text": text}]
    return item if encrypted is None else {**item, "encrypted_content": encrypted}


def call(name: str, arguments: str, *, call_id: str = "call_1", item_id: str = "fc_1", **more: Any) -> Json:
    """Return a call of a function."""
    known = {"type": "function_call", "id": item_id, "status": "completed", "call_id": call_id}
    return {**known, "name": name, "arguments": arguments, **more}


def custom_call(name: str, text: str, *, call_id: str = "call_1", item_id: str = "ctc_1") -> Json:
    """Return a call of a tool with free-form input."""
    known = {"type": "custom_tool_call", "id": item_id, "status": "completed", "call_id": call_id}
    return {**known, "name": name, "input": text}


def search(query: str, *, item_id: str = "ws_1") -> Json:
    """Return a search that ran upstream."""
    action = {"type": "search", "query": query}
    return {"type": "web_search_call", "id": item_id, "status": "completed", "action": action}


def response(output: Sequence[Json], status: str = "completed", **more: Any) -> Json:
    """Return a response object as OpenAI sends it."""
    return {
        "id": UPSTREAM_ID,
        "object": "response",
        "created_at": 1_700_000_001,
        "status": status,
        "background": False,
        "completed_at": 1_700_000_002 if status == "completed" else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "model": UPSTREAM_MODEL,
        "output": list(output),
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": USAGE if status in ("completed", "incomplete") else None,
        **more,
    }


def whole(*items: Json, terminal: Json | None = None, size: int = 5) -> list[Json]:
    """Return every event of a stream that tells ``items``; ``terminal`` is its last response."""
    last = terminal or response(items)
    events: list[Json] = [
        {"type": "response.created", "response": response([], "in_progress")},
        {"type": "response.in_progress", "response": response([], "in_progress")},
        *(event for index, item in enumerate(items) for event in _item(index, item, size)),
        {"type": f"response.{last['status']}", "response": last},
    ]
    return [{**copy.deepcopy(event), "sequence_number": number} for number, event in enumerate(events)]


def _item(index: int, item: Json, size: int) -> Iterator[Json]:
    at = {"output_index": index}
    empty = {name: [] if isinstance(value, list) else value for name, value in item.items()}
    begun = {**empty, "status": "in_progress"} if "status" in item else empty
    for name in ("arguments", "input"):
        begun |= {name: ""} if name in item else {}
    begun.pop("encrypted_content", None)
    yield {"type": "response.output_item.added", **at, "item": begun}
    yield from _inside({**at, "item_id": item["id"]}, item, size)
    yield {"type": "response.output_item.done", **at, "item": item}


def _inside(at: Json, item: Json, size: int) -> Iterator[Json]:
    if item["type"] == "web_search_call":
        yield from ({"type": f"response.web_search_call.{now}", **at} for now in ("in_progress", "completed"))
    for name, stem in (("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")):
        if name in item:
            yield from ({"type": f"response.{stem}.delta", **at, "delta": d} for d in _cut(item[name], size))
            yield {"type": f"response.{stem}.done", **at, name: item[name]}
    for number, part in enumerate(item.get("summary", ())):
        where = {**at, "summary_index": number}
        yield from _part(where, part, "response.reasoning_summary_part", "reasoning_summary_text", size)
    for number, part in enumerate(item.get("content", ())):
        where = {**at, "content_index": number}
        yield from _part(where, part, "response.content_part", part["type"], size)


def _part(at: Json, part: Json, frame: str, stem: str, size: int) -> Iterator[Json]:
    key = "refusal" if part["type"] == "refusal" else "text"
    empty = {name: [] if isinstance(value, list) else value for name, value in part.items()} | {key: ""}
    more: Json = {"logprobs": []} if stem == "output_text" else {}
    yield {"type": f"{frame}.added", **at, "part": empty}
    for piece in _cut(part[key], size):
        yield {"type": f"response.{stem}.delta", **at, "delta": piece, **more}
    for number, annotation in enumerate(part.get("annotations", ())):
        kind = "response.output_text.annotation.added"
        yield {"type": kind, **at, "annotation_index": number, "annotation": annotation}
    yield {"type": f"response.{stem}.done", **at, key: part[key], **more}
    yield {"type": f"{frame}.done", **at, "part": part}


def _cut(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


@dataclass(frozen=True, slots=True)
class Streamed:
    """A stream as it goes over the wire.

    ``held`` keeps silent after so many events until ``ResponsesServer.release``. ``ending``: ``done`` with the final
    marker, ``no_done`` without, ``cut`` a clean end of the body after the events given, ``reset`` a torn connection. ``pause`` seconds pass before each event.
    """

    events: Sequence[Json]
    ending: Ending = "done"
    held: int | None = None
    pause: float = 0.0

    def frames(self) -> Iterator[bytes]:
        """Return what is written, a frame for each event."""
        for event in self.events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            yield f"{name}data: {json.dumps(event)}\n\n".encode()
        if self.ending == "done":
            yield b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer of another kind than a stream: a JSON body with a status."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Answer = Streamed | Whole


def told(*items: Json, pause: float = 0.0, **more: Any) -> Streamed:
    """Return the whole stream of ``items``."""
    return Streamed(whole(*items, **more), pause=pause)
