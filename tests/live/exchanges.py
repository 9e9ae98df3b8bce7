"""What is tried with every provider: models, an answer whole and streamed, tools, reasoning."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from openai import AsyncOpenAI
from openai.types.responses import FunctionToolParam, Response, ResponseFunctionToolCall
from pydantic import SecretStr

from tests.live.recorder import Recorder
from tests.support.live import gateway
from wireloom.providers import Profile, load

SWITCH = "WIRELOOM_LIVE"
SECONDS = 300.0
NUMBER = "4711"
LOOK_UP: FunctionToolParam = {
    "type": "function",
    "name": "look_up",
    "description": "Tell the catalogue number of a word. It cannot be guessed.",
    "parameters": {
        "type": "object",
        "properties": {"word": {"type": "string", "description": "The word, in lower case."}},
        "required": ["word"],
        "additionalProperties": False,
    },
    "strict": False,
}
QUESTION = "Use the tool look_up to find the catalogue number of the word weft, then tell me that number."


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as the tests see it.

    Args:
        name: of its profile.
        model: the default model; without one the first that the server lists.
        reasons: whether that model shows its reasoning, so that its absence is a failure.
    """

    name: str
    model: str | None = None
    reasons: bool = False

    @property
    def profile(self) -> Profile:
        """How wireloom treats it."""
        return load(self.name)

    def variable(self, what: str) -> str:
        """The variable for the `MODEL`, the `URL` or, of a server without a usual one, the `KEY`."""
        return f"{SWITCH}_{self.name.upper()}_{what}"

    def setting(self, what: str) -> str | None:
        """The value of that variable, None when it is empty or not set."""
        return os.environ.get(self.variable(what)) or None

    @property
    def key(self) -> SecretStr | None:
        """The key, from the variable that usually holds it; a failed test cannot print it."""
        key = os.environ.get(self.profile.api_key_env or self.variable("KEY"))
        return SecretStr(key) if key else None

    def missing(self) -> str | None:
        """Why it cannot be tried; None when it can."""
        if not os.environ.get(SWITCH):
            return "real providers are asked by `nox -s live` only"
        needed = self.profile.api_key_env
        if needed is None:
            return None if self.setting("URL") else f"{self.variable('URL')} is not set"
        return None if self.key else f"{needed} is not set"


@dataclass(frozen=True, slots=True)
class Road:
    """A client, a gateway and a recorder in a row; `model` is who is asked."""

    client: AsyncOpenAI
    recorder: Recorder
    model: str

    async def ask(self, history: Any, **more: Any) -> Response:
        """Send one request, streamed, as agents do."""
        async with self.client.responses.stream(model=self.model, input=history, **more) as stream:
            return await stream.get_final_response()


@asynccontextmanager
async def road_to(provider: Provider) -> AsyncIterator[Road]:
    """Build the road; the key goes no further than the gateway's settings."""
    target = provider.setting("URL") or provider.profile.base_url
    assert target is not None
    with Recorder(target) as recorder:
        settings = {"provider": provider.name, "api_key": provider.key}
        async with gateway(recorder.base_url, **settings) as url:
            client = AsyncOpenAI(base_url=f"{url}/v1", api_key="none", timeout=SECONDS, max_retries=1)
            async with client:
                model = provider.setting("MODEL") or provider.model or (await client.models.list()).data[0].id
                yield Road(client, recorder, model)


class Exchanges:
    """The tests; a file per provider names the `provider` in a subclass."""

    provider: ClassVar[Provider]

    @pytest.fixture
    async def road(self) -> AsyncIterator[Road]:
        if (reason := self.provider.missing()) is not None:
            pytest.skip(reason)
        async with road_to(self.provider) as road:
            yield road

    async def test_models(self, road: Road) -> None:
        names = [model.id for model in (await road.client.models.list()).data]
        assert road.model in names

    async def test_whole_answer(self, road: Road) -> None:
        asked = "Reply with this one word and nothing else: loom"
        response = await road.client.responses.create(model=road.model, input=asked)
        assert response.status == "completed"
        assert "loom" in response.output_text.lower()
        assert response.usage is not None
        assert response.usage.input_tokens > 0
        assert response.usage.output_tokens > 0

    async def test_stream(self, road: Road) -> None:
        asked = "Count from one to twenty in words, separated by commas."
        async with road.client.responses.stream(model=road.model, input=asked) as stream:
            events = [event async for event in stream]
            response = await stream.get_final_response()
        kinds = [event.type for event in events]
        assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
        assert [event.sequence_number for event in events] == list(range(len(events)))
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert len(deltas) > 1
        assert "".join(deltas) == response.output_text
        assert "twenty" in response.output_text.lower()

    async def test_tool_round_trip(self, road: Road) -> None:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        first = await road.ask(history, tools=[LOOK_UP])
        call = called(first)
        assert json.loads(call.arguments)["word"].lower() == "weft"
        second = await road.ask([*history, *first.output, output(call)], tools=[LOOK_UP])
        assert NUMBER in second.output_text
        asked, answered = road.recorder.chats[-2:]
        assert [tool["function"]["name"] for tool in asked.body["tools"]] == ["look_up"]
        made = [call["id"] for message in answered.messages for call in message.get("tool_calls") or ()]
        assert [m["tool_call_id"] for m in answered.messages if m["role"] == "tool"] == made

    async def test_reasoning_round_trip(self, road: Road) -> None:
        """The reasoning of the first turn stands before its call in the second, where the profile says so."""
        profile = self.provider.profile
        effort: dict[str, Any] = {"reasoning": {"effort": "high"}} if profile.effort("high") else {}
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        first = await road.ask(history, tools=[LOOK_UP], **effort)
        thought = road.recorder.chats[-1].reasoning(profile.reasoning_fields) or shown(first)
        if not thought and not self.provider.reasons:
            pytest.skip(f"{road.model} showed no reasoning")
        assert thought
        call = called(first)
        await road.ask([*history, *first.output, output(call)], tools=[LOOK_UP], **effort)
        messages = road.recorder.chats[-1].messages
        replayed = list(replays(messages, profile))
        assert replayed == ([] if profile.reasoning_replay == "never" else [thought])


def called(response: Response) -> ResponseFunctionToolCall:
    """The one tool call of a response."""
    (call,) = (item for item in response.output if isinstance(item, ResponseFunctionToolCall))
    assert call.name == "look_up"
    return call


def output(call: ResponseFunctionToolCall) -> dict[str, str]:
    """What the tool answers."""
    return {"type": "function_call_output", "call_id": call.call_id, "output": NUMBER}


def shown(response: Response) -> str:
    """The reasoning in a response."""
    items = (item for item in response.output if item.type == "reasoning")
    return "".join(part.text for item in items for part in item.content or ())


def replays(messages: list[dict[str, Any]], profile: Profile) -> Iterator[str]:
    """Reasoning in the messages that made a tool call."""
    for message in messages:
        text = message.get(profile.reasoning_replay_field)
        if message.get("tool_calls") and text is not None:
            yield text
