"""The Chat backend in front of a real server: what is asked, how often, and what comes of each kind of answer."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from wireloom_protocol import responses as m

from tests.support.chat_answers import call, chunk
from tests.support.grammar import Told, check, decode
from tests.support.live import Handler, RawUpstream, answer, raw
from tests.support.streams import new_stream
from wireloom.backends.base import Ask, Caller
from wireloom.backends.http.chat import MAX_ROUNDS, ChatBackend
from wireloom.backends.http.client import Upstream
from wireloom.backends.slots import Slots
from wireloom.errors import GatewayError
from wireloom.providers import load
from wireloom.seal import KEY_BYTES, NONCE_BYTES, Sealer
from wireloom.translate.rules.loss import Losses
from wireloom.wire.sse import MAX_EVENT_BYTES, encode

Json = dict[str, Any]
SEARCH = "$web_search"
DONE = b"data: [DONE]\n\n"
HEADERS = "HTTP/1.1 200 OK\r\nconnection: close\r\n"


class Conversation:
    """One turn of a backend: what was told, and how it failed."""

    def __init__(self, upstream: RawUpstream) -> None:
        self.upstream = upstream
        self.batches: list[bytes] = []
        self.failure: GatewayError | None = None

    @property
    def bodies(self) -> list[Json]:
        """What the upstream was asked."""
        return [json.loads(body) for body in self.upstream.bodies]

    @property
    def told(self) -> Told:
        """What the client was told; after a failure, the failure too."""
        return check(decode(b"".join(self.batches)))


@asynccontextmanager
async def backend(url: str, profile: str) -> AsyncIterator[ChatBackend]:
    """A backend for the server at a URL."""
    made = ChatBackend(Upstream(url, "key"), load(profile), Slots(1, 0, 1.0))
    try:
        yield made
    finally:
        await made.aclose()


def asked(codex: bool = False, **body: Any) -> Ask:
    request = m.CreateResponse.model_validate({"model": "a-model", "input": "hello", **body})
    seal = Sealer([bytes(KEY_BYTES)]).bind("me", "route", lambda: bytes(NONCE_BYTES))
    seals = {"reasoning": seal, "compaction": seal}
    return Ask(request, "a-model", Caller("me", "req_1", codex), Losses(), seals)


async def converse(handler: Handler, profile: str = "generic", **body: Any) -> Conversation:
    """Let a backend answer one request in front of a handler."""
    async with raw(handler) as (url, upstream), backend(url, profile) as made:
        conversation, stream = Conversation(upstream), new_stream()
        turn = made.turn(asked(**body), stream)
        try:
            async for events in turn.events():
                conversation.batches.append(encode(events))
        except GatewayError as error:
            conversation.failure = error
            stream.fail(error.body(), "upstream_error")
            conversation.batches.append(encode(stream.take()))
    return conversation


def replying(*answers: bytes) -> Handler:
    """Answer each request in turn, the last one over and over."""
    left = list(answers)

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return handler


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def streamed(*payloads: bytes) -> bytes:
    return answer(*map(event, payloads), DONE)


def whole(message: Json, finish: str, used: Json) -> bytes:
    """The same in one piece."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = {"object": "chat.completion", "choices": [choice], "usage": used}
    return answer(json.dumps(body).encode(), kind="application/json")


def used(prompt: int, completion: int) -> Json:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


# -- an upstream that searches by calling --------------------------------------------------------------------------

ARGUMENTS = '{"search_result":{"search_id":"s"},"usage":{"total_tokens":9}}'
TOOLS = [{"type": "web_search"}]
SEARCHING = {
    "streamed": streamed(
        chunk({"role": "assistant", "reasoning_content": "I have "}),
        chunk({"reasoning_content": "to look."}),
        chunk({"content": "One moment. "}),
        chunk(call(0, "s1", SEARCH, ARGUMENTS[:9])),
        chunk(call(0, None, None, ARGUMENTS[9:])),
        chunk(finish="tool_calls", usage=used(10, 5)),
    ),
    "whole": whole(
        {
            "reasoning_content": "I have to look.",
            "content": "One moment. ",
            **call(None, "s1", SEARCH, ARGUMENTS),
        },
        "tool_calls",
        used(10, 5),
    ),
}
FOUND = {
    "streamed": streamed(
        chunk({"reasoning_content": "Rain."}),
        chunk({"content": "It rains."}),
        chunk(finish="stop", usage=used(50, 7)),
    ),
    "whole": whole({"reasoning_content": "Rain.", "content": "It rains."}, "stop", used(50, 7)),
}


