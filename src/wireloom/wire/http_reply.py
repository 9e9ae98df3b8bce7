"""One HTTP/1.1 response: bytes in; its head, the pieces of its body and its end out."""

from __future__ import annotations

import httptools

FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_VERSIONS = {"1.0": b"HTTP/1.0", "1.1": b"HTTP/1.1"}


class HttpReply:
    """The parser of one response.

    Args:
        head_only: whether the request was a HEAD, which is answered without a body.
        max_header_bytes: ceiling for the head with its trailers, and for framing without content.
    """

    def __init__(self, head_only: bool, max_header_bytes: int) -> None:
        self.started = False
        self.status = 0  # 0 until the final head is here
        self.version = b""
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.complete = False
        self.reusable = False
        self.until_close = False
        self.on_body = self.pieces.append
        self._head_only = head_only
        self._max_header_bytes = max_header_bytes
        self._header_bytes = 0
        self._bare_bytes = 0
        self._parser = httptools.HttpResponseParser(self)

    @property
    def refuses(self) -> bool:
        """Whether the server has no use for more of the request."""
        return self.complete or self.status >= 400

    def feed(self, data: bytes) -> None:
        """Parse bytes; raises httptools.HttpParserError when they cannot be a response."""
        self.started = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self.complete:
                raise
            self.reusable = False
        if self.pieces:
            self._bare_bytes = 0
            if self._head_only:
                self.pieces.clear()
                self.reusable = False
        elif not self.complete:
            self._bare_bytes += len(data)
            if self._bare_bytes > self._max_header_bytes:
                raise httptools.HttpParserError("too many bytes without content")

    def release(self) -> None:
        """Drop the parser, which refers back to this object; nothing can be fed any more."""
        del self._parser

    def on_message_begin(self) -> None:
        """Called by the parser: a message begins."""
        if self.complete:
            raise httptools.HttpParserError("more than one response")

    def on_status(self, reason: bytes) -> None:
        """Called by the parser: part of the reason phrase."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser: a header, or a trailer."""
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._max_header_bytes:
            raise httptools.HttpParserError("the headers are too large")
        if not self.status:  # later ones are trailers
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Called by the parser: the head is here."""
        parser = self._parser
        status = parser.get_status_code()
        framing = {name.lower(): value.lower() for name, value in self.headers if name.lower() in FRAMING}
        if status < 200:
            if status < 100 or status == 101 or framing:
                raise httptools.HttpParserError(f"unusable interim response {status}")
            self.headers.clear()
            self.reason = b""
            return
        if len(framing) > 1 or framing.get(b"transfer-encoding", b"chunked") != b"chunked":
            raise httptools.HttpParserError("the body is framed in an unknown or an ambiguous way")
        version = parser.get_http_version()
        if version not in _VERSIONS:
            raise httptools.HttpParserError(f"unknown HTTP version {version}")
        self.version = _VERSIONS[version]
        self.until_close = not framing
        self.reusable = parser.should_keep_alive()
        self.complete = self._head_only
        self.status = status

    def on_message_complete(self) -> None:
        """Called by the parser: the message is over."""
        if self.status and not self.complete:
            self.reusable = self._parser.should_keep_alive()
            self.complete = True
