"""What a request goes on from, where the store holds what this version does not know."""

import json
import logging
import secrets
from typing import Any

import msgspec
import pytest
from wireloom_protocol import responses as m

from wireloom.continuation import Continuation, Continuations, _Recent
from wireloom.errors import InvalidRequest, Unavailable
from wireloom.history.base import Conversation, Full, Record
from wireloom.history.memory import Memory

ITEM = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "invented", "text": "secret"}],
}


@pytest.mark.parametrize(
    "context", [{"previous_response_id": "resp_1"}, {"input": [{"type": "item_reference", "id": "msg_1"}]}]
)
async def test_an_item_of_another_version_is_refused_and_not_quoted(context: dict[str, object]) -> None:
    history = Memory()
    await history.keep("one", Record("resp_1", 1, b"{}", [], [msgspec.json.encode(ITEM)]))
    body = m.CreateResponse.model_validate({"model": "m", "input": "go on", **context})
    with pytest.raises(InvalidRequest) as refused:
        await Continuations(history, str).begin(body, "one")
    assert refused.value.code == "unsupported_item"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert "secret" not in str(refused.value)


async def finished(chain: Continuations, response_id: str, text: str, previous: str | None) -> list[str]:
    """Take one turn; returns the texts that it starts from."""
    begun = await chain.begin(asked(text, previous_response_id=previous), "one")
    response = answered(response_id, f"re: {text}")
    await chain.keep(begun, response, "one")
    assert response["store"]
    assert isinstance(begun.body.input, list) or previous is None
    given: Any = begun.body.input
    contents = [item.content for item in given[: begun.recalled]]
    return [part if isinstance(part, str) else part[0].text for part in contents]


async def test_a_chain_in_memory_says_what_the_store_says(monkeypatch: pytest.MonkeyPatch) -> None:
    history = Memory()
    chain = Continuations(history, new_id)
    await finished(chain, "a", "1", None)
    assert await finished(chain, "b", "2", "a") == ["1", "re: 1"]
    assert await finished(chain, "c", "3", "b") == ["1", "re: 1", "2", "re: 2"]
    # A branch from further up, whose place in memory the chain has left.
    assert await finished(chain, "d", "4", "a") == ["1", "re: 1"]
    assert await finished(chain, "e", "5", "d") == ["1", "re: 1", "4", "re: 4"]
    assert await finished(chain, "f", "6", "c") == ["1", "re: 1", "2", "re: 2", "3", "re: 3"]
    fresh = Continuations(history, str)
    after_f = asked("x", previous_response_id="f")
    known, read = await chain.begin(after_f, "one"), await fresh.begin(after_f, "one")
    assert known.body.model_dump(mode="json") == read.body.model_dump(mode="json")
    with pytest.raises(InvalidRequest):
        await chain.begin(after_f, "two")
    monkeypatch.setattr("wireloom.continuation.RECENT_BYTES", 0)
    assert len(await finished(chain, "g", "7", "f")) == 8
    assert len(await finished(chain, "h", "8", "g")) == 10


async def test_what_is_deleted_is_unknown_though_it_is_in_memory() -> None:
    history = Memory()
    chain = Continuations(history, str)
    await finished(chain, "a", "1", None)
    assert await history.forget("one", "a")
    with pytest.raises(InvalidRequest) as refused:
        await finished(chain, "b", "2", "a")
    assert refused.value.code == "previous_response_not_found"


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(4)}"


def asked(text: object, **fields: object) -> m.CreateResponse:
    return m.CreateResponse.model_validate({"model": "m", "input": text, **fields})


def answered(response_id: str, text: str, **fields: object) -> Any:
    """A finished response of one message."""
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    message = {"type": "message", "id": f"msg_{response_id}", "role": "assistant", "status": "completed"}
    output = [message | {"content": content}]
    return {"id": response_id, "created_at": 1, "store": True, "output": output, **fields}


def texts(items: Any) -> list[str]:
    """The texts of messages, as models of the contract or as JSON."""
    plain = [json.loads(item) if isinstance(item, bytes) else item.model_dump() for item in items]
    contents = [item["content"] for item in plain]
    return [content if isinstance(content, str) else content[0]["text"] for content in contents]


async def test_two_contexts_at_once_are_refused() -> None:
    history = Memory()
    await history.begin("one", Conversation("conv_1", 1, {}), [])
    chain = Continuations(history, new_id)
    await chain.keep(await chain.begin(asked("1"), "one"), answered("a", "re: 1"), "one")
    with pytest.raises(InvalidRequest) as refused:
        await chain.begin(asked("2", previous_response_id="a", conversation="conv_1"), "one")
    assert refused.value.param == "conversation"
    assert "give one of them" in str(refused.value)


