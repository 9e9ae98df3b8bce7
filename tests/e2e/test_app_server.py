"""What the app-server does that a run cannot: deltas, the client's tools, many turns at once, and being killed."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.support import responses_turns as r
from tests.support.codex_backend import MODEL, CodexGateway, External, User, gone, wait
from tests.support.responses_server import ResponsesServer

pytestmark = pytest.mark.e2e

Json = dict[str, Any]
PARAMETERS: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "day": {"type": "string", "pattern": "^[a-z]+$"}},
    "required": ["city"],
    "additionalProperties": False,
}
CHAT_TOOL: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "d", "parameters": PARAMETERS},
}
TOOL: Json = {
    "type": "function",
    "name": "weather",
    "description": "d",
    "parameters": PARAMETERS,
    "strict": False,
}
ODD = ['{ "city":"Paris" }', '{"city" :\n"Rome"}']
CALLS = [r.call("weather", text, call_id=f"theirs_{n}", item_id=f"fc_{n}") for n, text in enumerate(ODD)]
OTHER_TOKEN = "other-token"


@pytest.fixture(scope="module")
def provider() -> Iterator[ResponsesServer]:
    with ResponsesServer() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(provider: ResponsesServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodexGateway]:
    root = tmp_path_factory.mktemp("app-server")
    with CodexGateway("app-server", root, provider.base_url, "--token", f"other={OTHER_TOKEN}") as process:
        yield process
    assert "Traceback" not in process.stderr, process.stderr


@pytest.fixture
def client(gateway: CodexGateway) -> Iterator[OpenAI]:
    with of(gateway) as client:
        yield client


def of(gateway: CodexGateway, token: str | None = None) -> OpenAI:
    return OpenAI(base_url=gateway.base_url, api_key=token or gateway.token, max_retries=0, timeout=60)


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def outputs(provider: ResponsesServer) -> list[tuple[str, str]]:
    """Call id and output of every output that the provider was last told."""
    items = provider.asked[-1]["input"]
    return [(item["call_id"], item["output"]) for item in items if item["type"] == "function_call_output"]


def called(provider: ResponsesServer) -> list[tuple[str, str]]:
    """Call id and arguments of every call that the provider was last told."""
    items = provider.asked[-1]["input"]
    return [(item["call_id"], item["arguments"]) for item in items if item["type"] == "function_call"]


class Chat:
    """A conversation on the Chat face."""

    def __init__(self, client: OpenAI) -> None:
        self.client = client
        self.messages: list[Any] = [{"role": "system", "content": "Be brief."}, user("what weather?")]

    def ask(self, **more: Any) -> Any:
        body = {"model": MODEL, "messages": self.messages, "tools": [CHAT_TOOL], **more}
        message = self.client.chat.completions.create(**body).choices[0].message
        self.messages.append(message.model_dump(exclude_unset=True))
        return message

    def answer(self, message: Any, *texts: str) -> None:
        for call, text in zip(message.tool_calls, texts, strict=False):
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": text})


# -- deltas --------------------------------------------------------------------------------------------------------


def test_forty_deltas_are_forty_chunks(client: OpenAI, provider: ResponsesServer) -> None:
    text = "".join(f"{n:05}" for n in range(40))
    provider.play([r.told(r.message(text), pause=0.02)] * 2)
    pieces, times = [], []
    asked: Any = {"model": MODEL, "messages": [user("count")], "stream": True}
    chunks: Any = client.chat.completions.create(**asked)
    for chunk in chunks:
        if chunk.choices[0].delta.content:
            pieces.append(chunk.choices[0].delta.content)
            times.append(time.monotonic())
    assert len(pieces) == 40
    assert "".join(pieces) == text
    assert times[-1] - times[0] > 0.4  # as they came, not all at the end
    with client.responses.stream(model=MODEL, input="count") as events:
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == pieces


def test_reasoning_is_told_and_comes_back_sealed(client: OpenAI, provider: ResponsesServer) -> None:
    thought = r.reasoning("raw thought", summary=["a summary"], encrypted="ENC")
    provider.play([r.told(thought, r.message("so")), r.told(r.message("again"))])
    first = client.responses.create(
        model=MODEL, input="think", store=False, include=["reasoning.encrypted_content"]
    )
    (reasoning, message) = first.output
    assert reasoning.type == "reasoning"
    assert reasoning.summary[0].text == "a summary"
    assert reasoning.encrypted_content
    assert "ENC" not in reasoning.encrypted_content
    history = [
        user("think"),
        *(item.model_dump(exclude_unset=True) for item in (reasoning, message)),
        user("more"),
    ]
    client.responses.create(model=MODEL, input=history, store=False)  # type: ignore[arg-type]
    (sent,) = [item for item in provider.asked[-1]["input"] if item["type"] == "reasoning"]
    assert sent["encrypted_content"] == "ENC"


def test_a_refusal(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(r.refusal("I won't"))] * 2)
    message = client.chat.completions.create(model=MODEL, messages=[user("x")]).choices[0].message  # type: ignore[list-item]
    assert message.content is None
    assert message.refusal
    assert "does not pass on its words" in message.refusal
    (item,) = client.responses.create(model=MODEL, input="x").output
    assert item.type == "message"
    assert item.content[0].type == "refusal"


# -- tools of the client ---------------------------------------------------------------------------------------------


def test_one_tool(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(CALLS[0]), r.told(r.message("sunny"))])
    chat = Chat(client)
    message = chat.ask()
    (call,) = message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", ODD[0])
    assert call.id != "theirs_0"
    chat.answer(message, "sun")
    assert chat.ask().content == "sunny"
    assert outputs(provider) == [("theirs_0", "sun")]
    assert called(provider) == [("theirs_0", ODD[0])]
    (tool,) = provider.asked[0]["tools"]
    assert tool["name"] == "weather"
    assert '"pattern":"^[a-z]+$"' in tool["description"]  # which Codex leaves out of the schema


@pytest.mark.parametrize("name", ["exec_command", "write_stdin", "mcp__tiny__add", "shell", "apply_patch"])
def test_a_tool_with_a_name_of_codex_s_own(name: str, client: OpenAI, provider: ResponsesServer) -> None:
    def called_by_its_name(asked: Any) -> Any:
        (tool,) = asked["tools"]
        return r.told(r.call(tool["name"], "{}", call_id="theirs_0"))

    provider.play(called_by_its_name)
    tools: Any = [{"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}}]
    first = client.responses.create(model=MODEL, input="run it", tools=tools)
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert (call.name, call.arguments) == (name, "{}")


def test_two_tools_at_once_and_in_rounds(client: OpenAI, provider: ResponsesServer) -> None:
    again = r.call("weather", ODD[0], call_id="theirs_2")
    provider.play([r.told(r.message("Let me look"), *CALLS), r.told(again), r.told(r.message("both fine"))])
    chat = Chat(client)
    message = chat.ask()
    assert message.content == "Let me look"
    assert [call.function.arguments for call in message.tool_calls] == ODD
    chat.answer(message, "sun", "rain")
    message = chat.ask()
    assert outputs(provider) == [("theirs_0", "sun"), ("theirs_1", "rain")]
    chat.answer(message, "snow")
    assert chat.ask().content == "both fine"
    assert ("theirs_2", "snow") in outputs(provider)
    assert len(provider.asked) == 3


def test_tools_on_the_other_face_by_the_last_response(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(*CALLS), r.told(r.message("both fine"))])
    first = client.responses.create(model=MODEL, input="what weather?", tools=[TOOL])  # type: ignore[list-item]
    answers: Any = [
        {"type": "function_call_output", "call_id": item.call_id, "output": item.arguments}
        for item in first.output
        if item.type == "function_call"
    ]
    tools: Any = [TOOL]
    second = client.responses.create(model=MODEL, input=answers, previous_response_id=first.id, tools=tools)
    assert second.output_text == "both fine"
    assert outputs(provider) == [("theirs_0", ODD[0]), ("theirs_1", ODD[1])]


@pytest.mark.parametrize("case", ["another key", "an edited past", "a message more"])
def test_what_is_not_the_same_conversation_begins_anew(
    gateway: CodexGateway, client: OpenAI, provider: ResponsesServer, case: str
) -> None:
    provider.play([r.told(CALLS[0]), r.told(r.message("anew"))])
    chat = Chat(client)
    message = chat.ask()
    chat.answer(message, "sun")
    if case == "another key":
        chat.client = of(gateway, OTHER_TOKEN)
    elif case == "an edited past":
        chat.messages[1] = user("what weather today?")
    else:
        chat.messages.append(user("quick!"))
    assert chat.ask().content == "anew"
    # The gateway's own ids go upstream: the provider's are known to nobody but the turn that was not gone on with.
    assert outputs(provider) == [(message.tool_calls[0].id, "sun")]
    assert called(provider) == [(message.tool_calls[0].id, ODD[0])]


def test_half_an_answer_is_refused(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(*CALLS)])
    chat = Chat(client)
    message = chat.ask()
    chat.answer(message, "sun")
    with pytest.raises(openai.BadRequestError) as caught:
        chat.ask()
    assert caught.value.param == "messages[2].tool_call_id"
    assert len(provider.asked) == 1


def test_a_tool_answered_after_a_restart(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.told(*CALLS), r.told(r.message("both fine"))])
    home = User(tmp_path, provider.base_url)
    with CodexGateway("app-server", tmp_path, provider.base_url, user=home) as first, of(first) as client:
        chat = Chat(client)
        message = chat.ask()
        chat.answer(message, "sun", "rain")
    with CodexGateway("app-server", tmp_path, provider.base_url, user=home) as second, of(second) as client:
        chat.client = client
        assert chat.ask().content == "both fine"
    assert outputs(provider) == [
        (call.id, text) for call, text in zip(message.tool_calls, ("sun", "rain"), strict=True)
    ]
    assert [arguments for _, arguments in called(provider)] == ODD


def test_choices_of_tools(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(r.message("none"))])
    assert Chat(client).ask(tool_choice="none").content == "none"
    assert provider.asked[-1]["tools"] == []
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        with pytest.raises(openai.BadRequestError) as caught:
            Chat(client).ask(tool_choice=choice)
        assert caught.value.param == "tool_choice"
    assert len(provider.asked) == 1


def test_a_tool_that_is_not_offered_is_not_the_clients(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(r.call("rm", "{}")), r.told(r.message("well then"))])
    assert Chat(client).ask().content == "well then"


def test_a_large_output_of_a_tool(client: OpenAI, provider: ResponsesServer) -> None:
    provider.play([r.told(CALLS[0]), r.told(r.message("read"))])
    chat = Chat(client)
    chat.answer(chat.ask(), "x" * 10_000_000)
    assert chat.ask().content == "read"
    assert [len(text) for _, text in outputs(provider)] == [10_000_000]


# -- many at once, and the end of things -----------------------------------------------------------------------------


async def test_twenty_turns_at_once(gateway: CodexGateway, provider: ResponsesServer) -> None:
    paced = r.told(r.message("0123456789" * 2), size=2, pause=0.1)
    provider.play(lambda _: paced)
    async with AsyncOpenAI(
        base_url=gateway.base_url, api_key=gateway.token, max_retries=0, timeout=60
    ) as client:

        async def one(n: int) -> str:
            answer = await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": f"{n}"}]
            )
            return answer.choices[0].message.content or ""

        begun = time.monotonic()
        await one(0)
        alone, begun = time.monotonic() - begun, time.monotonic()
        answers = await asyncio.gather(*[one(n) for n in range(20)])
        together = time.monotonic() - begun
    assert set(answers) == {"0123456789" * 2}
    assert together < 2 * alone, (alone, together)


def test_a_client_that_leaves_ends_the_request_upstream(
    gateway: CodexGateway, provider: ResponsesServer
) -> None:
    events = r.whole(r.message("half and half"))
    provider.play([r.Streamed(events, held=6), r.told(r.message("next"))])
    headers = {"authorization": f"Bearer {gateway.token}"}
    body = {"model": MODEL, "input": "x", "stream": True}
    with httpx.stream(
        "POST", f"{gateway.base_url}/responses", json=body, headers=headers, timeout=60
    ) as response:
        for line in response.iter_lines():
            if "output_text.delta" in line:
                break
    left = time.monotonic()
    provider.wait_until(lambda exchanges: exchanges[0].ended, timeout=10)
    assert provider.exchanges[0].closed_early
    assert time.monotonic() - left < 2
    with of(gateway) as client:
        assert client.responses.create(model=MODEL, input="y").output_text == "next"


@pytest.mark.parametrize("stream", [False, True])
def test_an_app_server_that_is_killed(gateway: CodexGateway, provider: ResponsesServer, stream: bool) -> None:
    provider.play([r.Streamed(r.whole(r.message("half")), held=4), r.told(r.message("next"))])
    headers = {"authorization": f"Bearer {gateway.token}"}
    body = {"model": MODEL, "messages": [user("x")], "stream": stream}

    def ask() -> httpx.Response:
        return httpx.post(f"{gateway.base_url}/chat/completions", json=body, headers=headers, timeout=60)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        provider.wait_until(lambda exchanges: len(exchanges) == 1)
        time.sleep(0.3)
        gateway.kill_child()
        response = asking.result(timeout=2)
    assert response.status_code in (200, 502)
    assert "upstream_incomplete" in response.text
    with of(gateway) as client:
        assert client.responses.create(model=MODEL, input="y").output_text == "next"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("engine", ["app-server", "exec"])
def test_nothing_is_left_running(
    provider: ResponsesServer, tmp_path: Path, engine: str, how: signal.Signals
) -> None:
    provider.play([r.Streamed(r.whole(r.message("half")), held=4)])
    with CodexGateway(engine, tmp_path, provider.base_url) as gateway, ThreadPoolExecutor(1) as pool:
        headers = {"authorization": f"Bearer {gateway.token}"}
        body = {"model": MODEL, "input": "x"}

        def ask() -> None:
            with pytest.raises(httpx.HTTPError):
                httpx.post(f"{gateway.base_url}/responses", json=body, headers=headers, timeout=60)

        asking = pool.submit(ask) if how is signal.SIGKILL else None
        if asking is not None:
            provider.wait_until(lambda exchanges: len(exchanges) == 1)
        if engine == "app-server":
            gateway.child()
        children = [child.pid for child in gateway.children()]
        if how is signal.SIGKILL:
            gateway.kill()
            provider.release()
            assert asking is not None
            asking.result(timeout=10)
    for _ in wait():
        if all(gone(pid) for pid in children):
            break
    assert [pid for pid in children if not gone(pid)] == []


def test_more_than_there_is_room_for(provider: ResponsesServer, tmp_path: Path) -> None:
    flags = ("--max-concurrency", "1", "--max-queue-size", "1", "--queue-timeout-seconds", "1")
    held = r.Streamed(r.whole(r.message("half")), held=4)
    provider.play([held])
    with (
        CodexGateway("app-server", tmp_path, provider.base_url, *flags) as gateway,
        ThreadPoolExecutor(3) as pool,
    ):
        headers = {"authorization": f"Bearer {gateway.token}"}

        def ask(n: int) -> httpx.Response:
            body = {"model": MODEL, "messages": [user(f"{n}")]}
            return httpx.post(f"{gateway.base_url}/chat/completions", json=body, headers=headers, timeout=60)

        running = pool.submit(ask, 0)
        provider.wait_until(lambda exchanges: len(exchanges) == 1)
        waiting = pool.submit(ask, 1)
        time.sleep(0.3)
        refused = ask(2)
        late = waiting.result(timeout=10)
        provider.release()
        assert running.result(timeout=10).status_code == 200
    assert [(each.status_code, each.json()["error"]["code"]) for each in (refused, late)] == [
        (429, "queue_full"),
        (429, "queue_timeout"),
    ]
    assert int(refused.headers["retry-after"]) >= 1


def test_a_turn_that_takes_too_long(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.Streamed(r.whole(r.message("half")), held=2)])
    with CodexGateway("app-server", tmp_path, provider.base_url, "--timeout-seconds", "1.5") as gateway:
        with of(gateway) as client, pytest.raises(openai.APIStatusError) as caught:
            client.responses.create(model=MODEL, input="x")
        provider.wait_until(lambda exchanges: exchanges[0].ended, timeout=10)
    assert (caught.value.status_code, caught.value.code) == (504, "upstream_timeout")
    assert provider.exchanges[0].closed_early


def test_memory_stays_flat_over_many_turns(gateway: CodexGateway, provider: ResponsesServer) -> None:
    provider.play(lambda _: r.told(r.message("ok")))
    child = gateway.child()

    def resident() -> int:
        return int(child.memory_info().rss + psutil.Process(gateway.pid).memory_info().rss) // 2**20

    with of(gateway) as client:

        def ask(n: int) -> None:
            client.responses.create(model=MODEL, input=f"{n}", store=False)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ask, range(100)))
            before = resident()
            list(pool.map(ask, range(200)))
            time.sleep(2)  # threads are unloaded a second after they were let go
            after = resident()
    assert after - before < 60, (before, after)


@pytest.mark.parametrize("kind", ["ws", "unix"])
def test_an_app_server_that_runs_already(provider: ResponsesServer, tmp_path: Path, kind: str) -> None:
    provider.play([r.told(r.message("found"))])
    with External(tmp_path, provider.base_url, kind) as url:
        flags = ("--app-server-url", url)
        with (
            CodexGateway("app-server", tmp_path, provider.base_url, *flags) as gateway,
            of(gateway) as client,
        ):
            assert client.responses.create(model=MODEL, input="hello").output_text == "found"
            assert gateway.children() == []
    (exchange,) = provider.exchanges
    assert exchange.body["tools"] == []
    assert json.dumps(exchange.body).count("TRAP") == 0


def test_it_ends_in_time_with_a_child_that_is_stuck(provider: ResponsesServer, tmp_path: Path) -> None:
    provider.play([r.Streamed(r.whole(r.message("half")), held=4)])
    with CodexGateway("app-server", tmp_path, provider.base_url, "--drain-seconds", "1") as gateway:
        with ThreadPoolExecutor(1) as pool:
            headers = {"authorization": f"Bearer {gateway.token}"}
            body = {"model": MODEL, "input": "x", "stream": True}
            url = f"{gateway.base_url}/responses"
            asking = pool.submit(httpx.post, url, json=body, headers=headers, timeout=60)
            provider.wait_until(lambda exchanges: len(exchanges) == 1)
            child = gateway.child()
            child.suspend()
            psutil.Process(gateway.pid).terminate()
            begun = time.monotonic()
            text = asking.result(timeout=20).text
            for _ in wait():
                if gone(gateway.pid):
                    break
            took = time.monotonic() - begun
    assert "shutting_down" in text
    assert took < 1 + 6
    assert gone(child.pid)
