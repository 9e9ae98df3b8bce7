"""A client whose connection spoils some of a good gateway's answers, in one way at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx

Json = dict[str, Any]
Where = tuple[str, str]
"""A method, and a pattern of the whole path."""

ID = r"[^/]+"
RESPOND: Where = ("POST", "/v1/responses")
STORED: Where = ("GET", f"/v1/responses/{ID}")
DELETE_STORED: Where = ("DELETE", f"/v1/responses/{ID}")
INPUTS: Where = ("GET", f"/v1/responses/{ID}/input_items")
COUNT: Where = ("POST", "/v1/responses/input_tokens")
COMPACT: Where = ("POST", "/v1/responses/compact")
CHAT: Where = ("POST", "/v1/chat/completions")
MODELS: Where = ("GET", "/v1/models")
MODEL: Where = ("GET", f"/v1/models/{ID}")
BEGIN: Where = ("POST", "/v1/conversations")
CONVERSATION: Where = ("GET", f"/v1/conversations/{ID}")
UPDATE: Where = ("POST", f"/v1/conversations/{ID}")
END: Where = ("DELETE", f"/v1/conversations/{ID}")
ADD: Where = ("POST", f"/v1/conversations/{ID}/items")
ITEMS: Where = ("GET", f"/v1/conversations/{ID}/items")
ITEM: Where = ("GET", f"/v1/conversations/{ID}/items/{ID}")
DROP: Where = ("DELETE", f"/v1/conversations/{ID}/items/{ID}")
ANY: Where = (".*", ".*")


@dataclass
class Reply:
    """An answer that may be changed, and the request that it is for."""

    method: str
    path: str
    sent: Any
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @json.setter
    def json(self, value: Any) -> None:
        self.body = json.dumps(value).encode()


Spoil = Callable[[Reply], None]
Ask = Callable[[httpx.Request, Json], tuple[httpx.URL, Json]]


@dataclass(frozen=True)
class Breakage:
    """One way to spoil answers.

    case: the label of the case that has to fail; says: a pattern that its report has to hold; where: which requests are
    spoiled; spoil: changes an answer; ask: changes a request on its way, what it returns goes out; instead: answers
    without asking the gateway; missed: why no check can find it, empty where one does.
    """

    name: str
    face: str
    case: str
    says: str
    where: Where
    spoil: Spoil | None = None
    ask: Ask | None = None
    instead: Callable[[httpx.Request], Reply] | None = None
    missed: str = ""

    def __str__(self) -> str:
        return f"{self.face}: {self.name}"

    def hits(self, method: str, path: str) -> bool:
        """Whether a request is one that is spoiled."""
        return all(re.fullmatch(*pair) for pair in zip(self.where, (method, path), strict=True))


class Spoiling(httpx.BaseTransport):
    """Sends requests on to a gateway, and spoils those that a breakage names."""

    def __init__(self, breakage: Breakage, inner: httpx.BaseTransport) -> None:
        self._breakage = breakage
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        breakage = self._breakage
        if not breakage.hits(request.method, request.url.path):
            return self._inner.handle_request(request)
        if breakage.instead is not None:
            return response_of(breakage.instead(request))
        sent = decoded(request.content)
        asked = request
        if breakage.ask is not None:
            url, body = breakage.ask(request, dict(sent) if isinstance(sent, dict) else {})
            content = json.dumps(body).encode() if request.content else b""
            headers = {name: value for name, value in request.headers.items() if name != "content-length"}
            asked = httpx.Request(
                request.method, url, headers=headers, content=content, extensions=request.extensions
            )
        response = self._inner.handle_request(asked)
        reply = Reply(
            request.method,
            request.url.path,
            sent,
            response.status_code,
            dict(response.headers),
            response.read(),
        )
        if breakage.spoil is not None:
            breakage.spoil(reply)
        return response_of(reply)


def response_of(reply: Reply) -> httpx.Response:
    """An answer as it goes out: with the length of its body, whatever it had before."""
    drop = ("content-length", "transfer-encoding", "content-encoding")
    headers = {name: value for name, value in reply.headers.items() if name not in drop}
    return httpx.Response(reply.status, headers=headers, content=reply.body)


def decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


# -- what is spoiled -------------------------------------------------------------------------------------------------


@dataclass
class Event:
    """One event of a stream: its name line, its data as JSON or as text."""

    name: str | None
    data: Any

    @property
    def kind(self) -> str:
        return str(self.data.get("type")) if isinstance(self.data, dict) else str(self.data)

    def encode(self) -> str:
        text = self.data if isinstance(self.data, str) else json.dumps(self.data)
        return f"data: {text}\n\n" if self.name is None else f"event: {self.name}\ndata: {text}\n\n"


def events_of(body: bytes) -> list[Event]:
    """The events of a stream as the gateway writes it."""
    found = []
    for block in body.decode().split("\n\n"):
        if block and not block.startswith(":"):
            name = block.partition("\n")[0].removeprefix("event: ") if block.startswith("event: ") else None
            data = block.partition("data: ")[2]
            found.append(Event(name, data if data == "[DONE]" else json.loads(data)))
    return found


def streamed(edit: Callable[[list[Event]], Sequence[Event] | None]) -> Spoil:
    """Change the events of streams: in place, or by what is returned."""

    def spoil(reply: Reply) -> None:
        if reply.streamed and reply.status == 200:
            events = events_of(reply.body)
            changed = edit(events)
            reply.body = "".join(each.encode() for each in (events if changed is None else changed)).encode()

    return spoil


def events(kind: str, edit: Callable[[Json], Any]) -> Spoil:
    """Change the data of every event of a kind."""

    def change(found: list[Event]) -> None:
        for event in found:
            if re.fullmatch(kind, event.kind):
                edit(event.data)

    return streamed(change)


def without(kind: str) -> Spoil:
    """Leave events of a kind out, and number the others anew, as a gateway that never wrote them would."""
    return streamed(lambda found: renumbered(event for event in found if not re.fullmatch(kind, event.kind)))


def renumbered(found: Iterator[Event] | Sequence[Event]) -> list[Event]:
    """Events numbered from 0."""
    kept = list(found)
    for number, event in enumerate(kept):
        if isinstance(event.data, dict) and "sequence_number" in event.data:
            event.data["sequence_number"] = number
    return kept


def place(found: list[Event], kind: str) -> int:
    """Where the first event of a kind is."""
    return next(number for number, event in enumerate(found) if re.fullmatch(kind, event.kind))


def whole(edit: Callable[[Json], Any]) -> Spoil:
    """Change the JSON of answers that are no stream and no refusal."""

    def spoil(reply: Reply) -> None:
        if not reply.streamed and reply.status == 200:
            value = reply.json
            edit(value)
            reply.json = value

    return spoil


def both(edit: Callable[[Json], Any], stream: Spoil) -> Spoil:
    """Change whole answers and streams."""

    def spoil(reply: Reply) -> None:
        whole(edit)(reply)
        stream(reply)

    return spoil


def put(**members: Any) -> Callable[[Json], None]:
    """Set members of an object."""
    return lambda value: value.update(members)


def cut_out(*names: str) -> Callable[[Json], None]:
    """Remove members of an object."""

    def edit(value: Json) -> None:
        for name in names:
            value.pop(name, None)

    return edit


def status(number: int, **error: Any) -> Spoil:
    """Refuse with another status, and with other members of the error object."""

    def spoil(reply: Reply) -> None:
        if reply.status >= 400:
            value = reply.json
            value["error"].update(error)
            reply.json = value
            reply.status = number

    return spoil


def header(name: str, value: str | None) -> Spoil:
    """Set or remove a header of every answer."""

    def spoil(reply: Reply) -> None:
        reply.headers.pop(name, None)
        if value is not None:
            reply.headers[name] = value

    return spoil


def asked(edit: Callable[[Json], Any]) -> Ask:
    """Change the body of a request on its way."""

    def ask(request: httpx.Request, body: Json) -> tuple[httpx.URL, Json]:
        edit(body)
        return request.url, body

    return ask


def query_without(name: str) -> Ask:
    """Leave a query parameter out on the way."""

    def ask(request: httpx.Request, body: Json) -> tuple[httpx.URL, Json]:
        return request.url.copy_remove_param(name), body

    return ask


def answered(value: Json, code: int = 200, **headers: str) -> Callable[[httpx.Request], Reply]:
    """Answer without asking the gateway. ``{id}`` in a text stands for the last part of the path."""

    def answer(request: httpx.Request) -> Reply:
        text = json.dumps(value).replace("{id}", request.url.path.rsplit("/", 1)[-1])
        heads = {
            "content-type": "application/json",
            "x-request-id": f"req_made_{next(_numbers)}",
            **{name.replace("_", "-"): each for name, each in headers.items()},
        }
        return Reply(request.method, request.url.path, None, code, heads, text.encode())

    return answer


_numbers = count(1)
