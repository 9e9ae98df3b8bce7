"""What a client carries sealed goes to the upstream that made it, over real sockets: reasoning, and state of its own."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.support.chat_answers import call, chunk
from tests.support.live import answer, gateway, raw

Json = dict[str, Any]
ENCRYPTED = "reasoning.encrypted_content"
SIGNED = {"google": {"thought_signature": "EpwC"}}
A = '{"a":1}'
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
DETAIL: Json = {"type": "reasoning.text", "text": "Hm.", "signature": "signature of the upstream", "index": 0}


async def converse(turns: list[list[bytes]], provider: str, **asked: Any) -> tuple[list[Json], list[Json]]:
    """Ask as often as there are turns, each time with all that was said; return responses and upstream requests."""
    left = list(turns)

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        payloads = [*left.pop(0), b"[DONE]"]
        writer.write(answer(*(b"data: " + payload + b"\n\n" for payload in payloads)))

    items: list[Json] = [{"role": "user", "content": "hello"}]
    responses: list[Json] = []
    async with (
        raw(handler) as (url, upstream),
        gateway(url, provider=provider) as base,
        httpx.AsyncClient(timeout=20) as client,
    ):
        for _ in turns:
            body = {"model": "m", "input": items, "tools": [TOOL], **asked}
            found = await client.post(f"{base}/v1/responses", json=body)
            assert found.status_code == 200, found.text
            responses.append(found.json())
            items = [*items, *responses[-1]["output"]]
            items += [
                {"type": "function_call_output", "call_id": item["call_id"], "output": "1"}
                for item in responses[-1]["output"]
                if item["type"] == "function_call"
            ]
    return responses, [json.loads(body) for body in upstream.bodies]


END = [chunk({"content": "Done."}), chunk(finish="stop")]


@pytest.mark.parametrize("include", [[ENCRYPTED], []])
async def test_reasoning_is_sealed_where_it_is_asked_for(include: list[str]) -> None:
    first = [chunk({"reasoning_content": "Hm."}), chunk(call(0, "x", "f", A)), chunk(finish="tool_calls")]
    (one, _), (_, asked) = await converse([first, END], "deepseek", include=include)
    thought = one["output"][0]
    assert ("encrypted_content" in thought) == bool(include)
    assert "Hm" not in thought.get("encrypted_content", "")
    assert [message.get("reasoning_content") for message in asked["messages"]][1] == "Hm."


@pytest.mark.parametrize("include", [[ENCRYPTED], []])
async def test_state_goes_back_to_its_call(include: list[str]) -> None:
    first = [chunk(call(0, "x", "f", A, extra_content=SIGNED)), chunk(finish="stop")]
    (one, _), (_, asked) = await converse([first, END], "generic", include=include)
    assert [item["type"] for item in one["output"]] == ["function_call", "reasoning"]
    assert "EpwC" not in json.dumps(one)
    (sent,) = asked["messages"][1]["tool_calls"]
    assert (sent["id"], sent["extra_content"]) == ("x", SIGNED)


async def test_signed_reasoning_goes_back_with_its_signature() -> None:
    first = [
        chunk({"reasoning": "Hm.", "reasoning_details": [DETAIL]}),
        chunk(call(0, "x", "f", A)),
        chunk(finish="tool_calls"),
    ]
    (one, _), (_, asked) = await converse([first, END], "openrouter")
    assert [item["type"] for item in one["output"]] == ["reasoning", "function_call", "reasoning"]
    assert DETAIL["signature"] not in json.dumps(one)
    assert asked["messages"][1]["reasoning_details"] == [DETAIL]