@pytest.mark.parametrize("given", ["conv_9", {"id": "conv_9"}])
async def test_a_conversation_that_is_not_here_is_refused(given: object) -> None:
    history = Memory()
    await history.begin("two", Conversation("conv_9", 1, {}), [])
    with pytest.raises(InvalidRequest) as refused:
        await Continuations(history, new_id).begin(asked("1", conversation=given), "one")
    assert refused.value.code == "conversation_not_found"
    assert refused.value.param == "conversation"
    assert "'conv_9'" in str(refused.value)


async def test_a_response_and_an_item_that_are_not_here_are_refused_by_name() -> None:
    chain = Continuations(Memory(), new_id)
    with pytest.raises(InvalidRequest) as refused:
        await chain.begin(asked("1", previous_response_id="resp_9"), "one")
    assert refused.value.param == "previous_response_id"
    assert "'resp_9'" in str(refused.value)
    items = [{"type": "message", "role": "user", "content": "1"}, {"type": "item_reference", "id": "msg_9"}]
    with pytest.raises(InvalidRequest) as refused:
        await chain.begin(asked(items), "one")
    assert (refused.value.code, refused.value.param) == ("item_not_found", "input[1].id")


@pytest.mark.parametrize("given", ["conv_1", {"id": "conv_1"}])
async def test_a_turn_in_a_conversation_that_is_not_stored_is_added_to_it_alone(given: object) -> None:
    history = Memory()
    await history.begin("one", Conversation("conv_1", 1, {}), [])
    chain = Continuations(history, new_id)
    begun = await chain.begin(asked("1", conversation=given, store=False), "one")
    assert (begun.stored, begun.keeps, begun.conversation) == (False, True, "conv_1")
    await chain.keep(begun, answered("a", "re: 1", store=False), "one")
    assert await history.response("one", "a") is None
    dialogue = await history.dialogue("one", "conv_1")
    assert dialogue is not None
    assert texts(dialogue.items) == ["1", "re: 1"]
    second = await chain.begin(asked("2", conversation=given), "one")
    assert (second.stored, second.recalled, second.read) == (True, 2, ())
    assert texts(second.body.input) == ["1", "re: 1", "2"]
    await chain.keep(second, answered("b", "re: 2"), "one")
    assert await history.response("one", "b") is not None
    assert texts(await history.inputs("one", "b")) == ["1", "re: 1", "2"]


async def test_nothing_is_kept_of_a_turn_that_asks_for_nothing_to_be_kept() -> None:
    history = Memory()
    chain = Continuations(history, new_id)
    begun = await chain.begin(asked("1", store=False), "one")
    assert (begun.stored, begun.keeps) == (False, False)
    response = answered("a", "re: 1", store=False)
    await chain.keep(begun, response, "one")
    assert await history.response("one", "a") is None
    assert await history.items("one", ["msg_a"]) == {}


async def test_a_conversation_that_ends_while_it_is_answered_is_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "wireloom")
    history = Memory()
    await history.begin("one", Conversation("conv_1", 1, {}), [])
    chain = Continuations(history, new_id)
    begun = await chain.begin(asked("secret", conversation="conv_1", store=False), "one")
    await history.end("one", "conv_1")
    await chain.keep(begun, answered("a", "secret", store=False), "one")
    assert caplog.messages == ["a is not kept: its conversation has gone"]
    begun = Continuation(asked("1", conversation="conv_1"), "1", conversation="conv_1")
    response = answered("b", "re: 1")
    await chain.keep(begun, response, "one")
    assert response["store"] is False
    assert caplog.messages[1].startswith("b is not kept: ")


async def test_a_kept_response_has_its_output_once() -> None:
    history = Memory()
    chain = Continuations(history, new_id)
    response = answered("a", "re: 1", status="completed")
    await chain.keep(await chain.begin(asked("1"), "one"), response, "one")
    kept = await history.response("one", "a")
    assert kept is not None
    assert json.loads(kept.response) == {
        "id": "a",
        "created_at": 1,
        "store": True,
        "status": "completed",
    }
    assert [json.loads(item) for item in kept.outputs] == response["output"]


