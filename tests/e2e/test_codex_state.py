"""What the Codex CLI carries for the gateway: sealed reasoning and sealed summaries of long conversations."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_rules import Rules
from tests.support.chat_server import API_KEY, MODEL, ChatServer, Exchange
from tests.support.chat_turns import Json, Turn, Usage, call, failure
from tests.support.codex import CLASSIC_MODEL, CODE_MODEL, Codex
from tests.support.gateway import Gateway
from tests.support.tap import Tap

pytestmark = pytest.mark.e2e

THOUGHTS = ("first I look around", "then I answer")
MODELS = ("--model-map", f"{CLASSIC_MODEL}:{MODEL},{CODE_MODEL}:{MODEL}")
STRANGER = "second-token"
SUMMARY = "SUMMARY-4711: the word is heddle"
COMPACT_ABOVE = 30_000


def thinking(call_id: str = "call_1", thoughts: tuple[str, str] = THOUGHTS) -> list[Turn]:
    """Return a turn of two steps with reasoning before each."""
    first, second = thoughts
    return [
        Turn(reasoning=first, tool_calls=[call(call_id, "exec_command", cmd="true")]),
        Turn(reasoning=second, text="done"),
    ]


def replayed(exchange: Exchange) -> list[str]:
    """Return the reasoning of the assistant's messages, empty where one has none."""
    messages = [message for message in exchange.messages if message["role"] == "assistant"]
    return [message.get("reasoning_content", "") for message in messages]


def forget_open_reasoning(codex: Codex) -> None:
    """Leave of the reasoning in the recorded sessions only what is sealed."""
    for record in codex.home.glob("sessions/**/*.jsonl"):
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        for line in lines:
            if line["payload"].get("type") == "reasoning":
                line["payload"] |= {"summary": [], "content": None}
        record.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


class TestReasoning:
    """A provider that wants its reasoning back, and a gateway that is started anew between two turns."""

    @pytest.fixture
    def deepseek(self) -> Iterator[ChatServer]:
        with ChatServer([], rules=Rules(unknown_fields=True)) as server:
            yield server
            server.verify()

    def gateway(self, upstream: ChatServer, home: Path, *flags: str) -> Gateway:
        flags = ("--provider", "deepseek", *MODELS, "--token", f"stranger={STRANGER}", *flags)
        return Gateway(upstream.base_url, home, *flags, api_key=API_KEY)

    def replay(
        self,
        deepseek: ChatServer,
        home: Path,
        *flags: str,
        token: str | None = None,
        model: str = CLASSIC_MODEL,
    ) -> Exchange:
        """Return the upstream's request of a turn that goes on after a restart with other ``flags``."""
        deepseek.play([*thinking(), Turn(text="still here")])
        with self.gateway(deepseek, home) as gateway:
            codex = Codex(home / "codex", gateway.base_url, gateway.token, model)
            first = codex.run("think")
        assert (first.exit_code, first.last_message) == (0, "done"), first.report
        forget_open_reasoning(codex)
        with self.gateway(deepseek, home, *flags) as gateway:
            codex.connect(gateway.base_url, token or gateway.token)
            second = codex.resume("go on")
        assert (second.exit_code, second.last_message) == (0, "still here"), second.report
        return deepseek.chats[-1]

    @pytest.mark.parametrize("model", ["unlisted-model", CLASSIC_MODEL])
    def test_survives_a_restart(self, model: str, deepseek: ChatServer, tmp_path: Path) -> None:
        assert replayed(self.replay(deepseek, tmp_path, model=model)) == [*THOUGHTS]

    def test_is_gone_with_another_key_file(self, deepseek: ChatServer, tmp_path: Path) -> None:
        exchange = self.replay(deepseek, tmp_path, "--seal-key-file", str(tmp_path / "other-key"))
        assert replayed(exchange) == ["", ""]

    def test_is_gone_for_another_principal(self, deepseek: ChatServer, tmp_path: Path) -> None:
        assert replayed(self.replay(deepseek, tmp_path, token=STRANGER)) == ["", ""]

    def test_an_old_key_still_opens(self, deepseek: ChatServer, tmp_path: Path) -> None:
        keys = tmp_path / "state" / "wireloom" / "seal.key"
        rotated = tmp_path / "rotated"
        deepseek.play([*thinking(), Turn(text="still here")])
        with self.gateway(deepseek, tmp_path) as gateway:
            codex = Codex(tmp_path / "codex", gateway.base_url, gateway.token, CLASSIC_MODEL)
            codex.run("think")
        forget_open_reasoning(codex)
        with self.gateway(deepseek, tmp_path, "--seal-key-file", str(rotated)):
            pass
        rotated.write_text(rotated.read_text() + keys.read_text())
        with self.gateway(deepseek, tmp_path, "--seal-key-file", str(rotated)) as gateway:
            codex.connect(gateway.base_url, gateway.token)
            run = codex.resume("go on")
        assert (run.exit_code, run.last_message) == (0, "still here"), run.report
        assert replayed(deepseek.chats[-1]) == [*THOUGHTS]

    def test_conversations_with_the_same_call_ids_are_apart(
        self, deepseek: ChatServer, tmp_path: Path
    ) -> None:
        other = ("OTHER-THOUGHT: I count", "OTHER-THOUGHT: I halt")
        deepseek.play(
            [
                *thinking("call_1"),
                *thinking("call_1", other),
                Turn(text="still one"),
                Turn(text="still other"),
            ]
        )
        with self.gateway(deepseek, tmp_path) as gateway:
            pair = [
                Codex(tmp_path / name, gateway.base_url, gateway.token, CLASSIC_MODEL) for name in ("a", "b")
            ]
            runs = [*(codex.run("think") for codex in pair), *(codex.resume("go on") for codex in pair)]
        assert [run.exit_code for run in runs] == [0, 0, 0, 0], "\n".join(run.report for run in runs)
        assert [replayed(exchange) for exchange in deepseek.chats[4:]] == [[*THOUGHTS], [*other]]
        for exchange, foreign in zip(deepseek.chats[4:], (other, THOUGHTS), strict=True):
            assert not [text for text in foreign if text in json.dumps(exchange.body)]

    def test_a_call_that_comes_without_its_reasoning_gets_none(
        self, deepseek: ChatServer, tmp_path: Path
    ) -> None:
        """The gateway keeps nothing by which it could give one conversation the thoughts of another."""
        deepseek.play([*thinking("call_1"), *thinking("call_1", ("", "")), Turn(text="on")])
        with self.gateway(deepseek, tmp_path) as gateway:
            Codex(tmp_path / "a", gateway.base_url, gateway.token, CLASSIC_MODEL).run("think")
            thoughtless = Codex(tmp_path / "b", gateway.base_url, gateway.token, CLASSIC_MODEL)
            thoughtless.run("do not think")
            run = thoughtless.resume("go on")
        assert run.exit_code == 0, run.report
        assert replayed(deepseek.chats[-1]) == ["", ""]


