"""Compaction over real sockets: by the trigger in a request, and by an operation of its own, as the SDK calls it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import ResponseCompactionItem

from tests.support.chat_answers import chunk
from tests.support.grammar import check, decode
from tests.support.live import RawUpstream, answer, gateway, raw

Json = dict[str, Any]
USED = {"prompt_tokens": 90, "completion_tokens": 8, "total_tokens": 98}
CONVERSATION: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is two and two?"},
    {"role": "assistant", "content": "Four."},
]
TOOL: Any = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
SUMMARY = "The user asked for two and two, which is four."
MARK = b"data: [DONE]\n\n"


def streamed(*payloads: bytes) -> bytes:
    return answer(*(b"data: " + payload + b"\n\n" for payload in payloads), MARK)


@asynccontextmanager
async def client(*payloads: bytes) -> AsyncIterator[tuple[AsyncOpenAI, RawUpstream]]:
    """An SDK in front of a gateway whose upstream always answers the same."""

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(streamed(*payloads))

    async with raw(handler) as (url, upstream), gateway(url) as base:
        async with AsyncOpenAI(base_url=f"{base}/v1", api_key="any", max_retries=0, timeout=20) as sdk:
            yield sdk, upstream


WHOLE = (
    chunk({"reasoning_content": "Hm."}),
    chunk({"content": SUMMARY[:9]}),
    chunk({"content": SUMMARY[9:]}),
    chunk(finish="stop", usage=USED),
)


def texts(upstream: RawUpstream, number: int) -> list[str]:
    """The texts of what the upstream was asked."""
    return [str(message["content"]) for message in json.loads(upstream.bodies[number])["messages"]]


async def test_the_operation_gives_one_sealed_item_and_what_it_cost() -> None:
    async with client(*WHOLE) as (sdk, upstream):
        made = await sdk.responses.compact(model="m", input=CONVERSATION)
    (item,) = made.output
    assert (made.object, item.type) == ("response.compaction", "compaction")
    assert isinstance(item, ResponseCompactionItem)
    assert (made.usage.input_tokens, made.usage.output_tokens, made.usage.total_tokens) == (90, 8, 98)
    assert "two" not in item.encrypted_content
    asked = texts(upstream, 0)
    assert asked[:3] == ["Be brief.", "What is two and two?", "Four."]
    assert asked[3].startswith("Sum up this conversation")


async def test_the_operation_takes_text_and_instructions() -> None:
    async with client(*WHOLE) as (sdk, upstream):
        made = await sdk.responses.compact(model="m", input="What is two and two?", instructions="Be brief.")
    assert [item.type for item in made.output] == ["compaction"]
    assert texts(upstream, 0)[:2] == ["Be brief.", "What is two and two?"]


async def test_a_conversation_goes_on_from_its_summary() -> None:
    async with client(*WHOLE) as (sdk, upstream):
        made = await sdk.responses.compact(model="m", input=CONVERSATION)
        kept: Any = [item.model_dump(exclude_none=True) for item in made.output]
        more: Any = [*kept, {"role": "user", "content": "And three?"}]
        response = await sdk.responses.create(model="another", input=more)
    assert response.output_text == SUMMARY
    asked = texts(upstream, 1)
    assert asked[-1] == "And three?"
    assert any(SUMMARY in text for text in asked)
    assert not any(text == "What is two and two?" for text in asked)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_trigger_gives_the_same(stream: bool) -> None:
    given: Any = [*CONVERSATION, {"type": "compaction_trigger"}]
    async with client(*WHOLE) as (sdk, upstream):
        found = await sdk.responses.with_raw_response.create(
            model="m", input=given, stream=stream, tools=[TOOL], tool_choice="required"
        )
        content = await found.http_response.aread()
        if stream:
            told = check(decode(content.removesuffix(MARK)))
            response = told.response
            assert (told.text, told.reasoning, len(told.sealed)) == ("", "", 1)
        else:
            response = json.loads(content)
    assert [item["type"] for item in response["output"]] == ["compaction"]
    assert (response["status"], response["usage"]["total_tokens"]) == ("completed", 98)
    sent = json.loads(upstream.bodies[0])
    assert not {"tools", "tool_choice"} & sent.keys()
    assert [tool["name"] for tool in response["tools"]] == ["f"]


@pytest.mark.parametrize(
    "payloads",
    [
        [chunk(finish="stop")],
        [chunk({"content": " \n"}), chunk(finish="stop")],
        [chunk({"content": SUMMARY}), chunk(finish="length")],
        [chunk({"content": SUMMARY}), chunk(finish="content_filter")],
        [chunk({"content": SUMMARY[:9]}), b"{"],
    ],
)
async def test_no_whole_summary_is_a_failure(payloads: list[bytes]) -> None:
    given: Any = [*CONVERSATION, {"type": "compaction_trigger"}]
    async with client(*payloads) as (sdk, _):
        with pytest.raises(openai.APIStatusError) as caught:
            await sdk.responses.compact(model="m", input=CONVERSATION)
        assert caught.value.status_code == 502
        with pytest.raises(openai.APIStatusError) as caught:
            await sdk.responses.create(model="m", input=given)
        assert caught.value.status_code == 502
        raised = False
        try:
            async with sdk.responses.stream(model="m", input=given) as events:
                async for event in events:
                    assert event.type != "response.output_item.done"
        except openai.APIError:
            raised = True
        assert raised
