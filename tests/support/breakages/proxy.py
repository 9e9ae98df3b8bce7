"""A server in front of a good gateway that spoils answers in one way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import httpx

from tests.support.breakages.spoiling import Breakage, Spoiling

SECONDS = 30.0


class _Handler(BaseHTTPRequestHandler):
    root: ClassVar[str]
    transport: ClassVar[httpx.BaseTransport]

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        timeout = {"timeout": httpx.Timeout(SECONDS).as_dict()}
        request = httpx.Request(
            self.command, f"{self.root}{self.path}", headers=headers, content=body, extensions=timeout
        )
        response = self.transport.handle_request(request)
        data = response.read()
        self.send_response(response.status_code)
        for name, value in response.headers.items():
            if name not in ("content-length", "transfer-encoding", "content-encoding"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _pass

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@contextmanager
def spoiling(root: str, breakage: Breakage) -> Iterator[str]:
    """Serve what a gateway answers, spoilt; yields the URL.

    root: URL of the gateway, without the version.
    """
    with httpx.HTTPTransport() as inner:
        members = {"root": root, "transport": Spoiling(breakage, inner)}
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), members))
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(SECONDS)
