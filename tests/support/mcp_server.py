"""A tiny MCP server on standard input and output: ``add`` and ``picture``."""

import json
import sys
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

RED_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"

TOOLS: list[Json] = [
    {
        "name": "add",
        "description": "Add two integers.",
        "inputSchema": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
    {
        "name": "picture",
        "description": "Return a red dot.",
        "inputSchema": {"type": "object", "properties": {}},
    },
]


def _initialize(params: Json) -> Json:
    return {
        "protocolVersion": params["protocolVersion"],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "tiny", "version": "1.0.0"},
    }


def _add(arguments: Json) -> list[Json]:
    return [{"type": "text", "text": str(arguments["a"] + arguments["b"])}]


def _picture(arguments: Json) -> list[Json]:
    return [
        {"type": "text", "text": "a red dot"},
        {"type": "image", "data": RED_DOT, "mimeType": "image/png"},
    ]


_CALLS: dict[str, Callable[[Json], list[Json]]] = {"add": _add, "picture": _picture}
_METHODS: dict[str, Callable[[Json], Json]] = {
    "initialize": _initialize,
    "ping": lambda _: {},
    "tools/list": lambda _: {"tools": TOOLS},
    "tools/call": lambda params: {"content": _CALLS[params["name"]](params.get("arguments") or {})},
}


def answer(message: Json) -> Json | None:
    """Return the reply to a JSON-RPC message, None for a notification."""
    if "id" not in message:
        return None
    method = _METHODS.get(message["method"])
    reply: Json = {"jsonrpc": "2.0", "id": message["id"]}
    if method is None:
        return {**reply, "error": {"code": -32601, "message": f"no method {message['method']}"}}
    return {**reply, "result": method(message.get("params") or {})}


def main() -> None:
    """Answer one message per line until the input ends."""
    for line in sys.stdin:
        if (reply := answer(json.loads(line))) is not None:
            print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
