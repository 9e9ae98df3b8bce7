"""A TCP server on a loopback port, run by an event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

START_SECONDS = 30.0
CLOSE_SECONDS = 30.0


class WatchedReader(asyncio.StreamReader):
    """A stream reader that tells the moment the peer goes away, also while nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        """Note the end of what the peer sends."""
        self.gone.set()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        """Note a connection that broke."""
        self.gone.set()
        super().set_exception(exc)


Handler = Callable[[WatchedReader, asyncio.StreamWriter], Awaitable[None]]


class Loopback:
    """Serves every connection with ``handler`` from ``__enter__`` to ``__exit__``.

    ``port`` 0 picks a free one. A handler that raises leaves its exception in ``failures``; a broken
    connection is not a failure.
    """

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._wanted_port = port
        self._started: Future[int] = Future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self.failures: list[BaseException] = []
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._started.result(START_SECONDS)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.call(self._stop.set)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError("the loopback server did not close")

    def call(self, function: Callable[[], None]) -> None:
        """Run ``function`` in the server's event loop, soon."""
        self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except OSError as error:
            self._started.set_exception(error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await self._loop.create_server(self._protocol, "127.0.0.1", self._wanted_port)
        self._started.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = WatchedReader()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._serve(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._finished)

        return asyncio.StreamReaderProtocol(reader, connected, loop=self._loop)

    async def _serve(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.failures.append(failure)
