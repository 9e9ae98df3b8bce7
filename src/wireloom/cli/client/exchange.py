"""One question with a tool, asked over HTTP as a Responses client does, and the record of it."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from wireloom.wire.json import Json
from wireloom.wire.sse import EventReader

_TIMEOUT_SECONDS = 30.0
_END = b"[DONE]"

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


def post(url: str, body: Json) -> Answer:
    """Send a streaming request to ``url`` and read the answer to its end.

    Raises ``OSError`` or ``http.client.HTTPException`` when the connection fails, ``ExchangeError`` for
    another status than 200.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", parts.path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise ExchangeError(f"the gateway answered {response.status}: {data.decode(errors='replace')}")
    reader = EventReader()
    payloads = [*reader.feed(data), *reader.close()]
    events = [json.loads(payload) for payload in payloads if payload != _END]
    return Answer(events, response.headers.get("x-wireloom-loss", ""))


def first_model(url: str) -> str:
    """Return the first of the models at ``url``, a base URL.

    Raises ``OSError`` or ``http.client.HTTPException`` when the connection fails, ``ExchangeError`` without one.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/models")
        listed = json.loads(connection.getresponse().read()).get("data")
    finally:
        connection.close()
    if not listed:
        raise ExchangeError("the gateway lists no model; name one with --model")
    name: str = listed[0]["id"]
    return name


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
