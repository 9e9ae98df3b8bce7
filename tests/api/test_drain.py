"""The end of a gateway: requests end by themselves in the time that they have, or are stopped."""

import asyncio

import pytest

from wireloom.api import drain
from wireloom.api.drain import Drain
from wireloom.errors import Unavailable


class Request:
    """A request that is being answered."""

    def __init__(self, owner: Drain, *, last_words: float = 0.0) -> None:
        self.stops = 0
        self._owner = owner
        self._last_words = last_words
        owner.add(self)

    def stop(self) -> None:
        """End a moment later."""
        self.stops += 1
        asyncio.get_running_loop().call_later(self._last_words, self.end)

    def end(self) -> None:
        self._owner.remove(self)


async def test_nothing_new_is_taken_once_it_closes() -> None:
    draining = Drain()
    draining.refuse()
    closing = [draining.closing]
    await draining.close(60)
    assert [*closing, draining.closing] == [False, True]
    with pytest.raises(Unavailable) as caught:
        draining.refuse()
    found = caught.value
    assert (found.message, found.code, found.retry_after) == (
        "The gateway is stopping.",
        "shutting_down",
        1,
    )


async def test_requests_may_end_by_themselves() -> None:
    draining = Drain()
    first, second = Request(draining), Request(draining)
    async with asyncio.timeout(20):
        closing = asyncio.create_task(draining.close(60))
        await asyncio.sleep(0)
        first.end()
        await asyncio.sleep(0.01)
        assert not closing.done()
        second.end()
        await closing
    assert (first.stops, second.stops) == (0, 0)


async def test_an_idle_moment_before_the_end_does_not_count() -> None:
    draining = Drain()
    Request(draining).end()
    later = Request(draining)
    async with asyncio.timeout(20):
        await draining.close(0.01)
    assert later.stops == 1


async def test_requests_that_still_run_are_stopped_and_may_end() -> None:
    draining = Drain()
    quick, slow = Request(draining), Request(draining, last_words=0.05)
    slow_ended = asyncio.Event()
    end = slow.end

    def noted() -> None:
        end()
        slow_ended.set()

    slow.end = noted  # type: ignore[method-assign]
    async with asyncio.timeout(20):
        await draining.close(0.0)
    assert (quick.stops, slow.stops, slow_ended.is_set()) == (1, 1, True)


async def test_a_request_that_does_not_stop_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "LAST_WORDS_SECONDS", 0.01)
    draining = Drain()
    stuck = Request(draining, last_words=60)
    async with asyncio.timeout(20):
        await draining.close(0.0)
    assert stuck.stops == 1