async def test_a_kept_item_has_the_members_that_the_client_sent() -> None:
    history = Memory()
    chain = Continuations(history, lambda prefix: f"{prefix}_new")
    given = [{"type": "message", "role": "user", "content": "hi"}]
    await chain.keep(await chain.begin(asked(given), "one"), answered("a", "re: 1"), "one")
    inputs = await history.inputs("one", "a")
    assert inputs is not None
    assert [json.loads(item) for item in inputs] == [{**given[0], "id": "msg_new"}]


class FullStore(Memory):
    """A store whose disk fails."""

    async def context(self, principal: str, response_id: str) -> None:
        raise Full("The disk failed.")


async def test_a_store_that_cannot_be_read_is_a_failure_to_try_again() -> None:
    with pytest.raises(Unavailable) as failure:
        await Continuations(FullStore(), new_id).begin(asked("1", previous_response_id="a"), "one")
    assert failure.value.code == "store_full"
    assert failure.value.retry_after == 1


async def test_an_answer_that_could_not_be_read_again_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "wireloom")
    history = Memory()
    chain = Continuations(history, new_id)
    begun = await chain.begin(asked("1"), "one")
    for output in (
        [{"type": "invented", "id": "x"}],
        ["no item"],
        [{"type": "message"}],
        [{"type": "message", "id": 7}],
    ):
        response = answered("a", "", output=output)
        await chain.keep(begun, response, "one")
        assert response["store"] is False
        assert await history.response("one", "a") is None
    assert len(caplog.messages) == 4
    assert caplog.messages[0] == "a is not kept: its output holds an item of a form that is not known"


async def test_a_turn_reads_nothing_again_that_the_turn_before_has_read() -> None:
    chain = Continuations(Memory(), new_id)
    await chain.keep(await chain.begin(asked("1"), "one"), answered("a", "re: 1"), "one")
    second = await chain.begin(asked("2", previous_response_id="a"), "one")
    await chain.keep(second, answered("b", "re: 2"), "one")
    third = await chain.begin(asked("3", previous_response_id="b"), "one")
    assert texts(third.read) == ["1", "re: 1", "2", "re: 2"]
    assert all(known is again for known, again in zip(second.read, third.read[:2], strict=True))
    # The new end has taken the place of the one before; a branch from there is read from the store.
    branch = await chain.begin(asked("4", previous_response_id="a"), "one")
    assert texts(branch.read) == ["1", "re: 1"]
    assert branch.read[0] is not second.read[0]


def test_recent_chains_are_as_many_as_their_bytes_allow() -> None:
    mebibyte = 2**20
    recent = _Recent()
    chains = {name: [name] for name in "abcd"}
    recent.put("a", chains["a"], 20 * mebibyte, None)
    recent.put("b", chains["b"], 12 * mebibyte, None)
    assert recent.take("a", 1) is chains["a"]
    assert recent.take("b", 1) is chains["b"]
    recent.put("c", chains["c"], 1, None)
    assert recent.take("a", 1) is None
    assert recent.take("b", 1) is chains["b"]
    # A chain that goes on takes the room of its end before, and no more.
    recent.put("d", chains["d"], 32 * mebibyte - 1, "b")
    assert recent.take("b", 1) is None
    assert recent.take("c", 1) is chains["c"]
    assert recent.take("d", 1) is chains["d"]
    recent.put("e", ["e"], 33 * mebibyte, "unknown")
    assert [recent.take(name, 1) for name in "cde"] == [None, None, None]


def test_a_recent_chain_of_another_length_than_the_store_has_is_not_used() -> None:
    recent = _Recent()
    recent.put("a", ["1", "2"], 2, None)
    assert recent.take("a", 2) == ["1", "2"]
    assert recent.take("a", 1) is None
    assert recent.take("a", 3) is None
    assert recent.take("unknown", 0) is None


async def test_what_a_compaction_stands_for_is_left_out_but_for_instructions() -> None:
    history = Memory()
    chain = Continuations(history, new_id)
    items = [
        {"type": "message", "role": "system", "content": "be brief"},
        {"type": "message", "role": "developer", "content": "be kind"},
        {"type": "message", "role": "user", "content": "old"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "message", "role": "user", "content": "new"},
    ]
    await chain.keep(await chain.begin(asked(items), "one"), answered("a", "re: new"), "one")
    begun = await chain.begin(asked("next", previous_response_id="a"), "one")
    given: Any = begun.body.input
    assert [item.type for item in given] == ["message", "message", "compaction", *["message"] * 3]
    assert texts([*given[:2], *given[3:]]) == ["be brief", "be kind", "new", "re: new", "next"]
    assert begun.recalled == 5
