"""An answer that the provider hides or blocks, on both faces, streamed and whole, for SDKs and for the Codex CLI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support import chat_grammar, grammar
from tests.support.fake_app_server import FakeAppServer, Script, ended, message
from tests.support.live import gateway
from wireloom.backends.codex.app_server import AppServerBackend
from wireloom.translate.codex.answer_display import BLOCKED, REASONS, REPLACEMENTS

Json = dict[str, Any]
MODEL: Json = {"model": "big", "hidden": False, "isDefault": True, "supportedReasoningEfforts": []}
HIDE: Json = {"mode": "hide", "version": 1, "replacement": {"kind": "wellbeingPromptHelpline"}}
BLOCK: Json = {"mode": "block", "version": 1, "reason": {"kind": "cyber"}}
HELPLINE = REPLACEMENTS["wellbeingPromptHelpline"]
CYBER = f"{BLOCKED}: {REASONS['cyber']}."
SECRET = "a text that is withheld"


class Case(NamedTuple):
    """An instruction for the display of a message, and the answer that a client gets.

    Args:
        script: the turn.
        streamed: text, refusal and reason of the end where the client streams.
        whole: the same of a whole answer.
    """

    script: Script
    streamed: tuple[str, str, str | None]
    whole: tuple[str, str, str | None]


FILTER = "content_filter"
CASES = {
    "hidden": Case(message(SECRET, at_start=HIDE), (HELPLINE, "", None), (HELPLINE, "", None)),
    "blocked": Case(message(SECRET, at_start=BLOCK), ("", CYBER, FILTER), ("", CYBER, FILTER)),
    "hidden late": Case(message(SECRET, at_end=HIDE), (SECRET, "", FILTER), (HELPLINE, "", None)),
    "blocked late": Case(message(SECRET, at_end=BLOCK), (SECRET, CYBER, FILTER), ("", CYBER, FILTER)),
    "shown": Case(message(SECRET), (SECRET, "", None), (SECRET, "", None)),
}


@asynccontextmanager
async def served(script: Script, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    server = FakeAppServer([*script, ended()])
    server.results["model/list"] = lambda _: {"data": [MODEL], "nextCursor": None}

    async def opened(_: AppServerBackend) -> FakeAppServer:
        return server

    monkeypatch.setattr(AppServerBackend, "_open", opened)
    async with gateway(None, backend="app-server", app_server_url="ws://127.0.0.1:9") as base:
        yield f"{base}/v1"


async def post(url: str, body: Json, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(url, json={"model": "big", **body}, headers=headers)


def told(answer: httpx.Response) -> grammar.Told:
    return grammar.check(grammar.decode(answer.content.removesuffix(b"data: [DONE]\n\n")))


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_response(case: Case, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(case.script, monkeypatch) as base:
        answer = await post(f"{base}/responses", {"input": "hello", "stream": streamed})
    text, refusal, reason = case.streamed if streamed else case.whole
    response = told(answer).response if streamed else answer.json()
    parts = [part for item in response["output"] for part in item["content"]]
    assert "".join(part.get("text", "") for part in parts) == text
    assert "".join(part.get("refusal", "") for part in parts) == refusal
    assert response["status"] == ("completed" if reason is None else "incomplete")
    assert response["incomplete_details"] == (reason and {"reason": reason})
    assert response["usage"]["total_tokens"] == 3
    assert text == SECRET or SECRET not in answer.text


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_completion(case: Case, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}], "stream": streamed}
    async with served(case.script, monkeypatch) as base:
        answer = await post(f"{base}/chat/completions", body)
    text, refusal, reason = case.streamed if streamed else case.whole
    if streamed:
        chunks = chat_grammar.check(chat_grammar.events(answer.text))
        found = (chunks.text, chunks.refusal, chunks.finish_reason)
    else:
        (choice,) = answer.json()["choices"]
        said = choice["message"]
        found = (said["content"] or "", said["refusal"] or "", choice["finish_reason"])
    assert found == (text, refusal, reason or "stop")
    assert text == SECRET or SECRET not in answer.text


@pytest.mark.parametrize("name", ["blocked", "blocked late", "hidden late"])
async def test_the_codex_cli_gets_a_failure_that_it_does_not_repeat(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(CASES[name].script, monkeypatch) as base:
        body = {"input": "hello", "stream": True}
        answer = await post(f"{base}/responses", body, originator="codex_exec")
    failed = told(answer)
    assert failed.response["status"] == "failed"
    assert failed.response["error"]["code"] == "invalid_prompt"
    assert failed.response["error"]["message"] == (CYBER if "blocked" in name else HELPLINE)
    assert failed.text.startswith(SECRET) == ("late" in name)