def long(model: str) -> Turn:
    """Return a step after which the CLI has to compact."""
    made = {
        CODE_MODEL: call("call_1", "functions-exec", input="text('the word is heddle')"),
    }.get(model, call("call_1", "exec_command", cmd="echo the word is heddle"))
    return Turn(tool_calls=[made], usage=Usage(COMPACT_ABOVE + 1, 10))


def compaction_items(answer: bytearray) -> list[Any]:
    """Return the finished items of an answer to a compaction."""
    data = [line.removeprefix("data: ") for line in answer.decode().splitlines()]
    events = [json.loads(line) for line in data if '"response.output_item.done"' in line]
    return [event["item"] for event in events]


class TestCompaction:
    """A conversation that has grown too long, summed up by the model itself."""

    @pytest.fixture
    def tap(self, mapped_gateway: Gateway) -> Iterator[Tap]:
        with Tap(mapped_gateway.base_url) as tap:
            yield tap

    def codex(self, root: Path, base_url: str, token: str, model: str, provider: str) -> Codex:
        settings = {"model_auto_compact_token_limit": COMPACT_ABOVE}
        return Codex(root, base_url, token, model, provider=provider, settings=settings)

    @pytest.mark.parametrize("model", ["unlisted-model", CLASSIC_MODEL, CODE_MODEL])
    def test_by_the_gateway(
        self, model: str, upstream: ChatServer, mapped_gateway: Gateway, tap: Tap, tmp_path: Path
    ) -> None:
        summing = Turn(text=SUMMARY, reasoning="what was that word")
        upstream.play([long(model), summing, Turn(text="went on"), Turn(text="and on")])
        codex = self.codex(tmp_path, tap.base_url, mapped_gateway.token, model, "OpenAI")
        first, second = codex.run("find the word"), codex.resume("go on")
        assert (first.exit_code, first.last_message) == (0, "went on"), first.report
        assert (second.exit_code, second.last_message) == (0, "and on"), second.report
        trigger, *later = tap.posts("/responses")[1:]
        assert trigger.body["input"][-1] == {"type": "compaction_trigger"}
        (item,) = compaction_items(trigger.answer)
        assert item["type"] == "compaction"
        assert "heddle" not in item["encrypted_content"]
        _, summed, *after = upstream.chats
        assert "tools" not in summed.body
        assert "the word is heddle" in summed.outputs["call_1"]
        for passage, exchange in zip(later, after, strict=True):
            assert item["encrypted_content"] in json.dumps(passage.body["input"])
            assert SUMMARY in "\n".join(exchange.texts("user"))
            assert "what was that word" not in json.dumps(exchange.body)
            assert exchange.outputs == {}

    @pytest.mark.parametrize("model", [CLASSIC_MODEL, CODE_MODEL])
    def test_by_the_cli(
        self, model: str, upstream: ChatServer, mapped_gateway: Gateway, tap: Tap, tmp_path: Path
    ) -> None:
        upstream.play([long(model), Turn(text=SUMMARY), Turn(text="went on")])
        run = self.codex(tmp_path, tap.base_url, mapped_gateway.token, model, "gateway").run("find the word")
        assert (run.exit_code, run.last_message) == (0, "went on"), run.report
        kinds = {item["type"] for passage in tap.posts("/responses") for item in passage.body["input"]}
        assert not [kind for kind in kinds if kind.startswith("compaction")]
        assert SUMMARY in "\n".join(upstream.chats[2].texts("user"))
        assert upstream.chats[2].outputs == {}

    def test_without_a_summary_fails_in_words(
        self, upstream: ChatServer, mapped_gateway: Gateway, tap: Tap, tmp_path: Path
    ) -> None:
        upstream.play([long(CLASSIC_MODEL), failure(400, "reason 4711")])
        codex = self.codex(tmp_path, tap.base_url, mapped_gateway.token, CLASSIC_MODEL, "OpenAI")
        run = codex.run("find the word")
        assert run.exit_code != 0, run.report
        assert "reason 4711" in run.failure

    @pytest.mark.parametrize("strict", [True, False])
    def test_a_summary_made_elsewhere_is_left_out(
        self, upstream: ChatServer, mapped_gateway: Gateway, tap: Tap, tmp_path: Path, strict: bool
    ) -> None:
        upstream.play([long(CLASSIC_MODEL), Turn(text=SUMMARY), Turn(text="went on")])
        codex = self.codex(tmp_path, tap.base_url, mapped_gateway.token, CLASSIC_MODEL, "OpenAI")
        assert codex.run("find the word").exit_code == 0
        upstream.play([] if strict else [Turn(text="went on without")])
        flags = ("--strict",) if strict else ()
        with Gateway(upstream.base_url, tmp_path, *MODELS, *flags, api_key=API_KEY) as stranger:
            codex.connect(stranger.base_url, stranger.token)
            run = codex.resume("go on")
        assert (run.exit_code != 0) == strict, run.report
        if strict:
            assert upstream.exchanges == []
        else:
            assert run.last_message == "went on without"


def test_effort_changes_between_turns(tmp_path: Path) -> None:
    """A provider named OpenAI tells a new effort in an item."""
    flags = ("--provider", "groq", "--model-map", f"{CODE_MODEL}:openai/gpt-oss-120b")
    with (
        ChatServer([Turn(text="one"), Turn(text="two")], rules=Rules(developer=True)) as upstream,
        Gateway(upstream.base_url, tmp_path, *flags, api_key=API_KEY) as gateway,
        Tap(gateway.base_url) as tap,
    ):
        codex = Codex(tmp_path / "codex", tap.base_url, gateway.token, CODE_MODEL, provider="OpenAI")
        first = codex.run("first")
        second = codex.resume("second", "-c", 'model_reasoning_effort="high"')
        upstream.verify()
    assert (first.last_message, second.last_message) == ("one", "two"), first.report + second.report
    told: list[list[Json]] = [
        [item["reasoning"] for item in passage.body["input"] if item["type"] == "configuration_update"]
        for passage in tap.posts("/responses")
    ]
    assert [efforts[-1] for efforts in told] == [{"effort": "low"}, {"effort": "high"}]
    assert [exchange.body["reasoning_effort"] for exchange in upstream.chats] == ["low", "high"]
