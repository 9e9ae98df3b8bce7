"""The ways of a Chat request through a gateway, with one script for all kinds of upstreams."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.chat_rules import Rules
from tests.support.chat_server import API_KEY, ChatServer, Exchange
from tests.support.chat_turns import Reply, ToolCall, Turn, Usage, failure
from tests.support.gateway import Gateway
from tests.support.responses_server import ResponsesServer
from tests.support.responses_turns import (
    Answer,
    Json,
    Streamed,
    Whole,
    call,
    custom_call,
    message,
    reasoning,
    refusal,
    response,
    whole,
)

ROADS = ("chat", "relayed", "mended")
"""To a Chat upstream; to a complete Responses upstream; to one whose answers are written anew."""
FLAGS = {
    "chat": (),
    "relayed": ("--upstream-wire", "responses", "--provider", "openai"),
    "mended": ("--upstream-wire", "responses", "--provider", "generic"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of the model, whatever it speaks."""

    text: str = ""
    thought: str = ""
    refusal: str = ""
    calls: Sequence[ToolCall] = ()
    custom: Sequence[ToolCall] = ()
    """Calls of tools with free-form input, which only a Responses upstream is asked for here."""
    cut: bool = False
    breaks: bool = False
    """Whether the stream is cut within the text."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal by the upstream."""

    status: int
    code: str
    message: str = "reason 4711"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Asked:
    """What the upstream was asked, whatever it speaks."""

    body: Json
    outputs: dict[str, str]
    pictures: list[str]
    tools: list[str]


class Road:
    """A gateway before an upstream of one kind."""

    def __init__(self, kind: str, server: ChatServer | ResponsesServer, gateway: Gateway) -> None:
        self.kind = kind
        self.server = server
        self.gateway = gateway

    def play(self, *script: Said | Refused) -> None:
        """Start over with a script and an empty log."""
        if isinstance(self.server, ChatServer):
            self.server.play([_turn(each) for each in script])
        else:
            self.server.play([_answer(each) for each in script])

    @property
    def asked(self) -> list[Asked]:
        """Return the requests of the upstream, in order."""
        if isinstance(self.server, ChatServer):
            return [_of_chat(each) for each in self.server.chats]
        return [_of_responses(each) for each in self.server.asked]


@contextmanager
def road(kind: str, home: Path, *flags: str) -> Iterator[Road]:
    """Run a gateway process before an upstream of one kind."""
    rules = Rules(unknown_fields=True)
    with (
        ChatServer([], rules=rules) if kind == "chat" else ResponsesServer() as server,
        Gateway(server.base_url, home, *FLAGS[kind], *flags, api_key=API_KEY) as gateway,
    ):
        yield Road(kind, server, gateway)
        assert "Traceback" not in gateway.stderr, gateway.stderr


def _turn(said: Said | Refused) -> Reply:
    if isinstance(said, Refused):
        return failure(said.status, said.message, code=said.code, headers=said.headers)
    return Turn(
        text=said.text,
        reasoning=said.thought,
        refusal=said.refusal,
        tool_calls=said.calls,
        finish_reason="length" if said.cut else None,
        ending="cut" if said.breaks else "done",
        usage=Usage(11, 7, cached=2, reasoning=3),
    )


def _answer(said: Said | Refused) -> Answer:
    if isinstance(said, Refused):
        error = {"message": said.message, "code": said.code, "param": None}
        return Whole({"error": error}, said.status, headers=said.headers)
    items: list[Json] = [reasoning(said.thought)] if said.thought else []
    items += [message(said.text)] if said.text else []
    items += [refusal(said.refusal, item_id="msg_2")] if said.refusal else []
    items += [
        call(each.name, each.arguments, call_id=each.id, item_id=f"fc_{each.id}") for each in said.calls
    ]
    items += [custom_call(each.name, each.arguments, call_id=each.id) for each in said.custom]
    last = (
        response(items, "incomplete", incomplete_details={"reason": "max_output_tokens"})
        if said.cut
        else None
    )
    events = whole(*items, terminal=last)
    return Streamed(events[:-5], ending="cut") if said.breaks else Streamed(events)


def _of_chat(exchange: Exchange) -> Asked:
    tools = [tool.get("function", tool).get("name", "") for tool in exchange.body.get("tools", ())]
    return Asked(exchange.body, exchange.outputs, exchange.image_urls, tools)


def _of_responses(body: Json) -> Asked:
    items = body["input"] if isinstance(body["input"], list) else []
    outputs = {each["call_id"]: each["output"] for each in items if str(each.get("type")).endswith("_output")}
    contents: list[Any] = [each.get("content") for each in items]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    pictures = [part["image_url"] for part in parts if part["type"] == "input_image"]
    return Asked(body, outputs, pictures, [tool.get("name", tool["type"]) for tool in body.get("tools", ())])


def called(call_id: str, name: str, /, **arguments: Any) -> ToolCall:
    """Return a call with these arguments."""
    return ToolCall(call_id, name, json.dumps(arguments))
