"""Conversations of clients and upstreams that were met in the field, played through a running gateway.

A case is a JSON file: the request of a client, the answer of an upstream, variants of both. The upstream answers with
what the case says, streamed or whole as it is asked; what the client received and what the upstream received come back.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from tests.support.live import answer, gateway, raw

Json: TypeAlias = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "fixtures" / "field"
PATHS = {"responses": "/v1/responses", "chat": "/v1/chat/completions"}
CODEX = {"originator": "codex_exec", "user-agent": "codex_exec/0.169.0", "session-id": "s1"}
TURN_SECONDS = 20.0


@dataclass(slots=True)
class Outcome:
    """What came of one request.

    Args:
        status: of the gateway's answer.
        headers: of the gateway's answer.
        answer: the response or the completion; of a stream, the one that it adds up to.
        events: the data of the events of a stream.
        sent: the requests that the upstream received, decoded.
    """

    status: int
    headers: httpx.Headers
    answer: Json
    events: list[Json]
    sent: list[Json] = field(default_factory=list)

    @property
    def items(self) -> list[Json]:
        """The output items of a response."""
        items: list[Json] = self.answer.get("output") or []
        return items

    @property
    def text(self) -> str:
        """All text of a response, or of a completion's first choice."""
        if "choices" in self.answer:
            return str(self.answer["choices"][0]["message"].get("content") or "")
        parts = [part for item in self.items if item["type"] == "message" for part in item["content"]]
        return "".join(part.get("text", "") for part in parts)

    @property
    def thoughts(self) -> str:
        """All that was thought in a response."""
        parts = [
            part
            for item in self.items
            if item["type"] == "reasoning"
            for part in [*item["summary"], *item.get("content", ())]
        ]
        return "".join(part["text"] for part in parts)

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """The calls of functions: names and decoded arguments, or the text of arguments that are no JSON."""
        if "choices" in self.answer:
            calls = [
                call["function"] for call in self.answer["choices"][0]["message"].get("tool_calls") or ()
            ]
        else:
            calls = [item for item in self.items if item["type"] == "function_call"]
        return [(call["name"], _decoded(call["arguments"])) for call in calls]

    @property
    def error(self) -> Json:
        """The error of a failed request or of a failed response."""
        error: Json = self.answer.get("error") or {}
        return error


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def load(name: str) -> Iterator[tuple[str, Json]]:
    """The variants of a case, each whole, with an id."""
    case = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    for variant in case.get("variants") or [{}]:
        yield f"{name}: {variant['name']}" if variant else name, {**case, **variant}


def whole_of_chunks(chunks: list[Any]) -> Json:
    """The completion that says the same as the chunks of a Chat stream, as an upstream would answer."""
    choices: dict[int, Json] = {}
    made: Json = {}
    for chunk in chunks:
        if not isinstance(chunk, dict):
            continue
        made |= {name: value for name, value in copy.deepcopy(chunk).items() if name != "choices"}
        for choice in copy.deepcopy(chunk.get("choices") or []):
            index = choice.get("index") or 0
            whole = choices.setdefault(
                index, {"index": index, "message": {"role": "assistant", "content": None}}
            )
            _add(whole["message"], choice.pop("delta", None) or choice.pop("message", None) or {})
            whole |= {name: value for name, value in choice.items() if value is not None}
    return {**made, "object": "chat.completion", "choices": [choices[index] for index in sorted(choices)]}


def _add(message: Json, delta: Json) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            calls = message.setdefault(name, [])
            for call in value:
                at = call.pop("index", len(calls))
                if at < len(calls):
                    calls[at]["function"]["arguments"] += call["function"].get("arguments", "")
                else:
                    calls.append(call)
        elif isinstance(value, str) and isinstance(message.get(name), str) and name != "role":
            message[name] += value
        elif value is not None:
            message[name] = value


def stream_of(payloads: list[Any]) -> bytes:
    """The payloads of events as an event stream."""
    texts = (payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads)
    return b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)


def answered(upstream: Mapping[str, Any], asked: Json) -> bytes:
    """The HTTP answer of a scripted upstream to a request.

    Args:
        upstream: of the case.
        asked: the request's JSON.
    """
    status = f"{upstream.get('status', 200)} Scripted"
    headers = "".join(f"{name}: {value}\r\n" for name, value in (upstream.get("headers") or {}).items())
    if "raw" in upstream:
        return answer(upstream["raw"].encode(), status=status, headers=headers)
    payloads = upstream.get("events") if "input" in asked else upstream.get("chunks")
    if payloads is not None and asked.get("stream"):
        return answer(stream_of(payloads), status=status, headers=headers)
    body = upstream.get("body")
    if body is None and payloads is not None:
        body = payloads[-1]["response"] if "input" in asked else whole_of_chunks(payloads)
    return answer(json.dumps(body).encode(), status=status, kind="application/json", headers=headers)


async def play(
    case: Json, *, stream: bool | None = None, wire: str = "chat", **settings: Any
) -> list[Outcome]:
    """Play all turns of a case through a gateway.

    Args:
        case: from `load`.
        stream: whether the client asks for a stream, or None for what the case says.
        wire: what the upstream speaks.
        settings: of the gateway, over those of the case.
    """
    turns = [case, *(case.get("more_turns") or [])]
    script = iter(turns)
    sent: list[Json] = []

    async def handler(body: bytes, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(body)
        sent.append(asked)
        current = turns[min(len(outcomes), len(turns) - 1)]
        refuses = current["upstream"].get("refuses")
        refused = refuses is not None and broken(refuses["rule"], asked)
        writer.write(answered(refuses if refused else current["upstream"], asked))

    outcomes: list[Outcome] = []
    given = {"provider": case.get("profile"), "upstream_wire": wire, **settings}
    headers = CODEX if case.get("caller") == "codex" else {}
    async with (
        raw(handler) as (url, _),
        gateway(url, **{name: value for name, value in given.items() if value is not None}) as base,
        httpx.AsyncClient(base_url=base, headers=headers, timeout=TURN_SECONDS) as client,
    ):
        for turn in script:
            request = {**turn["request"]}
            if stream is not None:
                request["stream"] = stream
            before = len(sent)
            received = await client.post(case.get("path") or PATHS[case["face"]], json=request)
            outcome = _outcome(received, case["face"])
            outcome.sent = sent[before:]
            outcomes.append(outcome)
    return outcomes


def run(case: Json, **options: Any) -> list[Outcome]:
    """`play`, to its end."""
    return asyncio.run(play(case, **options))


def broken(rule: str, asked: Json) -> bool:
    """Whether a request breaks a rule of an upstream, by the name of the rule."""
    return bool(RULES[rule](asked))


RULES: dict[str, Any] = {}
"""Rule of a case -> whether a request breaks it; the tests that need one add it."""


def _outcome(received: httpx.Response, face: str) -> Outcome:
    if not received.headers.get("content-type", "").startswith("text/event-stream"):
        return Outcome(received.status_code, received.headers, received.json(), [])
    lines = [line.removeprefix("data: ") for line in received.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    if face == "chat":
        failed = [event for event in events if "error" in event]
        whole = failed[0] if failed else whole_of_chunks(events)
    else:
        whole = next((event["response"] for event in reversed(events) if "response" in event), {})
    return Outcome(received.status_code, received.headers, whole, events)
