"""Breakages of whole responses, of what is stored, of conversations, counts and models."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.breakages import spoiling as s
from tests.support.breakages.spoiling import Breakage, Json, Reply, Spoil, cut_out, put, whole

WHOLE = "createResponse (whole)"
ALIKE = "createResponse (whole and stream)"
CONTINUED = "createResponse (continued)"
OTHER = "something else"


def row(name: str, case: str, says: str, where: s.Where, spoil: Spoil | None = None, **more: Any) -> Breakage:
    return Breakage(name, "responses state", case, says, where, spoil, **more)


def made(name: str, says: str, edit: Any, case: str = WHOLE) -> Breakage:
    """A whole response that is spoiled."""
    return row(name, case, says, s.RESPOND, whole(edit))


def usage(edit: Any) -> Any:
    return lambda response: edit(response["usage"])


def text(value: str) -> Any:
    return lambda response: response["output"][0]["content"][0].update(text=value)


def cut(response: Json) -> None:
    response.update(status="incomplete", incomplete_details={"reason": "max_output_tokens"})


def pretend_whole(response: Json) -> None:
    response.update(status="completed", incomplete_details=None, completed_at=response["created_at"])
    response["output"][0]["status"] = "completed"


def as_stream(reply: Reply) -> None:
    if not reply.streamed and reply.status == 200:
        reply.headers["content-type"] = "text/event-stream"
        reply.body = b"data: " + reply.body + b"\n\ndata: [DONE]\n\n"


def one_id(reply: Reply) -> None:
    if reply.status == 200:
        found = reply.json["id"] if not reply.streamed else s.events_of(reply.body)[0].data["response"]["id"]
        reply.body = reply.body.replace(found.encode(), b"resp_always")


def forget_context(body: Json) -> None:
    body.pop("previous_response_id", None)


def repeat_previous(reply: Reply) -> None:
    if reply.sent.get("previous_response_id"):
        whole(put(previous_response_id=reply.sent["previous_response_id"]))(reply)


def forget_conversation(body: Json) -> None:
    body.pop("conversation", None)


def repeat_conversation(reply: Reply) -> None:
    if reply.sent.get("conversation"):
        whole(put(conversation={"id": reply.sent["conversation"]}))(reply)


def data(edit: Any) -> Spoil:
    """Change the entries of a list, and say so in its ends."""

    def change(listed: Json) -> None:
        listed["data"] = edit(listed["data"])
        entries = listed["data"]
        listed["first_id"], listed["last_id"] = (
            (entries[0]["id"], entries[-1]["id"]) if entries else (None, None)
        )

    return whole(change)


def other_text(entries: list[Json]) -> list[Json]:
    entries[0]["content"][0]["text"] = OTHER
    return entries


def doubled(entries: list[Json]) -> list[Json]:
    return [*entries, {**entries[0], "id": "msg_twice"}]


def lost(reply: Reply) -> None:
    if reply.status == 200:
        error = {"message": "It is not here.", "type": "invalid_request_error"}
        reply.json = {"error": {**error, "param": "response_id", "code": "not_found"}}
        reply.status = 404


def still_there(value: Json) -> Spoil:
    """Answer where there should be a refusal."""

    def spoil(reply: Reply) -> None:
        if reply.status == 404:
            reply.status = 200
            reply.json = value

    return spoil


def keep_metadata(request: httpx.Request) -> Reply:
    """Answer an update as if it had been made."""
    sent = s.decoded(request.content)
    name = request.url.path.rsplit("/", 1)[-1]
    found = {"id": name, "object": "conversation", "created_at": 1, "metadata": sent["metadata"]}
    return s.answered(found)(request)


def reversed_always(request: httpx.Request, body: Json) -> tuple[httpx.URL, Json]:
    return request.url.copy_set_param("order", "desc"), body


def oldest_first(request: httpx.Request, body: Json) -> tuple[httpx.URL, Json]:
    return request.url.copy_set_param("order", "asc"), body


def forget_instructions(body: Json) -> None:
    body.pop("instructions", None)


def repeat_instructions(reply: Reply) -> None:
    whole(put(instructions=reply.sent.get("instructions")))(reply)


def first_item(body: Json) -> None:
    if isinstance(body.get("input"), list):
        body["input"] = body["input"][:1]


def stored_anyway(reply: Reply) -> None:
    whole(put(store=reply.sent.get("store", True)))(reply)


def question_marks(reply: Reply) -> None:
    reply.body = reply.body.decode().encode("ascii", "replace")


LIST = {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
DELETED = {"id": "{id}", "object": "response", "deleted": True}
ENDED = {"id": "{id}", "object": "conversation.deleted", "deleted": True}
CONVERSATION = {"id": "{id}", "object": "conversation", "created_at": 1, "metadata": {}}

BREAKAGES = (
    made("status in_progress", "status is 'in_progress'", put(status="in_progress")),
    made("status queued", "status is 'queued'", put(status="queued")),
    made("status failed", "status is 'failed'", put(status="failed")),
    made("an error beside success", "error is", put(error={"code": "server_error", "message": "It failed."})),
    made("no usage", "usage is null", put(usage=None)),
    made("usage left out", "usage", cut_out("usage")),
    made("a wrong sum of usage", "total_tokens is", usage(put(total_tokens=999))),
    made("a negative usage", "not a count", usage(put(input_tokens=-1))),
    made(
        "reasoning beyond what was written",
        "reasoning_tokens is",
        usage(lambda u: u["output_tokens_details"].update(reasoning_tokens=999)),
    ),
    made("an empty id", "id", put(id="")),
    made("no output", "output holds no text", put(output=[])),
    made("an empty text", "output holds no text", text("")),
    made("an item without id", "id", lambda r: r["output"][0].update(id="")),
    made("an item in progress", r"output\[0\].status", lambda r: r["output"][0].update(status="in_progress")),
    made("a message of the user", "role", lambda r: r["output"][0].update(role="user")),
    made("an item twice", "one id", lambda r: r["output"].append(dict(r["output"][0]))),
    made("another model", "model is 'other'", put(model="other")),
    made("metadata lost", "metadata is", put(metadata={})),
    made("instructions lost", "instructions is", put(instructions=None)),
    made("the limit lost", "max_output_tokens is", put(max_output_tokens=None)),
    made("cut without a reason", "incomplete_details is", put(status="incomplete")),
    made("whole, but said to be cut", "as if the answer was cut", cut),
    made(
        "cut, but said to be whole",
        "as if the answer was whole",
        pretend_whole,
        "createResponse (cut, whole)",
    ),
    made("a member left out", "parallel_tool_calls", cut_out("parallel_tool_calls")),
    made("an object of another kind", "object", put(object="chat.completion")),
    made("an output_text that is another", "output_text is", put(output_text=OTHER)),
    made("finished before it began", "completed_at", put(completed_at=1)),
    row("a whole answer as a stream", WHOLE, "content-type", s.RESPOND, as_stream),
    row("one id for all responses", ALIKE, "two answers have the id", s.RESPOND, one_id),
    made("a member that streams have not", "has the member extra", put(extra=1), ALIKE),
    made(
        "a member of items that streams have not",
        "has extra",
        lambda r: r["output"][0].update(extra=1),
        ALIKE,
    ),
    row(
        "the context is dropped",
        CONTINUED,
        "brings no context",
        s.RESPOND,
        repeat_previous,
        ask=s.asked(forget_context),
    ),
    made(
        "no previous response in the answer",
        "previous_response_id is",
        put(previous_response_id=None),
        CONTINUED,
    ),
    row(
        "instructions are dropped",
        "createResponse (instructions)",
        "change nothing",
        s.RESPOND,
        repeat_instructions,
        ask=s.asked(forget_instructions),
    ),
    row(
        "all items but the first are dropped",
        "createResponse (function output)",
        "are not read",
        s.RESPOND,
        ask=s.asked(first_item),
    ),
    row(
        "tools are dropped",
        "createResponse (function call)",
        "tools are",
        s.RESPOND,
        ask=s.asked(lambda body: body.pop("tools", None)),
    ),
    # -- stored responses
    row(
        "stored although it should not be",
        "getResponse (not stored)",
        "status is 200",
        s.RESPOND,
        stored_anyway,
        ask=s.asked(put(store=True)),
    ),
    row("a stored response is lost", "getResponse (stored)", "404", s.STORED, lost),
    row(
        "a stored response has another text",
        "getResponse (stored)",
        "output is",
        s.STORED,
        whole(text(OTHER)),
    ),
    row(
        "a stored response has another id", "getResponse (stored)", "id is", s.STORED, whole(put(id="resp_o"))
    ),
    row(
        "a stored response has other metadata",
        "getResponse (stored)",
        "metadata is",
        s.STORED,
        whole(put(metadata={})),
    ),
    row(
        "a stored stream has no usage",
        "getResponse (stored stream)",
        "usage is",
        s.STORED,
        whole(put(usage=None)),
    ),
    row(
        "a stored stream is in progress",
        "getResponse (stored stream)",
        "status is",
        s.STORED,
        whole(put(status="in_progress")),
    ),
    row(
        "input items of another text",
        "listInputItems (stored)",
        "messages of the list",
        s.INPUTS,
        data(other_text),
    ),
    row("no input items", "listInputItems (stored)", "messages of the list", s.INPUTS, data(lambda _: [])),
    row("input items twice", "listInputItems (stored)", "messages of the list", s.INPUTS, data(doubled)),
    row(
        "more input items announced",
        "listInputItems (stored)",
        "has_more",
        s.INPUTS,
        whole(put(has_more=True)),
    ),
    row(
        "input items with another first_id",
        "listInputItems (stored)",
        "first_id",
        s.INPUTS,
        whole(put(first_id="m")),
    ),
    row(
        "input items without the context",
        "listInputItems (continued)",
        "messages of the list",
        s.INPUTS,
        data(lambda entries: entries[-1:]),
    ),
    row(
        "nothing is deleted",
        "getResponse (deleted)",
        "status is 200",
        s.DELETE_STORED,
        instead=s.answered(DELETED),
    ),
    row(
        "a deletion that says it is none",
        "deleteResponse (stored)",
        "deleted",
        s.DELETE_STORED,
        whole(put(deleted=False)),
    ),
    row(
        "a deletion of another", "deleteResponse (stored)", "id is", s.DELETE_STORED, whole(put(id="resp_o"))
    ),
    row(
        "input items of what is deleted",
        "listInputItems (deleted)",
        "status is 200",
        s.INPUTS,
        still_there(LIST),
    ),
    row(
        "going on from what is deleted",
        "createResponse (deleted previous response)",
        "status is 200",
        s.RESPOND,
        ask=s.asked(forget_context),
    ),
    # -- conversations
    row(
        "a conversation without metadata", "createConversation", "metadata", s.BEGIN, whole(put(metadata={}))
    ),
    row(
        "a conversation of another time", "getConversation", "it is", s.CONVERSATION, whole(put(created_at=1))
    ),
    row(
        "an update that changes nothing", "updateConversation", "metadata is", s.UPDATE, instead=keep_metadata
    ),
    row("an update of another", "updateConversation", "id is", s.UPDATE, whole(put(id="conv_o"))),
    row(
        "an item that is not added",
        "createConversationItems",
        "messages of the list",
        s.ADD,
        data(lambda e: e[1:]),
    ),
    row(
        "items in another order",
        "listConversationItems (order)",
        "messages of the list",
        s.ITEMS,
        ask=reversed_always,
    ),
    row(
        "the oldest first unasked", "listConversationItems (order)", "newest item", s.ITEMS, ask=oldest_first
    ),
    row(
        "the same page again",
        "listConversationItems (pages)",
        "pages hold",
        s.ITEMS,
        ask=s.query_without("after"),
    ),
    row(
        "pages of any length",
        "listConversationItems (pages)",
        "more than 2 items",
        s.ITEMS,
        ask=s.query_without("limit"),
    ),
    row(
        "no further page announced",
        "listConversationItems (pages)",
        "pages hold",
        s.ITEMS,
        whole(put(has_more=False)),
    ),
    row(
        "an item of another text",
        "getConversationItem",
        "it is",
        s.ITEM,
        whole(lambda i: i["content"][0].update(text=OTHER)),
    ),
    row(
        "an item that is not deleted",
        "deleteConversationItem",
        "was deleted",
        s.DROP,
        instead=lambda request: s.answered({**CONVERSATION, "id": request.url.path.split("/")[3]})(request),
    ),
    row(
        "an answer that is not added",
        "createResponse (conversation)",
        "added to the conversation",
        s.RESPOND,
        repeat_conversation,
        ask=s.asked(forget_conversation),
    ),
    row(
        "a conversation that the answer does not name",
        "createResponse (conversation)",
        "conversation is",
        s.RESPOND,
        whole(cut_out("conversation")),
    ),
    row(
        "a conversation that is not deleted",
        "getConversation (deleted)",
        "status is 200",
        s.END,
        instead=s.answered(ENDED),
    ),
    row(
        "items of a deleted conversation",
        "listConversationItems (deleted)",
        "status is 200",
        s.ITEMS,
        still_there(LIST),
    ),
    row(
        "letters beyond ASCII are lost",
        "listConversationItems (order)",
        "messages of the list",
        s.ITEMS,
        question_marks,
    ),
    # -- counts, compaction, models
    row(
        "one count for all inputs",
        "countInputTokens",
        "for a longer input",
        s.COUNT,
        whole(put(input_tokens=8)),
    ),
    row("a count of 0", "countInputTokens", "input_tokens is 0", s.COUNT, whole(put(input_tokens=0))),
    row(
        "a compaction without content",
        "compactResponse",
        "encrypted_content",
        s.COMPACT,
        whole(lambda c: c["output"][-1].update(encrypted_content="")),
    ),
    row(
        "a compaction without an item",
        "compactResponse",
        "no item of type compaction",
        s.COMPACT,
        whole(put(output=[])),
    ),
    row("no models", "listModels", "holds no model", s.MODELS, whole(put(data=[], models=[]))),
    row("a model twice", "listModels", "one id", s.MODELS, whole(lambda m: m["data"].append(m["data"][0]))),
    row(
        "a catalogue of other models",
        "listModels",
        "models holds",
        s.MODELS,
        whole(lambda m: m["models"][0].update(slug="other")),
    ),
    row(
        "another model than asked for",
        "retrieveModel (listed)",
        "in the list",
        s.MODEL,
        whole(put(id="other")),
    ),
    row(
        "any model there is",
        "retrieveModel (unknown)",
        "status is 200",
        s.MODEL,
        instead=s.answered({"id": "{id}", "object": "model", "created": 1, "owned_by": "demo"}),
    ),
    # -- the gateway
    row("another server", "about", "name is 'other'", ("GET", "/"), whole(put(name="other"))),
    row("a gateway that is ill", "health", "status is 'ill'", ("GET", "/health"), whole(put(status="ill"))),
    row(
        "no backend ready",
        "ready",
        "no backend is ready",
        ("GET", "/ready"),
        whole(put(backends={"default": "down"})),
    ),
    row(
        "metrics without a metric",
        "metrics (text)",
        "no metric",
        ("GET", "/metrics"),
        lambda reply: setattr(reply, "body", b""),
    ),
    row(
        "metrics of another type",
        "metrics (text)",
        "content-type",
        ("GET", "/metrics"),
        s.header("content-type", "text/html"),
    ),
)
