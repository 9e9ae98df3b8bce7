"""The texts of a conversation and the requests that carry them."""

import json
import random
from typing import Any

MODEL = "bench"
_PROSE = (
    "read the file before you change it then run every test and say what was done why it was and which part "
    "remains open since nobody else will look at module seven until friday evening when traffic is low again"
)


def text_of(turn: int, size: int) -> str:
    """What the user says in a turn: words in an order of its own, so that no two turns are alike.

    turn: counted from 1. size: bytes.
    """
    order, known = random.Random(turn), _PROSE.split()
    words: list[str] = [f"Turn {turn}:"]
    length = len(words[0])
    while length < size:
        words.append(order.choice(known))
        length += len(words[-1]) + 1
    return " ".join(words)[:size]


def responses_request(text: str, previous: str | None) -> bytes:
    """Build a turn as a Responses client sends it: the new text alone, and the id of the response before."""
    body: dict[str, Any] = {"model": MODEL, "stream": True, "store": True, "input": text}
    if previous is not None:
        body["previous_response_id"] = previous
    return json.dumps(body).encode()


class ChatBody:
    """The whole conversation as a Chat client sends it, growing by one turn at a time."""

    def __init__(self) -> None:
        self._messages: list[bytes] = []

    def add(self, role: str, text: str) -> None:
        """Add a message."""
        self._messages.append(json.dumps({"role": role, "content": text}).encode())

    def encode(self) -> bytes:
        """Return the request with all messages so far."""
        head = json.dumps({"model": MODEL, "stream": True}).encode()[:-1]
        return head + b', "messages": [' + b", ".join(self._messages) + b"]}"


def completed(answer: bytes) -> tuple[str, str]:
    """Return the id and the text of the response in a Responses event stream.

    Raises ValueError when the stream holds no completed response.
    """
    for line in answer.splitlines():
        if line.startswith(b"data:") and b'"response.completed"' in line:
            response = json.loads(line.removeprefix(b"data:"))["response"]
            parts = [part for item in response["output"] for part in item.get("content") or ()]
            return str(response["id"]), "".join(part.get("text", "") for part in parts)
    raise ValueError("the stream holds no completed response")
