"""Calls that upstreams send as no client reads them, through the whole gateway: by each wire and each face."""

from __future__ import annotations

import json
import logging
from typing import Any, TypeAlias

import httpx
import pytest

from tests.backends.http.test_chat import event, replying, streamed
from tests.support.chat_answers import call, chunk
from tests.support.chat_grammar import check as check_chat
from tests.support.chat_grammar import events as chat_events
from tests.support.grammar import check, decode
from tests.support.live import answer, gateway, raw
from tests.support.meant_calls import CMD, EXEC, TOOLS, Written
from tests.support.responses_turns import call as upstream_call
from tests.support.responses_turns import whole

Json: TypeAlias = dict[str, Any]
DONE = b"data: [DONE]\n\n"
CASES = [
    Written("said twice", "exec_command", [CMD + CMD]),
    Written("encoded twice", "exec_command", [json.dumps(CMD)]),
    Written("a marker behind", "exec_command<|channel|>commentary"),
    Written("a namespace in front", "functions.exec_command"),
    Written("two underscores", "mcp__tiny__add", ["{}"], ("mcp__tiny", "add", "{}")),
    Written("a dot", "mcp__tiny.add", ["{}"], ("mcp__tiny", "add", "{}")),
]
EACH = pytest.mark.parametrize("written", CASES, ids=lambda each: each.case)
STREAM = pytest.mark.parametrize("stream", [True, False])


def fragments(written: Written) -> list[str]:
    """The arguments in pieces of a few characters."""
    text = "".join(written.arguments)
    return [text[at : at + 5] for at in range(0, len(text), 5)]


def chat_answer(written: Written, *, streams: bool) -> bytes:
    """What a Chat upstream answers."""
    if streams:
        deltas = [call(0, "c1", written.name, "", type="function")]
        deltas += [call(0, None, None, each) for each in fragments(written)]
        begin = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        chunks = [
            chunk({"role": "assistant", "content": ""}),
            *map(chunk, deltas),
            chunk(finish="tool_calls"),
        ]
        return streamed(*(json.dumps(begin | json.loads(each)).encode() for each in chunks))
    made = call(None, "c1", written.name, "".join(written.arguments), type="function")
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **made},
        "finish_reason": "tool_calls",
    }
    value = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return answer(json.dumps(value).encode(), kind="application/json")


def responses_answer(written: Written) -> bytes:
    """What a Responses upstream answers."""
    events = whole(upstream_call(written.name, "".join(written.arguments)))
    return answer(*(event(json.dumps(each).encode()) for each in events), DONE)


def is_as_meant(told: Any, written: Written) -> None:
    (one,) = told.calls
    assert (one.item.get("namespace"), one.item["name"], one.said) == written.meant
    assert told.response["output"][0]["arguments"] == written.meant[2]


async def ask(sent: bytes, path: str, body: Json, **settings: Any) -> httpx.Response:
    """Ask the gateway in front of an upstream that sends one answer."""
    async with (
        raw(replying(sent)) as (url, _),
        gateway(url, api_key="key", **settings) as base,
        httpx.AsyncClient(base_url=f"{base}/v1", timeout=30) as session,
    ):
        reply = await session.post(path, json={"model": "m1", **body})
    assert reply.status_code == 200, reply.text
    return reply


@EACH
@STREAM
@pytest.mark.parametrize("upstream_streams", [True, False])
@pytest.mark.parametrize("provider", ["generic", "vllm"])
async def test_over_a_chat_upstream(
    written: Written, *, stream: bool, upstream_streams: bool, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent = chat_answer(written, streams=upstream_streams)
    with caplog.at_level(logging.WARNING):
        reply = await ask(
            sent, "/responses", {"input": "x", "tools": TOOLS, "stream": stream}, provider=provider
        )
    if stream:
        is_as_meant(check(decode(reply.content.removesuffix(DONE))), written)
    else:
        (item,) = reply.json()["output"]
        assert (item.get("namespace"), item["name"], item["arguments"]) == written.meant
    assert any("lost: the " in record.getMessage() for record in caplog.records)


@EACH
@STREAM
async def test_over_a_responses_upstream(written: Written, *, stream: bool) -> None:
    wire = {"provider": "generic", "upstream_wire": "responses"}
    body = {"input": "x", "tools": TOOLS, "stream": stream}
    reply = await ask(responses_answer(written), "/responses", body, **wire)
    if stream:
        is_as_meant(check(decode(reply.content.removesuffix(DONE))), written)
    else:
        (item,) = reply.json()["output"]
        assert (item.get("namespace"), item["name"], item["arguments"]) == written.meant


@EACH
@STREAM
@pytest.mark.parametrize("upstream_streams", [True, False])
async def test_from_a_chat_client_to_a_chat_upstream(
    written: Written, *, stream: bool, upstream_streams: bool, caplog: pytest.LogCaptureFixture
) -> None:
    function = {"name": "exec_command", "parameters": EXEC["parameters"]}
    add = {"name": "mcp__tiny-add", "parameters": {"type": "object", "properties": {}}}
    tools = [{"type": "function", "function": each} for each in (function, add)]
    body = {"messages": [{"role": "user", "content": "x"}], "tools": tools, "stream": stream}
    with caplog.at_level(logging.WARNING):
        reply = await ask(chat_answer(written, streams=upstream_streams), "/chat/completions", body)
    if stream:
        (made,) = check_chat(chat_events(reply.text), relayed=True).calls
    else:
        (made,) = reply.json()["choices"][0]["message"]["tool_calls"]
    namespace, name, arguments = written.meant
    flat = name if namespace is None else f"{namespace}-{name}"
    assert made["function"] == {"name": flat, "arguments": arguments}
    assert any("lost: the " in record.getMessage() for record in caplog.records)
