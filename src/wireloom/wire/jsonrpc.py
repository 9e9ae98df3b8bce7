"""JSON-RPC as the Codex app-server speaks it: a message a line, without a `jsonrpc` member."""

from __future__ import annotations

from typing import Any

import msgspec


class Frame(msgspec.Struct):
    """One message: without a method it is the answer to a request, with an id and a method a request.

    Args:
        method: of a request or a notification.
        id: of a request or an answer.
        params: JSON of a request or a notification, for the decoder of its method; empty where there is none.
        result: JSON of an answer, for the decoder of its request.
        error: of an answer that is a refusal: `code`, `message`.
    """

    method: str | None = None
    id: str | int | None = None
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    error: Any = None


_decoder = msgspec.json.Decoder(Frame)


def decode(line: bytes | str) -> Frame | None:
    """The message in a line, or None where there is none.

    Args:
        line: JSON without its line end.
    """
    try:
        frame = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return frame if frame.method is not None or frame.id is not None else None


class FrameReader:
    """Bytes in, messages out; a line may be of any length, and what is no message is counted and passed over."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.garbage = 0
        """Lines that were no messages."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take what one read brought.

        Returns:
            The messages that are complete now, in order.
        """
        whole, end, tail = data.rpartition(b"\n")
        if not end:
            self._parts.append(data)  # joined once, when the line ends: a long one comes in many reads
            return []
        lines = b"".join([*self._parts, whole]).split(b"\n")
        self._parts = [tail] if tail else []
        frames = []
        for line in lines:
            frame = decode(line)
            if frame is not None:
                frames.append(frame)
            elif line.strip():
                self.garbage += 1
        return frames


def request(request_id: int, method: str, params: Any) -> bytes:
    """A request, without a line end."""
    return msgspec.json.encode({"id": request_id, "method": method, "params": params})


def notification(method: str) -> bytes:
    """A notification without params, without a line end."""
    return msgspec.json.encode({"method": method})


def result(request_id: str | int, value: Any) -> bytes:
    """The answer to a request, without a line end."""
    return msgspec.json.encode({"id": request_id, "result": value})


def refusal(request_id: str | int, message: str, code: int = -32601) -> bytes:
    """The refusal of a request, without a line end."""
    return msgspec.json.encode({"id": request_id, "error": {"code": code, "message": message}})
