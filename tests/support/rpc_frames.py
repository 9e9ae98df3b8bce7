"""Frames of the app-server's protocol as they are decoded from a line."""

import json
from typing import Any

from wireloom.wire.jsonrpc import Frame, decode


def frame(**members: Any) -> Frame:
    """Return the frame of a message with these members."""
    decoded = decode(json.dumps(members))
    assert decoded is not None
    return decoded


def notification(method: str, params: Any) -> Frame:
    """Return the frame of a notification."""
    return frame(method=method, params=params)
