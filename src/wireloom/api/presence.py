"""Whether the client of a request is still there; when it leaves, the work for it is cancelled."""

from __future__ import annotations

import asyncio

from starlette.types import Receive


class Presence:
    """Watches a client for the current task, and cancels that task when the client leaves.

    Args:
        receive: the ASGI channel on which the server tells of it; the request's body has been read.
    """

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._left = False
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

    def close(self) -> None:
        """Watch no longer."""
        self._watcher.remove_done_callback(self._leave)
        self._watcher.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
