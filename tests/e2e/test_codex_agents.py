"""Sub-agents of the Codex CLI: a parent that waits for a child, both with the same scripted model."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chat_server import MODEL, ChatServer, Exchange
from tests.support.chat_turns import Json, ToolCall, Turn, call
from tests.support.codex import CLASSIC_MODEL, CODE_MODEL, Codex
from tests.support.gateway import Gateway
from tests.support.tap import Passage, Tap

pytestmark = pytest.mark.e2e

PARENT = "PARENT-PROMPT: have somebody count"
TASK = "CHILD-TASK: count to three"
RESULT = "CHILD-RESULT: one, two, three"
SUBAGENT = "x-openai-subagent"


@pytest.fixture
def tap(mapped_gateway: Gateway) -> Iterator[Tap]:
    with Tap(mapped_gateway.base_url) as tap:
        yield tap


def outputs(body: Json) -> list[str]:
    """Return what the tools answered, in order."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


def requests(upstream: ChatServer, *, child: bool) -> list[Exchange]:
    """Return the requests of the child or of the parent."""
    return [exchange for exchange in upstream.chats if is_child(exchange.body) is child]


def is_child(body: Json) -> bool:
    """Tell whose request it is: only the child is given the task as a user."""
    said = [message for message in body["messages"] if message["role"] == "user"]
    return TASK in json.dumps(said)


def work(body: Json) -> Turn:
    """Let the child use a tool of its own before it answers."""
    made = [made["id"] for message in body["messages"] for made in message.get("tool_calls", ())]
    if "call_child" in made:
        return Turn(text=RESULT if "42-child" in outputs(body)[-1] else "no result")
    names = [tool["function"]["name"] for tool in body["tools"]]
    command = "echo $((6 * 7))-child"
    if "functions-exec" in names:
        return Turn(
            tool_calls=[
                call(
                    "call_child",
                    "functions-exec",
                    input=f"text(await tools.exec_command({{cmd: '{command}'}}))",
                )
            ]
        )
    return Turn(tool_calls=[call("call_child", "exec_command", cmd=command)])


def subagent_passages(tap: Tap) -> list[Passage]:
    return [passage for passage in tap.posts("/responses") if SUBAGENT in passage.request.headers]


@pytest.mark.parametrize("model", ["unlisted-model", CLASSIC_MODEL])
def test_agents_by_functions(
    model: str, upstream: ChatServer, mapped_gateway: Gateway, tap: Tap, tmp_path: Path
) -> None:
    def play(body: Json) -> Turn:
        return (
            work(body)
            if is_child(body)
            else Turn(tool_calls=step(body))
            if step(body)
            else Turn(text="counted")
        )

    def step(body: Json) -> list[ToolCall]:
        names = [tool["function"]["name"] for tool in body["tools"]]
        if "multi_agent_v1-spawn_agent" not in names:
            return [call("call_t", "tool_search", query="spawn agent wait agent", limit=8)]
        done = [output for output in outputs(body) if "agent_id" in output or "timed_out" in output]
        if not done:
            return [call("call_s", "multi_agent_v1-spawn_agent", message=TASK)]
        if len(done) == 1:
            child = json.loads(done[0])["agent_id"]
            return [call("call_w", "multi_agent_v1-wait_agent", targets=[child], timeout_ms=10_000)]
        return []

    upstream.play(play)
    run = Codex(tmp_path, tap.base_url, mapped_gateway.token, model).run(PARENT)
    assert (run.exit_code, run.last_message) == (0, "counted"), run.report
    assert {passage.request.headers[SUBAGENT] for passage in subagent_passages(tap)} == {"collab_spawn"}
    child, parent = requests(upstream, child=True), requests(upstream, child=False)
    assert len(child) == len(subagent_passages(tap)) == 2
    assert all(PARENT not in json.dumps(exchange.messages) for exchange in child)
    assert RESULT in parent[-1].outputs["call_w"]
    assert "42-child" not in json.dumps(parent[-1].messages)


@pytest.mark.parametrize("fork", ["none", "all"])
def test_agents_by_messages(
    fork: str, upstream: ChatServer, mapped_gateway: Gateway, tap: Tap, tmp_path: Path
) -> None:
    def play(body: Json) -> Turn:
        if is_child(body):
            return work(body)
        made = [call for message in body["messages"] for call in message.get("tool_calls", ())]
        if not made:
            return Turn(
                tool_calls=[
                    call(
                        "call_s",
                        "collaboration-spawn_agent",
                        task_name="count",
                        message=TASK,
                        fork_turns=fork,
                    )
                ]
            )
        if RESULT not in json.dumps(body["messages"]) and len(made) < 4:
            return Turn(
                tool_calls=[call(f"call_w{len(made)}", "collaboration-wait_agent", timeout_ms=10_000)]
            )
        return Turn(text="counted")

    upstream.play(play)
    run = Codex(tmp_path, tap.base_url, mapped_gateway.token, CODE_MODEL).run(PARENT)
    assert (run.exit_code, run.last_message) == (0, "counted"), run.report
    child, parent = requests(upstream, child=True), requests(upstream, child=False)
    assert len(child) == len(subagent_passages(tap)) == 2
    sent = [item for item in subagent_passages(tap)[0].body["input"] if item["type"] == "agent_message"]
    assert [(item["author"], item["recipient"]) for item in sent] == [("/root", "/root/count")]
    task = child[0].texts("user")[-1]
    assert re.search(rf"^Sender: /root$(.|\n)*^{TASK}$", task, re.MULTILINE)
    assert (PARENT in child[0].texts("user")) is (fork == "all")
    answer = parent[-1].texts("user")[-1]
    assert re.search(rf"^Sender: /root/count$(.|\n)*^{RESULT}$", answer, re.MULTILINE)
    assert "42-child" not in json.dumps(parent[-1].messages)


def test_agents_take_a_second_task(
    upstream: ChatServer, mapped_gateway: Gateway, tap: Tap, tmp_path: Path
) -> None:
    def play(body: Json) -> Turn:
        if is_child(body):
            again = "SECOND-TASK" in json.dumps(body["messages"])
            return Turn(text="second result" if again else "first result")
        steps = [
            call("call_1", "collaboration-spawn_agent", task_name="count", message=TASK, fork_turns="none"),
            call("call_2", "collaboration-wait_agent", timeout_ms=10_000),
            call("call_3", "collaboration-followup_task", target="count", message="SECOND-TASK"),
            call("call_4", "collaboration-wait_agent", timeout_ms=10_000),
            call("call_5", "collaboration-list_agents"),
        ]
        done = len(outputs(body))
        return Turn(tool_calls=[steps[done]]) if done < len(steps) else Turn(text="twice")

    upstream.play(play)
    run = Codex(tmp_path, tap.base_url, mapped_gateway.token, CODE_MODEL).run(PARENT)
    assert (run.exit_code, run.last_message) == (0, "twice"), run.report
    last = requests(upstream, child=False)[-1]
    said = "\n".join(last.texts("user"))
    assert "first result" in said
    assert "second result" in said
    assert "/root/count" in last.outputs["call_5"]
    assert all(exchange.body["model"] == MODEL for exchange in upstream.chats)
