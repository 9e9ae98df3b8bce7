"""`wireloom demo`: one exchange shown, then a gateway that stays; and what a broken one looks like."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.cli.conftest import Invoke
from tests.cli.process import Wireloom
from wireloom.cli.client import exchange
from wireloom.cli.service import listener as server
from wireloom.config import Settings

Json = dict[str, Any]

CALL = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": '{"city": "Rome"}'}
FORGETFUL = {"type": "message", "content": [{"type": "output_text", "text": "What tool?"}]}


def completed(*output: Json) -> Json:
    return {"type": "response.completed", "response": {"output": output}}


def test_once_shows_the_exchange_and_ends(tmp_path: Path) -> None:
    environment = {
        "WIRELOOM_TOKEN": "k",
        "WIRELOOM_PORT": "1",
        "WIRELOOM_UPSTREAM": "http://192.0.2.1",
        "WIRELOOM_DROP_PARAMS": "tools",
    }
    with Wireloom("demo", "--once", environment=environment) as process:
        assert process.wait() == 0
    assert process.stderr.startswith("wireloom listening on http://127.0.0.1:")
    assert process.stderr.count("\n") == 1
    chapters = process.stdout.split("\n\n")
    titles = [
        "The client sends",
        "The upstream gets",
        "The client receives",
        "The tool goes round",
        "Lost on the way",
    ]
    assert [title in chapter for title, chapter in zip(titles, chapters, strict=True)] == [True] * 5
    assert 'instructions: "Answer in one sentence."' in chapters[0]
    assert '{"role": "system", "content": "Answer in one sentence."}' in chapters[1]
    assert "response.function_call_arguments.delta" in chapters[2]
    assert 'get_weather({"city": "Paris"})  ->  {"city": "Paris"' in chapters[3]
    assert 'model says     The tool answered: {"city": "Paris"' in chapters[3]
    assert "text.verbosity: dropped" in chapters[4]


def test_it_stays_and_prints_three_ways_to_connect() -> None:
    with Wireloom("demo", "--port", "0") as process:
        url = process.url()
        process.wait_for("stdout", "curl -N ")
        for text in (f'base_url = "{url}/v1"', f'OpenAI(base_url="{url}/v1"', f"curl -N {url}/v1/responses"):
            assert text in process.stdout
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 30):
            pass
        assert process.interrupt() == 0
    assert process.stderr == f"wireloom listening on {url}\n"


def gateway_answering(*answers: list[Json] | str) -> Callable[[Settings], Starlette]:
    """Return what makes a gateway that answers with event streams, or with 500 and a text, one after another."""
    left = list(answers)

    async def respond(_: Request) -> Response:
        answer = left.pop(0)
        if isinstance(answer, str):
            return PlainTextResponse(answer, 500)
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in answer)
        return PlainTextResponse(text, media_type="text/event-stream")

    return lambda _: Starlette(routes=[Route("/v1/responses", respond, methods=["POST"])])


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (["it broke"], "answered 500: it broke"),
        ([[]], "ended with no event"),
        ([[{"type": "response.failed"}]], "ended with response.failed"),
        ([[completed()]], "holds no function_call"),
        ([[completed(CALL)], [completed(CALL)]], "holds no message"),
        ([[completed(CALL)], [completed(FORGETFUL)]], "did not reach the model, which said: What tool?"),
    ],
)
@pytest.mark.parametrize("flags", [(), ("--once",)])
def test_a_failed_exchange_ends_with_1(
    answers: list[list[Json] | str],
    words: str,
    flags: tuple[str, ...],
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "create_app", gateway_answering(*answers))
    result = invoke("demo", "--port", "0", *flags)
    assert result.exit_code == 1
    assert "Error: The exchange failed: " in result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_lost_is_said_so(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = [
        {name: value for name, value in tool.items() if name != "strict"}
        for tool in exchange.QUESTION["tools"]
    ]
    plain = {name: value for name, value in exchange.QUESTION.items() if name != "text"}
    monkeypatch.setattr(exchange, "QUESTION", {**plain, "tools": tools})
    result = invoke("demo", "--port", "0", "--once")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].split() == ["nothing"]
