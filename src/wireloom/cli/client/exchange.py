"""One question with a tool, asked over HTTP as a Responses client does, and the record of it."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from wireloom.wire.json import Json
from wireloom.wire.sse import EventReader

_TIMEOUT_SECONDS = 30.0
_END = b"[DONE]"
LONGEST_MESSAGE = 200

QUESTION: Json = {
    "model": "demo",
    "stream": True,
    "store": False,
    "instructions": "Answer in one sentence.",
    "input": [{"type": "message", "role": "user", "content": "What is the weather in Paris?"}],
    "tools": [
        {
            "type": "function",
            "name": "get_weather",
            "description": "Tell the weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
            "strict": True,
        }
    ],
    "text": {"verbosity": "low"},
}


class ExchangeError(Exception):
    """The gateway did not answer as it should; the text says how."""


FAILURES = (ExchangeError, OSError, http.client.HTTPException, ValueError)
"""What can go wrong in an exchange."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed response: the events in order and what the gateway could not carry (empty: nothing)."""

    events: list[Json]
    loss: str

    @property
    def output(self) -> list[Json]:
        """The output items of the completed response; raises ``ExchangeError`` when it did not complete."""
        last = self.events[-1] if self.events else {}
        if last.get("type") != "response.completed":
            raise ExchangeError(
                f"the stream ended with {last.get('type', 'no event')}, not response.completed"
            )
        items: list[Json] = last["response"]["output"]
        return items

    def item(self, kind: str) -> Json:
        """The first output item of a type; raises ``ExchangeError`` without one."""
        for item in self.output:
            if item["type"] == kind:
                return item
        raise ExchangeError(f"the response holds no {kind}")


def post(url: str, body: Json, key: str | None = None) -> Answer:
    """Send a streaming request to ``url`` and read the answer to its end.

    key: sent as the API key, None for none.

    Raises ``OSError`` or ``http.client.HTTPException`` when the connection fails, ``ExchangeError`` for
    another status than 200.
    """
    status, data, headers = _asked("POST", url, key, _TIMEOUT_SECONDS, json.dumps(body))
    if status != http.client.OK:
        raise ExchangeError(f"the gateway answered {status}: {message_of(data)}")
    reader = EventReader()
    payloads = [*reader.feed(data), *reader.close()]
    events = [json.loads(payload) for payload in payloads if payload != _END]
    return Answer(events, headers.get("x-wireloom-loss", ""))


def get(url: str, key: str | None = None, *, seconds: float = _TIMEOUT_SECONDS) -> tuple[int, bytes]:
    """Fetch ``url`` as JSON, whatever the status; return that and the body.

    key: sent as the API key, None for none; seconds: how long to wait for a byte.

    Raises ``OSError`` or ``http.client.HTTPException`` when the connection fails.
    """
    status, data, _ = _asked("GET", url, key, seconds)
    return status, data


def message_of(data: bytes) -> str:
    """Return the message of an error for people: that of an error object, or a plain text, never JSON or HTML."""
    try:
        return str(json.loads(data)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        text = data.decode(errors="replace").strip()
        is_plain = bool(text) and text[0] not in "{[<"
        return text[:LONGEST_MESSAGE] if is_plain else "an error without a message"


def _asked(
    method: str, url: str, key: str | None, seconds: float, body: str | None = None
) -> tuple[int, bytes, http.client.HTTPMessage]:
    parts = urlsplit(url)
    headers = {"accept": "application/json, text/event-stream"}
    if body is not None:
        headers["content-type"] = "application/json"
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request(method, parts.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def get_weather(city: str) -> Json:
    """The tool: always the same weather."""
    return {"city": city, "sky": "clear", "celsius": 21}


def follow_up(asked: Json, answer: Answer, result: str) -> Json:
    """Return the request that gives the model the result of its call; the conversation goes along."""
    call = answer.item("function_call")
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": result}
    return {**asked, "input": [*asked["input"], *answer.output, output]}


def spoken(answer: Answer) -> str:
    """Return the text of the model's message."""
    return "".join(part.get("text", "") for part in answer.item("message")["content"])
