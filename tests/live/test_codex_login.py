"""The user's own login of the Codex CLI, behind both faces; asked only where `WIRELOOM_LIVE_CODEX` names the CLI."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.live.exchanges import NUMBER, QUESTION, SECONDS, SWITCH
from tests.support.live import gateway

pytestmark = pytest.mark.live

VARIABLE = "WIRELOOM_LIVE_CODEX"
MODEL_VARIABLE = "WIRELOOM_LIVE_CODEX_MODEL"
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"word": {"type": "string", "description": "The word, in lower case."}},
    "required": ["word"],
    "additionalProperties": False,
}
LOOK_UP: Any = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Tell the catalogue number of a word.",
        "parameters": PARAMETERS,
    },
}


@pytest.fixture
async def client() -> AsyncIterator[AsyncOpenAI]:
    binary = os.environ.get(VARIABLE)
    if not os.environ.get(SWITCH) or not binary:
        pytest.skip(f"{VARIABLE} does not name the Codex CLI to ask with your login")
    async with gateway(None, backend="app-server", codex_bin=binary, history="memory") as base:
        async with AsyncOpenAI(
            base_url=f"{base}/v1", api_key="none", timeout=SECONDS, max_retries=0
        ) as client:
            yield client


@pytest.fixture
def model() -> str:
    return os.environ.get(MODEL_VARIABLE, "codex-local")


async def test_models(client: AsyncOpenAI) -> None:
    assert "codex-local" in [model.id async for model in client.models.list()]


async def test_an_answer_whole_and_streamed(client: AsyncOpenAI, model: str) -> None:
    asked: Any = {
        "model": model,
        "messages": [{"role": "user", "content": "Say the word weft and nothing else."}],
    }
    whole = await client.chat.completions.create(**asked)
    assert "weft" in (whole.choices[0].message.content or "").lower()
    assert whole.usage is not None
    assert whole.usage.completion_tokens > 0
    pieces = [
        chunk.choices[0].delta.content or ""
        async for chunk in await client.chat.completions.create(**asked, stream=True)
        if chunk.choices
    ]
    assert "weft" in "".join(pieces).lower()


async def test_a_tool_round_trip(client: AsyncOpenAI, model: str) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    first = await client.chat.completions.create(model=model, messages=messages, tools=[LOOK_UP])
    message = first.choices[0].message
    assert message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls"
    messages.append(message.model_dump(exclude_unset=True))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": NUMBER} for call in message.tool_calls]
    second = await client.chat.completions.create(model=model, messages=messages, tools=[LOOK_UP])
    assert NUMBER in (second.choices[0].message.content or "")


async def test_an_answer_to_a_schema(client: AsyncOpenAI, model: str) -> None:
    schema = {
        "type": "object",
        "properties": {"sum": {"type": "integer"}},
        "required": ["sum"],
        "additionalProperties": False,
    }
    form: Any = {"format": {"type": "json_schema", "name": "sum", "schema": schema, "strict": True}}
    response = await client.responses.create(model=model, input="Add two and three.", text=form)
    assert json.loads(response.output_text) == {"sum": 5}
