"""The Codex CLI ends its turn over upstreams that answer as servers in the field do."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_server import MODEL, ChatServer
from tests.support.chat_turns import Raw, Turn
from tests.support.codex import Codex
from tests.support.gateway import Gateway

pytestmark = pytest.mark.e2e

Json = dict[str, Any]
HEAD: Json = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
COMMAND = "cat marker.txt"
ARGUMENTS = json.dumps({"cmd": COMMAND})


def streamed(*choices: Json) -> Raw:
    """An answer of chunks with one choice each."""
    chunks = [{**HEAD, "choices": [{"index": 0, "finish_reason": None, **choice}]} for choice in choices]
    payloads = [*map(json.dumps, chunks), "[DONE]"]
    body = "".join(f"data: {payload}\n\n" for payload in payloads)
    return Raw(body.encode(), 200, {"content-type": "text/event-stream"})


def called(arguments: str = ARGUMENTS, name: str = "exec_command", **more: Any) -> Json:
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function, **more}]}


def text(content: str, finish: str = "stop") -> tuple[Json, Json]:
    return {"delta": {"content": content}}, {"delta": {}, "finish_reason": finish}


END = {"delta": {}, "finish_reason": "tool_calls"}
DSML = (
    f'<｜DSML｜tool_calls>\n<｜DSML｜invoke name="exec_command">\n<｜DSML｜parameter name="cmd" string="true">{COMMAND}'
    "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>"
)
CALLS = {
    "in a second choice": streamed(
        {"delta": {"content": "Let me look. "}}, {"index": 1, "delta": called()}, END, {"index": 1, **END}
    ),
    "as a tag with json": streamed(
        *text(f'<tool_call>\n{{"name": "exec_command", "arguments": {ARGUMENTS}}}\n</tool_call>')
    ),
    "as dsml": streamed(*text(DSML)),
    "as qwen coder writes it": streamed(
        *text(
            f"<tool_call>\n<function=exec_command>\n<parameter=cmd>\n{COMMAND}\n</parameter>\n</function>\n</tool_call>"
        )
    ),
    "with a marker behind its name": streamed(
        {"delta": called(name="exec_command<|channel|>commentary")}, END
    ),
    "with a prefix": streamed({"delta": called(name="functions.exec_command")}, END),
    "with its arguments twice": streamed({"delta": called(ARGUMENTS * 2)}, END),
    "with its arguments encoded twice": streamed({"delta": called(json.dumps(ARGUMENTS))}, END),
    "in a whole message": streamed(
        {"message": {"role": "assistant", **called()}, "finish_reason": "tool_calls"}
    ),
    "again under another index": streamed(
        {"delta": called()}, {"delta": {"tool_calls": [{**called()["tool_calls"][0], "index": 1}]}}, END
    ),
}
LONG = "The marker says nothing new."
ANSWERS = {
    "message": streamed({"message": {"role": "assistant", "content": LONG}, "finish_reason": "stop"}),
    "text": streamed({"text": LONG, "finish_reason": "stop"}),
    "twice": streamed({"delta": {"content": LONG[:10]}}, {"delta": {"content": LONG[10:]}}, *text(LONG)),
    "snapshots": streamed({"delta": {"content": LONG[:10]}}, {"delta": {"content": LONG[:15]}}, *text(LONG)),
    "an end token": streamed(*text(f"{LONG}<|im_end|>")),
    "another end": streamed(*text(LONG, "end_turn")),
}


@pytest.fixture
def codex(tmp_path: Path, gateway: Gateway) -> Codex:
    return Codex(tmp_path, gateway.base_url, gateway.token, MODEL)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_in_any_form_is_run(name: str, upstream: ChatServer, codex: Codex) -> None:
    (codex.workspace / "marker.txt").write_text("found it\n")
    upstream.play([CALLS[name], Turn(text="done")])
    run = codex.run("read the marker")
    assert (run.exit_code, run.last_message) == (0, "done"), run.report
    (command,) = run.items("command_execution")
    assert command["aggregated_output"].strip() == "found it", run.report


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_in_any_form_is_shown_once(name: str, upstream: ChatServer, codex: Codex) -> None:
    upstream.play([ANSWERS[name]])
    run = codex.run("hello")
    assert (run.exit_code, run.last_message) == (0, LONG), run.report
    assert len(upstream.chats) == 1


def test_a_call_that_got_lost_is_asked_for_again(upstream: ChatServer, codex: Codex) -> None:
    lost = streamed({"delta": {"reasoning_content": "I will call the tool."}}, END)
    upstream.play([lost, Turn(text="done")])
    run = codex.run("hello")
    assert (run.exit_code, run.last_message, len(upstream.chats)) == (0, "done", 2), run.report


def test_text_about_a_call_is_not_run(upstream: ChatServer, codex: Codex) -> None:
    page = f"The page says:\n\n```\n{DSML}\n```\n"
    upstream.play([streamed(*text(page))])
    run = codex.run("read the page")
    assert (run.exit_code, run.items("command_execution")) == (0, []), run.report
    assert run.last_message.strip() == page.strip()
