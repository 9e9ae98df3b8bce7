"""What a request goes on from, where the store holds what this version does not know."""

import secrets
from typing import Any

import msgspec
import pytest
from wireloom_protocol import responses as m

from wireloom.continuation import Continuations
from wireloom.errors import InvalidRequest
from wireloom.history.base import Record
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
    asked = {"model": "m", "input": text, "previous_response_id": previous}
    begun = await chain.begin(m.CreateResponse.model_validate(asked), "one")
    said = {"type": "message", "id": f"msg_{response_id}", "role": "assistant", "status": "completed"}
    content = [{"type": "output_text", "text": f"re: {text}", "annotations": [], "logprobs": []}]
    response: Any = {
        "id": response_id,
        "created_at": 1,
        "store": True,
        "output": [said | {"content": content}],
    }
    await chain.keep(begun, response, "one")
    assert response["store"]
    assert isinstance(begun.body.input, list) or previous is None
    given: Any = begun.body.input
    contents = [item.content for item in given[: begun.recalled]]
    return [part if isinstance(part, str) else part[0].text for part in contents]


async def test_a_chain_in_memory_says_what_the_store_says(monkeypatch: pytest.MonkeyPatch) -> None:
    history = Memory()
    chain = Continuations(history, lambda prefix: f"{prefix}_{secrets.token_hex(4)}")
    await finished(chain, "a", "1", None)
    assert await finished(chain, "b", "2", "a") == ["1", "re: 1"]
    assert await finished(chain, "c", "3", "b") == ["1", "re: 1", "2", "re: 2"]
    # A branch from further up, whose place in memory the chain has left.
    assert await finished(chain, "d", "4", "a") == ["1", "re: 1"]
    assert await finished(chain, "e", "5", "d") == ["1", "re: 1", "4", "re: 4"]
    assert await finished(chain, "f", "6", "c") == ["1", "re: 1", "2", "re: 2", "3", "re: 3"]
    fresh = Continuations(history, str)
    asked = m.CreateResponse.model_validate({"model": "m", "input": "x", "previous_response_id": "f"})
    known, read = await chain.begin(asked, "one"), await fresh.begin(asked, "one")
    assert known.body.model_dump(mode="json") == read.body.model_dump(mode="json")
    with pytest.raises(InvalidRequest):
        await chain.begin(asked, "two")
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
