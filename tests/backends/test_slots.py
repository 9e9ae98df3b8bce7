"""Slots: how many run, how many wait, and what happens to the rest."""

from __future__ import annotations

import asyncio

import pytest

from wireloom.backends.slots import Slots
from wireloom.errors import Limited
from wireloom.exchange import Exchange


async def test_a_slot_that_is_given_back_serves_the_next() -> None:
    slots = Slots(running=1, waiting=1, seconds=5)
    first = await slots.take(Exchange(""))
    second = asyncio.create_task(slots.take(Exchange("")))
    await asyncio.sleep(0)
    assert not second.done()
    async with first:
        pass
    async with await second:
        pass


async def test_a_full_queue_refuses_at_once() -> None:
    slots = Slots(running=1, waiting=1, seconds=5)
    async with await slots.take(Exchange("")):
        waiting = asyncio.create_task(slots.take(Exchange("")))
        await asyncio.sleep(0)
        with pytest.raises(Limited) as refused:
            await slots.take(Exchange(""))
        waiting.cancel()
        await asyncio.wait({waiting})
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "queue_full", 1)


async def test_no_queue_at_all_is_a_queue_that_is_full() -> None:
    slots = Slots(running=1, waiting=0, seconds=5)
    async with await slots.take(Exchange("")):
        with pytest.raises(Limited, match="Too many"):
            await slots.take(Exchange(""))


async def test_a_wait_has_an_end_and_gives_its_place_back() -> None:
    slots = Slots(running=1, waiting=1, seconds=0.05)
    async with await slots.take(Exchange("")):
        for _ in range(3):
            with pytest.raises(Limited) as refused:
                await slots.take(Exchange(""))
            assert refused.value.code == "queue_timeout"


async def test_a_place_that_is_given_back_is_one_place() -> None:
    slots = Slots(running=1, waiting=1, seconds=0.02)
    async with await slots.take(Exchange("")):
        with pytest.raises(Limited, match=r"No slot became free within 0\.02 s\."):
            await slots.take(Exchange(""))
        waiting = asyncio.create_task(slots.take(Exchange("")))
        await asyncio.sleep(0)
        with pytest.raises(Limited) as refused:
            await slots.take(Exchange(""))
        assert refused.value.code == "queue_full"
        with pytest.raises(Limited) as late:
            await waiting
        assert (late.value.code, late.value.retry_after) == ("queue_timeout", 1)


async def test_as_many_run_as_there_are_slots() -> None:
    slots = Slots(running=2, waiting=0, seconds=5)
    async with await slots.take(Exchange("")), await slots.take(Exchange("")):
        with pytest.raises(Limited):
            await slots.take(Exchange(""))


async def test_the_time_in_the_queue_is_noted() -> None:
    seconds = iter(range(9))
    exchange = Exchange("", lambda: float(next(seconds)))
    slots = Slots(running=2, waiting=0, seconds=5)
    async with await slots.take(exchange), await slots.take(exchange):
        assert exchange.seconds() == {"queue": 2.0}


async def test_a_waiter_that_leaves_gives_its_place_back() -> None:
    slots = Slots(running=1, waiting=1, seconds=5)
    async with await slots.take(Exchange("")):
        for _ in range(3):
            waiting = asyncio.create_task(slots.take(Exchange("")))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
    async with await asyncio.wait_for(slots.take(Exchange("")), 1):
        pass
