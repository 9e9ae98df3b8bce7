"""The tests of real providers can run: all of them, against a scripted model, as processes of their own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.chat_rules import Rules
from tests.support.chat_server import API_KEY, MODEL, ChatServer, Exchange, content_texts
from tests.support.chat_turns import Json, Reply, ToolCall, Turn
from tests.support.http_request import HttpRequest
from wireloom.providers import load, names

ROOT = Path(__file__).parents[1]
SECONDS = 300.0
LOCAL = ("llamacpp", "lmstudio", "ollama", "vllm")
FILES = (ROOT / "tests" / "live").glob("test_*.py")
# One is of a login, which no provider's server can stand for.
NAMES = tuple(sorted({path.stem.removeprefix("test_") for path in FILES} - {"codex_login"}))
OF_PROVIDERS = tuple(f"tests/live/test_{name}.py" for name in NAMES)
PER_PROVIDER = 5
THOUGHT = "The number cannot be guessed, so the tool has to tell it."


class Model(ChatServer):
    """The scripted server, which lists its models where LM Studio does too, and states usage unasked."""

    def _reply(self, exchange: Exchange, request: HttpRequest) -> Reply:
        if request.path == load("lmstudio").models_path:
            return self._about_models("")
        reply = super()._reply(exchange, request)
        if exchange.body and exchange.body.get("stream"):
            exchange.body["stream_options"] = {"include_usage": True}
        return reply


def answer(body: Json) -> Turn:
    """What a good model answers to the questions of tests/live."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return Turn(text=f"The number is {''.join(content_texts(last))}.")
    if body.get("tools"):
        call = ToolCall("a1b2c3d4e", "look_up", json.dumps({"word": "weft"}))
        return Turn(reasoning=THOUGHT, tool_calls=[call])
    return Turn(text="Loom. One, two, and so on up to twenty.")


def silent(body: Json) -> Turn:
    """A model that never calls, never counts and never thinks."""
    return Turn(text="No.")


def forgetful(body: Json) -> Turn:
    """As it should be, without the reasoning."""
    turn = answer(body)
    return Turn(text=turn.text, tool_calls=turn.tool_calls)


def run(environment: Mapping[str, str], *arguments: str) -> tuple[dict[str, int], str]:
    """Run tests of tests/live; return how many passed, failed and were skipped, and all they printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WIRELOOM_", "COV"))}
    for name in NAMES:
        kept.pop(load(name).api_key_env or "", None)
    # Plugins that these tests do not use take longer to load than the tests to run.
    plugins = ["--disable-plugin-autoload", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *(arguments or OF_PROVIDERS)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    text = done.stdout + done.stderr
    return {
        word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|skipped|error)", text)
    }, text


def pointed(url: str, *names: str) -> dict[str, str]:
    """The variables that point providers' tests at a server; every provider's unless some are named."""
    variables = {"WIRELOOM_LIVE": "1"}
    for name in names or NAMES:
        profile = load(name)
        variables[profile.api_key_env or f"WIRELOOM_LIVE_{name.upper()}_KEY"] = API_KEY
        variables[f"WIRELOOM_LIVE_{name.upper()}_URL"] = url
        if name not in LOCAL:
            variables[f"WIRELOOM_LIVE_{name.upper()}_MODEL"] = MODEL
    return variables


def test_every_provider_passes_with_a_model_that_does_as_told() -> None:
    with Model(answer, rules=Rules(developer=True, unknown_fields=True)) as server:
        counts, text = run(pointed(server.base_url))
        assert counts == {"passed": PER_PROVIDER * len(NAMES)}, text
        assert len(server.chats) == 6 * len(NAMES)
        server.verify()
    assert API_KEY not in text


def test_models_that_do_nothing_as_told_fail() -> None:
    rules = Rules(developer=True, unknown_fields=True)
    with Model(silent, rules=rules) as mute, Model(forgetful, rules=rules) as vague:
        variables = pointed(mute.base_url, "deepseek", "vllm") | pointed(vague.base_url, "kimi")
        names = ("deepseek", "kimi", "vllm")
        counts, text = run(variables, *[f"tests/live/test_{name}.py" for name in names])
    failed = sorted(re.findall(r"^FAILED tests/live/test_(\w+)\.py::\w+::test_(\w+)", text, re.MULTILINE))
    works = ["reasoning_round_trip", "stream", "tool_round_trip", "whole_answer"]
    # Of kimi reasoning is promised, so it has to come; of vllm none is promised, so it is skipped there.
    assert failed == [
        *[("deepseek", work) for work in works],
        ("kimi", "reasoning_round_trip"),
        *[("vllm", work) for work in works[1:]],
    ], text
    assert counts == {"failed": 8, "passed": 6, "skipped": 1}, text
    assert API_KEY not in text


def test_nothing_is_asked_without_the_switch_or_the_key() -> None:
    with Model(answer) as server:
        variables = pointed(server.base_url)
        del variables["WIRELOOM_LIVE"]
        counts, text = run(variables)
        assert counts == {"skipped": PER_PROVIDER * len(NAMES)}, text
        counts, text = run({"WIRELOOM_LIVE": "1"})
        assert counts == {"skipped": PER_PROVIDER * len(NAMES)}, text
        assert server.exchanges == []
    assert "DEEPSEEK_API_KEY is not set" in text
    assert "WIRELOOM_LIVE_VLLM_URL is not set" in text


def test_every_named_profile_has_its_tests() -> None:
    assert set(names()) - {"generic"} == set(NAMES)
