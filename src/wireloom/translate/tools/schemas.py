"""Pieces of JSON Schema that the definitions of several tools share."""

from __future__ import annotations

from typing import Any, Final

TEXT: Final[dict[str, Any]] = {"type": "string"}
TIMEOUT: Final[dict[str, Any]] = {
    "type": "integer",
    "description": "Milliseconds after which it is stopped.",
}