@pytest.mark.parametrize("first", SEARCHING)
@pytest.mark.parametrize("second", FOUND)
async def test_a_search_is_two_requests_and_one_response(first: str, second: str) -> None:
    conversation = await converse(replying(SEARCHING[first], FOUND[second]), "kimi", tools=TOOLS)
    one, two = conversation.bodies
    assert one["tools"] == two["tools"]
    assert {"type": "builtin_function", "function": {"name": SEARCH}} in one["tools"]
    assert two == one | {
        "messages": [
            *one["messages"],
            {
                "role": "assistant",
                "content": "One moment. ",
                "reasoning_content": "I have to look.",
                "tool_calls": [
                    {
                        "id": "s1",
                        "type": "builtin_function",
                        "function": {"name": SEARCH, "arguments": ARGUMENTS},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "s1", "name": SEARCH, "content": ARGUMENTS},
        ]
    }
    told = conversation.told
    assert told.items == [
        ("reasoning", "I have to look."),
        ("message", "One moment. "),
        ("reasoning", "Rain."),
        ("message", "It rains."),
    ]
    counted = told.response["usage"]
    assert (counted["input_tokens"], counted["output_tokens"], counted["total_tokens"]) == (60, 12, 72)


async def test_what_comes_before_a_search_is_told_before_it_is_made() -> None:
    told: list[int] = []

    async def handler(body: bytes, writer: asyncio.StreamWriter) -> None:
        told.append(len(json.loads(body)["messages"]))
        writer.write(SEARCHING["streamed"] if len(told) == 1 else FOUND["streamed"])

    async with raw(handler) as (url, _), backend(url, "kimi") as made:
        turn = made.turn(asked(tools=TOOLS), new_stream())
        batches = turn.events()
        first = await anext(batches)
        assert len(told) == 1
        assert any(b"to look" in encode([one]) for one in first)
        await batches.aclose()
    assert len(told) == 1


async def test_an_upstream_that_never_stops_searching_is_given_up() -> None:
    conversation = await converse(replying(SEARCHING["streamed"]), "kimi", tools=TOOLS)
    assert conversation.failure is not None
    assert (conversation.failure.code, conversation.failure.status) == ("upstream_invalid", 502)
    assert len(conversation.bodies) == MAX_ROUNDS
    lengths = [len(body["messages"]) for body in conversation.bodies]
    assert lengths == list(range(lengths[0], lengths[0] + 2 * MAX_ROUNDS, 2))
    assert conversation.told.response["status"] == "failed"


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (answer(b'{"error": {"message": "no"}}', status="500 No", kind="application/json"), "upstream_error"),
        (answer(event(chunk({"content": "It"}))), "upstream_incomplete"),
        (answer(b"<html>", kind="text/html"), "upstream_invalid"),
        (b"", "upstream_incomplete"),
    ],
)
async def test_a_failure_after_a_search_fails_the_response(second: bytes, code: str) -> None:
    conversation = await converse(replying(SEARCHING["streamed"], second), "kimi", tools=TOOLS)
    assert conversation.failure is not None
    assert conversation.failure.code == code
    assert conversation.told.response["status"] == "failed"
    assert conversation.told.reasoning == "I have to look."


async def test_without_an_echo_there_is_one_request() -> None:
    conversation = await converse(replying(SEARCHING["streamed"]))
    assert len(conversation.bodies) == 1
    assert [(one.item["name"], one.said) for one in conversation.told.calls] == [(SEARCH, ARGUMENTS)]


async def test_a_slot_is_free_again_after_a_failure() -> None:
    async with (
        raw(replying(answer(b"<html>", kind="text/html"))) as (url, _),
        backend(url, "generic") as made,
    ):
        for _ in range(2):
            with pytest.raises(GatewayError) as caught:
                async for _events in made.turn(asked(), new_stream()).events():
                    pass
            assert caught.value.code == "upstream_invalid"


# -- what is sent as what ------------------------------------------------------------------------------------------

EVENTS = event(chunk({"role": "assistant", "content": "Grüße 😀"})) + event(chunk(finish="stop")) + DONE
OBJECT = json.dumps({"choices": [{"message": {"content": "Grüße 😀"}, "finish_reason": "stop"}]}).encode()


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("text/event-stream", EVENTS, None),
        ("text/event-stream; charset=utf-8", EVENTS, None),
        ("Text/Event-Stream;charset=UTF-8", EVENTS, None),
        ("application/json", OBJECT, None),
        ("application/json; charset=utf-8", OBJECT, None),
        ("text/plain", OBJECT, None),
        ("", OBJECT, None),
        ("application/json", EVENTS, None),
        ("text/plain", EVENTS, None),
        ("", EVENTS, None),
        ("text/event-stream", OBJECT, None),
        ("text/event-stream", b"<html></html>", "upstream_invalid"),
        ("text/html", b"<html></html>", "upstream_invalid"),
        ("application/json", b"", "upstream_invalid"),
        ("text/event-stream", b"", "upstream_incomplete"),
        ("application/json", b'{"choices": []}', "upstream_incomplete"),
    ],
)
async def test_what_is_sent_as_what(kind: str, body: bytes, code: str | None) -> None:
    head = f"{HEADERS}content-type: {kind}\r\n\r\n" if kind else f"{HEADERS}\r\n"
    conversation = await converse(replying(head.encode() + body))
    if code is None:
        assert conversation.failure is None
        assert conversation.told.text == "Grüße 😀"
    else:
        assert conversation.failure is not None
        assert (conversation.failure.code, conversation.failure.status) == (code, 502)
        assert (conversation.told.text, conversation.told.response["status"]) == ("", "failed")


async def test_a_body_may_come_byte_by_byte() -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer())
        for byte in EVENTS:
            writer.write(bytes([byte]))
            await writer.drain()

    assert (await converse(handler)).told.text == "Grüße 😀"


async def test_a_line_of_ten_megabytes_is_told_whole() -> None:
    text = "x" * (10 * 2**20)
    conversation = await converse(replying(streamed(chunk({"content": text}), chunk(finish="stop"))))
    assert len(conversation.told.text) == len(text)


async def test_a_line_without_an_end_is_given_up() -> None:
    data = answer(b"data: " + b"x" * (MAX_EVENT_BYTES + 1))
    conversation = await converse(replying(data))
    assert conversation.failure is not None
    assert conversation.failure.code == "upstream_invalid"


async def test_what_could_not_be_told_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    late = {"annotations": [{"type": "url_citation", "url_citation": {"url": "https://secret/"}}]}
    with caplog.at_level(logging.DEBUG, "wireloom.tools"):
        conversation = await converse(
            replying(streamed(chunk(call(0, "x", "f", "{}")), chunk(late), chunk(finish="stop")))
        )
    assert conversation.failure is None
    assert "req_1 lost: a source came after its text" in caplog.messages
    assert "req_1 tools called ['f']" in caplog.messages
    assert "secret" not in caplog.text
