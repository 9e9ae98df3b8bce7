"""A gateway on a real socket, in a thread of the test process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from wireloom.app import create_app
from wireloom.config import Settings

KEY = "threaded-key"
START_SECONDS = 30.0


@contextmanager
def gateway(**settings: Any) -> Iterator[str]:
    """Serve a gateway with these settings and the key ``KEY``; yields its URL, without the version."""
    given = {"token": {"client": KEY}, "history": "memory", **settings}
    app = create_app(Settings(**given))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="on", ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    try:
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise TimeoutError("the gateway did not start")
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()
