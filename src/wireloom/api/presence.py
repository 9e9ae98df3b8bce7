"""Whether the client of a request is still there and the gateway goes on; if not, the work for it is cancelled."""

from __future__ import annotations

import asyncio

from starlette.types import Receive

from wireloom.api.drain import Drain


class Presence:
    """Watches a client for the current task, and cancels that task when the client leaves or the gateway stops.

    Args:
        receive: the ASGI channel on which the server tells of it; the request's body has been read.
        drain: what knows whether the gateway stops.
    """

    def __init__(self, receive: Receive, drain: Drain) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._left = False
        self._stopped = False
        self._drain = drain
        drain.add(self)
        self._watcher = asyncio.create_task(_gone(receive))
        self._watcher.add_done_callback(self._leave)

    def _leave(self, watcher: asyncio.Task[None]) -> None:
        if not watcher.cancelled():
            self._left = True
            self._task.cancel()

    def left(self) -> bool:
        """Whether a cancellation came from here; if so, it is taken back: nobody asked the task itself to stop."""
        if self._left:
            self._task.uncancel()
        return self._left

    def stop(self) -> None:
        """Cancel the task because the gateway stops; see `Running`."""
        if not self._left:
            self._stopped = True
            self._task.cancel()

    def stopped(self) -> bool:
        """Whether a cancellation came from `stop`; if so, it is taken back, once."""
        stopped, self._stopped = self._stopped, False
        if stopped:
            self._task.uncancel()
        return stopped

    def close(self) -> None:
        """Watch no longer."""
        self._drain.remove(self)
        self._watcher.remove_done_callback(self._leave)
        self._watcher.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
