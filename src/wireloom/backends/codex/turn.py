"""One response out of Codex: a turn begun, or one that waited for the client's tools gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from wireloom.backends.base import Ask
from wireloom.backends.codex.process import AppServer
from wireloom.backends.codex.suspended import SuspendedTurns
from wireloom.backends.codex.thread import Thread
from wireloom.backends.http.answers import report
from wireloom.backends.slots import Slots
from wireloom.errors import UpstreamError
from wireloom.exchange import UPSTREAM
from wireloom.translate.codex.app_server_news import ERROR, News
from wireloom.translate.codex.app_server_reader import AppServerReader
from wireloom.translate.codex.app_server_request import Plan, outputs
from wireloom.translate.hub.sequence import Event
from wireloom.translate.hub.stream import ResponseStream


@dataclass(frozen=True, slots=True)
class Engine:
    """What all turns share.

    Args:
        server: the app-server.
        slots: how many turns run at once.
        suspended: the turns that wait for their clients.
        settle: makes of a plan what is started: checks the model, adds what does not depend on the request.
        total_seconds: longest time for a whole answer, 0 for no limit.
        idle_seconds: longest silence, 0 for no limit.
    """

    server: AppServer
    slots: Slots
    suspended: SuspendedTurns
    settle: Callable[[Plan, Mapping[str, str]], Awaitable[Plan]]
    total_seconds: float
    idle_seconds: float


class AppServerTurn:
    """Makes one response.

    Args:
        engine: what all turns share.
        ask: the request.
        plan: what it comes to.
        stream: what the answer is told to.
        reader: reads the answer.
    """

    def __init__(
        self, engine: Engine, ask: Ask, plan: Plan, stream: ResponseStream, reader: AppServerReader
    ) -> None:
        self.queued = True
        self._engine = engine
        self._ask = ask
        self._plan = plan
        self._stream = stream
        self._reader = reader
        self._heard = 0.0  # when Codex last said something of the answer

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """See `Turn.events`: what Codex has said since the last look is one batch."""
        engine, reader, stream = self._engine, self._reader, self._stream
        principal = self._ask.caller.principal
        async with await engine.slots.take(self._ask.caller.exchange):
            self.queued = False
            self._heard = now = asyncio.get_running_loop().time()
            deadline = now + engine.total_seconds if engine.total_seconds else None
            plan = await engine.settle(self._plan, self._ask.body.metadata or {})
            thread = await self._thread(plan, deadline)
            reader.turn_id = thread.turn_id
            kept = False
            try:
                while True:
                    for news in await self._news(thread, deadline):
                        reader.feed(news)
                    if reader.suspended:
                        reader.close()
                        engine.suspended.keep(principal, thread, reader.pending, plan, stream.answer_text())
                        kept = True
                    if reader.done or kept:
                        break
                    events = stream.take()
                    if events:
                        yield events
                report(reader, self._ask.caller)
                yield stream.take()
            finally:
                if not kept:
                    thread.leave(ended=reader.over)

    async def _thread(self, plan: Plan, deadline: float | None) -> Thread:
        """The thread that goes on with what the client brings, or a new one."""
        claimed = self._engine.suspended.claim(self._ask.caller.principal, plan)
        if claimed is not None:
            turn, answers = claimed
            for call_id, value in outputs(answers).items():
                turn.thread.answer(turn.pending[call_id].request, value)
            return turn.thread
        try:
            async with asyncio.timeout_at(deadline):
                return await Thread.open(await self._engine.server.connection(), plan)
        except TimeoutError as error:
            raise _late("Codex took too long.") from error

    async def _news(self, thread: Thread, deadline: float | None) -> list[News]:
        """What Codex says next; notices of retries are no signs of an answer."""
        idle = self._heard + self._engine.idle_seconds if self._engine.idle_seconds else None
        until = min((each for each in (deadline, idle) if each is not None), default=None)
        try:
            found = await thread.news(until)
        except TimeoutError as error:
            raise _late("Codex took too long." if until == deadline else "Codex fell silent.") from error
        if any(news.method != ERROR.method for news in found):
            self._ask.caller.exchange.mark(UPSTREAM)
            self._heard = asyncio.get_running_loop().time()
        return found


def _late(message: str) -> UpstreamError:
    return UpstreamError(message, code="upstream_timeout", status=504)
