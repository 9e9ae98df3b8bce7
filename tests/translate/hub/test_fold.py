"""A response that is not streamed is the one the stream ends with."""

from collections.abc import Callable

import pytest
from wireloom_protocol import responses as m

from tests.support import contract
from tests.support.streams import ERROR, USAGE, new_stream
from wireloom.translate.hub.endings import TERMINAL
from wireloom.translate.hub.fold import fold
from wireloom.translate.hub.relay import heartbeat
from wireloom.translate.hub.stream import ResponseStream

ENDINGS: dict[str, Callable[[ResponseStream], None]] = {
    "completed": lambda stream: stream.finish(USAGE),
    "incomplete": lambda stream: stream.finish(USAGE, "content_filter"),
    "failed": lambda stream: stream.fail(ERROR, "server_error"),
}


@pytest.mark.parametrize("status", ENDINGS)
def test_the_response_is_that_of_the_last_event(status: str) -> None:
    stream = new_stream()
    stream.text("Hello")
    batches = [stream.take()]
    heartbeat(stream)
    batches.append(stream.take())
    ENDINGS[status](stream)
    batches.append(stream.take())
    response = None
    for batch in batches:
        assert response is None
        response = fold(batch, response)
    assert response is not None
    assert response["status"] == status
    assert fold([event for batch in batches for event in batch]) == response
    assert fold([], response) is response


def test_there_is_no_response_before_the_end() -> None:
    stream = new_stream()
    stream.reasoning("Hm.")
    stream.text("Hello")
    assert fold(stream.take()) is None
    assert fold([]) is None


def test_the_contract_has_an_event_for_each_end() -> None:
    assert sorted(TERMINAL - contract.tags(m.ResponseStreamEvent)) == []
