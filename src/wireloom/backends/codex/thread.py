"""One thread of a Codex app-server: opened, given its history, run for one turn, and let go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from wireloom_protocol import app_server_hot as hot

from wireloom.backends.codex.calls import THREAD_INJECT_ITEMS, THREAD_START, TURN_INTERRUPT, TURN_START
from wireloom.backends.codex.connection import Connection, Inbox, no_answer
from wireloom.translate.codex.app_server_news import News
from wireloom.translate.codex.app_server_request import Plan

R = TypeVar("R")


class Thread:
    """A thread with its turn.

    Args:
        connection: where it is.
        thread_id: its id there.
    """

    def __init__(self, connection: Connection, thread_id: str) -> None:
        self.id = thread_id
        self.turn_id: str | None = None
        self._connection = connection
        self._inbox: Inbox = connection.inbox(thread_id)
        self._left = False

    @classmethod
    async def open(cls, connection: Connection, plan: Plan) -> Thread:
        """Open a thread, tell it what has been said, and begin its turn.

        A turn on a busy thread would steer the one that runs, and one that was interrupted leaves remarks of Codex's
        behind: so each request has a thread of its own.

        Args:
            connection: an app-server.
            plan: what the request comes to.

        Raises:
            GatewayError: the app-server refuses, or is gone.
        """
        started = await _whole(
            connection.ask(THREAD_START, plan.start),
            lambda late: connection.drop(_thread_id(late)),
        )
        thread = cls(connection, _thread_id(started))
        try:
            await thread._begin(plan)
        except BaseException:
            thread.leave()
            raise
        return thread

    async def _begin(self, plan: Plan) -> None:
        here = {"threadId": self.id}
        if plan.items:
            await self._connection.ask(THREAD_INJECT_ITEMS, {**here, "items": plan.items})
        begun = await _whole(
            self._connection.ask(TURN_START, {**here, **plan.turn, "input": []}),
            lambda late: self._interrupt(_turn_id(late)),
        )
        self.turn_id = _turn_id(begun)

    @property
    def alive(self) -> bool:
        """Whether its app-server is."""
        return not self._inbox.failed

    async def news(self, until: float | None) -> list[News]:
        """What there is to read; see `Inbox.take`."""
        return await self._inbox.take(until)

    def answer(self, request_id: str | int, value: Mapping[str, Any]) -> None:
        """Give the output of a call."""
        self._connection.answer(request_id, value)

    def leave(self, *, ended: bool = False) -> None:
        """Let the thread go.

        Args:
            ended: whether its turn is over; one that is not is interrupted, which ends its request upstream.
        """
        if self._left:
            return
        self._left = True
        if self.turn_id is not None and not ended:
            self._interrupt(self.turn_id)
        self._connection.drop(self.id)

    def _interrupt(self, turn_id: str) -> None:
        if self._connection.alive:
            self._connection.tell(TURN_INTERRUPT, {"threadId": self.id, "turnId": turn_id})


def _thread_id(started: hot.ThreadStartResponse) -> str:
    if started.thread is None or not started.thread.id:
        raise no_answer(THREAD_START)
    return started.thread.id


def _turn_id(begun: hot.TurnStartResponse) -> str:
    if begun.turn is None or not begun.turn.id:
        raise no_answer(TURN_START)
    return begun.turn.id


async def _whole(future: asyncio.Future[R], late: Callable[[R], None]) -> R:
    """The result of a request; what begins after nobody waits for it any more is undone."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(partial(_undo, late))
        raise


def _undo(late: Callable[[R], None], future: asyncio.Future[R]) -> None:
    if not future.cancelled() and future.exception() is None:
        late(future.result())
